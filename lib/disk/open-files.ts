import { LRUCache } from 'lru-cache'
import { invariant } from '../base/errors.js'
import type { Disk, DiskFile } from './disk.js'

/** How many files {@link OpenFiles} keeps open when nothing else is said. */
export const defaultOpenFiles = 512

/**
 * Every file that a store has in use, of which at most `limit` are open at a time.
 *
 * The `DiskFile` that it hands out stays valid until `close`: whoever holds one may use it at any time,
 * and it opens its file again when that had to make room. So 10,000 queues need 512 descriptors, and a
 * hot path can keep the file in a field.
 *
 * 1. One path has one `DiskFile`, shared by all who ask.
 * 2. A file that is being flushed is not closed under the flush; it closes after it. The limit may be
 *    passed by as many files as are being flushed.
 * 3. A file asked for with `keepUnflushed` stays open from its first write to the end of a flush that
 *    covers it: if the kernel fails to write its pages back, a descriptor opened later may never hear of it.
 */
export class OpenFiles {
  readonly #disk: Disk
  readonly #files = new Map<string, SharedFile>()
  readonly #open: LRUCache<string, SharedFile>

  /** `limit` is a number of descriptors, at least 1. */
  constructor(disk: Disk, limit: number = defaultOpenFiles) {
    invariant(Number.isSafeInteger(limit) && limit > 0, `a limit of open files above 0, got ${limit}`)
    this.#disk = disk
    this.#open = new LRUCache({ max: limit, dispose: (file, _path, reason) => reason === 'evict' && file.giveUp() })
  }

  /** Descriptors in use now. */
  get openCount(): number {
    let count = 0
    for (const file of this.#files.values()) if (file.isOpen) count += 1
    return count
  }

  /** Files handed out and not yet closed. */
  get count(): number {
    return this.#files.size
  }

  /**
   * The file at a path, opened now if it is not.
   *
   * @param write asks for the right to write; a file that was opened to be read is opened again
   * @param create makes the file if it is absent; the directory then needs a flush
   * @param keepUnflushed keeps it open while it has writes that no flush has covered
   * @throws {DiskError} `ENOENT` and the like
   */
  file(path: string, write: boolean, create = false, keepUnflushed = false): DiskFile {
    let file = this.#files.get(path)
    if (file === undefined) {
      file = new SharedFile(path, this.#disk, this.#open, write)
      file.ensureOpen(create)
      this.#files.set(path, file)
    } else {
      if (write) file.allowWriting()
      file.ensureOpen(create)
      this.#open.get(path)
    }
    if (keepUnflushed) file.keepUnflushed = true
    return file
  }

  /** Closes the file at a path, after the flush that is under way. Whoever still holds it must not use it. */
  close(path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    this.#open.delete(path)
    file.close()
  }

  /** Closes all files. */
  closeAll(): void {
    for (const path of [...this.#files.keys()]) this.close(path)
  }
}

/** One file of {@link OpenFiles}: opens on use, closes when it is told to make room. */
class SharedFile implements DiskFile {
  readonly path: string
  keepUnflushed = false
  readonly #disk: Disk
  readonly #open: LRUCache<string, SharedFile>
  #file: DiskFile | undefined
  #mayWrite: boolean
  /** Flushes under way. */
  #flushes = 0
  /** Counts writes; together with the count that the last flush covered it tells whether any is unflushed. */
  #writes = 0
  #flushedWrites = 0
  #mustClose = false
  #isClosed = false

  constructor(path: string, disk: Disk, open: LRUCache<string, SharedFile>, mayWrite: boolean) {
    this.path = path
    this.#disk = disk
    this.#open = open
    this.#mayWrite = mayWrite
  }

  get isOpen(): boolean {
    return this.#file !== undefined
  }

  readAt(target: Uint8Array, position: number): number {
    return (this.#file ?? this.ensureOpen()).readAt(target, position)
  }

  writeAt(source: Uint8Array, position: number): void {
    this.#writes += 1
    ;(this.#file ?? this.ensureOpen()).writeAt(source, position)
  }

  resize(bytes: number): void {
    this.#writes += 1
    ;(this.#file ?? this.ensureOpen()).resize(bytes)
  }

  size(): number {
    return (this.#file ?? this.ensureOpen()).size()
  }

  async flush(): Promise<void> {
    const file = this.#file ?? this.ensureOpen()
    const writes = this.#writes
    this.#flushes += 1
    try {
      await file.flush()
      this.#flushedWrites = Math.max(this.#flushedWrites, writes)
    } finally {
      this.#flushes -= 1
      if (this.#mustClose && !this.#isPinned) this.#closeNow()
    }
  }

  close(): void {
    this.#isClosed = true
    this.keepUnflushed = false
    this.#closeUnlessPinned()
  }

  /** Opens the file if it is closed, and takes part in the contest for descriptors. */
  ensureOpen(create = false): DiskFile {
    invariant(!this.#isClosed, `${this.path} not to be used after it was closed`)
    // Taken back while it waited for the end of a flush to close.
    if (this.#file !== undefined && this.#mustClose) this.#enter()
    if (this.#file !== undefined) return this.#file
    this.#file = this.#disk.open(this.path, { write: this.#mayWrite, create })
    this.#enter()
    return this.#file
  }

  /** Opens for writing from now on. A reader has nothing to flush, so its descriptor can go at once. */
  allowWriting(): void {
    if (this.#mayWrite) return
    this.#mayWrite = true
    this.#open.delete(this.path)
    if (this.#file !== undefined) this.#closeNow()
  }

  /** Closes to make room for another file. */
  giveUp(): void {
    this.#closeUnlessPinned()
  }

  get #isPinned(): boolean {
    return this.#flushes > 0 || (this.keepUnflushed && this.#writes > this.#flushedWrites)
  }

  #enter(): void {
    this.#mustClose = false
    this.#open.set(this.path, this)
  }

  #closeUnlessPinned(): void {
    if (this.#file === undefined) return
    if (this.#isPinned) this.#mustClose = true
    else this.#closeNow()
  }

  #closeNow(): void {
    const file = this.#file
    this.#file = undefined
    this.#mustClose = false
    file?.close()
  }
}
