/**
 * Follows a log that another process writes, for a store that was opened to be read.
 *
 * Nobody tells it of anything: each time it is asked it looks whether something stands where it had got to, and
 * walks on to the last whole record. Once a second it looks for segments that came or went. What it finds goes into views in memory. A record that the other
 * process is about to write may be there in part; its checks fail then, and the next look begins at it.
 */
import type { Clock, Timers } from '../base/system.js'
import type { SegmentChain } from '../disk/segment-chain.js'
import type { CheckLevel } from '../format/record.js'
import type { CommitLog } from '../log/commit-log.js'
import { LogScanner } from '../log/scanner.js'
import type { Views } from './views.js'

const LIST_EVERY_MS = 1000

/** What following needs. */
export interface LiveLogOptions {
  readonly chain: SegmentChain
  readonly log: CommitLog
  readonly views: Views
  readonly levelAt: (address: number) => CheckLevel
  readonly clock: Pick<Clock, 'monotonic'>
  readonly timers: Timers
  /** Makes readers see everything below. */
  readonly show: (end: number) => void
}

/** See the head of this file. */
export class LiveLog {
  readonly #options: LiveLogOptions
  readonly #scanner: LogScanner
  readonly #head = Buffer.alloc(8)
  #nextList = 0
  /** Where the log began when it was recovered. */
  readonly #recoveredStart: number
  #running: Promise<void> | undefined

  constructor(options: LiveLogOptions) {
    this.#options = options
    this.#recoveredStart = options.chain.start
    const pause = (): Promise<void> => new Promise((resolve) => options.timers.endOfTurn(resolve))
    this.#scanner = new LogScanner({ chain: options.chain, levelAt: options.levelAt, pause })
  }

  /** Takes in what has been written since. */
  catchUp(): Promise<void> {
    this.#running ??= this.#catchUp().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #catchUp(): Promise<void> {
    const { chain, log, views, show, clock } = this.#options
    const now = clock.monotonic()
    if (now < this.#nextList && !this.#hasNews()) return
    this.#nextList = now + LIST_EVERY_MS
    chain.refresh()
    // A log whose beginning a crash took ends before what is left of it, until its writer comes back and says more.
    if (log.end < chain.start && chain.start === this.#recoveredStart) return
    const from = Math.max(log.end, chain.start)
    const stop = await this.#scanner.scan(from, chain.end, (block, at, size, address) =>
      views.dispatchRecord(block, at, size, address),
    )
    if (stop.address > log.end) {
      log.followTo(stop.address)
      show(stop.address)
    }
    views.trim(chain.start)
  }

  /** Whether something stands behind the last record, or could stand in a segment that is not known. */
  #hasNews(): boolean {
    const { chain, log } = this.#options
    if (chain.readAt(this.#head, log.end) < this.#head.length) return true
    return this.#head.some((byte) => byte !== 0)
  }
}
