/**
 * A stand-in: the record that `repair` puts where a damaged one was, so that what stands around it keeps its
 * place and every reader of the log, RocketMQ's included, gets past it.
 *
 * ```
 *   flag                         0x4d514c53
 *   sysFlag                      rollback: RocketMQ enters such a record into no queue and no index
 *   queueId, queueOffset         of the message that was lost, if a queue entry told
 *   preparedTransactionOffset    its own address, which no other record can carry
 *   reconsumeTimes               how many bytes of the topic are prefix
 *   topic                        prefix `rmq_sys_`, which marks system topics, then the lost message's topic
 *   body                         zeros, as many as it takes
 * ```
 *
 * It has exactly the size of what was there. A record with a tiny body leaves no room for the prefix, so as
 * much of it is left out as need be. When nobody knows what was lost the whole topic is prefix.
 */
import { type Block, zeroBlock } from './block.js'
import { CRC_PROPERTY_BYTES } from './properties.js'
import {
  bodyAt,
  closeRecord,
  MIN_RECORD_BYTES,
  placeRecord,
  RecordAt,
  readRecord,
  SysFlag,
  topicRange,
  writeRecordHead,
  writeRecordTopic,
} from './record.js'

const PREFIX = Buffer.from('rmq_sys_', 'latin1')
const UNKNOWN_TOPIC = Buffer.from('rmq_sys_lost', 'latin1')
/** Persistent: never renumber. */
const FLAG = 0x4d514c53
/** A longer topic needs version 2 of the record, which RocketMQ 4.9 cannot read. */
const MAX_V1_TOPIC = 127
/** `reconsumeTimes` stands so far before the body. */
const RECONSUME_BEFORE_BODY = 16
const NO_HOST = new Uint8Array(8)

/** The message that a stand-in stands for. */
export interface LostMessage {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
}

/** Bytes of the smallest stand-in. No record is smaller than that, so it fits wherever one was. */
export function minStandInBytes(recordCrc: boolean): number {
  return MIN_RECORD_BYTES + (recordCrc ? CRC_PROPERTY_BYTES : 0)
}

/** Makes a stand-in of exactly `size` bytes, at least {@link minStandInBytes}, for an address. */
export function encodeStandIn(
  size: number,
  place: { commitLogOffset: number; storeTimestamp: number },
  lost: LostMessage | undefined,
  recordCrc: boolean,
): Buffer {
  const { topic, prefixBytes } = topicFor(size - minStandInBytes(recordCrc), lost)
  const block = zeroBlock(size)
  const bodyStart = writeRecordHead(block, 0, {
    queueId: lost?.queueId ?? 0,
    flag: FLAG,
    sysFlag: SysFlag.transactionRollback,
    bornTimestamp: place.storeTimestamp,
    bornHost: NO_HOST,
    storeHost: NO_HOST,
    reconsumeTimes: prefixBytes,
    preparedTransactionOffset: place.commitLogOffset,
  })
  const topicLengthBytes = topic.length > MAX_V1_TOPIC ? 2 : 1
  const bodyEnd = size - (recordCrc ? CRC_PROPERTY_BYTES : 0) - 2 - topic.length - topicLengthBytes
  const propertiesAt = writeRecordTopic(block, 0, bodyStart, bodyEnd, topic)
  const end = closeRecord(block, 0, bodyStart, propertiesAt, propertiesAt, recordCrc)
  placeRecord(block, 0, end, { ...place, queueOffset: lost?.queueOffset ?? 0 }, recordCrc)
  return block.bytes
}

/** The topic that fits into `room` bytes beside an empty body. */
function topicFor(room: number, lost: LostMessage | undefined): { topic: Buffer; prefixBytes: number } {
  const name = Buffer.from(lost?.topic ?? '', 'utf8')
  const lengthBytes = name.length > MAX_V1_TOPIC ? 1 : 0
  if (name.length === 0 || name.length + lengthBytes > room) {
    const topic = UNKNOWN_TOPIC.subarray(0, room)
    return { topic, prefixBytes: topic.length }
  }
  const prefixBytes = Math.max(0, Math.min(PREFIX.length, room - name.length, MAX_V1_TOPIC - name.length))
  return { topic: Buffer.concat([PREFIX.subarray(0, prefixBytes), name]), prefixBytes }
}

/** Whether the checked record at `at` is a stand-in. */
export function isStandIn({ view }: Block, at: number): boolean {
  return (
    view.getInt32(at + RecordAt.flag) === FLAG &&
    (view.getInt32(at + RecordAt.sysFlag) & SysFlag.transactionMask) === SysFlag.transactionRollback &&
    readRecord.preparedTransactionOffset(view, at) === readRecord.commitLogOffset(view, at)
  )
}

/** The topic of the message that a stand-in stands for, or `undefined` when nobody knew. */
export function lostTopic(block: Block, at: number): string | undefined {
  const { view, bytes } = block
  const { start, end } = topicRange(view, at)
  const prefixBytes = view.getInt32(bodyAt(view, at) - RECONSUME_BEFORE_BODY)
  return prefixBytes < 0 || start + prefixBytes >= end ? undefined : bytes.toString('utf8', start + prefixBytes, end)
}
