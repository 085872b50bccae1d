/**
 * The rows of a queue: those in files, then those in memory that are not written yet.
 *
 * ```
 *   0 .. files.first ........ files.written ........ end
 *        | in files         | in memory (tail)     |
 * ```
 *
 * What a row means is the queue's business; this part reads, writes, cuts and zeroes them, and keeps what the files
 * bore witness of when they were loaded.
 */
import type { Block } from '../format/block.js'
import { EntryTail } from './entry-tail.js'
import { type FilesOfQueue, RowFiles, type RowRun } from './row-files.js'

/**
 * Where the log can have records. Rows that no flush covered may hold what the disk held before; what points elsewhere was
 * never written here and proves nothing.
 */
export interface RecordBounds {
  /** Records that end at or below this have been deleted. */
  readonly start: number
  /** No record ends above this address. */
  readonly end: number
  /** No record is longer. */
  readonly bytes: number
}

/** Where the record of a row ends if there can be such a record, -1 if not. */
export function endWithin({ end, bytes }: RecordBounds, commitLogOffset: number, size: number): number {
  const isRecord = commitLogOffset >= 0 && size > 0 && size <= bytes && commitLogOffset + size <= end
  return isRecord ? commitLogOffset + size : -1
}

const ANYWHERE: RecordBounds = { start: 0, end: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }

/** What rows are made of. */
export interface QueueRowsOptions extends FilesOfQueue {
  readonly rowBytes: number
  /** A block of one row, which `read` fills. All queues of a kind share it. */
  readonly scratch: Block
  /** Where the record of a row ends, whether it is believed or not; -1 for none, `undefined` where no row was ever written. */
  readonly evidenceOf: (view: DataView, at: number, bounds: RecordBounds) => number | undefined
  /** @default anywhere */
  readonly recordBounds?: RecordBounds | undefined
  /** Rows of records that end above this are not believed. */
  readonly trustedEnd: number
}

/** See the head of this file. */
export class QueueRows {
  readonly files: RowFiles
  readonly tail: EntryTail
  readonly #options: QueueRowsOptions
  /** The furthest record end that a row in the files pointed to when they were loaded, trusted or not. */
  evidenceEnd = -1
  /** Behind the rows that were believed, files may hold others up to here. */
  #staleEnd = -1

  constructor(options: QueueRowsOptions) {
    this.#options = options
    this.files = new RowFiles(options)
    this.tail = new EntryTail(options.rowBytes)
  }

  /** Whether there are rows that no flush has covered. */
  get isDirty(): boolean {
    return this.tail.count > 0 || this.files.flushed < this.files.written
  }

  /** Compares the files with their sums. @returns whether they are what was written */
  check(): boolean {
    return !this.files.isDamaged && this.files.checkAll()
  }

  /** Reads a row into the scratch block. @returns whether it is there */
  read(row: number): boolean {
    const { written } = this.files
    if (row < written) return this.files.read(row, this.#options.scratch.bytes) === 1
    return this.readTail(row - written)
  }

  /** Reads a row in memory into the scratch block, by its place among them. */
  readTail(place: number): boolean {
    if (place >= this.tail.count) return false
    const { scratch, rowBytes } = this.#options
    this.tail.bytes.copy(scratch.bytes, 0, place * rowBytes, (place + 1) * rowBytes)
    return true
  }

  /** Reads a row into the scratch block if a file has room for it, written or not. For recovery. */
  readAny(row: number): boolean {
    return this.files.readAny(row, this.#options.scratch.bytes)
  }

  /** Writes the oldest rows in memory to the files, without flushing. @param ready - says how many may go */
  write(ready: (count: number) => number): void {
    const { count } = this.tail
    const rows = this.#options.writable && count > 0 ? ready(count) : 0
    if (rows === 0) return
    this.files.append(this.tail.bytes.subarray(0, rows * this.#options.rowBytes))
    this.tail.drop(rows)
  }

  /** Drops the rows from `keep` on, and zeroes them where they were written. */
  cut(keep: number): void {
    const { written } = this.files
    if (keep >= written) this.tail.cut(keep - written)
    else {
      this.tail.clear()
      this.files.cut(keep)
    }
  }

  /**
   * Takes over that rows below `end` are in the files, and looks at what stands behind them.
   *
   * @param lastEnd - of the last row's record
   */
  adoptedTo(end: number, lastEnd: number): void {
    this.evidenceEnd = lastEnd
    // After a clean close nothing can stand behind the last row.
    if (this.#options.trustedEnd === Number.POSITIVE_INFINITY) return
    this.evidenceEnd = Math.max(lastEnd, this.#evidenceFrom(end))
    this.#staleEnd = this.files.capacityEnd
  }

  /**
   * The last stretch of rows without a gap of which something is believed, as far as it is; an empty one if there is none. A
   * gap is harmless when all before it was deleted: a crash brought some of these files back. Otherwise files are missing.
   *
   * @param believedEnd - the number behind the last row of a stretch that is believed
   */
  believedRun(believedEnd: (run: RowRun) => number): RowRun {
    const { runs, first } = this.files
    const believed = runs.map((run) => ({ first: run.first, end: believedEnd(run) }))
    const at = believed.findLastIndex((run) => run.end > run.first)
    const run = believed[at]
    if (run === undefined) return { first, end: first }
    const isCutShort = run.end === runs[at]!.end && at < runs.length - 1
    if (isCutShort || !runs.slice(0, at).every((before) => this.#isDeleted(before.end - 1))) this.files.isDamaged = true
    return run
  }

  #isDeleted(row: number): boolean {
    const { evidenceOf, scratch, recordBounds = ANYWHERE } = this.#options
    const end = this.readAny(row) ? evidenceOf(scratch.view, 0, ANYWHERE) : undefined
    return end !== undefined && end <= recordBounds.start
  }

  /** Takes over that of the rows in the files those below `end` are believed; `kept` is where the queue goes on. */
  believedTo(end: number, kept: number): void {
    const { files } = this
    const last = files.capacityEnd
    this.evidenceEnd = this.#evidenceFrom(Math.max(files.first, end - 1))
    files.written = kept
    files.flushed = kept
    if (this.#options.trustedEnd !== Number.POSITIVE_INFINITY) this.#staleEnd = last
  }

  #evidenceFrom(row: number): number {
    const { evidenceOf, recordBounds = ANYWHERE } = this.#options
    return this.files.furthest(row, (view, at) => evidenceOf(view, at, recordBounds))
  }

  /** Overwrites rows in the files that were not believed, once they are no evidence any more. */
  settle(): void {
    const { written } = this.files
    if (this.#options.writable && this.#staleEnd > written) this.files.zero(written, this.#staleEnd)
    this.#staleEnd = -1
  }

  /** Begins again, empty, with the file that holds `row`. @returns that file's first row */
  startAt(row: number): number {
    this.tail.clear()
    return this.files.startAt(row)
  }

  /** Deletes everything. */
  remove(): void {
    this.tail.clear()
    this.files.remove()
  }
}
