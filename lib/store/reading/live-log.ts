/**
 * Follows a log that another process writes, for a store that was opened to be read.
 *
 * Nobody tells it of anything: each time it is asked it looks whether something stands where it had got to, and
 * walks on to the last whole record. Once a second it looks for segments that came or went. What it finds goes into
 * views in memory, until the writer has flushed its own: then views are loaded again and take the place of these
 * (`recovery/reload.ts`). A record that the other process is about to write may be there in part; its checks fail
 * then, and the next look begins at it.
 */

import { MessageStoreError } from '../../base/errors.js'
import type { Clock } from '../../base/system.js'
import { DiskError } from '../../disk/disk.js'
import type { OpenFiles } from '../../disk/open-files.js'
import type { SegmentChain } from '../../disk/segment-chain.js'
import type { CheckLevel } from '../../format/record.js'
import type { CommitLog } from '../../log/commit-log.js'
import { LogScanner } from '../../log/scanner.js'
import { isGone } from '../disk-failure.js'
import type { ReloadedViews } from '../recovery/reload.js'
import type { Views } from '../views/views.js'

const LIST_EVERY_MS = 1000
/**
 * A Java store writes its view files as it goes, and replaces none that would tell: after as much of its log, or a
 * segment, what is in memory is looked for in the files.
 */
const MOST_IN_MEMORY_BYTES = 256 * 1024 * 1024

/** A writer that deletes without a pause must not keep a reader from its answer. */
const MOST_TRIES = 5

/** What following needs. */
export interface LiveLogOptions {
  readonly chain: SegmentChain
  readonly log: CommitLog
  readonly views: () => Views
  /** Changes when the writer has changed what its views rest on. */
  readonly traces: () => string
  /** What it was before the store was opened. */
  readonly openedAt: string | undefined
  /** Loads what the writer has flushed. */
  readonly reload: () => ReloadedViews
  /** Puts views that were loaded, and completed, in the place of those before. @returns the files of those */
  readonly adopt: (loaded: ReloadedViews) => OpenFiles
  readonly levelAt: (address: number) => CheckLevel
  readonly clock: Pick<Clock, 'monotonic'>
  /** Lets the event loop turn. @throws {MessageStoreError} `STORE_CLOSED`: what has been opened must not outlive the store */
  readonly pause: () => Promise<void>
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
  /** The traces of the views that are in use, and where the log began and ended when they were loaded. */
  #traces: string | undefined
  #loadedStart: number
  #loadedEnd: number
  /** How many are using views and need their files to stay open, also when others take their place. */
  #holders = 0
  /** Counts how often segments came or went, or other views took the place of those in use. */
  #changes = 0
  /** Files of views that were replaced while somebody used them. */
  #retired: OpenFiles[] = []

  constructor(options: LiveLogOptions) {
    this.#options = options
    this.#recoveredStart = options.chain.start
    this.#loadedStart = options.chain.start
    this.#loadedEnd = options.log.end
    this.#traces = options.openedAt
    this.#scanner = new LogScanner({ chain: options.chain, levelAt: options.levelAt, pause: options.pause })
  }

  /** Takes in what has been written since. */
  catchUp(): Promise<void> {
    this.#running ??= this.#catchUp()
      .catch((error) => {
        // The writer deleted a file in the middle of it: the next look begins again.
        if (!mayBeGone(error)) throw error
        this.#nextList = 0
      })
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  /** Waits for what is being taken in. When the store is closing it ends at the next pause. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => {})
  }

  /** Whether a second has passed since the last look: what is in memory may have been purged since. */
  get isStale(): boolean {
    return this.#options.clock.monotonic() >= this.#nextList
  }

  /** Runs something that needs the views to stay what they are. */
  async holding<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#holders++
    try {
      await this.#running
      return await action()
    } finally {
      this.#holders--
      this.#closeRetired()
    }
  }

