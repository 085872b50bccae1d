/**
 * The record: one message in the CommitLog.
 *
 * ```
 *  0                RecordHead        totalSize ... bornTimestamp
 *  48               bornHost          b bytes: 8 for IPv4, 20 for IPv6; address, then i32 port
 *  48 + b           RecordStored      storeTimestamp
 *  56 + b           storeHost         s bytes: 8 or 20
 *  56 + b + s       RecordBodyHead    reconsumeTimes, preparedTransactionOffset, bodyLength
 *  72 + b + s       body
 *                   topicLength       i8 in version 1, i16 in version 2
 *                   topic
 *                   propertiesLength  i16
 *                   properties
 * ```
 *
 * The heads are declared in `tables.ts`. A segment ends with a blank. (`CommitLog.calMsgLength`,
 * `MessageExtEncoder`.)
 */

import type { Block } from './block.js'
import { CRC_MASK, crc32, crc32Copied, crc32OfBoth } from './crc.js'
import { getI64, setI64 } from './i64.js'
import { CRC_PROPERTY_BYTES, crcPropertyAt, hasCrcDigits, writeCrcDigits, writeCrcPropertyFrame } from './properties.js'
import { BlankHead, HostV4, HostV6, RecordBodyHead, RecordHead, RecordStored } from './tables.js'

/** Marks a record whose topic length is one byte. Persistent: never renumber. */
export const MAGIC_V1 = 0xdaa320a7 | 0
/** Marks a record whose topic length is two bytes (5.1.0 and later). Persistent: never renumber. */
export const MAGIC_V2 = 0xdaa320ab | 0
/** Whether a magic is that of a record. */
export function isRecordMagic(magic: number): boolean {
  return magic === MAGIC_V1 || magic === MAGIC_V2
}
/** Marks the unused rest of a segment. Persistent: never renumber. */
export const MAGIC_BLANK = 0xcbd43194 | 0
/** Bytes of a blank; also what must stay free behind every record. */
export const BLANK_BYTES = BlankHead.bytes

/** Bits of `sysFlag`. Persistent: never renumber. */
export const SysFlag = {
  compressed: 0x001,
  multiTags: 0x002,
  transactionMask: 0x00c,
  transactionPrepared: 0x004,
  transactionCommit: 0x008,
  transactionRollback: 0x00c,
  bornHostV6: 0x010,
  storeHostV6: 0x020,
  needUnwrap: 0x040,
  innerBatch: 0x080,
  compressionMask: 0x700,
} as const

/** Offsets of the fields that stand before the hosts. */
export const RecordAt = { ...RecordHead.at, bornHost: RecordHead.bytes } as const

const { totalSize: SIZE_AT, magic: MAGIC_AT, bodyCrc: BODY_CRC_AT, queueId: QUEUE_ID_AT, flag: FLAG_AT } = RecordHead.at
const { queueOffset: QUEUE_OFFSET_AT, commitLogOffset: LOG_OFFSET_AT } = RecordHead.at
const { sysFlag: SYS_FLAG_AT, bornTimestamp: BORN_TIMESTAMP_AT } = RecordHead.at
const { reconsumeTimes: RECONSUME_AT, preparedTransactionOffset: PREPARED_AT } = RecordBodyHead.at
const BORN_HOST_AT = RecordHead.bytes
const STORED_BYTES = RecordStored.bytes
const BODY_HEAD_BYTES = RecordBodyHead.bytes
/** The body starts so far behind the start of its record, and the hosts. */
const HEADS_BYTES = BORN_HOST_AT + STORED_BYTES + BODY_HEAD_BYTES
/** What stands so far before the body. */
const BODY_LENGTH = BODY_HEAD_BYTES - RecordBodyHead.at.bodyLength
const PREPARED = BODY_HEAD_BYTES - PREPARED_AT
/** Until the digits of the whole-record CRC are written, all 32 bits of that of the body stand in their place. */
const BODY_CRC_IN_FRAME = 9
/** To put the CRC of a shorter body and those around it together takes as long as to work it out again. */
const WORTH_JOINING_BYTES = 48
const V4_BYTES = HostV4.bytes
const V6_BYTES = HostV6.bytes

/** Smallest record: IPv4 hosts, no body, no properties, a topic of no bytes (which the name rules refuse). */
export const MIN_RECORD_BYTES = HEADS_BYTES + 2 * V4_BYTES + 1 + 2

