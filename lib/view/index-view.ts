/**
 * The hash index over all its files: by key to the addresses of records.
 *
 * Records come in the order of the log, so entries ascend, and what a restart brings again is known by its
 * address. (`IndexService`.)
 */

import { MessageStoreError } from '../base/errors.js'
import type { Clock } from '../base/system.js'
import { type Disk, DiskError, type DiskFile } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { PageCache } from '../disk/page-cache.js'
import { encodeIndexHeader, type IndexHeader, indexFileBytes } from '../format/index-layout.js'
import { indexFileName, indexFileTime, isIndexFileName } from '../format/names.js'
import { Candidates } from './candidates.js'
import { type CheckedIndex, IndexFile } from './index-file.js'
import type { IndexRow } from './manifest.js'

/** How to load the index of a store. */
export interface IndexViewOptions {
  readonly disk: Disk
  readonly files: OpenFiles
  /** Directory of the index: `index`. */
  readonly directory: string
  readonly slots: number
  readonly entries: number
  readonly writable: boolean
  readonly clock: Clock
  readonly tmpDirectory: string
  /** Entries of records at or above this are dropped when loading. `Infinity` after a clean close. */
  readonly trustedEnd: number
  /** What a manifest says of the files, if there is one to believe. */
  readonly rows?: readonly IndexRow[] | undefined
  /** Memory for what queries read of files. */
  readonly cacheBytes?: number
  /** Files whose records are all below may have been deleted since. */
  readonly logStart: number
  /**
   * Whether the process that wrote the rows runs, so that no crash can have come between: files are checked when they are used.
   */
  readonly isLive?: boolean
  /** Lets the event loop turn: a flush of many keys is done in parts. Without it in one. */
  readonly pause?: () => Promise<void>
  /** What a view of the same files has checked, by name. */
  readonly checked?: CheckedFiles | undefined
}

/** What was checked of index files, by name. */
export type CheckedFiles = ReadonlyMap<string, CheckedIndex>

/** Files that take no longer to check than to notice are checked when they are loaded, others when they are used. */
const EAGER_CHECK_BYTES = 64 * 1024 * 1024

/** 1 MiB of them: a write of half a millisecond. */
const RELIEVED_ENTRIES = 52_428

const NEW_HEADER: IndexHeader = {
  beginTimestamp: 0,
  endTimestamp: 0,
  beginCommitLogOffset: 0,
  endCommitLogOffset: 0,
  hashSlotCount: 0,
  indexCount: 1,
}

/**
 * Stands in a new file until the first flush. After a crash RocketMQ deletes index files that end after its
 * checkpoint; one that seems to end early it takes for the newest, and enters everything again behind it.
 */
const UNFLUSHED_HEADER: IndexHeader = { ...NEW_HEADER, endTimestamp: Number.MAX_SAFE_INTEGER }

/** See the head of this file. */
export class IndexView {
  readonly #options: IndexViewOptions
  readonly #files: IndexFile[] = []
  readonly #pages: PageCache
  /** Entries are complete for every record that starts below this. */
  readonly completeEnd: number
  /** Whether a file turned out not to be what was written. */
  isDamaged = false
  #namesChanged = false

  private constructor(options: IndexViewOptions) {
    this.#options = options
    this.#pages = new PageCache(options.cacheBytes ?? 0)
    // Unless the store was closed, the process before may have ended before it flushed the names of files.
    this.#namesChanged = options.writable && options.trustedEnd !== Number.POSITIVE_INFINITY && this.#indexPaths().length > 0
    this.completeEnd = options.rows === undefined ? this.#loadFound(options.trustedEnd) : this.#loadNoted(options.rows)
  }

