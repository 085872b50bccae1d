/** A group's place in a queue, moved by one of its members. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualTime } from '../support/manual-time.js'
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
})

/** Moves the clock, and lets what was waiting happen. */
async function pass(time: ManualTime, ms: number): Promise<void> {
  time.advance(ms)
  for (let i = 0; i < 20; i++) await turn()
}
