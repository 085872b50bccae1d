/**
 * How much clients keep here by their heartbeats: each group that one of them is in, and each topic that it subscribes
 * there. Bounded for a connection, so that no peer fills the memory by names alone, and for all connections together.
 */
import { responseCodes } from '../codes.js'
import { Refusal } from '../errors.js'
import type { Heartbeat, ToldConsumer } from './client-body.js'

/** Groups and topics. */
export interface Memberships {
  readonly groups: number
  readonly topics: number
}

/** What one connection may keep: programs such as proxies have many clients. */
export const MOST_OF_CONNECTION: Memberships = { groups: 4096, topics: 16_384 }
/** What all of them together may keep. */
export const MOST_OF_ALL: Memberships = { groups: 131_072, topics: 262_144 }

/** The most topics that a client has told of each group that it is in, by what it is there and the name of the group. */
type Groups = Map<string, number>

/** See the head of this file. */
export class MembershipBounds<Connection extends object> {
  readonly #mostOfConnection: Memberships
  readonly #mostOfAll: Memberships
  readonly #clients = new Map<Connection, Map<string, Groups>>()
  #groups = 0
  #topics = 0

  constructor(mostOfConnection = MOST_OF_CONNECTION, mostOfAll = MOST_OF_ALL) {
    this.#mostOfConnection = mostOfConnection
    this.#mostOfAll = mostOfAll
  }

  /** What all connections keep. */
  get total(): Memberships {
    return { groups: this.#groups, topics: this.#topics }
  }

  /** Notes what a heartbeat keeps from now on. @throws {Refusal} when that is too much, and then notes nothing of it */
  note(connection: Connection, { clientId, producerGroups, consumers }: Heartbeat): void {
    const clients = this.#clients.get(connection)
    const before = clients?.get(clientId)
    const after: Groups = new Map(before)
    for (const group of producerGroups) after.set(`producer ${group}`, 0)
    // Fewer topics count only once the group is left: a short heartbeat names none, and one that is refused changes nothing.
    for (const { group, facts } of consumers) {
      const key = `consumer ${group}`
      after.set(key, Math.max(before?.get(key) ?? 0, facts.subscriptions.size))
    }
    const grows = sizeOf(after, before)
    const [own, most] = [this.#sizeOf(connection), this.#mostOfConnection]
    if (isBeyond(own, grows, most)) {
      throw new Refusal(
        responseCodes.SYSTEM_BUSY,
        `a connection may be in ${most.groups} groups with ${most.topics} topics at most`,
      )
    }
    if (isBeyond(this.total, grows, this.#mostOfAll))
      throw new Refusal(responseCodes.SYSTEM_BUSY, 'too many groups and topics in all')
    if (clients === undefined) this.#clients.set(connection, new Map([[clientId, after]]))
    else clients.set(clientId, after)
    this.#add(grows)
  }

  /** Whether what a client wants of a group is still counted: it may have left while that was looked at. */
  covers(connection: Connection, clientId: string, { group, facts }: ToldConsumer): boolean {
    const topics = this.#clients.get(connection)?.get(clientId)?.get(`consumer ${group}`)
    return topics !== undefined && topics >= facts.subscriptions.size
  }

  /** A client has left these groups. */
  left(connection: Connection, clientId: string, producerGroup: string | undefined, consumerGroup: string | undefined): void {
    const groups = this.#clients.get(connection)?.get(clientId)
    if (groups === undefined) return
    const before = new Map(groups)
    groups.delete(`producer ${producerGroup}`)
    groups.delete(`consumer ${consumerGroup}`)
    this.#add(sizeOf(groups, before))
  }

  /** A connection is closed. */
  closed(connection: Connection): void {
    const { groups, topics } = this.#sizeOf(connection)
    this.#add({ groups: -groups, topics: -topics })
    this.#clients.delete(connection)
  }

  #sizeOf(connection: Connection): Memberships {
    const all = [...(this.#clients.get(connection)?.values() ?? [])].map((groups) => sizeOf(groups))
    return all.reduce((sum, one) => ({ groups: sum.groups + one.groups, topics: sum.topics + one.topics }), NOTHING)
  }

  #add({ groups, topics }: Memberships): void {
    this.#groups += groups
    this.#topics += topics
  }
}

const NOTHING: Memberships = { groups: 0, topics: 0 }

/** By how much one is larger than the other. */
function sizeOf(groups: Groups, than: Groups = new Map()): Memberships {
  const topics = (of: Groups): number => [...of.values()].reduce((sum, one) => sum + one, 0)
  return { groups: groups.size - than.size, topics: topics(groups) - topics(than) }
}

function isBeyond(now: Memberships, grows: Memberships, most: Memberships): boolean {
  const isGroups = grows.groups > 0 && now.groups + grows.groups > most.groups
  return isGroups || (grows.topics > 0 && now.topics + grows.topics > most.topics)
}
