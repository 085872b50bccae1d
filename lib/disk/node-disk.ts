/**
 * The real disk: positioned reads and writes on file descriptors. The only file that imports `node:fs`.
 *
 * Four traps of Node and the system are closed here, so that nobody above has to know them:
 *
 * - `fs.writeSync` with a position that is not a safe integer (`10n`, `NaN`, `-1`, `2 ** 53`) does not
 *   fail: it writes at the current file offset. Every position is checked.
 * - A write to a full disk first returns fewer bytes and no error. Writes go on until all bytes are in
 *   or the error comes out.
 * - A descriptor closed under a running fdatasync may be given to another file, which would then be
 *   synced in its place. Closing a file that is being flushed is refused.
 * - Linux tells once for each descriptor that pages could not be written. Of two fdatasyncs at the same time the one
 *   that should have failed may succeed, because the other was told. They follow each other, and fail with the one before.
 *
 * Links are never followed at the last name of a path, and only regular files are opened: a FIFO or a
 * device put in the place of a segment would hang or divert the store.
 */

import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { InvariantError, shown } from '../base/errors.js'
import { lockDirectory } from './directory-lock.js'
import {
  type DirectoryEntry,
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type DiskSpace,
  type EntryKind,
  type OpenMode,
  type PathStat,
} from './disk.js'
import { countsData } from './hole-count.js'
import { loadNativeLocks } from './native-locks.js'
import { asDiskError, attempt, codeOf, isAbsence } from './os-errors.js'

/** One system call moves less than 2^31 bytes; larger buffers are moved in pieces of this many. */
const maxCallBytes = 2 ** 30

/** Zero where the platform has no such flag (Windows). */
const noFollow = fs.constants.O_NOFOLLOW ?? 0
/** Keeps the open of a FIFO from waiting for its other end; without effect on regular files. */
const nonBlock = fs.constants.O_NONBLOCK ?? 0

/** What can be chosen about the real disk. */
export interface NodeDiskOptions {
  /** Use `fs-ext` for locks when it is installed. @default true */
  readonly nativeLocks?: boolean
}

/** The file system of this machine. */
export class NodeDisk implements Disk {
  readonly #nativeLocks: boolean
  /** By device. */
  readonly #counting = new Map<bigint, boolean>()

  constructor(options: NodeDiskOptions = {}) {
    this.#nativeLocks = options.nativeLocks ?? true
  }

  open(path: string, mode: OpenMode): DiskFile {
    let flags = (mode.write ? fs.constants.O_RDWR : fs.constants.O_RDONLY) | noFollow | nonBlock
    if (mode.create) {
      if (!mode.write) throw new InvariantError(`cannot create ${path} without the right to write`)
      flags |= fs.constants.O_CREAT
    }
    return attempt('open', path, () => {
      const fd = fs.openSync(path, flags, 0o600)
      const kind = kindOf(fs.fstatSync(fd))
      if (kind === 'file') return new NodeFile(path, fd)
      fs.closeSync(fd)
      throw new DiskError(kind === 'directory' ? 'EISDIR' : 'EINVAL', 'open', path)
    })
  }

  stat(path: string): PathStat | undefined {
    return attempt('stat', path, () => {
      let stat: fs.BigIntStats | undefined
      try {
        // An error for each file that is not there would cost five times the call.
        stat = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
      } catch (error) {
        if (isAbsence(error)) return undefined
        throw error
      }
      if (stat === undefined) return undefined
      return {
        kind: kindOf(stat),
        bytes: Number(stat.size),
        allocatedBytes: Number(stat.blocks ?? 0n) * 512,
        countsData: stat.isFile() && this.#countsData(stat.dev, path),
        modifiedMs: Number(stat.mtimeNs / 1_000_000n),
        identity: `${stat.dev}:${stat.ino}`,
      }
    })
  }

  /** Asked once for each file system. */
  #countsData(device: bigint, path: string): boolean {
    let counts = this.#counting.get(device)
    if (counts !== undefined) return counts
    try {
      counts = countsData(fs.statfsSync(path).type)
    } catch {
      // Deleted in this moment, or of a kind that cannot be asked.
      return false
    }
    this.#counting.set(device, counts)
    return counts
  }

  list(path: string): DirectoryEntry[] {
    return attempt('list', path, () => {
      let entries: fs.Dirent[]
      try {
        entries = fs.readdirSync(path, { withFileTypes: true })
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return []
        throw error
      }
      return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) })).sort(byName)
    })
  }

  makeDirectory(path: string): void {
    attempt('makeDirectory', path, () => makeDirectories(path))
  }

  rename(from: string, to: string): void {
    attempt('rename', from, () => fs.renameSync(from, to))
  }

  remove(path: string): void {
    attempt('remove', path, () => {
      try {
        if (fs.lstatSync(path).isDirectory()) fs.rmdirSync(path)
        else fs.unlinkSync(path)
      } catch (error) {
        if (!isAbsence(error)) throw error
      }
    })
  }

  flushDirectory(path: string): Promise<void> {
    // A directory cannot be opened on Windows, where changes of names are durable by themselves.
    if (process.platform === 'win32') return Promise.resolve()
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => reject(asDiskError(error, 'flushDirectory', path))
      fs.open(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, (openError, fd) => {
        if (openError) return fail(openError)
        fs.fsync(fd, (error) => {
          fs.close(fd, (closeError) => (error || closeError ? fail(error ?? closeError) : resolve()))
        })
      })
    })
  }

  space(path: string): DiskSpace {
    return attempt('space', path, () => {
      const stat = fs.statfsSync(path)
      return { totalBytes: stat.blocks * stat.bsize, freeBytes: stat.bavail * stat.bsize }
    })
  }

  async lock(extLockPath: string, javaLockPath: string): Promise<DiskLock | { heldBy: string }> {
    const native = this.#nativeLocks ? await loadNativeLocks() : undefined
    return await lockDirectory(
      {
        disk: this,
        native,
        openDescriptor: (path) =>
          attempt('lock', path, () => {
            const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT | noFollow | nonBlock, 0o600)
            if (fs.fstatSync(fd).isFile()) return fd
            fs.closeSync(fd)
            throw new DiskError('EINVAL', 'lock', path)
          }),
        closeDescriptor: (fd) => fs.closeSync(fd),
        writeIfEmpty: (fd, text) =>
          attempt('lock', javaLockPath, () => {
            if (fs.fstatSync(fd).size === 0) fs.writeSync(fd, text, 0)
          }),
        link: (from, to) => attempt('link', to, () => fs.linkSync(from, to)),
      },
      extLockPath,
      javaLockPath,
    )
  }
}

