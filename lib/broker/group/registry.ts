/**
 * All clients of a broker: the members of consumer groups and the producers, of this process and of others alike.
 *
 * A member is in from its first heartbeat until it leaves, its connection closes, or it falls silent for two
 * minutes. When members or topics of a clustering group change, its members are told soon, but in a turn of their
 * own and gathered: of ten thousand that come one after the other, each is told a few times, not ten thousand times.
 */
import { Emitter } from '../../base/signals.js'
import type { Clock, Timer, Timers } from '../../base/system.js'
import { ConsumerGroup, type GroupChange } from './consumer-group.js'
import type { ConsumerFacts, Member, Subscription } from './members.js'
import { Producers } from './producers.js'

/** How long a client may be silent, milliseconds. RocketMQ's `channelExpiredTimeout`. */
export const MEMBER_TIMEOUT_MS = 120_000
/** How often silent clients are looked for, milliseconds. */
export const MEMBER_SCAN_MS = 10_000

/** A group waits a millisecond for every so many members before it tells them of a change; at most a second. */
const MEMBERS_PER_MS = 10
const MOST_GATHER_MS = 1_000
/** So many members are told in a turn of the event loop. */
const TOLD_AT_ONCE = 512

/** Why a member is out. */
export type LeaveReason = 'left' | 'disconnected' | 'expired'

/** What the registry tells its listeners, when it happens. */
export interface RegistryEvents {
  /** A member that was not in the group before. */
  joined: { readonly group: string; readonly member: Member }
  /** A member is out. */
  left: { readonly group: string; readonly member: Member; readonly reason: LeaveReason }
  /** A group wants other topics, or other messages of them. */
  subscriptionsChanged: { readonly group: string; readonly subscriptions: ReadonlyMap<string, Subscription> }
  /** The last member of a group is out. */
  emptied: { readonly group: string }
}

/** What the registry needs. */
export interface RegistryOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly timers: Timers
  /** Whether members of the group are told when others come and go. */
  readonly notifies: (group: string) => boolean
  /** @default {@link MEMBER_TIMEOUT_MS} */
  readonly memberTimeoutMs?: number
}

