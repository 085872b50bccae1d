/**
 * What becomes of a message that a client sends, in the order in which RocketMQ's broker looks at it: the broker is
 * open, the topic may be sent to and is there or is made, the queue is there, a retry still has its tries, the message
 * is whole; then it gets what the broker adds to it and goes the way of every message, or waits for its transaction.
 *
 * Whether the topic is open for writing is not asked: clients learn that from the route, and messages that are under
 * way when it is closed still come in.
 */

import { MessageStoreError } from '../../base/errors.js'
import { nextTurn } from '../../base/system.js'
import { emptyTexts } from '../../base/texts.js'
import { decodeClientBatch, type UnbatchedMessage } from '../../format/client-batch.js'
import { checkTopic } from '../../format/names.js'
import { parseProperties, parsePropertiesText } from '../../format/properties.js'
import { SysFlag } from '../../format/record.js'
import type { Message, PutReceipt, QueueName } from '../../store/message.js'
import { isClosedToClients, RETRY_PREFIX } from '../config/system-topics.js'
import type { TopicConfig } from '../config/topic-config.js'
import { BrokerError } from '../errors.js'
import { processUniqueIds } from '../sending/unique-id.js'
import { SystemProperty } from '../system-property.js'
import type { ServedParts } from './served.js'

/** The region that clients are told, for their traces. */
export const REGION = 'DefaultRegion'

/**
 * A batch may have so many messages: nothing else is done while they are written. RocketMQ bounds their bytes alone; the
 * batches of its own example have 13,000.
 */
export const MOST_IN_BATCH = 16_384
/** Messages of a batch that are made ready before others have their turn. */
const READY_AT_ONCE = 512

/** A message, or a batch of them, as a client sends it. */
export interface ClientMessage {
  /** The group of the producer: of a transaction, whoever is in it may say how it ended. */
  readonly producerGroup: string
  readonly topic: string
  /** The body; of a batch, its messages one behind the other. */
  readonly body: Buffer
  /** Properties as one text: `name 0x01 value 0x02`, repeated. Those of a batch are added to each of its messages. */
  readonly properties: string
  /** Below 0: the broker chooses. */
  readonly queueId: number
  readonly flag: number
  readonly sysFlag: number
  /** Milliseconds since 1970. */
  readonly bornTimestamp: number
  /** Where the client is, `ip:port`. */
  readonly bornHost: string
  /** Where clients reach the broker, `ip:port`; it goes into the message's id. @default the store's */
  readonly storeHost?: string | undefined
  readonly reconsumeTimes: number
  /** How often the client wants the message tried; `undefined` when its group says so. */
  readonly maxReconsumeTimes?: number | undefined
  /** The topic after which an unknown one is made. */
  readonly template: string
  /** How many queues an unknown topic gets, if the template has as many. */
  readonly queues: number
}

/** What a client is told of a message. */
export interface ClientReceipt {
  /** One for each message of a batch. */
  readonly puts: readonly PutReceipt[]
  /** The key by which the message is known, whoever made it; of a batch only where `isOneRecord`. */
  readonly uniqueKey: string | undefined
  /** Whether a batch is known as a whole: it is one record, and its client gave it a key. */
  readonly isOneRecord: boolean
}

type Properties = Record<string, string>

/** What a client may say with system flags. Transactions have a way of their own; the rest describes the store's records. */
const CLIENT_FLAGS = SysFlag.compressed | SysFlag.multiTags | SysFlag.compressionMask

/** Properties that are the broker's own affair, or no longer anybody's. */
const REMOVED: readonly string[] = [
  SystemProperty.popCheckPoint,
  SystemProperty.multiDispatch,
  SystemProperty.multiQueueOffset,
  SystemProperty.innerNumber,
  SystemProperty.innerBase,
]

const WAIT: readonly string[] = [SystemProperty.wait]
const UNIQUE_KEY: readonly string[] = [SystemProperty.uniqueKey]

/** See the head of this file. */
export class ClientSend {
  readonly #parts: ServedParts
  readonly #nextUniqueKey: () => string
  /** The last large batch. */
  #large: Promise<unknown> = Promise.resolve()

  constructor(parts: ServedParts) {
    this.#parts = parts
    const ids = processUniqueIds(parts.base.ports.clock, parts.store.storeHost)
    this.#nextUniqueKey = () => ids.next()
  }

