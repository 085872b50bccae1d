/**
 * Offsets of a queue that are settled though some before them are not: half-open ranges in order, looked up in order.
 *
 * The group's offset alone would deliver them again to whoever holds the queue next.
 */

/** See the head of this file. */
export class OffsetRanges {
  readonly #bounds: readonly number[]
  #at = 0

  /** @param bounds - from, to, from, to ..., rising; anything else counts as no range */
  constructor(bounds: readonly number[]) {
    const isRising =
      bounds.length % 2 === 0 && bounds.every((bound, i) => Number.isSafeInteger(bound) && bound > (bounds[i - 1] ?? -1))
    this.#bounds = isRising ? bounds : []
  }

  /** Whether an offset is in a range; offsets are asked for in rising order. */
  has(offset: number): boolean {
    while (this.#at < this.#bounds.length && this.#bounds[this.#at + 1]! <= offset) this.#at += 2
    return this.#at < this.#bounds.length && this.#bounds[this.#at]! <= offset
  }

  /** The bounds of what is at an offset or behind it. */
  from(offset: number): number[] {
    const rest: number[] = []
    for (let i = 0; i < this.#bounds.length; i += 2) {
      if (this.#bounds[i + 1]! > offset) rest.push(Math.max(offset, this.#bounds[i]!), this.#bounds[i + 1]!)
    }
    return rest
  }
}
