/**
 * Batches that are one record, on topics whose `queue.type` is `BatchCQ`: how they are made, and how they
 * come apart again.
 *
 * The record's body holds the messages as a client sends them; its properties say how many there are and
 * which queue offset the first one has. A message of the batch shares the record's hosts and times.
 * (`MessageDecoder.encodeMessages`, `MessageExtBrokerInner` with `INNER_BATCH`.)
 */
import { MessageStoreError } from '../../base/errors.js'
import { MAX_BATCH_SIZE } from '../../format/batch-queue-entry.js'
import { type Block, zeroBlock } from '../../format/block.js'
import { type BatchedMessage, decodeClientBatch, encodeClientBatch } from '../../format/client-batch.js'
import { findProperty, PropertyName, propertyKey } from '../../format/properties.js'
import {
  bodyAt,
  closeRecord,
  placeRecord,
  propertiesRange,
  RecordAt,
  readRecord,
  SysFlag,
  storeTimestampAt,
  topicRange,
  writeRecordHead,
  writeRecordTopic,
} from '../../format/record.js'
import type { Message } from '../message.js'
import { StoredMessage } from '../stored-message.js'

const INNER_BASE = propertyKey(PropertyName.innerBase)
const BATCH_FLAGS = SysFlag.innerBatch | SysFlag.needUnwrap

/**
 * The one message that carries a batch. All its messages go to the same queue.
 *
 * @param encodeProperties - encodes the properties of one message
 * @param batchKey - the key of the batch as a whole
 * @throws {MessageStoreError} `MESSAGE_ILLEGAL` for messages of different queues, transactions, or too many
 */
export function wrapBatch(
  messages: readonly Message[],
  base: number,
  encodeProperties: (message: Message) => Uint8Array,
  batchKey?: string,
): Message {
  const first = messages[0]!
  const { topic, queueId = 0 } = first
  if (messages.length > MAX_BATCH_SIZE) {
    throw new MessageStoreError(
      'MESSAGE_ILLEGAL',
      `a batch of ${messages.length} messages, at most ${MAX_BATCH_SIZE} fit one record`,
    )
  }
  const decided = messages.find(({ sysFlag = 0 }) => (sysFlag & SysFlag.transactionMask) !== 0)
  if (decided !== undefined)
    throw new MessageStoreError('MESSAGE_ILLEGAL', 'a message of a batch cannot be part of a transaction')
  const stray = messages.find((message) => message.topic !== topic || (message.queueId ?? 0) !== queueId)
  if (stray !== undefined) {
    const where = `${stray.topic}/${stray.queueId ?? 0}`
    throw new MessageStoreError(
      'MESSAGE_ILLEGAL',
      `a batch on a batch topic is one record of one queue: ${topic}/${queueId}, got ${where}`,
    )
  }
  const inner = messages.map((message) => ({
    flag: message.flag ?? 0,
    body: typeof message.body === 'string' ? Buffer.from(message.body, 'utf8') : message.body,
    properties: encodeProperties(message),
  }))
  const {
    body: _body,
    tags: _tags,
    keys: _keys,
    properties: _properties,
    encodedProperties: _encoded,
    uniqueKey: _uniqueKey,
    flag: _flag,
    ...shared
  } = first
  return {
    ...shared,
    ...(batchKey === undefined ? {} : { uniqueKey: batchKey }),
    body: encodeClientBatch(inner),
    sysFlag: (first.sysFlag ?? 0) | BATCH_FLAGS,
    properties: { [PropertyName.innerNumber]: String(messages.length), [PropertyName.innerBase]: String(base) },
  }
}

/** Whether the record at `at` holds a batch. */
export function isBatchRecord({ view }: Block, at: number): boolean {
  return (view.getInt32(at + RecordAt.sysFlag) & SysFlag.innerBatch) !== 0
}

/**
 * The messages in a checked batch record; `undefined` when its body is no batch.
 *
 * Each is given a record of its own in memory, so that it is read like any other message.
 */
export function unwrapBatch(block: Block, at: number, commitLogOffset: number): StoredMessage[] | undefined {
  const { view, bytes } = block
  const { start, end } = propertiesRange(view, at)
  const base = Number(findProperty(block, start, end, INNER_BASE) ?? Number.NaN)
  const body = bodyAt(view, at)
  if (!Number.isSafeInteger(base)) return undefined
  let inner: BatchedMessage[]
  try {
    inner = decodeClientBatch(bytes.subarray(body, body + view.getInt32(body - 4)))
  } catch (error) {
    if (error instanceof MessageStoreError) return undefined
    throw error
  }
  const topic = topicRange(view, at)
  const name = bytes.subarray(topic.start, topic.end)
  const queue = { topic: name.toString('utf8'), queueId: view.getInt32(at + RecordAt.queueId) }
  const size = view.getInt32(at)
  return inner.map((message, i) => {
    const own = ownRecord(block, at, name, message, base + i, commitLogOffset)
    return new StoredMessage(queue, base + i, commitLogOffset, size, { block: own, at: 0 })
  })
}

/** A record of a message's own, with what it shares with its batch. */
function ownRecord(
  block: Block,
  at: number,
  topic: Uint8Array,
  message: BatchedMessage,
  queueOffset: number,
  commitLogOffset: number,
): Block {
  const { view, bytes } = block
  const storedAt = storeTimestampAt(view, at)
  const body = bodyAt(view, at)
  const sysFlag = view.getInt32(at + RecordAt.sysFlag) & ~BATCH_FLAGS
  const own = zeroBlock(body - at + message.body.length + topic.length + message.properties.length + 8)
  const start = writeRecordHead(own, 0, {
    queueId: view.getInt32(at + RecordAt.queueId),
    flag: message.flag,
    sysFlag,
    bornTimestamp: readRecord.bornTimestamp(view, at),
    bornHost: bytes.subarray(at + RecordAt.bornHost, storedAt),
    storeHost: bytes.subarray(storedAt + 8, body - 16),
    reconsumeTimes: view.getInt32(body - 16),
    preparedTransactionOffset: readRecord.preparedTransactionOffset(view, at),
  })
  own.bytes.set(message.body, start)
  const propertiesAt = writeRecordTopic(own, 0, start, start + message.body.length, topic)
  own.bytes.set(message.properties, propertiesAt)
  const end = closeRecord(own, 0, start, propertiesAt, propertiesAt + message.properties.length, false)
  placeRecord(own, 0, end, { queueOffset, commitLogOffset, storeTimestamp: readRecord.storeTimestamp(view, at) }, false)
  return own
}
