/**
 * The consumers of this process: joins them to their groups, shares out the queues, and keeps the groups' offsets.
 */
import type { Clock, Timers } from '../../base/system.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { Groups } from '../config/groups.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import { retryTopicOf } from '../config/system-topics.js'
import { Permission } from '../config/topic-config.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { FilterCache } from '../filter/filter-cache.js'
import type { MessageFilter } from '../filter/message-filter.js'
import { compareQueues, type MessageQueue } from '../group/message-queue.js'
import { average } from '../group/strategies.js'
import type { ReadPort } from '../store-port.js'
import { Consumer, type HoldingHooks, type SeekTarget } from './consumer.js'
import { type ConsumerOptions, type ResolvedConsumerOptions, resolveConsumerOptions } from './consumer-options.js'
import type { RetryOptions } from './delivery.js'
import { HeldQueue } from './held-queue.js'
import { Holding, type QueueName } from './holding.js'
import { QueueFetch } from './queue-fetch.js'
import { QueueHolds } from './queue-holds.js'
import { receivedMessage } from './received-message.js'
import type { SendBack } from './send-back.js'
import { positionOf, startOffset } from './start-offset.js'

/** Consumers of a group in a process, and what the group's members outside it are called. */
export interface MembershipPort {
  /** A member comes. @throws {BrokerError} `SUBSCRIPTION_CONFLICT` */
  join(member: LocalMember): void
  leave(member: LocalMember): void
  /** All members of a group, sorted, those of other processes too. */
  clientIdsOf(group: string): readonly string[]
}

/** A member of this process. */
export interface LocalMember {
  readonly clientId: string
  readonly group: string
  readonly model: 'clustering' | 'broadcasting'
  readonly subscriptions: ReadonlyMap<string, MessageFilter>
  /** Called when the group's members, or their queues, have changed. */
  readonly rebalance: () => void
}

/** Locks of queues for ordered consumption. */
export interface QueueLockPort {
  lock(group: string, clientId: string, name: QueueName): boolean
  unlock(group: string, clientId: string, name: QueueName): void
}

/** What consuming needs. */
export interface ConsumersParts {
  readonly store: ReadPort
  readonly topics: Pick<Topics, 'find' | 'get' | 'onChange' | 'retryTopic'>
  readonly groups: Pick<Groups, 'find' | 'get' | 'forConsuming' | 'mayCreate'>
  readonly offsets: ConsumerOffsets
  /** Offsets of broadcasting members, each under its own name. */
  readonly ownOffsets: ConsumerOffsets
  readonly filters: FilterCache
  readonly sendBack: SendBack
  readonly members: MembershipPort
  readonly locks: QueueLockPort
  readonly brokerName: string
  readonly inflate: (message: StoredMessage) => Buffer
  readonly nextClientId: () => string
  readonly clock: Clock
  readonly timers: Timers
  readonly onProblem: (error: unknown, during: string) => void
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

interface Joined {
  readonly consumer: Consumer
  readonly options: ResolvedConsumerOptions
  readonly member: LocalMember
}

/** See the head of this file. */
export class Consumers {
  readonly #parts: ConsumersParts
  readonly #holds = new QueueHolds()
  readonly #joined = new Set<Joined>()
  readonly #stopListening: () => void

  constructor(parts: ConsumersParts) {
    this.#parts = parts
    this.#stopListening = parts.topics.onChange((topic) => this.#rebalanceTopic(topic))
  }

