/**
 * A broker of RocketMQ 5.3.3 and one of ours in one cluster, under RocketMQ's own name server: a Java producer spreads
 * over both, a Java group drains both, and when either dies they go on with the other until it is back.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseBody } from '../../lib/remoting/body-json.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { nameServerRequests } from '../../lib/remoting/codes.js'
import { request } from '../../lib/remoting/command.js'
import { freePorts } from '../support/free-ports.js'
import { cleanUp } from './clean-up.js'
import { startConsumers } from './java-consumers.js'
import { makeHome, mqadmin, startBroker, startNameServer } from './java-servers.js'
import { until } from './line-client.js'
import { serveAt } from './served.js'

const TOPIC = 'Both'

/** Names of the brokers that a name server knows, or of those to which it leads for the topic. */
async function brokersOf(client: RemotingClient, names: string, of: 'cluster' | 'topic'): Promise<string[]> {
  const ext = { topic: TOPIC, acceptStandardJsonOnly: true }
  const { GET_ROUTEINFO_BY_TOPIC, GET_BROKER_CLUSTER_INFO } = nameServerRequests
  const question = of === 'topic' ? request(GET_ROUTEINFO_BY_TOPIC, { ext }) : request(GET_BROKER_CLUSTER_INFO)
  const { code, body } = await client.invoke(names, question)
  if (code !== 0) return []
  const told = parseBody(body) as { brokerDatas?: { brokerName: string }[]; brokerAddrTable?: object }
  return (told.brokerDatas?.map(({ brokerName }) => brokerName) ?? Object.keys(told.brokerAddrTable ?? {})).sort()
}

/** The name server, and both brokers to be started over directories and ports that stay. */
async function cluster(t: TestContext) {
  const names = (await startNameServer(t, '5.3.3')).address
  const client = new RemotingClient()
  cleanUp(t, () => client.close(100))
  const home = makeHome(t)
  const [fast, , ha, own] = await freePorts(0, 2, 4, 6)
  const startTheirs = () =>
    startBroker(t, '5.3.3', {
      brokerName: 'theirs',
      namesrvAddr: names,
      listenPort: fast! + 2,
      haListenPort: ha!,
      storePathRootDir: join(home, 'theirs'),
      storePathCommitLog: join(home, 'theirs', 'commitlog'),
    })
  const line = [
    '--port',
    String(own),
    '--no-name-server',
    '--name-servers',
    names,
    '--cluster',
    'cluster',
    '--broker-name',
    'ours',
  ]
  const startOurs = () => serveAt(t, join(home, 'ours'), ...line)
  const known = async (of: 'cluster' | 'topic', ...expected: readonly string[]): Promise<void> => {
    let found: string[] = []
    for (let left = 600; left > 0 && found.join() !== expected.join(); left--) {
      found = await brokersOf(client, names, of)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.deepEqual(found, expected)
  }
  return { names, known, startTheirs, startOurs }
}

/** The Java clients, and what they sent and were given. */
async function traffic(t: TestContext, names: string) {
  const java = await startConsumers(t, '5.3.3', names, '-Drocketmq.client.rebalance.waitInterval=1000', '-DpollNameServers=1000')
  const sent: string[] = []
  const send = async (prefix: string, count: number): Promise<string[]> => {
    const before = java.sent.length
    await java.tell('send', TOPIC, count, prefix)
    sent.push(...Array.from({ length: count }, (_, i) => `${prefix}${i}`))
    return [...new Set(java.sent.slice(before).map(({ kind }) => kind))].sort()
  }
  const drained = async (): Promise<void> => {
    const seen = (): Set<string> => new Set(java.got.map(({ body }) => body))
    const missing = (): string[] => sent.filter((body) => !seen().has(body))
    await until(
      () => missing().length === 0,
      () => `missing: ${missing().join(' ')}`,
    )
    assert.deepEqual([...seen()].sort(), [...sent].sort())
  }
  const start = (name: string) => java.start(name, 'concurrent', 'g-both', TOPIC)
  return { java, send, drained, start }
}

test('a broker of RocketMQ and one of ours serve one topic; either dies and comes back, and no message is lost', async (t) => {
  const { names, known, startTheirs, startOurs } = await cluster(t)
  let theirs = await startTheirs()
  let ours = await startOurs()
  await known('cluster', 'ours', 'theirs')
  const made = await mqadmin(t, '5.3.3', ['updateTopic', '-n', names, '-c', 'cluster', '-t', TOPIC, '-r', '2', '-w', '2'])
  assert.equal(made.match(/create topic to \S+ success/g)?.length, 2, made)
  await known('topic', 'ours', 'theirs')

  const { java, send, drained, start } = await traffic(t, names)
  await t.test('both get messages, and all are delivered', async () => {
    await start('c1')
    assert.deepEqual(await send('a', 40), ['ours', 'theirs'])
    await drained()
    await java.stop('c1')
  })
  for (const dying of ['theirs', 'ours'] as const) {
    await t.test(`when ${dying} dies the other goes on, and what it held comes when it is back`, async () => {
      await send(`${dying}-held`, 20)
      // It dies while messages are on their way.
      const before = java.sent.length
      const sending = send(`${dying}-during`, 400)
      await until(() => java.sent.length > before + 20)
      if (dying === 'ours') await ours.kill()
      else await theirs.stop('SIGKILL')
      await sending
      const other = dying === 'ours' ? 'theirs' : 'ours'
      await known('topic', other)
      assert.deepEqual(await send(`${dying}-away`, 20), [other])
      await start(`${dying}-1`)
      const held = new Set(java.sent.filter(({ kind }) => kind === dying).map(({ uniqueKeys }) => uniqueKeys[0]))
      assert.ok(held.size > 0)
      const away = Array.from({ length: 20 }, (_, i) => `${dying}-away${i}`)
      await until(() => away.every((body) => java.got.some((one) => one.body === body)))
      assert.ok(
        Array.from({ length: 20 }, (_, i) => `${dying}-held${i}`).some((body) => !java.got.some((one) => one.body === body)),
        'what the dead one held cannot have come',
      )
      if (dying === 'ours') ours = await startOurs()
      else theirs = await startTheirs()
      await drained()
      await java.stop(`${dying}-1`)
    })
  }
  await t.test('both serve again', async () => {
    await known('topic', 'ours', 'theirs')
    await start('c2')
    assert.deepEqual(await send('z', 40), ['ours', 'theirs'])
    await drained()
    await java.stop('c2')
    const store = await ours.stop()
    const report = await store.verify()
    assert.deepEqual(report.findings, [])
  })
})
