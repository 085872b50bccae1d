/**
 * A BatchConsumeQueue: the ConsumeQueue of a topic whose records hold whole batches.
 *
 * ```
 *   rows      | row 0        | row 1 | row 2     |       one for each record
 *   offsets   0, 1, 2, 3     4       5, 6, 7      8      one for each message
 * ```
 *
 * 1. Rows ascend by base offset and by `commitLogOffset`; the base of a row is the end of the row before it,
 *    unless messages between them are gone.
 * 2. A row is found by searching for its base, not by its place.
 *
 * (`BatchConsumeQueue`, since 5.0.)
 */
import {
  BATCH_QUEUE_ENTRY_BYTES,
  type BatchEntry,
  batchEntryBase,
  batchEntryCount,
  batchEntryOffset,
  batchEntrySize,
  batchEntryTimestamp,
  isBatchEntry,
  writeBatchEntry,
} from '../format/batch-queue-entry.js'
import { zeroBlock } from '../format/block.js'
import { searchFirst } from './bisect.js'
import type { ConsumeQueueOptions } from './consume-queue.js'
import type { QueueRow } from './manifest.js'
import { endWithin, QueueRows, type RecordBounds } from './queue-rows.js'
import type { RowFiles } from './row-files.js'

const BYTES = BATCH_QUEUE_ENTRY_BYTES
const scratch = zeroBlock(BYTES)

/** A batch as a reader sees it. */
export interface BatchPlace {
  readonly commitLogOffset: number
  readonly size: number
  readonly baseOffset: number
  readonly batchSize: number
}

/** See the head of this file. */
export class BatchConsumeQueue {
  readonly topic: string
  readonly queueId: number
  readonly #rows: QueueRows
  readonly #files: RowFiles
  /** The first row that can be read, and the number behind the last. */
  #firstRow = 0
  #endRow = 0
  #min = 0
  #max = 0
  #lastEnd = -1

  constructor(options: ConsumeQueueOptions) {
    this.topic = options.topic
    this.queueId = options.queueId
    this.#rows = new QueueRows({ ...options, rowBytes: BYTES, scratch, evidenceOf })
    this.#files = this.#rows.files
    const { row, trustedEnd } = options
    if (row === undefined) this.#load(trustedEnd)
    else this.#adopt(row)
  }

  /** The first offset that can be read. */
  get minOffset(): number {
    return this.#min
  }

  /** The offset that the next message gets. */
  get maxOffset(): number {
    return this.#max
  }

  /** End of the record of the last row, -1 when there is none. */
  get lastCommitLogEnd(): number {
    return this.#lastEnd
  }

  /** The furthest record end that a row in the files pointed to when they were loaded, trusted or not. */
  get evidenceEnd(): number {
    return this.#rows.evidenceEnd
  }

  /** Whether there are rows that no flush has covered. */
  get isDirty(): boolean {
    return this.#rows.isDirty
  }

