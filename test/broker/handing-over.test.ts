/** A queue that a member lets go of while something is out of it, and that may come back to the same member. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Broker, Consumer, ConsumerOptions } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal, take, textOf } from '../support/open-broker.js'

const handOverMs = 20_000
const queue = [{ topic: 'orders', queueId: 0 }]

describe('a queue that comes back to the member that still has something out of it', () => {
  for (const ordered of [false, true])
    test(`goes on at once, and nothing comes again${ordered ? ', ordered' : ''}`, async (t) => {
      const { broker, time, join } = await open(t)
      const old = join('b', { ordered })
      const [held] = await take(old, 1)
      await comeAndGo(join, { ordered })
      // What was out stays out until its own time is over.
      time.advance(handOverMs)
      await settled()
      if (ordered) await held!.ack()
      const [next] = await take(old, 1)
      assert.equal(next!.message.body.toString(), '1')
      if (!ordered) await held!.ack()
      await next!.ack()
      assert.equal(broker.served.offsets.find('orders', 'g', 0), 2)
      assert.deepEqual(textOf(await take(old, 1)), ['2'])
      assert.equal(old.inFlight, 1)
    })

  test('goes on also when it goes and comes back often, or within a turn', async (t) => {
    const { broker, join } = await open(t)
    const old = join('b')
    const held = await take(old, 2)
    for (const queues of [[], queue, [], [], queue, queue]) old.assign(queues)
    assert.deepEqual(old.queues, queue)
    for (let i = 0; i < 3; i++) await comeAndGo(join)
    for (const delivery of held) await delivery.ack()
    assert.deepEqual(textOf(await take(old, 1)), ['2'])
    assert.equal(broker.served.offsets.find('orders', 'g', 0), 2)
  })

  test('goes on when its topic may be read again', async (t) => {
    const { broker, join } = await open(t)
    const old = join('b')
    const [held] = await take(old, 1)
    await broker.topics.update('orders', { permission: 'none' })
    assert.ok(old.queues.every(({ topic }) => topic !== 'orders'))
    await broker.topics.update('orders', { permission: 'readWrite' })
    assert.deepEqual(textOf(await take(old, 1)), ['1'])
    await held!.ack()
  })

  test('is taken anew when the group was moved meanwhile, and what was out moves it no more', async (t) => {
    const { broker, join } = await open(t)
    const old = join('b')
    const [held] = await take(old, 1)
    old.assign([])
    broker.served.offsets.commit('orders', 'g', 0, 2)
    old.assign(queue)
    await held!.ack()
    assert.deepEqual(textOf(await take(old, 1)), ['2'])
    assert.equal(broker.served.offsets.find('orders', 'g', 0), 2)
  })
})

describe('a queue that is let go', () => {
  test('does not hold up a close, whether it came back or is waited for', async (t) => {
    for (const change of [none, cameBack, isTakenAnew]) {
      const { broker, join } = await open(t)
      const old = join('b')
      const [held] = await take(old, 1)
      await change(old, broker)
      // The clock stands still: nothing that waits for a time would end.
      await broker.close()
      await assert.rejects(held!.ack(), refusal('DELIVERY_SETTLED'))
    }
  })

  test('goes to the next member at once when an ordered message fails meanwhile', async (t) => {
    const { join } = await open(t)
    const old = join('b', { ordered: true })
    const [held] = await take(old, 1)
    const young = join('a', { ordered: true })
    await settled()
    await held!.retry()
    assert.deepEqual(textOf(await take(young, 1)), ['0'])
  })
})

type Join = (name: string, options?: Partial<ConsumerOptions>) => Consumer

/** A broker on a clock that stands still, with three messages in one queue. */
async function open(t: TestContext): Promise<{ broker: Broker; time: ManualTime; join: Join }> {
  const time = new ManualTime()
  const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } }, ports: { clock: time, timers: time } })
  for (let i = 0; i < 3; i++) await broker.send({ topic: 'orders', body: `${i}` })
  const join: Join = (name, options) => broker.consumer({ group: 'g', subscribe: { orders: '*' }, name, handOverMs, ...options })
  return { broker, time, join }
}

/** Lets a member join that is given the queue, and leave while it waits for it. */
async function comeAndGo(join: Join, options?: Partial<ConsumerOptions>): Promise<void> {
  const young = join('a', options)
  await settled()
  await young.close()
  await settled()
}

async function none(consumer: Consumer): Promise<void> {
  consumer.assign([])
}

async function cameBack(consumer: Consumer): Promise<void> {
  consumer.assign([])
  consumer.assign(queue)
}

async function isTakenAnew(consumer: Consumer, broker: Broker): Promise<void> {
  consumer.assign([])
  broker.served.offsets.commit('orders', 'g', 0, 2)
  consumer.assign(queue)
  await settled()
}