/** The parts of a record that the writer knows before it has a place. Hosts are raw: address, then port. */
export interface RecordFields {
  queueId: number
  flag: number
  sysFlag: number
  bornTimestamp: number
  bornHost: Uint8Array
  storeHost: Uint8Array
  reconsumeTimes: number
  preparedTransactionOffset: number
}

/**
 * Writes everything up to the body and returns where the body goes. `totalSize`, body length, offsets,
 * store timestamp and CRCs are filled in by {@link placeRecord}.
 */
export function writeRecordHead(block: Block, at: number, fields: RecordFields): number {
  const { view, bytes } = block
  const { bornHost, storeHost } = fields
  // The length of a host decides: bits that come from another record must not make its fields stand elsewhere.
  let sysFlag = fields.sysFlag & ~(SysFlag.bornHostV6 | SysFlag.storeHostV6)
  if (bornHost.length === V6_BYTES) sysFlag |= SysFlag.bornHostV6
  if (storeHost.length === V6_BYTES) sysFlag |= SysFlag.storeHostV6
  view.setInt32(at + QUEUE_ID_AT, fields.queueId)
  view.setInt32(at + FLAG_AT, fields.flag)
  view.setInt32(at + SYS_FLAG_AT, sysFlag)
  setI64(view, at + BORN_TIMESTAMP_AT, fields.bornTimestamp)
  let next = at + BORN_HOST_AT
  for (let i = 0; i < bornHost.length; i++) bytes[next++] = bornHost[i]!
  next += STORED_BYTES
  for (let i = 0; i < storeHost.length; i++) bytes[next++] = storeHost[i]!
  view.setInt32(next + RECONSUME_AT, fields.reconsumeTimes)
  setI64(view, next + PREPARED_AT, fields.preparedTransactionOffset)
  return next + BODY_HEAD_BYTES
}

/**
 * Writes length and bytes of the topic behind the body and returns where the properties go.
 * Version 2 is used, as in RocketMQ, when one byte cannot hold the length.
 */
export function writeRecordTopic(block: Block, at: number, bodyAt: number, bodyEnd: number, topic: Uint8Array): number {
  const { view, bytes } = block
  view.setInt32(bodyAt - BODY_LENGTH, bodyEnd - bodyAt)
  let next = bodyEnd
  if (topic.length > 127) {
    view.setInt32(at + MAGIC_AT, MAGIC_V2)
    view.setInt16(next, topic.length)
    next += 2
  } else {
    view.setInt32(at + MAGIC_AT, MAGIC_V1)
    view.setUint8(next++, topic.length)
  }
  for (let i = 0; i < topic.length; i++) bytes[next + i] = topic[i]!
  return next + topic.length + 2
}

/**
 * Closes the properties that stand in `[propertiesAt, end)`: adds room for the whole-record CRC if asked
 * for, writes the length of the properties and of the record, and the CRC of the body.
 *
 * @returns the end of the record
 */
export function closeRecord(
  block: Block,
  at: number,
  bodyAt: number,
  propertiesAt: number,
  end: number,
  recordCrc: boolean,
): number {
  const { view } = block
  let recordEnd = end
  if (recordCrc) {
    if (end > propertiesAt && view.getUint8(end - 1) !== 2) view.setUint8(recordEnd++, 2)
    writeCrcPropertyFrame(block, recordEnd)
    recordEnd += CRC_PROPERTY_BYTES
  }
  view.setUint16(propertiesAt - 2, recordEnd - propertiesAt)
  view.setInt32(at + SIZE_AT, recordEnd - at)
  const bodyLength = view.getInt32(bodyAt - BODY_LENGTH)
  const bodyCrc = bodyLength === 0 ? 0 : crc32(block, bodyAt, bodyAt + bodyLength)
  view.setInt32(at + BODY_CRC_AT, bodyCrc & CRC_MASK)
  if (recordCrc) view.setInt32(recordEnd - CRC_PROPERTY_BYTES + BODY_CRC_IN_FRAME, bodyCrc)
  return recordEnd
}

/** Gives a record that was just closed its place and time, and its whole-record CRC if it was closed with room for one. */
export function placeRecord(
  block: Block,
  at: number,
  end: number,
  place: { queueOffset: number; commitLogOffset: number; storeTimestamp: number },
  recordCrc: boolean,
): void {
  const { view } = block
  setI64(view, at + QUEUE_OFFSET_AT, place.queueOffset)
  setI64(view, at + LOG_OFFSET_AT, place.commitLogOffset)
  setI64(view, at + BORN_HOST_AT + hostBytes(view.getInt32(at + SYS_FLAG_AT), SysFlag.bornHostV6), place.storeTimestamp)
  if (recordCrc) sealRecord(block, at, end - CRC_PROPERTY_BYTES)
}

