/** Groups whose members popped, and are assigned queues now, or the other way round: what they left to be tried again. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import type { ManualTime } from '../support/manual-time.js'
import { take } from '../support/open-broker.js'
import { bodiesOf, invisibleMs, openPopper, pass, sendAll, sorted } from '../support/open-popper.js'
import { FakeMember, wants } from './group/fake-member.js'

/** What a group has still to do, by topic. */
async function backlogOf(broker: Broker, group: string): Promise<Record<string, number>> {
  const { topics } = (await broker.metrics.snapshot()).groups.find((one) => one.group === group)!
  return Object.fromEntries(topics.filter(({ backlog }) => backlog > 0).map(({ topic, backlog }) => [topic, backlog]))
}

/** A group that was assigned queues, and has three messages to try again. */
async function pushed(t: TestContext): Promise<{ broker: Broker; time: ManualTime }> {
  const { broker, popper, time } = await openPopper(t)
  await popper.close()
  await sendAll(broker, 3)
  const consumer = broker.consumer({ group: 'h', subscribe: { orders: '*' }, startAt: 'first' })
  for (const delivery of await take(consumer, 3)) await delivery.retry({ delayLevel: 1 })
  await consumer.close()
  await pass(time, 3000)
  return { broker, time }
}

describe('a group that was assigned queues and pops now', () => {
  test('pops what it gave back then, under its first topic, until it is acknowledged', async (t) => {
    const { broker, time } = await pushed(t)
    assert.deepEqual(await backlogOf(broker, 'h'), { '%RETRY%h': 3 })
    const popper = broker.popConsumer({ group: 'h', subscribe: { orders: '*' }, invisibleMs })
    const [first, ...others] = await popper.pop({ waitMs: 1000 })
    assert.deepEqual(sorted(bodiesOf([first!, ...others])), ['0', '1', '2'])
    assert.deepEqual([first!.message.topic, first!.attempt], ['orders', 2])
    assert.deepEqual(await backlogOf(broker, 'h'), { '%RETRY%h': 3 })
    await first!.ack()
    await others[0]!.retry({ delayMs: 1000 })
    await pass(time, invisibleMs + 2000)
    assert.deepEqual(await backlogOf(broker, 'h'), { '%RETRY%h': 2 })
    const again = await popper.pop()
    assert.deepEqual(
      again.map(({ attempt, message }) => [attempt, message.topic]),
      [
        [3, 'orders'],
        [3, 'orders'],
      ],
    )
    for (const delivery of again) await delivery.ack()
    await pass(time, invisibleMs + 2000)
    assert.deepEqual([await backlogOf(broker, 'h'), await popper.pop()], [{}, []])
  })

  test('finds what comes again of it while it waits', async (t) => {
    const { broker, time } = await pushed(t)
    const popper = broker.popConsumer({ group: 'h', subscribe: { orders: '*' }, invisibleMs })
    for (const delivery of await popper.pop()) await delivery.retry({ delayMs: 1000 })
    const waiting = popper.pop({ waitMs: 60_000 })
    await pass(time, 3000)
    assert.equal((await waiting).length > 0, true)
  })

  test('leaves it to members elsewhere, when there are any', async (t) => {
    const { broker } = await pushed(t)
    const popper = broker.popConsumer({ group: 'h', subscribe: { orders: '*' }, invisibleMs })
    const member = new FakeMember('elsewhere')
    broker.served.registry.heartbeat('h', member, wants('orders %RETRY%h'))
    assert.deepEqual(await popper.pop(), [])
    broker.served.registry.disconnect(member)
    assert.equal((await popper.pop()).length, 3)
  })
})

test('what a group that popped has to pop again is in its backlog, also when it is assigned queues and after a restart', async (t) => {
  const { broker, popper, time, disk } = await openPopper(t)
  await sendAll(broker, 4)
  const [first] = await popper.pop({ maxMessages: 3 })
  await first!.ack()
  await popper.close()
  const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
  const [fourth] = await take(consumer, 1)
  await pass(time, invisibleMs + 2000)
  assert.deepEqual(await backlogOf(broker, 'g'), { orders: 1, '%RETRY%g_orders': 2 })
  await fourth!.ack()
  assert.deepEqual(await backlogOf(broker, 'g'), { '%RETRY%g_orders': 2 })
  await broker.close()
  const { broker: next, popper: again } = await openPopper(t, { time, disk })
  assert.deepEqual(await backlogOf(next, 'g'), { '%RETRY%g_orders': 2 })
  assert.equal((await again.pop()).length, 2)
})
