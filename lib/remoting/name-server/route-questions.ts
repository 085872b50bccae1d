/** What is asked of a name server's knowledge, as the bodies of its answers. */
import type { ConfigObject, ConfigValue, IntegerMap } from '../../format/config-json.js'
import type { BrokerEntry, QueueData, RouteState } from './route-state.js'

const PRIMARY = 0
const UNIT = 1
const UNIT_SUBSCRIPTION = 2

/** From where somebody asks: zones near to one another may have brokers of their own. */
export interface Zone {
  readonly zoneName: string
}

/** Where a topic's queues are, `undefined` when nobody has it. With a zone, brokers of other zones are left out. */
export function routeOf(state: RouteState, topic: string, orderConfig?: string, zone?: Zone): ConfigObject | undefined {
  const queues = state.topics.get(topic)
  if (queues === undefined) return undefined
  const entries = [...queues.keys()].flatMap((name) => state.brokers.get(name) ?? [])
  if (entries.length === 0) return undefined
  const near = entries.filter((entry) => zone === undefined || isNear(entry, zone))
  const far = new Set(entries.filter((entry) => !near.includes(entry)).map(({ brokerName }) => brokerName))
  const queueDatas = [...queues].filter(([name]) => !far.has(name)).map(([brokerName, data]) => ({ brokerName, ...data }))
  const mappings = state.mappings.get(topic)
  return {
    ...(orderConfig === undefined ? {} : { orderTopicConf: orderConfig }),
    queueDatas,
    brokerDatas: near.map(brokerData),
    filterServerTable: {},
    ...(mappings === undefined ? {} : { topicQueueMappingByBroker: objectOf(mappings) }),
  }
}

/** A broker whose primary is away is near to everybody: its secondaries are all that there is. */
function isNear({ addresses, zoneName }: BrokerEntry, zone: Zone): boolean {
  return !addresses.has(PRIMARY) || zoneName?.toLowerCase() === zone.zoneName.toLowerCase()
}

function brokerData({ addresses, brokerName, cluster, enableActingMaster, zoneName }: BrokerEntry): ConfigObject {
  return { brokerAddrs: addresses, brokerName, cluster, enableActingMaster, ...(zoneName === undefined ? {} : { zoneName }) }
}

/** All brokers and clusters. */
export function clusterInfo({ brokers, clusters }: RouteState): ConfigObject {
  return {
    brokerAddrTable: objectOf(new Map([...brokers].map(([name, entry]) => [name, brokerData(entry)]))),
    clusterAddrTable: objectOf(new Map([...clusters].map(([cluster, names]) => [cluster, [...names]]))),
  }
}

/** The servers of one broker. */
export function memberGroup({ brokers }: RouteState, cluster: string, brokerName: string): ConfigObject {
  const entry = brokers.get(brokerName)
  const brokerAddrs: IntegerMap = entry?.cluster === cluster ? entry.addresses : new Map()
  return { brokerMemberGroup: { brokerAddrs, brokerName, cluster } }
}

/** Names of topics, of those that pass. */
export function topicList(
  { topics }: RouteState,
  passes: (queues: ReadonlyMap<string, QueueData>) => boolean = () => true,
): ConfigObject {
  return { topicList: [...topics].filter(([, queues]) => passes(queues)).map(([topic]) => topic) }
}

/** Names of the topics that a cluster has. */
export function topicsOfCluster(state: RouteState, cluster: string): ConfigObject {
  const names = state.clusters.get(cluster) ?? new Set()
  return topicList(state, (queues) => [...queues.keys()].some((name) => names.has(name)))
}

/** Names that every cluster has as topics: those of clusters and brokers, with one address to ask further. */
export function systemTopics({ brokers, clusters }: RouteState): ConfigObject {
  const brokerAddr = [...brokers.values()].flatMap(({ addresses }) => [...addresses.values()])[0]
  const names = [...clusters].flatMap(([cluster, brokerNames]) => [cluster, ...brokerNames])
  return { topicList: names, ...(brokerAddr === undefined ? {} : { brokerAddr }) }
}

/** Names of topics with unit flags: `unit` set, `subscription` set, or the second without the first. */
export function unitTopics(state: RouteState, which: 'unit' | 'subscription' | 'subscriptionOnly'): ConfigObject {
  return topicList(state, (queues) => {
    const { topicSysFlag = 0 } = queues.values().next().value ?? {}
    const isUnit = (topicSysFlag & UNIT) !== 0
    const isSubscription = (topicSysFlag & UNIT_SUBSCRIPTION) !== 0
    if (which === 'unit') return isUnit
    return isSubscription && (which === 'subscription' || !isUnit)
  })
}

function objectOf(entries: ReadonlyMap<string, ConfigValue>): ConfigObject {
  const object = Object.create(null) as Record<string, ConfigValue>
  for (const [name, value] of entries) object[name] = value
  return object
}
