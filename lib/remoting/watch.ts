/**
 * Whether a peer still does its part. Looked at now and then, so a peer may be late by the time between two looks.
 *
 * ```
 *  idle     no byte in either direction for a long time
 *  slow     a frame that is not whole and of which less than the least rate came lately
 *  stalled  answers that pile up because the peer takes none
 * ```
 */
import type { ConnectionLimits } from './limits.js'

/** What a look sees. */
export interface Sight {
  /** Bytes of a frame that is not whole; 0 when none has begun, or when it is us who do not read. */
  readonly partialBytes: number
  /** Bytes written that the peer has not taken. */
  readonly unreadBytes: number
}

/** See the head of this file. Times are of the monotonic clock. */
export class Watch {
  readonly #limits: ConnectionLimits
  #active: number
  #partialSince: number | undefined
  #partialFrom = 0
  #stalledSince: number | undefined
  #unread = 0

  constructor(limits: ConnectionLimits, now: number) {
    this.#limits = limits
    this.#active = now
  }

  /** Bytes came or were sent. */
  active(now: number): void {
    this.#active = now
  }

  /** A frame was finished, so a partial one that may be there is another. */
  frameEnded(): void {
    this.#partialSince = undefined
  }

  /** What is wrong with the peer, `undefined` if nothing is. */
  look(now: number, { partialBytes, unreadBytes }: Sight): string | undefined {
    const { idleMs, maxStalledBytes, stalledMs } = this.#limits
    // What the peer takes is life, too.
    if (unreadBytes < this.#unread) this.#active = now
    this.#unread = unreadBytes
    if (now - this.#active >= idleMs) return `idle for ${Math.round(now - this.#active)} ms`
    const slow = this.#slowness(now, partialBytes)
    if (slow !== undefined) return slow
    this.#stalledSince = unreadBytes <= maxStalledBytes ? undefined : (this.#stalledSince ?? now)
    const stalled = now - (this.#stalledSince ?? now)
    return stalled >= stalledMs ? `${unreadBytes} bytes not taken for ${Math.round(stalled)} ms` : undefined
  }
  /** Rates are those since the last look that was content, so a fast start earns no leisure. */
  #slowness(now: number, partialBytes: number): string | undefined {
    const { slowFrameMs, minBytesPerSecond } = this.#limits
    if (partialBytes === 0) {
      this.#partialSince = undefined
      return undefined
    }
    if (this.#partialSince === undefined) {
      this.#partialSince = now
      this.#partialFrom = 0
    }
    const elapsed = now - this.#partialSince
    if (elapsed < slowFrameMs) return undefined
    const came = partialBytes - this.#partialFrom
    if (came < (elapsed / 1000) * minBytesPerSecond) return `${came} bytes of a frame in ${Math.round(elapsed)} ms`
    this.#partialSince = now
    this.#partialFrom = partialBytes
    return undefined
  }
}