  /**
   * Takes in one message.
   *
   * @throws {BrokerError} `BROKER_CLOSED`, `TOPIC_REFUSED`, `TOPIC_UNKNOWN`, `QUEUE_UNKNOWN`, `GROUP_UNKNOWN`,
   *   `DELAY_INVALID`, `NO_PERMISSION`; {@link MessageStoreError} `TOPIC_INVALID`, `MESSAGE_ILLEGAL` and what a put throws
   */
  async send(message: ClientMessage): Promise<ClientReceipt> {
    const topic = this.#knownTopic(message) ?? (await this.#madeTopic(message))
    const properties = parsePropertiesText(message.properties)
    const queueId = this.#queueOf(message, topic)
    const isRetry = topic.topic.startsWith(RETRY_PREFIX)
    const place = isRetry ? await this.#retryPlace(message, topic.topic, queueId, properties) : { topic: topic.topic, queueId }
    if (isCompacted(topic) && properties[SystemProperty.keys] === undefined) throw illegal('a topic that is compacted needs keys')
    if (message.body.length === 0) throw illegal('the body is empty')
    const isHalf = properties[SystemProperty.transactionPrepared] === 'true' && !isTriedAgain(message, properties)
    // As 4.9 does: what is acknowledged has happened. The messages of a batch keep it, as in both generations.
    const finished = this.#finished(without(properties, WAIT))
    const whole = toStore(message, place, message, finished)
    const { backlog, pipeline, transactions } = this.#parts
    const group = finished[SystemProperty.producerGroup] ?? message.producerGroup
    const store = (): Promise<PutReceipt> => (isHalf ? transactions.sendHalf(whole, group) : pipeline.put(whole))
    const put = await (backlog === undefined ? store() : backlog.admitNow(topic.topic, 1, store))
    this.#count([whole], [put])
    return { puts: [put], uniqueKey: finished[SystemProperty.uniqueKey], isOneRecord: false }
  }

  /** Takes in a batch: all of its messages, or none. They go to one queue. @throws as {@link send} */
  async sendBatch(batch: ClientMessage): Promise<ClientReceipt> {
    if (batch.topic.startsWith(RETRY_PREFIX)) throw illegal('a batch cannot be sent to the retries of a group')
    const topic = this.#knownTopic(batch) ?? (await this.#madeTopic(batch))
    const queueId = this.#queueOf(batch, topic)
    const inner = decodeClientBatch(batch.body, MOST_IN_BATCH)
    if (inner.length === 0) throw illegal('the batch is empty')
    if (inner.length <= READY_AT_ONCE) return this.#storeBatch(batch, topic, queueId, inner)
    // Many messages take memory and time: of such batches one is made ready after the other.
    const stored = this.#large.then(() => this.#storeBatch(batch, topic, queueId, inner))
    this.#large = stored.catch(() => {})
    return stored
  }

