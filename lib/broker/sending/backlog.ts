/**
 * How much of a topic is unread, and what happens when that is as much as may be.
 *
 * A message is unread while some group with offsets in the topic has still to pass it; the group that is furthest behind
 * counts. Adding that up for every message would cost more than the message, so it is added up again only when what was
 * counted last, and what was sent since, reach the bound.
 */
import type { Timers } from '../../base/system.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { ReadPort } from '../store-port.js'

/** A sender that waits looks again this often. */
const LOOK_EVERY_MS = 20

/** What a bound on unread messages needs. */
export interface BacklogParts {
  readonly store: Pick<ReadPort, 'bounds'>
  readonly topics: Pick<Topics, 'find'>
  readonly offsets: Pick<ConsumerOffsets, 'groupsOf' | 'find'>
  readonly timers: Timers
  readonly maxMessages: number
  readonly whenFull: 'reject' | 'wait'
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

/** Unread messages of a topic as they were last counted, and what has come since. */
interface Count {
  unread: number
  since: number
}

/** How many messages of a topic a group has still to read. */
export function backlogOf(
  { store, topics, offsets }: Pick<BacklogParts, 'store' | 'topics'> & { readonly offsets: Pick<ConsumerOffsets, 'find'> },
  topic: string,
  group: string,
): number {
  let unread = 0
  const queues = topics.find(topic)?.readQueues ?? 0
  for (let queueId = 0; queueId < queues; queueId++) {
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    unread += maxOffset - Math.max(minOffset, Math.min(maxOffset, offsets.find(topic, group, queueId) ?? minOffset))
  }
  return unread
}

/** See the head of this file. */
export class Backlog {
  readonly #parts: BacklogParts
  readonly #counts = new Map<string, Count>()

  constructor(parts: BacklogParts) {
    this.#parts = parts
  }

  /** Lets messages in: `undefined` at once, or a promise for when there is room. @throws {BrokerError} `BACKLOG_FULL` */
  admit(topic: string, messages: number): Promise<void> | undefined {
    if (this.#hasRoom(topic, messages)) return undefined
    if (this.#parts.whenFull === 'wait') return this.#wait(topic, messages)
    throw this.#full(topic)
  }

  /** Lets messages in at once or not at all: clients elsewhere do not wait for long. @throws {BrokerError} `BACKLOG_FULL` */
  admitNow(topic: string, messages: number): void {
    if (!this.#hasRoom(topic, messages)) throw this.#full(topic)
  }

  #full(topic: string): BrokerError {
    const { maxMessages } = this.#parts
    return new BrokerError('BACKLOG_FULL', `topic ${topic} has unread messages; at most ${maxMessages} are allowed`)
  }

  #hasRoom(topic: string, messages: number): boolean {
    const { maxMessages } = this.#parts
    let count = this.#counts.get(topic)
    if (count === undefined || count.unread + count.since + messages > maxMessages) {
      count = { unread: this.#count(topic), since: 0 }
      this.#counts.set(topic, count)
    }
    if (count.unread + count.since + messages > maxMessages) return false
    count.since += messages
    return true
  }

  #count(topic: string): number {
    let most = 0
    for (const group of this.#parts.offsets.groupsOf(topic)) most = Math.max(most, backlogOf(this.#parts, topic, group))
    return most
  }

  async #wait(topic: string, messages: number): Promise<void> {
    const { timers, checkOpen } = this.#parts
    do {
      await new Promise<void>((resolve) => timers.after(LOOK_EVERY_MS, resolve, true))
      checkOpen()
    } while (!this.#hasRoom(topic, messages))
  }
}
