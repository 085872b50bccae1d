/**
 * Takes the numbers of a broker: what was counted, and what its store, offsets and members say at that moment.
 *
 * A snapshot reads one message for each queue in which a group is behind. Snapshots that are asked for while one is
 * being taken share it.
 */
import type { Clock, Timers } from '../../base/system.js'
import type { MessageStore } from '../../store/message-store.js'
import type { Groups } from '../config/groups.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import { deadLetterTopicOf, isSystemGroup, retryTopicOf } from '../config/system-topics.js'
import type { Topics } from '../config/topics.js'
import type { ClientRegistry } from '../group/registry.js'
import type { Pop } from '../pop/pop.js'
import type { Counters } from './counters.js'
import { type GroupQueues, groupNumbers } from './group-numbers.js'
import { type CountName, type Growth, History } from './history.js'
import { Meter, Minute } from './meter.js'
import type { BrokerNumbers, GroupNumbers, TopicNumbers } from './snapshot.js'
import { sum } from './sum.js'

/** Milliseconds after which a snapshot lets others have their turn. */
const TURN_MS = 4

/** What numbers are taken from. */
export interface MetricsParts {
  readonly store: Pick<MessageStore, 'bounds' | 'get' | 'metrics'>
  readonly topics: Pick<Topics, 'list' | 'find'>
  readonly groups: Pick<Groups, 'list' | 'find'>
  readonly offsets: Pick<ConsumerOffsets, 'entries' | 'ofTopic'>
  readonly registry: Pick<ClientRegistry, 'groups' | 'members' | 'facts' | 'subscriptions'>
  readonly counters: Counters
  readonly pop: Pick<Pop, 'outInOrder'>
  readonly clock: Clock
  readonly timers: Timers
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

/** See the head of this file. */
export class BrokerMetrics {
  readonly #parts: MetricsParts
  readonly #minute: Minute
  readonly #since: number
  readonly #history: History
  #taking: Promise<BrokerNumbers> | undefined
  #turnEndsAt = 0

  constructor(parts: MetricsParts) {
    this.#parts = parts
    this.#minute = new Minute(parts.clock)
    this.#since = parts.clock.now()
    this.#history = new History(parts.clock, parts.counters)
    // What stands in the queues before is not part of any rate.
    for (const { topic, writeQueues } of parts.topics.list({ system: true })) {
      for (let queueId = 0; queueId < writeQueues; queueId++) {
        const { maxOffset } = parts.store.bounds(topic, queueId)
        if (maxOffset > 0) queueMeters(parts.counters, topic, queueId + 1)[queueId] = new Meter(maxOffset)
      }
    }
  }

  /** Keeps every count of this moment, for the rates. Called every ten seconds. */
  sample(): void {
    this.#countQueues()
    this.#parts.counters.sample(this.#minute)
    this.#history.sample()
  }

  /** How a count of a topic or group grew over the last minute, hour and day; see {@link History.growth}. */
  growth(name: CountName, key: string): Readonly<Record<'minute' | 'hour' | 'day', Growth>> | undefined {
    return this.#history.growth(name, key)
  }

