/**
 * Transactions change hands: half messages that our broker left behind are asked about and ended by a Java broker that
 * was started on the directory, with RocketMQ's own transactional producer; and the other way round.
 */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { HALF_TOPIC, OP_TOPIC } from '../../lib/broker/config/system-topics.js'
import { parseOps } from '../../lib/broker/transaction/op-log.js'
import type { UndecidedMessage } from '../../lib/broker/transaction/transaction-producer.js'
import type { TransactionDecision } from '../../lib/broker/transaction/transactions.js'
import { Broker, MessageStore } from '../../lib/index.js'
import { readQueue } from '../support/open-store.js'
import { cleanUp } from './clean-up.js'
import { brokerSizes, startBroker, startNameServer } from './java-servers.js'
import { JavaClient, until } from './java-transactions.js'
import { temporary } from './ours.js'

const RELEASE = '5.3.3'
const GROUP = 'payments'
const TOPIC = 'Orders'
const COUNT = 20
const kinds = ['C', 'R', 'c', 'r'] as const
type Kind = (typeof kinds)[number]

/** Java counts every round as a check, also those in which nobody is there to be asked. */
const MOST_CHECKS = 1000
const quickly = {
  transactionCheckInterval: 1000,
  transactionTimeOut: 1000,
  transactionCheckMax: MOST_CHECKS,
  transactionOpBatchInterval: 200,
}

const named = (...wanted: Kind[]): string[] =>
  wanted.flatMap((kind) => Array.from({ length: COUNT }, (_, i) => `${kind}${i}`)).sort()
const isCommitted = (body: string): boolean => body[0]!.toLowerCase() === 'c'

const decisionOf: Record<Kind, TransactionDecision> = { C: 'commit', R: 'rollback', c: 'unknown', r: 'unknown' }

/** Sends messages of each kind through our broker. @returns how often we were asked about each, answering nothing */
function sendOurs(broker: Broker, from: number, to: number): { asked: Map<string, number>; sent: Promise<unknown> } {
  const asked = new Map<string, number>()
  const check = ({ body, checks }: UndecidedMessage): TransactionDecision => {
    asked.set(body.toString(), checks)
    return 'unknown'
  }
  const producer = broker.transactionProducer({ group: GROUP, check })
  const all: Promise<unknown>[] = []
  for (let i = from; i < to; i++) {
    for (const kind of kinds) {
      const request = { topic: TOPIC, body: `${kind}${i}`, tags: `tag${i % 3}`, keys: [`${kind}${i}`] }
      all.push(producer.send(request, () => decisionOf[kind]))
    }
  }
  return { asked, sent: Promise.all(all) }
}

test('half messages that our broker left when it died are asked about, committed and rolled back by a Java broker', async (t) => {
  const directory = temporary(t)
  const [ours, copy] = [join(directory, 'ours'), join(directory, 'java')]
  const topics = { [TOPIC]: { queues: 2 } }
  const first = await Broker.open(ours, {
    store: brokerSizes,
    topics,
    transactions: { checkIntervalMs: 100, timeoutMs: 0, maxChecks: MOST_CHECKS },
  })
  cleanUp(t, () => first.close())
  const { asked, sent } = sendOurs(first, 0, COUNT / 2)
  await sent
  await until('our questions', () => [...asked.values()].filter((checks) => checks >= 2).length === COUNT)
  await first.close()
  const second = await Broker.open(ours, { store: brokerSizes })
  cleanUp(t, () => second.close())
  await sendOurs(second, COUNT / 2, COUNT).sent
  // As a kill would leave it: nothing is closed, and nothing last is written.
  cpSync(ours, copy, { recursive: true })
  await second.close()

  const nameServer = await startNameServer(t, RELEASE)
  const { brokerName } = first.store
  const places = { storePathRootDir: copy, storePathCommitLog: join(copy, 'commitlog') }
  await startBroker(t, RELEASE, { brokerName, namesrvAddr: nameServer.address, ...quickly, ...places })
  const client = new JavaClient(t, ['answer', nameServer.address, GROUP, TOPIC])
  await client.ready()
  const isThere = (what: string, bodies: readonly string[]): boolean => {
    const told = new Set(client.told(what).map(([body]) => body))
    return bodies.every((body) => told.has(body))
  }
  await until('questions of the Java broker', () => isThere('ASKED', named('c', 'r')))
  await until('messages of the Java broker', () => isThere('GOT', named('c', 'C')))
  // What we decided is settled: nobody is asked about it, and what is rolled back goes to nobody.
  assert.deepEqual([...new Set(client.told('ASKED').map(([body]) => body!))].sort(), named('c', 'r'))
  assert.deepEqual([...new Set(client.told('GOT').map(([body]) => body!))].sort(), named('c', 'C'))
  for (const [body, queueId, tags, keys, hasId] of client.told('GOT')) {
    assert.deepEqual([tags, keys, hasId], [`tag${Number(body!.slice(1)) % 3}`, body, 'true'])
    assert.ok(['0', '1'].includes(queueId!))
  }
  // The client asks for each message of ours once; Java may ask again before an answer has come.
  const once = client.told('GOT').filter(([body]) => body!.startsWith('C'))
  assert.equal(once.length, COUNT)
})

