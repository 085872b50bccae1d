/**
 * One file of the hash index.
 *
 * 1. Entries are numbered from 1 and ascend by `commitLogOffset`; a chain leads from newer to older ones.
 * 2. What is in the file describes only entries that are in the file: entries are written first, then the
 *    slots, then the header, each slot with its newest entry that has been written.
 * 3. Slots can be made again from the entries, so after a crash only entries need to be believed.
 */
import { invariant } from '../base/errors.js'
import { absentFile } from '../disk/absent-file.js'
import type { DiskFile } from '../disk/disk.js'
import { PageCache } from '../disk/page-cache.js'
import { type Block, zeroBlock } from '../format/block.js'
import { crc32 } from '../format/crc.js'
import { setI64 } from '../format/i64.js'
import { encodeIndexHeader, entryPosition, INDEX_ENTRY_BYTES, type IndexHeader } from '../format/index-layout.js'
import { IndexEntry } from '../format/tables.js'
import { searchFirst } from './bisect.js'
import { EntryTail } from './entry-tail.js'
import type { CheckedIndex, IndexFileOptions } from './index-file-options.js'
import { IndexPages } from './index-pages.js'
import { readIndexHeader, sumOfRange } from './index-parts.js'
import { indexedOffset, scanIndexEntries } from './index-scan.js'
import { IndexSlots } from './index-slots.js'
import type { IndexRow } from './manifest.js'

const { keyHash: HASH_AT, commitLogOffset: OFFSET_AT, seconds: SECONDS_AT, previous: PREVIOUS_AT } = IndexEntry.at
const STRETCH_ENTRIES = 2048 // Walked over in a few milliseconds.
const MAX_SECONDS = 0x7fffffff
const EMPTY = zeroBlock(0)
const goOn = (): Promise<boolean> => Promise.resolve(true)
const NOTHING_CHECKED: CheckedIndex = { count: 1, entriesCrc: 0, slotsCrc: undefined }

/** See the head of this file. */
export class IndexFile {
  readonly path: string
  readonly header: IndexHeader
  #file: DiskFile
  /** Makes the file of a new one, at the first flush: a put must not fail for want of space for the index. */
  #make: (() => DiskFile) | undefined
  readonly #slotCount: number
  readonly #capacity: number
  readonly #tail = new EntryTail(INDEX_ENTRY_BYTES)
  readonly #pages: IndexPages
  /** Where the entry stands that was found last. */
  #found: DataView = EMPTY.view
  #foundAt = 0
  /** Another process may go on filling a file that is only read. */
  readonly #writable: boolean
  readonly #slots: IndexSlots
  /** Entries in the file, entry 0 included. */
  #written: number
  #flushed: number
  #headerIsDirty = false
  /** CRC of the entries that are written; `undefined` when they were not all written or checked by this store. */
  #entriesCrc: number | undefined
  /** CRC of header and slots as they are in the file, once nothing changes them any more. */
  #slotsCrc: number | undefined
  /** How often slots and header were made anew. */
  #rebuilds = 0
  /** What a manifest says and nobody has compared yet. */
  #unchecked: IndexRow | undefined
  #checked: CheckedIndex | undefined

  constructor({ files, path, slots, entries, writable, pages, fresh, row, checked }: IndexFileOptions) {
    this.path = path
    this.#slotCount = slots
    this.#writable = writable
    this.#capacity = entries
    this.#pages = new IndexPages(pages ?? new PageCache(0), slots)
    this.#slots = new IndexSlots(slots, this.#pages, writable)
    // What is new is in memory, and stays there in a store that is only read: nothing of it is in a file yet.
    this.#file = fresh === undefined ? files.file(path, writable) : absentFile(path)
    this.header = fresh?.header ?? readIndexHeader(this.#file, entries)
    this.#written = this.header.indexCount
    this.#flushed = this.#written
    if (fresh !== undefined) {
      if (writable) this.#make = fresh.make
      this.#slots.replace(new Int32Array(slots))
      this.#headerIsDirty = true
      this.#entriesCrc = 0
    }
    if (row !== undefined) this.#adopt(row)
    this.#checked = checked
  }

  #adopt(row: IndexRow): void {
    const { count, beginTimestamp, endTimestamp, beginCommitLogOffset, endCommitLogOffset } = row
    Object.assign(this.header, { beginTimestamp, endTimestamp, beginCommitLogOffset, endCommitLogOffset, indexCount: count })
    this.#written = count
    this.#flushed = count
    this.#unchecked = row
    this.#entriesCrc = row.entriesCrc
    this.#slotsCrc = row.slotsCrc
  }

