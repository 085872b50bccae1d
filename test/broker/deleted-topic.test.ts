/** A topic that is deleted and made again: nothing that belongs to the old one touches the new one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Broker } from '../../lib/broker/broker.js'
import { openTestBroker, refusal, take, textOf } from '../support/open-broker.js'
import { invisibleMs, openPopper, pass } from '../support/open-popper.js'

const one = { queues: 1 }

async function opened(t: Parameters<typeof openTestBroker>[0]): Promise<Broker> {
  return openTestBroker(t, { options: { topics: { orders: one } } })
}

async function madeAgain(broker: Broker): Promise<void> {
  await broker.topics.delete('orders')
  await broker.topics.create('orders', one)
}

async function send(broker: Broker, ...bodies: string[]): Promise<void> {
  for (const body of bodies) await broker.send({ topic: 'orders', body })
}

function ranges(count: number, word: string): string[] {
  return Array.from({ length: count }, (_, i) => `${word} ${i}`)
}

describe('after a topic was deleted and made again', () => {
  for (const ordered of [false, true]) {
    const kind = ordered ? 'an ordered consumer' : 'a consumer'
    test(`the deliveries of ${kind} are settled no more, and the new messages come at once`, async (t) => {
      const broker = await opened(t)
      await send(broker, ...ranges(3, 'old'))
      const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, ordered })
      const held = await take(consumer, ordered ? 1 : 3)
      // The last is settled and the first is not: what is settled ahead is forgotten, too.
      if (!ordered) await held[2]!.ack()
      await madeAgain(broker)
      await send(broker, ...ranges(4, 'new'))
      await assert.rejects(held[0]!.ack(), refusal('DELIVERY_SETTLED', 'orders/0@0'))
      await assert.rejects(held[0]!.retry(), refusal('DELIVERY_SETTLED', 'orders/0@0'))
      const seen: string[] = []
      for (let i = 0; i < 4; i++) {
        const [delivery] = await take(consumer, 1)
        seen.push(...textOf([delivery!]))
        await delivery!.ack()
      }
      assert.deepEqual(seen, ranges(4, 'new'))
    })
  }

  test('a handler that is still busy with an old message neither moves the group nor holds it up', async (t) => {
    const broker = await opened(t)
    await send(broker, ...ranges(3, 'old'))
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    const seen: string[] = []
    const busy: (() => void)[] = []
    const problems: unknown[] = []
    consumer.on('problem', ({ error }) => problems.push(error))
    consumer.on('failed', ({ error }) => problems.push(error))
    const running = consumer.run(
      async (message) => {
        const body = String(message.body)
        seen.push(body)
        if (body.startsWith('old')) await new Promise<void>((resolve) => busy.push(resolve))
      },
      { concurrency: 8 },
    )
    await until(() => busy.length === 3)
    await madeAgain(broker)
    await send(broker, ...ranges(5, 'new'))
    for (const end of busy) end()
    await until(() => seen.length === 8)
    assert.deepEqual(seen, [...ranges(3, 'old'), ...ranges(5, 'new')])
    assert.deepEqual(problems, [])
    await consumer.close()
    await running
    assert.equal(broker.served.offsets.find('orders', 'g', 0), 5)
  })

  test('what a consumer closes with is not noted for the new one', async (t) => {
    const broker = await opened(t)
    await send(broker, ...ranges(3, 'old'))
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    const held = await take(consumer, 3)
    await held[1]!.ack()
    await broker.topics.delete('orders')
    await consumer.close()
    await broker.topics.create('orders', one)
    assert.deepEqual(broker.served.offsets.ahead('orders', 'g', 0), [])
    assert.equal(broker.served.offsets.find('orders', 'g', 0), undefined)
  })

  test('a broadcasting member with a name begins the new one anew', async (t) => {
    const broker = await opened(t)
    await send(broker, ...ranges(3, 'old'))
    const options = { group: 'g', subscribe: { orders: '*' }, model: 'broadcasting', name: 'me', startAt: 'first' } as const
    const consumer = broker.consumer(options)
    for (const delivery of await take(consumer, 3)) await delivery.ack()
    await consumer.close()
    await madeAgain(broker)
    await send(broker, ...ranges(4, 'new'))
    const again = broker.consumer(options)
    assert.deepEqual(textOf(await take(again, 4)), ranges(4, 'new'))
  })

  test('what was popped does not come again, nor what stands there now', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await send(broker, ...ranges(2, 'old'))
    assert.equal((await popper.pop()).length, 2)
    await madeAgain(broker)
    await send(broker, ...ranges(4, 'new'))
    await pass(time, invisibleMs + 5000)
    assert.equal(
      broker.store.queues().find(({ topic }) => topic.startsWith('%RETRY%')),
      undefined,
    )
    const popped = await popper.pop()
    assert.deepEqual(
      popped.map(({ message, attempt }) => [String(message.body), attempt]),
      ranges(4, 'new').map((body) => [body, 1]),
    )
  })

  test('what was to be popped again is gone with it, and so is no other topic of a like name', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await broker.topics.create('new_orders', one)
    const twin = broker.popConsumer({ group: 'g_new', subscribe: { orders: '*' }, invisibleMs })
    await send(broker, 'old')
    for (const consumer of [popper, twin]) assert.equal((await consumer.pop()).length, 1)
    await pass(time, invisibleMs + 2000)
    const retries = (): string[] =>
      broker.topics
        .list({ system: true })
        .map(({ topic }) => topic)
        .filter((topic) => topic.startsWith('%RETRY%g'))
    assert.deepEqual(retries(), ['%RETRY%g_new_orders', '%RETRY%g_orders'])
    await madeAgain(broker)
    // Of which of the two it is nobody can tell.
    assert.deepEqual(retries(), ['%RETRY%g_new_orders'])
    await send(broker, 'new')
    assert.deepEqual(
      (await popper.pop()).map(({ message }) => String(message.body)),
      ['new'],
    )
  })

  for (const ordered of [false, true]) {
    const kind = ordered ? 'ordered pops' : 'pops'
    test(`the handles of ${kind} are unknown, and the group gets every new message`, async (t) => {
      const broker = await opened(t)
      await send(broker, ...ranges(3, 'old'))
      const popper = broker.popConsumer({
        group: 'g',
        subscribe: { orders: '*' },
        startAt: 'first',
        ordered,
        invisibleMs: 60_000,
      })
      const held = await popper.pop({ maxMessages: 3 })
      assert.equal(held.length, 3)
      await broker.topics.delete('orders')
      const { handle } = held[0]!
      await assert.rejects(held[0]!.ack(), refusal('DELIVERY_UNKNOWN', handle, 'a message of broker mqlite in orders/0'))
      await broker.topics.create('orders', one)
      await assert.rejects(held[0]!.ack(), refusal('DELIVERY_UNKNOWN'))
      await send(broker, ...ranges(5, 'new'))
      // Now something stands in the new queue where the old messages stood.
      for (const delivery of held) await assert.rejects(delivery.ack(), refusal('DELIVERY_UNKNOWN', 'its topic was deleted'))
      await assert.rejects(held[0]!.extend(5000), refusal('DELIVERY_UNKNOWN'))
      const popped = await popper.pop({ maxMessages: 32 })
      assert.deepEqual(
        popped.map(({ message }) => String(message.body)),
        ranges(5, 'new'),
      )
      for (const delivery of popped) await delivery.ack()
      assert.equal(broker.served.offsets.find('orders', 'g', 0), 5)
    })
  }
})

/** Turns of the event loop until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 100_000; turns++) {
    if (isSo()) return
    await turn()
  }
  assert.fail('it did not come to pass')
}
