/** Sending by programs of this process: what may be sent where, which queue it goes to, and the id that it gets. */
import { shown } from '../../base/errors.js'
import type { Clock } from '../../base/system.js'
import type { Message, PutReceipt } from '../../store/message.js'
import { deflatedMessage } from '../compression/deflate.js'
import { isClosedToClients, TIMER_TOPIC } from '../config/system-topics.js'
import { isWritable, type TopicConfig } from '../config/topic-config.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import { idempotencyWord, type SentKeys } from '../idempotence/sent-keys.js'
import type { Numbers } from '../numbers/numbers.js'
import { SystemProperty } from '../system-property.js'
import type { Admit } from './backlog.js'
import type { Pipeline } from './pipeline.js'
import { checkSendRequest, SendReceipt, type SendRequest, systemPropertiesOf } from './send-request.js'

/** Most messages of one `sendBatch`. */
export const MAX_BATCH_MESSAGES = 10_000

/** What a sender is made of. */
export interface SenderOptions {
  readonly topics: Pick<Topics, 'find' | 'forSending'>
  readonly pipeline: Pipeline
  readonly clock: Pick<Clock, 'now'>
  /** How many delay levels there are. */
  readonly delayLevels: number
  /** Makes the id that a message is known by. */
  readonly nextUniqueKey: () => string
  /** The queue that a sharding key stands for. */
  readonly shardOf: (key: string, queues: number) => number
  /** Bodies of at least so many bytes are compressed. */
  readonly compressOverBytes: number
  /** Refuses, or waits, when there are too many unread messages in a topic; `undefined` lets all in. */
  readonly admit: Admit | undefined
  /** Keeps messages with an idempotency key from being sent twice. */
  readonly sentKeys: Pick<SentKeys, 'once'>
  /** Told of each message that was sent. */
  readonly numbers: Pick<Numbers, 'sent'>
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

/** The queue that is next. */
interface Turn {
  queueId: number
}

/** See the head of this file. */
export class Sender {
  readonly #options: SenderOptions
  /** For each topic the queue that is next in turn. */
  readonly #turns = new Map<string, Turn>()
  /** The topic that was last found to be open for writing. */
  #writable: TopicConfig | undefined
  /** The topic whose turn was last asked for, which mostly is the next one, too. */
  #last: { readonly topic: TopicConfig; readonly turn: Turn } | undefined

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** Sends one message. See {@link Broker.send}. */
  send(request: SendRequest): Promise<SendReceipt> {
    this.#options.checkOpen()
    checkSendRequest(request)
    if (request.idempotencyKey === undefined) return this.#send(request)
    const copy = copyOfRequest(request)
    return this.#options.sentKeys.once(copy.topic, [request.idempotencyKey], () => this.#later(() => this.#send(copy)))
  }

  /** Does something that had to wait: the broker may be closed meanwhile. */
  #later<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#options.checkOpen()
    return action()
  }

  #send(request: SendRequest): Promise<SendReceipt> {
    const { topics, admit } = this.#options
    const topic = topics.find(request.topic)
    if (topic === undefined) return this.#sendLater(request)
    if (admit === undefined) return this.#put(this.messageOf(request, topic))
    const copy = copyOfRequest(request)
    const message = this.messageOf(copy, topic)
    return admit(topic.topic, 1, (hasWaited) => this.#put(hasWaited ? this.#lateMessageOf(copy, topic, message) : message))
  }