  /**
   * Compares the file with what the manifest says of it, the first time.
   *
   * @param entriesOnly - when slots and header are made anew from the entries
   * @returns whether it is what was written
   */
  check(entriesOnly = false): boolean {
    const row = this.#unchecked
    if (row === undefined) return true
    const isKnown = this.#checked !== undefined && this.#checked.count <= row.count && this.#areEntries(row, this.#checked)
    if (!isKnown && !this.#areEntries(row, NOTHING_CHECKED)) return false
    const areSlotsKnown = isKnown && this.#checked?.slotsCrc === row.slotsCrc
    const areSlotsNoted = !entriesOnly && !areSlotsKnown && !this.#isContinued(row)
    if (areSlotsNoted && sumOfRange(this.#file, 0, entryPosition(this.#slotCount, 0)) !== row.slotsCrc) return false
    this.#unchecked = undefined
    this.#checked = { ...row, slotsCrc: areSlotsNoted || areSlotsKnown ? row.slotsCrc : undefined }
    return true
  }

  /** Compares the entries behind those that are known. */
  #areEntries(row: IndexRow, known: CheckedIndex): boolean {
    const start = entryPosition(this.#slotCount, known.count)
    const end = entryPosition(this.#slotCount, row.count)
    return sumOfRange(this.#file, start, end, known.entriesCrc) === row.entriesCrc
  }

  /** What has been compared with a manifest, as far as anything has. */
  get checked(): CheckedIndex | undefined {
    return this.#checked
  }

  /** Whether another process has entered more since, so that slots and header are not those of the manifest any more. */
  #isContinued({ count, slotsCrc }: IndexRow): boolean {
    return !this.#writable && (slotsCrc === undefined || readIndexHeader(this.#file, this.#capacity).indexCount > count)
  }

  /** Bytes that `check` has to read. */
  get checkBytes(): number {
    return this.#unchecked === undefined ? 0 : entryPosition(this.#slotCount, this.#written)
  }

  /** What a manifest is to say of the file. @param settled - whether nothing will be written to it any more, for now */
  row(settled: boolean): IndexRow {
    const { beginTimestamp, beginCommitLogOffset } = this.header
    const { endCommitLogOffset, endTimestamp } = this.#writtenBounds()
    this.#entriesCrc ??= sumOfRange(this.#file, entryPosition(this.#slotCount, 1), entryPosition(this.#slotCount, this.#written))
    if (settled) this.#slotsCrc ??= sumOfRange(this.#file, 0, entryPosition(this.#slotCount, 0))
    const name = this.path.slice(this.path.lastIndexOf('/') + 1)
    const bounds = { beginTimestamp, endTimestamp, beginCommitLogOffset, endCommitLogOffset }
    return { name, count: this.#written, ...bounds, entriesCrc: this.#entriesCrc, slotsCrc: this.#slotsCrc }
  }

  /** Whether it is on the disk. */
  get isMade(): boolean {
    return this.#make === undefined
  }

  /** Whether there is room for no more entry. */
  get isFull(): boolean {
    return this.header.indexCount >= this.#capacity
  }

  /** Whether there is something that no flush has covered. */
  get isDirty(): boolean {
    return this.#tail.count > 0 || this.#flushed < this.#written || this.#slots.isDirty || this.#headerIsDirty
  }

  /** How many slots there are. */
  get slotCount(): number {
    return this.#slotCount
  }

  /** The newest entry of each slot as queries see it. Not a copy where the slots are in memory. */
  slotTable(): Int32Array {
    return this.#slots.table(this.#file, this.#written)
  }

  /** Reads entries from a number on into `into`, in files and in memory. @returns how many, at most to the last entry */
  readEntries(first: number, count: number, into: Block): number {
    const wanted = Math.min(count, this.header.indexCount - first)
    let done = 0
    if (first < this.#written) {
      const inFile = Math.min(wanted, this.#written - first) * INDEX_ENTRY_BYTES
      const got = this.#file.readAt(into.bytes.subarray(0, inFile), entryPosition(this.#slotCount, first))
      done = Math.floor(got / INDEX_ENTRY_BYTES)
      if (got < inFile) return done
    }
    for (; done < wanted; done++) {
      const at = (first + done - this.#written) * INDEX_ENTRY_BYTES
      this.#tail.bytes.copy(into.bytes, done * INDEX_ENTRY_BYTES, at, at + INDEX_ENTRY_BYTES)
    }
    return Math.max(0, done)
  }

  /** Whether the file is full and flushed: nothing in it will change. */
  get isSealed(): boolean {
    return this.isFull && !this.isDirty
  }

  /** Adds an entry. The file must not be full. */
  put(keyHash: number, commitLogOffset: number, storeTimestamp: number): void {
    const { header } = this
    const slot = keyHash % this.#slotCount
    const entry = header.indexCount
    const seconds = header.beginTimestamp <= 0 ? 0 : Math.floor((storeTimestamp - header.beginTimestamp) / 1000)
    const at = this.#tail.add()
    const { view } = this.#tail
    view.setInt32(at + HASH_AT, keyHash)
    setI64(view, at + OFFSET_AT, commitLogOffset)
    view.setInt32(at + SECONDS_AT, Math.max(0, Math.min(seconds, MAX_SECONDS)))
    const newest = this.#slots.exchange(this.#file, slot, entry, this.#written)
    // RocketMQ takes a slot that points nowhere for an empty one.
    const isEmpty = newest <= 0 || newest >= entry
    view.setInt32(at + PREVIOUS_AT, isEmpty ? 0 : newest)
    if (isEmpty) header.hashSlotCount++
    if (entry <= 1) {
      header.beginCommitLogOffset = commitLogOffset
      header.beginTimestamp = storeTimestamp
    }
    header.indexCount = entry + 1
    header.endCommitLogOffset = commitLogOffset
    header.endTimestamp = storeTimestamp
  }

  /**
   * The number of the newest entry of a hash that may lie in the time range, 0 without one; entries count whole seconds.
   * Negative after a long stretch of others: go on below its absolute value, after the event loop has turned.
   *
   * @param below - look at entries below this number that `candidate` gave before; without it at all
   */
  candidate(keyHash: number, fromMs: number, toMs: number, below = 0): number {
    const { header } = this
    // Entries may have been dropped since.
    const isFirst = below === 0 || below >= header.indexCount
    const slot = keyHash % this.#slotCount
    let entry = isFirst ? this.#slots.newest(this.#file, slot, this.#written, this.isFull) : this.#previousOf(below)
    let left = STRETCH_ENTRIES
    while (entry > 0 && entry < header.indexCount && this.#find(entry)) {
      const at = this.#foundAt
      if (this.#found.getInt32(at + HASH_AT) === keyHash) {
        const timeMs = header.beginTimestamp + this.#found.getInt32(at + SECONDS_AT) * 1000
        // The first entry's seconds count from the file before, so it may look newer or older than it is.
        if (entry === 1 || (timeMs <= toMs && timeMs + 1000 > fromMs)) return entry
      }
      if (--left === 0) return -entry
      entry = this.#previousOf(entry)
    }
    return 0
  }

  /** Address of the record of an entry that `candidate` gave. */
  offsetOf(entry: number): number {
    return this.#find(entry) ? indexedOffset(this.#found, this.#foundAt) : -1
  }

  /** The entry before one in its chain; 0 at the end of it. Damage must not make a chain endless. */
  #previousOf(entry: number): number {
    if (!this.#find(entry)) return 0
    const previous = this.#found.getInt32(this.#foundAt + PREVIOUS_AT)
    return previous < entry ? previous : 0
  }

  /** Holds the slots of the file that is filled next in memory, as the first put would. */
  keepSlots(): void {
    if (!this.isFull && this.#slots.areWorthKeeping) this.#slots.keep(this.#file, this.#written)
  }

  /**
   * Writes the entries of records that end at or below `durableEnd` if they are as many as `least`: they need no memory then.
   * Slots and header stay behind until `flush`, while which this must not be called.
   */
  relieve(durableEnd: number, least: number): void {
    if (this.#tail.count < least) return
    const ready = this.#readyEntries(durableEnd)
    if (ready >= least) this.#writeEntries(ready)
  }

  #writeEntries(ready: number): void {
    if (ready === 0) return
    if (this.#make !== undefined) {
      this.#file = this.#make()
      this.#make = undefined
    }
    const bytes = ready * INDEX_ENTRY_BYTES
    this.#file.writeAt(this.#tail.bytes.subarray(0, bytes), entryPosition(this.#slotCount, this.#written))
    if (this.#entriesCrc !== undefined) this.#entriesCrc = crc32(this.#tail.block, 0, bytes, this.#entriesCrc)
    // Together, before anything else can fail: an entry is in the file or in memory.
    this.#written += ready
    this.#tail.drop(ready)
  }

  /**
   * Writes the entries of records that end at or below `durableEnd`, then slots and header, and flushes them.
   *
   * @param pause - lets the event loop turn between parts of the slots, and says whether the file is still there
   */
  async flush(durableEnd: number, pause: () => Promise<boolean> = goOn): Promise<void> {
    this.#writeEntries(this.#readyEntries(durableEnd))
    if (this.#make !== undefined) return
    const rebuilds = this.#rebuilds
    // What is put in a pause is not in the file, and makes its slots dirty again.
    for (let page = this.#writeSlots(0); page >= 0; page = this.#writeSlots(page)) {
      if (!(await pause()) || rebuilds !== this.#rebuilds) return
    }
    this.#writeHeader()
    const target = this.#written
    await this.#file.flush()
    this.#flushed = Math.max(this.#flushed, target)
  }

  /** @returns the page to go on with, or -1 */
  #writeSlots(first: number): number {
    const previous = (entry: number): number =>
      this.#tail.view.getInt32((entry - this.#written) * INDEX_ENTRY_BYTES + PREVIOUS_AT)
    if (this.#slots.isDirty) this.#slotsCrc = undefined
    return this.#slots.write(this.#file, this.#written, previous, first)
  }

  /**
   * Keeps the entries of records below `logEnd` and makes slots and header anew from them.
   *
   * @param most - look at no entry from this number on
   * @returns whether the entries were whole; if not, those behind the first bad one are gone as well
   */
  rebuild(logEnd: number, writable: boolean, most = this.#capacity): boolean {
    const { header } = this
    const { beginTimestamp, beginCommitLogOffset, endTimestamp, indexCount: known } = header
    const isNoted = most < this.#capacity
    const scan = scanIndexEntries({ file: this.#file, slotCount: this.#slotCount, most, logEnd, known, isNoted })
    const { count, last } = scan
    header.indexCount = count
    header.hashSlotCount = scan.used
    header.endCommitLogOffset = last < 0 ? beginCommitLogOffset : last
    if (count > 1) header.endTimestamp = isNoted && count === most ? endTimestamp : beginTimestamp + scan.seconds * 1000
    this.#tail.clear()
    this.#slots.replace(scan.slots)
    this.#rebuilds++
    this.#written = count
    this.#pages.forgetEntries()
    this.#flushed = 0
    this.#headerIsDirty = true
    this.#entriesCrc = undefined
    this.#slotsCrc = undefined
    this.#unchecked = undefined
    if (writable) this.#slots.noteAll()
    return scan.isWhole
  }

  /** Gives the slots back; queries read them from the file. Only when nothing is dirty. */
  release(): void {
    if (!this.isDirty) this.#slots.release()
  }

  /** How many entries at the front of the tail may be written. */
  #readyEntries(durableEnd: number): number {
    const { count } = this.#tail
    // What is durable ends between two records, so a record that starts below ends there at the latest.
    return searchFirst(0, count, (n) => indexedOffset(this.#tail.view, n * INDEX_ENTRY_BYTES) >= durableEnd)
  }

  #writeHeader(): void {
    this.#file.writeAt(encodeIndexHeader({ ...this.header, indexCount: this.#written, ...this.#writtenBounds() }), 0)
    this.#headerIsDirty = this.#tail.count > 0
  }

  /** Where the entries end that are written; the header is ahead of them by the tail. */
  #writtenBounds(): { endCommitLogOffset: number; endTimestamp: number } {
    const { beginTimestamp, beginCommitLogOffset, endCommitLogOffset, endTimestamp } = this.header
    if (this.#tail.count === 0) return { endCommitLogOffset, endTimestamp }
    if (this.#written <= 1) return { endCommitLogOffset: beginCommitLogOffset, endTimestamp: beginTimestamp }
    invariant(this.#find(this.#written - 1), `entry ${this.#written - 1} in ${this.path}`)
    return {
      endCommitLogOffset: indexedOffset(this.#found, this.#foundAt),
      endTimestamp: beginTimestamp + this.#found.getInt32(this.#foundAt + SECONDS_AT) * 1000,
    }
  }

  /** Points to an entry, until the next call. @returns whether it is there */
  #find(entry: number): boolean {
    if (entry >= this.#written) {
      this.#found = this.#tail.view
      this.#foundAt = (entry - this.#written) * INDEX_ENTRY_BYTES
      return true
    }
    this.#foundAt = this.#pages.entryAt(this.#file, entry, this.#written)
    if (this.#foundAt < 0) return false
    this.#found = this.#pages.view
    return true
  }
}
