/**
 * Takes messages out of queues, for one consumer at a time and queue, and hides them from the others for a while.
 *
 * ```
 *  wait for the queue's turn -> get from the group's offset -> put the check point -> move the offset -> hand out
 * ```
 *
 * The offset moves only behind a check point that is stored: whatever happens then, the messages come again. In two
 * pops of ten what is tried again comes first, else last. (`PopMessageProcessor`.)
 */
import { wholeBetween } from '../../base/arguments.js'
import { MessageStoreError, shown } from '../../base/errors.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { QueuePlace } from '../config/offsets.js'
import { Permission, type TopicConfig } from '../config/topic-config.js'
import { type StartAt, startOffset } from '../consuming/start-offset.js'
import { BrokerError } from '../errors.js'
import type { MessageFilter } from '../filter/message-filter.js'
import type { ArrivalWatch } from './arrival-watch.js'
import { type CheckPoint, checkPointRecord, MAX_POPPED } from './check-point.js'
import { ORDERED_REVIVE_QUEUE, popRetryTopicsOf, printHandle } from './handle.js'
import type { OrderInfos } from './order-info.js'
import type { Outstanding } from './outstanding.js'
import type { PopParts, PoppedMessage, PutReviveRecord } from './pop-parts.js'
import type { Turns } from './turns.js'

const RETRY_FIRST = 0.2
/** Revive queues are used in turn, one for each pop. */
const REVIVE_QUEUES = 8
/** One pop brings so many bytes at most, from all queues together; the first message always fits. RocketMQ's limit of a get. */
const MAX_BYTES = 262_144
/** Gets of one pop in which nothing matched: others have their turn then. */
const MAX_EMPTY_GETS = 8
/** Queues that are blocked, and pops that were kept out, are looked at again this often. */
export const LOOK_EVERY_MS = 1000
/** Longest that messages are hidden: what the timer can hold. */
export const MAX_INVISIBLE_MS = 3 * 24 * 3600 * 1000

/** Lets one look at the queues begin when it may; it may also say that there is nothing, without a look. */
export type PopTurn = (look: () => Promise<PoppedMessage[]>) => Promise<PoppedMessage[]>

/** What is popped. */
export interface PopRequest {
  readonly group: string
  readonly topic: string
  /** -1 for all queues. */
  readonly queueId: number
  /** 1 to 32. */
  readonly maxMessages: number
  /** How long the messages are hidden from others, milliseconds, 1 to 259,200,000. */
  readonly invisibleMs: number
  readonly filter: MessageFilter
  /** Milliseconds to wait when there is nothing. */
  readonly pollMs: number
  readonly signal?: AbortSignal | undefined
  /** When it looks at the queues. @default at once */
  readonly turn?: PopTurn
  /** Where a new group begins. */
  readonly startAt: StartAt
  /** Whether nothing of a queue is handed out while something of it is out. */
  readonly isOrdered: boolean
  /** Of an ordered pop that may be the same one again: who asks. */
  readonly attemptId?: string
}

/** What popping needs beside the common parts. */
export interface PoppingParts extends PopParts {
  readonly orders: OrderInfos
  readonly outstanding: Outstanding
  readonly turns: Turns
  readonly watch: ArrivalWatch
  readonly putRecord: PutReviveRecord
  /** Resolves when offsets may move: not while they are being written. */
  readonly mayMove: () => Promise<void> | undefined
}

/**
 * The topic that is to be popped, or looked at.
 *
 * @throws {BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`, `NO_PERMISSION`, `QUEUE_UNKNOWN`
 */
export function checkPopped(
  { topics, groups }: Pick<PopParts, 'topics' | 'groups'>,
  { group, topic, queueId }: Pick<PopRequest, 'group' | 'topic' | 'queueId'>,
): TopicConfig {
  const config = topics.get(topic)
  if (!(config.permission & Permission.read)) throw new BrokerError('NO_PERMISSION', `topic ${topic} is not open for reading`)
  if (!Number.isSafeInteger(queueId) || queueId < -1 || queueId >= config.readQueues)
    throw new BrokerError('QUEUE_UNKNOWN', `topic ${topic} has no queue ${shown(queueId)} to read`)
  if (!groups.get(group).mayConsume) throw new BrokerError('NO_PERMISSION', `group ${group} may not consume`)
  if (groups.isForbidden(group, topic)) throw new BrokerError('NO_PERMISSION', `group ${group} may not read ${topic}`)
  return config
}

