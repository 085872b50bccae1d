/** What administrators do with groups: moving them, and sending their dead letters again. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Broker, BrokerOptions, Consumer } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal, take, textOf } from '../support/open-broker.js'
import { bad, bodies, freshDisk, readQueue, root } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'
import { FakeMember, wants } from './group/fake-member.js'

const topics = { orders: { queues: 1 } }

describe('resetting offsets', () => {
  test('moves a group that nobody consumes for, to the millisecond, and outlives a crash', async (t) => {
    const disk = freshDisk()
    const { broker, time } = await manual(t, disk)
    const times = await sendFive(broker, time)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    for (const delivery of await take(consumer, 5)) await delivery.ack()
    await consumer.close()
    for (const [to, offset] of [
      ['first', 0],
      ['last', 5],
      [new Date(times[2]!), 2],
      [new Date(times[2]! + 1), 3],
      [{ offset: 1 }, 1],
    ] as const) {
      const [moved] = await broker.resetOffsets({ group: 'g', topic: 'orders', to })
      assert.equal(moved!.to, offset, String(to))
    }
    const after = await openTestBroker(t, { disk: copyOf(disk) })
    assert.deepEqual(textOf(await take(after.consumer({ group: 'g', subscribe: { orders: '*' } }), 4)), ['1', '2', '3', '4'])
  })

  test('takes members along that consume, and cuts off what they have out', async (t) => {
    const { broker, time } = await manual(t)
    const times = await sendFive(broker, time)
    const consumers = ['a', 'b'].map((name) => broker.consumer({ group: 'g', subscribe: { orders: '*' }, name }))
    await settled()
    const old = await take(consumers[0]!, 5)
    for (const delivery of old.slice(0, 4)) await delivery.ack()
    assert.deepEqual(await broker.resetOffsets({ group: 'g', topic: 'orders', queueId: 0, to: new Date(times[3]!) }), [
      { topic: 'orders', queueId: 0, from: 4, to: 3 },
    ])
    assert.deepEqual(textOf(await take(consumers[0]!, 2)), ['3', '4'])
    await assert.rejects(old[4]!.ack(), refusal('DELIVERY_SETTLED'))
    await broker.resetOffsets({ group: 'g', topic: 'orders', to: 'last' })
    await broker.send({ topic: 'orders', body: 'new' })
    assert.deepEqual(textOf(await take(consumers[0]!, 1)), ['new'])
  })

  test('of a queue that is just being handed over is not lost', async (t) => {
    const { broker, time } = await manual(t)
    await sendFive(broker, time)
    const join = (name: string): Consumer => broker.consumer({ group: 'g', subscribe: { orders: '*' }, name })
    const old = join('b')
    const held = await take(old, 5)
    const young = join('a')
    await settled()
    // The newcomer waits for the queue, and what is out of it holds it.
    await broker.resetOffsets({ group: 'g', topic: 'orders', to: { offset: 2 } })
    await assert.rejects(held[0]!.ack(), refusal('DELIVERY_SETTLED'))
    assert.deepEqual(textOf(await take(young, 3)), ['2', '3', '4'])
  })

  test('is refused with what is wrong, and moves nothing', async (t) => {
    const { broker, time } = await manual(t)
    await sendFive(broker, time)
    await broker.groups.create('g')
    const reset = (request: object) => () => broker.resetOffsets({ group: 'g', topic: 'orders', to: 'first', ...request })
    await assert.rejects(reset({ group: 'none' }), refusal('GROUP_UNKNOWN', 'none'))
    await assert.rejects(reset({ topic: 'none' }), refusal('TOPIC_UNKNOWN', 'none'))
    await assert.rejects(reset({ queueId: 1 }), refusal('QUEUE_UNKNOWN', 'queue 1'))
    await assert.rejects(reset({ to: { offset: 6 } }), bad(RangeError, '0 to 5', '6'))
    await assert.rejects(reset({ to: { offset: 0.5 } }), bad(RangeError, '0.5'))
    await assert.rejects(reset({ to: 'middle' }), bad(RangeError, 'to', '{ offset }', 'middle'))
    await assert.rejects(reset({ to: new Date(Number.NaN) }), bad(RangeError, 'to'))
    await assert.rejects(reset({ at: 1 }), bad(TypeError, 'at'))
    const { groups } = await broker.metrics.snapshot()
    assert.equal(groups.find(({ group }) => group === 'g')!.topics.length, 0)
    await broker.close()
    await assert.rejects(reset({}), refusal('BROKER_CLOSED'))
  })
})

describe('a member that comes and goes', () => {
  test('while its queue is still being let go, gives it back to the one that had it', async (t) => {
    const { broker } = await manual(t)
    const old = broker.consumer({ group: 'g', subscribe: { orders: '*' }, name: 'b' })
    await broker.send({ topic: 'orders', body: '1' })
    const [held] = await take(old, 1)
    const young = broker.consumer({ group: 'g', subscribe: { orders: '*' }, name: 'a' })
    await settled()
    void young.close()
    await settled()
    await held!.ack()
    await broker.send({ topic: 'orders', body: '2' })
    assert.deepEqual(textOf(await take(old, 1)), ['2'])
  })
})

describe('deleting a group', () => {
  const of = { group: 'g', subscribe: { orders: '*' } }

  test('is refused while it has members in this process, which go on', async (t) => {
    const { broker, time } = await manual(t)
    await sendFive(broker, time)
    for (const join of [() => broker.consumer(of), () => broker.popConsumer(of)] as const) {
      const member = join()
      await settled()
      await assert.rejects(broker.groups.delete('g'), refusal('GROUP_IN_USE', 'group g'))
      assert.equal(broker.groups.get('g').group, 'g')
      await member.close()
      await broker.groups.delete('g')
      assert.equal(broker.groups.find('g'), undefined)
    }
  })

  test('does not wait for members elsewhere, as in RocketMQ', async (t) => {
    const { broker } = await manual(t)
    await broker.groups.create('g')
    broker.served.registry.heartbeat('g', new FakeMember('a'), wants('orders'))
    await broker.groups.delete('g')
    assert.deepEqual([broker.groups.find('g'), broker.served.registry.members('g').length], [undefined, 1])
  })

  test('deletes where its broadcasting members were, and no other group', async (t) => {
    const { broker, time } = await manual(t)
    await sendFive(broker, time)
    const read = async (group: string): Promise<string> => {
      const consumer = broker.consumer({ ...of, group, model: 'broadcasting', name: 'a', startAt: 'first' })
      const [delivery] = await take(consumer, 1)
      await delivery!.ack()
      await consumer.close()
      return delivery!.message.body.toString()
    }
    for (const group of ['g', 'g2']) assert.equal(await read(group), '0')
    await broker.groups.delete('g')
    assert.deepEqual([await read('g'), await read('g2')], ['0', '1'])
  })

  test('leaves it to whoever joins meanwhile to make it again, from the start', async (t) => {
    const { broker, time } = await manual(t)
    await sendFive(broker, time)
    const first = broker.consumer(of)
    for (const delivery of await take(first, 2)) await delivery.ack()
    await first.close()
    const deleting = broker.groups.delete('g')
    while (broker.groups.find('g') !== undefined) await Promise.resolve()
    const second = broker.consumer(of)
    await deleting
    assert.deepEqual(textOf(await take(second, 1)), ['0'])
    assert.ok(broker.groups.find('g') !== undefined)
  })

  test('that could not be written leaves it as it was', async (t) => {
    const disk = new SimDisk()
    const broker = await openTestBroker(t, { disk, options: { topics } })
    await broker.groups.create('g', { maxRetries: 3 })
    disk.inject({ on: ['create', 'write'], path: 'subscriptionGroup', code: 'EIO', times: Number.POSITIVE_INFINITY })
    await assert.rejects(broker.groups.delete('g'), { code: 'EIO' })
    disk.faults.heal()
    assert.equal(broker.groups.get('g').maxRetries, 3)
  })
})

describe('re-driving dead letters', () => {
  test('sends each again, as if nobody had tried it, and once only', async (t) => {
    const { broker } = await manual(t)
    await makeDead(broker, ['1', '2', '3'])
    assert.deepEqual(await broker.redrive({ group: 'g' }), { redriven: 3, left: 0, unroutable: 0 })
    assert.deepEqual(await broker.redrive({ group: 'g' }), { redriven: 0, left: 0, unroutable: 0 })
    const again = await take(broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 0 }), 3)
    assert.deepEqual(textOf(again), ['1', '2', '3'])
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [1, 1, 1],
    )
    assert.equal(again[0]!.message.properties['RETRY_TOPIC'], undefined)
    assert.equal(again[0]!.message.tags, 'paid')
    await again[0]!.retry()
    // It failed once more: a dead letter of its own, which the next call takes.
    assert.deepEqual(await broker.redrive({ group: 'g' }), { redriven: 1, left: 0, unroutable: 0 })
  })

  test('leaves what is not chosen for another call, which sends nothing twice', async (t) => {
    const { broker } = await manual(t)
    await makeDead(broker, ['1', '2', '3', '4', '5'])
    const chosen = { group: 'g', filter: ({ body }: { body: Buffer }) => Number(body.toString()) % 2 === 0 }
    assert.deepEqual(await broker.redrive(chosen), { redriven: 2, left: 3, unroutable: 0 })
    assert.deepEqual(await broker.redrive(chosen), { redriven: 0, left: 3, unroutable: 0 })
    assert.deepEqual(await broker.redrive({ group: 'g', maxMessages: 2 }), { redriven: 2, left: 0, unroutable: 0 })
    assert.deepEqual(await broker.redrive({ group: 'g', filter: 'other' }), { redriven: 0, left: 1, unroutable: 0 })
    assert.deepEqual(await broker.redrive({ group: 'g', topic: 'elsewhere' }), { redriven: 0, left: 1, unroutable: 0 })
    assert.deepEqual(await broker.redrive({ group: 'g', filter: { sql: "TAGS = 'paid'" } }), done(1))
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders')).slice(5), ['2', '4', '1', '3', '5'])
  })

  test('keeps those whose topic is gone until it is there again', async (t) => {
    const { broker } = await manual(t)
    await makeDead(broker, ['1'])
    await broker.topics.delete('orders')
    assert.deepEqual(await broker.redrive({ group: 'g' }), { redriven: 0, left: 0, unroutable: 1 })
    await broker.topics.create('orders')
    assert.deepEqual(await broker.redrive({ group: 'g' }), done(1))
  })

  test('sends nothing twice when the process died between sending and remembering', async (t) => {
    const disk = freshDisk()
    const { broker } = await manual(t, disk)
    await makeDead(broker, ['1', '2', '3'])
    const before = disk.bytesOf(`${root}/config/consumerOffset.json`)
    assert.deepEqual(await broker.redrive({ group: 'g', maxMessages: 2 }), done(2))
    const crashed = copyOf(disk)
    crashed.overwrite(
      `${root}/config/consumerOffset.json`,
      0,
      new Uint8Array(crashed.bytesOf(`${root}/config/consumerOffset.json`).length).fill(0x20),
    )
    crashed.overwrite(`${root}/config/consumerOffset.json`, 0, before)
    const after = await openTestBroker(t, { disk: crashed })
    assert.deepEqual(await after.redrive({ group: 'g' }), done(1))
    assert.deepEqual(bodies(await readQueue(after.store, 'orders')).slice(3), ['1', '2', '3'])
  })

  test('is refused by a topic that is full, and goes on when there is room', async (t) => {
    const { broker } = await manual(t, freshDisk(), { backlog: { maxMessages: 4 } })
    await makeDead(broker, ['1', '2', '3'])
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    for (const body of ['a', 'b', 'c', 'd']) await broker.send({ topic: 'orders', body })
    await assert.rejects(broker.redrive({ group: 'g' }), refusal('BACKLOG_FULL', 'orders'))
    for (const delivery of await take(consumer, 4)) await delivery.ack()
    assert.deepEqual(await broker.redrive({ group: 'g' }), done(3))
  })

  test('sends nothing twice when the store refused some of them', async (t) => {
    const { broker } = await manual(t)
    await makeDead(broker, ['1', '2', '3', '4'])
    const { store } = broker
    const put = store.put.bind(store)
    let calls = 0
    store.put = (message) => (++calls === 2 ? Promise.reject(new Error('no')) : put(message))
    await assert.rejects(broker.redrive({ group: 'g' }), /no/)
    assert.deepEqual(await broker.redrive({ group: 'g' }), done(1))
    assert.deepEqual(bodies(await readQueue(store, 'orders')).slice(4), ['1', '3', '4', '2'])
  })

  test('goes in batches, two calls one after the other', async (t) => {
    const { broker } = await manual(t)
    await makeDead(
      broker,
      Array.from({ length: 600 }, (_, i) => `${i}`),
    )
    const results = await Promise.all([broker.redrive({ group: 'g', maxMessages: 599 }), broker.redrive({ group: 'g' })])
    assert.deepEqual(results, [done(599), done(1)])
    assert.equal(broker.store.bounds('orders').maxOffset, 1200)
  })

  test('is refused with what is wrong', async (t) => {
    const { broker } = await manual(t)
    await assert.rejects(broker.redrive({ group: 'none' }), refusal('GROUP_UNKNOWN', 'none'))
    await broker.groups.create('g')
    assert.deepEqual(await broker.redrive({ group: 'g' }), done(0))
    await assert.rejects(broker.redrive({ group: 'g', maxMessages: 0 }), bad(RangeError, 'maxMessages'))
    await assert.rejects(broker.redrive({ group: 'g', filter: { sql: 'a >' } }), refusal('FILTER_INVALID'))
  })
})

function done(redriven: number) {
  return { redriven, left: 0, unroutable: 0 }
}

async function manual(
  t: TestContext,
  disk = freshDisk(),
  options: BrokerOptions = {},
): Promise<{ broker: Broker; time: ManualTime }> {
  const time = new ManualTime()
  return {
    broker: await openTestBroker(t, { disk, options: { topics, ...options }, ports: { clock: time, timers: time } }),
    time,
  }
}

/** Five messages, ten milliseconds apart. */
async function sendFive(broker: Broker, time: ManualTime): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    times.push((await broker.send({ topic: 'orders', body: `${i}` })).storeTimestamp)
    time.advance(10)
  }
  return times
}

/** Dead letters of group g. */
async function makeDead(broker: Broker, texts: readonly string[]): Promise<void> {
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 0 })
  for (const body of texts) await broker.send({ topic: 'orders', body, tags: 'paid' })
  for (const delivery of await take(consumer, texts.length)) await delivery.retry()
  await consumer.close()
}

/** The disk as a process that dies now leaves it. */
function copyOf(disk: ReturnType<typeof freshDisk>): ReturnType<typeof freshDisk> {
  return freshDisk({ tree: disk.snapshot().tree })
}
