/**
 * Wall time for decisions that cannot be taken back, such as deleting what has expired.
 *
 * A wall clock may be set, and for a moment be wrong by years. Time that goes back is believed at once: less has
 * expired then. Time that runs ahead of the monotonic clock is believed when it has done so for an hour.
 */
import type { Clock } from './system.js'

/** Clocks that are being adjusted run this much apart. */
const TOLERATED_MS = 60_000
const BELIEVED_AFTER_MS = 3_600_000

/** See the head of this file. */
export class SteadyClock {
  readonly #clock: Clock
  /** Wall time less monotonic time, as it is believed. */
  #offset: number
  /** Since when the wall clock has been ahead of that, on the monotonic clock. */
  #aheadSince: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = clock.now() - clock.monotonic()
  }

  /** Milliseconds since 1970, at most the wall time. To be asked now and then: a jump counts from when it is noticed. */
  now(): number {
    const monotonic = this.#clock.monotonic()
    const offset = this.#clock.now() - monotonic
    if (offset <= this.#offset + TOLERATED_MS) this.#aheadSince = undefined
    else this.#aheadSince ??= monotonic
    if (this.#aheadSince === undefined || monotonic - this.#aheadSince >= BELIEVED_AFTER_MS) {
      this.#offset = offset
      this.#aheadSince = undefined
    }
    return monotonic + this.#offset
  }
}
