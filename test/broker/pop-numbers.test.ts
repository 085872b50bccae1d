/** What groups that pop count, and what is left for them to do. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import type { GroupNumbers } from '../../lib/broker/numbers/snapshot.js'
import { prometheusText } from '../../lib/index.js'
import { invisibleMs, openPopper, pass, sendAll } from '../support/open-popper.js'

/** What a test looks at of a group. */
async function numbersOf(broker: Broker, group = 'g') {
  const { groups } = await broker.metrics.snapshot()
  const { messagesOut, acknowledged, inFlight, retries, deadLetters, backlog } = groups.find((one) => one.group === group)!
  return { messagesOut, acknowledged, inFlight, retries, deadLetters, backlog }
}

async function topicsOf(broker: Broker, group = 'g'): Promise<GroupNumbers['topics']> {
  return (await broker.metrics.snapshot()).groups.find((one) => one.group === group)!.topics
}

/** What a channel publishes during an action. */
async function published(name: string, action: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const told: Record<string, unknown>[] = []
  const listener = (payload: unknown): void => void told.push(payload as Record<string, unknown>)
  subscribe(name, listener)
  try {
    await action()
  } finally {
    unsubscribe(name, listener)
  }
  return told
}

describe('a group that pops', () => {
  test('counts what is out, acknowledged and given back; what is not acknowledged is its backlog', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 12)
    const popped = await popper.pop({ maxMessages: 10 })
    time.advance(1000)
    for (const one of popped.slice(0, 5)) await one.ack()
    for (const one of popped.slice(5, 7)) await one.retry({ delayMs: 3000 })
    await popped[7]!.extend(8000)
    const counts = { messagesOut: 10, acknowledged: 5, deadLetters: 0, backlog: 7 }
    assert.deepEqual(await numbersOf(broker), { ...counts, inFlight: 3, retries: 2 })
    const text = await prometheusText(broker)
    const labels = 'consumer_group="g",is_system="false",is_retry="false"'
    const metricOf = (name: string): string | undefined =>
      text
        .split('\n')
        .find((line) => line.startsWith(`${name}{`) && line.includes(`topic="orders",${labels}`))
        ?.split('} ')[1]
    assert.equal(metricOf('rocketmq_consumer_inflight_messages'), '3')
    assert.equal(metricOf('rocketmq_consumer_lag_messages'), '7')
    assert.equal(metricOf('rocketmq_consumer_ready_messages'), '4')
    await pass(time, 5000)
    // The two came again, and nobody has them yet.
    assert.deepEqual(await numbersOf(broker), { ...counts, inFlight: 3, retries: 2 })
    const again = await popper.pop()
    assert.equal(again.length, 4)
    assert.deepEqual(await numbersOf(broker), { ...counts, messagesOut: 14, inFlight: 7, retries: 2 })
    for (const one of [...again, ...popped.slice(7)]) await one.ack()
    assert.deepEqual(await numbersOf(broker), {
      ...counts,
      messagesOut: 14,
      acknowledged: 12,
      inFlight: 0,
      retries: 2,
      backlog: 0,
    })
  })

  test('says how old the first message is that it did not acknowledge, and the first that it did not take', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 2)
    time.advance(1000)
    await sendAll(broker, 1)
    time.advance(1000)
    const [first, second] = await popper.pop({ maxMessages: 2 })
    const queueOf = async () => (await topicsOf(broker)).find(({ topic }) => topic === 'orders')!.queues[0]!
    assert.deepEqual([(await queueOf()).backlogMs, (await queueOf()).nextStored], [2000, time.now() - 1000])
    await first!.ack()
    assert.deepEqual([(await queueOf()).backlogMs, (await queueOf()).nextStored], [2000, time.now() - 1000])
    await second!.ack()
    assert.deepEqual([(await queueOf()).backlogMs, (await queueOf()).nextStored], [1000, time.now() - 1000])
  })

  test('counts what nobody settled in time as tried again, and at last as a dead letter, where it began', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await broker.groups.update('g', { maxRetries: 1 })
    const events: boolean[] = []
    broker.on('sentBack', ({ isDead }) => void events.push(isDead))
    await sendAll(broker, 1)
    const none = { acknowledged: 0, inFlight: 0, deadLetters: 0 }
    const told = await published('mqlite:sent-back', async () => {
      assert.equal((await popper.pop()).length, 1)
      await pass(time, invisibleMs + 2000)
      assert.deepEqual(await numbersOf(broker), { ...none, messagesOut: 1, retries: 1, backlog: 1 })
      const [again] = await popper.pop()
      await again!.retry({ delayMs: 1000 })
      assert.deepEqual(await numbersOf(broker), { ...none, messagesOut: 2, retries: 1, backlog: 1 })
      await pass(time, 4000)
    })
    assert.deepEqual(await numbersOf(broker), { ...none, messagesOut: 2, retries: 1, deadLetters: 1, backlog: 0 })
    const orders = (await topicsOf(broker)).find(({ topic }) => topic === 'orders')!
    assert.deepEqual([orders.retries, orders.deadLetters], [1, 1])
    assert.deepEqual(
      told.map(({ group, topic, reconsumeTimes, isDead }) => [group, topic, reconsumeTimes, isDead]),
      [
        ['g', 'orders', 0, false],
        ['g', 'orders', 1, true],
      ],
    )
    assert.deepEqual(events, [false, true])
  })

  test('tells of each acknowledgement, also of a message that comes again', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 2)
    const [first, second] = await popper.pop()
    await second!.retry({ delayMs: 0 })
    const told = await published('mqlite:ack', async () => {
      await first!.ack()
      await pass(time, 2000)
      const [again] = await popper.pop()
      await again!.ack()
    })
    const place = { broker: broker.store.brokerName, group: 'g', queueId: 0, queueOffset: 0 }
    assert.deepEqual(
      told.map(({ messageId: _, ...rest }) => rest),
      [
        { ...place, topic: 'orders', attempt: 1 },
        { ...place, topic: '%RETRY%g_orders', attempt: 2 },
      ],
    )
    assert.equal(told[0]!['messageId'], first!.message.messageId)
  })

  test('has nothing out of a topic that was deleted, nor of a new one of that name', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 3)
    const [first] = await popper.pop()
    await broker.topics.delete('orders')
    await broker.topics.create('orders', { queues: 1 })
    await assert.rejects(first!.ack())
    await sendAll(broker, 1)
    await pass(time, invisibleMs + 2000)
    assert.deepEqual(await numbersOf(broker), {
      messagesOut: 0,
      acknowledged: 0,
      inFlight: 0,
      retries: 0,
      deadLetters: 0,
      backlog: 1,
    })
  })

  test('counts what is out besides what a reset made unread, and a message once that it pops twice in a millisecond', async (t) => {
    const { broker, popper } = await openPopper(t)
    await sendAll(broker, 1)
    const [first] = await popper.pop()
    await broker.resetOffsets({ group: 'g', topic: 'orders', to: 'first' })
    assert.deepEqual((await numbersOf(broker)).backlog, 2)
    // Within a millisecond both pops are one.
    const [second] = await popper.pop()
    assert.deepEqual((await numbersOf(broker)).inFlight, 1)
    await first!.ack()
    await assert.rejects(second!.ack())
    const { inFlight, backlog } = await numbersOf(broker)
    assert.deepEqual([inFlight, backlog], [0, 0])
  })

  test('in order, counts what is out of its queues, until it is acknowledged or its time is over', async (t) => {
    const { broker, popper: other, time } = await openPopper(t)
    await other.close()
    await sendAll(broker, 5)
    const popper = broker.popConsumer({ group: 'o', subscribe: { orders: '*' }, invisibleMs, ordered: true })
    const told = await published('mqlite:ack', async () => {
      const [first, second] = await popper.pop({ maxMessages: 3 })
      await second!.ack()
      const counts = { messagesOut: 3, retries: 0, deadLetters: 0 }
      assert.deepEqual(await numbersOf(broker, 'o'), { ...counts, acknowledged: 1, inFlight: 2, backlog: 5 })
      await first!.ack()
      assert.deepEqual(await numbersOf(broker, 'o'), { ...counts, acknowledged: 2, inFlight: 1, backlog: 3 })
      time.advance(invisibleMs)
      assert.deepEqual(await numbersOf(broker, 'o'), { ...counts, acknowledged: 2, inFlight: 0, backlog: 3 })
      const [third] = await popper.pop()
      await third!.ack()
    })
    assert.deepEqual(
      told.map(({ queueOffset, attempt }) => [queueOffset, attempt]),
      [
        [1, 1],
        [0, 1],
        [2, 2],
      ],
    )
  })

  test('counts what an earlier process had out as soon as it comes again', async (t) => {
    const { broker, popper, time, disk } = await openPopper(t)
    await sendAll(broker, 3)
    const [first, second] = await popper.pop()
    await broker.close()
    time.advance(1)
    const { broker: next, popper: other } = await openPopper(t, { time, disk })
    const none = { messagesOut: 0, inFlight: 0, deadLetters: 0 }
    assert.deepEqual(await numbersOf(next), { ...none, acknowledged: 0, retries: 0, backlog: 0 })
    const { settling } = next.served.pop
    const owner = { group: 'g', topic: 'orders' }
    await settling.ack(owner, first!.handle)
    await settling.changeInvisible(owner, second!.handle, invisibleMs + 10_000)
    assert.deepEqual(await numbersOf(next), { ...none, acknowledged: 1, inFlight: 1, retries: 0, backlog: 1 })
    await pass(time, invisibleMs + 5000)
    assert.deepEqual(await numbersOf(next), { ...none, acknowledged: 1, inFlight: 1, retries: 1, backlog: 2 })
    await pass(time, 10_000)
    assert.deepEqual(await numbersOf(next), { ...none, acknowledged: 1, retries: 2, backlog: 2 })
    for (const one of await other.pop()) await one.ack()
    assert.deepEqual(await numbersOf(next), { ...none, messagesOut: 2, acknowledged: 3, retries: 2, backlog: 0 })
  })
})
