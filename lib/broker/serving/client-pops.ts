/**
 * Pops of clients, and what they say of what they popped. What is out, and what comes again, is the business of `pop/`;
 * here is what only clients elsewhere meet: filters in their words, groups that are made on first use, handles taken apart.
 */
import { shown } from '../../base/errors.js'
import { BrokerError } from '../errors.js'
import { type ForeignFilter, filterExpressionOf, type MessageFilter } from '../filter/message-filter.js'
import { type Handle, normalTopicOf, readHandle, topicOfHandle } from '../pop/handle.js'
import type { LookRequest } from '../pop/looking.js'
import type { PoppedMessage } from '../pop/pop-parts.js'
import type { PopRequest } from '../pop/popping.js'
import { SystemProperty } from '../system-property.js'
import { withTopic } from './other-topic.js'
import { PullRefusal } from './pull.js'
import type { ServedParts } from './served.js'

/** What a client pops. */
export interface ClientPop extends Omit<PopRequest, 'filter' | 'signal' | 'pollMs'> {
  /** Which messages; `undefined` for all. */
  readonly filter: ForeignFilter | undefined
}

/** A message that a client popped, by what it says of it. */
export interface SettledMessage {
  readonly group: string
  /** The topic of its queue: that of the retries, for retried messages. */
  readonly topic: string
  readonly queueId: number
  readonly offset: number
  readonly handle: string
}

/** What can be popped by one client. */
export interface AdmittedPop extends PopRequest {
  readonly pollMs: 0
}

/** See the head of this file. */
export class ClientPops {
  readonly #parts: ServedParts
  readonly #servesSql: boolean

  /** @param servesSql - whether clients may filter with SQL */
  constructor(parts: ServedParts, servesSql: boolean) {
    this.#parts = parts
    this.#servesSql = servesSql
  }

  /**
   * Decides what a client may pop. The group is made if that is allowed.
   *
   * @throws {PullRefusal} for an SQL filter where there are none; {@link BrokerError} `BROKER_CLOSED`, `GROUP_UNKNOWN`,
   *   `FILTER_INVALID`
   */
  async admit({ filter: given, ...request }: ClientPop): Promise<AdmittedPop> {
    await this.admitGroup(request.group)
    const filter = this.#filterOf(given)
    return { ...request, filter, pollMs: 0 }
  }

  /** Makes a group, if it is not there and may be made. @throws {BrokerError} `BROKER_CLOSED`, `GROUP_UNKNOWN` */
  async admitGroup(name: string): Promise<void> {
    const { base, groups } = this.#parts
    base.checkOpen()
    if (groups.find(name) === undefined) await groups.forConsuming(name)
  }

  /** Pops what is there now, or waits for it. @throws as a pop does */
  async pop(admitted: AdmittedPop, pollMs: number, wait: Pick<PopRequest, 'signal' | 'turn'> = {}): Promise<PoppedMessage[]> {
    return this.#parts.pop.popping.pop({ ...admitted, pollMs, ...wait })
  }

  /** How many messages stand behind the group's offsets. */
  rest(request: LookRequest): number {
    return this.#parts.pop.looking.rest(request)
  }

  /** The record of a popped message: that of a retried one under its first topic, with its handle. */
  recordOf(popped: PoppedMessage, topic: string): Buffer {
    const { stored, handle } = popped
    if (popped.point.topic === topic) return stored.record
    return withTopic(stored.record, { topic, added: { [SystemProperty.popCheckPoint]: handle } })
  }

  /**
   * The message is handled.
   *
   * @throws {BrokerError} `TOPIC_UNKNOWN`, `QUEUE_UNKNOWN`, `DELIVERY_UNKNOWN`, `DELIVERY_SETTLED`; what the store throws
   */
  async ack(message: SettledMessage): Promise<void> {
    const { group, handle } = message
    this.#handleOf(message)
    await this.#parts.pop.settling.ack({ group, topic: normalTopicOf(message.topic, group) }, handle)
  }

  /** Several messages of one group and topic are handled; what cannot be settled is passed over, as in RocketMQ. */
  async ackAll(owner: { readonly group: string; readonly topic: string }, handles: readonly string[]): Promise<void> {
    await this.#parts.pop.settling.ackBatch(owner, handles)
  }

  /**
   * Hides a message for another while.
   *
   * @returns what the client shall show from now on; of ordered messages it says until when they are hidden
   * @throws as {@link ack}; {@link RangeError} for a time out of its range
   */
  async changeInvisible(message: SettledMessage, invisibleMs: number): Promise<Handle> {
    const { group, handle } = message
    const { popTime } = this.#handleOf(message)
    const owner = { group, topic: normalTopicOf(message.topic, group) }
    const now = this.#parts.base.ports.clock.now()
    const next = readHandle(await this.#parts.pop.settling.changeInvisible(owner, handle, invisibleMs))
    return next.popTime === popTime ? { ...next, invisibleMs: now + invisibleMs - popTime } : next
  }

  #filterOf(given: ForeignFilter | undefined): MessageFilter {
    const filter = this.#parts.filters.get(given === undefined ? '*' : filterExpressionOf(given))
    if (filter.kind === 'TAG' || this.#servesSql) return filter
    throw new PullRefusal('sqlNotServed', `The broker does not support consumer to filter message by ${filter.kind}`)
  }

  /** Takes a handle apart, which must be of the message that it came with. */
  #handleOf({ group, topic, queueId, offset, handle: text }: SettledMessage): Handle {
    const { base, topics } = this.#parts
    base.checkOpen()
    const { readQueues } = topics.get(topic)
    if (queueId < 0 || queueId >= readQueues) throw new BrokerError('QUEUE_UNKNOWN', `topic ${topic} has no queue ${queueId}`)
    const handle = readHandle(text)
    const isOfIt = topicOfHandle(normalTopicOf(topic, group), group, handle.retry) === topic
    if (!isOfIt || handle.queueId !== queueId || handle.offset !== offset)
      throw new BrokerError('DELIVERY_UNKNOWN', `${shown(text)} must be the handle of ${topic}/${queueId}@${offset}`)
    return handle
  }
}
