/**
 * Writes the views lazily: when enough log has gathered since the last time, or enough time has passed.
 *
 * What it leaves undone costs a rebuild from that part of the log after a crash, never data. 256 MiB of log
 * are scanned in well under a second.
 */
import type { Timer, Timers } from '../../base/system.js'
import { DiskError } from '../../disk/disk.js'
import type { Bookkeeping } from '../keeping/bookkeeping.js'
import type { Views } from './views.js'

const FLUSH_EVERY_BYTES = 256 * 1024 * 1024
const FLUSH_EVERY_MS = 30_000

/** What a view flusher needs. */
export interface ViewFlusherOptions {
  readonly views: Views
  /** Everything below is durable and has been dispatched. */
  readonly safeEnd: () => number
  readonly books: Bookkeeping
  readonly timers: Timers
  readonly onFailure: (error: unknown) => void
  /** Called when the disk was too full for the views. */
  readonly onNoSpace: () => void
}

/** See the head of this file. */
export class ViewFlusher {
  readonly #options: ViewFlusherOptions
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #closed = false
  #next: number

  constructor(options: ViewFlusherOptions) {
    this.#options = options
    this.#next = options.safeEnd() + FLUSH_EVERY_BYTES
  }

  /** To be called when records became visible. */
  noted(visibleEnd: number): void {
    if (this.#closed || this.#running !== undefined) return
    if (visibleEnd >= this.#next) this.#start()
    else {
      this.#timer ??= this.#options.timers.after(FLUSH_EVERY_MS, () => this.#start())
      this.#relieve()
    }
  }

  /** Whether a flush is under way. */
  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Waits for a flush that is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Flushes the views now. */
  async flush(): Promise<void> {
    await this.#running
    this.#start()
    await this.#running
  }

  /** Waits for a flush that runs; none starts after it. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#running !== undefined || this.#closed) return
    this.#running = this.#flush().finally(() => {
      this.#running = undefined
    })
  }

  #relieve(): void {
    const { views, safeEnd } = this.#options
    try {
      views.relieve(safeEnd())
    } catch (error) {
      this.#failed(error)
    }
  }

  async #flush(): Promise<void> {
    const { views, safeEnd, books } = this.#options
    const end = safeEnd()
    const { durableMs } = books
    this.#next = end + FLUSH_EVERY_BYTES
    try {
      const bounds = await views.flush(end)
      await books.viewsFlushed(end, durableMs, bounds)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Views can wait for space: the log has everything. The next time tries again. */
  #failed(error: unknown): void {
    const { onNoSpace, onFailure } = this.#options
    if (error instanceof DiskError && error.isSpace) onNoSpace()
    else onFailure(error)
  }
}
