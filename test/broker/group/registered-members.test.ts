import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LocalMember } from '../../../lib/broker/consuming/consumers.js'
import { BrokerError } from '../../../lib/broker/errors.js'
import { FilterCache } from '../../../lib/broker/filter/filter-cache.js'
import type { FilterExpression } from '../../../lib/broker/filter/message-filter.js'
import { QueueLocks } from '../../../lib/broker/group/queue-locks.js'
import { locksOf, RegisteredMembers } from '../../../lib/broker/group/registered-members.js'
import { ClientRegistry } from '../../../lib/broker/group/registry.js'
import { ManualTime, settled } from '../../support/manual-time.js'
import { FakeMember, wants } from './fake-member.js'

const filters = new FilterCache()

function opened() {
  const time = new ManualTime()
  const registry = new ClientRegistry({ clock: time, timers: time, notifies: () => true })
  return { registry, members: new RegisteredMembers({ registry, clock: time, address: '127.0.0.1:0' }) }
}

function consumer(
  clientId: string,
  subscribe: Record<string, FilterExpression>,
  model: LocalMember['model'] = 'clustering',
  pops = false,
) {
  const subscriptions = new Map(Object.entries(subscribe).map(([topic, expression]) => [topic, filters.get(expression)] as const))
  const told = { rebalances: 0 }
  const member: LocalMember = { clientId, group: 'g', model, pops, subscriptions, rebalance: () => told.rebalances++ }
  return { member, told }
}

describe('consumers of this process', () => {
  test('stand in the registry beside those of others, and each hears of the other', async () => {
    const { registry, members } = opened()
    const { member, told } = consumer('b', { orders: 'paid' })
    members.join(member)
    await settled()
    told.rebalances = 0
    const remote = new FakeMember('a')
    registry.heartbeat('g', remote, wants('orders=paid %RETRY%g'))
    await settled()
    assert.deepEqual([told.rebalances, remote.news()], [1, 'membersChanged g'])
    assert.deepEqual(members.clientIdsOf('g'), ['a', 'b'])
    members.leave(member)
    members.leave(member)
    await settled()
    assert.deepEqual([told.rebalances, remote.news(), members.clientIdsOf('g')], [1, 'membersChanged g', ['a']])
  })

  test('want what they subscribed, and with others what their group tries again', () => {
    const { registry, members } = opened()
    members.join(consumer('a', { orders: { sql: 'a > 1' }, refunds: 'x || y' }).member)
    const wanted = [...registry.subscriptions('g')].map(([topic, { expression, kind }]) => [topic, expression, kind])
    assert.deepEqual(wanted, [
      ['orders', 'a > 1', 'SQL92'],
      ['refunds', 'x || y', 'TAG'],
      ['%RETRY%g', '*', 'TAG'],
    ])
  })

  test('that pop are members that share no queues, and want what the others want', async () => {
    const { registry, members } = opened()
    const { member } = consumer('p', { orders: 'paid' }, 'clustering', true)
    members.join(member)
    assert.equal(registry.facts('g')!.consumeType, 'CONSUME_POP')
    assert.deepEqual(members.clientIdsOf('g'), [])
    const remote = new FakeMember('a')
    registry.heartbeat('g', remote, { ...wants('orders=paid %RETRY%g'), consumeType: 'CONSUME_POP' })
    const listed = registry.members('g').map(({ clientId }) => clientId)
    assert.deepEqual([listed, members.clientIdsOf('g')], [['p', 'a'], ['a']])
    assert.throws(
      () => members.join(consumer('q', { orders: 'sent' }, 'clustering', true).member),
      (error) => error instanceof BrokerError && error.code === 'SUBSCRIPTION_CONFLICT',
    )
    members.leave(member)
    assert.deepEqual([registry.members('g').length, members.clientIdsOf('g')], [1, ['a']])
  })

  test('by broadcasting do not want what is tried again, and never rebalance for others', async () => {
    const { registry, members } = opened()
    const { member, told } = consumer('a', { orders: '*' }, 'broadcasting')
    members.join(member)
    members.join(consumer('b', { orders: '*' }, 'broadcasting').member)
    await settled()
    assert.deepEqual([[...registry.subscriptions('g').keys()], told.rebalances], [['orders'], 0])
  })

  test('join clients that name the same tags otherwise, or leave out the retry topic', () => {
    const { registry, members } = opened()
    registry.heartbeat('g', new FakeMember('a'), wants('orders=x||y'))
    members.join(consumer('b', { orders: 'y || x' }).member)
    assert.deepEqual(members.clientIdsOf('g'), ['a', 'b'])
  })

  test('with other wishes than their group are refused, and are not members', () => {
    const { members } = opened()
    members.join(consumer('a', { orders: 'x' }).member)
    for (const other of [
      consumer('b', { orders: 'y' }),
      consumer('b', { orders: { sql: 'x' } }),
      consumer('b', { refunds: 'x' }),
      consumer('b', { orders: 'x' }, 'broadcasting'),
    ]) {
      assert.throws(
        () => members.join(other.member),
        (error) => error instanceof BrokerError && error.code === 'SUBSCRIPTION_CONFLICT',
      )
      members.leave(other.member)
    }
    assert.deepEqual(members.clientIdsOf('g'), ['a'])
  })
})

test('the locks of consumers of this process and of others are the same', () => {
  const table = new QueueLocks(new ManualTime())
  const locks = locksOf(table, 'b')
  const name = { topic: 'orders', queueId: 1 }
  assert.equal(locks.lock('g', 'here', name), true)
  assert.deepEqual(table.lock('g', [{ ...name, brokerName: 'b' }], 'there'), [])
  locks.unlock('g', 'here', name)
  assert.equal(table.lock('g', [{ ...name, brokerName: 'b' }], 'there').length, 1)
  assert.equal(locks.lock('g', 'here', name), false)
})
