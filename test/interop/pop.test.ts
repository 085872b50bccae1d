/**
 * Pop consumption handed from one broker to the other, on one directory: what one has handed out and nobody has
 * acknowledged comes again from the other, once, and what was acknowledged does not.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Broker } from '../../lib/broker/broker.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { type Command, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { NameServer } from '../../lib/remoting/name-server/name-server.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { cleanUp } from './clean-up.js'
import { brokerSizes, type JavaServer, startBroker } from './java-servers.js'
import { temporary } from './ours.js'

const POP_MESSAGE = 200_050
const ACK_MESSAGE = 200_051
const FOUND = 0
const names = { brokerName: 'broker-a', clusterName: 'DefaultCluster' } as const
const invisibleMs = 6000
/** Longer than anything here takes; what has not come again then does not. */
const LONG_MS = 60_000

test('what mqlite has handed out comes again from RocketMQ, and what was acknowledged does not', async (t) => {
  const directory = temporary(t)
  const ours = await openOurs(directory)
  for (let i = 0; i < 6; i++) await ours.send({ topic: 'orders', body: `body-${i}-`, tags: 'a' })
  const deliveries = await ours.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs }).pop()
  assert.equal(deliveries.length, 6)
  for (const i of [1, 2, 4]) await deliveries[i]!.ack()
  await deliveries[5]!.extend(invisibleMs + 3000)
  await ours.close()
  const java = await javaOn(t, directory)
  const got = await takeFromJava(java, 3)
  assert.deepEqual(
    got.map(({ body, attempt }) => `${body} ${attempt}`),
    ['body-0- 2', 'body-3- 2', 'body-5- 2'],
  )
  await java.server.stop('SIGTERM')
})

test('what RocketMQ has handed out comes again from mqlite, and what was acknowledged does not', async (t) => {
  const directory = temporary(t)
  const before = await openOurs(directory)
  await before.groups.create('g')
  for (let i = 0; i < 6; i++) await before.send({ topic: 'orders', body: `body-${i}-`, tags: 'a' })
  await before.close()
  const java = await javaOn(t, directory)
  const popped = await popJava(java)
  assert.equal(popped.bodies.length, 6)
  for (const i of [0, 3]) await ackJava(java, popped, i)
  await java.server.stop('SIGTERM')
  const ours = await openOurs(directory)
  cleanUp(t, () => ours.close())
  const popper = ours.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs: LONG_MS })
  const got: string[] = []
  for (const end = Date.now() + LONG_MS; got.length < 4 && Date.now() < end; ) {
    for (const delivery of await popper.pop({ waitMs: 1000 })) {
      got.push(`${delivery.message.body.toString()} ${delivery.attempt}`)
      await delivery.ack()
    }
  }
  assert.deepEqual(got.sort(), ['body-1- 2', 'body-2- 2', 'body-4- 2', 'body-5- 2'])
  assert.deepEqual(await popper.pop({ waitMs: 5000 }), [])
})

interface Java {
  readonly server: JavaServer
  readonly client: RemotingClient
}

interface Popped {
  readonly bodies: readonly string[]
  readonly answer: Command
}

function openOurs(directory: string): Promise<Broker> {
  const store = { ...brokerSizes, brokerName: names.brokerName, checksum: 'body' } as const
  return Broker.open(directory, { clusterName: names.clusterName, topics: { orders: { queues: 1 } }, store })
}

async function javaOn(t: TestContext, directory: string): Promise<Java> {
  const nameServer = new NameServer()
  const listening = await RemotingServer.listen({ port: 0, handlers: nameServer.handlers })
  cleanUp(t, async () => {
    await listening.close(100)
    nameServer.close()
  })
  const server = await startBroker(t, '5.3.3', {
    brokerName: names.brokerName,
    brokerClusterName: names.clusterName,
    namesrvAddr: endpointText(listening.endpoint),
    storePathRootDir: directory,
    storePathCommitLog: join(directory, 'commitlog'),
    timerWheelEnable: true,
  })
  const client = new RemotingClient()
  cleanUp(t, () => client.close(100))
  return { server, client }
}

/** Pops whatever there is. */
async function popJava({ server, client }: Java): Promise<Popped> {
  const ext = {
    consumerGroup: 'g',
    topic: 'orders',
    queueId: -1,
    maxMsgNums: 32,
    invisibleTime: invisibleMs,
    pollTime: 0,
    bornTime: Date.now(),
    initMode: 0,
    expType: 'TAG',
    exp: '*',
    order: false,
  }
  const answer = await client.invoke(server.address, request(POP_MESSAGE, { ext }), 10_000)
  const text = answer.code === FOUND ? answer.body.toString('latin1') : ''
  return { bodies: text.match(/body-\d+-/g) ?? [], answer }
}

/** The messages that come within a while, and a little longer, with how often each was tried. */
async function takeFromJava(java: Java, count: number): Promise<{ body: string; attempt: number }[]> {
  const got: { body: string; attempt: number }[] = []
  let end = Date.now() + LONG_MS
  while (Date.now() < end) {
    const { bodies, answer } = await popJava(java)
    // Each came by way of the retry topic, where a message says where it stands: the flag is 1.
    const isRetry = /^1 /.test(answer.extFields['startOffsetInfo'] ?? '')
    for (const [i, body] of bodies.entries()) {
      got.push({ body, attempt: isRetry ? 2 : 1 })
      await ackJava(java, { bodies, answer }, i)
    }
    if (got.length >= count) end = Math.min(end, Date.now() + 5000)
    await sleep(300)
  }
  return got.sort((a, b) => (a.body < b.body ? -1 : 1))
}

/** Acknowledges one message of a pop that found messages of one queue. */
async function ackJava({ server, client }: Java, { answer }: Popped, index: number): Promise<void> {
  const fields = answer.extFields
  const [retry, queueId, startOffset] = fields['startOffsetInfo']!.split(' ')
  const offset = fields['msgOffsetInfo']!.split(' ')[2]!.split(',')[index]!
  const handle = [startOffset, fields['popTime'], fields['invisibleTime'], fields['reviveQid'], retry, names.brokerName, queueId]
  const ext = {
    consumerGroup: 'g',
    topic: retry === '0' ? 'orders' : '%RETRY%g_orders',
    queueId: Number(queueId),
    extraInfo: [...handle, offset].join(' '),
    offset: Number(offset),
  }
  const { code, remark } = await client.invoke(server.address, request(ACK_MESSAGE, { ext }), 10_000)
  assert.equal(code, FOUND, remark)
}
