/**
 * Keeps the marks of a store that is open for writing: `ext/durable` after every flush of the log, RocketMQ's
 * `checkpoint` after every flush of the views, and at the end the mark of a clean close.
 *
 * Every change of a file name that a later start relies on is flushed before anything depends on it.
 */
import { type Disk, DiskError } from '../../disk/disk.js'
import { replaceFile } from '../../disk/replace.js'
import { type CheckpointTimes, DurableMark, encodeMark, type Mark, readMark } from '../../log/marks.js'
import { encodeRanges, type LogRange, settleRanges } from '../../log/ranges.js'
import { encodeManifest, type Manifest } from '../../view/manifest.js'
import { saveCheckpoint } from '../../view/store-checkpoint.js'
import type { StoreLayout } from '../layout.js'
import { lockTime } from '../recovery/origin.js'

/** What bookkeeping starts from. */
export interface BookkeepingOptions {
  readonly disk: Disk
  readonly layout: StoreLayout
  readonly checkpoint: CheckpointTimes
  readonly viewsEnd: number
  readonly ranges: readonly LogRange[]
  /** Whether records get whole-record CRCs from now on. */
  readonly recordCrc: boolean
  /** No record begins this far behind what is durable. */
  readonly unflushedBound: number
  /** Written into `abort`, as 5.x does. */
  readonly processId: number
  /** What the view files hold, all of them flushed. */
  readonly manifest: (viewsEnd: number, settled: boolean) => Manifest | undefined
}

/** How far RocketMQ's checkpoint may go; see `Views.checkpointBounds`. */
export interface CheckpointBounds {
  readonly logicsMs: number
  readonly indexMs: number
}

/** See the head of this file. */
export class Bookkeeping {
  readonly #options: BookkeepingOptions
  #mark: DurableMark | undefined
  #checkpoint: CheckpointTimes
  #next: CheckpointTimes
  #viewsEnd: number
  #logEnd = 0
  /** How far the mark says that the log is durable, -1 when that is not known. */
  #markedEnd = -1
  #lockMs = 0
  #ranges: readonly LogRange[]
  /** Ends of records and when they were stored, for what is written and not durable. */
  #trail: { end: number; timestamp: number }[] = []
  #durableMs: number

  constructor(options: BookkeepingOptions) {
    this.#options = options
    this.#checkpoint = options.checkpoint
    this.#next = options.checkpoint
    this.#viewsEnd = options.viewsEnd
    this.#ranges = options.ranges
    this.#durableMs = options.checkpoint.physicMs
  }

  /** Every record below has its entries in flushed view files. */
  get viewsEnd(): number {
    return this.#viewsEnd
  }

  /** Store timestamp of the newest record that is known to be durable. */
  get durableMs(): number {
    return this.#durableMs
  }

