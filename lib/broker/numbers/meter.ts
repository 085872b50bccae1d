/** Counts, and how fast they have grown over the last minute. */
import type { Clock } from '../../base/system.js'

/** Milliseconds between two samples, as in RocketMQ. */
export const SAMPLE_EVERY_MS = 10_000
/** Samples that are kept: rates look back over the last minute and what has passed since the last sample. */
const SLOTS = 7

/** When the samples of all meters were taken. */
export class Minute {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #times = new Float64Array(SLOTS)
  #newest = 0
  #taken = 1

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
    this.#times[0] = clock.monotonic()
  }

  /** Begins a sample. @returns where each meter puts its count */
  advance(): number {
    this.#newest = (this.#newest + 1) % SLOTS
    this.#taken = Math.min(SLOTS, this.#taken + 1)
    this.#times[this.#newest] = this.#clock.monotonic()
    return this.#newest
  }

  /** Where the oldest count stands. */
  get oldest(): number {
    return this.#taken < SLOTS ? 0 : (this.#newest + 1) % SLOTS
  }

  /** Seconds that have passed since the oldest sample. */
  get seconds(): number {
    return (this.#clock.monotonic() - this.#times[this.oldest]!) / 1000
  }
}

/** A count that only grows. Counting is one addition; the rest happens when samples are taken. */
export class Meter {
  /** How many so far. */
  count: number
  readonly #before: Float64Array

  /** @param count - where it begins; what it was before is not part of any rate */
  constructor(count = 0) {
    this.count = count
    this.#before = new Float64Array(SLOTS).fill(count)
  }

  /** Keeps the count of this moment. */
  sample(slot: number): void {
    this.#before[slot] = this.count
  }

  /** How many a second, over the last minute, or since counting began. */
  perSecond(minute: Minute): number {
    const { seconds, oldest } = minute
    return seconds > 0 ? Math.max(0, this.count - this.#before[oldest]!) / seconds : 0
  }
}
