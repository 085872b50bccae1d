/**
 * What the timer keeps beside its topic, so that it and RocketMQ's broker can go on where the other stopped.
 *
 * ```
 *  while we run   config/timercheck: how far we are, for us; and for RocketMQ that the topic is to be read from the first
 *                 message that waits. No timerlog: after a crash RocketMQ delivers again what it finds there.
 *  closed         timerlog: a unit for each message that waits; config/timercheck: the topic is read to its end.
 * ```
 *
 * `timercheck` is replaced last when closing and first when opening, so that no moment leaves less than what waits.
 * `timerwheel` is removed: RocketMQ makes it anew from the units.
 */
import { nextTurn, type Timers } from '../../base/system.js'
import type { Disk, DiskFile } from '../../disk/disk.js'
import { readWhole, replaceFile } from '../../disk/replace.js'
import {
  type OwnTimerCheck,
  readTimerCheck,
  readTimerUnit,
  TIMER_LOG_FILE_BYTES,
  TIMER_UNIT_BYTES,
  timerCheckBytes,
  unitsPerFile,
} from '../../format/timer-files.js'

/** How far a timer has come. */
export interface TimerState {
  /** What is due before this second and stands before `queueOffset` has been delivered. Seconds since 1970. */
  readonly second: number
  /** The topic is read up to here. */
  readonly queueOffset: number
  /** Nothing before this offset waits. */
  readonly firstOffset: number
}

/** Where a timer begins. */
export interface TimerStart extends TimerState {
  /** Addresses of all messages before `queueOffset` that wait, ascending; `undefined`: `second` tells which do. */
  readonly waiting: Float64Array | undefined
}

/** Units are read in pieces of this many. */
const PIECE_UNITS = 16 * 1024