  /**
   * Asks, and asks again when the answer cannot be right because the writer took away what it rested on.
   *
   * @param queue - whose files the answer rests on; without it all that are in use
   * @param isDoubtful - tells an answer that a queue gives whose files are going
   */
  async asking<Result>(
    ask: () => Result | Promise<Result>,
    queue: { readonly topic?: string; readonly queueId?: number } = {},
    isDoubtful: (result: Result) => boolean = () => false,
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      // Another question may notice a change first, while this one goes on with what it began with.
      const changes = this.#changes
      try {
        const result = await ask()
        if (tries === MOST_TRIES || !isDoubtful(result) || !(await this.#takeAgain(queue, changes))) return result
      } catch (error) {
        if (tries === MOST_TRIES || !mayBeGone(error) || !(await this.#takeAgain(queue, changes))) throw error
      }
    }
  }

  /**
   * Takes everything in anew if something is not what it was when it was taken in.
   *
   * @param changes - how many there had been when the question was asked
   * @returns whether it was so
   */
  async #takeAgain(
    { topic, queueId }: { readonly topic?: string; readonly queueId?: number },
    changes: number,
  ): Promise<boolean> {
    const { views, traces } = this.#options
    this.#list()
    if (this.#changes === changes && traces() === this.#traces && !views().hasMoved(topic, queueId)) return false
    this.#traces = undefined
    await this.catchUp()
    return true
  }

  /** Lists the segments again. */
  #list(): void {
    const { chain } = this.#options
    const starts = [...chain.starts]
    chain.refresh()
    const isSame = chain.starts.length === starts.length && chain.starts.every((start, i) => start === starts[i])
    if (!isSame) this.#changes++
  }

  #closeRetired(): void {
    if (this.#holders > 0) return
    for (const files of this.#retired.splice(0)) files.closeAll()
  }

  async #catchUp(): Promise<void> {
    const { chain, log, views, show, clock, traces } = this.#options
    const now = clock.monotonic()
    const found = traces()
    if (now < this.#nextList && found === this.#traces && !this.#hasNews()) return
    this.#nextList = now + LIST_EVERY_MS
    this.#list()
    if (this.#isOutdated(found) && (await this.#reload(found))) return
    // A log whose beginning a crash took ends before what is left of it, until its writer comes back and says more.
    if (log.end < chain.start && chain.start === this.#recoveredStart) return
    const from = Math.max(log.end, chain.start)
    const stop = await this.#scanner.scan(from, chain.end, (block, at, size, address) =>
      views().dispatchRecord(block, at, size, address),
    )
    if (stop.address > log.end) {
      log.followTo(stop.address)
      show(stop.address)
    }
    views().trim(chain.start)
  }

  #isOutdated(traces: string): boolean {
    const { chain, log } = this.#options
    if (traces !== this.#traces || chain.start !== this.#loadedStart) return true
    return log.end - this.#loadedEnd >= Math.max(chain.segmentBytes, MOST_IN_MEMORY_BYTES)
  }

  /** Loads the views that the writer has flushed, completes them from the log and uses them from then on, if it can. */
  async #reload(traces: string): Promise<boolean> {
    let loaded: ReloadedViews | undefined
    let isUsed = false
    try {
      loaded = this.#options.reload()
      isUsed = await this.#complete(loaded, traces)
    } catch (error) {
      if (!mayBeGone(error)) throw error
      // What is damaged stays so until the writer changes something; what is in memory is better.
      if (!(error instanceof DiskError)) this.#traces = traces
    } finally {
      if (!isUsed) loaded?.files.closeAll()
    }
    return isUsed
  }

  /** @returns whether the views are in use now */
  async #complete(loaded: ReloadedViews, traces: string): Promise<boolean> {
    const { chain, log, show, adopt } = this.#options
    const { views, from } = loaded
    const stop = await this.#scanner.scan(from, chain.end, (block, at, size, address) =>
      views.dispatchRecord(block, at, size, address),
    )
    const isWhole = stop.address >= log.end
    if (isWhole) {
      views.trim(chain.start)
      views.applyPurges()
    }
    this.#traces = traces
    this.#loadedStart = chain.start
    this.#loadedEnd = Math.max(stop.address, log.end)
    // Else something on the way is damaged, or gone: what is in memory is better.
    if (!isWhole) return false
    this.#retired.push(adopt(loaded))
    this.#changes++
    this.#closeRetired()
    log.followTo(stop.address)
    show(stop.address)
    return true
  }

  /** Whether something stands behind the last record, or could stand in a segment that is not known. */
  #hasNews(): boolean {
    const { chain, log } = this.#options
    if (chain.readAt(this.#head, log.end) < this.#head.length) return true
    return this.#head.some((byte) => byte !== 0)
  }
}

/** Whether an error may come of what the writer has deleted or replaced. */
function mayBeGone(error: unknown): boolean {
  return isGone(error) || (error instanceof MessageStoreError && error.code === 'STORE_CORRUPT')
}
