/**
 * What becomes of a message that a client sends, in the order in which RocketMQ's broker looks at it: the broker is
 * open, the topic may be sent to and is there or is made, the queue is there, a retry still has its tries, the message
 * is whole; then it gets what the broker adds to it and goes the way of every message, or waits for its transaction.
 *
 * Whether the topic is open for writing is not asked: clients learn that from the route, and messages that are under
 * way when it is closed still come in.
 */
import { MessageStoreError } from '../../base/errors.js'
import { decodeClientBatch } from '../../format/client-batch.js'
import { checkTopic } from '../../format/names.js'
import { parseProperties, parsePropertiesText } from '../../format/properties.js'
import { SysFlag } from '../../format/record.js'
import type { Message, PutReceipt } from '../../store/message.js'
import { isClosedToClients, RETRY_PREFIX } from '../config/system-topics.js'
import type { TopicConfig } from '../config/topic-config.js'
import { BrokerError } from '../errors.js'
import { processUniqueIds } from '../sending/unique-id.js'
import { SystemProperty } from '../system-property.js'
import type { ServedParts } from './served.js'

/** The region that clients are told, for their traces. */
export const REGION = 'DefaultRegion'

/** A batch may have so many messages: nothing else is done while they are written. RocketMQ bounds their bytes alone. */
export const MOST_IN_BATCH = 1024

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
const REMOVED = [
  SystemProperty.popCheckPoint,
  SystemProperty.multiDispatch,
  SystemProperty.multiQueueOffset,
  SystemProperty.innerNumber,
  SystemProperty.innerBase,
]

/** See the head of this file. */
export class ClientSend {
  readonly #parts: ServedParts
  readonly #nextUniqueKey: () => string

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
    const topic = await this.#topicOf(message)
    const properties = parsePropertiesText(message.properties)
    const place = await this.#placeOf(message, topic, properties)
    if (isCompacted(topic) && properties[SystemProperty.keys] === undefined) throw illegal('a topic that is compacted needs keys')
    if (message.body.length === 0) throw illegal('the body is empty')
    const isHalf = properties[SystemProperty.transactionPrepared] === 'true' && !isTriedAgain(message, properties)
    const finished = this.#finished(properties)
    // As 4.9 does: what is acknowledged has happened. The messages of a batch keep it, as in both generations.
    delete finished[SystemProperty.wait]
    const whole = { ...this.#common(message), ...place, properties: finished }
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
    const topic = await this.#topicOf(batch)
    const queueId = this.#queueOf(batch, topic)
    const shared = parsePropertiesText(batch.properties)
    const uniqueKey = topic.attributes['queue.type'] === 'BatchCQ' ? shared[SystemProperty.uniqueKey] || undefined : undefined
    delete shared[SystemProperty.uniqueKey]
    const inner = decodeClientBatch(batch.body, MOST_IN_BATCH)
    if (inner.length === 0) throw illegal('the batch is empty')
    const common = this.#common(batch)
    const messages = inner.map(({ body, flag, properties }): Message => {
      const own = propertiesOf(Buffer.from(properties.buffer, properties.byteOffset, properties.length))
      if (isCompacted(topic) && own[SystemProperty.keys] === undefined) throw illegal('a topic that is compacted needs keys')
      return { ...common, topic: topic.topic, queueId, body, flag, properties: this.#finished({ ...shared, ...own }) }
    })
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

  async #topicOf({ topic, template, queues }: ClientMessage): Promise<TopicConfig> {
    const { base, topics } = this.#parts
    base.checkOpen()
    checkTopic(topic)
    if (isClosedToClients(topic))
      throw new BrokerError('TOPIC_REFUSED', `${topic} is a topic of the system: nothing is sent to it`)
    return topics.find(topic) ?? topics.forClient(topic, template, queues)
  }

  #queueOf({ queueId }: ClientMessage, { topic, readQueues, writeQueues }: TopicConfig): number {
    if (queueId < 0) return this.#below(writeQueues)
    if (queueId < Math.max(readQueues, writeQueues)) return queueId
    throw new BrokerError(
      'QUEUE_UNKNOWN',
      `queue ${queueId} of ${topic}: it has ${readQueues} to read and ${writeQueues} to write`,
    )
  }

  /** Where a message goes: where it is sent, or with the dead letters of a group that has tried it often enough. */
  async #placeOf(
    message: ClientMessage,
    topic: TopicConfig,
    properties: Properties,
  ): Promise<{ topic: string; queueId: number }> {
    const queueId = this.#queueOf(message, topic)
    if (!topic.topic.startsWith(RETRY_PREFIX)) return { topic: topic.topic, queueId }
    const { groups, locks, topics } = this.#parts
    const group = topic.topic.slice(RETRY_PREFIX.length)
    const { maxRetries } = await groups.forConsuming(group)
    // A group that holds locks consumes in order: its client itself has tried as often as it wants to.
    const isDead = message.reconsumeTimes > (message.maxReconsumeTimes ?? maxRetries) || locks.isLocked(group)
    if (!isDead) return { topic: topic.topic, queueId }
    properties[SystemProperty.delayLevel] = '-1'
    return { topic: (await topics.deadLetterTopic(group)).topic, queueId: 0 }
  }

  #common({ body, flag, sysFlag, bornTimestamp, bornHost, storeHost, reconsumeTimes }: ClientMessage): Omit<Message, 'topic'> {
    const known = sysFlag & CLIENT_FLAGS
    if (storeHost === undefined) return { body, flag, sysFlag: known, bornTimestamp, bornHost, reconsumeTimes }
    return { body, flag, sysFlag: known, bornTimestamp, bornHost, reconsumeTimes, storeHost }
  }

  /** The properties with what the broker adds and without what it keeps to itself. */
  #finished(properties: Properties): Properties {
    // Hardly ever there, and to delete what is not there costs more than to look.
    for (const name of REMOVED) if (properties[name] !== undefined) delete properties[name]
    properties[SystemProperty.region] = REGION
    properties[SystemProperty.traceOn] = 'true'
    properties[SystemProperty.cluster] = this.#parts.base.options.clusterName
    properties[SystemProperty.uniqueKey] ??= this.#nextUniqueKey()
    return properties
  }

  #below(bound: number): number {
    return Math.floor(this.#parts.base.ports.random() * bound)
  }
}

function propertiesOf(bytes: Buffer): Properties {
  return parseProperties(bytes, 0, bytes.length)
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
