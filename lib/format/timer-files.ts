/**
 * RocketMQ's timer files: `timerlog`, a unit of 52 bytes for each message that waits for its time, and
 * `config/timercheck`, which says how far its timer has come. (`TimerLog`, `TimerCheckpoint`.)
 *
 * ```
 *  timerlog unit  length 4 | place of the unit before it for the same second 8, -1 without | kind 4
 *                 written at 8, ms | due so much later 4, ms | commitLogOffset 8 | size 4 | hash of the topic 4 | zero 8
 *  timercheck     read time 8, ms | timerlog flushed up to 8 | queue offset 8 | the same 8 | version: state 8, time 8, counter 8
 *                 64: ours, which RocketMQ neither reads nor changes, and a CRC over all | zeros up to 4096
 * ```
 *
 * Units chain the messages of a second backwards; the wheel that points to the last of each chain is made from them.
 */
import { blockOf } from './block.js'
import { crc32 } from './crc.js'

/** Bytes of a unit. */
export const TIMER_UNIT_BYTES = 52
/** Length of a `timerlog` file unless RocketMQ's `mappedFileSizeTimerLog` says otherwise. */
export const TIMER_LOG_FILE_BYTES = 100 * 1024 * 1024
/** Length of a `timercheck`. */
export const TIMER_CHECK_BYTES = 4096
/** A filler takes this much at least: each file keeps so much free behind its last unit. */
const BLANK_BYTES = 16
const BLANK_KIND = 0xbbccddee ^ (1_880_681_586 + 8)

/** Kinds of units, as bits. */
export const TimerKind = { message: 1, roll: 2, cancel: 4 } as const

/** A unit of the timer log. */
export interface TimerUnit {
  /** Where the unit before it for the same second is, -1 without one. */
  readonly previous: number
  readonly kind: number
  /** When the unit is looked at, milliseconds since 1970. */
  readonly slotMs: number
  /** The record of the waiting message. */
  readonly commitLogOffset: number
  readonly size: number
  readonly topicHash: number
}

/** How many units a file of so many bytes holds. */
export function unitsPerFile(fileBytes: number): number {
  return Math.floor((fileBytes - BLANK_BYTES) / TIMER_UNIT_BYTES)
}

/** Writes a unit at `at`. @param writtenMs - when; the time that it is due lies at most 24 days after */
export function writeTimerUnit(bytes: Buffer, at: number, unit: TimerUnit, writtenMs: number): void {
  bytes.writeInt32BE(TIMER_UNIT_BYTES, at)
  bytes.writeBigInt64BE(BigInt(unit.previous), at + 4)
  bytes.writeInt32BE(unit.kind, at + 12)
  bytes.writeBigInt64BE(BigInt(writtenMs), at + 16)
  bytes.writeInt32BE(unit.slotMs - writtenMs, at + 24)
  bytes.writeBigInt64BE(BigInt(unit.commitLogOffset), at + 28)
  bytes.writeInt32BE(unit.size, at + 36)
  bytes.writeInt32BE(unit.topicHash, at + 40)
  bytes.writeBigInt64BE(0n, at + 44)
}

/** Writes what fills a file behind its last unit. @param left - bytes up to the end of the file */
export function writeTimerBlank(bytes: Buffer, at: number, left: number): void {
  bytes.writeInt32BE(left, at)
  bytes.writeBigInt64BE(0n, at + 4)
  bytes.writeInt32BE(BLANK_KIND, at + 12)
}

/** The unit at `at`, or `undefined` where none is. */
export function readTimerUnit(bytes: Buffer, at: number): TimerUnit | undefined {
  if (bytes.readInt32BE(at) !== TIMER_UNIT_BYTES) return undefined
  const kind = bytes.readInt32BE(at + 12)
  if ((kind | 0xf) !== 0xf) return undefined
  return {
    previous: Number(bytes.readBigInt64BE(at + 4)),
    kind,
    slotMs: Number(bytes.readBigInt64BE(at + 16)) + bytes.readInt32BE(at + 24),
    commitLogOffset: Number(bytes.readBigInt64BE(at + 28)),
    size: bytes.readInt32BE(at + 36),
    topicHash: bytes.readInt32BE(at + 40),
  }
}

/** RocketMQ's part of a `timercheck`. */
export interface TimerCheck {
  /** Units due before this time have been delivered, milliseconds since 1970. */
  readonly readMs: number
  /** The timer log is flushed up to here at least. */
  readonly logFlushedTo: number
  /** The timer topic is read up to here: messages before it are delivered, or have a unit. */
  readonly queueOffset: number
}

/** Our part of a `timercheck`. */
export interface OwnTimerCheck {
  /** Whether the timer log holds what waits; if not, what waits is told by the three numbers that follow. */
  readonly isClosed: boolean
  /** Messages before `queueOffset` that are due before this time have been delivered, milliseconds since 1970. */
  readonly readMs: number
  readonly queueOffset: number
  /** Nothing before this offset waits. */
  readonly firstOffset: number
  /** Units in the timer log. */
  readonly units: number
  /** Length of files of the timer log. */
  readonly logFileBytes: number
}

const OWN_AT = 64
const OWN_MAGIC = 0x6d716c74
const CRC_AT = 120

/** A `timercheck`. `isOurs`: nobody else has written it since. */
export interface TimerCheckFile {
  readonly check: TimerCheck
  readonly own: OwnTimerCheck | undefined
  readonly isOurs: boolean
}

/** Reads a `timercheck`; one that is too short is none. */
export function readTimerCheck(bytes: Buffer): TimerCheckFile | undefined {
  if (bytes.length < CRC_AT + 4) return undefined
  const long = (at: number): number => Number(bytes.readBigInt64BE(at))
  const check = { readMs: long(0), logFlushedTo: long(8), queueOffset: Math.min(long(16), long(24)) }
  if (bytes.readUInt32BE(OWN_AT) !== OWN_MAGIC) return { check, own: undefined, isOurs: false }
  const own = {
    isClosed: bytes.readUInt32BE(OWN_AT + 4) === 1,
    readMs: long(OWN_AT + 8),
    queueOffset: long(OWN_AT + 16),
    firstOffset: long(OWN_AT + 24),
    units: long(OWN_AT + 32),
    logFileBytes: long(OWN_AT + 40),
  }
  return { check, own, isOurs: bytes.readUInt32BE(CRC_AT) === crc32(blockOf(bytes), 0, CRC_AT) }
}

/** A `timercheck` with both parts. @param before - the file as it was: RocketMQ's version is kept */
export function timerCheckBytes(check: TimerCheck, own: OwnTimerCheck, before: Buffer | undefined): Buffer {
  const bytes = Buffer.alloc(TIMER_CHECK_BYTES)
  before?.copy(bytes, 32, 32, 56)
  const long = (value: number, at: number): void => void bytes.writeBigInt64BE(BigInt(value), at)
  long(check.readMs, 0)
  long(check.logFlushedTo, 8)
  long(check.queueOffset, 16)
  long(check.queueOffset, 24)
  bytes.writeUInt32BE(OWN_MAGIC, OWN_AT)
  bytes.writeUInt32BE(own.isClosed ? 1 : 0, OWN_AT + 4)
  long(own.readMs, OWN_AT + 8)
  long(own.queueOffset, OWN_AT + 16)
  long(own.firstOffset, OWN_AT + 24)
  long(own.units, OWN_AT + 32)
  long(own.logFileBytes, OWN_AT + 40)
  bytes.writeUInt32BE(crc32(blockOf(bytes), 0, CRC_AT), CRC_AT)
  return bytes
}
