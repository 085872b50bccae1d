/** One group of members here and elsewhere: they share the queues, and hold each queue's lock against one another. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Consumer } from '../../lib/broker/consuming/consumer.js'
import { average } from '../../lib/broker/group/strategies.js'
import { openBroker } from '../../lib/broker/open-broker.js'
import { refusal, small } from '../support/open-broker.js'
import { freshDisk, root } from '../support/open-store.js'
import { FakeMember, wants } from './group/fake-member.js'

async function opened(t: TestContext) {
  const broker = await openBroker(root, { topics: { orders: { queues: 4 } }, store: small }, { disk: freshDisk() })
  t.after(() => broker.close())
  broker.events.on('problem', ({ error, during }) => assert.fail(`${during}: ${String(error)}`))
  return { ...broker, ...broker.served }
}

function ordersOf({ queues }: Consumer): number[] {
  return queues.filter(({ topic }) => topic === 'orders').map(({ queueId }) => queueId)
}

/** Lets the event loop turn until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !holds(); i++) await turn()
  assert.ok(holds(), 'it never came true')
}

describe('a group of members here and elsewhere', () => {
  test('shares its queues among all of them, again when one comes and when one leaves', async (t) => {
    const { consumers, registry, store } = await opened(t)
    const here = ['b', 'd'].map((name) => consumers.join({ group: 'g', subscribe: { orders: '*' }, name }))
    const there = ['a', 'c'].map((name) => new FakeMember(name))
    const queues = Array.from({ length: 4 }, (_, queueId) => ({ topic: 'orders', brokerName: store.brokerName, queueId }))
    await until(() => here.every((consumer) => ordersOf(consumer).length === 2))
    for (const member of there) registry.heartbeat('g', member, wants('orders %RETRY%g'))
    await until(() => here.every((consumer) => ordersOf(consumer).length === 1))
    const shares = there.map(({ clientId }) => average.allocate('g', clientId, queues, registry.clientIds('g')))
    const all = [...here.flatMap(ordersOf), ...shares.flat().map(({ queueId }) => queueId)]
    assert.deepEqual(all.sort(), [0, 1, 2, 3])
    for (const member of there) registry.disconnect(member)
    await until(() => here.every((consumer) => ordersOf(consumer).length === 2))
    await here[0]!.close()
    assert.deepEqual(registry.clientIds('g'), ['d'])
  })

  test('consumes in order a queue only when nobody elsewhere has its lock', async (t) => {
    const { consumers, locks, store } = await opened(t)
    const queue = (queueId: number) => ({ topic: 'orders', brokerName: store.brokerName, queueId })
    assert.equal(locks.lock('g', [queue(1)], 'elsewhere').length, 1)
    const consumer = consumers.join({ group: 'g', subscribe: { orders: '*' }, ordered: true })
    await until(() => locks.holder('g', queue(3)) === consumer.clientId)
    assert.equal(locks.holder('g', queue(1)), 'elsewhere')
    assert.deepEqual(locks.lock('g', [queue(0)], 'elsewhere'), [])
    assert.equal(locks.isLocked('g'), true)
  })

  test('is not joined by a consumer that wants something else, nor by one of the other model', async (t) => {
    const { consumers, registry } = await opened(t)
    registry.heartbeat('g', new FakeMember('a'), wants('orders=paid'))
    const join = (options: object) => () => consumers.join({ group: 'g', subscribe: { orders: 'paid' }, ...options })
    assert.throws(join({ subscribe: { orders: '*' } }), refusal('SUBSCRIPTION_CONFLICT', 'orders', 'paid'))
    assert.throws(join({ model: 'broadcasting' }), refusal('SUBSCRIPTION_CONFLICT', 'BROADCASTING'))
    join({})()
    assert.equal(registry.clientIds('g').length, 2)
  })
  test('has no two members of this process with one name, but any number that connect anew with it', async (t) => {
    const { consumers, pop, registry } = await opened(t)
    for (const model of ['clustering', 'broadcasting'] as const) {
      const join = (group: string): Consumer => consumers.join({ group, subscribe: { orders: '*' }, model, name: 'a' })
      const group = `g-${model}`
      const first = join(group)
      assert.throws(() => join(group), refusal('NAME_TAKEN', group, 'a'))
      assert.equal(registry.members(group).length, 1)
      const other = join(`${group}-2`)
      const facts = wants(model === 'clustering' ? `orders %RETRY%${group}` : 'orders')
      for (let i = 0; i < 2; i++)
        registry.heartbeat(group, new FakeMember('a'), {
          ...facts,
          model: model === 'clustering' ? 'CLUSTERING' : 'BROADCASTING',
        })
      assert.equal(registry.members(group).length, 3)
      await first.close()
      await join(group).close()
      await other.close()
    }
    const popper = () => pop.consumer({ group: 'poppers', subscribe: { orders: '*' } })
    await Promise.all([popper(), popper()].map((one) => one.close()))
  })
})
