/**
 * How far groups have come, as clients elsewhere ask and tell it, and resets that an administrator asks for.
 *
 * A reset counts at once, but the client that has the queue goes on where it is, and would write its own offset over it.
 * So for clients elsewhere a reset is remembered until a pull of that group and queue was told of it, and what the group commits until then is
 * dropped. As in RocketMQ, a restart forgets which resets were not told yet; the offsets themselves stay.
 */
import { BrokerError } from '../errors.js'
import type { ServedParts } from './served.js'

/** What a reset asks for. */
export interface ResetRequest {
  readonly topic: string
  readonly group: string
  /** One queue. @default all that can be read */
  readonly queueId?: number | undefined
  /** The offset, of that one queue. @default what the time says */
  readonly offset?: number | undefined
  /** Milliseconds since 1970; below 0 for the end. */
  readonly timestamp: number
}

/** What it needs. */
export type ClientOffsetsParts = Pick<ServedParts, 'offsets' | 'store' | 'topics' | 'groups' | 'consumers'>

/** See the head of this file. */
export class ClientOffsets {
  readonly #parts: ClientOffsetsParts
  readonly #pending = new Map<string, Map<number, number>>()
  readonly #listeners = new Set<(topic: string, group: string, queueId: number) => void>()

  constructor(parts: ClientOffsetsParts) {
    this.#parts = parts
  }

  /**
   * The next offset that a group consumes.
   *
   * @param mayStart - whether a group without one begins at 0, which it does in a queue from which nothing expired yet:
   *   its messages may have been sent for a consumer that was about to come
   * @returns `undefined` when it has none and so begins where its client wants to
   */
  find(topic: string, group: string, queueId: number, mayStart: boolean): number | undefined {
    const { offsets, store } = this.#parts
    const found = offsets.find(topic, group, queueId)
    if (found !== undefined && found >= 0) return found
    if (!mayStart) return undefined
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    return minOffset === 0 && maxOffset > 0 ? 0 : undefined
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

  /** The reset that a pull is told of now, if there is one. */
  takePending(topic: string, group: string, queueId: number): number | undefined {
    const offset = this.#pendingIn(topic, group, queueId)
    if (offset !== undefined) this.#drop(topic, group, queueId)
    return offset
  }

  /**
   * Sets the offsets of a group anew.
   *
   * @returns the new offsets by queue
   * @throws {BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`, `QUEUE_UNKNOWN`
   * @throws {RangeError} for an offset outside of its queue; then nothing changed
   */
  async reset(request: ResetRequest): Promise<ReadonlyMap<number, number>> {
    const { topics, groups } = this.#parts
    const { topic, group, queueId } = request
    const { readQueues } = topics.get(topic)
    groups.get(group)
    if (queueId !== undefined && queueId >= readQueues) throw unknownQueue(topic, queueId)
    const queueIds = queueId === undefined ? Array.from({ length: readQueues }, (_, id) => id) : [queueId]
    const anew = new Map<number, number>()
    for (const id of queueIds) anew.set(id, await this.#placeIn(id, request))
    for (const [id, offset] of anew) await this.#set(topic, group, id, offset)
    return anew
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
  onReset(listener: (topic: string, group: string, queueId: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The offset of a reset that no pull was told of yet. If the group has moved on from there, a consumer of this process has. */
  #pendingIn(topic: string, group: string, queueId: number): number | undefined {
    const offset = this.#pending.get(keyOf(topic, group))?.get(queueId)
    if (offset === undefined || offset === this.#parts.offsets.find(topic, group, queueId)) return offset
    this.#drop(topic, group, queueId)
    return undefined
  }

  #drop(topic: string, group: string, queueId: number): void {
    const key = keyOf(topic, group)
    const queues = this.#pending.get(key)
    queues?.delete(queueId)
    if (queues?.size === 0) this.#pending.delete(key)
  }

  /** A consumer of this process goes there at once; one elsewhere learns it with its next pull. */
  async #set(topic: string, group: string, queueId: number, offset: number): Promise<void> {
    const { offsets, consumers } = this.#parts
    if (await consumers.move(group, topic, queueId, offset)) return
    const key = keyOf(topic, group)
    const pending = this.#pending.get(key) ?? new Map<number, number>()
    this.#pending.set(key, pending.set(queueId, offset))
    offsets.commit(topic, group, queueId, offset)
    // Whoever goes back wants to see it all again.
    offsets.keepAhead(topic, group, queueId, [])
    for (const listener of this.#listeners) listener(topic, group, queueId)
  }

  async #placeIn(queueId: number, { topic, offset, timestamp }: ResetRequest): Promise<number> {
    const { store } = this.#parts
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    if (offset !== undefined) {
      if (offset >= minOffset && offset <= maxOffset) return offset
      throw new RangeError(`the offset must be from ${minOffset} to ${maxOffset} in ${topic}/${queueId}, got ${offset}`)
    }
    return timestamp < 0 ? maxOffset : store.offsetByTime(topic, queueId, timestamp, 'lower')
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
