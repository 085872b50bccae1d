/**
 * Our name server beside the real one. Java's brokers of both generations register with both; whatever is then asked
 * or changed, by our client or by RocketMQ's administration program, has the same answer from both. And the other way:
 * a broker of ours is seen through real name servers.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ConfigValue } from '../../lib/format/config-json.js'
import { parseBody, printBody } from '../../lib/remoting/body-json.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { nameServerRequests as codes } from '../../lib/remoting/codes.js'
import { answer, type Command, type CommandParts, type Encoding, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { NameServer } from '../../lib/remoting/name-server/name-server.js'
import { NameServerClient } from '../../lib/remoting/name-server/name-server-client.js'
import { encodeRegistration, type TopicEntry } from '../../lib/remoting/name-server/registration.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { cleanUp } from './clean-up.js'
import { mqadmin, startBroker, startNameServer } from './java-servers.js'

async function startOurs(t: TestContext): Promise<string> {
  const faults: Error[] = []
  const nameServer = new NameServer()
  const server = await RemotingServer.listen({ port: 0, handlers: nameServer.handlers, onFault: (error) => faults.push(error) })
  cleanUp(t, async () => {
    await server.close(100)
    nameServer.close()
    assert.deepEqual(faults, [])
  })
  return endpointText(server.endpoint)
}

function clientFor(t: TestContext): RemotingClient {
  const client = new RemotingClient()
  cleanUp(t, () => client.close(100))
  return client
}

/** A value without the order of its lists, which neither side promises. */
function unordered(value: ConfigValue | undefined): unknown {
  if (Array.isArray(value)) return value.map(unordered).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, unordered(inner as ConfigValue)]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unordered(inner as ConfigValue)]))
}

/** What an answer says. A remark beside success is chance. */
function said({ code, remark, extFields, body }: Command): unknown {
  const text = code === 0 ? undefined : remark
  return { code, text, ext: { ...extFields }, body: body.length === 0 ? undefined : unordered(parseBody(body)) }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.fail('it does not come about within a minute')
}

async function brokersAt(client: RemotingClient, address: string): Promise<string[]> {
  const { body } = await client.invoke(address, request(codes.GET_BROKER_CLUSTER_INFO))
  return Object.keys((parseBody(body) as { brokerAddrTable: object }).brokerAddrTable).sort()
}

const topic = (name: string, perm = 6): TopicEntry => ({
  topic: name,
  readQueueNums: 4,
  writeQueueNums: 4,
  perm,
  topicSysFlag: 0,
})
const server = { cluster: 'cluster', brokerName: 'six', brokerId: 0, address: '127.0.0.1:6', haAddress: '127.0.0.1:7' }
const version = { stateVersion: 0, timestamp: 1_700_000_000_000, counter: 5 }
const where = { clusterName: 'cluster', brokerName: 'six', brokerAddr: '127.0.0.1:6', brokerId: 0 }

