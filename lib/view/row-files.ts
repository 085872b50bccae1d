/**
 * Rows of fixed width in segment files: the part of a queue that is on the disk.
 *
 * 1. Rows below `written` are in files, rows below `flushed` survive power loss.
 * 2. Behind `written` the files hold zeros, once they were opened for writing.
 * 3. A segment has a sum if every row in it was written, or checked, by this store: the CRC-32 of its rows.
 *
 * Nothing is opened before it is needed, so a queue that nobody uses costs its few fields.
 */
import { MessageStoreError } from '../base/errors.js'
import type { Disk } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { ALLOCATION_BYTES, SegmentChain } from '../disk/segment-chain.js'
import { zeroWhatIsThere } from '../disk/zeroing.js'
import { allocateBlock, type Block, blockOf, zeroBlock } from '../format/block.js'
import { crc32 } from '../format/crc.js'

/** Where the files of a queue are. */
export interface FilesOfQueue {
  readonly disk: Disk
  readonly files: OpenFiles
  readonly directory: string
  /** Rows of a new file; existing files bring their own number. */
  readonly rowsPerSegment: number
  readonly writable: boolean
  readonly tmpDirectory: string
  /** Whether the process before may have ended before it flushed the names of files. */
  readonly mayHaveUnflushedNames: boolean
}

/** How to load them. */
export interface RowFilesOptions extends FilesOfQueue {
  readonly rowBytes: number
}

/** The sum of one segment. */
export interface SegmentSum {
  /** Number of the segment's first row. */
  readonly first: number
  /** CRC-32 of its rows up to the end of what is written. */
  readonly crc: number
}

/** A stretch of rows, half open. */
export interface RowRun {
  readonly first: number
  readonly end: number
}

interface RunningSum {
  crc: number
  /** Rows covered, from the segment's first. */
  rows: number
}

const CHECK_BYTES = 1024 * 1024
/** What a disk writes whole at the least. */
const SECTOR_BYTES = 512
/** The address and the size of a record, with which every row begins. */
const PLACE_BYTES = 12

/** See the head of this file. */
export class RowFiles {
  readonly #options: RowFilesOptions
  #opened: SegmentChain | undefined
  readonly #sums = new Map<number, RunningSum>()
  /** Sums that somebody else noted and that were not compared yet, by the segment's first row. */
  #unchecked: Map<number, number> | undefined
  /** Rows below are in files. */
  written = 0
  /** Rows below survive power loss. */
  flushed = 0
  /** Whether a file turned out not to be what was written. */
  isDamaged = false

  constructor(options: RowFilesOptions) {
    this.#options = options
  }

  /** Takes over what a manifest says of the files; it is compared when a segment is first read. */
  adopt(written: number, sums: readonly SegmentSum[]): void {
    this.written = written
    this.flushed = written
    this.#unchecked = new Map(sums.map(({ first, crc }) => [first, crc]))
  }

