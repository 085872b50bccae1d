/**
 * A pull of a client: who may pull what, from where, and what comes of it. The checks stand in RocketMQ's order.
 *
 * ```
 *  found    messages
 *  notYet   nothing there yet: the client asks again, or waits
 *  again    nothing that it wants so far: it goes on at `nextOffset` at once
 *  moved    there is nothing at that offset: it drops what it knows of the queue and begins at `nextOffset`
 * ```
 *
 * A client says which messages it wants with the pull, or its group has said so with its heartbeats.
 */

import { MessageStoreError } from '../../base/errors.js'
import { nextTurn } from '../../base/system.js'
import { TurnShare } from '../../base/turn-share.js'
import type { GetStatus } from '../../store/message.js'
import type { GetResult } from '../../store/reading/reader.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { GroupConfig } from '../config/group-config.js'
import { Permission } from '../config/topic-config.js'
import { type ForeignFilter, filterExpressionOf, type MessageFilter } from '../filter/message-filter.js'
import { type ClientOffsets, unknownQueue } from './client-offsets.js'
import type { ServedParts } from './served.js'

/** One answer has at most so many messages, if nothing else is said: RocketMQ's limit. */
export const MOST_MESSAGES = 32
/** One answer has at most so many bytes of records; the first message always fits. RocketMQ's limit. */
export const MOST_BYTES = 262_144
/** Queue entries that one pull looks at, at most, when what it wants is not in them. */
const MOST_SCANNED = 800

/** What a client asks for. */
export interface PullRequest {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly offset: number
  readonly maxMessages: number
  readonly maxBytes: number
  /** Which messages; `undefined` for those that its group has subscribed. */
  readonly filter: ForeignFilter | undefined
  /** Of the subscription that the client means: the broker must know one as new. */
  readonly subscriptionVersion: number
}

/** A pull that is allowed. */
export interface AdmittedPull {
  readonly request: PullRequest
  readonly filter: MessageFilter
}

/** What came of a pull; see the head of this file. */
export interface PullResult {
  readonly outcome: 'found' | 'notYet' | 'again' | 'moved'
  /** Why, in RocketMQ's words. */
  readonly status: GetStatus | 'OFFSET_RESET'
  readonly messages: readonly StoredMessage[]
  readonly nextOffset: number
  readonly minOffset: number
  readonly maxOffset: number
}

/** Why a pull is refused, where RocketMQ has a word of its own for it. */
export type PullRefusalReason =
  | 'groupMayNotConsume'
  | 'topicNotReadable'
  | 'groupMayNotBroadcast'
  | 'topicForbidden'
  | 'groupNotHere'
  | 'notSubscribed'
  | 'subscriptionOld'
  | 'sqlNotServed'

/** A pull that is refused. */
export class PullRefusal extends Error {
  override readonly name = 'PullRefusal'
  readonly reason: PullRefusalReason

  constructor(reason: PullRefusalReason, what: string) {
    super(what)
    this.reason = reason
  }
}

const outcomes: Readonly<Record<GetStatus, PullResult['outcome']>> = {
  FOUND: 'found',
  NO_MATCHED_MESSAGE: 'again',
  MESSAGE_WAS_REMOVING: 'again',
  OFFSET_FOUND_NULL: 'notYet',
  OFFSET_OVERFLOW_ONE: 'notYet',
  OFFSET_OVERFLOW_BADLY: 'moved',
  OFFSET_TOO_SMALL: 'moved',
  NO_MATCHED_LOGIC_QUEUE: 'notYet',
  NO_MESSAGE_IN_QUEUE: 'notYet',
}

/** See the head of this file. */
export class Pulls {
  readonly #parts: ServedParts
  readonly #offsets: ClientOffsets
  readonly #servesSql: boolean
  readonly #mostMessages: number
  /** All pulls together: a filter may take long. */
  readonly #filtering: TurnShare

