/**
 * A disk in memory, with the semantics of the real one: for tests, and for stores that need not outlive
 * their process.
 *
 * Files are sparse, so a 1 GiB segment takes what was written to it. A snapshot is cheap and can be
 * restored any number of times. Nothing is ever lost here; what power loss does is the tests' `SimDisk`.
 */

import { InvariantError, shown } from '../base/errors.js'
import type { Clock } from '../base/system.js'
import {
  type DirectoryEntry,
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type DiskSpace,
  type OpenMode,
  type PathStat,
} from './disk.js'
import { MemoryDirectory, MemoryFile, MemoryLink, MemoryTree, namesOf } from './memory-tree.js'
import { PagedBytes, pageBytes } from './paged-bytes.js'

/** What can be chosen about a disk in memory. */
export interface MemoryDiskOptions {
  /** Gives files their time of change. Without it that time is 0. */
  readonly clock?: Pick<Clock, 'now'>
  /** Space for pages of 4096 bytes; a write past it fails with `ENOSPC` after a prefix. @default 1 TiB */
  readonly capacityBytes?: number
  /** What is on it from the start; used as it is, not copied. */
  readonly tree?: MemoryTree
}

/** The state of a {@link MemoryDisk} at one moment; see `snapshot`. */
export interface MemorySnapshot {
  readonly tree: MemoryTree
}

/** A file system in memory. */
export class MemoryDisk implements Disk {
  /** Bytes that files may take together. May be changed at any time. */
  capacityBytes: number
  readonly #clock: Pick<Clock, 'now'>
  readonly #locks = new Set<string>()
  #tree: MemoryTree
  #usedBytes = 0

  constructor(options: MemoryDiskOptions = {}) {
    this.#clock = options.clock ?? { now: () => 0 }
    this.capacityBytes = options.capacityBytes ?? 2 ** 40
    this.#tree = options.tree ?? new MemoryTree()
    this.#countUsed()
  }

  /** The names and files as they are now. Whoever changes them changes the disk. */
  get tree(): MemoryTree {
    return this.#tree
  }

