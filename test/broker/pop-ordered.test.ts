/** Pop consumption in order, and by a function that is called with each message. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualTime } from '../support/manual-time.js'
import { refusal } from '../support/open-broker.js'
import { bodiesOf, invisibleMs, numbers, openPopper, pass, sendAll, sorted, turns } from '../support/open-popper.js'

describe('in order', () => {
  test('nothing of a queue is handed out while something of it is out', async (t) => {
    const { broker, time } = await openPopper(t)
    const [one, two] = [1, 2].map(() =>
      broker.popConsumer({ group: 'o', subscribe: { orders: '*' }, ordered: true, invisibleMs }),
    )
    await sendAll(broker, 4)
    const first = await one!.pop({ maxMessages: 2 })
    assert.deepEqual(bodiesOf(first), ['0', '1'])
    assert.deepEqual(await two!.pop(), [])
    await first[0]!.ack()
    assert.deepEqual(await two!.pop(), [])
    const waiting = two!.pop({ waitMs: 60_000, maxMessages: 1 })
    await turns()
    await first[1]!.ack()
    const second = await waiting
    assert.deepEqual(bodiesOf(second), ['2'])
    await assert.rejects(first[1]!.ack(), refusal('DELIVERY_SETTLED'))
    await pass(time, invisibleMs + 1000)
    await assert.rejects(second[0]!.ack(), refusal('DELIVERY_UNKNOWN'))
    const again = await one!.pop()
    assert.deepEqual(bodiesOf(again), ['2', '3'])
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [2, 1],
    )
  })

  test('a reset frees the queue, and what was out before it is known no more', async (t) => {
    const { broker, time } = await openPopper(t)
    const popper = broker.popConsumer({ group: 'o', subscribe: { orders: '*' }, ordered: true, invisibleMs })
    await sendAll(broker, 4)
    const before = await popper.pop()
    assert.deepEqual(bodiesOf(before), ['0', '1', '2', '3'])
    const waiting = popper.pop({ waitMs: 60_000 })
    await turns()
    await pass(time, 1)
    await broker.resetOffsets({ topic: 'orders', group: 'o', to: { offset: 2 }, queueId: 0 })
    const after = await waiting
    assert.deepEqual(bodiesOf(after), ['2', '3'])
    for (const delivery of before) await assert.rejects(delivery.ack(), refusal('DELIVERY_UNKNOWN'))
    assert.deepEqual(await popper.pop(), [])
    for (const delivery of after) await delivery.ack()
    await broker.send({ topic: 'orders', body: '4', queueId: 0 })
    assert.deepEqual(bodiesOf(await popper.pop()), ['4'])
  })

  test('a message that is given back comes before those behind it, and a block outlives a restart', async (t) => {
    const time = new ManualTime()
    const first = await openPopper(t, { time })
    const options = { group: 'o', subscribe: { orders: '*' }, ordered: true, invisibleMs }
    await sendAll(first.broker, 3)
    const [delivery] = await first.broker.popConsumer(options).pop({ maxMessages: 1 })
    await delivery!.extend(30_000)
    await first.broker.close()
    const { broker } = await openPopper(t, { time, disk: first.disk })
    const popper = broker.popConsumer(options)
    await pass(time, invisibleMs + 1000)
    assert.deepEqual(await popper.pop(), [])
    await pass(time, 20_000)
    const again = await popper.pop({ maxMessages: 1 })
    assert.deepEqual(bodiesOf(again), ['0'])
    await again[0]!.retry({ delayMs: 0 })
    const third = await popper.pop()
    assert.deepEqual(bodiesOf(third), ['0', '1', '2'])
    assert.equal(third[0]!.attempt, 3)
    const file = broker.store.config.read('consumerOrderInfo')
    assert.ok(file !== undefined)
  })
})

describe('run', () => {
  test('handles messages at once, acknowledges them, and gives back what failed', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 10)
    const seen: string[] = []
    let most = 0
    let busy = 0
    const failed: number[] = []
    popper.on('failed', ({ attempt }) => failed.push(attempt))
    const run = popper.run(
      async (message, { attempt }) => {
        most = Math.max(most, ++busy)
        await turn()
        busy--
        if (message.body.toString() === '3' && attempt === 1) throw new Error('no')
        seen.push(message.body.toString())
      },
      { concurrency: 4 },
    )
    for (let i = 0; i < 20; i++) await pass(time, 1000)
    assert.deepEqual(sorted(seen), numbers(10))
    assert.equal(seen[9], '3')
    assert.equal(most, 4)
    assert.deepEqual(failed, [1])
    await popper.close()
    await run
  })
})

test('what is no handle, or one of another message, is refused in words that say what it must be', async (t) => {
  const { broker } = await openPopper(t)
  const { settling } = broker.served.pop
  const owner = { group: 'g', topic: 'orders' }
  await assert.rejects(
    settling.ack(owner, 'nonsense'),
    refusal('DELIVERY_UNKNOWN', 'must be start offset, pop time', '"nonsense"'),
  )
  const stranger = '0 1 60000 0 0 other 0 5'
  const words = [stranger, 'must name a message of broker mqlite in orders/0, which holds 0 up to, without, 0']
  await assert.rejects(settling.ack(owner, stranger), refusal('DELIVERY_UNKNOWN', ...words))
})
