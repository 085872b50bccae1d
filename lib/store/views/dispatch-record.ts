/** Reads from a record what the views need to know of it. For recovery, replicas and rebuilding. */
import type { Block } from '../../format/block.js'
import { PropertyName, parseProperties } from '../../format/properties.js'
import { propertiesRange, RecordAt, readRecord, SysFlag, topicRange } from '../../format/record.js'
import { isStandIn, lostTopic } from '../../format/stand-in.js'
import { tagsCodeOf } from '../../format/tags.js'
import type { DispatchedRecord } from '../../view/dispatcher.js'
import { unwrapBatch } from '../writing/inner-batch.js'

/** The facts for the views of a checked record. @param delayLevelsMs - the store's delay levels */
export function dispatchedRecord(
  block: Block,
  at: number,
  size: number,
  commitLogOffset: number,
  delayLevelsMs?: readonly number[],
): DispatchedRecord {
  if (isStandIn(block, at)) return standInRecord(block, at, size, commitLogOffset)
  const { view, bytes } = block
  const name = topicRange(view, at)
  const topic = bytes.toString('utf8', name.start, name.end)
  const range = propertiesRange(view, at)
  const properties = parseProperties(bytes, range.start, range.end)
  const storeTimestamp = readRecord.storeTimestamp(view, at)
  const sysFlag = view.getInt32(at + RecordAt.sysFlag)
  const uniqueKey = properties[PropertyName.uniqueKey]
  const isBatch = (sysFlag & SysFlag.innerBatch) !== 0
  return {
    topic,
    queueId: view.getInt32(at + RecordAt.queueId),
    queueOffset: readRecord.queueOffset(view, at),
    commitLogOffset,
    size,
    sysFlag,
    tagsCode: tagsCodeOf(topic, properties, storeTimestamp, delayLevelsMs),
    storeTimestamp,
    keys: keysOf(properties[PropertyName.keys]),
    ...(uniqueKey === undefined ? {} : { uniqueKey }),
    ...multiDispatchOf(properties),
    ...innerBatchOf(properties),
    ...(isBatch ? { innerKeys: innerKeys(block, at, commitLogOffset) } : {}),
  }
}

function keysOf(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(' ').filter((key) => key !== '')
}

/** The keys of all messages in a batch record. */
function innerKeys(block: Block, at: number, commitLogOffset: number): string[] {
  const messages = unwrapBatch(block, at, commitLogOffset) ?? []
  return messages.flatMap(({ uniqueKey, keys }) => (uniqueKey === undefined ? keys : [uniqueKey, ...keys]))
}

/** A stand-in keeps the place of the lost message in its queue, and nothing else. */
function standInRecord(block: Block, at: number, size: number, commitLogOffset: number): DispatchedRecord {
  const { view } = block
  const topic = lostTopic(block, at)
  return {
    topic: topic ?? '',
    queueId: view.getInt32(at + RecordAt.queueId),
    queueOffset: readRecord.queueOffset(view, at),
    commitLogOffset,
    size,
    sysFlag: topic === undefined ? SysFlag.transactionRollback : 0,
    tagsCode: 0,
    storeTimestamp: readRecord.storeTimestamp(view, at),
    keys: [],
    isStandIn: true,
  }
}

/** The further queues of a record and its offsets there, if the two lists agree. */
function multiDispatchOf(properties: Readonly<Record<string, string>>): {
  multiDispatch?: { queues: string[]; offsets: number[] }
} {
  const queues = properties[PropertyName.multiDispatch]?.split(',')
  const offsets = properties[PropertyName.multiQueueOffset]?.split(',').map(Number)
  if (queues === undefined || offsets === undefined || queues.length !== offsets.length) return {}
  return offsets.every((offset) => Number.isSafeInteger(offset) && offset >= 0) ? { multiDispatch: { queues, offsets } } : {}
}

function innerBatchOf(properties: Readonly<Record<string, string>>): { innerBatch?: { base: number; count: number } } {
  const base = Number(properties[PropertyName.innerBase] ?? Number.NaN)
  const count = Number(properties[PropertyName.innerNumber] ?? Number.NaN)
  return Number.isSafeInteger(base) && Number.isSafeInteger(count) && base >= 0 && count > 0
    ? { innerBatch: { base, count } }
    : {}
}
