/** Records made twice: by the hot codec, and slowly from the tables. */
import { type Block, blockOf, zeroBlock } from '../../lib/format/block.js'
import { CRC_MASK, crc32 } from '../../lib/format/crc.js'
import {
  bodyAt,
  closeRecord,
  MAGIC_V1,
  MAGIC_V2,
  placeRecord,
  propertiesRange,
  RecordAt,
  type RecordFields,
  readRecord,
  SysFlag,
  storeTimestampAt,
  topicRange,
  writeRecordHead,
  writeRecordTopic,
} from '../../lib/format/record.js'
import { RecordBodyHead, RecordHead, RecordStored } from '../../lib/format/tables.js'

/** Everything that a record says. `properties` are encoded and hold no whole-record CRC. */
export interface RecordParts extends RecordFields {
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly storeTimestamp: number
  readonly body: Uint8Array
  readonly topic: Uint8Array
  readonly properties: Uint8Array
  readonly recordCrc: boolean
}

/** The record as the store writes it, at the start of a block with `room` bytes behind it. */
export function hotRecord(parts: RecordParts, room = 0): { block: Block; size: number } {
  const most = 200 + parts.body.length + parts.topic.length + parts.properties.length
  const { bytes, view } = zeroBlock(most)
  const scratch = { bytes, view }
  const start = writeRecordHead(scratch, 0, parts)
  bytes.set(parts.body, start)
  const propertiesAt = writeRecordTopic(scratch, 0, start, start + parts.body.length, parts.topic)
  bytes.set(parts.properties, propertiesAt)
  const size = closeRecord(scratch, 0, start, propertiesAt, propertiesAt + parts.properties.length, parts.recordCrc)
  placeRecord(scratch, 0, size, parts, parts.recordCrc)
  const block = zeroBlock(size + room)
  bytes.copy(block.bytes, 0, 0, size)
  return { block, size }
}

/** The same record, put together from the tables, one field after the other. */
export function slowRecord(parts: RecordParts): Buffer {
  const { bornHost, storeHost, body, topic, recordCrc } = parts
  const isV2 = topic.length > 127
  let properties = Buffer.from(parts.properties)
  if (recordCrc) {
    const separator = properties.length > 0 && properties.at(-1) !== 2 ? '\u0002' : ''
    properties = Buffer.concat([properties, Buffer.from(`${separator}__CRC32#\u00010000000000\u0002`)])
  }
  const hosts = bornHost.length + storeHost.length
  const totalSize = 72 + hosts + body.length + (isV2 ? 2 : 1) + topic.length + 2 + properties.length
  const topicLength = Buffer.alloc(isV2 ? 2 : 1)
  topicLength.writeUIntBE(topic.length, 0, topicLength.length)
  const propertiesLength = Buffer.alloc(2)
  propertiesLength.writeInt16BE(properties.length)
  const record = Buffer.concat([
    RecordHead.encode({
      totalSize,
      magic: isV2 ? MAGIC_V2 : MAGIC_V1,
      bodyCrc: crcOf(body),
      queueId: parts.queueId,
      flag: parts.flag,
      queueOffset: BigInt(parts.queueOffset),
      commitLogOffset: BigInt(parts.commitLogOffset),
      sysFlag: parts.sysFlag | (bornHost.length === 20 ? 0x10 : 0) | (storeHost.length === 20 ? 0x20 : 0),
      bornTimestamp: BigInt(parts.bornTimestamp),
    }),
    bornHost,
    RecordStored.encode({ storeTimestamp: BigInt(parts.storeTimestamp) }),
    storeHost,
    RecordBodyHead.encode({
      reconsumeTimes: parts.reconsumeTimes,
      preparedTransactionOffset: BigInt(parts.preparedTransactionOffset),
      bodyLength: body.length,
    }),
    body,
    topicLength,
    topic,
    propertiesLength,
    properties,
  ])
  if (recordCrc) {
    const crc = crcOf(record.subarray(0, totalSize - 20))
    const digits = [...String(crc).padStart(10, '0')].reverse().join('')
    record.write(digits, totalSize - 11, 'latin1')
  }
  return record
}

/** CRC-32 of bytes, 31 bits of it. */
export function crcOf(bytes: Uint8Array): number {
  return crc32(blockOf(bytes), 0, bytes.length) & CRC_MASK
}

/** Four bytes whose CRC-32 is `crc`: the register is run backwards from the end. */
export function bytesWithCrc(crc: number): Buffer {
  const table = Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    return value >>> 0
  })
  let register = ~crc >>> 0
  for (let step = 0; step < 4; step++) {
    const index = table.findIndex((value) => value >>> 24 === register >>> 24)
    register = (((register ^ table[index]!) << 8) | index) >>> 0
  }
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(~register >>> 0)
  return bytes
}

/** What a checked record says. `properties` keep a whole-record CRC. */
export function partsOf({ bytes, view }: Block, at = 0): RecordParts {
  const sysFlag = view.getInt32(at + RecordAt.sysFlag)
  const body = bodyAt(view, at)
  const topic = topicRange(view, at)
  const properties = propertiesRange(view, at)
  const storeHostAt = storeTimestampAt(view, at) + RecordStored.bytes
  return {
    queueId: view.getInt32(at + RecordAt.queueId),
    flag: view.getInt32(at + RecordAt.flag),
    sysFlag: sysFlag & ~(SysFlag.bornHostV6 | SysFlag.storeHostV6),
    bornTimestamp: readRecord.bornTimestamp(view, at),
    bornHost: bytes.subarray(at + RecordAt.bornHost, storeTimestampAt(view, at)),
    storeHost: bytes.subarray(storeHostAt, body - RecordBodyHead.bytes),
    reconsumeTimes: view.getInt32(body - RecordBodyHead.bytes + RecordBodyHead.at.reconsumeTimes),
    preparedTransactionOffset: readRecord.preparedTransactionOffset(view, at),
    queueOffset: readRecord.queueOffset(view, at),
    commitLogOffset: readRecord.commitLogOffset(view, at),
    storeTimestamp: readRecord.storeTimestamp(view, at),
    body: bytes.subarray(body, body + view.getInt32(body - 4)),
    topic: bytes.subarray(topic.start, topic.end),
    properties: bytes.subarray(properties.start, properties.end),
    recordCrc: false,
  }
}