  /** The message that a request stands for, let in but not put: for who puts it another way. @throws as {@link send} */
  async prepared(request: SendRequest): Promise<Message> {
    const { topics, admit, checkOpen } = this.#options
    checkOpen()
    checkSendRequest(request)
    if (request.idempotencyKey !== undefined)
      throw new TypeError('a message of a transaction has no idempotencyKey: it may be rolled back')
    const copy = copyOfRequest(request)
    const topic = topics.find(copy.topic) ?? (await topics.forSending(copy.topic))
    const message = this.messageOf(copy, topic)
    if (admit === undefined) return message
    return admit(topic.topic, 1, async (hasWaited) => (hasWaited ? this.#lateMessageOf(copy, topic, message) : message))
  }

  /** Sends several messages, to one topic, all or none. See {@link Broker.sendBatch}. */
  async sendBatch(requests: readonly SendRequest[]): Promise<SendReceipt[]> {
    this.#options.checkOpen()
    checkBatch(requests)
    if (requests.length === 0) return []
    const keys = requests.map(({ idempotencyKey }) => idempotencyKey).filter((key) => key !== undefined)
    if (keys.length === 0) return this.#sendBatch(requests)
    const copies = requests.map(copyOfRequest)
    return this.#options.sentKeys.once(copies[0]!.topic, keys, () => this.#later(() => this.#sendBatch(copies)))
  }

  async #sendBatch(given: readonly SendRequest[]): Promise<SendReceipt[]> {
    const { topics, admit, pipeline, numbers } = this.#options
    const requests = admit === undefined ? given : given.map(copyOfRequest)
    const topic = topics.find(requests[0]!.topic) ?? (await topics.forSending(requests[0]!.topic))
    // A batch goes to one queue, as RocketMQ's do, unless its messages say where they go.
    const queueId = this.#turn(topic)
    let messages = requests.map((request) => this.messageOf(request, topic, queueId))
    const put = (hasWaited = false): Promise<PutReceipt[]> => {
      const now = hasWaited ? this.#topicAfterWaiting(topic.topic) : topic
      if (now !== topic) {
        const another = this.#turn(now)
        messages = requests.map((request) => this.messageOf(request, now, another))
      }
      return pipeline.putBatch(messages)
    }
    const receipts = await (admit === undefined ? put() : admit(topic.topic, messages.length, put))
    return receipts.map((receipt, i) => {
      numbers.sent(messages[i]!, receipt)
      return new SendReceipt(receipt, topic.topic, messages[i]!.uniqueKey!)
    })
  }

  /** A message as it is to be put after it waited for room. @throws {BrokerError} as if it were sent now */
  #lateMessageOf(request: SendRequest, topic: TopicConfig, message: Message): Message {
    const now = this.#topicAfterWaiting(topic.topic)
    // A topic that changes, or is made again, is another object.
    return now === topic ? message : this.messageOf(request, now)
  }

