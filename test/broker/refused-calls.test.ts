/** Calls of a broker that is open or closed: what they refuse, and what they wait for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal, take, textOf } from '../support/open-broker.js'
import { bodies, freshDisk, readQueue } from '../support/open-store.js'

const topics = { orders: { queues: 1 } }

test('redrive refuses a filter that says neither true nor false before anything is sent again', async (t) => {
  const broker = await openTestBroker(t, { options: { topics } })
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 0 })
  for (const body of ['1', '2']) await broker.send({ topic: 'orders', body })
  for (const delivery of await take(consumer, 2)) await delivery.retry()
  await consumer.close()
  let asked = 0
  const late = (): unknown => (asked++ === 0 ? true : undefined)
  const failing = async (): Promise<boolean> => {
    throw new Error('nobody waits for this')
  }
  for (const filter of [async () => false, failing, () => 1, late] as (() => boolean)[]) {
    await assert.rejects(broker.redrive({ group: 'g', filter }), {
      name: 'TypeError',
      message: /^what filter returns must be true or/,
    })
    await turn()
  }
  assert.equal(asked, 2)
  assert.deepEqual(bodies(await readQueue(broker.store, 'orders')), ['1', '2'])
  assert.deepEqual(await broker.redrive({ group: 'g', filter: () => true }), { redriven: 2, left: 0, unroutable: 0 })
})

test('a delivery is not given back to a delay level that there is not, and can still be settled then', async (t) => {
  const broker = await openTestBroker(t, { options: { topics } })
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
  await broker.send({ topic: 'orders', body: '1' })
  const [delivery] = await take(consumer, 1)
  for (const delayLevel of [19, 99, 2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN]) {
    const retried = delivery!.retry({ delayLevel })
    await assert.rejects(retried, {
      name: 'RangeError',
      message: /^delayLevel must be a whole number from -2147483648 to 18, got/,
    })
    await assert.rejects(broker.send({ topic: 'orders', body: '', delayLevel }), RangeError)
  }
  await assert.rejects(delivery!.retry({ delayLevel: '3' as never }), TypeError)
  await delivery!.retry({ delayLevel: 18 })
})

test('seek and resetOffsets refuse a place with a field that nothing reads', async (t) => {
  const broker = await openTestBroker(t, { options: { topics } })
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
  await broker.send({ topic: 'orders', body: '1' })
  await take(consumer, 1)
  const to = { offset: 0, queue: 0 } as { offset: number }
  const refused = { name: 'TypeError', message: 'to has an unknown field "queue"; the fields are offset' }
  await assert.rejects(consumer.seek({ topic: 'orders', to }), refused)
  await assert.rejects(broker.resetOffsets({ group: 'g', topic: 'orders', to }), refused)
})

test('a group whose first member has just come can be moved, and its dead letters sent again', async (t) => {
  const broker = await openTestBroker(t, { options: { topics } })
  for (const body of ['1', '2', '3']) await broker.send({ topic: 'orders', body })
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
  const [moved] = await broker.resetOffsets({ group: 'g', topic: 'orders', to: { offset: 2 } })
  assert.equal(moved!.to, 2)
  assert.deepEqual(textOf(await take(consumer, 1)), ['3'])
  broker.consumer({ group: 'h', subscribe: { orders: '*' } })
  assert.deepEqual(await broker.redrive({ group: 'h' }), { redriven: 0, left: 0, unroutable: 0 })
  broker.popConsumer({ group: 'p', subscribe: { orders: '*' } })
  assert.equal((await broker.resetOffsets({ group: 'p', topic: 'orders', to: 'last' }))[0]!.to, 3)
  await assert.rejects(broker.resetOffsets({ group: 'nobody', topic: 'orders', to: 'last' }), refusal('GROUP_UNKNOWN'))
  broker.consumer({ group: 'late', subscribe: { orders: '*' } })
  const late = broker.resetOffsets({ group: 'late', topic: 'orders', to: 'last' })
  const closing = broker.close()
  await assert.rejects(late, refusal('BROKER_CLOSED'))
  await closing
})

test('after close() whoever changes topics or groups is told BROKER_CLOSED, by a rejection', async (t) => {
  const broker = await openTestBroker(t, { options: { topics, groups: { g: {} } } })
  // What a consumer has begun to make is made, and told to nobody as a problem.
  broker.consumer({ group: 'begun', subscribe: { orders: '*' } })
  const made = broker.topics.create('asked-before')
  await broker.close()
  assert.equal((await made).topic, 'asked-before')
  assert.equal(broker.groups.find('begun')?.group, 'begun')
  assert.ok(broker.topics.find('%RETRY%begun') !== undefined)
  const { topics: ofTopics, groups } = broker
  const calls = [
    () => ofTopics.create('late'),
    () => ofTopics.update('orders', { queues: 2 }),
    () => ofTopics.delete('orders'),
    () => groups.create('late'),
    () => groups.update('g', { maxRetries: 1 }),
    () => groups.delete('g'),
    () => groups.forbid('g', 'orders', true),
  ]
  for (const call of calls) await assert.rejects(call(), refusal('BROKER_CLOSED'), String(call))
})

test('a transaction whose function runs while the broker closes is BROKER_CLOSED, and check may commit it later', async (t) => {
  const disk = freshDisk()
  const time = new ManualTime()
  const ports = { clock: time, timers: time }
  const broker = await openTestBroker(t, { disk, options: { topics }, ports })
  const producer = broker.transactionProducer({ group: 'payments', check: () => 'unknown' })
  let finish: ((decision: 'rollback') => void) | undefined
  const sending = producer.send({ topic: 'orders', body: 'paid' }, () => new Promise((resolve) => (finish = resolve)))
  const outcome = assert.rejects(sending, refusal('BROKER_CLOSED'))
  while (finish === undefined) await turn()
  await broker.close()
  finish('rollback')
  await outcome
  const next = await openTestBroker(t, { disk, options: { topics }, ports })
  next.transactionProducer({ group: 'payments', check: async () => 'commit' })
  const consumer = next.consumer({ group: 'g', subscribe: { orders: '*' } })
  const delivered = take(consumer, 1)
  for (let i = 0; i < 4; i++) {
    time.advance(30_000)
    await settled()
  }
  assert.deepEqual(textOf(await delivered), ['paid'])
})

test('the event of a message that is sent back again names the topic and the id that it was sent with', async (t) => {
  const broker = await openTestBroker(t, { options: { topics } })
  const told: object[] = []
  broker.on('sentBack', ({ messageId, ...event }) => told.push({ ...event, isId: /^[0-9A-F]{32}$/.test(messageId) }))
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
  const { uniqueKey } = await broker.send({ topic: 'orders', body: '1' })
  const [first] = await take(consumer, 1)
  await first!.retry({ delayLevel: 1 })
  const [again] = await take(consumer, 1)
  await again!.retry({ delayLevel: -1 })
  const sent = { group: 'g', originTopic: 'orders', uniqueKey, isId: true }
  assert.deepEqual(told, [
    { ...sent, topic: 'orders', isDead: false },
    { ...sent, topic: '%RETRY%g', isDead: true },
  ])
})