/** The CRC of the body is known, so that nobody need go through its bytes again. */
function sealRecord(block: Block, at: number, crcAt: number): void {
  const { view } = block
  const body = bodyAt(view, at)
  const bodyBytes = view.getInt32(body - BODY_LENGTH)
  if (bodyBytes < WORTH_JOINING_BYTES) {
    writeCrcDigits(block, crcAt, crc32(block, at, crcAt))
    return
  }
  const upToBody = crc32OfBoth(crc32(block, at, body), view.getInt32(crcAt + BODY_CRC_IN_FRAME), bodyBytes)
  writeCrcDigits(block, crcAt, crc32(block, body + bodyBytes, crcAt, upToBody))
}

/** Writes the blank that fills a segment: `rest` bytes from `at` to its end. */
export function writeBlank(block: Block, at: number, rest: number): void {
  block.view.setInt32(at + BlankHead.at.length, rest)
  block.view.setInt32(at + BlankHead.at.magic, MAGIC_BLANK)
}

function hostBytes(sysFlag: number, bit: number): 8 | 20 {
  return (sysFlag & bit) === 0 ? V4_BYTES : V6_BYTES
}

/** Where the body of the record at `at` starts. The record must have been checked. */
export function bodyAt(view: DataView, at: number): number {
  const sysFlag = view.getInt32(at + SYS_FLAG_AT)
  return at + HEADS_BYTES + hostBytes(sysFlag, SysFlag.bornHostV6) + hostBytes(sysFlag, SysFlag.storeHostV6)
}

/** Where `storeTimestamp` of the record at `at` stands. */
export function storeTimestampAt(view: DataView, at: number): number {
  return at + BORN_HOST_AT + hostBytes(view.getInt32(at + SYS_FLAG_AT), SysFlag.bornHostV6)
}

/** Reads the i64 fields of a checked record. */
export const readRecord = {
  queueOffset: (view: DataView, at: number): number => getI64(view, at + QUEUE_OFFSET_AT),
  commitLogOffset: (view: DataView, at: number): number => getI64(view, at + LOG_OFFSET_AT),
  bornTimestamp: (view: DataView, at: number): number => getI64(view, at + BORN_TIMESTAMP_AT),
  storeTimestamp: (view: DataView, at: number): number => getI64(view, storeTimestampAt(view, at)),
  preparedTransactionOffset: (view: DataView, at: number): number => getI64(view, bodyAt(view, at) - PREPARED),
}

/** Where the properties of a checked record stand. */
export function propertiesRange(view: DataView, at: number): { start: number; end: number } {
  const end = at + view.getInt32(at + SIZE_AT)
  const topicAt = bodyAt(view, at)
  const lengthAt = topicAt + view.getInt32(topicAt - BODY_LENGTH)
  const isV2 = view.getInt32(at + MAGIC_AT) === MAGIC_V2
  const topicLength = isV2 ? view.getInt16(lengthAt) : view.getInt8(lengthAt)
  return { start: lengthAt + (isV2 ? 2 : 1) + topicLength + 2, end }
}

/** Where the topic of a checked record stands. */
export function topicRange(view: DataView, at: number): { start: number; end: number } {
  const body = bodyAt(view, at)
  const lengthAt = body + view.getInt32(body - BODY_LENGTH)
  const isV2 = view.getInt32(at + MAGIC_AT) === MAGIC_V2
  const start = lengthAt + (isV2 ? 2 : 1)
  return { start, end: start + (isV2 ? view.getInt16(lengthAt) : view.getInt8(lengthAt)) }
}

/** Where a record stands in memory. */
export interface RecordPlace {
  readonly block: Block
  readonly at: number
}

/** How closely {@link checkRecord} looks. Each level includes the ones before it. */
export const CheckLevel = {
  /** Magic, lengths, and the record's own offset. */
  structure: 0,
  /** Also the CRC of the body; the whole-record CRC, where there is a right one, counts instead. */
  body: 1,
  /** The whole-record CRC must be there and be right: for ranges that mqlite wrote with it. */
  record: 2,
} as const

/** One of {@link CheckLevel}. */
export type CheckLevel = (typeof CheckLevel)[keyof typeof CheckLevel]

