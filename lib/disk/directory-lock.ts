/**
 * Keeps a second store, ours or Java's, off a directory.
 *
 * ```
 *   with fs-ext       flock(ext/lock)  ->  fcntl write lock(lock)     both fall with the process
 *   without, and in
 *   worker threads    ext/lock.N, N one higher than any before        names its holder, may be left behind
 * ```
 *
 * An fcntl lock belongs to the process, and *any* close of the file by the process drops it. So the file
 * that Java locks is opened only by the winner of the flock, and by nothing else (SQLite's "how to corrupt",
 * section 2). A flock belongs to the open file, so two stores of one process exclude one another as well;
 * a registry in memory says so before anything is touched.
 *
 * Every way announces itself before it looks for the others, so two that race may both be refused but
 * never both let in. `/proc/locks` shows who holds what, to name the holder and to see the locks of the
 * other ways.
 */

import { type Disk, DiskError, type DiskLock } from './disk.js'
import { acquireHolderFile, holderFileOwner } from './holder-file.js'

/** The locks of the operating system, as `fs-ext` offers them. */
export interface NativeLocks {
  /** flock(LOCK_EX | LOCK_NB). @throws {DiskError} `EAGAIN` when held */
  flock(fd: number): void
  /** fcntl(F_SETLK, F_WRLCK) on the whole file; rejects with `EAGAIN` or `EACCES` when held. */
  fcntl(fd: number): Promise<void>
}

/** What locking needs beyond the disk: descriptors that stay open, and links. */
export interface LockCalls {
  readonly disk: Disk
  readonly native: NativeLocks | undefined
  /** Opens for reading and writing, creates, never truncates, never follows a link. */
  openDescriptor(path: string): number
  closeDescriptor(fd: number): void
  writeIfEmpty(fd: number, text: string): void
  /** Gives a file a second name. @throws {DiskError} `EEXIST` when the name is taken */
  link(from: string, to: string): void
}

/** Directories locked by this thread, by identity. */
const held = new Set<string>()

/** Locks a store directory; see `Disk.lock`. @throws {DiskError} when the lock files cannot be used, `ELOOP` for links */
export async function lockDirectory(
  calls: LockCalls,
  extLockPath: string,
  javaLockPath: string,
): Promise<DiskLock | { heldBy: string }> {
  const directory = parentOf(extLockPath)
  refuseLinks(calls.disk, [directory, extLockPath, javaLockPath])
  // Whoever can be seen to hold it is given way to before the first byte is written.
  const seen =
    posixHolder(calls.disk, javaLockPath) ?? flockHolder(calls.disk, extLockPath) ?? holderFileOwner(calls.disk, extLockPath)
  if (seen !== undefined) return { heldBy: seen }
  calls.disk.makeDirectory(directory)
  const identity = calls.disk.stat(directory)?.identity
  if (identity === undefined) throw new DiskError('ENOENT', 'lock', directory)
  if (held.has(identity)) return { heldBy: 'this process' }
  held.add(identity)
  try {
    const lock = await (calls.native
      ? nativeLock(calls, calls.native, extLockPath, javaLockPath)
      : fileLock(calls, extLockPath, javaLockPath))
    if ('heldBy' in lock) {
      held.delete(identity)
      return lock
    }
    return onceReleased(lock, () => held.delete(identity))
  } catch (error) {
    held.delete(identity)
    throw error
  }
}

async function nativeLock(
  calls: LockCalls,
  native: NativeLocks,
  extLockPath: string,
  javaLockPath: string,
): Promise<DiskLock | { heldBy: string }> {
  const descriptors: number[] = []
  const release = () => {
    for (const fd of descriptors.splice(0).reverse()) calls.closeDescriptor(fd)
  }
  const refuse = (heldBy: string) => {
    release()
    return { heldBy }
  }
  try {
    const extLock = calls.openDescriptor(extLockPath)
    descriptors.push(extLock)
    if (!(await won(() => native.flock(extLock)))) return refuse(flockHolder(calls.disk, extLockPath) ?? 'another process')
    const owner = holderFileOwner(calls.disk, extLockPath)
    if (owner !== undefined) return refuse(owner)
    const java = posixHolder(calls.disk, javaLockPath)
    if (java !== undefined) return refuse(java)
    const javaLock = calls.openDescriptor(javaLockPath)
    descriptors.push(javaLock)
    if (!(await won(() => native.fcntl(javaLock)))) return refuse(posixHolder(calls.disk, javaLockPath) ?? 'another process')
    calls.writeIfEmpty(javaLock, 'lock')
    return { kind: 'flock+fcntl', release }
  } catch (error) {
    release()
    throw error
  }
}