  async #storeBatch(
    batch: ClientMessage,
    topic: TopicConfig,
    queueId: number,
    inner: readonly UnbatchedMessage[],
  ): Promise<ClientReceipt> {
    const given = parsePropertiesText(batch.properties)
    const uniqueKey = topic.attributes['queue.type'] === 'BatchCQ' ? given[SystemProperty.uniqueKey] || undefined : undefined
    const shared = without(given, UNIQUE_KEY)
    const place = { topic: topic.topic, queueId }
    const messages: Message[] = []
    for (const one of inner) {
      const { properties } = one
      if (isCompacted(topic) && propertiesOf(properties)[SystemProperty.keys] === undefined)
        throw illegal('a topic that is compacted needs keys')
      messages.push(toStore(batch, place, one, this.#finished(propertiesOf(properties, shared))))
      if (messages.length % READY_AT_ONCE === 0 && messages.length < inner.length) await nextTurn(this.#parts.base.ports.timers)
    }
    const { backlog, pipeline } = this.#parts
    const store = (): Promise<PutReceipt[]> => pipeline.putBatch(messages, uniqueKey)
    const puts = await (backlog === undefined ? store() : backlog.admitNow(topic.topic, messages.length, store))
    this.#count(messages, puts)
    return { puts, uniqueKey, isOneRecord: uniqueKey !== undefined }
  }

  /** What a group tries again did not come in now. */
  #count(messages: readonly Message[], puts: readonly PutReceipt[]): void {
    if (messages[0]!.reconsumeTimes !== 0) return
    for (const [i, message] of messages.entries()) this.#parts.numbers.sent(message, puts[i]!)
  }

  /** The topic that a message is sent to, if there is one already. */
  #knownTopic({ topic }: ClientMessage): TopicConfig | undefined {
    const { base, topics } = this.#parts
    base.checkOpen()
    if (isClosedToClients(topic))
      throw new BrokerError('TOPIC_REFUSED', `${topic} is a topic of the system: nothing is sent to it`)
    const found = topics.find(topic)
    // What there is has a name that was checked.
    if (found === undefined) checkTopic(topic)
    return found
  }

  #madeTopic({ topic, template, queues }: ClientMessage): Promise<TopicConfig> {
    return this.#parts.topics.forClient(topic, template, queues)
  }

  #queueOf({ queueId }: ClientMessage, { topic, readQueues, writeQueues }: TopicConfig): number {
    if (queueId < 0) return this.#below(writeQueues)
    if (queueId < Math.max(readQueues, writeQueues)) return queueId
    throw new BrokerError(
      'QUEUE_UNKNOWN',
      `queue ${queueId} of ${topic}: it has ${readQueues} to read and ${writeQueues} to write`,
    )
  }

  /** Where a message goes that a group tries again: where it is sent, or with its dead letters when it was tried often enough. */
  async #retryPlace(message: ClientMessage, topic: string, queueId: number, properties: Properties): Promise<QueueName> {
    const { groups, locks, topics } = this.#parts
    const group = topic.slice(RETRY_PREFIX.length)
    const { maxRetries } = await groups.forConsuming(group)
    // A group that holds locks consumes in order: its client itself has tried as often as it wants to.
    const isDead = message.reconsumeTimes > (message.maxReconsumeTimes ?? maxRetries) || locks.isLocked(group)
    if (!isDead) return { topic, queueId }
    properties[SystemProperty.delayLevel] = '-1'
    return { topic: (await topics.deadLetterTopic(group)).topic, queueId: 0 }
  }

  /** The properties with what the broker adds and without what it keeps to itself. */
  #finished(properties: Properties): Properties {
    const finished = REMOVED.some((name) => properties[name] !== undefined) ? without(properties, REMOVED) : properties
    finished[SystemProperty.region] = REGION
    finished[SystemProperty.traceOn] = 'true'
    finished[SystemProperty.cluster] = this.#parts.base.options.clusterName
    finished[SystemProperty.uniqueKey] ??= this.#nextUniqueKey()
    return finished
  }

  #below(bound: number): number {
    return Math.floor(this.#parts.base.ports.random() * bound)
  }
}

/** The properties but some. A copy, since an object that something was deleted from is a hash table for V8, and slow. */
function without(properties: Properties, names: readonly string[]): Properties {
  const kept = emptyTexts()
  for (const name in properties) if (!names.includes(name)) kept[name] = properties[name]!
  return kept
}

/** The properties in these bytes, which count before those that are `shared`. */
function propertiesOf(bytes: Buffer, shared?: Properties): Properties {
  const properties = emptyTexts()
  for (const name in shared) properties[name] = shared[name]!
  return parseProperties(bytes, 0, bytes.length, properties)
}

/**
 * A message as the store takes it. Written out field by field: what is put together with `...` is copied by V8's runtime,
 * not by compiled code, and takes a tenth of the time of a batch.
 */
function toStore(
  { sysFlag, bornTimestamp, bornHost, storeHost, reconsumeTimes }: ClientMessage,
  { topic, queueId }: QueueName,
  { body, flag }: { readonly body: Uint8Array; readonly flag: number },
  properties: Properties,
): Message {
  const known = sysFlag & CLIENT_FLAGS
  if (storeHost === undefined)
    return { topic, queueId, body, flag, sysFlag: known, bornTimestamp, bornHost, reconsumeTimes, properties }
  return { topic, queueId, body, flag, sysFlag: known, bornTimestamp, bornHost, storeHost, reconsumeTimes, properties }
}

/** Whether a message of a transaction is on its way back to a group: it is an ordinary message by now. */
function isTriedAgain({ reconsumeTimes }: ClientMessage, properties: Properties): boolean {
  return reconsumeTimes > 0 && Number(properties[SystemProperty.delayLevel] ?? 0) > 0
}

function isCompacted({ attributes }: TopicConfig): boolean {
  return attributes['cleanup.policy'] === 'COMPACTION'
}

function illegal(what: string): MessageStoreError {
  return new MessageStoreError('MESSAGE_ILLEGAL', what)
}
