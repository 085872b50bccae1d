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
import { zeroBlock } from '../format/block.js'
import { entryOffset, entrySize, FILLER_SIZE, isEntry, QUEUE_ENTRY_BYTES, writeQueueEntry } from '../format/queue-entry.js'
import { MIN_RECORD_BYTES } from '../format/record.js'
import { searchFirst } from './bisect.js'
import { EntryBlock } from './entry-block.js'
import type { EntryTail } from './entry-tail.js'
import type { QueueRow } from './manifest.js'
import { endWithin, QueueRows, type RecordBounds } from './queue-rows.js'
import type { FilesOfQueue, RowFiles } from './row-files.js'

/** Reads when a record was stored, or `undefined` when it cannot be read. */
export type TimestampReader = (commitLogOffset: number, size: number) => number | undefined

/** How to load a queue. */
export interface ConsumeQueueOptions extends FilesOfQueue {
  readonly topic: string
  readonly queueId: number
  /** What a manifest says of the files, if there is one to believe. */
  readonly row?: QueueRow | undefined
  /** Entries of records that end above this are dropped when loading. */
  readonly trustedEnd: number
  /** Where the log can have records. @default anywhere */
  readonly recordBounds?: RecordBounds | undefined
  /** Whether the log has lost its oldest segments since the manifest was written, and queues their oldest files. */
  readonly mayHaveShrunk?: boolean
}

const BYTES = QUEUE_ENTRY_BYTES
/** What `place` did. */
export type Placed = 'appended' | 'same' | 'rewritten' | 'filled' | 'refused'
/** Entries beyond this have no place in files whose addresses are safe integers. */
const MAX_OFFSET = 2 ** 48
/** More fillers than these in a row stand only before the first entry of a queue. */
const MAX_FILLERS_PASSED = 1024
/** A queue may begin with the fillers of a whole file. */
const FILLERS_READ = 4096

const scratch = zeroBlock(BYTES)

/** See the head of this file. */
export class ConsumeQueue {
  readonly topic: string
  readonly queueId: number
  /** Whether messages of other topics are dispatched to this queue. */
  readonly isMultiDispatch: boolean
  readonly #rows: QueueRows
  readonly #files: RowFiles
  readonly #tail: EntryTail
  #min = 0
  #max = 0
  /** End of the record of the last entry. */
  #lastEnd = -1
  /** Where an empty queue will begin that is not in files yet. */
  #startsAt: number | undefined

  constructor(options: ConsumeQueueOptions) {
    this.topic = options.topic
    this.queueId = options.queueId
    this.isMultiDispatch = options.topic.startsWith('%LMQ%')
    this.#rows = new QueueRows({ ...options, rowBytes: BYTES, scratch, evidenceOf })
    this.#files = this.#rows.files
    this.#tail = this.#rows.tail
    const { row } = options
    if (row === undefined) this.#load(options.trustedEnd)
    else this.#adopt(row, options.mayHaveShrunk ?? false)
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
    return this.#rows.evidenceEnd
  }

  /** Whether there are entries that no flush has covered. */
  get isDirty(): boolean {
    return this.#rows.isDirty
  }

  /** Entries in a file. */
  get entriesPerSegment(): number {
    return this.#files.rowsPerSegment
  }