  /**
   * The numbers of this moment, of every topic and group that is configured or has done something.
   *
   * @throws {BrokerError} `BROKER_CLOSED`
   */
  snapshot(): Promise<BrokerNumbers> {
    return (this.#taking ??= this.#take().finally(() => (this.#taking = undefined)))
  }

  async #take(): Promise<BrokerNumbers> {
    const { checkOpen, store, clock } = this.#parts
    checkOpen()
    this.#countQueues()
    const groups: GroupNumbers[] = []
    for (const [group, topics] of [...this.#topicsOfGroups()].sort(([a], [b]) => (a < b ? -1 : 1))) {
      groups.push(await this.#group(group, [...topics].sort()))
    }
    const topics = await this.#topics(groups)
    return { at: clock.now(), since: this.#since, topics, groups, store: store.metrics.snapshot() }
  }

  /** Which groups have to do with which topics: by offsets, members, what was counted, or what they are to try again. */
  #topicsOfGroups(): Map<string, Set<string>> {
    const { groups, offsets, registry, counters, topics } = this.#parts
    const found = new Map<string, Set<string>>(groups.list().map(({ group }) => [group, new Set()]))
    const add = (group: string, topic: string): void => {
      const all = found.get(group) ?? new Set()
      found.set(group, all)
      if (topics.find(topic) !== undefined) all.add(topic)
    }
    for (const { topic, group } of offsets.entries()) if (!isSystemGroup(group)) add(group, topic)
    for (const { topic, group } of counters.groups) add(group, topic)
    for (const group of registry.groups) for (const topic of registry.subscriptions(group).keys()) add(group, topic)
    // What a group gave back stays there when its members pop, or are gone.
    for (const group of found.keys()) add(group, retryTopicOf(group))
    return found
  }

  async #group(group: string, topicsOfGroup: readonly string[]): Promise<GroupNumbers> {
    const { store, registry, topics, offsets, counters, clock, pop } = this.#parts
    const queues: GroupQueues[] = topicsOfGroup.map((topic) => ({
      topic,
      readQueues: topics.find(topic)?.readQueues ?? 0,
      offsets: offsets.ofTopic(topic, group),
      counter: counters.find(topic, group),
      outInOrder: (queueId) => pop.outInOrder({ topic, group, queueId }),
    }))
    const numbers = await groupNumbers(group, queues, { store, clock, minute: this.#minute, breathe: () => this.#breathe() })
    const model = registry.facts(group)?.model
    const members = registry.members(group)
    const { minOffset, maxOffset } = store.bounds(deadLetterTopicOf(group), 0)
    return {
      group,
      isSystem: isSystemGroup(group),
      model: model === undefined ? undefined : model === 'CLUSTERING' ? 'clustering' : 'broadcasting',
      members: members.map(({ clientId, address, language, version, isLocal }) => {
        return { clientId, address, language, version, isLocal }
      }),
      deadLettersThere: maxOffset - minOffset,
      ...numbers,
    }
  }

  /** Reading thousands of queues takes no longer than others may wait. */
  #breathe(): Promise<void> | undefined {
    const { clock, timers } = this.#parts
    if (clock.monotonic() < this.#turnEndsAt) return undefined
    return new Promise((resolve) =>
      timers.endOfTurn(() => {
        this.#turnEndsAt = clock.monotonic() + TURN_MS
        resolve()
      }),
    )
  }

  async #topics(groups: readonly GroupNumbers[]): Promise<TopicNumbers[]> {
    const worst = new Map<string, { backlog: number; oldest: number | undefined; backlogMs: number }>()
    for (const { topics } of groups) {
      for (const { topic, backlog, oldest = Number.POSITIVE_INFINITY, backlogMs } of topics) {
        const before = worst.get(topic) ?? { backlog: 0, oldest: undefined, backlogMs: 0 }
        const first = Math.min(oldest, before.oldest ?? Number.POSITIVE_INFINITY)
        worst.set(topic, {
          backlog: Math.max(backlog, before.backlog),
          oldest: Number.isFinite(first) ? first : undefined,
          backlogMs: Math.max(backlogMs, before.backlogMs),
        })
      }
    }
    const own = new Set(this.#parts.topics.list().map(({ topic }) => topic))
    const none = { backlog: 0, oldest: undefined, backlogMs: 0 }
    const numbers: TopicNumbers[] = []
    for (const { topic, writeQueues } of this.#parts.topics.list({ system: true })) {
      const breath = this.#breathe()
      if (breath !== undefined) await breath
      const [isSystem, behind] = [!own.has(topic), worst.get(topic) ?? none]
      numbers.push({ ...this.#topic(topic, writeQueues), isSystem, ...behind })
    }
    return numbers
  }

  #topic(topic: string, writeQueues: number): Omit<TopicNumbers, 'isSystem' | 'backlog' | 'backlogMs' | 'oldest'> {
    const { counters, store } = this.#parts
    const minute = this.#minute
    const { kinds, queues } = counters.topic(topic)
    const ins = [...kinds.values()]
    return {
      topic,
      messagesIn: sum(ins, ({ messages }) => messages.count),
      bytesIn: sum(ins, ({ bytes }) => bytes.count),
      messagesInPerSecond: sum(ins, ({ messages }) => messages.perSecond(minute)),
      bytesInPerSecond: sum(ins, ({ bytes }) => bytes.perSecond(minute)),
      kinds: [...kinds]
        .filter(([, { messages }]) => messages.count > 0)
        .map(([kind, { messages, bytes }]) => ({ kind, messages: messages.count, bytes: bytes.count })),
      queues: queues.slice(0, writeQueues).map((meter, queueId) => ({
        queueId,
        ...store.bounds(topic, queueId),
        messagesInPerSecond: meter.perSecond(minute),
      })),
    }
  }

  /** The end of a queue says how many messages were ever put. */
  #countQueues(): void {
    const { topics, counters, store } = this.#parts
    for (const { topic, writeQueues } of topics.list({ system: true })) {
      const used = usedQueues(store, topic, writeQueues)
      const meters = queueMeters(counters, topic, used)
      for (let queueId = 0; queueId < used; queueId++) meters[queueId]!.count = store.bounds(topic, queueId).maxOffset
    }
  }
}

/** Queues of a topic, up to the last one that ever held a message: the system has topics of a thousand that hold none. */
function usedQueues(store: MetricsParts['store'], topic: string, writeQueues: number): number {
  let used = writeQueues
  while (used > 0 && store.bounds(topic, used - 1).maxOffset === 0) used--
  return used
}

function queueMeters(counters: Counters, topic: string, queues: number): Meter[] {
  const meters = counters.topic(topic).queues
  while (meters.length < queues) meters.push(new Meter())
  return meters
}
