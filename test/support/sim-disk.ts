/**
 * A disk with physics: what was not flushed may vanish at a crash, in part and in any order.
 *
 * ```
 *   workload -> SimDisk -> what the process sees (a MemoryDisk)
 *                  |-----> what is durable, and what is under way (Durability)
 *                  crash() -> another SimDisk: one of the states in which the disk may be found
 * ```
 *
 * `crash` changes nothing, so many crashes can be taken of one moment, most conveniently in the hook that
 * runs before every operation. `kill` ends the process but not the machine: nothing is lost.
 */

import { InvariantError } from '../../lib/base/errors.js'
import {
  type DirectoryEntry,
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type DiskSpace,
  type OpenMode,
  type PathStat,
} from '../../lib/disk/disk.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { MemoryDirectory, type MemoryFile, type MemoryTree, namesOf } from '../../lib/disk/memory-tree.js'
import { type Chooser, type Random, randomChooser } from './random.js'
import { type CrashModel, Durability } from './sim-durability.js'
import { type Fault, Faults, type OperationKind } from './sim-faults.js'

/** What can be chosen about a simulated disk. */
export interface SimDiskOptions {
  /** Wall clock for times of change. Without it they are 0. */
  readonly clock?: { now(): number }
  /** Space for pages of 4096 bytes; past it a write leaves a prefix and fails with `ENOSPC`. */
  readonly capacityBytes?: number
  /** What is on the disk, all of it durable. */
  readonly tree?: MemoryTree
  /** Keep a line for each operation in `trace`. */
  readonly trace?: boolean
}

/** Which crash to take. Without `random` or `choose` nothing pending survives. */
export interface CrashOptions extends Partial<CrashModel> {
  readonly random?: Random
  readonly choose?: Chooser
}

const empty = new Uint8Array(0)
const nothing: Chooser = { choose: () => 0 }

/** A disk in memory that loses, tears and fails as real ones do. */
export class SimDisk implements Disk {
  /** Runs before every operation; `index` counts operations from 0. What it throws, the operation throws. */
  onOperation: ((kind: OperationKind, path: string, index: number) => void) | undefined
  /** Flushes report success and do nothing: the suite must notice. */
  isLying = false
  /** How long a flush takes. At least one turn of the microtask queue passes in any case. */
  flushLatency: (() => Promise<void>) | undefined
  readonly faults = new Faults()
  /** Lines such as `12 write /log/0 4096+512`, when asked for. */
  readonly trace: string[] = []
  readonly #options: SimDiskOptions
  readonly #live: MemoryDisk
  readonly #durability: Durability
  #operationCount = 0
  #isPoweredOff = false
  #handles = 0

  constructor(options: SimDiskOptions = {}, durability = new Durability()) {
    this.#options = options
    this.#live = new MemoryDisk(options)
    this.#durability = durability
  }

  /**
   * What the process sees, past faults and hooks: for looking at files and for damaging them. Changes made there are durable only
   * in files without pending writes.
   */
  get live(): MemoryDisk {
    return this.#live
  }

  /** Operations so far. */
  get operationCount(): number {
    return this.#operationCount
  }

  /** Grows with everything that changes what a crash now would leave. */
  get changeCount(): number {
    return this.#durability.changeCount
  }

  /** Files that are open. */
  get openHandles(): number {
    return this.#handles
  }

  /** Notes that a file was opened or closed. For {@link SimFile}. */
  countHandle(by: 1 | -1): void {
    this.#handles += by
  }

  /** Changes that a crash may take back. 0 means that every crash gives the same disk. */
  get pendingCount(): number {
    return this.#durability.pendingCount
  }

  /** The space of the disk; may be lowered below what is used. */
  set capacityBytes(bytes: number) {
    this.#live.capacityBytes = bytes
  }