/** Requests in an order in which each finds what those before it left. */
const script: readonly (readonly [string, Command])[] = (() => {
  const ask = (code: number, ext: CommandParts['ext'], body?: Buffer): Command => request(code, { ext: ext ?? {}, body })
  const old = (command: Command): Command => ({ ...command, version: 300 })
  const route = (name: string) => ask(codes.GET_ROUTEINFO_BY_TOPIC, { topic: name })
  const topics = [
    topic('T1'),
    topic('T2'),
    { ...topic('U1'), topicSysFlag: 1 },
    { ...topic('U2'), topicSysFlag: 2 },
    topic('Ü', 4),
  ]
  const registered = encodeRegistration({ ...server, dataVersion: version, topics })
  const versionQuestion = (counter: number) => ask(codes.QUERY_DATA_VERSION, where, printBody({ ...version, counter }))
  const kv = { namespace: 'ns', key: 'k' }
  return [
    ['a broker registers', registered],
    ['its route', route('T1')],
    ['its route for old clients', old(route('T1'))],
    ['its route for old clients that read standard JSON', old(ask(105, { topic: 'T1', acceptStandardJsonOnly: true }))],
    ['a route whose name is not ASCII', route('Ü')],
    ['a route near a zone that nobody is in', ask(105, { topic: 'T1', __ZONE_NAME: 'z', __ZONE_MODE: true })],
    ['a route that there is not', route('none')],
    ['a route of no topic', ask(105, {})],
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
})()

test('our name server answers as the real one does, brokers of both generations being registered with both', async (t) => {
  const ours = await startOurs(t)
  const real = (await startNameServer(t, '5.3.3')).address
  const namesrvAddr = `${real};${ours}`
  const four = await startBroker(t, '4.9.7', { brokerName: 'four', namesrvAddr, compressedRegister: true })
  await startBroker(t, '5.3.3', { brokerName: 'five', namesrvAddr, compressedRegister: true })
  const client = clientFor(t)
  for (const at of [real, ours]) await until(async () => (await brokersAt(client, at)).join() === 'five,four')

  await t.test('to every request, in both encodings', async () => {
    for (const encoding of ['json', 'binary'] satisfies Encoding[]) {
      for (const [what, command] of script) {
        const [theirs, own] = [
          await client.invoke(real, { ...command, encoding }),
          await client.invoke(ours, { ...command, encoding }),
        ]
        assert.deepEqual(said(own), said(theirs), `${what}, ${encoding}`)
        assert.equal(own.encoding, encoding)
        // The real one takes a broker out a little after it has said so.
        if (command.code !== codes.UNREGISTER_BROKER) continue
        const members = request(codes.GET_BROKER_MEMBER_GROUP, { ext: { clusterName: 'cluster', brokerName: 'six' } })
        const own901 = JSON.stringify(said(await client.invoke(ours, members)))
        await until(async () => JSON.stringify(said(await client.invoke(real, members))) === own901)
      }
    }
  })

  await t.test("to RocketMQ's administration program", async () => {
    const commands = [
      ['clusterList'],
      ['topicList', '-c'],
      ['topicRoute', '-t', 'TBW102'],
      ['topicRoute', '-t', 'none'],
      ['updateKvConfig', '-s', 'space', '-k', 'key', '-v', 'value'],
      ['deleteKvConfig', '-s', 'space', '-k', 'gone'],
      ['wipeWritePerm', '-b', 'five'],
    ]
    for (const command of commands) {
      const printed = []
      for (const at of [real, ours])
        printed.push((await mqadmin(t, '5.3.3', [...command, '-n', at])).replaceAll(at, 'the name server'))
      // Lists have no order; hours and disk space pass.
      const [theirs, own] = printed.map((text) =>
        text
          .replaceAll(/ \d+\.\d+ +\d\.\d{4} /g, ' ')
          .split('\n')
          .map((line) => line.replace(/,$/, ''))
          .sort(),
      )
      assert.deepEqual(own, theirs, command.join(' '))
      assert.ok(own!.join('').length > 20)
    }
    for (const at of [real, ours]) {
      const ext = { namespace: 'space', key: 'key' }
      assert.equal((await client.invoke(at, request(codes.GET_KV_CONFIG, { ext }))).extFields['value'], 'value')
    }
  })

  await t.test('when a broker dies: it is gone at once', async () => {
    await four.stop('SIGKILL')
    for (const at of [real, ours]) await until(async () => (await brokersAt(client, at)).join() === 'five')
  })
})

/** What `clusterList` wants to know of a broker. */
const runtime = printBody({
  table: {
    brokerVersionDesc: 'V5_3_3',
    brokerActive: 'true',
    putTps: '0.0 0.0 0.0',
    getTransferredTps: '0.0 0.0 0.0',
    sendThreadPoolQueueSize: '0',
    pullThreadPoolQueueSize: '0',
    sendThreadPoolQueueHeadWaitTimeMills: '0',
    pullThreadPoolQueueHeadWaitTimeMills: '0',
    pageCacheLockTimeMills: '0',
    earliestMessageTimeStamp: '0',
    commitLogDiskRatio: '0.1',
    timerReadBehind: '0',
    timerOffsetBehind: '0',
    timerCongestNum: '0',
  },
})

test('a broker of ours registers with real name servers of both generations, which show it until it leaves', async (t) => {
  const servers = [(await startNameServer(t, '5.3.3')).address, (await startNameServer(t, '4.9.7')).address]
  const broker = await RemotingServer.listen({
    port: 0,
    handlers: new Map([[28, (command) => answer(command, 0, { body: runtime })]]),
  })
  cleanUp(t, () => broker.close(100))
  const client = clientFor(t)
  let counter = 1
  const topics = ['TBW102', 'Flights']
  const registrar = new NameServerClient({
    client,
    servers: [...servers, '127.0.0.1:1'],
    broker: { ...server, brokerName: 'ours', address: endpointText(broker.endpoint) },
    topics: () => ({ dataVersion: { ...version, counter }, topics: topics.map((name) => topic(name)) }),
  })
  const results = await registrar.start()
  assert.deepEqual(
    results.map(({ error }) => (error as { code?: string } | undefined)?.code),
    [undefined, undefined, 'REMOTING_UNREACHABLE'],
  )
  topics.push('Later')
  counter++
  await registrar.register()
  for (const [at, release] of [
    [servers[0]!, '5.3.3'],
    [servers[1]!, '4.9.7'],
  ] as const) {
    assert.match(
      await mqadmin(t, release, ['clusterList', '-n', at]),
      new RegExp(`cluster +ours +0 +${endpointText(broker.endpoint)} +V5_3_3`),
    )
    const route = parseBody(Buffer.from(await mqadmin(t, release, ['topicRoute', '-t', 'Later', '-n', at])))
    const { brokerDatas } = route as { brokerDatas: { brokerAddrs: ConfigValue }[] }
    assert.deepEqual(
      brokerDatas.map(({ brokerAddrs }) => unordered(brokerAddrs)),
      [{ 0: endpointText(broker.endpoint) }],
    )
  }
  await registrar.close()
  for (const at of servers) await until(async () => (await brokersAt(client, at)).length === 0)
})
