/**
 * Our name server beside the real one. Java's brokers of both generations register with both; whatever is then asked
 * or changed, by our client or by RocketMQ's administration program, has the same answer from both. And the other way:
 * a broker of ours is seen through real name servers.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../lib/base/system.js'
import type { ConfigValue } from '../../lib/format/config-json.js'
import { parseBody, printBody } from '../../lib/remoting/body-json.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { nameServerRequests as codes } from '../../lib/remoting/codes.js'
import { answer, type Command, type Encoding, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { ClusterQueues } from '../../lib/remoting/name-server/cluster-queues.js'
import { NameServer } from '../../lib/remoting/name-server/name-server.js'
import { NameServerClient } from '../../lib/remoting/name-server/name-server-client.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { cleanUp } from './clean-up.js'
import { mqadmin, startBroker, startNameServer } from './java-servers.js'
import { script, server, topic, version } from './name-server-script.js'

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

/** The lines that a command printed. Lists have no order; hours and disk space pass. */
function linesOf(text: string): string[] {
  const lines = text.replaceAll(/ \d+\.\d+ +\d\.\d{4} /g, ' ').split('\n')
  return lines.map((line) => line.replace(/,$/, '')).sort()
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

/** Commands whose output must be the same from both. */
const adminCommands = [
  ['clusterList'],
  ['topicList', '-c'],
  ['topicRoute', '-t', 'TBW102'],
  ['topicRoute', '-t', 'none'],
  ['updateKvConfig', '-s', 'space', '-k', 'key', '-v', 'value'],
  ['deleteKvConfig', '-s', 'space', '-k', 'gone'],
  ['wipeWritePerm', '-b', 'five'],
]

test('our name server answers as the real one does, brokers of both generations being registered with both', async (t) => {
  const ours = await startOurs(t)
  const real = (await startNameServer(t, '5.3.3')).address
  const namesrvAddr = `${real};${ours}`
  const four = await startBroker(t, '4.9.7', { brokerName: 'four', namesrvAddr, compressedRegister: true })
  // 5.3.3 compresses, but then says that it did not, and no name server understands it.
  await startBroker(t, '5.3.3', { brokerName: 'five', namesrvAddr })
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
    for (const command of adminCommands) {
      const printed = []
      for (const at of [real, ours])
        printed.push((await mqadmin(t, '5.3.3', [...command, '-n', at])).replaceAll(at, 'the name server'))
      const [theirs, own] = printed.map(linesOf)
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

/** The queues that a broker learns of from a name server. */
async function queuesSeen(client: RemotingClient, at: string, name: string, brokerName: string): Promise<string[]> {
  const onProblem = (error: unknown): never => assert.fail(error as Error)
  const queues = await new ClusterQueues({ brokerName, servers: [at], client, clock: systemClock, onProblem }).of(name)
  return queues.map((queue) => `${queue.brokerName} ${queue.queueId}`)
}

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
    assert.deepEqual(await queuesSeen(client, at, 'Later', 'another'), await queuesSeen(client, at, 'Flights', 'another'))
    assert.equal((await queuesSeen(client, at, 'Later', 'another')).length, topic('Later').readQueueNums)
    assert.deepEqual(await queuesSeen(client, at, 'Later', 'ours'), [])
    assert.deepEqual(await queuesSeen(client, at, 'Nowhere', 'another'), [])
  }
  await registrar.close()
  for (const at of servers) await until(async () => (await brokersAt(client, at)).length === 0)
})
