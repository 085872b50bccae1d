import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BrokerError } from '../../../lib/broker/errors.js'
import { ClientRegistry } from '../../../lib/broker/group/registry.js'
import { ManualTime, settled } from '../../support/manual-time.js'
import { FakeMember, wants } from './fake-member.js'

function opened(notifies: (group: string) => boolean = () => true) {
  const time = new ManualTime()
  const registry = new ClientRegistry<FakeMember>({ clock: time, timers: time, notifies })
  const log: string[] = []
  registry.events.on('joined', ({ group, member }) => log.push(`${member.clientId} joined ${group}`))
  registry.events.on('left', ({ group, member, reason }) => log.push(`${member.clientId} ${reason} ${group}`))
  registry.events.on('emptied', ({ group }) => log.push(`${group} emptied`))
  registry.events.on('subscriptionsChanged', ({ group, subscriptions }) =>
    log.push(`${group} wants ${[...subscriptions].map(([topic, { expression }]) => `${topic}=${expression}`).join(' ')}`),
  )
  return { time, registry, news: () => log.splice(0) }
}

function conflict(action: () => unknown, pattern: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof BrokerError && error.code === 'SUBSCRIPTION_CONFLICT', String(error))
    assert.match(error.message, pattern)
    return true
  })
}

function wanted(registry: ClientRegistry<FakeMember>, group: string): string {
  return [...registry.subscriptions(group)].map(([topic, { expression }]) => `${topic}=${expression}`).join(' ')
}

describe('members of a group', () => {
  test('are listed by sorted client id, each once, and found by it', () => {
    const { registry } = opened()
    const [b, a, again] = [new FakeMember('b'), new FakeMember('a', true), new FakeMember('b')]
    for (const member of [b, a, again]) registry.heartbeat('g', member, wants('t'))
    assert.deepEqual(registry.clientIds('g'), ['a', 'b'])
    assert.equal(registry.clientIds('g'), registry.clientIds('g'))
    assert.deepEqual(registry.members('g'), [b, a, again])
    assert.equal(registry.find('g', 'b'), again)
    registry.leave('g', again)
    assert.equal(registry.find('g', 'b'), b)
    assert.deepEqual([registry.find('g', 'c'), registry.find('h', 'a')], [undefined, undefined])
    assert.deepEqual(registry.groups, ['g'])
  })

  test('make a group with the first and end it with the last', () => {
    const { registry, news } = opened()
    const a = new FakeMember('a')
    assert.equal(registry.heartbeat('g', a, wants('t')), true)
    assert.equal(registry.facts('g')?.consumeType, 'CONSUME_PASSIVELY')
    assert.equal(registry.heartbeat('g', a, wants('t')), false)
    assert.equal(registry.leave('g', a), true)
    assert.equal(registry.leave('g', a), false)
    assert.deepEqual(news(), ['a joined g', 'g wants t=*', 'a left g', 'g emptied'])
    assert.deepEqual([registry.groups, registry.members('g'), registry.clientIds('g')], [[], [], []])
    assert.deepEqual([registry.facts('g'), registry.subscriptions('g').size, registry.groupsOf('t')], [undefined, 0, []])
  })

  test('leave all their groups when their connection closes', () => {
    const { registry, news } = opened()
    const [a, b] = [new FakeMember('a'), new FakeMember('b')]
    for (const group of ['g', 'h']) registry.heartbeat(group, a, wants('t'))
    registry.heartbeat('h', b, wants('t'))
    registry.producerHeartbeat('p', a)
    news()
    registry.disconnect(a)
    registry.disconnect(a)
    assert.deepEqual(news(), ['a disconnected g', 'g emptied', 'a disconnected h'])
    assert.deepEqual([registry.groups, registry.producerGroups], [['h'], []])
  })
})

test('producers are found by their client id, the newest first, as long as they produce for any group', () => {
  const { registry } = opened()
  const [old, anew, other] = [new FakeMember('a'), new FakeMember('a'), new FakeMember('b')]
  for (const group of ['p', 'q']) registry.producerHeartbeat(group, old)
  registry.producerHeartbeat('p', anew)
  registry.producerHeartbeat('p', other)
  registry.producerHeartbeat('q', old)
  assert.deepEqual(registry.producersWithId('a'), [anew, old])
  registry.producerLeave('p', old)
  assert.deepEqual(registry.producersWithId('a'), [anew, old])
  registry.producerLeave('q', old)
  assert.deepEqual(registry.producersWithId('a'), [anew])
  registry.disconnect(anew)
  assert.deepEqual([registry.producersWithId('a'), registry.producersWithId('b')], [[], [other]])
})

