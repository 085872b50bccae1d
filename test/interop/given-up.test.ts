/**
 * A transaction that was given up is taken up again by request 323: on copies of one directory, RocketMQ's broker and ours
 * answer the same, ask the same client the same, and leave the same half messages.
 */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { HALF_TOPIC, UNDECIDED_TOPIC } from '../../lib/broker/config/system-topics.js'
import { Broker, MessageStore, type StoredMessage } from '../../lib/index.js'
import { BrokerServer } from '../../lib/remoting/broker-server.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests } from '../../lib/remoting/codes.js'
import { request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { readQueue } from '../support/open-store.js'
import { cleanUp } from './clean-up.js'
import { brokerSizes, startBroker, startNameServer } from './java-servers.js'
import { JavaClient, until } from './java-transactions.js'
import { temporary } from './ours.js'

const GROUP = 'payments'
const TOPIC = 'Orders'
const NAME = 'broker-a'
const BODIES = ['c0', 'r0', 'c1']
/** Java counts every round as a check, also those in which the client, on a busy machine, is not known yet. */
const MOST_CHECKS = 1000
const store = { ...brokerSizes, brokerName: NAME } as const
const topics = { [TOPIC]: { queues: 2 } }

/** Leaves messages whose transactions nobody knew the end of. @returns the ids under which they lie, and of one other */
async function giveUp(directory: string): Promise<{ given: readonly string[]; other: string }> {
  const transactions = { checkIntervalMs: 50, timeoutMs: 0, maxChecks: 1 }
  const broker = await Broker.open(directory, { store, topics, transactions })
  try {
    const producer = broker.transactionProducer({ group: GROUP, check: () => 'unknown' })
    for (const [i, body] of BODIES.entries()) {
      await producer.send({ topic: TOPIC, body, queueId: i % 2, tags: `t${i}`, keys: [`key-${i}`] }, () => 'unknown')
    }
    let given: StoredMessage[] = []
    await until('what is given up', async () => {
      given = await readQueue(broker.store, UNDECIDED_TOPIC)
      return given.length === BODIES.length
    })
    assert.deepEqual(given.map(({ body }) => body.toString()).sort(), [...BODIES].sort())
    return { given: given.map(({ messageId }) => messageId), other: `${given[0]!.messageId.slice(0, 16)}000000000FFFFFFF` }
  } finally {
    await broker.close()
  }
}

/** A broker that was started, and how it ends. */
interface Side {
  readonly names: string
  readonly broker: string
  stop(): Promise<void>
}

async function startJava(t: TestContext, directory: string): Promise<Side> {
  const names = await startNameServer(t, '5.3.3')
  const broker = await startBroker(t, '5.3.3', {
    brokerName: NAME,
    namesrvAddr: names.address,
    storePathRootDir: directory,
    storePathCommitLog: join(directory, 'commitlog'),
    transactionCheckInterval: 1000,
    transactionTimeOut: 1000,
    transactionCheckMax: MOST_CHECKS,
  })
  return { names: names.address, broker: broker.address, stop: () => broker.stop('SIGTERM') }
}

async function startOurs(t: TestContext, directory: string): Promise<Side> {
  const transactions = { checkIntervalMs: 1000, timeoutMs: 1000, maxChecks: MOST_CHECKS }
  const broker = await Broker.open(directory, { store, topics, transactions })
  cleanUp(t, () => broker.close())
  const server = await BrokerServer.listen(broker, { port: 0, nameServer: { port: 0 } })
  cleanUp(t, () => server.close())
  const stop = async (): Promise<void> => {
    await server.close()
    await broker.close()
  }
  return { names: endpointText(server.nameServerEndpoint!), broker: endpointText(server.endpoint), stop }
}

interface Outcome {
  readonly codes: readonly number[]
  readonly asked: readonly string[]
  readonly got: readonly string[]
  readonly halves: readonly unknown[]
}

/** What comes of a side's copy. */
async function takeUp(t: TestContext, side: Side, directory: string, ids: readonly string[]): Promise<Outcome> {
  const client = new JavaClient(t, ['answer', side.names, GROUP, TOPIC])
  await client.ready()
  const remote = new RemotingClient()
  cleanUp(t, () => remote.close(0))
  const codes: number[] = []
  for (const msgId of ids) {
    const { code } = await remote.invoke(
      side.broker,
      request(brokerRequests.RESUME_CHECK_HALF_MESSAGE, { ext: { msgId } }),
      20_000,
    )
    codes.push(code)
  }
  const told = (what: string): string[] => [...new Set(client.told(what).map((words) => words.join(' ')))].sort()
  await until('questions', () => told('ASKED').length === BODIES.length)
  await until('messages', () => told('GOT').length === 2)
  const [asked, got] = [told('ASKED'), told('GOT')]
  await client.kill()
  await side.stop()
  return { codes, asked, got, halves: await readHalves(directory) }
}

/** The half messages that were put in again, but not the copies that were made when somebody was asked about them. */
async function readHalves(directory: string): Promise<unknown[]> {
  const left = await MessageStore.open(directory, { ...store, readOnly: true })
  try {
    const since = (await readQueue(left, UNDECIDED_TOPIC)).at(-1)!.commitLogOffset
    const halves = (await readQueue(left, HALF_TOPIC)).filter(({ commitLogOffset }) => commitLogOffset > since)
    const first = BODIES.map((body) => halves.find((half) => half.body.toString() === body)!)
    return first.map(({ body, queueId, flag, sysFlag, reconsumeTimes, bornTimestamp, properties }) => {
      return { body: body.toString(), queueId, flag, sysFlag, reconsumeTimes, bornTimestamp, properties: { ...properties } }
    })
  } finally {
    await left.close()
  }
}

test('a transaction that was given up is taken up again by 323 as RocketMQ does it', async (t) => {
  const directory = temporary(t)
  const [own, copy] = [join(directory, 'ours'), join(directory, 'java')]
  const { given, other } = await giveUp(own)
  cpSync(own, copy, { recursive: true })
  const ids = [...given, other]
  const theirs = await takeUp(t, await startJava(t, copy), copy, ids)
  const ours = await takeUp(t, await startOurs(t, own), own, ids)
  assert.deepEqual(theirs.codes, [0, 0, 0, 1])
  assert.deepEqual(ours, theirs)
})
