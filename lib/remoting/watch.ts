/**
 * Whether a peer still does its part. Looked at now and then, so a peer may be late by the time between two looks.
 *
 * ```
 *  idle     no byte in either direction for a long time
 *  slow     a frame that began long ago and came with less than the least rate
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
    const { idleMs, slowFrameMs, minBytesPerSecond, maxStalledBytes, stalledMs } = this.#limits
    // What the peer takes is life, too.
    if (unreadBytes < this.#unread) this.#active = now
    this.#unread = unreadBytes
    if (now - this.#active >= idleMs) return `idle for ${Math.round(now - this.#active)} ms`
    this.#partialSince = partialBytes === 0 ? undefined : (this.#partialSince ?? now)
    const frameMs = now - (this.#partialSince ?? now)
    if (frameMs >= slowFrameMs && partialBytes < (frameMs / 1000) * minBytesPerSecond) {
      return `${partialBytes} bytes of a frame in ${Math.round(frameMs)} ms`
    }
    this.#stalledSince = unreadBytes <= maxStalledBytes ? undefined : (this.#stalledSince ?? now)
    const stalled = now - (this.#stalledSince ?? now)
    return stalled >= stalledMs ? `${unreadBytes} bytes not taken for ${Math.round(stalled)} ms` : undefined
  }
}
