/**
 * How much of a topic is unread, and what happens when that is as much as may be.
 *
 * A message is unread while some group has still to pass it, or has popped it and not acknowledged it; the group that is
 * furthest behind counts. Such a group has offsets in the topic, or members that subscribe to it: then it counts from
 * where it will begin, as far as that is known. Adding that up for every message would cost more than the message, so it is
 * added up again only when what was counted last, and what was sent since, reach the bound, or when a group came or went
 * back. What is let in and not stored yet is in no queue, so it counts beside them.
 *
 * Who waits for room stands in a line for the topic, so that what one sender sends stays in its order and a large batch gets
 * its turn. The first in the line looks again every so often, and the others wait for it.
 */
import type { Timers } from '../../base/system.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { ConsumeFrom } from '../group/members.js'
import type { ClientRegistry } from '../group/registry.js'
import type { Counters } from '../numbers/counters.js'
import type { ReadPort } from '../store-port.js'

/** The first sender that waits looks again this often. */
const LOOK_EVERY_MS = 20

/** What a bound on unread messages needs. */
export interface BacklogParts {
  readonly store: Pick<ReadPort, 'bounds'>
  readonly topics: Pick<Topics, 'find'>
  readonly offsets: Pick<ConsumerOffsets, 'groupsOf' | 'find' | 'onMove'>
  readonly registry: Pick<ClientRegistry, 'groupsOf' | 'facts' | 'events'>
  /** Knows what was popped. */
  readonly counters: Pick<Counters, 'find'>
  readonly timers: Timers
  readonly maxMessages: number
  readonly whenFull: 'reject' | 'wait'
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

type QueueBounds = Readonly<ReturnType<ReadPort['bounds']>>

/**
 * Lets messages into a topic when there is room, and then stores them; `store` is told whether they had to wait, since
 * the topic may be another one by then, or be gone.
 *
 * @throws {BrokerError} `BACKLOG_FULL`
 * @throws {RangeError} for more messages than may ever be unread
 */
export type Admit = <Result>(topic: string, messages: number, store: (hasWaited: boolean) => Promise<Result>) => Promise<Result>

/** Messages that wait for room. */
interface Waiting {
  readonly messages: number
  /** Stores them. */
  readonly enter: () => void
  readonly refuse: (error: unknown) => void
}

/** Unread messages of a topic as they were last counted, and what has come since. */
interface Count {
  unread: number
  since: number
  /** Let in, and not stored yet. */
  underWay: number
}

/** Where a group begins that has no place in a topic yet, as clients do that ask for the last: see `start-offset.ts`. */
function beginOf({ minOffset, maxOffset }: QueueBounds): number {
  return minOffset === 0 ? 0 : maxOffset
}

/** Words for the first message, old ones among them. */
const FROM_FIRST: readonly (ConsumeFrom | undefined)[] = ['CONSUME_FROM_FIRST_OFFSET', 'CONSUME_FROM_MIN_OFFSET']

/** See the head of this file. */
export class Backlog {
  readonly #parts: BacklogParts
  readonly #counts = new Map<string, Count>()
  /** For each topic who waits, in the order in which they came. */
  readonly #lines = new Map<string, Waiting[]>()