test('half messages that a Java broker left when it was killed are asked about, committed and rolled back by ours', async (t) => {
  const directory = temporary(t)
  const nameServer = await startNameServer(t, RELEASE)
  const places = { storePathRootDir: directory, storePathCommitLog: join(directory, 'commitlog') }
  const java = await startBroker(t, RELEASE, { brokerName: 'broker-a', namesrvAddr: nameServer.address, ...quickly, ...places })
  const client = new JavaClient(t, ['send', nameServer.address, GROUP, TOPIC, String(COUNT)])
  await client.ready()
  const offsetOf = new Map(client.told('SENT').map(([body, offset]) => [body!, Number(offset)]))
  await until('questions of the Java broker', () => {
    const asked = new Set(client.told('ASKED').map(([body]) => body))
    return named('c', 'r').every((body) => asked.has(body))
  })
  // Java stores its decisions a little later, in the background: what was not yet is asked about again.
  const watcher = await MessageStore.open(directory, { readOnly: true, ...brokerSizes })
  cleanUp(t, () => watcher.close())
  await until('op messages of the Java broker', async () => {
    const ops = new Set((await readQueue(watcher, OP_TOPIC)).flatMap((op) => parseOps(op)))
    return named('C', 'R').every((body) => ops.has(offsetOf.get(body)!))
  })
  await watcher.close()
  await java.stop('SIGKILL')
  await client.kill()

  const broker = await Broker.open(directory, {
    store: brokerSizes,
    transactions: { checkIntervalMs: 200, timeoutMs: 0, maxChecks: MOST_CHECKS },
  })
  cleanUp(t, () => broker.close())
  const problems: string[] = []
  broker.on('problem', ({ error, during }) => problems.push(`${during}: ${String(error)}`))
  const asked: string[] = []
  broker.transactionProducer({
    group: GROUP,
    check({ body, topic, checks }) {
      asked.push(body.toString())
      assert.equal(topic, TOPIC)
      assert.ok(checks >= 2, `${body} was asked about ${checks} times, by Java too`)
      return isCommitted(body.toString()) ? 'commit' : 'rollback'
    },
  })
  const got: string[] = []
  const consumer = broker.consumer({ group: `${GROUP}-consumer`, subscribe: { [TOPIC]: '*' }, startAt: 'first' })
  const run = consumer.run(({ body, keys }) => {
    assert.deepEqual(keys, [body.toString()])
    got.push(body.toString())
  })
  await until('our questions', () => asked.length >= 2 * COUNT && broker.served.transactions.pending === 0)
  await until('our messages', () => named('c', 'C').every((body) => got.includes(body)))
  assert.deepEqual(asked.sort(), named('c', 'r'))
  assert.deepEqual(got.sort(), named('c', 'C'))
  assert.deepEqual(problems, [])
  await consumer.close()
  await run
  assert.ok((await readQueue(broker.store, HALF_TOPIC)).length > 6 * COUNT, 'Java and we made copies')
})