/** The file system of this machine, with the strongest locks that are installed. */
export const nodeDisk: Disk = new NodeDisk()

/**
 * The bytes of a file that somebody named: a certificate, a configuration. It is none of a store's, so links are followed
 * and pipes are read to their end.
 *
 * @throws {DiskError} when it cannot be read
 */
export function readNamedFile(path: string): Buffer {
  return attempt('read', path, () => fs.readFileSync(path))
}

/** Whether accounts other than the owner's may read or change a file; not where files have no such permissions. */
export function othersMayRead(path: string): boolean {
  return process.platform !== 'win32' && (fs.statSync(path).mode & 0o077) !== 0
}

/** What changes whenever a file that an operator named is written; `undefined` when it cannot be looked at. */
export function versionOf(path: string): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = fs.statSync(path, { bigint: true })
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return undefined
  }
}

class NodeFile implements DiskFile {
  readonly path: string
  readonly #fd: number
  #isOpen = true
  /** Flushes that were asked for and have not ended, and the last of them. */
  #flushes = 0
  #flushing = Promise.resolve()

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  readAt(target: Uint8Array, position: number): number {
    this.#check(position, target.length)
    let done = 0
    try {
      while (done < target.length) {
        const count = fs.readSync(this.#fd, target, done, Math.min(target.length - done, maxCallBytes), position + done)
        if (count === 0) break
        done += count
      }
    } catch (error) {
      throw asDiskError(error, 'read', this.path)
    }
    return done
  }

  writeAt(source: Uint8Array, position: number): void {
    this.#check(position, source.length)
    let done = 0
    try {
      while (done < source.length) {
        const count = fs.writeSync(this.#fd, source, done, Math.min(source.length - done, maxCallBytes), position + done)
        if (count === 0) throw new DiskError('EIO', 'write', this.path)
        done += count
      }
    } catch (error) {
      throw asDiskError(error, 'write', this.path)
    }
  }

  resize(bytes: number): void {
    this.#check(bytes, 0)
    attempt('resize', this.path, () => fs.ftruncateSync(this.#fd, bytes))
  }

  size(): number {
    this.#check(0, 0)
    return attempt('size', this.path, () => fs.fstatSync(this.#fd).size)
  }

  flush(): Promise<void> {
    this.#check(0, 0)
    this.#flushes += 1
    const flushed = this.#flushes === 1 ? this.#sync() : this.#flushing.then(() => this.#sync())
    this.#flushing = flushed.finally(() => {
      this.#flushes -= 1
    })
    return this.#flushing
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => {
        if (error) reject(asDiskError(error, 'flush', this.path))
        else resolve()
      })
    })
  }

  close(): void {
    this.#check(0, 0)
    if (this.#flushes > 0) throw new InvariantError(`${this.path} is closed while it is being flushed`)
    this.#isOpen = false
    attempt('close', this.path, () => fs.closeSync(this.#fd))
  }

  /** A closed descriptor may already be that of another file: using it would write there. */
  #check(position: number, length: number): void {
    if (!this.#isOpen) throw new InvariantError(`${this.path} is used after it was closed`)
    if (!Number.isSafeInteger(position) || position < 0 || position > Number.MAX_SAFE_INTEGER - length) {
      throw new InvariantError(
        `invariant broken: expected a position within 0 .. 2^53 - 1 in ${this.path}, got ${shown(position)}`,
      )
    }
  }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): EntryKind {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  return entry.isSymbolicLink() ? 'link' : 'other'
}

/**
 * A directory and those above it. Node's own way goes round for ever where the system says that the directory above is not
 * there and it is, as below `/proc`.
 */
function makeDirectories(path: string): void {
  try {
    makeOne(path)
  } catch (error) {
    const above = dirname(path)
    if (codeOf(error) !== 'ENOENT' || above === path) throw error
    if (!isDirectory(above)) makeDirectories(above)
    // Also when somebody else has made the one above in this moment.
    makeOne(path)
  }
}

function makeOne(path: string): void {
  try {
    fs.mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Whoever made it meanwhile did our work.
    if (codeOf(error) === 'ENOENT' || !isDirectory(path)) throw error
  }
}

function isDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function byName(a: DirectoryEntry, b: DirectoryEntry): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
