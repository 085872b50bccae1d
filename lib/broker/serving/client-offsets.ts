/**
 * How far groups have come, as clients elsewhere ask and tell it, and what they learn of resets.
 *
 * A reset counts at once, but a client elsewhere that has the queue goes on where it is, and would write its own offset over
 * it. So a reset is remembered until a pull of that group and queue was told of it, and what such clients note until then is
 * dropped. As in RocketMQ, a restart forgets which resets were not told yet; the offsets themselves stay.
 *
 * Where each member keeps offsets of its own, one pull would be told in place of all: there nothing is remembered, and
 * listeners must tell the members.
 */
import type { GroupPlace } from '../config/offsets.js'
import { BrokerError } from '../errors.js'
import type { ServedParts } from './served.js'

/** What it needs. */
export type ClientOffsetsParts = Pick<ServedParts, 'offsets' | 'store' | 'topics' | 'groups' | 'registry'>

/** A reset that no pull was told of yet. */
interface Reset {
  readonly offset: number
  /** Whether the clients were told otherwise: they let go of the queue and come back to where it was reset to. */
  wasPushed: boolean
}

/** See the head of this file. */
export class ClientOffsets {
  readonly #parts: ClientOffsetsParts
  readonly #pending = new Map<string, Map<number, Reset>>()
  readonly #stopListening: () => void
  readonly #listeners = new Set<(place: GroupPlace) => void>()

  constructor(parts: ClientOffsetsParts) {
    this.#parts = parts
    this.#stopListening = parts.offsets.onMove((place) => this.#moved(place))
  }

  /** Hears of no further resets: the broker goes on without the clients for which this is. */
  close(): void {
    this.#stopListening()
    this.#pending.clear()
  }

  /**
   * The next offset that a group consumes.
   *
   * @param mayStart - whether a group without one begins at 0, which it does in a queue from which nothing expired yet:
   *   its messages may have been sent for a consumer that was about to come. RocketMQ sends the client to ask for the end
   *   of a queue without messages, and the client misses what comes between the two questions
   * @returns `undefined` when it has none and so begins where its client wants to
   */
  find(topic: string, group: string, queueId: number, mayStart: boolean): number | undefined {
    const { offsets, store, topics } = this.#parts
    const found = offsets.find(topic, group, queueId)
    if (found !== undefined && found >= 0) return found
    if (!mayStart || queueId >= (topics.find(topic)?.readQueues ?? 0)) return undefined
    return store.bounds(topic, queueId).minOffset === 0 ? 0 : undefined
  }

  /**
   * Notes how far a group has come. An offset below 0, with which some clients say that they have none, is not noted, nor is
   * one while a reset of the queue is not told yet.
   *
   * @throws {BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`, `QUEUE_UNKNOWN`
   */
  commit(topic: string, group: string, queueId: number, offset: number): void {
    const { offsets, topics, groups } = this.#parts
    const { readQueues, writeQueues } = topics.get(topic)
    groups.get(group)
    // Offsets stay in memory and in a file, so that not everything that a client names may get in.
    if (queueId < 0 || queueId >= Math.max(readQueues, writeQueues)) throw unknownQueue(topic, queueId)
    if (offset >= 0 && this.#pendingIn(topic, group, queueId) === undefined) offsets.commit(topic, group, queueId, offset)
  }

  /** The reset that a pull from an offset is told of now, if there is one that its client does not know. */
  takePending(topic: string, group: string, queueId: number, from: number): number | undefined {
    const reset = this.#pendingIn(topic, group, queueId)
    if (reset === undefined) return undefined
    this.#drop(topic, group, queueId)
    return reset.wasPushed && reset.offset === from ? undefined : reset.offset
  }

  /** The clients of a group are told now of a reset. @returns false when a pull was told before, or the group moved on */
  push({ topic, group, queueId, offset }: GroupPlace): boolean {
    const reset = this.#pendingIn(topic, group, queueId)
    if (reset?.offset !== offset) return false
    reset.wasPushed = true
    return true
  }

  /** Gives a group the offsets of another one in a topic. @throws {BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN` */
  copy(topic: string, from: string, to: string): void {
    const { topics, groups, offsets } = this.#parts
    topics.get(topic)
    groups.get(from)
    groups.get(to)
    for (const [queueId, offset] of offsets.ofTopic(topic, from)) offsets.commit(topic, to, queueId, offset)
  }

  /** Calls a listener at each queue whose offset was reset. @returns a function that ends it */
  onReset(listener: (place: GroupPlace) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The reset that no pull was told of yet. If the group has moved on from there, a consumer of this process has. */
  #pendingIn(topic: string, group: string, queueId: number): Reset | undefined {
    const reset = this.#pending.get(keyOf(topic, group))?.get(queueId)
    if (reset === undefined || reset.offset === this.#parts.offsets.find(topic, group, queueId)) return reset
    this.#drop(topic, group, queueId)
    return undefined
  }

  #drop(topic: string, group: string, queueId: number): void {
    const key = keyOf(topic, group)
    const queues = this.#pending.get(key)
    queues?.delete(queueId)
    if (queues?.size === 0) this.#pending.delete(key)
  }

  #moved(place: GroupPlace): void {
    const { topic, group, queueId, offset } = place
    if (this.#parts.registry.facts(group)?.model !== 'BROADCASTING') {
      const key = keyOf(topic, group)
      const pending = this.#pending.get(key) ?? new Map<number, Reset>()
      this.#pending.set(key, pending.set(queueId, { offset, wasPushed: false }))
    }
    for (const listener of this.#listeners) listener(place)
  }
}

/** Names of topics and groups have no `@`. */
function keyOf(topic: string, group: string): string {
  return `${topic}@${group}`
}

/** The refusal of a queue that is not there. */
export function unknownQueue(topic: string, queueId: number): BrokerError {
  return new BrokerError('QUEUE_UNKNOWN', `topic ${topic} has no queue ${queueId}`)
}
