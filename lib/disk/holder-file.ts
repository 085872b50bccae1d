/**
 * A lock made of files alone, for where no lock of the operating system can be had.
 *
 * The holder owns the file `lock.N` with the highest N, which names its process. A file left behind by a
 * process that has ended is stale; whoever finds it so takes N + 1. A file appears whole (written aside,
 * then linked: the link fails when the name is taken), so one taker of N + 1 wins. The highest file is
 * never removed, not even on release, so numbers only grow: a taker that was overtaken between looking
 * and linking sees a higher number afterwards, and withdraws.
 *
 * A process is known by host, boot, pid and start time: a pid alone is soon given to
 * another. A worker thread may end without a word while its process goes on, so where `/proc` tells of threads
 * the holder is known by the thread's id and start time as well. A thread is gone from there only after its last
 * line of JavaScript. What cannot be decided, such as a process of another host, counts as alive.
 */

import { threadId } from 'node:worker_threads'
import { type LockCalls, readSystemFile } from './directory-lock.js'
import { type Disk, DiskError } from './disk.js'

/** The process, and the thread of it, that wrote a holder file. */
interface Holder {
  readonly host: string
  readonly boot: string
  readonly pid: number
  /** Clock ticks from boot to the start of the process; empty where there is no `/proc`. */
  readonly started: string
  /** The kernel's id of the thread, and clock ticks from boot to its start; absent where there is no `/proc`. */
  readonly thread?: number
  readonly threadStarted?: string
}

/** Takes the lock, or says who has it. `basePath` gets `.N` appended. */
export function acquireHolderFile(
  calls: Pick<LockCalls, 'disk' | 'link'>,
  basePath: string,
): { release(): void } | { heldBy: string } {
  const { disk } = calls
  // Listed once: the file that is found free must be the one whose successor is taken. Between two listings
  // somebody else may take the lock, and his successor would be free too.
  const last = numbersOf(disk, basePath).at(-1) ?? 0
  const before = ownerOf(disk, basePath, last)
  if (before !== undefined) return { heldBy: before }
  const path = `${basePath}.${last + 1}`
  const aside = `${basePath}-${process.pid}-${threadId}`
  writeText(disk, aside, JSON.stringify(thisProcess(disk)))
  try {
    calls.link(aside, path)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'EEXIST')
      return { heldBy: holderFileOwner(disk, basePath) ?? 'another process' }
    throw error
  } finally {
    disk.remove(aside)
  }
  const numbers = numbersOf(disk, basePath)
  if (numbers.at(-1) !== last + 1) {
    disk.remove(path)
    return { heldBy: holderFileOwner(disk, basePath) ?? 'another process' }
  }
  for (const number of numbers.slice(0, -1)) disk.remove(`${basePath}.${number}`)
  return { release: () => writeText(disk, path, '') }
}

/** Who holds the lock made of files, if anybody that still lives does. */
export function holderFileOwner(disk: Disk, basePath: string): string | undefined {
  return ownerOf(disk, basePath, numbersOf(disk, basePath).at(-1) ?? 0)
}

/** Who holds the file with a number, if he still lives; 0 stands for no file. */
function ownerOf(disk: Disk, basePath: string, number: number): string | undefined {
  if (number === 0) return undefined
  const path = `${basePath}.${number}`
  const text = readSystemFile(disk, path)
  if (text === '') return undefined
  const holder = text === undefined ? undefined : parseHolder(text)
  if (holder === undefined) return `an unreadable ${path}; remove it if no store is open there`
  const self = thisProcess(disk)
  if (holder.host !== self.host) return `process ${holder.pid} of host ${holder.host}; remove ${path} if it has ended`
  if (holder.boot !== self.boot) return undefined
  if (!isAlive(disk, holder)) return undefined
  if (holder.pid !== process.pid) return `process ${holder.pid}`
  return holder.thread === undefined
    ? 'this process; a thread of it that ended without close() keeps it until the process ends'
    : 'this process'
}

/** The numbers of the holder files, ascending. */
function numbersOf(disk: Disk, basePath: string): number[] {
  const at = basePath.lastIndexOf('/')
  const prefix = `${basePath.slice(at + 1)}.`
  return disk
    .list(at > 0 ? basePath.slice(0, at) : at === 0 ? '/' : '.')
    .filter(({ name }) => name.startsWith(prefix) && /^[1-9]\d{0,14}$/.test(name.slice(prefix.length)))
    .map(({ name }) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b)
}

function thisProcess(disk: Disk): Holder {
  return {
    host: readSystemFile(disk, '/proc/sys/kernel/hostname')?.trim() ?? '',
    boot: readSystemFile(disk, '/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    pid: process.pid,
    started: startOf(disk, `/proc/${process.pid}`) ?? '',
    ...thisThread(disk),
  }
}

function thisThread(disk: Disk): Pick<Holder, 'thread' | 'threadStarted'> {
  const thread = Number.parseInt(readSystemFile(disk, '/proc/thread-self/stat') ?? '', 10)
  const threadStarted = startOf(disk, '/proc/thread-self')
  return Number.isSafeInteger(thread) && threadStarted !== undefined ? { thread, threadStarted } : {}
}

function isAlive(disk: Disk, holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM says that there is one, though not ours to signal.
    if ((error as { code?: string }).code === 'ESRCH') return false
  }
  const started = startOf(disk, `/proc/${holder.pid}`)
  if (started === undefined || holder.started === '') return true
  return started === holder.started && isThreadAlive(disk, holder)
}

/** Asked when the process is known to live and `/proc` tells of it: only then does a missing thread say anything. */
function isThreadAlive(disk: Disk, { pid, thread, threadStarted }: Holder): boolean {
  if (thread === undefined) return true
  const directory = `/proc/${pid}/task/${thread}`
  try {
    if (disk.stat(directory) === undefined) return false
  } catch (error) {
    if (error instanceof DiskError) return true
    throw error
  }
  const started = startOf(disk, directory)
  return started === undefined || started === threadStarted
}

/** Field 22 of `stat`, of a process or a thread. The name in field 2 may hold blanks and parentheses, so count from its end. */
function startOf(disk: Disk, directory: string): string | undefined {
  const text = readSystemFile(disk, `${directory}/stat`)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null
    if (value === null || typeof value !== 'object') return undefined
    const { host, boot, pid, started, thread, threadStarted } = value
    if (typeof host !== 'string' || typeof boot !== 'string' || typeof started !== 'string' || !isId(pid)) return undefined
    const holder = { host, boot, pid, started }
    return isId(thread) && typeof threadStarted === 'string' ? { ...holder, thread, threadStarted } : holder
  } catch {
    return undefined
  }
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

/** Replaces the text of a file. */
function writeText(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, { write: true, create: true })
  try {
    file.resize(0)
    file.writeAt(Buffer.from(text), 0)
  } finally {
    file.close()
  }
}
