/** What a name server is asked in `name-server.test.ts`: about one broker with a replica, from its coming to its leaving. */
import { printBody } from '../../lib/remoting/body-json.js'
import { nameServerRequests as codes } from '../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../lib/remoting/command.js'
import { encodeRegistration, type TopicEntry } from '../../lib/remoting/name-server/registration.js'

/** A topic with four queues. */
export const topic = (name: string, perm = 6): TopicEntry => ({
  topic: name,
  readQueueNums: 4,
  writeQueueNums: 4,
  perm,
  topicSysFlag: 0,
})
/** The primary. */
export const server = { cluster: 'cluster', brokerName: 'six', brokerId: 0, address: '127.0.0.1:6', haAddress: '127.0.0.1:7' }
/** The edition of its topics. */
export const version = { stateVersion: 0, timestamp: 1_700_000_000_000, counter: 5 }
const where = { clusterName: 'cluster', brokerName: 'six', brokerAddr: '127.0.0.1:6', brokerId: 0 }

const ask = (code: number, ext: CommandParts['ext'], body?: Buffer): Command => request(code, { ext: ext ?? {}, body })
const old = (command: Command): Command => ({ ...command, version: 300 })
const route = (name: string) => ask(codes.GET_ROUTEINFO_BY_TOPIC, { topic: name })
const topics = [topic('T1'), topic('T2'), { ...topic('U1'), topicSysFlag: 1 }, { ...topic('U2'), topicSysFlag: 2 }, topic('Ü', 4)]
const registered = encodeRegistration({ ...server, dataVersion: version, topics })
const versionQuestion = (counter: number) => ask(codes.QUERY_DATA_VERSION, where, printBody({ ...version, counter }))
const kv = { namespace: 'ns', key: 'k' }

/** Requests in an order in which each finds what those before it left. */
export const script: readonly (readonly [string, Command])[] = [
  ['a broker registers', registered],
  ['its route', route('T1')],
  ['its route for old clients', old(route('T1'))],
  ['its route for old clients that read standard JSON', old(ask(105, { topic: 'T1', acceptStandardJsonOnly: true }))],
  ['a route whose name is not ASCII', route('Ü')],
  ['a route near a zone that nobody is in', ask(105, { topic: 'T1', __ZONE_NAME: 'z', __ZONE_MODE: true })],
  ['a route that there is not', route('none')],
  ['the same registration again', registered],
  ['its version, unchanged', versionQuestion(5)],
  ['its version, changed', versionQuestion(6)],
  ['the version of nobody', ask(codes.QUERY_DATA_VERSION, { ...where, brokerAddr: '127.0.0.1:66' }, printBody({ ...version }))],
  ['a heartbeat', ask(codes.BROKER_HEARTBEAT, where)],
  ['a replica registers', encodeRegistration({ ...server, brokerId: 1, address: '127.0.0.1:8', dataVersion: version, topics })],
  ['the route with a replica', route('T1')],
  ['the members', ask(codes.GET_BROKER_MEMBER_GROUP, { clusterName: 'cluster', brokerName: 'six' })],
  ['topics with unit flags', ask(codes.GET_UNIT_TOPIC_LIST, {})],
  ['topics with subscription flags', ask(codes.GET_HAS_UNIT_SUB_TOPIC_LIST, {})],
  ['topics with subscription flags only', ask(codes.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, {})],
  ['writing is closed', ask(codes.WIPE_WRITE_PERM_OF_BROKER, { brokerName: 'six' })],
  ['the route then', route('T1')],
  ['writing is opened', ask(codes.ADD_WRITE_PERM_OF_BROKER, { brokerName: 'six' })],
  ['the route after that', route('Ü')],
  ['a topic is deleted in another cluster', ask(codes.DELETE_TOPIC_IN_NAMESRV, { topic: 'T1', clusterName: 'elsewhere' })],
  ['the route is still there', route('T1')],
  ['a topic is deleted in its cluster', ask(codes.DELETE_TOPIC_IN_NAMESRV, { topic: 'T1', clusterName: 'cluster' })],
  ['the route is gone', route('T1')],
  ['a topic is deleted', ask(codes.DELETE_TOPIC_IN_NAMESRV, { topic: 'T2' })],
  ['all topics', ask(codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, {})],
  ['the same registration brings them back', registered],
  ['all topics again', ask(codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, {})],
  [
    'a topic is put there',
    ask(
      217,
      { topic: 'T3' },
      printBody({ queueDatas: [{ brokerName: 'six', readQueueNums: 1, writeQueueNums: 2, perm: 6, topicSysFlag: 0 }] }),
    ),
  ],
  ['its route then', route('T3')],
  ['a registration with a wrong sum', { ...registered, extFields: { ...registered.extFields, bodyCrc32: '1' } }],
  ['the cluster', ask(codes.GET_BROKER_CLUSTER_INFO, {})],
  ['topics of the cluster', ask(codes.GET_TOPICS_BY_CLUSTER, { cluster: 'cluster' })],
  ['topics of no cluster', ask(codes.GET_TOPICS_BY_CLUSTER, { cluster: 'elsewhere' })],
  ['a setting that there is not', ask(codes.GET_KV_CONFIG, kv)],
  ['settings that there are not', ask(codes.GET_KVLIST_BY_NAMESPACE, { namespace: 'ns' })],
  ['a setting is put', ask(codes.PUT_KV_CONFIG, { ...kv, value: 'v' })],
  ['a setting', ask(codes.GET_KV_CONFIG, kv)],
  ['settings', ask(codes.GET_KVLIST_BY_NAMESPACE, { namespace: 'ns' })],
  ['a setting is deleted', ask(codes.DELETE_KV_CONFIG, kv)],
  ['a setting that there was', ask(codes.GET_KV_CONFIG, kv)],
  ['an order is put', ask(codes.PUT_KV_CONFIG, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T1', value: 'six:4' })],
  ['a registration gets the orders', registered],
  ['the replica leaves', ask(codes.UNREGISTER_BROKER, { ...where, brokerAddr: '127.0.0.1:8', brokerId: 1 })],
  ['the broker leaves', ask(codes.UNREGISTER_BROKER, where)],
  ['a request that nobody knows', ask(998, {})],
]