/** See the head of this file. */
export class TimerFiles {
  readonly #disk: Disk
  readonly #check: string
  readonly #log: string
  readonly #wheel: string
  #before: Buffer | undefined
  #isOurs = false
  /** Length of files of the timer log, as RocketMQ's broker wants them. */
  #fileBytes = TIMER_LOG_FILE_BYTES

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#check = `${directory}/config/timercheck`
    this.#log = `${directory}/timerlog`
    this.#wheel = `${directory}/timerwheel`
  }

  /** Directory of the timer log. */
  get logDirectory(): string {
    return this.#log
  }

  /** Length of files of the timer log. */
  get logFileBytes(): number {
    return this.#fileBytes
  }

  /** Reads where to begin, in slices; offsets may lie outside of the queue. @throws {DiskError} */
  async load(timers: Pick<Timers, 'endOfTurn'>): Promise<TimerStart> {
    this.#before = readWhole(this.#disk, this.#check)
    const file = this.#before === undefined ? undefined : readTimerCheck(this.#before)
    const first = this.#disk.list(this.#log)[0]?.name
    const found = first === undefined ? undefined : this.#disk.stat(`${this.#log}/${first}`)
    this.#fileBytes = found !== undefined && found.bytes >= 1024 ? found.bytes : (file?.own?.logFileBytes ?? TIMER_LOG_FILE_BYTES)
    // Without a word on what was delivered, everything waits.
    if (file === undefined) return { second: 0, queueOffset: 0, firstOffset: 0, waiting: undefined }
    this.#isOurs = file.isOurs
    const { check, own, isOurs } = file
    if (isOurs && own !== undefined) {
      const state = { second: secondOf(own.readMs), queueOffset: own.queueOffset, firstOffset: own.firstOffset }
      const units = own.isClosed && own.units > 0 ? await this.#readLog(own.readMs, timers) : undefined
      return { ...state, waiting: units?.count === own.units ? units.waiting : undefined }
    }
    const state = { second: secondOf(check.readMs), queueOffset: check.queueOffset, firstOffset: 0 }
    const units = await this.#readLog(check.readMs, timers)
    // Units that RocketMQ had flushed are gone: the topic tells what waits, and what RocketMQ put again comes twice.
    return { ...state, waiting: units.end < check.logFlushedTo ? undefined : units.waiting }
  }

  /** Notes that we run, and removes what RocketMQ's broker must not read from now on. */
  async begin(state: TimerState): Promise<void> {
    const hasLog = this.#disk.list(this.#log).length > 0 || this.#disk.stat(this.#wheel) !== undefined
    if (this.#before === undefined && !hasLog) return
    if (hasLog || !this.#isOurs) await this.writeRunning(state)
    if (!hasLog) return
    this.removeLog()
    if (this.#disk.stat(this.#log) !== undefined) await this.#disk.flushDirectory(this.#log)
    await this.#disk.flushDirectory(parentOf(this.#log))
  }

  /** Replaces `timercheck` while messages are delivered. */
  writeRunning({ second, queueOffset, firstOffset }: TimerState): Promise<void> {
    const readMs = readMsOf(second)
    const own = { isClosed: false, readMs, queueOffset, firstOffset, units: 0, logFileBytes: this.#fileBytes }
    return this.#write({ readMs, logFlushedTo: 0, queueOffset: firstOffset }, own)
  }

  /** Replaces `timercheck` when everything that waits is in the timer log. */
  writeClosed({ second, queueOffset, firstOffset }: TimerState, units: number): Promise<void> {
    const readMs = readMsOf(second)
    const own = { isClosed: true, readMs, queueOffset, firstOffset, units, logFileBytes: this.#fileBytes }
    // RocketMQ reads the log from its first file on, and makes its wheel from it.
    return this.#write({ readMs, logFlushedTo: 0, queueOffset }, own)
  }

  /** Removes timer log and wheel. */
  removeLog(): void {
    for (const { name } of this.#disk.list(this.#log)) this.#disk.remove(`${this.#log}/${name}`)
    this.#disk.remove(this.#wheel)
  }

  async #write(check: Parameters<typeof timerCheckBytes>[0], own: OwnTimerCheck): Promise<void> {
    const bytes = timerCheckBytes(check, own, this.#before)
    this.#disk.makeDirectory(parentOf(this.#check))
    await replaceFile(this.#disk, this.#check, bytes)
    this.#before = bytes
    this.#isOurs = true
  }

  /** The units that are still to come; `end` is where the last whole unit ends, `count` how many whole ones there are. */
  async #readLog(
    readMs: number,
    timers: Pick<Timers, 'endOfTurn'>,
  ): Promise<{ waiting: Float64Array; end: number; count: number }> {
    const found: number[] = []
    let isAscending = true
    let count = 0
    let end = 0
    const names = this.#disk.list(this.#log).filter(({ name, kind }) => kind === 'file' && /^[0-9]{20}$/.test(name))
    for (const [i, { name }] of names.entries()) {
      const start = Number(name)
      // A file between them is missing.
      if (i > 0 && start !== end) break
      const file = this.#disk.open(`${this.#log}/${name}`, {})
      let units: number
      try {
        units = await readUnits(file, unitsPerFile(this.#fileBytes), timers, ({ slotMs, commitLogOffset }) => {
          if (slotMs < readMs) return
          isAscending &&= found.length === 0 || found[found.length - 1]! < commitLogOffset
          found.push(commitLogOffset)
        })
      } finally {
        file.close()
      }
      count += units
      end = start + units * TIMER_UNIT_BYTES
      if (units < unitsPerFile(this.#fileBytes)) break
      end = start + this.#fileBytes
    }
    const waiting = new Float64Array(found)
    // Ours is; RocketMQ's is in the order of reading, which may begin anew.
    if (!isAscending) waiting.sort()
    return { waiting, end, count }
  }
}

/** Visits the units of a file up to the first that is none. @returns how many there are */
async function readUnits(
  file: DiskFile,
  most: number,
  timers: Pick<Timers, 'endOfTurn'>,
  visit: (unit: NonNullable<ReturnType<typeof readTimerUnit>>) => void,
): Promise<number> {
  const piece = Buffer.alloc(PIECE_UNITS * TIMER_UNIT_BYTES)
  let units = 0
  while (units < most) {
    const got = Math.floor(file.readAt(piece, units * TIMER_UNIT_BYTES) / TIMER_UNIT_BYTES)
    const wanted = Math.min(got, most - units)
    for (let i = 0; i < wanted; i++) {
      const unit = readTimerUnit(piece, i * TIMER_UNIT_BYTES)
      if (unit === undefined) return units + i
      visit(unit)
    }
    units += wanted
    if (got < PIECE_UNITS) break
    await nextTurn(timers)
  }
  return units
}

/** A unit of a second is looked at a second before it is due: see {@link waitOf}. */
export function readMsOf(second: number): number {
  return Math.max(0, second - 1) * 1000
}

function secondOf(readMs: number): number {
  return Math.max(0, Math.floor(readMs / 1000) + 1)
}

/** Name of the file of the timer log that starts at a place. */
export function fileName(start: number): string {
  return String(start).padStart(20, '0')
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
