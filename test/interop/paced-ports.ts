/** A world for a store that hurries: clock and timers run faster, and the process dies before a chosen write. */
import { type Clock, systemTimers, type Timer, type Timers } from '../../lib/base/system.js'
import type { Disk, DiskFile, OpenMode } from '../../lib/disk/disk.js'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import type { Pace } from './shell.js'

/** The store's past starts here, so that whoever opens it later by the true clock is later. */
const START_BEFORE_NOW_MS = 3_600_000

/** See the head of this file. */
export class PacedPorts {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly #killAt: number
  /** Writes, flushes and changes of names outside the log so far. */
  viewOperations = 0

  constructor({ speed, killAt }: Pace) {
    this.#killAt = killAt
    const started = performance.now()
    const start = Date.now() - START_BEFORE_NOW_MS
    this.clock = {
      now: () => Math.floor(start + (performance.now() - started) * speed),
      monotonic: () => performance.now() * speed,
    }
    this.timers = {
      endOfTurn: (callback) => systemTimers.endOfTurn(callback),
      after: (ms: number, callback: () => void): Timer => systemTimers.after(ms / speed, callback),
    }
    this.disk = this.#countingDisk()
  }

  #count(path: string): void {
    if (path.includes('/commitlog')) return
    this.viewOperations++
    if (this.viewOperations === this.#killAt) process.kill(process.pid, 'SIGKILL')
  }

  #countingDisk(): Disk {
    const counted = (path: string): void => this.#count(path)
    return {
      open: (path: string, mode: OpenMode) => countingFile(nodeDisk.open(path, mode), counted),
      stat: (path) => nodeDisk.stat(path),
      list: (path) => nodeDisk.list(path),
      makeDirectory: (path) => {
        counted(path)
        nodeDisk.makeDirectory(path)
      },
      rename: (from, to) => {
        counted(to)
        nodeDisk.rename(from, to)
      },
      remove: (path) => {
        counted(path)
        nodeDisk.remove(path)
      },
      flushDirectory: (path) => {
        counted(path)
        return nodeDisk.flushDirectory(path)
      },
      space: (path) => nodeDisk.space(path),
      lock: (extLockPath, javaLockPath) => nodeDisk.lock(extLockPath, javaLockPath),
    }
  }
}

function countingFile(file: DiskFile, counted: (path: string) => void): DiskFile {
  const { path } = file
  return {
    path,
    readAt: (target, position) => file.readAt(target, position),
    writeAt: (source, position) => {
      counted(path)
      file.writeAt(source, position)
    },
    resize: (bytes) => {
      counted(path)
      file.resize(bytes)
    },
    size: () => file.size(),
    flush: () => {
      counted(path)
      return file.flush()
    },
    close: () => file.close(),
  }
}
