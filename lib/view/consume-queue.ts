/**
 * A ConsumeQueue: where the messages of one queue of a topic stand in the log.
 *
 * ```
 *   offset   0 .. minOffset ......... written ......... maxOffset
 *            | gone    | in files       | in memory        |
 * ```
 *
 * 1. `minOffset <= maxOffset`; entries in between ascend by `commitLogOffset`.
 * 2. The entry with offset n is at byte 20 n of the queue's address space.
 * 3. Files hold only entries of durable records, and zeros behind the last entry.
 *
 * (`ConsumeQueue`, 5.3.)
 */
import type { Disk } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { SegmentChain } from '../disk/segment-chain.js'
import { zeroBlock } from '../format/block.js'
import { entryOffset, entrySize, FILLER_SIZE, isEntry, QUEUE_ENTRY_BYTES, writeQueueEntry } from '../format/queue-entry.js'
import type { EntryBlock } from './entry-block.js'
import { EntryTail } from './entry-tail.js'

/** Reads when a record was stored, or `undefined` when it cannot be read. */
export type TimestampReader = (commitLogOffset: number, size: number) => number | undefined

/** How to load a queue. */
export interface ConsumeQueueOptions {
  readonly disk: Disk
  readonly files: OpenFiles
  readonly directory: string
  readonly topic: string
  readonly queueId: number
  readonly entriesPerSegment: number
  readonly writable: boolean
  readonly tmpDirectory: string
  /** Entries of records that end above this are dropped when loading. */
  readonly trustedEnd: number
}

const BYTES = QUEUE_ENTRY_BYTES
/** What `place` did. */
export type Placed = 'appended' | 'same' | 'rewritten' | 'filled'

const scratch = zeroBlock(BYTES)

/** See the head of this file. */
export class ConsumeQueue {
  readonly topic: string
  readonly queueId: number
  readonly topicBytes: Uint8Array
  /** Whether messages of other topics are dispatched to this queue. */
  readonly isMultiDispatch: boolean
  readonly #chain: SegmentChain
  readonly #tail = new EntryTail(BYTES)
  readonly #writable: boolean
  #min = 0
  /** Entries below are in files. */
  #written = 0
  #max = 0
  #flushed = 0
  #evidenceEnd = -1
  /** Store timestamp of the oldest entry that is not flushed. */
  #lastEnd = -1

