/** Where the parts of a broker say what happens, so that it is counted, and published to those who subscribe. */
import type { Message, PutReceipt } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { normalTopicOf } from '../pop/handle.js'
import { asksForDelay, SystemProperty } from '../system-property.js'
import { channels } from './channels.js'
import type { Counters, MessageKind, QueueCounter } from './counters.js'

/** See the head of this file. */
export class Numbers {
  readonly #broker: string
  readonly #counters: Counters

  /** @param broker - its name */
  constructor(broker: string, counters: Counters) {
    this.#broker = broker
    this.#counters = counters
  }

  /** A message came in from outside: retries and dead letters are not counted here. */
  sent(message: Message, receipt: PutReceipt): void {
    const { topic, properties } = message
    const kind = properties === undefined ? 'normal' : kindOf(properties)
    this.#counters.topic(topic).add(kind, receipt.size)
    const sends = channels['mqlite:send']
    if (!sends.hasSubscribers) return
    const { queueId, queueOffset, messageId, size } = receipt
    const { uniqueKey } = message
    sends.publish({ broker: this.#broker, topic, queueId, queueOffset, messageId, uniqueKey, bytes: size })
  }

  /** What a group gets from a queue, for those who hold it. */
  queue(topic: string, group: string, queueId: number): QueueNumbers {
    return new QueueNumbers(this.#broker, group, this.#counters.group(topic, group).queue(queueId))
  }

  /** A group could not handle a message. */
  sentBack(group: string, message: StoredMessage, isDead: boolean): void {
    const topic = message.properties[SystemProperty.retryTopic] ?? normalTopicOf(message.topic, group)
    const counter = this.#counters.group(topic, group)
    if (isDead) counter.deadLetters.count++
    else counter.retries.count++
    const { messageId, reconsumeTimes } = message
    if (channels['mqlite:sent-back'].hasSubscribers)
      channels['mqlite:sent-back'].publish({ broker: this.#broker, group, topic, messageId, reconsumeTimes, isDead })
  }
}

/** What a group gets from one queue: counted without looking anything up. */
export class QueueNumbers {
  readonly #broker: string
  readonly #group: string
  readonly #counter: QueueCounter

  constructor(broker: string, group: string, counter: QueueCounter) {
    this.#broker = broker
    this.#group = group
    this.#counter = counter
  }

  /** A message is handed out. */
  delivered(stored: StoredMessage, attempt: number): void {
    const { messages, bytes } = this.#counter
    messages.count++
    bytes.count += stored.size
    const deliveries = channels['mqlite:deliver']
    if (deliveries.hasSubscribers) deliveries.publish({ ...this.#place(stored), attempt, bytes: stored.size })
  }

  /** A message is acknowledged. */
  acknowledged(stored: StoredMessage, attempt: number): void {
    this.#counter.acknowledged.count++
    const acknowledgements = channels['mqlite:ack']
    if (acknowledgements.hasSubscribers) acknowledgements.publish({ ...this.#place(stored), attempt })
  }

  /** Popped messages are acknowledged. @returns whether somebody wants to be told of each; see {@link tellAcknowledged} */
  acknowledgedPopped(count: number): boolean {
    this.#counter.acknowledged.count += count
    return channels['mqlite:ack'].hasSubscribers
  }

  /** Publishes the acknowledgement of a message that was popped. */
  tellAcknowledged(stored: StoredMessage, attempt: number): void {
    channels['mqlite:ack'].publish({ ...this.#place(stored), attempt })
  }

  /** A message is not handed out: the group has acknowledged the same before. */
  dropped(stored: StoredMessage, key: string): void {
    this.#counter.dropped++
    const drops = channels['mqlite:dropped']
    if (drops.hasSubscribers) drops.publish({ ...this.#place(stored), key })
  }

  /** So many more are out, or fewer. */
  out(change: number): void {
    this.#counter.inFlight += change
  }

  /** So many more were popped and are not acknowledged, or fewer: such that a member has, or such that were given back. */
  popped(change: number, isGivenBack: boolean): void {
    this.#counter.popped += change
    if (isGivenBack) this.#counter.givenBack += change
  }

  #place({ topic, queueId, queueOffset, messageId }: StoredMessage) {
    return { broker: this.#broker, group: this.#group, topic, queueId, queueOffset, messageId }
  }
}

/** What RocketMQ takes a message for, from its properties. */
function kindOf(properties: Readonly<Record<string, string>>): MessageKind {
  if (properties[SystemProperty.transactionPrepared] === 'true') return 'transaction'
  if (asksForDelay(properties)) return 'delay'
  return properties[SystemProperty.shardingKey] === undefined ? 'normal' : 'fifo'
}
