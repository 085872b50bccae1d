/** Writes RocketMQ's timer log: a unit for each message that waits, chained by the second in which it is looked at. */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { makeDurableDirectory } from '../../disk/replace.js'
import { javaHash } from '../../format/hash.js'
import { TIMER_UNIT_BYTES, TimerKind, unitsPerFile, writeTimerBlank, writeTimerUnit } from '../../format/timer-files.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { SystemProperty } from '../system-property.js'
import { fileName, readMsOf } from './timer-files.js'

/** RocketMQ's `timerRollWindowSlot`, seconds: what is due later is put again by then. */
const ROLL_WINDOW = 172_800
const PIECE_UNITS = 4096

/** Where a timer log is written to. */
export interface TimerLogPlace {
  readonly disk: Disk
  readonly directory: string
  readonly fileBytes: number
  /** The current second. */
  readonly nowSecond: number
}

/** See the head of this file. Units are added in the order of the queue. */
export class TimerLogWriter {
  readonly #place: TimerLogPlace
  /** For each second the place of its last unit. */
  readonly #last = new Map<number, number>()
  readonly #piece = Buffer.alloc(PIECE_UNITS * TIMER_UNIT_BYTES)
  #pieceUnits = 0
  #file: DiskFile | undefined
  #fileStart = 0
  #fileUnits = 0
  #units = 0

  constructor(place: TimerLogPlace) {
    this.#place = place
  }

  /** How many units there are. */
  get units(): number {
    return this.#units
  }

  /** Adds a message. @param second - when it is due; it is due in more than two days, RocketMQ puts it again in between */
  async add(message: StoredMessage, second: number, isCancel: boolean): Promise<void> {
    const { nowSecond } = this.#place
    const far = second - nowSecond - ROLL_WINDOW
    let slot = second
    if (far >= 0) slot = nowSecond + (far < ROLL_WINDOW / 3 ? ROLL_WINDOW / 2 : ROLL_WINDOW)
    const kind = TimerKind.message | (far >= 0 ? TimerKind.roll : 0) | (isCancel ? TimerKind.cancel : 0)
    await this.#write(message, slot, kind)
  }

  /** Adds the last message of the queue, which no longer waits: RocketMQ reads the topic on behind the last unit. */
  async mark(message: StoredMessage, beforeSecond: number): Promise<void> {
    await this.#write(message, beforeSecond - 1, TimerKind.message)
  }

  /** Makes everything durable. */
  async finish(): Promise<void> {
    await this.#closeFile()
    await this.#place.disk.flushDirectory(this.#place.directory)
  }

  async #write(message: StoredMessage, slot: number, kind: number): Promise<void> {
    const { commitLogOffset, size } = message
    const { fileBytes, nowSecond } = this.#place
    if (this.#file !== undefined && this.#fileUnits === unitsPerFile(fileBytes)) await this.#nextFile()
    if (this.#file === undefined) await this.#openFile()
    const place = this.#fileStart + this.#fileUnits * TIMER_UNIT_BYTES
    const previous = this.#last.get(slot) ?? -1
    this.#last.set(slot, place)
    const topicHash = javaHash(message.property(SystemProperty.realTopic) ?? '')
    const slotMs = readMsOf(slot)
    // The difference must fit: what has been due for weeks was written then.
    const writtenMs = Math.min(readMsOf(nowSecond), slotMs)
    const unit = { previous, kind, slotMs, commitLogOffset, size, topicHash }
    writeTimerUnit(this.#piece, this.#pieceUnits * TIMER_UNIT_BYTES, unit, writtenMs)
    this.#units++
    this.#fileUnits++
    if (++this.#pieceUnits === PIECE_UNITS) this.#writePiece()
  }

  #writePiece(): void {
    if (this.#pieceUnits === 0) return
    const bytes = this.#piece.subarray(0, this.#pieceUnits * TIMER_UNIT_BYTES)
    this.#file!.writeAt(bytes, (this.#fileUnits - this.#pieceUnits) * TIMER_UNIT_BYTES)
    this.#pieceUnits = 0
  }

  async #openFile(): Promise<void> {
    const { disk, directory, fileBytes } = this.#place
    await makeDurableDirectory(disk, directory)
    this.#file = disk.open(`${directory}/${fileName(this.#fileStart)}`, { write: true, create: true })
    this.#file.resize(fileBytes)
    this.#fileUnits = 0
  }

  async #nextFile(): Promise<void> {
    const { fileBytes } = this.#place
    this.#writePiece()
    const end = this.#fileUnits * TIMER_UNIT_BYTES
    const blank = Buffer.alloc(16)
    writeTimerBlank(blank, 0, fileBytes - end)
    this.#file!.writeAt(blank, end)
    await this.#closeFile()
    this.#fileStart += fileBytes
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    this.#writePiece()
    this.#file = undefined
    try {
      await file.flush()
    } finally {
      file.close()
    }
  }
}