describe('who is told', () => {
  test('is every member of a clustering group, once for all changes of a turn', async () => {
    const { registry } = opened()
    const [a, b] = [new FakeMember('a'), new FakeMember('b', true)]
    registry.heartbeat('g', a, wants('t'))
    registry.heartbeat('g', b, wants('t'))
    assert.equal(a.news(), '')
    await settled()
    assert.deepEqual([a.news(), b.news()], ['membersChanged g', 'membersChanged g'])
    registry.heartbeat('g', a, wants('t'))
    await settled()
    assert.equal(a.news(), '')
    registry.leave('g', b)
    await settled()
    assert.deepEqual([a.news(), b.news()], ['membersChanged g', ''])
  })

  test('is nobody for another filter of the same topic, and everybody for another topic', async () => {
    const { registry, news } = opened()
    const a = new FakeMember('a')
    registry.heartbeat('g', a, wants('t'))
    await settled()
    a.news()
    news()
    assert.equal(registry.heartbeat('g', a, wants('t=paid#2')), false)
    await settled()
    assert.deepEqual([a.news(), news()], ['', ['g wants t=paid']])
    assert.equal(registry.heartbeat('g', a, wants('t=paid#2 u')), true)
    await settled()
    assert.deepEqual([a.news(), news()], ['membersChanged g', ['g wants t=paid u=*']])
  })

  test('is nobody in a broadcasting group, nor where the group is not to be told', async () => {
    const { registry } = opened((group) => group !== 'quiet')
    const members = ['a', 'b'].map((id) => new FakeMember(id))
    for (const member of members) {
      registry.heartbeat('all', member, wants('t', 'BROADCASTING'))
      registry.heartbeat('quiet', member, wants('t'))
    }
    await settled()
    assert.deepEqual(
      members.map((member) => member.news()),
      ['', ''],
    )
  })

  test('is nobody after the registry was closed, and no timer is left', async () => {
    const { registry, time } = opened()
    const members = Array.from({ length: 40 }, (_, i) => new FakeMember(`c${i}`))
    for (const member of members) registry.heartbeat('g', member, wants('t'))
    registry.close()
    await settled()
    time.advance(200_000)
    assert.ok(members.every((member) => member.told.length === 0))
    assert.equal(time.pendingTimers, 0)
  })

  test('is told a few times, not 10,000 times, when 10,000 members come one after the other', async () => {
    const { registry, time } = opened()
    const members = Array.from({ length: 10_000 }, (_, i) => new FakeMember(`c${i}`))
    for (const [i, member] of members.entries()) {
      registry.heartbeat('g', member, wants('t'))
      if (i < 10) await settled(1)
      time.advance(1)
    }
    time.advance(1_000)
    // Some hundreds in a turn.
    await settled(30)
    const counts = members.map(({ told }) => told.length)
    assert.ok(
      counts.every((count) => count >= 1),
      'somebody was not told',
    )
    assert.ok(Math.max(...counts) < 200, `${Math.max(...counts)} times`)
    assert.equal(registry.clientIds('g').length, 10_000)
  })
})

describe('silence', () => {
  test('of more than two minutes takes a remote member out within ten seconds, and both sides are told', async () => {
    const { registry, time, news } = opened()
    const [a, b, here] = [new FakeMember('a'), new FakeMember('b'), new FakeMember('c', true)]
    for (const member of [a, b, here]) registry.heartbeat('g', member, wants('t'))
    registry.producerHeartbeat('p', a)
    await settled()
    for (const member of [a, b, here]) member.news()
    news()
    for (let i = 0; i < 4; i++) {
      time.advance(30_000)
      assert.equal(registry.touch('g', b), true)
    }
    assert.deepEqual(registry.clientIds('g'), ['a', 'b', 'c'])
    time.advance(10_000)
    await settled()
    assert.deepEqual(news(), ['a expired g'])
    assert.deepEqual([a.news(), b.news(), here.news()], ['expired g, expired p', 'membersChanged g', 'membersChanged g'])
    assert.deepEqual([registry.clientIds('g'), registry.producers('p')], [['b', 'c'], []])
    assert.equal(registry.touch('g', a), false)
  })

  test('of a member of this process means nothing', () => {
    const { registry, time } = opened()
    registry.heartbeat('g', new FakeMember('a', true), wants('t'))
    registry.producerHeartbeat('p', new FakeMember('a', true))
    time.advance(1_000_000)
    assert.equal(registry.members('g').length, 1)
    assert.equal(registry.producers('p').length, 1)
  })

  test('is measured by the clock that never goes back', () => {
    const { registry, time } = opened()
    registry.heartbeat('g', new FakeMember('a'), wants('t'))
    time.setWall(time.now() + 86_400_000)
    time.advance(20_000)
    assert.equal(registry.members('g').length, 1)
  })
})