  /** What a manifest is to say of the files; `undefined` when they are damaged and must be made anew. */
  get row(): QueueRow | undefined {
    const { topic, queueId } = this
    const { flushed, isDamaged } = this.#files
    if (isDamaged) return undefined
    const lastEnd = flushed === this.#max ? this.#lastEnd : this.#endOf(flushed - 1)
    return { topic, queueId, min: Math.min(this.#min, flushed), max: flushed, lastEnd, sums: this.#files.sums() }
  }

  /** Compares the files with their sums. @returns whether they are what was written */
  check(): boolean {
    return this.#rows.check()
  }

  /** Adds the entry of the next message and returns its offset. */
  append(commitLogOffset: number, size: number, tagsCode: number): number {
    if (this.#startsAt !== undefined) this.#startAt(this.#startsAt)
    const at = this.#tail.add()
    writeQueueEntry(this.#tail.view, at, commitLogOffset, size, tagsCode)
    // A filler stands for no record.
    if (size !== FILLER_SIZE) this.#lastEnd = commitLogOffset + size
    return this.#max++
  }

  /**
   * Puts an entry at its offset, as the log says: idempotent. What stands there and differs is rewritten;
   * a gap before it is filled with fillers, and an empty queue starts there. An impossible offset is refused.
   */
  place(queueOffset: number, commitLogOffset: number, size: number, tagsCode: number): Placed {
    if (queueOffset === this.#max) {
      this.append(commitLogOffset, size, tagsCode)
      return 'appended'
    }
    if (queueOffset < this.#max) return this.#rewrite(queueOffset, commitLogOffset, size, tagsCode)
    if (!this.#mayStandAt(queueOffset, commitLogOffset)) return 'refused'
    if (this.#max === this.#min) this.#startAt(queueOffset)
    else while (this.#max < queueOffset) this.append(0, FILLER_SIZE, 0)
    this.append(commitLogOffset, size, tagsCode)
    return 'filled'
  }

  /**
   * Whether a record can be that far on in the queue: for each offset that is missing, a record must have stood
   * between the last one and this one. Without a checksum of the whole record a damaged offset may ask for more
   * fillers than there is memory.
   */
  #mayStandAt(queueOffset: number, commitLogOffset: number): boolean {
    if (this.#max === this.#min) return queueOffset <= MAX_OFFSET
    return (queueOffset - this.#max) * MIN_RECORD_BYTES <= commitLogOffset - this.#lastEnd
  }

  /**
   * Reads entries from an offset on, at most `count` and at most to the end of a file.
   *
   * @returns how many there are now in `into`
   * @throws {MessageStoreError} `STORE_CORRUPT` when a file is not what was written
   */
  read(offset: number, count: number, into: EntryBlock): number {
    if (offset < this.#min || offset >= this.#max) return 0
    into.reserve(count)
    const { written } = this.#files
    if (offset >= written) {
      const from = offset - written
      const got = Math.min(count, this.#tail.count - from)
      this.#tail.bytes.copy(into.bytes, 0, from * BYTES, (from + got) * BYTES)
      return got
    }
    return this.#files.read(offset, into.bytes.subarray(0, Math.min(count, written - offset) * BYTES))
  }

  /** Address of the record of an entry, or `undefined` for a filler or an offset that is not there. */
  commitLogOffsetAt(offset: number): number | undefined {
    if (!this.#rows.read(offset) || entrySize(scratch.view, 0) === FILLER_SIZE) return undefined
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
    const found = this.#search((offset, size) => {
      const time = storedAt(offset, size)
      return time !== undefined && !isBefore(time)
    })
    return boundary === 'lower' ? found : Math.max(this.#min, found - 1)
  }

  /** Writes the entries whose records end at or below `durableEnd`, without flushing. */
  write(durableEnd: number): void {
    const isLater = (): boolean => entryEnd(scratch.view, 0) > durableEnd
    this.#rows.write((count) => searchEntries(0, count, (place) => this.#rows.readTail(place), isLater))
  }

  /** Writes what is durable in the log and flushes it. */
  async flush(durableEnd: number): Promise<void> {
    this.write(durableEnd)
    await this.#files.flush()
  }

  /** Drops the entries of records that end above `logEnd`, and zeroes them where they were written. */
  truncate(logEnd: number): void {
    if (this.#lastEnd <= logEnd) return
    this.#cut(this.#behindFillers(this.#search((offset, size) => offset + size > logEnd)))
  }

  /** Overwrites entries in the files that were not believed, once they are no evidence any more. */
  settle(): void {
    this.#rows.settle()
  }

  /** Lets the minimum offset follow the start of the log; deletes files that hold nothing above it, never the last. */
  trim(logStart: number): string[] {
    if (this.#max > this.#min && !(this.#rows.read(this.#min) && isAtLeast(logStart))) {
      this.#min = this.#behindFillers(this.#search((offset) => offset >= logStart))
    }
    return this.#files.trim(this.#min)
  }

  /** Lets an empty queue go on at an offset further on. */
  continueAt(offset: number): void {
    if (this.#max !== this.#min || this.#max >= offset) return
    // Nothing is written before there is a message: RocketMQ takes a queue of fillers alone for one that has
    // everything up to 2 GiB of the log, and would leave messages out of it.
    this.#startsAt = offset
    this.#min = offset
    this.#max = offset
  }

  /** Deletes all files; who still holds the queue finds it empty. */
  remove(): void {
    this.#rows.remove()
    this.#min = 0
    this.#max = 0
    this.#lastEnd = -1
    this.#startsAt = undefined
  }

  #adopt({ min, max, lastEnd, sums }: QueueRow, mayHaveShrunk: boolean): void {
    this.#files.adopt(max, sums)
    // Without sums, as in files that a Java store wrote, only this tells that one is lost.
    if (max > min && ((!mayHaveShrunk && this.#files.first > min) || !this.#files.isWhole(min, max))) this.#files.isDamaged = true
    // Files that retention deleted after the manifest was written took the minimum along.
    this.#min = Math.max(min, Math.min(this.#files.first, max))
    this.#max = max
    this.#lastEnd = lastEnd
    this.#rows.adoptedTo(max, lastEnd)
  }

  #load(trustedEnd: number): void {
    const files = this.#files
    files.written = files.capacityEnd
    this.#max = files.written
    this.#min = files.first
    const read = (offset: number): boolean => this.#rows.readAny(offset) || scratch.bytes.fill(0).length > 0
    const isPast = (): boolean => !isEntry(scratch.view, 0) || entryEnd(scratch.view, 0) > trustedEnd
    const { first, end } = this.#rows.believedRun((run) =>
      trustedEnd <= 0 ? run.first : searchEntries(run.first, run.end, read, isPast),
    )
    // A crash may have left a later file without the first: a queue of which nothing is believed begins anywhere.
    const kept = end > first ? end : 0
    this.#rows.believedTo(end, kept)
    this.#max = kept
    this.#min = Math.min(first, kept)
    this.#min = this.#behindFillers(this.#min)
    this.#lastEnd = this.#endOfLast()
  }

  /** The first offset whose entry passes. @param passes - gets address and size of a record */
  #search(passes: (commitLogOffset: number, size: number) => boolean): number {
    const test = (): boolean => passes(entryOffset(scratch.view, 0), entrySize(scratch.view, 0))
    return searchEntries(this.#min, this.#max, (offset) => this.#rows.read(offset), test)
  }

  /** The first offset from this one on that has an entry, as far as the queue goes. */
  #behindFillers(from: number): number {
    const entries = new EntryBlock()
    for (let offset = from; offset < this.#max; ) {
      const got = this.read(offset, FILLERS_READ, entries)
      for (let i = 0; i < got; i++) if (entrySize(entries.view, i * BYTES) !== FILLER_SIZE) return offset + i
      if (got === 0) return offset
      offset += got
    }
    return this.#max
  }

  /** Where the record of an entry ends; 0 for a filler, -1 when there is no such entry. */
  #endOf(offset: number): number {
    return offset >= this.#min && this.#rows.read(offset) ? entryEnd(scratch.view, 0) : -1
  }

  #endOfLast(): number {
    return this.#max > this.#min ? this.#endOf(this.#max - 1) : -1
  }

  #rewrite(offset: number, commitLogOffset: number, size: number, tagsCode: number): Placed {
    if (offset < this.#min || !this.#rows.read(offset)) return 'same'
    const wanted = zeroBlock(BYTES)
    writeQueueEntry(wanted.view, 0, commitLogOffset, size, tagsCode)
    if (wanted.bytes.equals(scratch.bytes)) return 'same'
    // What follows a wrong entry cannot be believed either; the log brings it again.
    this.#cut(offset)
    this.append(commitLogOffset, size, tagsCode)
    return 'rewritten'
  }

  #cut(keep: number): void {
    this.#rows.cut(keep)
    this.#max = keep
    this.#min = Math.min(this.#min, keep)
    this.#lastEnd = this.#endOfLast()
  }

  /** Begins an empty queue at an offset: fillers from the start of its file, as RocketMQ writes them. */
  #startAt(offset: number): void {
    this.#startsAt = undefined
    this.#max = this.#rows.startAt(offset)
    while (this.#max < offset) this.append(0, FILLER_SIZE, 0)
    this.#min = offset
  }
}

/** Where the record of an entry ends; a filler stands for none. */
function entryEnd(view: DataView, at: number): number {
  const size = entrySize(view, at)
  return size === FILLER_SIZE ? 0 : entryOffset(view, at) + size
}

/** Where the record of an entry ends, whether it is believed or not; `undefined` where no entry was ever written. */
function evidenceOf(view: DataView, at: number, bounds: RecordBounds): number | undefined {
  const size = entrySize(view, at)
  const commitLogOffset = entryOffset(view, at)
  if (size === 0 && commitLogOffset === 0) return undefined
  return size === FILLER_SIZE ? -1 : endWithin(bounds, commitLogOffset, size)
}

/** Whether the entry in the scratch block is a message at or above an address. */
function isAtLeast(logStart: number): boolean {
  return entrySize(scratch.view, 0) !== FILLER_SIZE && entryOffset(scratch.view, 0) >= logStart
}

/** As {@link searchFirst}. A filler has neither address nor time, so it stands for the entry behind it. */
function searchEntries(low: number, high: number, read: (row: number) => boolean, passes: () => boolean): number {
  return searchFirst(low, high, (row) => {
    const end = Math.min(high, row + MAX_FILLERS_PASSED)
    for (let at = row; at < end && read(at); at++) if (entrySize(scratch.view, 0) !== FILLER_SIZE) return passes()
    return false
  })
}