  /** Loads what a manifest names; what is not what was written is made anew from the log. */
  #loadNoted(rows: readonly IndexRow[]): number {
    const { writable, trustedEnd, logStart, isLive = false } = this.#options
    const found = new Map(this.#indexPaths().map((path) => [nameOf(path), path]))
    for (const row of rows) {
      const path = found.get(row.name)
      if (path === undefined && this.#files.length === 0 && row.endCommitLogOffset < logStart) continue
      if (path === undefined) return this.#drop()
      found.delete(row.name)
      this.#files.push(this.#open(path, row))
    }
    // Made after the manifest: its entries come again from the log.
    for (const path of found.values()) this.#remove(path)
    if (isLive) return Number.POSITIVE_INFINITY
    const last = this.#last
    const isClosed = rows[rows.length - 1]?.slotsCrc !== undefined && trustedEnd === Number.POSITIVE_INFINITY
    const isSmall = this.#files.reduce((sum, file) => sum + file.checkBytes, 0) <= EAGER_CHECK_BYTES
    for (const file of this.#files) if ((isSmall || file === last) && !file.check(file === last && !isClosed)) return this.#drop()
    if (last !== undefined && !isClosed) last.rebuild(Number.POSITIVE_INFINITY, writable, rows[rows.length - 1]!.count)
    return Number.POSITIVE_INFINITY
  }

  /** Loads the files that a Java store left, or an mqlite without a manifest. */
  #loadFound(trustedEnd: number): number {
    for (const path of this.#indexPaths()) {
      const file = this.#open(path)
      // A crash can leave files without entries, with no times in their headers either: they are in nobody's order.
      if (file.header.indexCount > 1) this.#files.push(file)
      else this.#remove(path)
    }
    return trustedEnd === Number.POSITIVE_INFINITY ? trustedEnd : this.#keep(trustedEnd)
  }

  /**
   * Keeps the entries of records below `end`, as far as they are whole. Entries ascend over all files, so
   * files behind the first that lost some are deleted: the log brings their entries again, in order.
   *
   * @returns up to where entries are complete, if not up to `end`
   */
  #keep(end: number): number {
    for (let i = 0; i < this.#files.length; i++) {
      const file = this.#files[i]!
      const isLast = i === this.#files.length - 1
      if (!isLast && file.header.endCommitLogOffset < end) continue
      const known = file.header.indexCount
      const isWhole = file.rebuild(end, this.#options.writable)
      if (isWhole && file.header.indexCount >= known && !isLast) continue
      for (const { path } of this.#files.splice(file.header.indexCount > 1 ? i + 1 : i)) this.#remove(path)
      return isWhole ? Number.POSITIVE_INFINITY : this.#keepWholeRecords()
    }
    return Number.POSITIVE_INFINITY
  }

  /** The last record that has an entry may have lost another one: it comes again with all its keys. */
  #keepWholeRecords(): number {
    const end = Math.max(0, this.lastCommitLogOffset)
    this.#keep(end)
    return end
  }

  #indexPaths(): string[] {
    const { disk, directory } = this.#options
    const names = disk.list(directory).filter(({ name, kind }) => kind === 'file' && isIndexFileName(name))
    const paths = names.map(({ name }) => `${directory}/${name}`)
    // Where a name outlived a crash and its length did not, no flush has covered any entry.
    const empty = paths.filter((path) => disk.stat(path)?.bytes === 0)
    for (const path of empty) this.#remove(path)
    return paths.filter((path) => !empty.includes(path))
  }

  #open(path: string, row?: IndexRow): IndexFile {
    const { disk, files, slots, entries, writable } = this.#options
    const checked = row === undefined ? undefined : this.#options.checked?.get(row.name)
    const bytes = disk.stat(path)?.bytes
    if (bytes === undefined) throw new DiskError('ENOENT', 'stat', path)
    const expected = indexFileBytes(slots, entries)
    if (bytes !== expected) {
      const what = `${path} has ${bytes} bytes, ${expected} expected: set index.slots and index.entries`
      throw new MessageStoreError('STORE_INCOMPATIBLE', what)
    }
    return new IndexFile({ files, path, slots, entries, writable, pages: this.#pages, row, checked })
  }

  /** Closes a file and deletes it, unless the store is only read. */
  #remove(path: string): void {
    const { files, disk, writable } = this.#options
    files.close(path)
    if (!writable || disk.stat(path) === undefined) return
    disk.remove(path)
    this.#namesChanged = true
  }

  /** Forgets all files. @returns from where on the log must be read: its beginning */
  #drop(): number {
    this.#files.length = 0
    for (const path of this.#indexPaths()) this.#remove(path)
    return 0
  }

  /** Loads the files that are there. @throws {MessageStoreError} `STORE_INCOMPATIBLE` for a file of another length */
  static load(options: IndexViewOptions): IndexView {
    return new IndexView(options)
  }

