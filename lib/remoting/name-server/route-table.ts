/**
 * How what a name server knows changes: servers register, are heard of, leave, and are forgotten.
 *
 * 1. A broker whose last server is gone is gone, with its queues; a topic without queues is gone.
 * 2. Of two servers that claim one number of one broker, the one with the older state is not believed.
 * 3. Topics are taken from a primary only, and only when its edition of them is another than last time. A secondary
 *    that may act for its primary brings them too, closed for writing.
 *
 * Pure: it is told the time, and asks nobody.
 */
import type { ConfigValue } from '../../format/config-json.js'
import {
  type BrokerEntry,
  type DataVersion,
  type LiveServer,
  liveKey,
  PERM_READ,
  PERM_WRITE,
  type QueueData,
  RouteState,
  sameVersion,
} from './route-state.js'

/** Time without a word after which a server is forgotten, unless it names another. */
export const EXPIRY_MS = 120_000

const PRIMARY = 0
/** Topics of all brokers: each that many brokers have counts for each of them. */
const MOST_ENTRIES = 250_000

/** One server of a broker. */
export interface ServerName {
  readonly cluster: string
  readonly brokerName: string
  readonly brokerId: number
  readonly address: string
}

/** What a server says of itself and its topics. */
export interface Registration extends ServerName {
  readonly haAddress: string
  readonly zoneName?: string | undefined
  /** `undefined` from releases that know nothing of it. */
  readonly enableActingMaster?: boolean | undefined
  readonly timeoutMs?: number | undefined
  readonly dataVersion: DataVersion
  readonly topics: ReadonlyMap<string, QueueData>
  readonly mappings?: ReadonlyMap<string, ConfigValue>
  /** See {@link LiveServer.connection}. */
  readonly connection?: object | undefined
}

/** What a secondary is told of its primary. */
export interface Registered {
  readonly primaryAddress?: string
  readonly haAddress?: string
}

/** See the head of this file. */
export class RouteTable {
  /** What is known, for questions. */
  readonly state = new RouteState()
  #entries = 0

  /** Whether there is room for topics of a broker, with what is known of it already. */
  hasRoomFor(brokerName: string, topics: Iterable<string>): boolean {
    let count = this.#entries
    for (const topic of topics) if (this.state.topics.get(topic)?.has(brokerName) !== true) count++
    return count <= MOST_ENTRIES
  }

  /** Takes in what a server says. `now` is monotonic, milliseconds. */
  register(given: Registration, now: number): Registered {
    const { cluster, brokerId, address } = given
    const { live } = this.state
    const { broker, isNew } = this.#brokerOf(given)
    for (const [id, other] of broker.addresses) if (other === address && id !== brokerId) broker.addresses.delete(id)
    const before = broker.addresses.get(brokerId)
    const known = before === undefined || before === address ? undefined : live.get(liveKey(cluster, before))
    if (known !== undefined && known.dataVersion.stateVersion > given.dataVersion.stateVersion) {
      live.delete(liveKey(cluster, address))
      return {}
    }
    broker.addresses.set(brokerId, address)
    this.#takeTopics(given, broker, isNew || before === undefined)
    live.set(liveKey(cluster, address), liveServer(given, now))
    return brokerId === PRIMARY ? {} : this.#primaryOf(broker)
  }

  /** Forgets a server. */
  unregister({ cluster, brokerName, address }: ServerName): void {
    const { brokers, clusters, live } = this.state
    live.delete(liveKey(cluster, address))
    const broker = brokers.get(brokerName)
    if (broker === undefined) return
    for (const [id, other] of broker.addresses) if (other === address) broker.addresses.delete(id)
    if (broker.addresses.size > 0) {
      if (broker.enableActingMaster && !broker.addresses.has(PRIMARY)) this.setWritable(brokerName, false)
      return
    }
    brokers.delete(brokerName)
    const names = clusters.get(broker.cluster)
    names?.delete(brokerName)
    if (names?.size === 0) clusters.delete(broker.cluster)
    for (const topic of [...this.state.topics.keys()]) this.#dropQueues(topic, brokerName)
  }

  /** Forgets the servers that registered over a connection. */
  forgetConnection(connection: object): void {
    for (const server of [...this.state.live.values()]) if (server.connection === connection) this.#forget(server)
  }

  /** Forgets the servers that were not heard of in time. @returns their connections */
  expire(now: number): object[] {
    const late = [...this.state.live.values()].filter(({ lastHeard, timeoutMs }) => now - lastHeard > timeoutMs)
    for (const server of late) this.#forget(server)
    return late.flatMap(({ connection }) => connection ?? [])
  }

  /** A server is heard of. */
  heard(cluster: string, address: string, now: number): void {
    const server = this.state.live.get(liveKey(cluster, address))
    if (server !== undefined) server.lastHeard = now
  }

