/**
 * What a writer in another process does to a disk while a reader looks: all of it at once, between two operations of the
 * reader, with files that grow, are replaced and go as they do on a real disk.
 */
import type { Disk } from '../../lib/disk/disk.js'
import { MemoryDisk, type MemorySnapshot } from '../../lib/disk/memory-disk.js'

/** Files that the writer writes in place; who has one open sees it. All others it replaces. */
const IN_PLACE = /\/(?:commitlog|consumequeue|batchconsumequeue|index)\/|\/ext\/durable$/

/** Brings what a disk holds to what it held at another moment. */
export function turnInto(disk: MemoryDisk, snapshot: MemorySnapshot): void {
  const then = new MemoryDisk()
  then.restore(snapshot)
  const names = new Set(then.files())
  for (const path of disk.files()) if (!names.has(path)) disk.remove(path)
  for (const path of names) {
    const bytes = then.bytesOf(path)
    const before = disk.stat(path) === undefined ? undefined : disk.bytesOf(path)
    if (before !== undefined && Buffer.compare(before, bytes) === 0) continue
    if (!IN_PLACE.test(path)) disk.remove(path)
    disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    const file = disk.open(path, { write: true, create: true })
    file.resize(bytes.length)
    file.writeAt(bytes, 0)
    file.close()
  }
}

/** A disk whose reader can be struck before any operation that looks at it. */
export interface StrikingDisk {
  /** For the reader. */
  readonly disk: Disk
  /** Calls `strike` before the n-th operation from now on. */
  readonly arm: (steps: number, strike: () => void) => void
  /** Whether it was called. */
  readonly hasStruck: () => boolean
}

/** See {@link StrikingDisk}; what `strike` does itself does not count. */
export function striking(memory: MemoryDisk): StrikingDisk {
  let left = Number.POSITIVE_INFINITY
  let strike = (): void => {}
  const step = (): void => {
    if (--left === 0) strike()
  }
  const disk: Disk = {
    open: (path, mode) => {
      step()
      const file = memory.open(path, mode)
      const readAt = file.readAt.bind(file)
      file.readAt = (target, position) => {
        step()
        return readAt(target, position)
      }
      return file
    },
    stat: (path) => {
      step()
      return memory.stat(path)
    },
    list: (path) => {
      step()
      return memory.list(path)
    },
    makeDirectory: (path) => memory.makeDirectory(path),
    rename: (from, to) => memory.rename(from, to),
    remove: (path) => memory.remove(path),
    flushDirectory: (path) => memory.flushDirectory(path),
    space: (path) => memory.space(path),
    lock: (extLock, javaLock) => memory.lock(extLock, javaLock),
  }
  const arm = (steps: number, act: () => void): void => {
    left = steps
    strike = act
  }
  return { disk, arm, hasStruck: () => left <= 0 }
}