  /** What a manifest is to say of the files; `undefined` when they are damaged and must be made anew. */
  get row(): QueueRow | undefined {
    const { topic, queueId } = this
    const { flushed: rows, isDamaged } = this.#files
    if (isDamaged) return undefined
    const hasLast = rows > this.#firstRow && this.#rows.read(rows - 1)
    const max = hasLast ? batchEnd() : this.#min
    return {
      topic,
      queueId,
      min: Math.min(this.#min, max),
      max,
      lastEnd: hasLast ? recordEnd() : -1,
      rows,
      sums: this.#files.sums(),
    }
  }

  /** Compares the files with their sums. @returns whether they are what was written */
  check(): boolean {
    return this.#rows.check()
  }

  /** Puts a batch at its base, as the log says: idempotent; what stands there and differs is rewritten. */
  place(entry: BatchEntry): void {
    if (entry.baseOffset < this.#max) {
      const row = this.#rowOf(entry.baseOffset)
      if (entry.baseOffset < this.#min || (this.#rows.read(row) && isSame(entry))) return
      this.#cut(row)
    }
    if (this.#firstRow === this.#endRow) this.#min = entry.baseOffset
    const { tail } = this.#rows
    const at = tail.add()
    writeBatchEntry(tail.view, at, entry)
    this.#endRow++
    this.#max = entry.baseOffset + entry.batchSize
    this.#lastEnd = entry.commitLogOffset + entry.size
  }

  /** The batch that holds an offset, or the first behind it; `undefined` past the end. */
  batchAt(offset: number): BatchPlace | undefined {
    if (offset < this.#min || offset >= this.#max || !this.#rows.read(this.#rowOf(offset))) return undefined
    const { view } = scratch
    const place = { commitLogOffset: batchEntryOffset(view, 0), size: batchEntrySize(view, 0) }
    return { ...place, baseOffset: batchEntryBase(view, 0), batchSize: batchEntryCount(view, 0) }
  }

  /** Address of the record that holds an offset, or `undefined`. */
  commitLogOffsetAt(offset: number): number | undefined {
    const batch = this.batchAt(offset)
    return batch !== undefined && batch.baseOffset <= offset ? batch.commitLogOffset : undefined
  }

  /** The base of the first batch stored at or after a time (`lower`), or of the last at or before it (`upper`). */
  offsetByTime(timestampMs: number, boundary: 'lower' | 'upper'): number {
    const isAfter = (time: number): boolean => (boundary === 'lower' ? time >= timestampMs : time > timestampMs)
    const row = searchFirst(
      this.#firstRow,
      this.#endRow,
      (n) => this.#rows.read(n) && isAfter(batchEntryTimestamp(scratch.view, 0)),
    )
    if (boundary === 'upper')
      return row > this.#firstRow && this.#rows.read(row - 1) ? batchEntryBase(scratch.view, 0) : this.#min
    return row < this.#endRow && this.#rows.read(row) ? batchEntryBase(scratch.view, 0) : this.#max
  }

  /** Writes the rows whose records end at or below `durableEnd` and flushes them. */
  async flush(durableEnd: number): Promise<void> {
    const isLater = (place: number): boolean => this.#rows.readTail(place) && recordEnd() > durableEnd
    this.#rows.write((count) => searchFirst(0, count, isLater))
    await this.#files.flush()
  }

  /** Drops the rows of records that end above `logEnd`, and zeroes them where they were written. */
  truncate(logEnd: number): void {
    if (this.#lastEnd <= logEnd) return
    this.#cut(searchFirst(this.#firstRow, this.#endRow, (row) => this.#rows.read(row) && recordEnd() > logEnd))
  }

  /** Overwrites rows in the files that were not believed, once they are no evidence any more. */
  settle(): void {
    this.#rows.settle()
  }

  /** Lets the minimum offset follow the start of the log; deletes files that hold nothing above it, never the last. */
  trim(logStart: number): string[] {
    this.#firstRow = searchFirst(
      this.#firstRow,
      this.#endRow,
      (row) => this.#rows.read(row) && batchEntryOffset(scratch.view, 0) >= logStart,
    )
    this.#min = this.#firstRow < this.#endRow && this.#rows.read(this.#firstRow) ? batchEntryBase(scratch.view, 0) : this.#max
    return this.#files.trim(this.#firstRow)
  }

  /** Lets an empty queue go on at an offset further on. */
  continueAt(offset: number): void {
    if (this.#firstRow !== this.#endRow || this.#max >= offset) return
    this.#min = offset
    this.#max = offset
  }

  /** Deletes all files; who still holds the queue finds it empty. */
  remove(): void {
    this.#rows.remove()
    this.#firstRow = 0
    this.#endRow = 0
    this.#min = 0
    this.#max = 0
    this.#lastEnd = -1
  }

  #adopt({ min, max, lastEnd, rows = 0, sums }: QueueRow): void {
    const files = this.#files
    files.adopt(rows, sums)
    this.#endRow = rows
    // A crash may have brought back some of the files that were deleted at the front.
    this.#firstRow = Math.min(files.runs.findLast(({ first }) => first < rows)?.first ?? files.first, rows)
    this.#max = max
    this.#min = Math.max(min, this.#firstRow < rows && this.#rows.readAny(this.#firstRow) ? batchEntryBase(scratch.view, 0) : max)
    this.#firstRow = this.#min < max ? this.#rowOf(this.#min) : rows
    this.#lastEnd = lastEnd
    this.#rows.adoptedTo(rows, lastEnd)
  }

  #load(trustedEnd: number): void {
    const isPast = (row: number): boolean =>
      !this.#rows.readAny(row) || !isBatchEntry(scratch.view, 0) || recordEnd() > trustedEnd
    const { first, end } = this.#rows.believedRun((run) => searchFirst(run.first, run.end, isPast))
    this.#rows.believedTo(end, end)
    this.#firstRow = first
    this.#endRow = end
    this.#settleBounds()
    if (first < end && this.#rows.read(first)) this.#min = batchEntryBase(scratch.view, 0)
  }

  /** The row whose batch ends behind an offset, the first such. */
  #rowOf(offset: number): number {
    return searchFirst(this.#firstRow, this.#endRow, (row) => this.#rows.read(row) && batchEnd() > offset)
  }

  #cut(keep: number): void {
    this.#rows.cut(keep)
    this.#endRow = keep
    this.#settleBounds()
  }

  /** End and last record, from the last row. */
  #settleBounds(): void {
    const hasLast = this.#endRow > this.#firstRow && this.#rows.read(this.#endRow - 1)
    this.#max = hasLast ? batchEnd() : this.#min
    this.#lastEnd = hasLast ? recordEnd() : -1
  }
}

/** Where the record of the row in the scratch block ends. */
function recordEnd(): number {
  return batchEntryOffset(scratch.view, 0) + batchEntrySize(scratch.view, 0)
}

/** Where the record of a row ends, whether it is believed or not; `undefined` where no row was ever written. */
function evidenceOf(view: DataView, at: number, bounds: RecordBounds): number | undefined {
  const size = batchEntrySize(view, at)
  const commitLogOffset = batchEntryOffset(view, at)
  if (size === 0 && commitLogOffset === 0) return undefined
  return isBatchEntry(view, at) ? endWithin(bounds, commitLogOffset, size) : -1
}

/** The offset behind the last message of the batch in the scratch block. */
function batchEnd(): number {
  return batchEntryBase(scratch.view, 0) + batchEntryCount(scratch.view, 0)
}

/** Whether the scratch block holds this entry. */
function isSame(entry: BatchEntry): boolean {
  const wanted = zeroBlock(BYTES)
  writeBatchEntry(wanted.view, 0, entry)
  return wanted.bytes.equals(scratch.bytes)
}