  get #chain(): SegmentChain {
    if (this.#opened === undefined) {
      const { disk, files, directory, rowBytes, rowsPerSegment, writable, tmpDirectory } = this.#options
      const size = { segmentBytes: undefined, defaultSegmentBytes: rowsPerSegment * rowBytes, option: 'queueSegmentEntries' }
      const names = this.#options.mayHaveUnflushedNames ? { unflushedParents: directoriesAbove(directory) } : {}
      this.#opened = SegmentChain.load({ disk, files, directory, writable, tmpDirectory, ...size, ...names })
    }
    return this.#opened
  }

  /** Number of the first row that a file could hold. */
  get first(): number {
    return this.#chain.start / this.#options.rowBytes
  }

  /** Whether there is a file for each row from `first`, or the first that there is, up to `end`. */
  isWhole(first: number, end: number): boolean {
    const { rowBytes } = this.#options
    const [from, to] = [first * rowBytes, end * rowBytes]
    // A crash may leave a gap behind what was flushed, and one between files that were deleted and came back.
    return this.#chain.end >= to && this.#chain.gaps.every((gap) => gap.from >= to || gap.to <= from)
  }

  /**
   * The stretches of rows that files hold, ascending; more than one only after a crash. It may have brought back some of the
   * files that were deleted at the front, or left out the name of one that was made at the end.
   */
  get runs(): readonly RowRun[] {
    const { rowBytes } = this.#options
    const edges = [this.#chain.start, ...this.#chain.gaps.flatMap(({ from, to }) => [from, to]), this.#chain.end]
    const rows = edges.map((edge) => edge / rowBytes)
    return rows.flatMap((first, i) => (i % 2 === 0 ? [{ first, end: rows[i + 1]! }] : []))
  }

  /** Number behind the last row that a file could hold. */
  get capacityEnd(): number {
    return this.#chain.end / this.#options.rowBytes
  }

  /** Rows in a file. */
  get rowsPerSegment(): number {
    return this.#chain.segmentBytes / this.#options.rowBytes
  }

  /**
   * Reads rows into `target`, at most to the end of a file. @returns how many
   *
   * @throws {MessageStoreError} `STORE_CORRUPT` when the file is not what it was when it was last written
   */
  read(row: number, target: Uint8Array): number {
    if (this.#unchecked !== undefined) this.#check(row)
    const { rowBytes } = this.#options
    return Math.floor(this.#chain.readAt(target, row * rowBytes) / rowBytes)
  }

  /** Reads a row if a file has room for it, written or not. For recovery. */
  readAny(row: number, target: Uint8Array): boolean {
    return this.#chain.readAt(target, row * this.#options.rowBytes) === this.#options.rowBytes
  }

  /**
   * The largest of what `endOf` makes of the rows from `from` on, up to the first for which it says `undefined`, believed or
   * not; -1 without any. A row whose address and size stand in two sectors may have come to the disk by half and is passed
   * over. For recovery.
   */
  furthest(from: number, endOf: (view: DataView, at: number) => number | undefined): number {
    const { rowBytes } = this.#options
    const last = this.capacityEnd
    const perSegment = this.rowsPerSegment
    // A recovery asks this of every queue, so no more is allocated than a file can give.
    const most = Math.min(Math.floor(CHECK_BYTES / rowBytes), perSegment, Math.max(0, last - from))
    const block = allocateBlock(most * rowBytes)
    const { bytes, view } = block
    let furthest = -1
    for (let row = from; row < last; ) {
      const rows = Math.floor(this.#chain.readAt(bytes, row * rowBytes) / rowBytes)
      // What is read lies in one segment.
      const first = (row % perSegment) * rowBytes
      for (let at = 0; at < rows * rowBytes; at += rowBytes) {
        const end = endOf(view, at)
        if (end === undefined) return furthest
        const isTornEasily = ((first + at) % SECTOR_BYTES) + PLACE_BYTES > SECTOR_BYTES
        if (end > furthest && !isTornEasily) furthest = end
      }
      if (rows === 0) return furthest
      row += rows
    }
    return furthest
  }

  /** Writes rows behind the last one, without flushing. */
  append(rows: Uint8Array): void {
    const { rowBytes } = this.#options
    const from = this.written
    const count = rows.length / rowBytes
    const perSegment = this.rowsPerSegment
    // Before anything is written: from the write on nothing may fail, or the rows would be written twice.
    if (this.#unchecked?.has(from - (from % perSegment))) this.#checkBeforeAppend(from)
    this.#chain.writeAt(rows, from * rowBytes)
    this.written = from + count
    const block = blockOf(rows)
    for (let done = 0; done < count; ) {
      const within = (from + done) % perSegment
      const taken = Math.min(count - done, perSegment - within)
      this.#continueSum(from + done - within, within, taken, block, done * rowBytes)
      done += taken
    }
  }

  #continueSum(first: number, within: number, rows: number, block: Block, at: number): void {
    const known = this.#sums.get(first) ?? (within === 0 ? { crc: 0, rows: 0 } : undefined)
    if (known === undefined || known.rows !== within) return
    this.#sums.set(first, { crc: crc32(block, at, at + rows * this.#options.rowBytes, known.crc), rows: within + rows })
  }

  /** What is appended to a damaged file is not lost: the next start makes the queue anew from the log. */
  #checkBeforeAppend(row: number): void {
    try {
      this.#check(row)
    } catch (error) {
      if (!(error instanceof MessageStoreError && error.code === 'STORE_CORRUPT')) throw error
      this.#unchecked?.delete(row - (row % this.rowsPerSegment))
    }
  }

  /** Makes everything written survive power loss. */
  async flush(): Promise<void> {
    const target = this.written
    if (target <= this.flushed) return
    const { rowBytes } = this.#options
    await this.#chain.flush(this.flushed * rowBytes, target * rowBytes)
    this.flushed = Math.max(this.flushed, Math.min(target, this.written))
  }

  /** Drops the rows from `keep` on and overwrites them with zeros. */
  cut(keep: number): void {
    if (keep >= this.written) return
    if (this.#options.writable) this.zero(keep, this.written)
    this.written = keep
    this.flushed = Math.min(this.flushed, keep)
    const perSegment = this.rowsPerSegment
    const last = keep - (keep % perSegment)
    for (const first of [...this.#sums.keys()]) if (first > last) this.#sums.delete(first)
    if (this.#unchecked !== undefined)
      for (const first of [...this.#unchecked.keys()]) if (first >= last) this.#unchecked.delete(first)
    if (this.#sums.has(last)) this.#sums.set(last, { crc: this.#sumOf(last, keep - last), rows: keep - last })
  }

  /** Begins again, empty, with the file that holds `row`. */
  startAt(row: number): number {
    if (this.#options.writable) this.#chain.removeFrom(this.#chain.start)
    this.#sums.clear()
    this.#unchecked = undefined
    this.written = row - (row % this.rowsPerSegment)
    this.flushed = this.written
    return this.written
  }

  /** Deletes files that hold only rows below `row`, never the last. @returns what was deleted */
  trim(row: number): string[] {
    const deleted: string[] = []
    if (!this.#options.writable) return deleted
    const perSegment = this.rowsPerSegment
    while (this.#chain.starts.length > 1 && this.first + perSegment <= Math.min(row, this.flushed)) {
      this.#sums.delete(this.first)
      this.#unchecked?.delete(this.first)
      deleted.push(this.#chain.removeFirst().path)
    }
    return deleted
  }

  /** Deletes all files. The names go for good when the directory above is flushed. */
  remove(): void {
    this.startAt(0)
  }

  /** Overwrites what is not zero in `[from, to)`: stale rows must not come back. */
  zero(from: number, to: number): void {
    const { rowBytes } = this.#options
    const perSegment = this.rowsPerSegment
    for (let row = from; row < to; ) {
      const next = Math.min(to, row - (row % perSegment) + perSegment)
      const [start, end] = [row * rowBytes, next * rowBytes]
      const boundary = Math.min(end, Math.ceil(start / ALLOCATION_BYTES) * ALLOCATION_BYTES)
      zeroWhatIsThere(this.#chain, start, boundary)
      if (boundary < end && !this.#isHole(row, boundary)) zeroWhatIsThere(this.#chain, boundary, end)
      row = next
    }
  }

  /**
   * Whether the file system has given no space to a file from `boundary` on, which stands at `row` or behind it. It only counts
   * blocks, so the rows before must all be there: a queue may begin in the middle of a file, behind a hole.
   */
  #isHole(row: number, boundary: number): boolean {
    const first = row - (row % this.rowsPerSegment)
    if (!this.#chain.isHoleFrom(boundary)) return false
    const head = Buffer.alloc(this.#options.rowBytes)
    return row === first || (this.readAny(first, head) && head.some((byte) => byte !== 0))
  }

  /** The sums of all segments that have one. */
  sums(): SegmentSum[] {
    const sums = [...this.#sums].map(([first, { crc }]) => ({ first, crc }))
    if (this.#unchecked !== undefined) for (const [first, crc] of this.#unchecked) sums.push({ first, crc })
    return sums.sort((a, b) => a.first - b.first)
  }

  /** Compares every sum that was not compared yet. @returns whether all files are what they were */
  checkAll(): boolean {
    try {
      for (const first of [...(this.#unchecked?.keys() ?? [])]) this.#check(first)
      return true
    } catch (error) {
      if (error instanceof MessageStoreError && error.code === 'STORE_CORRUPT') return false
      throw error
    }
  }

  /** Compares the sum of the segment that holds a row, the first time it is asked for. */
  #check(row: number): void {
    const first = row - (row % this.rowsPerSegment)
    const expected = this.#unchecked?.get(first)
    if (expected === undefined) return
    if (first < this.first) {
      // Retention deleted the file after the manifest was written.
      this.#unchecked!.delete(first)
      return
    }
    const rows = Math.min(this.rowsPerSegment, this.written - first)
    const crc = this.#sumOf(first, rows)
    if (crc !== expected) {
      this.isDamaged = true
      const path = this.#chain.pathOf(first * this.#options.rowBytes)
      const what = `CRC ${crc}, ${expected} expected; it is made anew from the log when the store is next opened`
      throw new MessageStoreError('STORE_CORRUPT', `${path} is not what was written: ${what}`)
    }
    this.#sums.set(first, { crc, rows })
    this.#unchecked!.delete(first)
    if (this.#unchecked!.size === 0) this.#unchecked = undefined
  }

  #sumOf(first: number, rows: number): number {
    const { rowBytes } = this.#options
    const block = zeroBlock(Math.min(CHECK_BYTES, Math.max(1, rows * rowBytes)))
    let crc = 0
    for (let done = 0; done < rows * rowBytes; ) {
      const wanted = Math.min(block.bytes.length, rows * rowBytes - done)
      const got = this.#chain.readAt(block.bytes.subarray(0, wanted), first * rowBytes + done)
      if (got === 0) return -1
      crc = crc32(block, 0, got, crc)
      done += got
    }
    return crc
  }
}

/** The directory of a topic, and that of all topics. */
function directoriesAbove(directory: string): string[] {
  const topic = directory.slice(0, directory.lastIndexOf('/'))
  return [topic, topic.slice(0, topic.lastIndexOf('/'))]
}
