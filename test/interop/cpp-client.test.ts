/** RocketMQ's C++ client, unchanged, as the Python package `rocketmq` holds it, against our broker and its name server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { type ConsumerCase, runCases, topicsOf } from './consumer-cases.js'
import { startCpp } from './foreign-clients.js'
import type { LineClient } from './line-client.js'
import { checkOrder, messagesWhen, shortText } from './sent.js'

const COUNT = 30
// Of several messages at once the package shows those behind one that fails not at all, and they go back with it.
const names: readonly ConsumerCase[] = ['Tags', 'Ordered', 'Everybody', 'FailingTogether', 'Lite', 'Shared', 'Mixed']

test('the C++ client', async (t) => {
  const topics = { ...topicsOf(names), Sent: { queues: 4 } }
  // This client gives messages back to the address that is inside them, also of those that this process sends.
  const { broker, server, address } = await serveBroker(t, {
    options: { topics, offsetIntervalMs: 200, store: { delayLevels: '1s 1s 1s 1s 1s' } },
  })
  const at = { names: endpointText(server.nameServerEndpoint!), broker: address }
  const client = await startCpp(t, at)
  await t.test('sends one by one, without waiting, without an answer, delayed and in order', () => sends(broker, client))
  await runCases(t, names, { broker, client, start: () => startCpp(t, at) })
})

async function sends({ store }: Broker, client: LineClient): Promise<void> {
  await client.tell('send', 'Sent', COUNT)
  assert.equal(client.sent.length, COUNT * 3 + 2, client.said.join('\n'))
  const expected = ['sync', 'async', 'oneway', 'ordered'].flatMap((kind) =>
    Array.from({ length: COUNT }, (_, i) => `${kind}-${i}`),
  )
  expected.push('delayed-0', 'large')
  const messages = await messagesWhen(store, 'Sent', expected.length)
  assert.deepEqual(messages.map(shortText).sort(), expected.sort())
  checkOrder(messages)
  for (const { kind, number, status, uniqueKeys, queueOffset } of client.sent) {
    assert.equal(status, 'SEND_OK')
    const message = messages.find(({ keys }) => keys[0] === `${kind}-${number}`)
    assert.equal(message?.tags, kind)
    if (kind === 'delayed') continue
    assert.deepEqual([message.uniqueKey, message.queueOffset], [uniqueKeys[0], queueOffset], `${kind} ${number}`)
  }
}
