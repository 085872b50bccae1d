/** How a broker becomes known: to the name server beside it, and to name servers elsewhere. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Broker } from '../../../lib/broker/broker.js'
import { parseBody } from '../../../lib/remoting/body-json.js'
import { BrokerServer } from '../../../lib/remoting/broker-server.js'
import { nameServerRequests as codes, responseCodes } from '../../../lib/remoting/codes.js'
import { endpointText } from '../../../lib/remoting/endpoint.js'
import { NameServer } from '../../../lib/remoting/name-server/name-server.js'
import { RemotingServer } from '../../../lib/remoting/server.js'
import { openTestBroker, small } from '../../support/open-broker.js'
import { freshDisk, root } from '../../support/open-store.js'
import { type ServedForTest, serveBroker } from '../../support/serve-broker.js'

async function topicsKnown({ askNames }: ServedForTest): Promise<string[]> {
  const { body } = await askNames(codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
  return (parseBody(body) as { topicList: string[] }).topicList
}

async function startNames(t: TestContext): Promise<{ table: NameServer; address: string; close(): Promise<void> }> {
  const table = new NameServer()
  const server = await RemotingServer.listen({ port: 0, handlers: table.handlers })
  const close = async (): Promise<void> => {
    await server.close(100)
    table.close()
  }
  t.after(close)
  return { table, address: endpointText(server.endpoint), close }
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 2))
  assert.ok(holds())
}

test('the route of a topic leads to the broker, as soon as the topic is made', async (t) => {
  const served = await serveBroker(t, { options: { topics: { T: { queues: 3 } }, autoCreateTopics: true } })
  const route = async (topic: string): Promise<unknown> => {
    const { code, body } = await served.askNames(codes.GET_ROUTEINFO_BY_TOPIC, { ext: { topic } })
    return code === 0 ? parseBody(body) : code
  }
  const { brokerDatas, queueDatas } = (await route('T')) as { brokerDatas: object[]; queueDatas: object[] }
  assert.deepEqual(brokerDatas, [
    { brokerAddrs: { 0: served.address }, brokerName: 'mqlite', cluster: 'DefaultCluster', enableActingMaster: false },
  ])
  assert.deepEqual(queueDatas, [{ brokerName: 'mqlite', perm: 6, readQueueNums: 3, topicSysFlag: 0, writeQueueNums: 3 }])
  assert.equal(await route('later'), responseCodes.TOPIC_NOT_EXIST)
  await served.broker.send({ topic: 'later', body: 'x' })
  assert.notEqual(await route('later'), responseCodes.TOPIC_NOT_EXIST)
  await served.broker.topics.delete('later')
  assert.equal(await route('later'), responseCodes.TOPIC_NOT_EXIST)
})

test('the template of topics has a route only while topics are made on first use', async (t) => {
  assert.ok((await topicsKnown(await serveBroker(t, { options: { autoCreateTopics: true } }))).includes('TBW102'))
  assert.ok(!(await topicsKnown(await serveBroker(t))).includes('TBW102'))
})

test('clients are told the advertised address', async (t) => {
  const served = await serveBroker(t, { server: { port: 0, nameServer: { port: 0 }, advertisedHost: '192.0.2.7' } })
  const { port } = served.server.endpoint
  const { body } = await served.askNames(codes.GET_BROKER_CLUSTER_INFO)
  assert.ok(body.toString().includes(`{0:"192.0.2.7:${port}"}`), body.toString())
  assert.deepEqual(served.server.advertisedEndpoint, { host: '192.0.2.7', port })
})

test('what this process sends has the address of the server in it while there is one', async (t) => {
  const { broker, server, address } = await serveBroker(t, { options: { topics: { T: { queues: 1 } } } })
  await broker.send({ topic: 'T', body: '1' })
  await server.close()
  await broker.send({ topic: 'T', body: '2' })
  const { messages } = await broker.store.get({ topic: 'T', offset: 0 })
  assert.deepEqual(
    messages.map(({ storeHost }) => storeHost),
    [address, broker.store.storeHost],
  )
  assert.throws(() => broker.store.standAt('localhost'), RangeError)
})

test('name servers elsewhere learn of the broker, of each change, and of its end', async (t) => {
  const [one, other] = [await startNames(t), await startNames(t)]
  const broker = await openTestBroker(t, { options: { topics: { T: {} } } })
  const server = await BrokerServer.listen(broker, { port: 0, nameServers: [one.address, other.address] })
  t.after(() => server.close())
  assert.equal(server.nameServerEndpoint, undefined)
  const state = (names: typeof one): NameServer['routes']['state'] => names.table.routes.state
  for (const names of [one, other]) {
    assert.deepEqual([...state(names).brokers.get('mqlite')!.addresses], [[0, endpointText(server.endpoint)]])
    assert.ok(state(names).topics.has('T'))
  }
  for (let i = 0; i < 20; i++) await broker.topics.create(`more-${i}`, { queues: 2 })
  await until(() => state(one).topics.has('more-19') && state(other).topics.has('more-19'))
  await server.close()
  assert.equal(state(one).brokers.size + state(other).brokers.size, 0)
})

test('a name server that is away is a problem that is told; the others learn of the broker', async (t) => {
  const [here, away] = [await startNames(t), await startNames(t)]
  await away.close()
  const broker = await Broker.open(root, { store: small }, { disk: freshDisk() })
  t.after(() => broker.close())
  const problems: string[] = []
  broker.on('problem', ({ during }) => problems.push(during))
  const server = await BrokerServer.listen(broker, { port: 0, nameServers: [away.address, here.address] })
  t.after(() => server.close())
  assert.ok(here.table.routes.state.brokers.has('mqlite'))
  assert.deepEqual(problems, [`registering with the name server ${away.address}`])
})

test('a server that listens everywhere must be told what clients are told, and addresses must be some', async (t) => {
  const broker = await openTestBroker(t)
  await assert.rejects(BrokerServer.listen(broker, { port: 0, host: '0.0.0.0', insecure: true }), /advertisedHost/)
  await assert.rejects(BrokerServer.listen(broker, { port: 0, nameServers: ['nowhere'] }), /host:port/)
})

test('a broker signs what it tells a name server that asks who sends', async (t) => {
  const admin = { accessKey: 'administrator', secretKey: 'of-the-administrator' }
  const names = await serveBroker(t, { server: { auth: { accounts: [{ ...admin, admin: true }] } } })
  const nameServers = [endpointText(names.server.nameServerEndpoint!)]
  const told: boolean[] = []
  for (const credentials of [admin, { ...admin, secretKey: 'another' }]) {
    const broker = await Broker.open(root, { store: small }, { disk: freshDisk() })
    t.after(() => broker.close())
    const onRegistration = ({ error }: { error?: Error }): unknown => told.push(error === undefined)
    const server = await BrokerServer.listen(broker, { port: 0, nameServers, nameServerCredentials: credentials, onRegistration })
    await server.close()
  }
  assert.deepEqual(told, [true, false])
})