  /** A state in which the disk may be found after power loss now. */
  crash(options: CrashOptions = {}): SimDisk {
    const { random, choose: _, ...model } = options
    const chooser = options.choose ?? (random === undefined ? nothing : randomChooser(random))
    const preset = { sectorBytes: 512, directories: 'ordered', newArea: 'zeros' } as const
    const tree = this.#durability.crash(this.#live.tree, { ...preset, ...model }, chooser, random)
    return new SimDisk({ ...this.#options, capacityBytes: this.#live.capacityBytes, tree })
  }

  /** Ends the process: this disk refuses everything from now on, and the one returned is what the next process finds. */
  kill(): SimDisk {
    this.powerOff()
    return new SimDisk({ ...this.#options, capacityBytes: this.#live.capacityBytes, tree: this.#live.tree }, this.#durability)
  }

  /** Refuses everything from now on with `EIO`, flushes under way included. */
  powerOff(): void {
    this.#isPoweredOff = true
  }

  /** Makes everything durable, without operations, hooks and faults. */
  settle(): void {
    for (const { file } of this.#live.tree.files()) this.#durability.flushFile(file, Number.POSITIVE_INFINITY)
    const settleNames = (directory: MemoryDirectory) => {
      this.#durability.flushNames(directory, Number.POSITIVE_INFINITY)
      for (const node of directory.entries.values()) if (node instanceof MemoryDirectory) settleNames(node)
    }
    settleNames(this.#live.tree.root)
  }

  /** Drops the page cache of one file or all: clean pages are read from the disk again, which shows what a failed flush lost. */
  evict(path?: string): void {
    const files = path === undefined ? [...this.#live.tree.files()].map(({ file }) => file) : [this.#live.fileAt(path)]
    for (const file of files) file.content = this.#durability.evicted(file) ?? file.content
  }

  /** Flips bits of one byte on the disk, and in the cache unless told to leave that alone. */
  rot(path: string, position: number, mask: number, andCache = true): void {
    const file = this.#live.fileAt(path)
    const durable = this.#durability.durableContent(file)
    const contents = durable === file.content || !andCache ? [durable] : [durable, file.content]
    for (const content of contents) {
      const byte = new Uint8Array(1)
      content.read(byte, position)
      byte[0] = (byte[0] ?? 0) ^ mask
      content.write(byte, position)
    }
  }

  /** Arms a fault; see {@link Fault}. */
  inject(fault: Fault): Fault {
    return this.faults.add(fault)
  }

  open(path: string, mode: OpenMode): DiskFile {
    const isNew = mode.create === true && mode.write === true && this.#live.stat(path) === undefined
    this.enter(isNew ? 'create' : 'open', path)
    if (!isNew) return new SimFile(this, this.#live.open(path, mode), this.#live.fileAt(path), mode.write ?? false)
    const place = this.#live.tree.parentOf(path, 'open')
    const inner = this.#live.open(path, mode)
    const file = this.#live.fileAt(path)
    this.#durability.names([{ ...place, node: file, previous: undefined }])
    return new SimFile(this, inner, file, true)
  }

  stat(path: string): PathStat | undefined {
    this.enter('stat', path)
    return this.#live.stat(path)
  }

  list(path: string): DirectoryEntry[] {
    this.enter('list', path)
    return this.#live.list(path)
  }

  makeDirectory(path: string): void {
    let sofar = ''
    for (const name of namesOf(path)) {
      const parent = this.#live.tree.directory(sofar, 'makeDirectory', path)
      sofar += `/${name}`
      if (parent.entries.has(name)) continue
      this.enter('makeDirectory', sofar)
      this.#live.makeDirectory(sofar)
      this.#durability.names([{ directory: parent, name, node: parent.entries.get(name), previous: undefined }])
    }
    this.#live.makeDirectory(path)
  }

  rename(from: string, to: string): void {
    this.enter('rename', from, `-> ${to}`)
    const source = this.#live.tree.parentOf(from, 'rename')
    const target = this.#live.tree.parentOf(to, 'rename')
    const node = source.directory.entries.get(source.name)
    const replaced = target.directory.entries.get(target.name)
    this.#live.rename(from, to)
    if (replaced === node) return
    this.#durability.names([
      { ...target, node, previous: replaced },
      { ...source, node: undefined, previous: node },
    ])
  }

  remove(path: string): void {
    this.enter('remove', path)
    const previous = this.#live.tree.find(path)
    if (previous === undefined) return
    const place = this.#live.tree.parentOf(path, 'remove')
    this.#live.remove(path)
    this.#durability.names([{ ...place, node: undefined, previous }])
  }

  async flushDirectory(path: string): Promise<void> {
    this.enter('flushDirectory', path)
    const directory = this.#live.tree.directory(path, 'flushDirectory')
    const sequence = this.#durability.sequence
    await this.#wait()
    this.#refuseWithoutPower('flushDirectory', path)
    this.faults.check('flushDirectory', path)
    if (!this.isLying) this.#durability.flushNames(directory, sequence)
  }

  space(path: string): DiskSpace {
    this.enter('space', path)
    return this.#live.space(path)
  }

  lock(extLockPath: string, javaLockPath: string): Promise<DiskLock | { heldBy: string }> {
    this.enter('lock', extLockPath)
    return this.#live.lock(extLockPath, javaLockPath)
  }

  /** Every operation comes through here before it does anything. For {@link SimFile}. */
  enter(kind: OperationKind, path: string, detail = ''): void {
    this.#refuseWithoutPower(kind, path)
    const index = this.#operationCount
    this.#operationCount += 1
    if (this.#options.trace) this.trace.push(`${index} ${kind} ${path} ${detail}`.trimEnd())
    this.onOperation?.(kind, path, index)
    this.#refuseWithoutPower(kind, path)
    // A write fails with part of it done, and a flush when the hardware has been asked: see there.
    if (kind !== 'write' && kind !== 'flush' && kind !== 'flushDirectory') this.faults.check(kind, path)
  }

  /** Writes with faults and within the space there is. For {@link SimFile}. */
  write(file: MemoryFile, path: string, source: Uint8Array, position: number): void {
    const fault = this.faults.take('write', path)
    const room = this.#live.roomFor(file, source.length, position)
    const fitting = Math.min(room, fault?.code === undefined ? source.length : (fault.partialBytes ?? 0))
    const part = fitting >= source.length ? source : source.subarray(0, fitting)
    if (part.length > 0) {
      const onDisk =
        fault?.effect === 'lose'
          ? { isLost: true }
          : { position: fault?.effect === 'misdirect' ? (fault.position ?? 0) : position }
      this.#durability.write(file, position, part, onDisk)
      this.#live.writeTo(file, path, part, position)
    }
    if (fault?.code !== undefined) throw new DiskError(fault.code, 'write', path)
    if (part.length < source.length) throw new DiskError('ENOSPC', 'write', path)
  }

  /** Sets a length. For {@link SimFile}. */
  resize(file: MemoryFile, bytes: number): void {
    if (bytes === file.content.size) return
    this.#durability.resize(file, bytes)
    this.#live.resizeFile(file, bytes)
  }

  /** Flushes a file: fails as fsync does, which is once, leaving the pages clean. For {@link SimFile}. */
  async flush(file: MemoryFile, path: string): Promise<void> {
    const sequence = this.#durability.sequence
    await this.#wait()
    this.#refuseWithoutPower('flush', path)
    const fault = this.faults.take('flush', path)
    if (fault?.code !== undefined) {
      this.#durability.failFile(file, sequence)
      throw new DiskError(fault.code, 'flush', path)
    }
    if (!this.isLying) this.#durability.flushFile(file, sequence)
  }

  async #wait(): Promise<void> {
    await this.flushLatency?.()
  }

  #refuseWithoutPower(kind: OperationKind, path: string): void {
    if (this.#isPoweredOff) throw new DiskError('EIO', kind, path)
  }
}

/** An open file of a {@link SimDisk}. */
class SimFile implements DiskFile {
  readonly path: string
  readonly #disk: SimDisk
  /** Checks positions, rights and use after close; reads. */
  readonly #inner: DiskFile
  readonly #file: MemoryFile
  readonly #mayWrite: boolean
  #flushes = 0

  constructor(disk: SimDisk, inner: DiskFile, file: MemoryFile, mayWrite: boolean) {
    this.path = inner.path
    this.#disk = disk
    this.#inner = inner
    this.#file = file
    this.#mayWrite = mayWrite
    disk.countHandle(1)
  }

  readAt(target: Uint8Array, position: number): number {
    this.#disk.enter('read', this.path)
    return this.#inner.readAt(target, position)
  }

  writeAt(source: Uint8Array, position: number): void {
    this.#disk.enter('write', this.path, `${position}+${source.length}`)
    // Makes every check of a write.
    this.#inner.writeAt(empty, position)
    this.#inner.writeAt(empty, position + source.length)
    this.#disk.write(this.#file, this.path, source, position)
  }

  resize(bytes: number): void {
    this.#disk.enter('resize', this.path, String(bytes))
    this.#inner.readAt(empty, bytes)
    if (!this.#mayWrite) throw new DiskError('EINVAL', 'resize', this.path)
    this.#disk.resize(this.#file, bytes)
  }

  size(): number {
    this.#disk.enter('size', this.path)
    return this.#inner.size()
  }

  async flush(): Promise<void> {
    this.#disk.enter('flush', this.path)
    this.#inner.size()
    this.#flushes += 1
    try {
      await this.#disk.flush(this.#file, this.path)
    } finally {
      this.#flushes -= 1
    }
  }

  close(): void {
    if (this.#flushes > 0) throw new InvariantError(`${this.path} is closed while it is being flushed`)
    this.#inner.close()
    this.#disk.countHandle(-1)
  }
}
