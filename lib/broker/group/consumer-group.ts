/** The members of one consumer group, and what they agree upon. */
import { retryTopicOf } from '../config/system-topics.js'
import { BrokerError } from '../errors.js'
import type { ConsumerFacts, Member, Subscription } from './members.js'
import { compareText } from './message-queue.js'

interface Seen {
  /** By the clock that never goes back. */
  at: number
  facts: ConsumerFacts
}

/** What a heartbeat or a leave changed. */
export interface GroupChange {
  /** Who belongs to the group. */
  readonly members: boolean
  /** Which topics the group wants; queues are shared anew. */
  readonly topics: boolean
  /** Which messages of them it wants. */
  readonly filters: boolean
}

const RETRY_PREFIX = retryTopicOf('')
const nothing: GroupChange = { members: false, topics: false, filters: false }

/** See the head of this file. */
export class ConsumerGroup {
  /** Its name. */
  readonly name: string
  /** What the newest heartbeat told; topics are in `subscriptions`. */
  facts: ConsumerFacts
  readonly #members = new Map<Member, Seen>()
  readonly #subscriptions = new Map<string, Subscription>()
  /** Members by client id: a client that connects anew has two until its old connection is closed. */
  readonly #byId = new Map<string, Set<Member>>()
  #remote = 0
  #sortedIds: readonly string[] | undefined

  constructor(name: string, facts: ConsumerFacts) {
    this.name = name
    this.facts = facts
  }

  /** Members, two of one client among them. */
  get size(): number {
    return this.#members.size
  }