/** Why {@link checkRecord} did not find a record. All are negative, sizes are positive. */
export const Finding = {
  /** Length and magic are zero: nothing was written here. */
  unwritten: -1,
  /** The blank that ends the segment. */
  blank: -2,
  /** The length is impossible, or reaches past the segment. */
  size: -3,
  /** No known magic. */
  magic: -4,
  /** The lengths inside do not add up to the length of the record. */
  lengths: -5,
  /** The record says that it belongs elsewhere in the log. */
  offset: -6,
  /** The body does not match its CRC. */
  bodyCrc: -7,
  /** The record does not match its whole-record CRC. */
  recordCrc: -8,
  /** The whole-record CRC is missing where there must be one. */
  recordCrcMissing: -9,
} as const

/** One of {@link Finding}. */
export type Finding = (typeof Finding)[keyof typeof Finding]

/** The name of a finding, for people. */
export function findingName(finding: number): keyof typeof Finding {
  for (const [name, value] of Object.entries(Finding)) if (value === finding) return name as keyof typeof Finding
  return 'size'
}

/**
 * Checks what stands at `at`.
 *
 * @param limit - where the segment ends, as an index into the block; a record must end before it, a blank at it
 * @param available - where the bytes in the block end; with fewer bytes than the record needs the result is `Finding.size`
 * @param copy - room in another block: a good record is copied there on the way
 * @returns the size of a good record, or a {@link Finding}
 */
export function checkRecord(
  block: Block,
  at: number,
  limit: number,
  available: number,
  commitLogOffset: number,
  level: CheckLevel,
  copy?: RecordPlace,
): number {
  const { view } = block
  if (at + BLANK_BYTES > limit || at + BLANK_BYTES > available) return Finding.size
  const size = view.getInt32(at + SIZE_AT)
  const magic = view.getInt32(at + MAGIC_AT)
  if (magic === MAGIC_BLANK) return size === limit - at ? Finding.blank : Finding.size
  if (!isRecordMagic(magic)) return size === 0 && magic === 0 ? Finding.unwritten : Finding.magic
  if (size < MIN_RECORD_BYTES || at + size > limit || at + size > available) return Finding.size
  return checkInside(block, at, size, magic, commitLogOffset, level, copy)
}

function checkInside(
  block: Block,
  at: number,
  size: number,
  magic: number,
  commitLogOffset: number,
  level: CheckLevel,
  copy: RecordPlace | undefined,
): number {
  const { view } = block
  const end = at + size
  const body = bodyAt(view, at)
  if (body + 3 > end) return Finding.lengths
  const bodyLength = view.getInt32(body - BODY_LENGTH)
  const topicLengthAt = body + bodyLength
  if (bodyLength < 0 || topicLengthAt + 3 > end) return Finding.lengths
  const isV2 = magic === MAGIC_V2
  const topicLength = isV2 ? view.getInt16(topicLengthAt) : view.getInt8(topicLengthAt)
  const properties = topicLengthAt + (isV2 ? 2 : 1) + topicLength + 2
  if (topicLength < 0 || properties > end || properties + view.getInt16(properties - 2) !== end) return Finding.lengths
  if (getI64(view, at + LOG_OFFSET_AT) !== commitLogOffset) return Finding.offset
  if (level === CheckLevel.structure) return copied(block, at, size, at, copy)
  const crcAt = crcPropertyAt(block, properties, end)
  if (crcAt >= 0) {
    const crc = copy === undefined ? crc32(block, at, crcAt) : crc32Copied(block, at, crcAt, copy.block, copy.at)
    if (hasCrcDigits(block, crcAt, crc)) return copied(block, at, size, crcAt, copy)
    if (level === CheckLevel.record) return Finding.recordCrc
  } else if (level === CheckLevel.record) return Finding.recordCrcMissing
  if (bodyLength > 0 && (crc32(block, body, topicLengthAt) & CRC_MASK) !== view.getInt32(at + BODY_CRC_AT)) return Finding.bodyCrc
  return copied(block, at, size, at, copy)
}

/** Copies what of a record, from `from` on, is not copied yet. @returns its size */
function copied(block: Block, at: number, size: number, from: number, copy: RecordPlace | undefined): number {
  if (copy === undefined) return size
  const end = at + size
  let to = copy.at + from - at
  if (end - from > CRC_PROPERTY_BYTES) block.bytes.copy(copy.block.bytes, to, from, end)
  else for (let i = from; i < end; i += 4, to += 4) copy.block.view.setInt32(to, block.view.getInt32(i, true), true)
  return size
}
