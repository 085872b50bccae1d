/** Senders that wait for room in a topic: in which order they get it, and what they find then. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Broker } from '../../lib/broker/broker.js'
import type { Consumer } from '../../lib/broker/consuming/consumer.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { openTestBroker, refusal, small, take } from '../support/open-broker.js'
import { bodies, code, freshDisk, readQueue, root } from '../support/open-store.js'

/** A broker whose topic is full, and a group that has read nothing of it. */
async function full(t: TestContext, maxMessages = 2): Promise<{ broker: Broker; consumer: Consumer }> {
  const options = { topics: { orders: { queues: 4 } }, backlog: { maxMessages, whenFull: 'wait' } } as const
  const broker = await openTestBroker(t, { options })
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' })
  for (let i = 0; i < maxMessages; i++) await broker.send({ topic: 'orders', body: 'first', queueId: 3 })
  return { broker, consumer }
}

async function acknowledge(consumer: Consumer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await (await take(consumer, 1))[0]!.ack()
}

async function isSettled(sending: Promise<unknown>): Promise<boolean> {
  return Promise.race([sending.then(() => true), sleep(60, false)])
}

describe('senders that wait for room', () => {
  test('come in as they came, and nobody who comes later passes them', async (t) => {
    const { broker, consumer } = await full(t)
    const sends: Promise<unknown>[] = []
    const sent: string[] = []
    const send = (): void => {
      const body = String(sent.length)
      sent.push(body)
      sends.push(broker.send({ topic: 'orders', body, shardingKey: 'k' }))
    }
    for (let i = 0; i < 5; i++) send()
    for (let round = 0; round < 20; round++) {
      await acknowledge(consumer, 1)
      send()
      if (round % 4 === 0) await sleep(5)
    }
    while (sends.length > 0) {
      await Promise.race([sends[0], acknowledge(consumer, 1)])
      if (await isSettled(sends[0]!)) sends.shift()
    }
    const queueId = (await broker.send({ topic: 'orders', body: 'last', shardingKey: 'k' })).queueId
    const stored = bodies(await readQueue(broker.store, 'orders', queueId))
    assert.deepEqual(
      stored.filter((body) => body !== 'first'),
      [...sent, 'last'],
    )
  })

  test('get in though they bring many at once and others bring few', async (t) => {
    const { broker, consumer } = await full(t, 4)
    const batch = broker.sendBatch(Array.from({ length: 4 }, () => ({ topic: 'orders', body: 'batch', queueId: 0 })))
    const few = Array.from({ length: 8 }, () => broker.send({ topic: 'orders', body: 'few', queueId: 0 }))
    void acknowledge(consumer, 12)
    await Promise.all([batch, ...few])
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders', 0)).slice(0, 4), ['batch', 'batch', 'batch', 'batch'])
  })

  test('are refused when the topic is deleted meanwhile, and none of them comes into the next of its name', async (t) => {
    const { broker } = await full(t)
    const one = broker.send({ topic: 'orders', body: 'one' })
    const several = broker.sendBatch([{ topic: 'orders', body: 'two' }])
    const refused = Promise.all([one, several].map((send) => assert.rejects(send, refusal('TOPIC_UNKNOWN', 'orders'))))
    await broker.topics.delete('orders')
    await refused
    await broker.topics.create('orders', { queues: 1 })
    assert.deepEqual(await readQueue(broker.store, 'orders', 0), [])
  })

  test('find the topic as it is when there is room: its queues, and whether it may be written', async (t) => {
    const { broker, consumer } = await full(t)
    const last = broker.send({ topic: 'orders', body: 'last', queueId: 2 })
    await broker.topics.update('orders', { readQueues: 4, writeQueues: 1 })
    const first = broker.send({ topic: 'orders', body: 'k', shardingKey: 'k' })
    const batch = broker.sendBatch([{ topic: 'orders', body: 'b' }])
    await acknowledge(consumer, 2)
    assert.equal((await last).queueId, 2)
    assert.equal((await first).queueId, 0)
    await broker.topics.update('orders', { permission: 'read' })
    const refused = assert.rejects(batch, refusal('NO_PERMISSION', 'orders'))
    await acknowledge(consumer, 2)
    await refused
  })

  test('store a batch as it was when it was sent', async (t) => {
    const { broker, consumer } = await full(t)
    const body = Buffer.from('1')
    const batch = broker.sendBatch([{ topic: 'orders', body, queueId: 1 }])
    body[0] = 0x58
    await acknowledge(consumer, 2)
    await batch
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders', 1)), ['1'])
  })

  test('are not passed by a redrive, which finds the topic as it is as well', async (t) => {
    const { broker, consumer } = await full(t)
    const failing = broker.consumer({ group: 'f', subscribe: { orders: '*' }, startAt: 'first', maxRetries: 0 })
    for (const delivery of await take(failing, 2)) await delivery.retry()
    const redriving = broker.redrive({ group: 'f' })
    await sleep(50)
    await broker.topics.update('orders', { permission: 'read' })
    const refused = assert.rejects(redriving, refusal('NO_PERMISSION', 'orders'))
    await acknowledge(consumer, 2)
    await refused
    await broker.topics.update('orders', { permission: 'readWrite' })
    assert.deepEqual(await broker.redrive({ group: 'f' }), { redriven: 2, left: 0, unroutable: 0 })
  })

  test('are refused when the store closes below the broker', async () => {
    const store = await MessageStore.open(root, small, { disk: freshDisk() })
    const broker = await Broker.over(store, { topics: { orders: {} }, backlog: { maxMessages: 1, whenFull: 'wait' } })
    broker.consumer({ group: 'g', subscribe: { orders: '*' } }).pause()
    await broker.send({ topic: 'orders', body: 'first' })
    const sends = Array.from({ length: 3 }, () => broker.send({ topic: 'orders', body: 'x' }))
    const refused = Promise.all(sends.map((send) => assert.rejects(send, code('STORE_CLOSED'))))
    await store.close()
    await refused
    await assert.rejects(broker.send({ topic: 'orders', body: 'x' }), code('STORE_CLOSED'))
    await broker.close().catch(() => {})
  })

  test('are refused when the broker closes', async (t) => {
    const { broker } = await full(t)
    const sends = Array.from({ length: 3 }, () => broker.send({ topic: 'orders', body: 'x' }))
    const refused = Promise.all(sends.map((send) => assert.rejects(send, refusal('BROKER_CLOSED'))))
    await broker.close()
    await refused
  })
})