  #topicAfterWaiting(name: string): TopicConfig {
    const topic = this.#options.topics.find(name)
    if (topic === undefined) throw new BrokerError('TOPIC_UNKNOWN', `topic ${name} was deleted while a message waited for room`)
    return topic
  }

  /** The store's message for a request: with queue, id, and what asks the broker for something. */
  messageOf(request: SendRequest, topic: TopicConfig, batchQueueId?: number): Message {
    // One that changes is another object.
    if (topic !== this.#writable) {
      checkMayWrite(topic)
      this.#writable = topic
    }
    const { topic: name, body, tags, keys, properties, flag } = request
    const asked = systemPropertiesOf(request, this.#options.clock, this.#options.delayLevels)
    const queueId = this.#queueOf(request, topic, batchQueueId)
    const uniqueKey = this.#options.nextUniqueKey()
    // A field that is added to an object later takes memory of its own, and most messages have tags or nothing.
    const message: { -readonly [Field in keyof Message]: Message[Field] } =
      tags === undefined ? { topic: name, body, queueId, uniqueKey } : { topic: name, body, queueId, uniqueKey, tags }
    if (keys !== undefined) message.keys = keys
    if (request.idempotencyKey !== undefined) message.keys = [keys ?? [], idempotencyWord(request.idempotencyKey)].flat()
    if (flag !== undefined) message.flag = flag
    if (properties !== undefined) message.properties = properties
    if (asked !== undefined) message.properties = { ...properties, ...asked }
    // As in RocketMQ, those of batches stay as they are.
    return batchQueueId === undefined ? deflatedMessage(message, this.#options.compressOverBytes) : message
  }

  async #sendLater(request: SendRequest): Promise<SendReceipt> {
    const copy = copyOfRequest(request)
    await this.#options.topics.forSending(copy.topic)
    return this.#send(copy)
  }

  #put(message: Message): Promise<SendReceipt> {
    return this.#options.pipeline.putFor(message, this.#receiptOf)
  }

  readonly #receiptOf = (receipt: PutReceipt, message: Message): SendReceipt => {
    const { topic, uniqueKey, properties } = message
    this.#options.numbers.sent(message, receipt)
    const at = receipt.topic === TIMER_TOPIC ? properties?.[SystemProperty.deliverAtMs] : undefined
    return new SendReceipt(receipt, topic, uniqueKey!, at === undefined ? undefined : Number(at))
  }

  #queueOf({ queueId, shardingKey }: SendRequest, topic: TopicConfig, batchQueueId: number | undefined): number {
    if (queueId !== undefined) {
      if (queueId < Math.max(topic.readQueues, topic.writeQueues)) return queueId
      throw new BrokerError(
        'QUEUE_UNKNOWN',
        `queue ${queueId} of ${topic.topic}: there are ${Math.max(topic.readQueues, topic.writeQueues)} queues`,
      )
    }
    if (shardingKey !== undefined) return this.#options.shardOf(shardingKey, topic.writeQueues)
    return batchQueueId ?? this.#turn(topic)
  }

  #turn(topic: TopicConfig): number {
    const turn = this.#last?.topic === topic ? this.#last.turn : this.#turnOf(topic)
    const { writeQueues } = topic
    const queueId = turn.queueId
    turn.queueId = queueId + 1 >= writeQueues ? 0 : queueId + 1
    return queueId < writeQueues ? queueId : 0
  }

  #turnOf(topic: TopicConfig): Turn {
    let turn = this.#turns.get(topic.topic)
    if (turn === undefined) this.#turns.set(topic.topic, (turn = { queueId: 0 }))
    this.#last = { topic, turn }
    return turn
  }
}

/** Of a request that waits: its sender may change what it handed over. */
function copyOfRequest(request: SendRequest): SendRequest {
  const { body, keys, properties } = request
  return {
    ...request,
    body: body instanceof Uint8Array ? Uint8Array.prototype.slice.call(body) : body,
    ...(Array.isArray(keys) ? { keys: [...(keys as readonly string[])] } : {}),
    ...(properties === undefined || properties === null ? {} : { properties: { ...properties } }),
  }
}

/** @throws {BrokerError} `TOPIC_REFUSED` or `NO_PERMISSION` */
function checkMayWrite(config: TopicConfig): void {
  const { topic } = config
  if (isClosedToClients(topic)) throw new BrokerError('TOPIC_REFUSED', `${topic} is a topic of the system: nothing is sent to it`)
  if (isWritable(config)) return
  throw new BrokerError('NO_PERMISSION', `topic ${topic} is not open for writing`)
}

function checkBatch(requests: readonly SendRequest[]): void {
  if (!Array.isArray(requests)) throw new TypeError(`messages must be an array, got ${shown(requests)}`)
  if (requests.length > MAX_BATCH_MESSAGES)
    throw new RangeError(`a batch has at most ${MAX_BATCH_MESSAGES} messages, got ${requests.length}`)
  const topic = (requests[0] as SendRequest | undefined)?.topic
  for (const request of requests as readonly SendRequest[]) {
    checkSendRequest(request)
    if (request.topic !== topic) throw new TypeError(`a batch goes to one topic, got ${shown(topic)} and ${shown(request.topic)}`)
    if (request.delayLevel !== undefined || request.delayMs !== undefined || request.deliverAt !== undefined)
      throw new TypeError('messages of a batch cannot be delayed')
  }
}
