/** RocketMQ's C++ client, unchanged, as the Python package `rocketmq` holds it, against our broker and its name server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { type ConsumerCase, runCases, topicsOf } from './consumer-cases.js'
import { startCpp } from './foreign-clients.js'
import type { LineClient } from './line-client.js'
import { checkOrder, messagesWhen, textOf } from './sent.js'

const COUNT = 30
const names: readonly ConsumerCase[] = ['Tags', 'Ordered', 'Everybody', 'Failing', 'Lite', 'Shared', 'Mixed']

test('the C++ client', async (t) => {
  const topics = { ...topicsOf(names), Sent: { queues: 4 } }
  const { broker, server, address } = await serveBroker(t, {
    options: { topics, offsetIntervalMs: 200, store: { delayLevels: '1s 1s 1s 1s 1s' } },
  })
  const at = { names: endpointText(server.nameServerEndpoint!), broker: address }
  const client = await startCpp(t, at)
  await t.test('sends one by one, without waiting, without an answer, in batches, delayed and in order', () =>
    sends(broker, client),
  )
  await runCases(t, names, { broker, client, start: () => startCpp(t, at) })
})

async function sends({ store }: Broker, client: LineClient): Promise<void> {
  await client.tell('send', 'Sent', COUNT)
  assert.equal(client.sent.length, COUNT * 3 + 3, client.said.join('\n'))
  const expected = ['sync', 'async', 'oneway', 'batch', 'ordered'].flatMap((kind) =>
    Array.from({ length: COUNT }, (_, i) => `${kind}-${i}`),
  )
  expected.push('delayed-0', 'abcdefg'.repeat(20_000))
  const messages = await messagesWhen(store, 'Sent', expected.length)
  assert.deepEqual(messages.map(textOf).sort(), expected.sort())
  checkOrder(messages)
  // It tells the key and the offset, of a batch only its first.
  for (const { kind, number, status, uniqueKeys, queueOffset } of client.sent) {
    assert.equal(status, 'SEND_OK')
    const message = messages.find(({ keys }) => keys[0] === `${kind}-${number}`)
    assert.equal(message?.tags, kind)
    if (kind === 'delayed') continue
    assert.deepEqual([message.uniqueKey, message.queueOffset], [uniqueKeys[0], queueOffset], `${kind} ${number}`)
  }
}