  constructor(parts: BacklogParts) {
    this.#parts = parts
    const { offsets, registry } = parts
    offsets.onMove(({ topic }) => this.#outdate(topic))
    registry.events.on('subscriptionsChanged', ({ subscriptions }) => {
      for (const topic of subscriptions.keys()) this.#outdate(topic)
    })
  }

  /** See {@link Admit}: at once, or, if that was asked for, when there is room. */
  readonly admit: Admit = async (topic, messages, store) => {
    const { whenFull, maxMessages } = this.#parts
    if (messages > maxMessages)
      throw new RangeError(`${messages} messages at once: topic ${topic} may have at most ${maxMessages} unread messages`)
    // Nobody passes those who wait.
    if (!this.#lines.has(topic) && this.#enter(topic, messages)) return this.#stored(topic, messages, () => store(false))
    if (whenFull !== 'wait') throw this.#full(topic)
    return new Promise((resolve, reject) => {
      const enter = (): void => resolve(this.#stored(topic, messages, () => store(true)))
      this.#join(topic, { messages, enter, refuse: reject })
    })
  }

  /** See {@link Admit}: at once or not at all, since clients elsewhere do not wait for long. */
  readonly admitNow: Admit = async (topic, messages, store) => {
    if (this.#lines.has(topic) || !this.#enter(topic, messages)) throw this.#full(topic)
    return this.#stored(topic, messages, () => store(false))
  }

  async #stored<Result>(topic: string, messages: number, store: () => Promise<Result>): Promise<Result> {
    try {
      return await store()
    } finally {
      this.#counts.get(topic)!.underWay -= messages
    }
  }

  #full(topic: string): BrokerError {
    const { maxMessages } = this.#parts
    return new BrokerError('BACKLOG_FULL', `topic ${topic} has unread messages; at most ${maxMessages} are allowed`)
  }

  /** Notes messages as let in, if there is room. */
  #enter(topic: string, messages: number): boolean {
    const { maxMessages } = this.#parts
    let count = this.#counts.get(topic)
    if (count === undefined || count.unread + count.since + messages > maxMessages) {
      const underWay = count?.underWay ?? 0
      count = { unread: this.#count(topic), since: underWay, underWay }
      this.#counts.set(topic, count)
    }
    if (count.unread + count.since + messages > maxMessages) return false
    count.since += messages
    count.underWay += messages
    return true
  }

  /** The next message is counted anew. */
  #outdate(topic: string): void {
    const count = this.#counts.get(topic)
    if (count !== undefined) count.unread = Number.POSITIVE_INFINITY
  }

  #count(topic: string): number {
    const { offsets, registry } = this.#parts
    let most = 0
    const placed = new Set(offsets.groupsOf(topic))
    for (const group of placed)
      most = Math.max(
        most,
        this.#unread(topic, group, ({ minOffset }) => minOffset),
      )
    for (const group of registry.groupsOf(topic)) {
      const facts = registry.facts(group)
      // The offsets of broadcasting members elsewhere are their own.
      if (placed.has(group) || facts?.model !== 'CLUSTERING') continue
      const isFromFirst = FROM_FIRST.includes(facts.consumeFrom)
      most = Math.max(most, this.#unread(topic, group, isFromFirst ? ({ minOffset }) => minOffset : beginOf))
    }
    return most
  }

  /** How many messages of a topic a group has still to read. */
  #unread(topic: string, group: string, begin: (bounds: QueueBounds) => number): number {
    const { store, topics, offsets, counters } = this.#parts
    const counter = counters.find(topic, group)
    let unread = 0
    const queues = topics.find(topic)?.readQueues ?? 0
    for (let queueId = 0; queueId < queues; queueId++) {
      const bounds = store.bounds(topic, queueId)
      const { minOffset, maxOffset } = bounds
      unread += counter?.queues.get(queueId)?.popped ?? 0
      unread += maxOffset - Math.max(minOffset, Math.min(maxOffset, offsets.find(topic, group, queueId) ?? begin(bounds)))
    }
    return unread
  }

  #join(topic: string, waiting: Waiting): void {
    const line = this.#lines.get(topic)
    if (line !== undefined) line.push(waiting)
    else {
      this.#lines.set(topic, [waiting])
      this.#lookLater(topic)
    }
  }

  #lookLater(topic: string): void {
    this.#parts.timers.after(LOOK_EVERY_MS, () => this.#look(topic), true)
  }

  /** Lets in who is first in the line, as far as there is room. */
  #look(topic: string): void {
    const line = this.#lines.get(topic)!
    let entered = 0
    try {
      this.#parts.checkOpen()
      while (entered < line.length && this.#enter(topic, line[entered]!.messages)) line[entered++]!.enter()
    } catch (error) {
      // The broker was closed, or the store below it.
      this.#lines.delete(topic)
      for (const { refuse } of line.slice(entered)) refuse(error)
      return
    }
    line.splice(0, entered)
    if (line.length > 0) this.#lookLater(topic)
    else this.#lines.delete(topic)
  }
}