/** One pop under way. */
interface Pop {
  readonly request: PopRequest
  readonly popTime: number
  readonly reviveQueueId: number
  readonly found: PoppedMessage[]
}

/** Where a pop took messages. */
interface Range {
  readonly topic: string
  readonly queueId: number
  readonly startOffset: number
  readonly nextOffset: number
  /** Moves the group; `false` when the topic was deleted meanwhile. */
  readonly commit: QueuePlace['commit']
}

/** See the head of this file. */
export class Popping {
  readonly #parts: PoppingParts
  #pops = 0

  constructor(parts: PoppingParts) {
    this.#parts = parts
  }

  /**
   * Pops messages of a topic, waiting for them.
   *
   * @returns none when there were none in time, or when as many as may be are out
   * @throws {RangeError} for a number out of its range; {@link BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`,
   *   `NO_PERMISSION`, `QUEUE_UNKNOWN`, `BROKER_CLOSED`; what the store throws: then nothing was handed out
   */
  async pop(request: PopRequest): Promise<PoppedMessage[]> {
    const { clock, watch, checkOpen } = this.#parts
    const deadline = clock.monotonic() + request.pollMs
    for (;;) {
      checkOpen()
      const config = this.#check(request)
      const look = (): Promise<PoppedMessage[]> => this.#popOnce(request, config)
      const found = await (request.turn === undefined ? look() : request.turn(look))
      const left = deadline - clock.monotonic()
      if (found.length > 0 || left <= 0 || request.signal?.aborted) return found
      await watch.wait(request.topic, config.readQueues, Math.min(left, LOOK_EVERY_MS), request.signal)
    }
  }

  #check(request: PopRequest): TopicConfig {
    wholeBetween('maxMessages', request.maxMessages, 1, MAX_POPPED)
    wholeBetween('invisibleMs', request.invisibleMs, 1, MAX_INVISIBLE_MS)
    return checkPopped(this.#parts, request)
  }

