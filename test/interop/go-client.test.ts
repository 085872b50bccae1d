/** RocketMQ's Go client, unchanged, against our broker and the name server beside it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { type ConsumerCase, runCases, topicsOf } from './consumer-cases.js'
import { startGo } from './foreign-clients.js'
import { type LineClient, until } from './line-client.js'
import { checkOrder, checkSent, messagesWhen, shortText } from './sent.js'

const COUNT = 30
const names: readonly ConsumerCase[] = ['Tags', 'Sql', 'Ordered', 'Everybody', 'Failing', 'Dead', 'Lite', 'Shared', 'Mixed']

test('the Go client', async (t) => {
  const topics = { ...topicsOf(names), Sent: { queues: 4 }, Transactions: { queues: 2 }, Asked: { queues: 1 } }
  const options = { topics, offsetIntervalMs: 200, transactions: { checkIntervalMs: 200, timeoutMs: 1000 } }
  const { broker, server, address } = await serveBroker(t, { options })
  const go = await startGo(t, { names: endpointText(server.nameServerEndpoint!), broker: address })
  const setting = {
    broker,
    client: go,
    start: () => startGo(t, { names: endpointText(server.nameServerEndpoint!), broker: address }),
  }
  await t.test('sends one by one, without waiting, without an answer, in batches, delayed and in order', () => sends(broker, go))
  await t.test('commits, rolls back and leaves open, and is asked', () => transacts(broker, go))
  await t.test('makes and deletes topics', (at) => administers(at, broker, go))
  await t.test('is answered what it asks', async () => {
    await go.start('answers', 'answering', 'g-answers', 'Asked')
    await go.tell('request', 'Asked', 'how-late')
    await go.tell('request', 'Asked', 'nothing')
    assert.deepEqual(
      go.said.filter((said) => said.startsWith('answered')),
      ['answered re:how-late', 'answered '],
    )
    await go.stop('answers')
  })
  await runCases(t, names, setting)
})

async function sends(broker: Broker, go: LineClient): Promise<void> {
  await go.tell('send', 'Sent', COUNT)
  assert.equal(go.sent.length, COUNT * 3 + 3)
  const { store } = broker
  const delayed = go.sent.filter(({ kind }) => kind === 'delayed')
  await checkSent(
    store,
    'Sent',
    go.sent.filter(({ kind }) => kind !== 'delayed'),
  )
  const expected = ['sync', 'async', 'oneway', 'batch', 'ordered'].flatMap((kind) =>
    Array.from({ length: COUNT }, (_, i) => `${kind}-${i}`),
  )
  expected.push('delayed-0', 'large')
  const messages = await messagesWhen(store, 'Sent', expected.length)
  assert.deepEqual(messages.map(shortText).sort(), expected.sort())
  const late = messages.find(({ tags }) => tags === 'delayed')!
  assert.equal(late.uniqueKey, delayed[0]!.uniqueKeys[0])
  assert.ok(late.storeTimestamp - late.bornTimestamp >= 900, `it came after ${late.storeTimestamp - late.bornTimestamp} ms`)
  checkOrder(messages)
}

async function transacts(broker: Broker, go: LineClient): Promise<void> {
  await go.tell('transactions', 'Transactions', 9)
  const committed = [0, 3, 6].map((i) => `transaction-${i}`)
  const asked = [2, 5, 8].map((i) => `transaction-${i}`)
  const said = (): string[] => go.said.filter((line) => line.startsWith('asked'))
  await until(() => new Set(said()).size === asked.length)
  assert.deepEqual(
    [...new Set(said())].sort(),
    asked.map((text) => `asked Transactions ${text} ${text}`),
  )
  const messages = await messagesWhen(broker.store, 'Transactions', 6)
  assert.deepEqual(messages.map(shortText).sort(), [...committed, ...asked].sort())
  const keys = new Map(go.sent.map(({ kind, number, uniqueKeys }) => [`${kind}-${number}`, uniqueKeys[0]]))
  for (const message of messages) assert.equal(message.uniqueKey, keys.get(shortText(message)))
  await go.stop('transactions')
}

async function administers(_: TestContext, broker: Broker, go: LineClient): Promise<void> {
  await go.tell('create', 'Made', 3)
  assert.ok(
    go.said.some((line) => line.startsWith('created Made 3 true ')),
    go.said.join('\n'),
  )
  assert.equal(broker.topics.find('Made')?.writeQueues, 3)
  await go.tell('delete', 'Made')
  assert.ok(go.said.includes('deleted Made true'), go.said.join('\n'))
  assert.equal(broker.topics.find('Made'), undefined)
}