  get #last(): IndexFile | undefined {
    return this.#files[this.#files.length - 1]
  }

  /** What has been checked of the files, for a view of the same files that takes the place of this one. */
  get checked(): CheckedFiles {
    const checked = new Map<string, CheckedIndex>()
    for (const file of this.#files) if (file.checked !== undefined) checked.set(nameOf(file.path), file.checked)
    return checked
  }

  /** How many entries there are. */
  get entryCount(): number {
    return this.#files.reduce((sum, file) => sum + file.header.indexCount - 1, 0)
  }

  /** The files, oldest first. */
  get files(): readonly IndexFile[] {
    return this.#files
  }

  /** How many files there are. */
  get fileCount(): number {
    return this.#files.length
  }

  /** Address of the newest record that has an entry, -1 without any. Records up to there need not come again. */
  get lastCommitLogOffset(): number {
    // A file that a crash left without entries may have nothing in its header either.
    return this.#files.findLast(({ header }) => header.indexCount > 1)?.header.endCommitLogOffset ?? -1
  }

  /** `beginTimestamp` of the first file that is not sealed, `Infinity` without one: after a crash RocketMQ deletes it. */
  get unsealedSince(): number {
    const file = this.#files.find((one) => one.header.indexCount > 1 && !one.isSealed)
    return file?.header.beginTimestamp ?? Number.POSITIVE_INFINITY
  }

  /** `endTimestamp` of the last file before the first that is not sealed, 0 without one. RocketMQ's `indexMsgTimestamp`. */
  get sealedMs(): number {
    let sealedMs = 0
    for (const file of this.#files) {
      if (!file.isSealed) break
      sealedMs = file.header.endTimestamp
    }
    return sealedMs
  }

  /** Adds an entry. @param keyHash - as `indexKeyHash` makes it */
  put(keyHash: number, commitLogOffset: number, storeTimestamp: number): void {
    let file = this.#last
    if (file === undefined || file.isFull) file = this.#addFile(storeTimestamp)
    file.put(keyHash, commitLogOffset, storeTimestamp)
  }

  /** Addresses of records that may have a key of that hash and a store time in the range, newest first. */
  candidates(keyHash: number, fromMs: number, toMs: number): Candidates {
    return new Candidates(this.#files, this.#readyToSearch, keyHash, fromMs, toMs)
  }

  /** @throws {MessageStoreError} `STORE_CORRUPT` when a file is not what was written */
  readonly #readyToSearch = (file: IndexFile): void => {
    if (!file.check()) {
      this.isDamaged = true
      const what = `${file.path} is not what was written; it is made anew from the log when the store is next opened`
      throw new MessageStoreError('STORE_CORRUPT', what)
    }
    if (file === this.#last) file.keepSlots()
  }

  /**
   * Writes entries of records that end at or below `durableEnd` once they take much memory. Not while `flush` runs: what it
   * has flushed is what is written when it ends.
   *
   * @throws {DiskError} when it cannot; the entries are still in memory then
   */
  relieve(durableEnd: number, least = RELIEVED_ENTRIES): void {
    this.#last?.relieve(durableEnd, least)
  }

  /** Writes and flushes the entries of records that end at or below `durableEnd`. */
  async flush(durableEnd: number): Promise<void> {
    const { pause } = this.#options
    for (const file of [...this.#files]) {
      if (!file.isDirty) continue
      await file.flush(durableEnd, pause && (() => pause().then(() => this.#files.includes(file))))
      if (file !== this.#last) file.release()
    }
    if (!this.#namesChanged) return
    this.#namesChanged = false
    await this.#options.disk.flushDirectory(this.#options.directory)
  }

  /** What a manifest is to say. @param settled - whether nothing will be written to the last file for now */
  rows(settled: boolean): IndexRow[] {
    return this.#files.filter((file) => file.isMade).map((file) => file.row(settled || file !== this.#last))
  }

  /** Drops the entries of records at or above `logEnd`. */
  truncate(logEnd: number): void {
    if (this.lastCommitLogOffset >= logEnd) this.#keep(logEnd)
  }

  /** Deletes files whose records are all gone, never the last. @returns what was deleted */
  trim(logStart: number): string[] {
    const { writable } = this.#options
    const deleted: string[] = []
    while (writable && this.#files.length > 1 && this.#files[0]!.header.endCommitLogOffset < logStart) {
      const { path } = this.#files.shift()!
      this.#remove(path)
      deleted.push(path)
    }
    return deleted
  }

  /** The next file begins where the one before it ended, until its first entry says better. */
  #addFile(storeTimestamp: number): IndexFile {
    const { disk, files, directory, slots, entries, clock, writable } = this.#options
    const previous = this.#last?.header
    const header =
      previous === undefined
        ? { ...NEW_HEADER }
        : {
            ...NEW_HEADER,
            beginTimestamp: previous.endTimestamp,
            endTimestamp: previous.endTimestamp,
            beginCommitLogOffset: previous.endCommitLogOffset,
            endCommitLogOffset: previous.endCommitLogOffset,
          }
    const lastName = this.#last?.path.slice(directory.length + 1) ?? ''
    let ms = Math.max(clock.now(), storeTimestamp)
    // Names ascend, though clocks are set back, and local time is every autumn.
    if (indexFileName(ms) <= lastName) ms = indexFileTime(lastName) + 1
    while (indexFileName(ms) <= lastName || disk.stat(`${directory}/${indexFileName(ms)}`) !== undefined) ms++
    const path = `${directory}/${indexFileName(ms)}`
    const fresh = { header, make: () => this.#makeFile(path) }
    const added = new IndexFile({ files, path, slots, entries, writable, pages: this.#pages, fresh })
    this.#files.push(added)
    return added
  }

  #makeFile(path: string): DiskFile {
    const { disk, files, directory, slots, entries, tmpDirectory } = this.#options
    disk.makeDirectory(directory)
    disk.makeDirectory(tmpDirectory)
    const made = `${tmpDirectory}/index`
    // A crash may have left both names of a file that was being moved.
    disk.remove(made)
    const file = disk.open(made, { write: true, create: true })
    try {
      file.resize(indexFileBytes(slots, entries))
      file.writeAt(encodeIndexHeader(UNFLUSHED_HEADER), 0)
    } finally {
      file.close()
    }
    disk.rename(made, path)
    this.#namesChanged = true
    return files.file(path, true)
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