  /** The edition of topics that a server last registered. */
  versionOf(cluster: string, address: string): DataVersion | undefined {
    return this.state.live.get(liveKey(cluster, address))?.dataVersion
  }

  /** Opens or closes every topic of a broker for writing. @returns how many it has */
  setWritable(brokerName: string, isWritable: boolean): number {
    let count = 0
    for (const queues of this.state.topics.values()) {
      const data = queues.get(brokerName)
      if (data === undefined) continue
      count++
      queues.set(brokerName, { ...data, perm: isWritable ? PERM_READ | PERM_WRITE : data.perm & ~PERM_WRITE })
    }
    return count
  }

  /** Forgets a topic, in one cluster or everywhere. The next registration with another edition brings it back. */
  deleteTopic(topic: string, cluster?: string): void {
    if (cluster === undefined) {
      this.#entries -= this.state.topics.get(topic)?.size ?? 0
      this.state.topics.delete(topic)
    } else for (const name of this.state.clusters.get(cluster) ?? []) this.#dropQueues(topic, name)
  }

  /** Forgets the queues that one broker has of a topic. */
  dropTopic(topic: string, brokerName: string): void {
    this.#dropQueues(topic, brokerName)
  }

  /** Gives brokers queues of a topic. Brokers that are not known are left out. */
  addTopic(topic: string, queues: ReadonlyMap<string, QueueData>): void {
    for (const [name, data] of queues) if (this.state.brokers.has(name)) this.#setQueues(topic, name, data)
  }

  #brokerOf({ cluster, brokerName, zoneName, enableActingMaster }: Registration): { broker: BrokerEntry; isNew: boolean } {
    const { brokers, clusters } = this.state
    const names = clusters.get(cluster) ?? new Set()
    clusters.set(cluster, names.add(brokerName))
    const known = brokers.get(brokerName)
    const broker = known ?? { cluster, brokerName, addresses: new Map(), zoneName, enableActingMaster: false }
    broker.enableActingMaster = enableActingMaster === true
    broker.zoneName = zoneName
    brokers.set(brokerName, broker)
    return { broker, isNew: known === undefined }
  }

  #takeTopics(given: Registration, broker: BrokerEntry, isNew: boolean): void {
    const { cluster, address, brokerName, brokerId, dataVersion } = given
    const acts = broker.enableActingMaster && brokerId !== PRIMARY && brokerId === Math.min(...broker.addresses.keys())
    if (brokerId !== PRIMARY && !acts) return
    const before = this.versionOf(cluster, address)
    const isChanged = isNew || before === undefined || !sameVersion(before, dataVersion)
    for (const [topic, data] of given.topics) {
      if (!isChanged && this.state.topics.get(topic)?.has(brokerName)) continue
      this.#setQueues(topic, brokerName, acts ? { ...data, perm: data.perm & ~PERM_WRITE } : data)
    }
    for (const [topic, mapping] of given.mappings ?? []) {
      const mappings = this.state.mappings.get(topic) ?? new Map<string, ConfigValue>()
      this.state.mappings.set(topic, mappings.set(brokerName, mapping))
    }
  }

  #primaryOf(broker: BrokerEntry): Registered {
    const primaryAddress = broker.addresses.get(PRIMARY)
    if (primaryAddress === undefined) return {}
    const primary = this.state.live.get(liveKey(broker.cluster, primaryAddress))
    return primary === undefined ? {} : { primaryAddress, haAddress: primary.haAddress }
  }

  #forget({ cluster, address }: LiveServer): void {
    this.state.live.delete(liveKey(cluster, address))
    for (const broker of [...this.state.brokers.values()]) {
      if (broker.cluster !== cluster) continue
      for (const [brokerId, other] of broker.addresses) {
        if (other === address) this.unregister({ cluster, brokerName: broker.brokerName, brokerId, address })
      }
    }
  }

  #setQueues(topic: string, brokerName: string, data: QueueData): void {
    const queues = this.state.topics.get(topic) ?? new Map<string, QueueData>()
    if (!queues.has(brokerName)) this.#entries++
    this.state.topics.set(topic, queues.set(brokerName, data))
  }

  #dropQueues(topic: string, brokerName: string): void {
    const { topics, mappings } = this.state
    for (const table of [topics, mappings]) {
      const byBroker = table.get(topic)
      if (byBroker?.delete(brokerName) === true && table === topics) this.#entries--
      if (byBroker?.size === 0) table.delete(topic)
    }
  }
}

function liveServer(given: Registration, now: number): LiveServer {
  const { cluster, address, haAddress, dataVersion, timeoutMs = EXPIRY_MS, connection } = given
  return { cluster, address, haAddress, dataVersion, timeoutMs, lastHeard: now, connection }
}
