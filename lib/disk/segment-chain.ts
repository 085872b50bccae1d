/**
 * The files that form one address space.
 *
 * ```
 *   address    0                 1000                2000                3000
 *              |  ...000000000   |  ...000001000     |  ...000002000     |
 *              ^ start                                                   ^ end
 * ```
 *
 * All segments have one length, and each is named by the address of its first byte in 20 decimal digits.
 * RocketMQ refuses to start when a file in such a directory has another length or name. So a segment is
 * made complete under another directory and renamed into place. Only its names are durable then, not its
 * length, until `flush`: a crash may leave a file of length zero. Both sides take that for no file.
 */

import { invariant } from '../base/errors.js'
import { segmentName } from '../format/names.js'
import type { Disk, DiskFile } from './disk.js'
import type { OpenFiles } from './open-files.js'
import { byteRange, type Gap, scanSegments } from './segment-scan.js'

/** File systems allocate no less than this at a time. */
export const ALLOCATION_BYTES = 4096

/** How to load a {@link SegmentChain}. */
export interface SegmentChainOptions {
  readonly disk: Disk
  readonly files: OpenFiles
  /** Directory of the segments; may be absent. */
  readonly directory: string
  /** Length of every segment; undefined takes it from the files that are there. */
  readonly segmentBytes: number | undefined
  /** Length of segments when neither files nor `segmentBytes` say. */
  readonly defaultSegmentBytes?: number
  /** Without it nothing on the disk changes, not even what a crash left behind. */
  readonly writable: boolean
  /**
   * Where segments are made before they are renamed into place: same file system, one store at a time. Without it they are made
   * in place.
   */
  readonly tmpDirectory?: string
  /** Name of the option that sets the length, for error messages. @default 'segmentBytes' */
  readonly option?: string
  /**
   * The process before may have ended before it flushed the names of segments: they are then flushed with the
   * first segment, and so are these directories above. Without it the names that are there count as durable.
   */
  readonly unflushedParents?: readonly string[]
  /** Keep a written segment open until a flush has covered it, however many files are in use. See {@link OpenFiles}. */
  readonly keepUnflushed?: boolean
}

/**
 * The files that form one address space: equal length, named by the address of their first byte.
 *
 * 1. `starts` ascend and segments never overlap. Two may have a gap between them: `gaps` tells.
 * 2. `end` - `start` is a multiple of `segmentBytes` when there is no gap.
 * 3. Addresses are safe integers; a segment whose end would pass 2^53 - 1 is refused.
 */
export class SegmentChain {
  readonly directory: string
  readonly #options: SegmentChainOptions
  readonly #disk: Disk
  readonly #files: OpenFiles
  #segmentBytes: number
  #starts: number[]
  #leftovers: readonly string[]
  /** The segments last written and last read: nearly every call is for the same one again. */
  #written: DiskFile | undefined
  #writtenStart = 0
  #read: DiskFile | undefined
  #readStart = 0
  /** Counts changes of names; those up to the flushed count survive power loss. */
  #nameChanges = 0
  #flushedNameChanges = 0
  #isDirectoryKnown = false
  /** Directories that got a new directory on the way to ours. */
  #changedParents: string[] = []

  /**
   * Lists the directory and takes over what is there.
   *
   * @throws {MessageStoreError} `STORE_INCOMPATIBLE` for a file of another length, a name that is not 20 digits,
   *   a link, or overlapping segments; `OFFSET_OVERFLOW` for a segment past 2^53 - 1
   */
  static load(options: SegmentChainOptions): SegmentChain {
    return new SegmentChain(options)
  }

  private constructor(options: SegmentChainOptions) {
    this.#options = options
    this.#disk = options.disk
    this.#files = options.files
    this.directory = options.directory
    const { starts, segmentBytes, leftovers } = scanSegments(options)
    this.#starts = starts
    this.#segmentBytes = segmentBytes
    this.#leftovers = leftovers
    if (options.writable) {
      for (const path of leftovers) this.#disk.remove(path)
      const areNamesDurable = options.unflushedParents === undefined || starts.length === 0
      if (leftovers.length > 0 || !areNamesDurable) this.#nameChanges += 1
      if (!areNamesDurable) this.#changedParents.push(...(options.unflushedParents ?? []))
    }
  }

  /** Length of every segment in bytes; 0 when it is not known because there is none. */
  get segmentBytes(): number {
    return this.#segmentBytes
  }

  /** Address of the first byte of the first segment; 0 when there is none. */
  get start(): number {
    return this.#starts[0] ?? 0
  }

  /** Address just past the last segment; equals `start` when there is none. */
  get end(): number {
    const last = this.#starts.at(-1)
    return last === undefined ? 0 : last + this.#segmentBytes
  }

  /** The addresses at which segments start, ascending. Not a copy: it changes with the chain. */
  get starts(): readonly number[] {
    return this.#starts
  }

