/** The strategies by what a group needs of them. That they give RocketMQ's results, `test/interop/strategies.test.ts` proves. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { consistentHash } from '../../../lib/broker/group/consistent-hash.js'
import { machineRoom, machineRoomNearby } from '../../../lib/broker/group/machine-rooms.js'
import { compareQueues, compareText, type MessageQueue, queueKey } from '../../../lib/broker/group/message-queue.js'
import {
  type AllocationStrategy,
  average,
  averageByCircle,
  brokerStrategies,
  byConfig,
} from '../../../lib/broker/group/strategies.js'
import { check } from '../../support/cases.js'

const roomOf = (name: string): string => name.slice(0, name.indexOf('@'))
const rooms = { brokerRoom: ({ brokerName }: MessageQueue) => roomOf(brokerName), clientRoom: roomOf }
const sharing: readonly AllocationStrategy[] = [
  average,
  averageByCircle,
  consistentHash(),
  machineRoom(new Set(['east', 'north', 'west'])),
  machineRoomNearby(average, rooms),
  machineRoomNearby(consistentHash(3), rooms),
]

const room = fc.constantFrom('east', 'north', 'west')
const clientIds = fc
  .uniqueArray(fc.tuple(room, fc.nat(1_000)), { minLength: 1, maxLength: 20, selector: String })
  .map((given) => given.map(([where, n]) => `${where}@${n}`).sort(compareText))
const queues = fc
  .uniqueArray(fc.tuple(room, fc.nat(40)), { minLength: 1, maxLength: 60, selector: String })
  .map((given) => given.map(([where, n]) => queue(n, `${where}@b`)).sort(compareQueues))

function queue(queueId: number, brokerName = 'b', topic = 'orders'): MessageQueue {
  return { topic, brokerName, queueId }
}

function clients(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `10.0.0.${i}@7`).sort(compareText)
}

function manyQueues(n: number): MessageQueue[] {
  return Array.from({ length: n }, (_, i) => queue(i))
}

function shares(strategy: AllocationStrategy, all: readonly MessageQueue[], ids: readonly string[]) {
  return ids.map((id) => strategy.allocate('g', id, all, ids))
}

/** Who owns each queue. */
function owners(strategy: AllocationStrategy, all: readonly MessageQueue[], ids: readonly string[]): Map<string, string> {
  return new Map(ids.flatMap((id) => strategy.allocate('g', id, all, ids).map((owned) => [queueKey(owned), id] as const)))
}

describe('every strategy that shares', () => {
  for (const strategy of sharing) {
    test(`${strategy.name} gives every queue to exactly one member`, () => {
      check(
        300,
        fc.property(queues, clientIds, (all, ids) => {
          assert.deepEqual(shares(strategy, all, ids).flat().sort(compareQueues), all)
        }),
      )
    })

    test(`${strategy.name} refuses an empty client, no queues and no members, and gives a stranger nothing`, () => {
      assert.throws(() => strategy.allocate('g', '', [queue(0, 'east@b')], ['east@1']), RangeError)
      assert.throws(() => strategy.allocate('g', 'east@1', [], ['east@1']), RangeError)
      assert.throws(() => strategy.allocate('g', 'east@1', [queue(0, 'east@b')], []), RangeError)
      assert.deepEqual(strategy.allocate('g', 'east@2', [queue(0, 'east@b')], ['east@1']), [])
    })
  }
})

describe('balance', () => {
  for (const strategy of [average, averageByCircle, machineRoom(new Set(['east', 'north', 'west']))]) {
    test(`${strategy.name} gives no member more than one queue more than another`, () => {
      check(
        300,
        fc.property(queues, clientIds, (all, ids) => {
          const sizes = shares(strategy, all, ids).map(({ length }) => length)
          assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join(' '))
        }),
      )
    })
  }

  test('AVG gives contiguous blocks, AVG_BY_CIRCLE every c-th queue', () => {
    const ids = clients(3)
    const numbers = (strategy: AllocationStrategy) =>
      shares(strategy, manyQueues(8), ids).map((share) => share.map(({ queueId }) => queueId))
    assert.deepEqual(numbers(average), [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ])
    assert.deepEqual(numbers(averageByCircle), [
      [0, 3, 6],
      [1, 4, 7],
      [2, 5],
    ])
  })
})