  /** Bytes that the pages of all files take. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  open(path: string, mode: OpenMode): DiskFile {
    if (mode.create && !mode.write) throw new InvariantError(`cannot create ${path} without the right to write`)
    const { directory, name } = this.#tree.parentOf(path, 'open')
    let node = directory.entries.get(name)
    if (node === undefined) {
      if (!mode.create) throw new DiskError('ENOENT', 'open', path)
      node = new MemoryFile(this.#tree.takeSerial(), new PagedBytes(), this.#clock.now())
      directory.entries.set(name, node)
    }
    if (node instanceof MemoryLink) throw new DiskError('ELOOP', 'open', path)
    if (node instanceof MemoryDirectory) throw new DiskError('EISDIR', 'open', path)
    return new OpenMemoryFile(this, path, node, mode.write ?? false)
  }

  stat(path: string): PathStat | undefined {
    const node = this.#tree.find(path)
    if (node === undefined) return undefined
    const content = node instanceof MemoryFile ? node.content : undefined
    return {
      kind: node.kind,
      bytes: content?.size ?? 0,
      allocatedBytes: content?.allocatedBytes ?? 0,
      countsData: true,
      modifiedMs: node.modifiedMs,
      identity: `memory:${node.serial}`,
    }
  }

  list(path: string): DirectoryEntry[] {
    const node = this.#tree.find(path)
    if (node === undefined) return []
    if (!(node instanceof MemoryDirectory)) throw new DiskError('ENOTDIR', 'list', path)
    return this.#tree.list(node)
  }

  makeDirectory(path: string): void {
    let directory = this.#tree.root
    for (const name of namesOf(path)) {
      let node = directory.entries.get(name)
      if (node === undefined) {
        node = new MemoryDirectory(this.#tree.takeSerial(), new Map(), this.#clock.now())
        directory.entries.set(name, node)
      }
      if (!(node instanceof MemoryDirectory)) throw new DiskError('ENOTDIR', 'makeDirectory', path)
      directory = node
    }
  }

  rename(from: string, to: string): void {
    const source = this.#tree.parentOf(from, 'rename')
    const target = this.#tree.parentOf(to, 'rename')
    const node = source.directory.entries.get(source.name)
    if (node === undefined) throw new DiskError('ENOENT', 'rename', from)
    const replaced = target.directory.entries.get(target.name)
    if (replaced === node) return
    if (replaced instanceof MemoryDirectory)
      throw new DiskError(node instanceof MemoryDirectory ? 'ENOTEMPTY' : 'EISDIR', 'rename', from)
    target.directory.entries.set(target.name, node)
    source.directory.entries.delete(source.name)
    if (replaced instanceof MemoryFile) this.#usedBytes -= replaced.content.allocatedBytes
  }

  remove(path: string): void {
    const node = this.#tree.find(path)
    if (node === undefined) return
    if (node instanceof MemoryDirectory && node.entries.size > 0) throw new DiskError('ENOTEMPTY', 'remove', path)
    const { directory, name } = this.#tree.parentOf(path, 'remove')
    directory.entries.delete(name)
    if (node instanceof MemoryFile) this.#usedBytes -= node.content.allocatedBytes
  }

  async flushDirectory(path: string): Promise<void> {
    this.#tree.directory(path, 'flushDirectory')
  }

  space(path: string): DiskSpace {
    if (this.#tree.find(path) === undefined) throw new DiskError('ENOENT', 'space', path)
    return { totalBytes: this.capacityBytes, freeBytes: Math.max(0, this.capacityBytes - this.#usedBytes) }
  }

  async lock(extLockPath: string, _javaLockPath: string): Promise<DiskLock | { heldBy: string }> {
    const parent = namesOf(extLockPath).slice(0, -1).join('/')
    for (const path of [parent, extLockPath]) {
      if (this.stat(path)?.kind === 'link') throw new DiskError('ELOOP', 'lock', path)
    }
    this.makeDirectory(parent)
    const key = namesOf(extLockPath).join('/')
    if (this.#locks.has(key)) return { heldBy: 'this process' }
    this.#locks.add(key)
    let isHeld = true
    return {
      kind: 'memory',
      release: () => {
        if (isHeld) this.#locks.delete(key)
        isHeld = false
      },
    }
  }

  /** Remembers everything on the disk, in a time that grows with the number of files, not with their bytes. */
  snapshot(): MemorySnapshot {
    return { tree: this.#tree.copy() }
  }

  /** Goes back to a snapshot, which stays usable. Files that are open keep the content they had. */
  restore(snapshot: MemorySnapshot): void {
    this.#tree = snapshot.tree.copy()
    this.#countUsed()
  }

  /** The paths of all files, sorted. */
  files(): string[] {
    return [...this.#tree.files()].map(({ path }) => path)
  }

  /** A copy of the bytes of a file, or of a part of it. @throws {DiskError} `ENOENT` */
  bytesOf(path: string, from = 0, to?: number): Uint8Array {
    const { content } = this.fileAt(path)
    const bytes = new Uint8Array(Math.max(0, Math.min(to ?? content.size, content.size) - from))
    content.read(bytes, from)
    return bytes
  }

  /** Changes bytes of a file behind the back of whoever has it open. Its time of change stays. */
  overwrite(path: string, position: number, bytes: Uint8Array): void {
    const { content } = this.fileAt(path)
    this.#usedBytes += content.newPages(position, bytes.length) * pageBytes
    content.write(bytes, position)
  }

  /** Puts a symbolic link there, for tests of its refusal. */
  placeLink(path: string): void {
    const { directory, name } = this.#tree.parentOf(path, 'placeLink')
    directory.entries.set(name, new MemoryLink(this.#tree.takeSerial(), this.#clock.now()))
  }

  /** The file at a path. @throws {DiskError} `ENOENT` */
  fileAt(path: string): MemoryFile {
    const node = this.#tree.find(path)
    if (node instanceof MemoryFile) return node
    throw new DiskError('ENOENT', 'open', path)
  }

  /** Writes to a file within the capacity. @throws {DiskError} `ENOSPC` after the prefix that found room */
  writeTo(file: MemoryFile, path: string, source: Uint8Array, position: number): void {
    const { content } = file
    const fitting = this.roomFor(file, source.length, position)
    const before = content.allocatedBytes
    content.write(fitting === source.length ? source : source.subarray(0, fitting), position)
    this.#usedBytes += content.allocatedBytes - before
    file.modifiedMs = this.#clock.now()
    if (fitting < source.length) throw new DiskError('ENOSPC', 'write', path)
  }

  /** How many of the bytes of a write find room: those in pages that exist, and as many new pages as fit. */
  roomFor(file: MemoryFile, length: number, position: number): number {
    const { content } = file
    let room = Math.floor((this.capacityBytes - this.#usedBytes) / pageBytes)
    if (content.newPages(position, length) <= room) return length
    let at = position
    while (at < position + length) {
      if (!content.hasPageAt(at)) room -= 1
      if (room < 0) break
      at = (Math.floor(at / pageBytes) + 1) * pageBytes
    }
    return Math.min(length, at - position)
  }

  /** Sets the length of a file. */
  resizeFile(file: MemoryFile, bytes: number): void {
    const before = file.content.allocatedBytes
    file.content.resize(bytes)
    this.#usedBytes += file.content.allocatedBytes - before
    file.modifiedMs = this.#clock.now()
  }

  #countUsed(): void {
    this.#usedBytes = usedBytesOf(this.#tree.root)
  }
}

/** Plain recursion: a simulation makes a disk for each of a million crashes. */
function usedBytesOf(directory: MemoryDirectory): number {
  let bytes = 0
  for (const node of directory.entries.values()) {
    if (node instanceof MemoryFile) bytes += node.content.allocatedBytes
    else if (node instanceof MemoryDirectory) bytes += usedBytesOf(node)
  }
  return bytes
}

class OpenMemoryFile implements DiskFile {
  readonly path: string
  readonly #disk: MemoryDisk
  readonly #file: MemoryFile
  readonly #mayWrite: boolean
  #isOpen = true
  #flushes = 0

  constructor(disk: MemoryDisk, path: string, file: MemoryFile, mayWrite: boolean) {
    this.#disk = disk
    this.path = path
    this.#file = file
    this.#mayWrite = mayWrite
  }

  readAt(target: Uint8Array, position: number): number {
    this.#check(position, target.length)
    return this.#file.content.read(target, position)
  }

  writeAt(source: Uint8Array, position: number): void {
    this.#check(position, source.length)
    if (!this.#mayWrite) throw new DiskError('EBADF', 'write', this.path)
    this.#disk.writeTo(this.#file, this.path, source, position)
  }

  resize(bytes: number): void {
    this.#check(bytes, 0)
    if (!this.#mayWrite) throw new DiskError('EINVAL', 'resize', this.path)
    this.#disk.resizeFile(this.#file, bytes)
  }

  size(): number {
    this.#check(0, 0)
    return this.#file.content.size
  }

  async flush(): Promise<void> {
    this.#check(0, 0)
    this.#flushes += 1
    await null
    this.#flushes -= 1
  }

  close(): void {
    this.#check(0, 0)
    if (this.#flushes > 0) throw new InvariantError(`${this.path} is closed while it is being flushed`)
    this.#isOpen = false
  }

  #check(position: number, length: number): void {
    if (!this.#isOpen) throw new InvariantError(`${this.path} is used after it was closed`)
    if (!Number.isSafeInteger(position) || position < 0 || position > Number.MAX_SAFE_INTEGER - length) {
      throw new InvariantError(
        `invariant broken: expected a position within 0 .. 2^53 - 1 in ${this.path}, got ${shown(position)}`,
      )
    }
  }
}
