/** The consumers of this process: joins them to their groups, and shares out the queues as members come and go. */
import type { Clock } from '../../base/system.js'
import type { QueueName } from '../../store/message.js'
import type { Groups } from '../config/groups.js'
import { retryTopicOf } from '../config/system-topics.js'
import { Permission } from '../config/topic-config.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { FilterCache } from '../filter/filter-cache.js'
import { checkOwnFilter, type MessageFilter } from '../filter/message-filter.js'
import { compareQueues, type MessageQueue } from '../group/message-queue.js'
import { average } from '../group/strategies.js'
import { Consumer } from './consumer.js'
import { type ConsumerOptions, type ResolvedConsumerOptions, resolveConsumerOptions } from './consumer-options.js'
import { ConsumerQueues, type ConsumerQueuesParts } from './consumer-queues.js'
import { QueueHolds } from './queue-holds.js'

/** Consumers of a group in a process, and what the group's members outside it are called. */
export interface MembershipPort {
  /** A member comes. @throws {BrokerError} `SUBSCRIPTION_CONFLICT`, `NAME_TAKEN` */
  join(member: LocalMember): void
  leave(member: LocalMember): void
  /** The members of a group that share its queues, sorted, those of other processes too. */
  clientIdsOf(group: string): readonly string[]
}

/** A member of this process. */
export interface LocalMember {
  readonly clientId: string
  readonly group: string
  readonly model: 'clustering' | 'broadcasting'
  /** Whether it pops: then it is assigned no queues. */
  readonly pops: boolean
  readonly subscriptions: ReadonlyMap<string, MessageFilter>
  /** Called when the group's members, or their queues, have changed. */
  readonly rebalance: () => void
}

/** What consuming needs. */
export interface ConsumersParts extends Omit<ConsumerQueuesParts, 'holds' | 'moved' | 'topics'> {
  readonly topics: Pick<Topics, 'find' | 'get' | 'onChange' | 'retryTopic'>
  readonly groups: Pick<Groups, 'find' | 'get' | 'forConsuming' | 'checkForConsuming'>
  readonly filters: FilterCache
  readonly members: MembershipPort
  readonly brokerName: string
  readonly nextClientId: () => string
  readonly clock: Clock
  readonly onProblem: (error: unknown, during: string) => void
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

interface Joined {
  readonly consumer: Consumer
  readonly options: ResolvedConsumerOptions
  readonly member: LocalMember
  /** Whether its group and retry topic are there: before, nothing could be given back. */
  isReady: boolean
}

/** See the head of this file. */
export class Consumers {
  readonly #parts: ConsumersParts
  readonly #holds = new QueueHolds()
  readonly #joined = new Set<Joined>()
  /** Consumers for which groups and retry topics are being made, each resolves when they are, or cannot be. */
  readonly #beginning = new Set<Promise<void>>()
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
      subscriptions.set(topic, filters.get(checkOwnFilter(expression)))
    }
    this.#checkGroup(groups.find(options.group), options)
    const clientId = options.name ?? nextClientId()
    const all = new Map(subscriptions)
    if (options.model === 'clustering') all.set(retryTopicOf(options.group), filters.get('*'))
    const member: LocalMember = {
      clientId,
      group: options.group,
      model: options.model,
      pops: false,
      subscriptions,
      rebalance: () => this.#rebalance(joined),
    }
    members.join(member)
    const moved: ConsumerQueuesParts['moved'] = (name, queue, change) => this.moved(name, queue, change)
    const queues = new ConsumerQueues({ ...this.#parts, holds: this.#holds, moved }, options, clientId, all)
    const { clock, timers } = this.#parts
    const consumer = new Consumer({ options, clientId, clock, timers, queues, leave: () => this.#leave(joined) })
    const joined: Joined = { consumer, options, member, isReady: false }
    this.#joined.add(joined)
    const begun = this.#begin(joined).finally(() => this.#beginning.delete(begun))
    this.#beginning.add(begun)
    return consumer
  }

  /**
   * Changes the place of a group in a queue while nobody of this process holds it: those that do let go of it, with what
   * is out, and take it again behind the change.
   */
  async moved(group: string, queue: QueueName, change: () => void): Promise<void> {
    const turn = this.#holds.take(group, queue.topic, queue.queueId)
    const members = [...this.#joined].filter(({ options }) => options.group === group && options.model === 'clustering')
    const restarted = members.map(({ consumer }) => consumer.restart(queue))
    const letGo = await turn
    try {
      change()
    } finally {
      letGo()
    }
    await Promise.all(restarted)
  }

  /** Closes all of them. What they have begun to make is made then: the store may close. */
  async close(): Promise<void> {
    this.#stopListening()
    await Promise.all([...[...this.#joined].map(({ consumer }) => consumer.close()), ...this.#beginning])
  }

  #checkGroup(group: ReturnType<Groups['find']>, { group: name, model }: ResolvedConsumerOptions): void {
    // An unknown one is made when the consumer begins, if that is allowed; if not, this says so at once.
    if (group === undefined) {
      this.#parts.groups.checkForConsuming(name)
      return
    }
    if (!group.mayConsume) throw new BrokerError('NO_PERMISSION', `group ${name} may not consume`)
    if (model === 'broadcasting' && !group.mayBroadcast) throw new BrokerError('NO_PERMISSION', `group ${name} may not broadcast`)
  }

  /** Makes what the group needs, then takes queues. */
  async #begin(joined: Joined): Promise<void> {
    const { groups, topics, onProblem } = this.#parts
    const { group } = joined.options
    try {
      const { retryQueues } = await groups.forConsuming(group)
      // RocketMQ makes it for broadcasting members too, which never use it.
      if (retryQueues > 0) await topics.retryTopic(group, retryQueues)
    } catch (error) {
      onProblem(error, `making group ${group}`)
    }
    joined.isReady = true
    this.#rebalance(joined)
  }

  #leave(joined: Joined): void {
    if (this.#joined.delete(joined)) this.#parts.members.leave(joined.member)
  }

  #rebalanceTopic(topic: string): void {
    const isDeleted = this.#parts.topics.find(topic) === undefined
    for (const joined of this.#joined) {
      if (isDeleted) joined.consumer.cutOff(topic)
      const { group, subscribe } = joined.options
      if (Object.hasOwn(subscribe, topic) || topic === retryTopicOf(group)) this.#rebalance(joined)
    }
  }

  #rebalance(joined: Joined): void {
    if (!this.#joined.has(joined) || !joined.isReady) return
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
}