  /** @param servesSql - whether clients may filter with SQL; @param mostMessages - in one answer */
  constructor(parts: ServedParts, offsets: ClientOffsets, servesSql: boolean, mostMessages = MOST_MESSAGES) {
    this.#parts = parts
    this.#offsets = offsets
    this.#servesSql = servesSql
    this.#mostMessages = mostMessages
    const { clock, timers } = parts.base.ports
    this.#filtering = new TurnShare(clock, timers)
  }

  /**
   * Decides whether a pull is allowed. The group is made if that is allowed.
   *
   * @throws {PullRefusal}
   * @throws {BrokerError} `BROKER_CLOSED`, `GROUP_UNKNOWN`, `TOPIC_UNKNOWN`, `QUEUE_UNKNOWN`, `FILTER_INVALID`
   */
  async admit(request: PullRequest): Promise<AdmittedPull> {
    const { base, groups, topics } = this.#parts
    const { group: name, topic, queueId } = request
    base.checkOpen()
    const group = groups.find(name) ?? (await groups.forConsuming(name))
    if (!group.mayConsume) throw new PullRefusal('groupMayNotConsume', `group ${name} may not consume`)
    const { permission, readQueues } = topics.get(topic)
    if (!(permission & Permission.read)) throw new PullRefusal('topicNotReadable', `topic ${topic} is not open for reading`)
    if (queueId < 0 || queueId >= readQueues) throw unknownQueue(topic, queueId)
    const filter = this.#filterOf(request, group)
    if (groups.isForbidden(name, topic)) throw new PullRefusal('topicForbidden', `group ${name} may not read ${topic}`)
    if (filter.kind !== 'TAG' && !this.#servesSql) {
      throw new PullRefusal('sqlNotServed', `The broker does not support consumer to filter message by ${filter.kind}`)
    }
    return { request, filter }
  }

  /** Reads what is there now. */
  async now({ request, filter }: AdmittedPull): Promise<PullResult> {
    return this.#reset(request) ?? this.#read(request, filter, request.offset, 0, undefined)
  }

  /**
   * What a client is told that has too much to take already: that it shall ask again for what is there. Nothing is read for
   * it. `undefined` where there would be nothing to read.
   */
  later({ request: { topic, queueId, offset } }: AdmittedPull): PullResult | undefined {
    const bounds = this.#parts.store.bounds(topic, queueId)
    if (offset < bounds.minOffset || offset >= bounds.maxOffset) return undefined
    return { outcome: 'notYet', status: 'FOUND', messages: [], nextOffset: offset, ...bounds }
  }

  /** Counts messages that the client gets, and notes how far it has fetched. */
  count({ request: { topic, group, queueId } }: AdmittedPull, { messages, nextOffset }: PullResult): void {
    this.#parts.offsets.notePulled(topic, group, queueId, nextOffset)
    if (messages.length === 0) return
    const counted = this.#parts.numbers.queue(topic, group, queueId)
    for (const message of messages) counted.delivered(message, message.reconsumeTimes + 1)
  }

  /** Reads what is there now, or waits for something that is wanted. @throws what `signal` says when it fires */
  async wait({ request, filter }: AdmittedPull, waitMs: number, signal: AbortSignal): Promise<PullResult> {
    const { clock, timers } = this.#parts.base.ports
    const deadline = clock.monotonic() + waitMs
    let { offset } = request
    for (;;) {
      const rest = Math.max(0, Math.ceil(deadline - clock.monotonic()))
      const result = await this.#read(request, filter, offset, rest, signal)
      if (result.outcome !== 'again' || result.nextOffset === offset || rest === 0) return result
      // What came is not what this client wants.
      offset = result.nextOffset
      await nextTurn(timers)
    }
  }

