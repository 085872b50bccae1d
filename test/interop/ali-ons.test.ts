/** The Node.js client `ali-ons`, unchanged, against our broker and the name server beside it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { type ConsumerCase, runCases, topicsOf } from './consumer-cases.js'
import { startAliOns } from './foreign-clients.js'
import type { LineClient } from './line-client.js'
import { checkOrder, messagesWhen, shortText } from './sent.js'

const COUNT = 30
const names: readonly ConsumerCase[] = ['Tags', 'Sql', 'Ordered', 'Everybody', 'Failing', 'Shared', 'Mixed']

test('ali-ons', async (t) => {
  const topics = { ...topicsOf(names), Sent: { queues: 4 } }
  const options = { topics, offsetIntervalMs: 200, store: { delayLevels: '1s 1s 1s 1s 1s' } }
  const { broker, server, address } = await serveBroker(t, { options })
  const at = { names: endpointText(server.nameServerEndpoint!), broker: address }
  const client = await startAliOns(t, at)
  await t.test('sends one by one, all at once, delayed and in order, with a signature that nobody asked for', () =>
    sends(broker, client),
  )
  await runCases(t, names, { broker, client, start: () => startAliOns(t, at) })
})

async function sends({ store }: Broker, client: LineClient): Promise<void> {
  await client.tell('send', 'Sent', COUNT)
  assert.equal(client.sent.length, COUNT * 3 + 2, client.said.join('\n'))
  const expected = ['sync', 'async', 'ordered'].flatMap((kind) => Array.from({ length: COUNT }, (_, i) => `${kind}-${i}`))
  expected.push('delayed-0', 'large')
  const messages = await messagesWhen(store, 'Sent', expected.length)
  assert.deepEqual(messages.map(shortText).sort(), expected.sort())
  checkOrder(messages)
  for (const { kind, number, status, uniqueKeys, queueId, queueOffset } of client.sent) {
    assert.equal(status, 'SEND_OK')
    const message = messages.find(({ keys }) => keys[0] === `${kind}-${number}`)
    assert.equal(message?.tags, kind)
    if (kind === 'delayed') continue
    // What it calls the id is the broker's; it makes no keys.
    const place = [message.messageId, message.queueId, message.queueOffset]
    assert.deepEqual(place, [uniqueKeys[0], queueId, queueOffset], `${kind} ${number}`)
  }
}