  constructor(options: ConsumeQueueOptions) {
    this.topic = options.topic
    this.queueId = options.queueId
    this.topicBytes = Buffer.from(options.topic, 'utf8')
    this.isMultiDispatch = options.topic.startsWith('%LMQ%')
    this.#writable = options.writable
    this.#chain = SegmentChain.load({
      disk: options.disk,
      files: options.files,
      directory: options.directory,
      segmentBytes: undefined,
      defaultSegmentBytes: options.entriesPerSegment * BYTES,
      writable: options.writable,
      tmpDirectory: options.tmpDirectory,
      option: 'queueSegmentEntries',
    })
    this.#load(options.trustedEnd)
  }

  /** The first offset that can be read. */
  get minOffset(): number {
    return this.#min
  }

  /** The offset that the next message gets. */
  get maxOffset(): number {
    return this.#max
  }

  /** End of the record of the last entry, -1 when there is none. */
  get lastCommitLogEnd(): number {
    return this.#lastEnd
  }

  /** The furthest record end that an entry in the files pointed to when they were loaded, trusted or not. */
  get evidenceEnd(): number {
    return this.#evidenceEnd
  }

  /** Whether there are entries that no flush has covered. */
  get isDirty(): boolean {
    return this.#flushed < this.#max
  }

  /** Entries in a file. */
  get entriesPerSegment(): number {
    return this.#chain.segmentBytes / BYTES
  }

  /** Adds the entry of the next message and returns its offset. */
  append(commitLogOffset: number, size: number, tagsCode: number): number {
    const at = this.#tail.add()
    writeQueueEntry(this.#tail.view, at, commitLogOffset, size, tagsCode)
    this.#lastEnd = commitLogOffset + size
    return this.#max++
  }

  /**
   * Puts an entry at its offset, as the log says: idempotent. What stands there and differs is rewritten;
   * a gap before it is filled with fillers, and an empty queue starts there.
   */
  place(queueOffset: number, commitLogOffset: number, size: number, tagsCode: number): Placed {
    if (queueOffset === this.#max) {
      this.append(commitLogOffset, size, tagsCode)
      return 'appended'
    }
    if (queueOffset < this.#max) return this.#rewrite(queueOffset, commitLogOffset, size, tagsCode)
    if (this.#max === this.#min) this.#startAt(queueOffset)
    else while (this.#max < queueOffset) this.append(0, FILLER_SIZE, 0)
    this.append(commitLogOffset, size, tagsCode)
    return 'filled'
  }

  /**
   * Reads entries from an offset on, at most `count` and at most to the end of a file.
   *
   * @returns how many there are now in `into`
   */
  read(offset: number, count: number, into: EntryBlock): number {
    if (offset < this.#min || offset >= this.#max) return 0
    into.reserve(count)
    if (offset >= this.#written) {
      const from = offset - this.#written
      const got = Math.min(count, this.#tail.count - from)
      this.#tail.bytes.copy(into.bytes, 0, from * BYTES, (from + got) * BYTES)
      return got
    }
    const wanted = Math.min(count, this.#written - offset)
    return Math.floor(this.#chain.readAt(into.bytes.subarray(0, wanted * BYTES), offset * BYTES) / BYTES)
  }

  /** Address of the record of an entry, or `undefined` for a filler or an offset that is not there. */
  commitLogOffsetAt(offset: number): number | undefined {
    if (!this.#readOne(offset) || entrySize(scratch.view, 0) === FILLER_SIZE) return undefined
    return entryOffset(scratch.view, 0)
  }

  /** The first offset of the next file. */
  nextFileStart(offset: number): number {
    const perFile = this.entriesPerSegment
    return Math.min(this.#max, offset - (offset % perFile) + perFile)
  }

  /** The first offset stored at or after a time (`lower`), or the last at or before it (`upper`), within the bounds. */
  offsetByTime(timestampMs: number, boundary: 'lower' | 'upper', storedAt: TimestampReader): number {
    // `lower` looks for the first entry that is not earlier, `upper` for the first that is later, less one.
    const isBefore = (time: number): boolean => (boundary === 'lower' ? time < timestampMs : time <= timestampMs)
    let low = this.#min
    let high = this.#max
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const time = this.#readOne(middle) ? storedAt(entryOffset(scratch.view, 0), entrySize(scratch.view, 0)) : undefined
      if (time === undefined || isBefore(time)) low = middle + 1
      else high = middle
    }
    return boundary === 'lower' ? low : Math.max(this.#min, low - 1)
  }

  /** Writes the entries whose records end at or below `durableEnd`, without flushing. */
  write(durableEnd: number): void {
    if (!this.#writable || this.#tail.count === 0) return
    const ready = this.#search(0, this.#tail.count, (i) => entryEnd(this.#tail.view, i * BYTES) > durableEnd)
    if (ready === 0) return
    this.#chain.writeAt(this.#tail.bytes.subarray(0, ready * BYTES), this.#written * BYTES)
    this.#written += ready
    this.#tail.drop(ready)
  }

  /** Writes what is durable in the log and flushes it. */
  async flush(durableEnd: number): Promise<void> {
    this.write(durableEnd)
    const target = this.#written
    if (target <= this.#flushed) return
    await this.#chain.flush(this.#flushed * BYTES, target * BYTES)
    this.#flushed = Math.max(this.#flushed, target)
  }

  /** Drops the entries of records that end above `logEnd`, and zeroes them where they were written. */
  truncate(logEnd: number): void {
    if (this.#lastEnd <= logEnd) return
    const keep = this.#search(this.#min, this.#max, (offset) => this.#readOne(offset) && entryEnd(scratch.view, 0) > logEnd)
    this.#cut(keep)
  }

  /** Lets the minimum offset follow the start of the log; deletes files that hold nothing above it, never the last. */
  trim(logStart: number): string[] {
    const deleted: string[] = []
    if (this.#max > this.#min && !(this.#readOne(this.#min) && isAtLeast(logStart))) {
      this.#min = this.#search(this.#min, this.#max, (offset) => this.#readOne(offset) && isAtLeast(logStart))
    }
    const perFile = this.entriesPerSegment
    while (
      this.#writable &&
      this.#chain.starts.length > 1 &&
      this.#chain.starts[0]! / BYTES + perFile <= Math.min(this.#min, this.#flushed)
    ) {
      deleted.push(this.#chain.removeFirst().path)
    }
    return deleted
  }

  /** Makes deleted files stay deleted. */
  flushNames(): Promise<void> {
    return this.#chain.flushDirectory()
  }

  /** Deletes all files. */
  async remove(): Promise<void> {
    this.#chain.removeFrom(this.#chain.start)
    this.#tail.clear()
    await this.#chain.flushDirectory()
  }

  /** Loads again what another process has written since. */
  refresh(): void {
    this.#chain.refresh()
    this.#tail.clear()
    this.#load(Number.POSITIVE_INFINITY)
  }

  #load(trustedEnd: number): void {
    const first = this.#chain.start / BYTES
    const last = this.#chain.end / BYTES
    this.#written = last
    this.#max = last
    this.#min = first
    const isPast = (offset: number): boolean =>
      !this.#readOne(offset) || !isEntry(scratch.view, 0) || entryEnd(scratch.view, 0) > trustedEnd
    const end = this.#search(first, last, isPast)
    this.#evidenceEnd = this.#findEvidence(end, last)
    this.#written = end
    this.#max = end
    this.#flushed = end
    if (this.#writable && trustedEnd !== Number.POSITIVE_INFINITY) this.#zero(end, last)
    this.#min = this.#search(first, end, (offset) => this.#readOne(offset) && entrySize(scratch.view, 0) !== FILLER_SIZE)
    this.#lastEnd = end > this.#min && this.#readOne(end - 1) ? entryEnd(scratch.view, 0) : -1
  }

  /** The furthest record end in the entries up to the first that was never written. */
  #findEvidence(end: number, last: number): number {
    let evidence =
      end > 0 && this.#readOne(end - 1) && entrySize(scratch.view, 0) !== FILLER_SIZE ? entryEnd(scratch.view, 0) : -1
    for (let offset = end; offset < last && this.#readOne(offset) && isEntry(scratch.view, 0); offset++) {
      if (entrySize(scratch.view, 0) !== FILLER_SIZE) evidence = Math.max(evidence, entryEnd(scratch.view, 0))
    }
    return evidence
  }

  /** Overwrites what is not zero in `[from, to)`: stale entries must not come back. */
  #zero(from: number, to: number): void {
    const page = Buffer.alloc(4000)
    const zeros = Buffer.alloc(4000)
    for (let at = from * BYTES; at < to * BYTES; ) {
      if (this.#chain.isHoleFrom(at)) {
        at += this.#chain.segmentBytes - (at % this.#chain.segmentBytes)
        continue
      }
      const got = this.#chain.readAt(page.subarray(0, Math.min(4000, to * BYTES - at)), at)
      if (got === 0) return
      if (page.compare(zeros, 0, got, 0, got) !== 0) this.#chain.writeAt(zeros.subarray(0, got), at)
      at += got
    }
  }

  #readOne(offset: number): boolean {
    if (offset >= this.#written) {
      const at = (offset - this.#written) * BYTES
      if (offset >= this.#max) return false
      this.#tail.bytes.copy(scratch.bytes, 0, at, at + BYTES)
      return true
    }
    return this.#chain.readAt(scratch.bytes, offset * BYTES) === BYTES
  }

  #rewrite(offset: number, commitLogOffset: number, size: number, tagsCode: number): Placed {
    if (offset < this.#min || !this.#readOne(offset)) return 'same'
    const wanted = zeroBlock(BYTES)
    writeQueueEntry(wanted.view, 0, commitLogOffset, size, tagsCode)
    if (wanted.bytes.equals(scratch.bytes)) return 'same'
    // What follows a wrong entry cannot be believed either; the log brings it again.
    this.#cut(offset)
    this.append(commitLogOffset, size, tagsCode)
    return 'rewritten'
  }

  #cut(keep: number): void {
    if (keep >= this.#written) this.#tail.cut(keep - this.#written)
    else {
      this.#tail.clear()
      if (this.#writable) this.#zero(keep, this.#written)
      this.#written = keep
      this.#flushed = Math.min(this.#flushed, keep)
    }
    this.#max = keep
    this.#min = Math.min(this.#min, keep)
    this.#lastEnd = keep > this.#min && this.#readOne(keep - 1) ? entryEnd(scratch.view, 0) : -1
  }

  /** Begins an empty queue at an offset: fillers from the start of its file, as RocketMQ writes them. */
  #startAt(offset: number): void {
    const fileStart = offset - (offset % this.entriesPerSegment)
    this.#chain.removeFrom(this.#chain.start)
    this.#tail.clear()
    this.#written = fileStart
    this.#flushed = fileStart
    this.#max = fileStart
    while (this.#max < offset) this.append(0, FILLER_SIZE, 0)
    this.#min = offset
  }

  /** The first number in `[low, high)` that passes a test which, once passed, stays passed; `high` if none does. */
  #search(low: number, high: number, passes: (n: number) => boolean): number {
    let from = low
    let to = high
    while (from < to) {
      const middle = Math.floor((from + to) / 2)
      if (passes(middle)) to = middle
      else from = middle + 1
    }
    return from
  }
}

/** Where the record of an entry ends; a filler stands for none. */
function entryEnd(view: DataView, at: number): number {
  const size = entrySize(view, at)
  return size === FILLER_SIZE ? 0 : entryOffset(view, at) + size
}

/** Whether the entry in the scratch block is a message at or above an address. */
function isAtLeast(logStart: number): boolean {
  return entrySize(scratch.view, 0) !== FILLER_SIZE && entryOffset(scratch.view, 0) >= logStart
}
