/** The header with which messages are sent, in its two spellings, whole words and letters that are shorter; and the answer's. */
import { type ClientMessage, type ClientReceipt, REGION } from '../../broker/serving/client-send.js'
import { SystemProperty } from '../../broker/system-property.js'
import type { Command, CommandParts } from '../command.js'
import type { Connection } from '../connection.js'
import { endpointText } from '../endpoint.js'
import { optionalFlag, optionalInt, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { ServedBroker } from './entries.js'

interface Names {
  readonly producerGroup: string
  readonly topic: string
  readonly defaultTopic: string
  readonly defaultTopicQueueNums: string
  readonly queueId: string
  readonly sysFlag: string
  readonly bornTimestamp: string
  readonly flag: string
  readonly properties: string
  readonly reconsumeTimes: string
  readonly maxReconsumeTimes: string
  readonly batch: string
}

/** Request 10 and 324. */
export const WORDS: Names = {
  producerGroup: 'producerGroup',
  topic: 'topic',
  defaultTopic: 'defaultTopic',
  defaultTopicQueueNums: 'defaultTopicQueueNums',
  queueId: 'queueId',
  sysFlag: 'sysFlag',
  bornTimestamp: 'bornTimestamp',
  flag: 'flag',
  properties: 'properties',
  reconsumeTimes: 'reconsumeTimes',
  maxReconsumeTimes: 'maxReconsumeTimes',
  batch: 'batch',
}

/** Requests 310, 320 and 325. */
export const LETTERS: Names = {
  producerGroup: 'a',
  topic: 'b',
  defaultTopic: 'c',
  defaultTopicQueueNums: 'd',
  queueId: 'e',
  sysFlag: 'f',
  bornTimestamp: 'g',
  flag: 'h',
  properties: 'i',
  reconsumeTimes: 'j',
  maxReconsumeTimes: 'l',
  batch: 'm',
}

/** From this release on, V3_4_9, a client's own number of tries counts. */
const HAS_MAX_RECONSUME_TIMES = 121

/** A message as a request brings it. */
export interface SentMessage extends ClientMessage {
  /** Whether the body is a batch. */
  readonly isBatch: boolean
}

/** Reads the message of a request. @throws {Refusal} naming a field that is missing or no number */
export function sentMessage(command: Command, names: Names, from: Connection, { storeHost }: ServedBroker): SentMessage {
  const { version, extFields, body } = command
  const hasMost = version >= HAS_MAX_RECONSUME_TIMES && extFields[names.maxReconsumeTimes] !== undefined
  return {
    producerGroup: requiredText(command, names.producerGroup),
    topic: requiredText(command, names.topic),
    template: requiredText(command, names.defaultTopic),
    queues: requiredInt(command, names.defaultTopicQueueNums),
    queueId: requiredInt(command, names.queueId),
    sysFlag: requiredInt(command, names.sysFlag),
    bornTimestamp: Math.max(0, requiredLong(command, names.bornTimestamp)),
    flag: requiredInt(command, names.flag),
    properties: extFields[names.properties] ?? '',
    reconsumeTimes: optionalInt(command, names.reconsumeTimes, 0),
    maxReconsumeTimes: hasMost ? requiredInt(command, names.maxReconsumeTimes) : undefined,
    isBatch: optionalFlag(command, names.batch),
    body,
    bornHost: endpointText(from.remote),
    storeHost,
  }
}

/** The ext fields that say where messages are. */
export function receiptFields({ puts, uniqueKey, isOneRecord }: ClientReceipt): NonNullable<CommandParts['ext']> {
  const { queueId, queueOffset, messageId } = puts[0]!
  return {
    msgId: isOneRecord ? messageId : puts.map((put) => put.messageId).join(','),
    batchUniqId: isOneRecord ? uniqueKey : undefined,
    queueId,
    queueOffset,
    transactionId: uniqueKey,
    [SystemProperty.region]: REGION,
    [SystemProperty.traceOn]: true,
  }
}
