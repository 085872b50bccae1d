/**
 * The Disk port: the one seam between the store and the file system.
 *
 * Twelve verbs, no caching, no policy. `NodeDisk` is the real one, `MemoryDisk` keeps files in memory,
 * and the tests' `SimDisk` adds what physics adds: unsynced bytes that vanish, names that were never
 * synced, torn writes, a disk that is full.
 *
 * Reads, writes and changes of names are synchronous, as in SQLite: they go to the page cache in
 * microseconds, where a trip through the thread pool costs ten times that. What waits for hardware
 * (`flush`, `flushDirectory`) is asynchronous and leaves the event loop free.
 *
 * Paths are absolute, or relative to the process, with `/`. A failing verb throws a `DiskError`.
 */

/** What went wrong, in the words of the operating system (`ENOSPC`, `EIO`, `ENOENT`, ...). */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: string
  readonly operation: string
  readonly path: string

  constructor(code: string, operation: string, path: string, cause?: unknown) {
    super(`${code}: ${operation} ${path}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.operation = operation
    this.path = path
  }

  /** Whether it failed for want of space: a full disk, a full quota, or no more inodes. */
  get isSpace(): boolean {
    return this.code === 'ENOSPC' || this.code === 'EDQUOT' || this.code === 'EFBIG'
  }
}

/** An entry of a directory. */
export interface DirectoryEntry {
  /** Its name in the directory. */
  readonly name: string
  /** What the name stands for. */
  readonly kind: EntryKind
}

/** What a name stands for. Links are never followed. */
export type EntryKind = 'file' | 'directory' | 'link' | 'other'

/** What is known of a path without opening it. */
export interface PathStat {
  /** What the path stands for. */
  readonly kind: EntryKind
  /** Length of a file in bytes; holes count. */
  readonly bytes: number
  /** Bytes that the file really takes on the disk. */
  readonly allocatedBytes: number
  /**
   * Whether data never takes less than its length, so that `allocatedBytes` tells holes. It may where a file system
   * compresses: then holes are read. @default false
   */
  readonly countsData?: boolean
  /** Time of the last change of content, milliseconds since 1970. */
  readonly modifiedMs: number
  /** Names the same file by whatever path: device and inode. */
  readonly identity: string
}

/** Space of the file system that holds a path. */
export interface DiskSpace {
  /** Bytes in all, used and free. */
  readonly totalBytes: number
  /** What is left to this user. */
  readonly freeBytes: number
}

/** How to open a file. */
export interface OpenMode {
  /** Without it the file can only be read. */
  readonly write?: boolean
  /** Create the file if it is not there (needs `write`). The name survives a crash only after `flushDirectory`. */
  readonly create?: boolean
}

/** An open file. Positions are bytes from its start and must be safe integers, zero or more. */
export interface DiskFile {
  /** Where it was opened. */
  readonly path: string
  /** Reads into `target` and returns how many bytes it got: fewer than asked only at the end of the file. */
  readAt(target: Uint8Array, position: number): number
  /** Writes all of `source`, growing the file if need be, or throws. A throw may leave any prefix of it written. */
  writeAt(source: Uint8Array, position: number): void
  /** Sets the length. New bytes are zeros and take no space. */
  resize(bytes: number): void
  /** Current length in bytes. */
  size(): number
  /** Makes content and length survive power loss (fdatasync). After a rejection the content is unknown. */
  flush(): Promise<void>
  /** Closes the file. Nothing else may be called after it. */
  close(): void
}

/** A lock on a store directory, held until released or until the process ends. */
export interface DiskLock {
  /** How strongly the directory is guarded; see docs/architecture.md. */
  readonly kind: 'flock+fcntl' | 'exclusive-file' | 'memory'
  /** Lets others in. May be called again. */
  release(): void
}

/** The file system as the store sees it. */
export interface Disk {
  /** Opens a file. @throws {DiskError} `ENOENT` when absent and `create` was not asked for, `ELOOP` for a link */
  open(path: string, mode: OpenMode): DiskFile
  /** What is at `path`, or `undefined` when there is nothing. Does not follow a link. */
  stat(path: string): PathStat | undefined
  /** The entries of a directory, sorted by name; empty when the directory is absent. */
  list(path: string): DirectoryEntry[]
  /** Creates a directory and its missing parents, mode 0700. Existing ones are kept. */
  makeDirectory(path: string): void
  /** Renames a file, replacing the target atomically. */
  rename(from: string, to: string): void
  /** Removes a file or an empty directory. Absent is fine. */
  remove(path: string): void
  /** Makes creations, renames and removals in a directory survive power loss. */
  flushDirectory(path: string): Promise<void>
  /** Space of the file system that holds `path`. */
  space(path: string): DiskSpace
  /**
   * Locks a store directory against every other mqlite and every Java store.
   *
   * `extLockPath` is locked first with flock(2); only its winner touches `javaLockPath`, which RocketMQ
   * locks with an fcntl record lock: any close of that file by this process would drop the lock.
   *
   * @returns the lock, or a word on who holds it
   */
  lock(extLockPath: string, javaLockPath: string): Promise<DiskLock | { heldBy: string }>
}