  async #popOnce(request: PopRequest, { topic, readQueues }: TopicConfig): Promise<PoppedMessage[]> {
    const { clock, random } = this.#parts
    const { queueId, isOrdered } = request
    const reviveQueueId = isOrdered ? ORDERED_REVIVE_QUEUE : this.#pops++ % REVIVE_QUEUES
    const chance = random()
    const pop: Pop = { request, popTime: clock.now(), reviveQueueId, found: [] }
    const isRetryFirst = !isOrdered && chance < RETRY_FIRST
    if (isRetryFirst) await this.#fromRetries(pop)
    const first = queueId < 0 ? Math.floor(chance * 100) : queueId
    const count = queueId < 0 ? readQueues : 1
    for (let i = 0; i < count; i++) await this.#fromQueue(pop, topic, (first + i) % readQueues)
    if (!isOrdered && !isRetryFirst) await this.#fromRetries(pop)
    return pop.found
  }

  async #fromRetries(pop: Pop): Promise<void> {
    for (const topic of popRetryTopicsOf(pop.request.group, pop.request.topic)) {
      const queues = this.#parts.topics.find(topic)?.readQueues ?? 0
      for (let queueId = 0; queueId < queues; queueId++) await this.#fromQueue(pop, topic, queueId)
    }
  }

  /** Adds what a queue has to a pop. What fails after something was found is told, not thrown: that is out already. */
  async #fromQueue(pop: Pop, topic: string, queueId: number): Promise<void> {
    const { turns, onProblem } = this.#parts
    const { request, found } = pop
    if (found.length >= request.maxMessages || bytesOf(found) >= MAX_BYTES) return
    try {
      await turns.run(`${topic}@${request.group}@${queueId}`, () => this.#inTurn(pop, topic, queueId))
    } catch (error) {
      if (found.length === 0) throw error
      onProblem(error, `popping ${topic}`)
    }
  }

  async #inTurn(pop: Pop, topic: string, queueId: number): Promise<void> {
    const { store, offsets, orders, outstanding, topics } = this.#parts
    const { group, isOrdered, attemptId, signal, startAt } = pop.request
    if (signal?.aborted || outstanding.isFull || topics.find(topic) === undefined) return
    // The topic may be deleted while something is waited for, and made again.
    const { commit } = offsets.place(topic, group, queueId)
    if (isOrdered && orders.isBlocked({ group, topic, queueId }, attemptId)) return
    for (let gets = 0; gets < MAX_EMPTY_GETS; gets++) {
      let offset = offsets.find(topic, group, queueId)
      if (offset === undefined) {
        const { maxOffset: end } = store.bounds(topic, queueId)
        offset = await startOffset(store, { topic, queueId, end }, { startAt, model: 'clustering' })
        if (!commit(offset)) return
      }
      const { maxOffset } = store.bounds(topic, queueId)
      if (offset === maxOffset) return
      const { messages, nextOffset } = await this.#get(pop, topic, queueId, offset)
      if (messages.length > 0) return this.#handOut(pop, { topic, queueId, startOffset: offset, nextOffset, commit }, messages)
      if (nextOffset === offset) return
      await this.#parts.mayMove()
      if (!commit(nextOffset)) return
    }
  }

  /** What matches behind an offset. A damaged message is passed over: nobody can have it. */
  async #get(
    { request, found }: Pop,
    topic: string,
    queueId: number,
    offset: number,
  ): Promise<{ messages: StoredMessage[]; nextOffset: number }> {
    const { store, onProblem } = this.#parts
    const { filter } = request
    try {
      const { tags } = filter
      const [maxMessages, maxBytes] = [request.maxMessages - found.length, MAX_BYTES - bytesOf(found)]
      const result = await store.get({ topic, queueId, offset, tags, maxMessages, maxBytes })
      return { messages: result.messages.filter((one) => filter.matches(one)), nextOffset: result.nextOffset }
    } catch (error) {
      const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
      if (typeof next !== 'number') throw error
      onProblem(error, `popping ${topic}`)
      return { messages: [], nextOffset: next }
    }
  }

  async #handOut(
    { request, popTime, reviveQueueId, found }: Pop,
    range: Range,
    messages: readonly StoredMessage[],
  ): Promise<void> {
    const { orders, outstanding, numbers, putRecord, brokerName, mayMove } = this.#parts
    const { group, invisibleMs, isOrdered, attemptId } = request
    const { topic, queueId, startOffset: start, nextOffset, commit } = range
    const taken = messages.map(({ queueOffset }) => queueOffset)
    const point: CheckPoint = { group, topic, queueId, startOffset: start, popTime, brokerName, invisibleMs, offsets: taken }
    const counted = numbers.queue(topic, group, queueId)
    let earlier: readonly number[] = []
    if (isOrdered) {
      await mayMove()
      if (!commit(taken[0]!)) return
      earlier = orders.popped({ group, topic, queueId }, { popTime, invisibleMs, attemptId }, taken)
    } else {
      await putRecord(checkPointRecord(point), reviveQueueId)
      outstanding.add(point, counted)
      await mayMove()
      if (!commit(nextOffset)) {
        outstanding.forget(point)
        return
      }
    }
    messages.forEach((stored, i) => {
      const handle = printHandle(point, reviveQueueId, stored.queueOffset)
      const attempt = isOrdered ? (earlier[i] ?? 0) + 1 : stored.reconsumeTimes + 1
      found.push({ stored, point, reviveQueueId, handle, attempt })
      counted.delivered(stored, attempt)
    })
  }
}

function bytesOf(found: readonly PoppedMessage[]): number {
  return found.reduce((sum, { stored }) => sum + stored.size, 0)
}
