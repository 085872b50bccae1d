/**
 * The messages that wait for a time, each by its second and its offset in the timer's queue: a heap in typed arrays,
 * 12 bytes a message, taken in chunks so that growing copies nothing.
 *
 * Within a second cancellations come first, and then messages in the order of the queue.
 */

const CHUNK_BITS = 14
const CHUNK = 1 << CHUNK_BITS
/** Messages come after cancellations of the same second. */
const MESSAGE = 2 ** 52

/** See the head of this file. */
export class TimerHeap {
  readonly #seconds: Uint32Array[] = []
  readonly #marks: Float64Array[] = []
  #size = 0

  /** How many wait, cancellations included. */
  get size(): number {
    return this.#size
  }

  /** Bytes of memory taken. */
  get bytes(): number {
    return this.#seconds.length * CHUNK * 12
  }

  /** The second of the first, `Infinity` when nothing waits. */
  get firstSecond(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#secondAt(0)
  }

  /** Adds one. @param second - since 1970, below 2^32 */
  push(second: number, queueOffset: number, isCancel: boolean): void {
    if (this.#size === this.#seconds.length * CHUNK) {
      this.#seconds.push(new Uint32Array(CHUNK))
      this.#marks.push(new Float64Array(CHUNK))
    }
    this.#rise(this.#size++, second, isCancel ? queueOffset : queueOffset + MESSAGE)
  }

  /** Takes the first away; there must be one. */
  pop(): { second: number; queueOffset: number; isCancel: boolean } {
    const second = this.#secondAt(0)
    const mark = this.#markAt(0)
    const last = --this.#size
    if (last > 0) this.#sink(this.#secondAt(last), this.#markAt(last))
    this.#shrink()
    return { second, queueOffset: mark >= MESSAGE ? mark - MESSAGE : mark, isCancel: mark < MESSAGE }
  }

  /** Takes away one that need not be the first, and is found without a search; there must be one. */
  popLast(): { second: number; queueOffset: number; isCancel: boolean } {
    const last = --this.#size
    const mark = this.#markAt(last)
    const second = this.#secondAt(last)
    this.#shrink()
    return { second, queueOffset: mark >= MESSAGE ? mark - MESSAGE : mark, isCancel: mark < MESSAGE }
  }

  /** Whether its first comes before the first of another; never when there is none. */
  isBefore(other: TimerHeap): boolean {
    if (this.#size === 0 || other.#size === 0) return this.#size > 0
    return other.#isBefore(this.#secondAt(0), this.#markAt(0), 0)
  }

  #shrink(): void {
    // One chunk more than needed stays: a size that goes to and fro over the border allocates nothing.
    while (this.#seconds.length > 1 && this.#size + 2 * CHUNK <= this.#seconds.length * CHUNK) {
      this.#seconds.pop()
      this.#marks.pop()
    }
  }

  #rise(from: number, second: number, mark: number): void {
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!this.#isBefore(second, mark, above)) break
      this.#set(at, this.#secondAt(above), this.#markAt(above))
      at = above
    }
    this.#set(at, second, mark)
  }

  /** Down to the leaves on the way of those that come first, and from there up: what came from the end belongs near it. */
  #sink(second: number, mark: number): void {
    const size = this.#size
    let at = 0
    for (let below = 1; below < size; below = 2 * at + 1) {
      if (below + 1 < size && this.#isBefore(this.#secondAt(below + 1), this.#markAt(below + 1), below)) below++
      this.#set(at, this.#secondAt(below), this.#markAt(below))
      at = below
    }
    this.#rise(at, second, mark)
  }

  #isBefore(second: number, mark: number, other: number): boolean {
    const otherSecond = this.#secondAt(other)
    return second === otherSecond ? mark < this.#markAt(other) : second < otherSecond
  }

  #secondAt(i: number): number {
    return this.#seconds[i >> CHUNK_BITS]![i & (CHUNK - 1)]!
  }

  #markAt(i: number): number {
    return this.#marks[i >> CHUNK_BITS]![i & (CHUNK - 1)]!
  }

  #set(i: number, second: number, mark: number): void {
    this.#seconds[i >> CHUNK_BITS]![i & (CHUNK - 1)] = second
    this.#marks[i >> CHUNK_BITS]![i & (CHUNK - 1)] = mark
  }
}