  /** The stretches between segments that no file holds. */
  get gaps(): readonly Gap[] {
    const gaps: Gap[] = []
    for (let at = 1; at < this.#starts.length; at += 1) {
      const from = (this.#starts[at - 1] ?? 0) + this.#segmentBytes
      const to = this.#starts[at] ?? 0
      if (from < to) gaps.push({ from, to })
    }
    return gaps
  }

  /** Files of length zero that a crash left behind: removed if the chain is writable, else ignored. */
  get leftovers(): readonly string[] {
    return this.#leftovers
  }

  /** Whether names have changed that no `flush` has made durable yet. */
  get hasUnflushedNames(): boolean {
    return this.#nameChanges > this.#flushedNameChanges
  }

  /** The file of the segment that starts there, whether or not it exists. */
  pathOf(start: number): string {
    return `${this.directory}/${segmentName(start)}`
  }

  /** Whether a segment holds this address. */
  has(address: number): boolean {
    return this.#indexOf(address) >= 0
  }

  /**
   * Whether the file system says that nothing was ever written from this address to the end of its segment,
   * given that everything before it in the segment was. Saves reading a sparse gigabyte to learn that it is zeros, where
   * the file system's word can be taken for it; elsewhere the answer is no, and one segment at most is read for nothing.
   */
  isHoleFrom(address: number): boolean {
    const start = this.#starts[this.#indexOf(address)]
    if (start === undefined) return true
    const stat = this.#disk.stat(this.pathOf(start))
    const written = address - start
    return stat?.countsData === true && written % ALLOCATION_BYTES === 0 && stat.allocatedBytes <= written
  }

  /** The start of the segment that holds this address, or that would if it existed. */
  startOf(address: number): number {
    byteRange(address, 0, this.directory)
    invariant(this.#segmentBytes > 0, `the segment length of ${this.directory} to be known`)
    const offset = address - this.start
    return this.start + Math.floor(offset / this.#segmentBytes) * this.#segmentBytes
  }

  /**
   * Reads from an address into `target`, never past the end of the segment that holds it.
   *
   * @returns bytes read: fewer than asked at the end of the segment, 0 when no segment holds the address. Holes are zeros
   * @throws {DiskError} when the disk fails
   */
  readAt(target: Uint8Array, address: number): number {
    let within = address - this.#readStart
    if (this.#read === undefined || !(within >= 0 && within < this.#segmentBytes)) {
      byteRange(address, 0, this.directory)
      const start = this.#starts[this.#indexOf(address)]
      if (start === undefined) return 0
      this.#read = this.#files.file(this.pathOf(start), false)
      this.#readStart = start
      within = address - start
    }
    const room = this.#segmentBytes - within
    return this.#read.readAt(target.length <= room ? target : target.subarray(0, room), within)
  }

  /**
   * Writes at an address, across segment ends, creating the segments that are missing.
   *
   * @throws {DiskError} when the disk is full or fails: any prefix may have been written
   * @throws {MessageStoreError} `OFFSET_OVERFLOW` past 2^53 - 1
   */
  writeAt(source: Uint8Array, address: number): void {
    const at = address - this.#writtenStart
    if (this.#written !== undefined && at >= 0 && at + source.length <= this.#segmentBytes) {
      this.#written.writeAt(source, at)
      return
    }
    byteRange(address, source.length, this.directory)
    // Refused before the first byte, not when the last segment turns out to be impossible.
    if (source.length > 0) byteRange(this.startOf(address + source.length - 1), this.#segmentBytes, this.directory)
    for (let done = 0; done < source.length; ) {
      const start = this.startOf(address + done)
      this.create(start)
      this.#written = this.#files.file(this.pathOf(start), true, false, this.#options.keepUnflushed)
      this.#writtenStart = start
      const within = address + done - start
      const length = Math.min(source.length - done, this.#segmentBytes - within)
      this.#written.writeAt(source.subarray(done, done + length), within)
      done += length
    }
  }

  /**
   * Creates the segment that starts there, in full length and sparse. Does nothing if it exists.
   *
   * Its name survives power loss after the next `flush` or `flushDirectory`.
   *
   * @throws {MessageStoreError} `OFFSET_OVERFLOW` past 2^53 - 1
   */
  create(start: number): void {
    if (this.#options.writable && this.#starts[this.#indexOf(start)] === start) return
    this.#checkPlace(start)
    this.#makeDirectory()
    const path = this.pathOf(start)
    const { tmpDirectory } = this.#options
    if (tmpDirectory !== undefined) this.#disk.makeDirectory(tmpDirectory)
    const made = tmpDirectory === undefined ? path : `${tmpDirectory}/segment`
    this.#disk.remove(made)
    const file = this.#disk.open(made, { write: true, create: true })
    try {
      file.resize(this.#segmentBytes)
    } finally {
      file.close()
    }
    if (made !== path) this.#disk.rename(made, path)
    this.#nameChanges += 1
    const after = this.#starts.findIndex((other) => other > start)
    this.#starts.splice(after < 0 ? this.#starts.length : after, 0, start)
  }

  /**
   * Makes [from, to) survive power loss: content and length of the segments it touches, then the names.
   *
   * @throws {DiskError} after which the content of the range is unknown
   */
  async flush(from: number, to: number): Promise<void> {
    const touched = to > from ? this.#starts.filter((start) => start < to && start + this.#segmentBytes > from) : []
    // One after the other: the range rarely touches two, and a prefix is what recovery counts on.
    for (const start of touched) {
      // Retention may have removed it while the one before was flushed.
      if (this.#starts.includes(start))
        await this.#files.file(this.pathOf(start), true, false, this.#options.keepUnflushed).flush()
    }
    await this.flushDirectory()
  }

  /** Makes new, renamed and removed segments survive power loss, if there are any since it was last done. */
  async flushDirectory(): Promise<void> {
    if (!this.hasUnflushedNames) return
    const changes = this.#nameChanges
    const parents = this.#changedParents
    await this.#disk.flushDirectory(this.directory)
    for (const parent of parents) await this.#disk.flushDirectory(parent)
    this.#changedParents = this.#changedParents.filter((parent) => !parents.includes(parent))
    this.#flushedNameChanges = Math.max(this.#flushedNameChanges, changes)
  }

  /** Removes the first segment, for retention. */
  removeFirst(): { start: number; path: string } {
    const start = this.#starts[0]
    invariant(start !== undefined, `a segment in ${this.directory} to remove`)
    return { start, path: this.#remove(start) }
  }

  /**
   * Removes the segments that start at or above an address, last first, so that a crash leaves no gap. Returns their starts,
   * ascending.
   */
  removeFrom(address: number): number[] {
    const removed = this.#starts.filter((start) => start >= address)
    for (const start of removed.toReversed()) this.#remove(start)
    return removed
  }

  /** When the content of a segment last changed, in milliseconds since 1970; 0 when it is absent. */
  modifiedMs(start: number): number {
    return this.#disk.stat(this.pathOf(start))?.modifiedMs ?? 0
  }

  /** Lists the directory again: a reader follows a writer in another process. */
  refresh(): void {
    invariant(!this.#options.writable, `a chain that only reads in ${this.directory}`)
    // Without a segment the length was only a guess: the first one that comes has the right one.
    const known = this.#starts.length > 0 ? this.#segmentBytes : this.#options.segmentBytes
    const { starts, segmentBytes, leftovers } = scanSegments({ ...this.#options, segmentBytes: known })
    this.#segmentBytes = segmentBytes
    for (const gone of this.#starts.filter((start) => !starts.includes(start))) this.#forget(gone)
    this.#starts = starts
    this.#leftovers = leftovers
  }

  #remove(start: number): string {
    const path = this.pathOf(start)
    this.#forget(start)
    this.#disk.remove(path)
    this.#starts.splice(this.#starts.indexOf(start), 1)
    this.#nameChanges += 1
    return path
  }

  #forget(start: number): void {
    if (this.#writtenStart === start) this.#written = undefined
    if (this.#readStart === start) this.#read = undefined
    this.#files.close(this.pathOf(start))
  }

  /** Index in `starts` of the segment that holds an address, or -1. */
  #indexOf(address: number): number {
    // Without gaps the place is known by arithmetic; with them the search begins there and goes down.
    const guess = Math.floor((address - this.start) / this.#segmentBytes)
    for (let at = Math.min(guess, this.#starts.length - 1); at >= 0; at -= 1) {
      const start = this.#starts[at] ?? 0
      if (address >= start) return address < start + this.#segmentBytes ? at : -1
    }
    return -1
  }

  #checkPlace(start: number): void {
    invariant(this.#options.writable, `no write to ${this.directory}, which was opened to be read`)
    invariant(this.#segmentBytes > 0, `the segment length of ${this.directory} to be known`)
    byteRange(start, this.#segmentBytes, this.directory)
    const clash = this.#starts.find((other) => Math.abs(other - start) < this.#segmentBytes)
    invariant(clash === undefined, `a segment of ${this.directory} at ${start} not to overlap the one at ${clash}`)
    const isAligned = this.#starts.length > 0 || start % this.#segmentBytes === 0
    invariant(isAligned, `the first segment of ${this.directory} to start at a multiple of ${this.#segmentBytes}, got ${start}`)
    invariant(
      (this.#disk.stat(this.pathOf(start))?.bytes ?? 0) === 0,
      `no file at ${this.pathOf(start)} behind the back of its chain`,
    )
  }

  /** Creates our directory and notes which parents got a new name by that. */
  #makeDirectory(): void {
    if (this.#isDirectoryKnown) return
    let missing = this.directory
    while (this.#disk.stat(missing) === undefined) {
      const at = missing.lastIndexOf('/')
      const parent = at > 0 ? missing.slice(0, at) : at === 0 ? '/' : '.'
      this.#changedParents.push(parent)
      if (at <= 0) break
      missing = parent
    }
    this.#disk.makeDirectory(this.directory)
    this.#isDirectoryKnown = true
  }
}
