/**
 * Decides when the log is made durable, and tells who waits for it.
 *
 * One flush runs at a time, and everything written while it ran shares the next one: that is group
 * commit, and it needs no timer. With `async` a flush starts `intervalMs` after the first byte that is
 * not durable, whatever else happens, and at once when half of `maxUnflushedBytes` has gathered.
 *
 * A flush that failed is never tried again: after EIO the kernel may drop the dirty pages and report
 * success on the next call (Rebello et al., "Can Applications Recover from fsync Failures?", 2020). The
 * flusher stays failed, and every waiter is rejected with the same error.
 */
import type { Timer, Timers } from '../base/system.js'

/** The part of the log that a flusher needs. */
export interface Flushable {
  readonly end: number
  readonly writtenEnd: number
  readonly durableEnd: number
  flush(): Promise<void>
}

/** What a flusher is made of. */
export interface FlusherOptions {
  readonly log: Flushable
  readonly policy: 'async' | 'sync'
  /** Milliseconds that bytes may stay undurable under `async`. */
  readonly intervalMs: number
  /** Nothing is appended while as much as this is not durable. */
  readonly maxUnflushedBytes: number
  readonly timers: Timers
  /** Called after each flush that succeeded, before anybody waiting for it is told. */
  readonly onDurable: () => void
  /** Called once, when a flush failed. */
  readonly onFailure: (error: unknown) => void
}

interface Waiter {
  readonly end: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** See the head of this file. */
export class Flusher {
  readonly #options: FlusherOptions
  #running = false
  #again = false
  #timer: Timer | undefined
  #waiters: Waiter[] = []
  #failure: { error: unknown } | undefined
  #flushes = 0

  constructor(options: FlusherOptions) {
    this.#options = options
  }

  /** How many flushes have succeeded. */
  get flushes(): number {
    return this.#flushes
  }

  /** Whether no flush runs: what is written now is flushed at once. */
  get isIdle(): boolean {
    return !this.#running
  }

  /** Whether so much is not durable, written or not, that nothing more may be appended before a flush. */
  get isBehind(): boolean {
    const { log, maxUnflushedBytes } = this.#options
    return log.end - log.durableEnd >= maxUnflushedBytes
  }

  /** To be called after each write of the log. */
  written(): void {
    if (this.#options.policy === 'sync' || this.#unflushed() >= this.#options.maxUnflushedBytes / 2) {
      this.#start()
    } else if (this.#timer === undefined && !this.#running) {
      this.#timer = this.#options.timers.after(this.#options.intervalMs, () => this.#start())
    }
  }

  /** Resolves once everything below `end`, which must be written, is durable. Rejects if a flush failed. */
  durable(end: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error)
    if (this.#options.log.durableEnd >= end) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ end, resolve, reject })
      this.#start()
    })
  }

  /** Flushes no more, and rejects who waits: what a flush would say could not be believed. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = { error }
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(error)
  }

  /** Stops the timer. Flushes nothing. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #unflushed(): number {
    return this.#options.log.writtenEnd - this.#options.log.durableEnd
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#failure !== undefined) return
    if (this.#running) {
      this.#again = true
      return
    }
    this.#running = true
    void this.#run()
  }

  async #run(): Promise<void> {
    const { log, onDurable, onFailure } = this.#options
    try {
      do {
        this.#again = false
        await log.flush()
        if (this.#failure !== undefined) break
        this.#flushes++
        onDurable()
        this.#tell()
      } while (this.#again && this.#failure === undefined)
      this.#running = false
      if (this.#unflushed() > 0) this.written()
    } catch (error) {
      this.#running = false
      this.fail(error)
      onFailure(error)
    }
  }

  #tell(): void {
    if (this.#waiters.length === 0) return
    const { durableEnd } = this.#options.log
    const told = this.#waiters.filter((waiter) => waiter.end <= durableEnd)
    this.#waiters = this.#waiters.filter((waiter) => waiter.end > durableEnd)
    for (const waiter of told) waiter.resolve()
    if (this.#waiters.length > 0) this.#again = true
  }
}