  /** All members, in the order in which they came. */
  get members(): readonly Member[] {
    return [...this.#members.keys()]
  }

  /** What each member told in its last heartbeat that told it. */
  get told(): readonly (readonly [Member, ConsumerFacts])[] {
    return [...this.#members].map(([member, { facts }]) => [member, facts] as const)
  }

  /** The client ids of those that share the queues, sorted, each once. The same frozen list until members change. */
  get clientIds(): readonly string[] {
    return (this.#sortedIds ??= Object.freeze(this.#sharing().sort(compareText)))
  }

  /** What the group wants, by topic. */
  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions
  }

  /** The member of a client, the one that came last. */
  find(clientId: string): Member | undefined {
    return [...(this.#byId.get(clientId) ?? [])].at(-1)
  }

  /**
   * Takes a member in, or notes that it is still there.
   *
   * @throws {BrokerError} `SUBSCRIPTION_CONFLICT` when another client of the group has the other model, and, for
   *   members of this process, when the group wants something else, or another pops and this one does not; `NAME_TAKEN`
   *   when both are of this process and have one name
   */
  heartbeat(member: Member, facts: ConsumerFacts, now: number): GroupChange {
    this.#check(member, facts)
    const isNew = this.#add(member, { at: now, facts })
    this.facts = facts
    const change = this.#subscribe(facts.subscriptions)
    return { ...change, members: isNew }
  }

  /** Notes that a member is still there and wants what it wanted. @returns whether it is known */
  touch(member: Member, now: number): boolean {
    const seen = this.#members.get(member)
    if (seen !== undefined) seen.at = now
    return seen !== undefined
  }

  /** Lets a member go. */
  leave(member: Member): GroupChange {
    if (!this.#members.delete(member)) return nothing
    const same = this.#byId.get(member.clientId)!
    same.delete(member)
    if (same.size === 0) this.#byId.delete(member.clientId)
    if (!member.isLocal) this.#remote--
    this.#sortedIds = undefined
    // Clients elsewhere may have changed what the group wants; those that are here have never agreed.
    const change = this.#remote === 0 && this.size > 0 ? this.#return() : nothing
    return { ...change, members: true }
  }

  /** The members elsewhere that were not heard of since `time`. */
  silentSince(time: number): Member[] {
    const silent: Member[] = []
    if (this.#remote > 0) for (const [member, { at }] of this.#members) if (at < time && !member.isLocal) silent.push(member)
    return silent
  }

  #check(member: Member, facts: ConsumerFacts): void {
    if (member.isLocal) this.#checkName(member)
    const { size } = this.#byId
    const isAlone = size === 0 || (size === 1 && this.#byId.has(member.clientId))
    if (isAlone) return
    const { model } = this.facts
    if (facts.model !== model)
      throw new BrokerError(
        'SUBSCRIPTION_CONFLICT',
        `group ${this.name} consumes by ${model}, ${member.clientId} by ${facts.model}`,
      )
    if (!member.isLocal) return
    if (!areSame(facts.subscriptions, this.#subscriptions)) {
      const wants = `${member.clientId} wants ${shownAll(facts.subscriptions)}`
      throw new BrokerError('SUBSCRIPTION_CONFLICT', `group ${this.name} wants ${shownAll(this.#subscriptions)}, ${wants}`)
    }
    this.#checkWay(member, facts)
  }

  /** A client elsewhere that connects anew has two members for a while; two of this process would share one share. */
  #checkName(member: Member): void {
    const { clientId } = member
    for (const other of this.#byId.get(clientId) ?? [])
      if (other.isLocal && other !== member)
        throw new BrokerError('NAME_TAKEN', `group ${this.name} has a consumer named ${clientId}; close that one first`)
  }

  /**
   * Who pops keeps no queue to itself, and who has queues does not look at what is popped: both would get the same
   * messages. Clients elsewhere may change their way at any time, one after the other, and are let in as RocketMQ does;
   * those that are fed by their client may pop as well, as a request 401 told them to.
   */
  #checkWay({ clientId }: Member, { consumeType }: ConsumerFacts): void {
    const pops = consumeType === 'CONSUME_POP'
    for (const [other, { facts }] of this.#members) {
      if (other.clientId === clientId || (facts.consumeType === 'CONSUME_POP') === pops || (pops && !other.isLocal)) continue
      const [popper, holder] = pops ? [clientId, other.clientId] : [other.clientId, clientId]
      throw new BrokerError(
        'SUBSCRIPTION_CONFLICT',
        `in group ${this.name} ${popper} pops and ${holder} is assigned queues: both would get the same messages`,
      )
    }
  }

  /** @returns whether it was not there */
  #add(member: Member, seen: Seen): boolean {
    const isNew = !this.#members.has(member)
    this.#members.set(member, seen)
    if (!isNew) return false
    const same = this.#byId.get(member.clientId)
    if (same === undefined) this.#byId.set(member.clientId, new Set([member]))
    else same.add(member)
    if (!member.isLocal) this.#remote++
    this.#sortedIds = undefined
    return true
  }

  /** Of each topic the newest version stays; topics that are not given go. */
  #subscribe(given: ReadonlyMap<string, Subscription>): GroupChange {
    let topics = false
    let filters = false
    for (const [topic, subscription] of given) {
      const old = this.#subscriptions.get(topic)
      if (old !== undefined && old.version >= subscription.version) continue
      this.#subscriptions.set(topic, subscription)
      if (old === undefined) topics = true
      else if (!isSame(old, subscription)) filters = true
    }
    for (const topic of this.#subscriptions.keys()) if (!given.has(topic)) topics = this.#subscriptions.delete(topic)
    return { members: false, topics, filters }
  }

  /** A member of this process that pops has every queue. What pops elsewhere asks for its share, as RocketMQ's clients do. */
  #sharing(): string[] {
    const ids = new Set<string>()
    for (const [{ clientId, isLocal }, { facts }] of this.#members)
      if (!isLocal || facts.consumeType !== 'CONSUME_POP') ids.add(clientId)
    return [...ids]
  }

  #return(): GroupChange {
    const [first] = this.#members.values()
    if (areSame(first!.facts.subscriptions, this.#subscriptions)) return nothing
    const before = [...this.#subscriptions.keys()]
    this.facts = first!.facts
    this.#subscriptions.clear()
    for (const [topic, subscription] of first!.facts.subscriptions) this.#subscriptions.set(topic, subscription)
    const topics = before.length !== this.#subscriptions.size || before.some((topic) => !this.#subscriptions.has(topic))
    return { members: false, topics, filters: true }
  }
}

function isSame(a: Subscription, b: Subscription | undefined): boolean {
  if (b === undefined || a.kind !== b.kind) return false
  return a.expression === b.expression || (a.kind === 'TAG' && tagsOf(a) === tagsOf(b))
}

/** The tags of an expression in one order, whatever space stands between them. */
function tagsOf({ expression }: Subscription): string {
  const tags = expression.split('||').map((tag) => tag.trim())
  return [...new Set(tags.filter((tag) => tag !== ''))].sort(compareText).join('||') || '*'
}

/** Whether members want the same. Clients that pull as they like leave out the group's retry topic, which is no difference. */
function areSame(a: ReadonlyMap<string, Subscription>, b: ReadonlyMap<string, Subscription>): boolean {
  return covers(a, b) && covers(b, a)
}

function covers(a: ReadonlyMap<string, Subscription>, b: ReadonlyMap<string, Subscription>): boolean {
  for (const [topic, subscription] of b) {
    const own = a.get(topic)
    if (own === undefined ? !topic.startsWith(RETRY_PREFIX) : !isSame(own, subscription)) return false
  }
  return true
}

function shownAll(subscriptions: ReadonlyMap<string, Subscription>): string {
  const all = [...subscriptions].map(([topic, { kind, expression }]) => `${topic} ${kind} ${JSON.stringify(expression)}`)
  return all.length === 0 ? 'nothing' : all.sort(compareText).join(', ')
}