  /** See {@link Broker.consumer}. */
  join(given: ConsumerOptions): Consumer {
    const { checkOpen, topics, groups, filters, members, nextClientId } = this.#parts
    checkOpen()
    const options = resolveConsumerOptions(given)
    const subscriptions = new Map<string, MessageFilter>()
    for (const [topic, expression] of Object.entries(options.subscribe)) {
      const { permission } = topics.get(topic)
      if (!(permission & Permission.read)) throw new BrokerError('NO_PERMISSION', `topic ${topic} is not open for reading`)
      subscriptions.set(topic, filters.get(expression))
    }
    this.#checkGroup(groups.find(options.group), options)
    const clientId = options.name ?? nextClientId()
    const all = new Map(subscriptions)
    if (options.model === 'clustering') all.set(retryTopicOf(options.group), filters.get('*'))
    const member: LocalMember = {
      clientId,
      group: options.group,
      model: options.model,
      subscriptions,
      rebalance: () => this.#rebalance(joined),
    }
    members.join(member)
    const consumer = this.#consumer(options, clientId, all, () => this.#leave(joined))
    const joined: Joined = { consumer, options, member }
    this.#joined.add(joined)
    void this.#begin(joined)
    return consumer
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    this.#stopListening()
    await Promise.all([...this.#joined].map(({ consumer }) => consumer.close()))
  }

  #checkGroup(group: ReturnType<Groups['find']>, { group: name, model }: ResolvedConsumerOptions): void {
    // An unknown one is made when the consumer begins, if that is allowed; if not, this says so at once.
    if (group === undefined) {
      if (!this.#parts.groups.mayCreate) this.#parts.groups.get(name)
      return
    }
    if (!group.mayConsume) throw new BrokerError('NO_PERMISSION', `group ${name} may not consume`)
    if (model === 'broadcasting' && !group.mayBroadcast) throw new BrokerError('NO_PERMISSION', `group ${name} may not broadcast`)
  }

  /** Makes what the group needs, then takes queues. */
  async #begin(joined: Joined): Promise<void> {
    const { groups, topics, onProblem } = this.#parts
    const { group, model } = joined.options
    try {
      const { retryQueues } = await groups.forConsuming(group)
      if (model === 'clustering' && retryQueues > 0) await topics.retryTopic(group, retryQueues)
    } catch (error) {
      onProblem(error, `making group ${group}`)
    }
    this.#rebalance(joined)
  }

  #leave(joined: Joined): void {
    if (this.#joined.delete(joined)) this.#parts.members.leave(joined.member)
  }

  #rebalanceTopic(topic: string): void {
    for (const joined of this.#joined) {
      const { group, subscribe } = joined.options
      if (Object.hasOwn(subscribe, topic) || topic === retryTopicOf(group)) this.#rebalance(joined)
    }
  }

  #rebalance(joined: Joined): void {
    if (!this.#joined.has(joined)) return
    const { consumer, options, member } = joined
    const { group, model, strategy = average } = options
    const topics = [...member.subscriptions.keys(), ...(model === 'clustering' ? [retryTopicOf(group)] : [])]
    const clientIds = this.#parts.members.clientIdsOf(group)
    const share = topics.flatMap((topic) => {
      const queues = this.#queuesOf(topic)
      if (model === 'broadcasting' || queues.length === 0 || clientIds.length === 0) return queues
      return strategy.allocate(group, consumer.clientId, queues, clientIds)
    })
    consumer.assign(share.map(({ topic, queueId }) => ({ topic, queueId })))
  }

  #queuesOf(topic: string): MessageQueue[] {
    const { topics, brokerName } = this.#parts
    const found = topics.find(topic)
    if (found === undefined || !(found.permission & Permission.read)) return []
    const queues = Array.from({ length: found.readQueues }, (_, queueId) => ({ topic, brokerName, queueId }))
    return queues.sort(compareQueues)
  }