/** See the head of this file. */
export class ClientRegistry<Producer extends Member = Member> {
  /** Events for the broker's other parts. */
  readonly events = new Emitter<RegistryEvents>({ joined: true, left: true, subscriptionsChanged: true, emptied: true })
  readonly #options: RegistryOptions
  readonly #groups = new Map<string, ConsumerGroup>()
  readonly #groupsOfTopic = new Map<string, Set<string>>()
  readonly #groupsOfMember = new Map<Member, Set<string>>()
  readonly #producers = new Producers<Producer>()
  readonly #producing = new Map<Producer, Set<string>>()
  readonly #producersById = new Map<string, Set<Producer>>()
  readonly #telling = new Map<ConsumerGroup, Timer | undefined>()
  #scan: Timer
  #isClosed = false

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#scan = this.#scanLater()
  }

  /** Ends the timers; nobody is told anything any more. */
  close(): void {
    this.#isClosed = true
    this.#scan.cancel()
    for (const timer of this.#telling.values()) timer?.cancel()
    this.#telling.clear()
  }

  /**
   * Takes a member into a group, or notes that it is still there and what it wants now. Of each topic the newest
   * version of a subscription counts for the group; topics that the member does not give go.
   *
   * @returns whether members or topics of the group changed
   * @throws {BrokerError} `SUBSCRIPTION_CONFLICT` when another client of the group has the other model, and, for
   *   members of this process, when the group wants something else; `NAME_TAKEN` when two of this process have one name;
   *   then nothing changed
   */
  heartbeat(group: string, member: Member, facts: ConsumerFacts): boolean {
    const known = this.#groups.get(group) ?? new ConsumerGroup(group, facts)
    const topicsBefore = [...known.subscriptions.keys()]
    const change = known.heartbeat(member, facts, this.#options.clock.monotonic())
    this.#groups.set(group, known)
    addTo(this.#groupsOfMember, member, group)
    if (change.members) this.events.emit('joined', { group, member })
    this.#settle(known, change, topicsBefore)
    return change.members || change.topics
  }

  /** Notes that a member is still there and wants what it wanted. @returns whether it is known; if not, it must tell all */
  touch(group: string, member: Member): boolean {
    return this.#groups.get(group)?.touch(member, this.#options.clock.monotonic()) ?? false
  }

  /** Takes a member out of a group. @returns whether it was in */
  leave(group: string, member: Member): boolean {
    return this.#leave(group, member, 'left')
  }

  /** Takes a member out of all its groups, those that it produces for too: its connection is closed. */
  disconnect(member: Member): void {
    for (const group of [...(this.#groupsOfMember.get(member) ?? [])]) this.#leave(group, member, 'disconnected')
    // A member that does not produce is merely not found.
    const producer = member as Producer
    for (const group of [...(this.#producing.get(producer) ?? [])]) this.producerLeave(group, producer)
  }

  /** Names of the groups that have members. */
  get groups(): readonly string[] {
    return [...this.#groups.keys()]
  }

  /** The members of a group, in the order in which they came. */
  members(group: string): readonly Member[] {
    return this.#groups.get(group)?.members ?? []
  }

  /** The members of a group with what each of them told: they need not agree. */
  told(group: string): readonly (readonly [Member, ConsumerFacts])[] {
    return this.#groups.get(group)?.told ?? []
  }

  /** The client ids of those in a group that share its queues, sorted, each once; the same frozen list until members change. */
  clientIds(group: string): readonly string[] {
    return this.#groups.get(group)?.clientIds ?? []
  }

  /** The member of a client in a group, the one that came last. */
  find(group: string, clientId: string): Member | undefined {
    return this.#groups.get(group)?.find(clientId)
  }

  /** What the newest heartbeat of a group told; `undefined` for a group without members. */
  facts(group: string): Omit<ConsumerFacts, 'subscriptions'> | undefined {
    return this.#groups.get(group)?.facts
  }

  /** What a group wants, by topic. */
  subscriptions(group: string): ReadonlyMap<string, Subscription> {
    return this.#groups.get(group)?.subscriptions ?? new Map()
  }

  /** The groups with members that want a topic. */
  groupsOf(topic: string): readonly string[] {
    return [...(this.#groupsOfTopic.get(topic) ?? [])]
  }

  /** Takes a producer into a group, or notes that it is still there. */
  producerHeartbeat(group: string, producer: Producer): void {
    this.#producers.heartbeat(group, producer, this.#options.clock.monotonic())
    addTo(this.#producing, producer, group)
    addTo(this.#producersById, producer.clientId, producer)
  }

  /** Takes a producer out of a group. @returns whether it was in */
  producerLeave(group: string, producer: Producer): boolean {
    removeFrom(this.#producing, producer, group)
    if (!this.#producing.has(producer)) removeFrom(this.#producersById, producer.clientId, producer)
    return this.#producers.leave(group, producer)
  }

  /** The producers of a group, in the order in which they came. */
  producers(group: string): readonly Producer[] {
    return this.#producers.of(group)
  }

  /** The producers with a client id, whatever their groups: a client that connects anew has two for a while. Newest first. */
  producersWithId(clientId: string): readonly Producer[] {
    return [...(this.#producersById.get(clientId) ?? [])].reverse()
  }

  /** The producer of a group whose turn it is to be asked, one that is ready if there is any. */
  nextProducer(group: string): Producer | undefined {
    return this.#producers.next(group)
  }

  /** Names of the groups that have producers. */
  get producerGroups(): readonly string[] {
    return this.#producers.names
  }

  #leave(group: string, member: Member, reason: LeaveReason): boolean {
    const known = this.#groups.get(group)
    if (known === undefined) return false
    const topicsBefore = [...known.subscriptions.keys()]
    const change = known.leave(member)
    if (!change.members) return false
    removeFrom(this.#groupsOfMember, member, group)
    this.events.emit('left', { group, member, reason })
    if (known.size > 0) {
      this.#settle(known, change, topicsBefore)
      return true
    }
    this.#groups.delete(group)
    for (const topic of topicsBefore) removeFrom(this.#groupsOfTopic, topic, group)
    this.events.emit('emptied', { group })
    return true
  }

  #settle(group: ConsumerGroup, change: GroupChange, topicsBefore: readonly string[]): void {
    const { name, subscriptions } = group
    if (change.topics) {
      for (const topic of topicsBefore) removeFrom(this.#groupsOfTopic, topic, name)
      for (const topic of subscriptions.keys()) addTo(this.#groupsOfTopic, topic, name)
    }
    if (change.topics || change.filters) this.events.emit('subscriptionsChanged', { group: name, subscriptions })
    if (change.members || change.topics) this.#tellSoon(group)
  }

  /** Everybody in a broadcasting group has all queues, so there is nothing to share anew. */
  #tellSoon(group: ConsumerGroup): void {
    if (this.#telling.has(group) || group.facts.model === 'BROADCASTING' || !this.#options.notifies(group.name)) return
    const gatherMs = Math.min(MOST_GATHER_MS, Math.floor(group.size / MEMBERS_PER_MS))
    const tell = (): void => {
      // Not when the registry was closed meanwhile.
      if (this.#telling.delete(group)) this.#tell(group.name, group.members, 0)
    }
    if (gatherMs === 0) {
      this.#telling.set(group, undefined)
      this.#options.timers.endOfTurn(tell)
    } else {
      this.#telling.set(group, this.#options.timers.after(gatherMs, tell))
    }
  }

  #tell(group: string, members: readonly Member[], from: number): void {
    const end = Math.min(members.length, from + TOLD_AT_ONCE)
    for (let i = from; i < end; i++) members[i]!.notify({ kind: 'membersChanged', group })
    if (end === members.length) return
    this.#options.timers.endOfTurn(() => {
      if (!this.#isClosed) this.#tell(group, members, end)
    })
  }

  #scanLater(): Timer {
    return this.#options.timers.after(MEMBER_SCAN_MS, () => {
      this.#expire()
      if (!this.#isClosed) this.#scan = this.#scanLater()
    })
  }

  #expire(): void {
    const since = this.#options.clock.monotonic() - (this.#options.memberTimeoutMs ?? MEMBER_TIMEOUT_MS)
    for (const group of [...this.#groups.values()]) {
      for (const member of group.silentSince(since)) {
        this.#leave(group.name, member, 'expired')
        member.notify({ kind: 'expired', group: group.name })
      }
    }
    for (const [group, producer] of this.#producers.silentSince(since)) {
      this.producerLeave(group, producer)
      producer.notify({ kind: 'expired', group })
    }
  }
}

function addTo<Key, Value>(table: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const values = table.get(key)
  if (values === undefined) table.set(key, new Set([value]))
  else values.add(value)
}

function removeFrom<Key, Value>(table: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const values = table.get(key)
  values?.delete(value)
  if (values?.size === 0) table.delete(key)
}