  #filterOf({ group, topic, filter, subscriptionVersion }: PullRequest, { mayBroadcast }: GroupConfig): MessageFilter {
    const { registry, filters } = this.#parts
    if (filter !== undefined) return filters.get(filterExpressionOf(filter))
    const facts = registry.facts(group)
    if (facts === undefined) throw new PullRefusal('groupNotHere', `no member of group ${group} is known`)
    if (facts.model === 'BROADCASTING' && !mayBroadcast)
      throw new PullRefusal('groupMayNotBroadcast', `group ${group} may not consume by broadcasting`)
    const wanted = registry.subscriptions(group).get(topic)
    if (wanted === undefined) throw new PullRefusal('notSubscribed', `group ${group} has not subscribed ${topic}`)
    if (wanted.version < subscriptionVersion)
      throw new PullRefusal('subscriptionOld', `what group ${group} wants of ${topic} is known only in an older version`)
    return filters.get(wanted.kind === 'SQL92' ? { sql: wanted.expression } : wanted.expression)
  }

  #reset({ topic, group, queueId, offset }: PullRequest): PullResult | undefined {
    const nextOffset = this.#offsets.takePending(topic, group, queueId, offset)
    if (nextOffset === undefined) return undefined
    const bounds = this.#parts.store.bounds(topic, queueId)
    return { outcome: 'moved', status: 'OFFSET_RESET', messages: [], nextOffset, ...bounds }
  }

  async #read(
    request: PullRequest,
    filter: MessageFilter,
    offset: number,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<PullResult> {
    const { topic, queueId } = request
    if (offset < 0) return this.#beforeAll(topic, queueId)
    const maxMessages = Math.min(Math.max(request.maxMessages, 1), this.#mostMessages)
    const maxBytes = Math.min(Math.max(request.maxBytes, 1), MOST_BYTES)
    const get = { topic, queueId, tags: filter.tags, maxMessages, maxBytes, ...(signal === undefined ? {} : { signal }) }
    try {
      if (filter.kind === 'TAG') return told(await this.#parts.store.get({ ...get, offset, waitMs }), offset)
      return await this.#select(filter, offset, (from) =>
        this.#parts.store.get({ ...get, offset: from, waitMs: from === offset ? waitMs : 0 }),
      )
    } catch (error) {
      const result = this.#overDamage(error, topic, queueId)
      if (result === undefined) throw error
      return result
    }
  }

  /** The messages of one batch that pass a filter that the store does not know; more batches while nothing passes. */
  async #select(filter: MessageFilter, offset: number, get: (from: number) => Promise<GetResult>): Promise<PullResult> {
    let from = offset
    for (;;) {
      await this.#filtering.pause()
      const result = told(await get(from), from)
      if (result.outcome !== 'found') return from === offset ? result : { ...result, ...nothing, nextOffset: from }
      const messages = result.messages.filter((message) => filter.matches(message))
      if (messages.length > 0) return { ...result, messages }
      from = result.nextOffset
      if (from - offset >= MOST_SCANNED || from >= result.maxOffset) return { ...result, ...nothing }
    }
  }

  /** An offset below 0 is too small, like one of an expired message. */
  #beforeAll(topic: string, queueId: number): PullResult {
    const { minOffset, maxOffset } = this.#parts.store.bounds(topic, queueId)
    const status = maxOffset === 0 ? 'NO_MESSAGE_IN_QUEUE' : 'OFFSET_TOO_SMALL'
    return { outcome: 'moved', status, messages: [], nextOffset: minOffset, minOffset, maxOffset }
  }

  /** A damaged record is told here, and stepped over there. */
  #overDamage(error: unknown, topic: string, queueId: number): PullResult | undefined {
    if (!(error instanceof MessageStoreError) || error.code !== 'STORE_CORRUPT') return undefined
    const nextOffset = error.details['nextOffset']
    if (typeof nextOffset !== 'number') return undefined
    this.#parts.base.onProblem(error, `reading ${topic}/${queueId} for a client`)
    return { ...nothing, nextOffset, ...this.#parts.store.bounds(topic, queueId) }
  }
}

const nothing = { outcome: 'again', status: 'NO_MATCHED_MESSAGE', messages: [] } as const

function told({ status, messages, nextOffset, minOffset, maxOffset }: GetResult, offset: number): PullResult {
  const isEmpty = status === 'NO_MATCHED_LOGIC_QUEUE' || status === 'NO_MESSAGE_IN_QUEUE'
  const outcome = isEmpty && offset !== 0 ? 'moved' : outcomes[status]
  return { outcome, status, messages, nextOffset, minOffset, maxOffset }
}