  #consumer(
    options: ResolvedConsumerOptions,
    clientId: string,
    filters: ReadonlyMap<string, MessageFilter>,
    leave: () => void,
  ): Consumer {
    const { clock, timers, locks } = this.#parts
    const { group, model, ordered, handOverMs } = options
    const offsets = this.#offsetsOf(options)
    const makeHolding = (hooks: HoldingHooks): Holding =>
      new Holding({
        group,
        holds: model === 'clustering' ? this.#holds : undefined,
        timers,
        handOverMs,
        open: (name) => this.#open(name, options, clientId, filters.get(name.topic)!, hooks),
        lock: (name) => !ordered || model === 'broadcasting' || locks.lock(group, clientId, name),
        unlock: (name) => locks.unlock(group, clientId, name),
        onChange: hooks.onChange,
        onProblem: hooks.onProblem,
      })
    return new Consumer({
      options,
      clientId,
      clock,
      timers,
      makeHolding,
      leave,
      seek: (holding, target) => this.#seek(holding, target, options, clientId),
      flushOffsets: () => offsets.flush(),
    })
  }

  #offsetsOf({ model }: ResolvedConsumerOptions): ConsumerOffsets {
    return model === 'clustering' ? this.#parts.offsets : this.#parts.ownOffsets
  }

  /** The name under which offsets are kept: the group's, or the member's own. */
  #ownerOf({ group, model, name }: ResolvedConsumerOptions, clientId: string): string {
    return model === 'clustering' ? group : `${group}@${name ?? clientId}`
  }

  async #open(
    { topic, queueId }: QueueName,
    options: ResolvedConsumerOptions,
    clientId: string,
    filter: MessageFilter,
    { tally, onChange, onProblem }: HoldingHooks,
  ): Promise<HeldQueue> {
    const { store, timers, clock, inflate } = this.#parts
    const offsets = this.#offsetsOf(options)
    const owner = this.#ownerOf(options, clientId)
    let offset = offsets.find(topic, owner, queueId)
    if (offset === undefined) {
      offset = await startOffset(store, topic, queueId, options.startAt)
      // From here on the group has a place: a restart before the first acknowledgement begins there again.
      if (options.model === 'clustering' || options.name !== undefined) offsets.commit(topic, owner, queueId, offset)
    }
    const isKept = options.model === 'clustering' || options.name !== undefined
    const fetch = new QueueFetch({ store, timers, topic, queueId, filter, onReady: onChange, onProblem }, offset)
    const parts = {
      topic,
      queueId,
      fetch,
      tally,
      isOrdered: options.ordered,
      received: (stored: StoredMessage) => receivedMessage(stored, inflate),
      now: () => clock.monotonic(),
      sendBack: (stored: StoredMessage, attempt: number, retry: RetryOptions) => this.#sendBack(stored, options, attempt, retry),
      tryAgain: (attempt: number, action: () => void) => {
        if (options.maxRetries !== undefined && attempt > options.maxRetries) return false
        timers.after(options.suspendMs, action)
        return true
      },
      commit: (committed: number) => {
        if (isKept) offsets.commit(topic, owner, queueId, committed)
      },
      onReady: onChange,
    }
    return new HeldQueue(parts, offset)
  }

  /** A broadcasting member's failures are told, and no more; an ordered one sends back only what it has given up. */
  async #sendBack(stored: StoredMessage, options: ResolvedConsumerOptions, attempt: number, retry: RetryOptions): Promise<void> {
    if (options.model === 'broadcasting') return
    const { ordered, maxRetries, group } = options
    const isGivenUp = ordered && retry.delayLevel === undefined && attempt > (maxRetries ?? Number.MAX_SAFE_INTEGER)
    const delayLevel = isGivenUp ? -1 : retry.delayLevel
    await this.#parts.sendBack.put(stored, group, {
      ...(delayLevel === undefined ? {} : { delayLevel }),
      ...(maxRetries === undefined || ordered ? {} : { maxRetries }),
    })
  }

  async #seek(holding: Holding, target: SeekTarget, options: ResolvedConsumerOptions, clientId: string): Promise<void> {
    const { store } = this.#parts
    const { topic, to } = target
    const names = holding.queues.filter((queue) => queue.topic === topic)
    const wanted = target.queueId === undefined ? names : names.filter(({ queueId }) => queueId === target.queueId)
    if (target.queueId !== undefined && wanted.length === 0)
      throw new BrokerError('QUEUE_UNKNOWN', `this consumer does not have queue ${target.queueId} of ${topic}`)
    const offsets = this.#offsetsOf(options)
    const owner = this.#ownerOf(options, clientId)
    await Promise.all(
      wanted.map(async (name) => {
        const isOffset = typeof to === 'object' && 'offset' in to
        const offset = isOffset ? to.offset : await positionOf(store, topic, name.queueId, to)
        await holding.again({ topic, queueId: name.queueId }, () => offsets.commit(topic, owner, name.queueId, offset))
      }),
    )
  }
}
