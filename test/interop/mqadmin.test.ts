/**
 * RocketMQ's administration program of both generations says the same of our broker as of RocketMQ's, on copies of one
 * directory, with the same consumer at work; and it changes topics, groups and offsets of both alike.
 */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Broker } from '../../lib/broker/broker.js'
import { BrokerServer } from '../../lib/remoting/broker-server.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { freePorts } from '../support/free-ports.js'
import { normalized, type RunAdmin, runEndless, startAdmin } from './admin-process.js'
import { cleanUp } from './clean-up.js'
import { generations } from './java-build.js'
import { startConsumers } from './java-consumers.js'
import { brokerSizes, makeHome, startBroker, startNameServer } from './java-servers.js'
import { until } from './line-client.js'
import { commands, type Place } from './mqadmin-commands.js'

const COUNT = 24
const NAME = 'broker-a'
const CLUSTER = 'DefaultCluster'
const store = { ...brokerSizes, brokerName: NAME } as const

/** One side: a broker and its name server. */
interface Side extends Place {
  readonly names: string
  readonly broker: string
}

/** A directory with two topics and a group that has read one of them. */
async function prepare(directory: string, storeHost: string): Promise<{ messageId: string; uniqueKey: string }> {
  const topics = { Data: { queues: 2 }, Other: { queues: 1 } }
  const broker = await Broker.open(directory, {
    topics,
    groups: { 'g-data': {} },
    store: { ...store, storeHost },
    clusterName: CLUSTER,
  })
  let last = { messageId: '', uniqueKey: '' }
  for (let i = 0; i < COUNT; i++) {
    const message = { topic: 'Data', body: `body-${i}`, tags: i % 2 === 0 ? 'even' : 'odd', keys: [`key-${i}`], queueId: i % 2 }
    const { messageId, uniqueKey } = await broker.send(message)
    last = { messageId, uniqueKey: uniqueKey! }
  }
  const consumer = broker.consumer({ group: 'g-data', subscribe: { Data: '*' }, startAt: 'first' })
  for (let left = COUNT / 2; left > 0; left--) await (await consumer.next())!.ack()
  await consumer.close()
  await broker.close()
  return last
}

async function startSides(t: TestContext): Promise<{ ours: Side; theirs: Side }> {
  const home = makeHome(t)
  const [, port, ha, own] = await freePorts(0, 2, 4, 6)
  const [ours, theirs] = [join(home, 'ours'), join(home, 'theirs')]
  const { messageId, uniqueKey } = await prepare(ours, `127.0.0.1:${own}`)
  cpSync(ours, theirs, { recursive: true })
  const broker = await Broker.open(ours, { store, clusterName: CLUSTER, offsetIntervalMs: 200 })
  cleanUp(t, () => broker.close())
  const server = await BrokerServer.listen(broker, { port: own!, nameServer: { port: 0 } })
  cleanUp(t, () => server.close())
  const names = await startNameServer(t, '5.3.3')
  await startBroker(t, '5.3.3', {
    brokerName: NAME,
    brokerClusterName: CLUSTER,
    namesrvAddr: names.address,
    listenPort: port!,
    haListenPort: ha!,
    storePathRootDir: theirs,
    storePathCommitLog: join(theirs, 'commitlog'),
    autoCreateTopicEnable: false,
    // Without it, this release fails to delete a topic.
    timerWheelEnable: true,
  })
  const common = { cluster: CLUSTER, messageId, uniqueKey }
  // The program looks for a message at the address inside its id.
  const elsewhere = messageId.slice(0, 8) + port!.toString(16).toUpperCase().padStart(8, '0') + messageId.slice(16)
  return {
    ours: { ...common, names: endpointText(server.nameServerEndpoint!), broker: endpointText(server.endpoint) },
    theirs: { ...common, messageId: elsewhere, names: names.address, broker: `127.0.0.1:${port}` },
  }
}

/** A group at work on a side, which has read everything. */
async function startGroup(t: TestContext, { names }: Side): Promise<void> {
  const client = await startConsumers(t, '5.3.3', names)
  await client.start('watched', 'concurrent', 'g-watched', 'Data', 'even || odd')
  await until(() => client.got.length === COUNT)
}

/** Names of settings, of lines `name : value` or `name = value`. */
const namesOf = (lines: readonly string[]): string[] => lines.map((line) => line.split(/ ?[:=]/)[0]!)

type Runs = readonly (readonly [RunAdmin, Side])[]

/** Waits until the groups at work have said on both sides how far they are. */
async function sameProgress(runs: Runs): Promise<void> {
  for (let left = 30; left > 0; left--) {
    const told = await Promise.all(runs.map(([run, { names }]) => run('consumerProgress', '-n', names, '-g', 'g-watched')))
    if (told.every((text) => /Diff Total: 0/.test(text))) return
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

test('mqadmin', async (t) => {
  const { ours, theirs } = await startSides(t)
  for (const side of [ours, theirs]) await startGroup(t, side)
  for (const generation of generations) {
    const runs: Runs = [
      [startAdmin(t, generation), ours],
      [startAdmin(t, generation), theirs],
    ]
    await sameProgress(runs)
    for (const { name, words, only = generation, differs, refused, lines = (all: string[]) => all } of commands) {
      if (only !== generation) continue
      await t.test(`of ${generation}: ${name}`, async () => {
        const outputs = await Promise.all(runs.map(async ([run, side]) => normalized(await run(...words(side)))))
        const [own, real] = outputs.map(lines) as [string[], string[]]
        if (refused !== undefined) assert.match(own.join('\n'), refused)
        else if (differs === undefined) assert.deepEqual(own, real)
        else
          assert.deepEqual(
            namesOf(own).filter((one) => !namesOf(real).includes(one)),
            [],
          )
        assert.ok(own.length > 0)
      })
    }
  }
  await t.test('of 5.3.3: clusterRT', async () => {
    // It sends to the topic that has the broker's name, again and again, to the brokers that have registered when it starts.
    for (const { names } of [ours, theirs]) {
      const words = ['clusterRT', '-n', names, '-a', '2', '-s', '10', '-i', '1']
      const told = normalized(await runEndless(t, '5.3.3', words, /^DefaultCluster .*\n/m))
      assert.ok(told.includes('DefaultCluster broker-a RATE 2 0'), told.join('\n'))
    }
  })
})