describe('subscriptions', () => {
  test('of remote members: of each topic the newest version counts, whoever gave it', () => {
    const { registry } = opened()
    const [a, b] = [new FakeMember('a'), new FakeMember('b')]
    registry.heartbeat('g', a, wants('t=x#5'))
    registry.heartbeat('g', b, wants('t=y#7'))
    assert.equal(wanted(registry, 'g'), 't=y')
    registry.heartbeat('g', a, wants('t=x#5'))
    registry.heartbeat('g', a, wants('t=z#7'))
    assert.equal(wanted(registry, 'g'), 't=y')
    registry.heartbeat('g', a, wants('t=x#8'))
    assert.equal(wanted(registry, 'g'), 't=x')
  })

  test('of topics that are missing from the newest heartbeat are gone', () => {
    const { registry } = opened()
    const [a, b] = [new FakeMember('a'), new FakeMember('b')]
    registry.heartbeat('g', a, wants('t u'))
    assert.deepEqual([registry.groupsOf('t'), registry.groupsOf('u')], [['g'], ['g']])
    registry.heartbeat('g', b, wants('u v'))
    assert.equal(wanted(registry, 'g'), 'u=* v=*')
    assert.deepEqual([registry.groupsOf('t'), registry.groupsOf('v')], [[], ['g']])
    registry.heartbeat('h', b, wants('v'))
    assert.deepEqual(registry.groupsOf('v'), ['g', 'h'])
  })

  test('of a member of this process must be those of the group', () => {
    const { registry, news } = opened()
    const [here, other] = [new FakeMember('a', true), new FakeMember('b', true)]
    registry.heartbeat('g', here, wants('t=paid'))
    news()
    for (const topics of ['t', 't=paid u', 'u=paid', ''])
      conflict(() => registry.heartbeat('g', other, wants(topics)), /group g wants t TAG "paid", b wants/)
    assert.deepEqual([news(), registry.clientIds('g'), wanted(registry, 'g')], [[], ['a'], 't=paid'])
    registry.heartbeat('g', other, wants('t=paid#9'))
    conflict(() => registry.heartbeat('g', other, wants('t=*#10')), /b wants t TAG "\*"/)
    registry.leave('g', other)
    assert.equal(registry.heartbeat('g', here, wants('u')), true)
    assert.equal(wanted(registry, 'g'), 'u=*')
  })

  test('are again those of the members of this process when the last remote one has gone', async () => {
    const { registry, news } = opened()
    const [here, there] = [new FakeMember('a', true), new FakeMember('b')]
    registry.heartbeat('g', here, wants('t=paid'))
    registry.heartbeat('g', there, wants('t=*#2 u'))
    assert.equal(wanted(registry, 'g'), 't=* u=*')
    news()
    registry.disconnect(there)
    assert.deepEqual(news(), ['b disconnected g', 'g wants t=paid'])
    assert.deepEqual([registry.groupsOf('t'), registry.groupsOf('u')], [['g'], []])
    registry.heartbeat('g', new FakeMember('c', true), wants('t=paid'))
  })
})

describe('models', () => {
  test('do not mix in a group, wherever its members are', () => {
    const { registry } = opened()
    registry.heartbeat('g', new FakeMember('a'), wants('t'))
    for (const isLocal of [false, true])
      conflict(
        () => registry.heartbeat('g', new FakeMember('b', isLocal), wants('t', 'BROADCASTING')),
        /group g consumes by CLUSTERING, b by BROADCASTING/,
      )
    assert.deepEqual(registry.clientIds('g'), ['a'])
  })

  test('may change when the client that has the other is the same one, connected anew', () => {
    const { registry } = opened()
    registry.heartbeat('g', new FakeMember('a'), wants('t'))
    registry.heartbeat('g', new FakeMember('a'), wants('t', 'BROADCASTING'))
    assert.equal(registry.facts('g')?.model, 'BROADCASTING')
  })
})

describe('producers', () => {
  test('of a group are asked in turn, those that are not ready only when nobody is', () => {
    const { registry } = opened()
    const [a, b, c] = [new FakeMember('a'), new FakeMember('b'), new FakeMember('c')]
    for (const producer of [a, b, c]) registry.producerHeartbeat('p', producer)
    const asked = (n: number): string =>
      Array.from({ length: n }, () => registry.nextProducer('p')?.clientId)
        .sort()
        .join('')
    assert.equal(asked(6), 'aabbcc')
    b.ready = false
    assert.equal(asked(6).includes('b'), false)
    a.ready = c.ready = false
    assert.equal(asked(3), 'abc')
    assert.equal(registry.nextProducer('q'), undefined)
  })

  test('leave by themselves, with their connection, and not for a heartbeat of another group', () => {
    const { registry } = opened()
    const [a, b] = [new FakeMember('a'), new FakeMember('b')]
    for (const producer of [a, b, a]) registry.producerHeartbeat('p', producer)
    registry.producerHeartbeat('q', a)
    assert.deepEqual(registry.producers('p'), [a, b])
    assert.equal(registry.producerLeave('p', a), true)
    assert.equal(registry.producerLeave('p', a), false)
    assert.deepEqual([registry.producers('p'), registry.producers('q'), registry.producerGroups], [[b], [a], ['p', 'q']])
    registry.disconnect(b)
    assert.deepEqual([registry.producers('p'), registry.producerGroups], [[], ['q']])
  })
})