  /**
   * Marks the store as open, durably; only then may it be written.
   *
   * @param logEnd - everything below is durable
   * @param bounds - how far the checkpoint may go: from here on RocketMQ would believe it after a crash
   */
  async begin(logEnd: number, lastTimestamp: number, bounds: CheckpointBounds): Promise<void> {
    const { disk, layout, recordCrc, processId } = this.#options
    this.#lockMs = lockTime(disk, layout)
    this.#logEnd = logEnd
    this.#durableMs = Math.max(this.#durableMs, lastTimestamp)
    // The mark before may have been the only one to know: the manifest can be newer than the checkpoint.
    this.#next = { ...this.#checkpoint, physicMs: this.#durableMs }
    const open = recordCrc ? [{ from: logEnd, to: Number.POSITIVE_INFINITY }] : []
    this.#ranges = settleRanges([...this.#options.ranges, ...open], 0, Number.POSITIVE_INFINITY)
    await replaceFile(disk, layout.ranges, encodeRanges(this.#ranges))
    this.#mark = new DurableMark(disk, layout.durable)
    this.#writeMark()
    await this.#mark.flush()
    const { physicMs, logicsMs, indexMs } = this.#checkpoint
    if (logicsMs > bounds.logicsMs || indexMs > bounds.indexMs) await this.#writeCheckpoint(within(bounds, physicMs, logicsMs))
    const abort = disk.open(layout.abort, { write: true, create: true })
    try {
      abort.resize(0)
      abort.writeAt(Buffer.from(String(processId), 'latin1'), 0)
      await abort.flush()
    } finally {
      abort.close()
    }
    disk.remove(layout.clean)
    await disk.flushDirectory(layout.ext)
    await disk.flushDirectory(layout.root)
  }

  /** Notes the newest record of a write. */
  wrote(end: number, timestamp: number): void {
    this.#trail.push({ end, timestamp })
  }

  /**
   * Notes that the log is durable up to `logEnd`.
   *
   * The mark has had its block since the store was opened, but some file systems want space for a write in place too.
   * That the mark then stays behind is safe: records above it are kept as long as they are whole, as after a power loss
   * that took the newest mark, and only rot among them could not be told from a torn write. So what the flush covered is
   * acknowledged, and the caller refuses further puts until {@link catchUp} has written the mark.
   *
   * @returns whether the mark says so
   * @throws {DiskError} when the disk fails for another reason than space
   */
  durable(logEnd: number): boolean {
    this.#logEnd = logEnd
    let count = 0
    while (count < this.#trail.length && this.#trail[count]!.end <= logEnd) count++
    if (count > 0) {
      this.#durableMs = this.#trail[count - 1]!.timestamp
      this.#trail.splice(0, count)
    }
    return this.catchUp()
  }

  /** Writes the mark if it is behind. @returns whether it says all that is known */
  catchUp(): boolean {
    if (this.#markedEnd === this.#logEnd) return true
    try {
      this.#writeMark()
      return true
    } catch (error) {
      if (!(error instanceof DiskError && error.isSpace)) throw error
      return false
    }
  }

  /**
   * Makes it known durably that the log is durable up to `end` at least. The mark that stands in the file may say that
   * already, when there was no space for a newer one: what is deleted then makes some.
   *
   * @throws {DiskError} also for want of space
   */
  async flush(end: number): Promise<void> {
    if (this.#markedEnd < end && !this.catchUp() && !this.#says(end)) this.#writeMark()
    try {
      await this.#mark?.flush()
    } catch (error) {
      // Nobody knows what the disk has now; another flush without another write could report success.
      this.#markedEnd = -1
      throw error
    }
  }

  /** Whether the mark in the file is whole, though a write of it may have failed, and says so much. */
  #says(end: number): boolean {
    const { disk, layout } = this.#options
    return (readMark(disk, layout.durable, 'durable')?.logEnd ?? -1) >= end
  }

  #writeMark(): void {
    this.#markedEnd = -1
    this.#mark?.write(this.#current())
    this.#markedEnd = this.#logEnd
  }

  /**
   * Notes that view entries are flushed for everything below `viewsEnd`, and writes the checkpoint.
   *
   * @param durableMs - how far the log was durable before that flush
   */
  async viewsFlushed(viewsEnd: number, durableMs: number, bounds: CheckpointBounds): Promise<void> {
    const times = within(bounds, this.#durableMs, durableMs)
    await this.#announce(times)
    await this.#writeManifest(viewsEnd, false)
    this.#viewsEnd = viewsEnd
    await this.#writeCheckpoint(times)
  }

  /** Marks the store as cleanly closed. Everything must be durable, views included. */
  async finish(logEnd: number, bounds: CheckpointBounds): Promise<void> {
    const { disk, layout } = this.#options
    this.#logEnd = logEnd
    const times = within(bounds, this.#durableMs, this.#durableMs)
    await this.#announce(times)
    await this.#writeManifest(logEnd, true)
    await this.#writeCheckpoint(times)
    await replaceFile(disk, layout.ranges, encodeRanges(settleRanges(this.#ranges, 0, logEnd)))
    this.#viewsEnd = logEnd
    this.#writeMark()
    await this.#mark?.flush()
    await replaceFile(disk, layout.clean, encodeMark('clean', this.#current()).bytes)
    disk.remove(layout.abort)
    await disk.flushDirectory(layout.root)
  }

  /** Closes the file of the mark. */
  close(): void {
    this.#mark?.close()
    this.#mark = undefined
  }

  /** Notes what the view files hold; without a word on them they are made anew. */
  async #writeManifest(viewsEnd: number, settled: boolean): Promise<void> {
    const { disk, layout, manifest } = this.#options
    const noted = manifest(viewsEnd, settled)
    if (noted === undefined) disk.remove(layout.views)
    else await replaceFile(disk, layout.views, encodeManifest(noted))
  }

  #current(): Mark {
    const logEnd = this.#logEnd
    const viewsEnd = Math.min(this.#viewsEnd, logEnd)
    const { unflushedBound } = this.#options
    return { logEnd, viewsEnd, unflushedBound, lockMs: this.#lockMs, checkpoint: this.#checkpoint, nextCheckpoint: this.#next }
  }

  /**
   * Makes it known what the checkpoint will be, before the manifest says that what the views hold need not be
   * read again: whoever does not read it learns from the mark how late it was stored.
   */
  async #announce(next: CheckpointTimes): Promise<void> {
    this.#next = next
    this.#writeMark()
    await this.#mark?.flush()
  }

  /** Writes the checkpoint that was announced. */
  async #writeCheckpoint(next: CheckpointTimes): Promise<void> {
    const { disk, layout } = this.#options
    await saveCheckpoint(disk, layout.root, {
      physicMsgTimestamp: next.physicMs,
      logicsMsgTimestamp: next.logicsMs,
      indexMsgTimestamp: next.indexMs,
    })
    this.#checkpoint = next
    this.#writeMark()
  }
}

function within(bounds: CheckpointBounds, physicMs: number, logicsMs: number): CheckpointTimes {
  return { physicMs, logicsMs: Math.max(0, Math.min(logicsMs, bounds.logicsMs)), indexMs: Math.max(0, bounds.indexMs) }
}