async function fileLock(calls: LockCalls, extLockPath: string, javaLockPath: string): Promise<DiskLock | { heldBy: string }> {
  const holder = acquireHolderFile(calls, extLockPath)
  if ('heldBy' in holder) return holder
  // Looked at again now that our own file is there to be seen.
  const late = flockHolder(calls.disk, extLockPath) ?? posixHolder(calls.disk, javaLockPath)
  if (late === undefined) return { kind: 'exclusive-file', release: holder.release }
  holder.release()
  return { heldBy: late }
}

/** Whether a lock was free. */
async function won(attempt: () => Promise<void> | void): Promise<boolean> {
  try {
    await attempt()
    return true
  } catch (error) {
    if (error instanceof DiskError && ['EAGAIN', 'EACCES', 'EWOULDBLOCK'].includes(error.code)) return false
    throw error
  }
}

function onceReleased(lock: DiskLock, after: () => void): DiskLock {
  let isHeld = true
  return {
    kind: lock.kind,
    release() {
      if (!isHeld) return
      isHeld = false
      lock.release()
      after()
    },
  }
}

/** A link in the place of a lock would lock something else, or create a file where its author wants it. */
function refuseLinks(disk: Disk, paths: readonly string[]): void {
  for (const path of paths) {
    if (disk.stat(path)?.kind === 'link') throw new DiskError('ELOOP', 'lock', path)
  }
}

function parentOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at > 0 ? path.slice(0, at) : at === 0 ? '/' : '.'
}

const flockHolder = (disk: Disk, path: string) => kernelHolder(disk, path, 'FLOCK')
const posixHolder = (disk: Disk, path: string) => kernelHolder(disk, path, 'POSIX')

/**
 * Who holds a lock on a file, from `/proc/locks`: lines such as `1: POSIX  ADVISORY  WRITE 2110 fe:00:246947 0 EOF`.
 * Waiters, marked `->`, hold nothing. Undefined when nobody does or the system does not tell.
 */
function kernelHolder(disk: Disk, path: string, kind: 'FLOCK' | 'POSIX'): string | undefined {
  const stat = disk.stat(path)
  const locks = stat === undefined ? undefined : readSystemFile(disk, '/proc/locks')
  if (stat === undefined || locks === undefined) return undefined
  const [device = '0', inode] = stat.identity.split(':')
  const file = `${deviceName(BigInt(device))}:${inode}`
  for (const line of locks.split('\n')) {
    const [, lockKind, , , pid, locked] = line.trim().split(/\s+/)
    if (lockKind === kind && locked === file) return Number(pid) === process.pid ? 'this process' : `process ${pid}`
  }
  return undefined
}

/** A device number as `/proc/locks` prints it: major and minor in hexadecimal, two digits or more. */
function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn)
  const hex = (value: bigint) => value.toString(16).padStart(2, '0')
  return `${hex(major)}:${hex(minor)}`
}

/** The text of a file of `/proc`, whose length is not told beforehand; undefined when there is none. */
export function readSystemFile(disk: Disk, path: string): string | undefined {
  try {
    const file = disk.open(path, {})
    try {
      const chunks: Uint8Array[] = []
      for (let position = 0; ; ) {
        const chunk = new Uint8Array(16_384)
        const count = file.readAt(chunk, position)
        chunks.push(chunk.subarray(0, count))
        position += count
        if (count < chunk.length) return Buffer.concat(chunks).toString('utf8')
      }
    } finally {
      file.close()
    }
  } catch (error) {
    if (error instanceof DiskError) return undefined
    throw error
  }
}
