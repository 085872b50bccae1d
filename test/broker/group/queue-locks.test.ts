import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MessageQueue } from '../../../lib/broker/group/message-queue.js'
import { QueueLocks } from '../../../lib/broker/group/queue-locks.js'
import { check } from '../../support/cases.js'
import { ManualTime } from '../../support/manual-time.js'

function queue(queueId: number, topic = 'orders'): MessageQueue {
  return { topic, brokerName: 'b', queueId }
}

function locksAt(): { time: ManualTime; locks: QueueLocks } {
  const time = new ManualTime()
  return { time, locks: new QueueLocks(time) }
}

describe('queue locks', () => {
  test('a batch is granted but for the queues that another client holds', () => {
    const { locks } = locksAt()
    assert.deepEqual(locks.lock('g', [queue(0), queue(1)], 'a'), [queue(0), queue(1)])
    assert.deepEqual(locks.lock('g', [queue(1), queue(2)], 'b'), [queue(2)])
    assert.deepEqual(
      [0, 1, 2, 3].map((id) => locks.holder('g', queue(id))),
      ['a', 'a', 'b', undefined],
    )
  })

  test('groups do not see the locks of one another, and neither do queues of one number in two topics', () => {
    const { locks } = locksAt()
    locks.lock('g', [queue(0)], 'a')
    assert.deepEqual(locks.lock('h', [queue(0)], 'b'), [queue(0)])
    assert.deepEqual(locks.lock('g', [queue(0, 'refunds')], 'b'), [queue(0, 'refunds')])
  })

  test('after more than 60 s without being granted again a lock can be taken over, not before', () => {
    const { time, locks } = locksAt()
    locks.lock('g', [queue(0)], 'a')
    time.advance(60_000)
    assert.deepEqual(locks.lock('g', [queue(0)], 'b'), [])
    assert.equal(locks.holder('g', queue(0)), 'a')
    time.advance(1)
    assert.equal(locks.holder('g', queue(0)), undefined)
    assert.deepEqual(locks.lock('g', [queue(0)], 'b'), [queue(0)])
    assert.deepEqual(locks.lock('g', [queue(0)], 'a'), [])
  })

  test('locking again lengthens a lock', () => {
    const { time, locks } = locksAt()
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(locks.lock('g', [queue(0)], 'a'), [queue(0)])
      time.advance(40_000)
    }
    assert.equal(locks.holder('g', queue(0)), 'a')
  })

  test('unlocking gives up the own queues and leaves those of others', () => {
    const { locks } = locksAt()
    locks.lock('g', [queue(0)], 'a')
    locks.lock('g', [queue(1)], 'b')
    locks.unlock('g', [queue(0), queue(1), queue(2)], 'b')
    locks.unlock('unheard of', [queue(0)], 'b')
    assert.equal(locks.holder('g', queue(0)), 'a')
    assert.equal(locks.holder('g', queue(1)), undefined)
  })

  test('a group is locked while one of its locks is unexpired', () => {
    const { time, locks } = locksAt()
    assert.equal(locks.isLocked('g'), false)
    locks.lock('g', [queue(0)], 'a')
    time.advance(50_000)
    locks.lock('g', [queue(1)], 'a')
    time.advance(50_000)
    assert.equal(locks.isLocked('g'), true)
    assert.equal(locks.isLocked('h'), false)
    time.advance(10_001)
    assert.equal(locks.isLocked('g'), false)
  })

  test('a refused lock leaves nothing behind, and expired locks are swept out', () => {
    const { time, locks } = locksAt()
    for (let i = 0; i < 1_000; i++) locks.lock(`g${i}`, [queue(i)], 'a')
    locks.lock('g0', [queue(0)], 'b')
    assert.equal(locks.size, 1_000)
    time.advance(60_001)
    locks.lock('g', [queue(0)], 'a')
    assert.equal(locks.size, 1)
    locks.unlock('g', [queue(0)], 'a')
    assert.equal(locks.size, 0)
  })

  test('whatever clients do, a queue has one holder, and that one was granted it within the last 60 s', () => {
    const step = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      queueId: fc.nat(2),
      unlocks: fc.boolean(),
      waitMs: fc.constantFrom(0, 1, 20_000, 60_000, 60_001),
    })
    check(
      500,
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { time, locks } = locksAt()
        const model = new Map<number, { client: string; at: number }>()
        for (const { client, queueId, unlocks, waitMs } of steps) {
          time.advance(waitMs)
          const now = time.monotonic()
          const held = model.get(queueId)
          const isFree = held === undefined || held.client === client || now - held.at > 60_000
          if (unlocks) {
            locks.unlock('g', [queue(queueId)], client)
            if (held?.client === client) model.delete(queueId)
          } else {
            assert.equal(locks.lock('g', [queue(queueId)], client).length, isFree ? 1 : 0)
            if (isFree) model.set(queueId, { client, at: now })
          }
          const after = model.get(queueId)
          assert.equal(locks.holder('g', queue(queueId)), after && now - after.at <= 60_000 ? after.client : undefined)
        }
      }),
    )
  })
})