describe('CONSISTENT_HASH', () => {
  test('moves queues only from a member that leaves, and only to a member that comes', () => {
    check(
      100,
      fc.property(queues, clientIds, fc.nat(), (all, ids, pick) => {
        const leaver = ids[pick % ids.length]!
        const rest = ids.filter((id) => id !== leaver)
        if (rest.length === 0) return
        const before = owners(consistentHash(), all, ids)
        const after = owners(consistentHash(), all, rest)
        for (const [key, owner] of before) if (owner !== leaver) assert.equal(after.get(key), owner, key)
      }),
    )
  })

  test('moves fewer than a quarter of 1,000 queues when an eleventh member comes', () => {
    const all = manyQueues(1_000)
    const before = owners(consistentHash(), all, clients(10))
    const after = owners(consistentHash(), all, clients(11))
    const moved = [...before].filter(([key, owner]) => after.get(key) !== owner).length
    assert.ok(moved > 0 && moved < 250, `${moved} queues moved`)
  })

  test('gives nobody anything without places, and refuses fewer than none', () => {
    assert.deepEqual(shares(consistentHash(0), manyQueues(4), clients(2)), [[], []])
    assert.throws(() => consistentHash(-1), RangeError)
    assert.throws(() => consistentHash(1.5), RangeError)
  })

  test('looks at a list of members that is not frozen anew each time', () => {
    const strategy = consistentHash()
    const ids = clients(1)
    assert.equal(strategy.allocate('g', ids[0]!, manyQueues(50), ids).length, 50)
    ids.push('10.0.0.9@7')
    assert.ok(strategy.allocate('g', ids[0]!, manyQueues(50), ids).length < 50)
    const frozen = Object.freeze([...ids])
    assert.deepEqual(shares(strategy, manyQueues(50), frozen), shares(strategy, manyQueues(50), ids))
  })
})

describe('rooms', () => {
  test('MACHINE_ROOM leaves queues of other rooms and of brokers without a room alone', () => {
    const names = ['east@a', 'east', 'south@a', 'east@a@b', 'east@a@', '@a', '@']
    const all = names.map((name, i) => queue(i, name))
    const share = machineRoom(new Set(['east'])).allocate('g', 'c', all, ['c'])
    assert.deepEqual(
      share.map(({ brokerName }) => brokerName),
      ['east@a', 'east@a@'],
    )
  })

  test('MACHINE_ROOM_NEARBY keeps queues in their room while a client lives there', () => {
    check(
      200,
      fc.property(queues, clientIds, (all, ids) => {
        const alive = new Set(ids.map(roomOf))
        for (const id of ids) {
          for (const { brokerName } of machineRoomNearby(averageByCircle, rooms).allocate('g', id, all, ids))
            assert.ok(roomOf(brokerName) === roomOf(id) || !alive.has(roomOf(brokerName)))
        }
      }),
    )
  })

  test('MACHINE_ROOM_NEARBY refuses queues and clients of which nobody knows the room', () => {
    const nearby = machineRoomNearby(average, { brokerRoom: ({ brokerName }) => brokerName, clientRoom: (id) => id.slice(1) })
    assert.throws(() => nearby.allocate('g', 'xa', [queue(0, '')], ['xa']), /orders/)
    assert.throws(() => nearby.allocate('g', 'xa', [queue(0, 'a')], ['xa', 'y']), /y/)
  })
})

test('CONFIG gives its queues to everybody and looks at nothing', () => {
  const fixed = [queue(3), queue(1)]
  assert.deepEqual(byConfig(fixed).allocate('g', '', [], []), fixed)
  assert.equal(byConfig(fixed).name, 'CONFIG')
})

test('the broker computes AVG and AVG_BY_CIRCLE for clients, and no other strategy', () => {
  assert.deepEqual([...brokerStrategies.keys()], ['AVG', 'AVG_BY_CIRCLE'])
})

test('queues with different names never share a key', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '1'), maxLength: 4 })
  const one = fc.record({ topic: text, brokerName: text, queueId: fc.nat(12) })
  check(
    1_000,
    fc.property(one, one, (a, b) => {
      assert.equal(queueKey(a) === queueKey(b), compareQueues(a, b) === 0)
    }),
  )
})
