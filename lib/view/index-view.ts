/**
 * The hash index over all its files: by key to the addresses of records.
 *
 * Records come in the order of the log, so entries ascend, and what a restart brings again is known by its
 * address. (`IndexService`.)
 */

import { MessageStoreError } from '../base/errors.js'
import type { Clock } from '../base/system.js'
import type { Disk } from '../disk/disk.js'
import type { OpenFiles } from '../disk/open-files.js'
import { type IndexHeader, indexFileBytes } from '../format/index-layout.js'
import { indexFileName, isIndexFileName } from '../format/names.js'
import { IndexFile } from './index-file.js'

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
}

const NEW_HEADER: IndexHeader = {
  beginTimestamp: 0,
  endTimestamp: 0,
  beginCommitLogOffset: 0,
  endCommitLogOffset: 0,
  hashSlotCount: 0,
  indexCount: 1,
}

/** See the head of this file. */
export class IndexView {
  readonly #options: IndexViewOptions
  readonly #files: IndexFile[] = []
  /** Entries are complete for every record that starts below this. */
  readonly completeEnd: number
  #namesChanged = false
  #sealedMs = 0

  private constructor(options: IndexViewOptions) {
    this.#options = options
    const { disk, files, directory, slots, entries, writable, trustedEnd } = options
    for (const { name, kind } of disk.list(directory)) {
      if (kind !== 'file' || !isIndexFileName(name)) continue
      const path = `${directory}/${name}`
      const bytes = disk.stat(path)!.bytes
      if (bytes !== indexFileBytes(slots, entries)) {
        throw new MessageStoreError(
          'STORE_INCOMPATIBLE',
          `${path} has ${bytes} bytes, ${indexFileBytes(slots, entries)} expected: set index.slots and index.entries`,
        )
      }
      this.#files.push(new IndexFile(files, path, slots, entries, writable))
      // A crash can leave files without entries, with no times in their headers either: they are in nobody's order.
      if (this.#last!.header.indexCount <= 1) this.#dropFrom(this.#files.length - 1)
    }
    this.completeEnd = trustedEnd === Number.POSITIVE_INFINITY ? trustedEnd : this.#keep(trustedEnd)
  }

  /**
   * Keeps the entries of records below `end`, as far as they are whole. Entries ascend over all files, so
   * files behind the first that lost some are deleted: the log brings their entries again, in order.
   *
   * @returns up to where entries are complete, if not up to `end`
   */
  #keep(end: number): number {
    const { writable } = this.#options
    for (let i = 0; i < this.#files.length; i++) {
      const file = this.#files[i]!
      const isLast = i === this.#files.length - 1
      if (!isLast && file.header.endCommitLogOffset < end) continue
      const known = file.header.indexCount
      const isWhole = file.rebuild(end, writable)
      if (isWhole && file.header.indexCount >= known && !isLast) continue
      this.#dropFrom(file.header.indexCount > 1 ? i + 1 : i)
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

  #dropFrom(first: number): void {
    const { disk, files, writable } = this.#options
    for (const { path } of this.#files.splice(first)) {
      files.close(path)
      if (writable) disk.remove(path)
      this.#namesChanged = true
    }
  }

  /** Loads the files that are there. @throws {MessageStoreError} `STORE_INCOMPATIBLE` for a file of another length */
  static load(options: IndexViewOptions): IndexView {
    return new IndexView(options)
  }

  get #last(): IndexFile | undefined {
    return this.#files[this.#files.length - 1]
  }

  /** How many entries there are. */
  get entryCount(): number {
    return this.#files.reduce((sum, file) => sum + file.header.indexCount - 1, 0)
  }

  /** How many files there are. */
  get fileCount(): number {
    return this.#files.length
  }

  /** Address of the newest record that has an entry, -1 without any. Records up to there need not come again. */
  get lastCommitLogOffset(): number {
    const last = this.#last
    return last === undefined || (last.header.indexCount <= 1 && this.#files.length === 1) ? -1 : last.header.endCommitLogOffset
  }

  /** `beginTimestamp` of the file that is being filled, `Infinity` without one: it is not safe until it is full. */
  get unsealedSince(): number {
    const last = this.#last
    return last === undefined || last.header.indexCount <= 1 || !last.isDirty
      ? Number.POSITIVE_INFINITY
      : last.header.beginTimestamp
  }

  /** `endTimestamp` of the newest file that is full and flushed, 0 without one. RocketMQ's `indexMsgTimestamp`. */
  get sealedMs(): number {
    return this.#sealedMs
  }

  /** Adds an entry. @param keyHash - as `indexKeyHash` makes it */
  put(keyHash: number, commitLogOffset: number, size: number, storeTimestamp: number): void {
    let file = this.#last
    if (file === undefined || file.isFull) file = this.#addFile(storeTimestamp)
    file.put(keyHash, commitLogOffset, commitLogOffset + size, storeTimestamp)
  }

  /** Addresses of records that may have a key of that hash and a store time in the range, newest first. */
  *candidates(keyHash: number, fromMs: number, toMs: number): Generator<number> {
    for (let i = this.#files.length - 1; i >= 0; i--) {
      const file = this.#files[i]!
      const { beginTimestamp, endTimestamp } = file.header
      if (beginTimestamp > toMs || endTimestamp + 1000 < fromMs) continue
      for (const { commitLogOffset } of file.candidates(keyHash, fromMs, toMs)) yield commitLogOffset
    }
  }

  /** Writes and flushes the entries of records that end at or below `durableEnd`. */
  async flush(durableEnd: number): Promise<void> {
    for (const file of [...this.#files]) {
      if (!file.isDirty) continue
      await file.flush(durableEnd)
      if (file.isFull && !file.isDirty) this.#sealedMs = Math.max(this.#sealedMs, file.header.endTimestamp)
      if (file !== this.#last) file.release()
    }
    if (!this.#namesChanged) return
    this.#namesChanged = false
    await this.#options.disk.flushDirectory(this.#options.directory)
  }

  /** Drops the entries of records at or above `logEnd`. */
  truncate(logEnd: number): void {
    if (this.lastCommitLogOffset >= logEnd) this.#keep(logEnd)
  }

  /** Deletes files whose records are all gone, never the last. @returns what was deleted */
  trim(logStart: number): string[] {
    const { disk, files, writable } = this.#options
    const deleted: string[] = []
    while (writable && this.#files.length > 1 && this.#files[0]!.header.endCommitLogOffset < logStart) {
      const { path } = this.#files.shift()!
      files.close(path)
      disk.remove(path)
      deleted.push(path)
      this.#namesChanged = true
    }
    return deleted
  }

  /** The next file begins where the one before it ended, until its first entry says better. */
  #addFile(storeTimestamp: number): IndexFile {
    const { disk, files, directory, slots, entries, clock, tmpDirectory } = this.#options
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
    disk.makeDirectory(directory)
    disk.makeDirectory(tmpDirectory)
    let ms = Math.max(clock.now(), storeTimestamp)
    while (
      disk.stat(`${directory}/${indexFileName(ms)}`) !== undefined ||
      `${directory}/${indexFileName(ms)}` <= (this.#last?.path ?? '')
    )
      ms++
    const path = `${directory}/${indexFileName(ms)}`
    const made = `${tmpDirectory}/index`
    const file = disk.open(made, { write: true, create: true })
    try {
      file.resize(0)
      file.resize(indexFileBytes(slots, entries))
    } finally {
      file.close()
    }
    disk.rename(made, path)
    this.#namesChanged = true
    const added = new IndexFile(files, path, slots, entries, true, header)
    this.#files.push(added)
    return added
  }
}
