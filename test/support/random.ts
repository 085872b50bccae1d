/** Chance from a seed, so that every failure can be replayed. */

/** A stream of pseudo-random numbers (sfc32): the same seed gives the same stream everywhere. */
export class Random {
  readonly seed: number
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.seed = seed
    this.#a = seed | 0
    this.#b = Math.trunc(seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9 | 0
    for (let round = 0; round < 12; round += 1) this.#next()
  }

  /** A whole number in 0 .. n - 1; n up to 2^53. */
  int(n: number): number {
    if (n <= 2 ** 32) return Math.floor((this.#next() / 2 ** 32) * n)
    return Math.floor(((this.#next() * 2 ** 21 + (this.#next() >>> 11)) / 2 ** 53) * n)
  }

  /** A whole number in from .. to, both included. */
  between(from: number, to: number): number {
    return from + this.int(to - from + 1)
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.#next() < p * 2 ** 32
  }

  /** One element of a list that is not empty. */
  pick<Element>(list: readonly Element[]): Element {
    if (list.length === 0) throw new RangeError('nothing to pick from')
    return list[this.int(list.length)] as Element
  }

  /** n random bytes. */
  bytes(n: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(n)
    for (let at = 0; at < n; at += 1) bytes[at] = this.#next() >>> 24
    return bytes
  }

  /** A seed for a stream of its own. */
  fork(): Random {
    return new Random(this.int(2 ** 53))
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }
}

/** Decides between alternatives; the last of them is always "everything happened". */
export interface Chooser {
  /** A number in 0 .. count - 1. */
  choose(count: number): number
  /** Told before the choices on another file or list of names. */
  begin?(): void
}

/**
 * Chooses at random, with a mood for each file: nothing, everything, or a mixture of any degree. Fair
 * coins alone would hardly ever leave a large write all in or all out.
 */
export function randomChooser(random: Random): Chooser {
  let mood = 0
  return {
    begin() {
      mood = random.pick([-1, 0, 0.1, 0.5, 0.9, 1])
    },
    choose(count) {
      if (mood === -1) return random.int(count)
      return random.chance(mood) ? count - 1 : mood === 0 ? 0 : random.int(count)
    },
  }
}

/**
 * Runs through all sequences of choices: `do { ...choose... } while (every.next())`. The number of
 * alternatives at each step may depend on the choices before it.
 */
export class EveryChoice implements Chooser {
  #path: { taken: number; count: number }[] = []
  #depth = 0

  choose(count: number): number {
    const step = this.#path[this.#depth]
    this.#depth += 1
    if (step !== undefined) return step.taken
    this.#path.push({ taken: 0, count })
    return 0
  }

  /** Goes on to the next sequence; false when all have been run through. */
  next(): boolean {
    this.#depth = 0
    for (let last = this.#path.pop(); last !== undefined; last = this.#path.pop()) {
      if (last.taken + 1 < last.count) {
        this.#path.push({ taken: last.taken + 1, count: last.count })
        return true
      }
    }
    return false
  }
}
