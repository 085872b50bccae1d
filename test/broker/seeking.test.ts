/** A group's place in a queue, moved by one of its members. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal, take, textOf } from '../support/open-broker.js'

describe('a place in a queue', () => {
  test('moves also when the queue goes to another member meanwhile', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    const join = () => broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' })
    const first = join()
    for (let i = 0; i < 3; i++) await broker.send({ topic: 'orders', body: `${i}` })
    for (const delivery of await take(first, 3)) await delivery.ack()
    const second = join()
    const seeking = first.seek({ topic: 'orders', to: 'first' })
    const closing = first.close()
    await broker.send({ topic: 'orders', body: '3' })
    await Promise.all([seeking, closing])
    const seen: string[] = []
    // What it took before the place moved can no longer be settled, and comes again behind.
    while (!seen.join(' ').endsWith('0 1 2 3')) seen.push(...textOf(await take(second, 1)))
  })

  test('moves back and forth while a group consumes, by offset, end and time', async (t) => {
    const time = new ManualTime()
    const broker = await openTestBroker(t, {
      options: { topics: { orders: { queues: 1 } } },
      ports: { clock: time, timers: time },
    })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      times.push((await broker.send({ topic: 'orders', body: `${i}` })).storeTimestamp)
      await pass(time, 10)
    }
    for (const delivery of await take(consumer, 5)) await delivery.ack()
    await consumer.seek({ topic: 'orders', to: new Date(times[3]!) })
    assert.deepEqual(textOf(await take(consumer, 2)), ['3', '4'])
    await consumer.seek({ topic: 'orders', queueId: 0, to: { offset: 1 } })
    const [one] = await take(consumer, 1)
    assert.deepEqual(textOf([one!]), ['1'])
    await consumer.seek({ topic: 'orders', to: 'last' })
    await broker.send({ topic: 'orders', body: 'new' })
    assert.deepEqual(textOf(await take(consumer, 1)), ['new'])
    await assert.rejects(one!.ack(), refusal('DELIVERY_SETTLED'))
  })

  test('is moved to no offset that the queue does not have, and in no topic that is not subscribed to', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 }, mail: { queues: 1 } } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    const assigned = new Promise((resolve) => consumer.on('assigned', resolve))
    await assigned
    await settled(10)
    const seek = (offset: number, topic = 'orders') => consumer.seek({ topic, to: { offset } })
    const outside = (end: number, got: number) => ({
      name: 'RangeError',
      message: `offset must be 0 to ${end} in orders/0, got ${got}`,
    })
    await assert.rejects(seek(1), outside(0, 1))
    await broker.send({ topic: 'orders', body: '0' })
    assert.deepEqual(textOf(await take(consumer, 1)), ['0'])
    await assert.rejects(seek(2), outside(1, 2))
    const unknown = 'topic must be one that the consumer subscribes to, got "mail"'
    await assert.rejects(seek(0, 'mail'), { name: 'RangeError', message: unknown })
    await seek(1)
    await broker.send({ topic: 'orders', body: '1' })
    assert.deepEqual(textOf(await take(consumer, 1)), ['1'])
  })

  for (const ordered of [false, true])
    for (const [sent, offset] of [
      [0, 1],
      [0, 100],
      [3, 4],
      [3, 100],
    ] as const)
      test(`beyond the end goes back to it: ${offset} of ${sent}${ordered ? ', ordered' : ''}`, async (t) => {
        const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
        for (let i = 0; i < sent; i++) await broker.send({ topic: 'orders', body: `old ${i}` })
        // Nothing is checked of what clients commit, as in RocketMQ.
        broker.served.offsets.commit('orders', 'g', 0, offset)
        broker.served.offsets.keepAhead('orders', 'g', 0, [offset + 1, offset + 9])
        const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, ordered })
        const first = consumer.next()
        await settled(30)
        assert.equal(broker.served.offsets.find('orders', 'g', 0), sent)
        const bodies = Array.from({ length: offset + 10 - sent }, (_, i) => `new ${i}`)
        await broker.sendBatch(bodies.map((body) => ({ topic: 'orders', body, queueId: 0 })))
        const seen: string[] = []
        for (let delivery = await first; ; delivery = await consumer.next()) {
          seen.push(...textOf([delivery!]))
          await delivery!.ack()
          if (seen.length === bodies.length) break
        }
        assert.deepEqual(seen, bodies)
        assert.equal(broker.served.offsets.find('orders', 'g', 0), sent + bodies.length)
      })

  test('goes back with the queue when that begins anew, and what is out can no longer be settled', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    for (let i = 0; i < 3; i++) await broker.send({ topic: 'orders', body: `old ${i}` })
    const [, old] = await take(consumer, 3)
    await broker.store.deleteTopic('orders')
    const next = consumer.next()
    // As in RocketMQ it goes on at the end, which it learns of by the first of them.
    for (const body of ['passed over', 'new 1', 'new 2']) {
      await broker.send({ topic: 'orders', body })
      await settled(30)
    }
    const delivery = await next
    assert.deepEqual(textOf([delivery!, ...(await take(consumer, 1))]), ['new 1', 'new 2'])
    assert.equal(consumer.inFlight, 2)
    await assert.rejects(old!.ack(), refusal('DELIVERY_SETTLED'))
    await delivery!.ack()
    assert.equal(broker.served.offsets.find('orders', 'g', 0), 2)
  })
})

/** Moves the clock, and lets what was waiting happen. */
async function pass(time: ManualTime, ms: number): Promise<void> {
  time.advance(ms)
  for (let i = 0; i < 20; i++) await turn()
}
