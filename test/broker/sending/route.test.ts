import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageQueue } from '../../../lib/broker/group/message-queue.js'
import { awayFor, FaultTable, faultScale, oldFaultScale } from '../../../lib/broker/sending/fault-table.js'
import { QueueRotation, readableQueues, writableQueues } from '../../../lib/broker/sending/route.js'
import { ManualTime } from '../../support/manual-time.js'

const shares = [
  { brokerName: 'b', readQueues: 1, writeQueues: 2, permission: 6 },
  { brokerName: 'a', readQueues: 2, writeQueues: 1, permission: 4 },
  { brokerName: 'c', readQueues: 1, writeQueues: 1, permission: 2 },
]

function names(queues: readonly (MessageQueue | undefined)[]): string[] {
  return queues.map((queue) => (queue === undefined ? 'none' : queue.brokerName + queue.queueId))
}

function twoEach(...brokers: string[]): MessageQueue[] {
  return writableQueues(
    't',
    brokers.map((brokerName) => ({ brokerName, readQueues: 2, writeQueues: 2, permission: 6 })),
  )
}

function turns(n: number, next: () => MessageQueue | undefined): string[] {
  return names(Array.from({ length: n }, next))
}

describe('the queues of a topic', () => {
  test('are written where the topic may be written, and read where it may be read', () => {
    assert.deepEqual(names(writableQueues('t', shares)), ['b0', 'b1', 'c0'])
    assert.deepEqual(names(readableQueues('t', shares)), ['a0', 'a1', 'b0'])
    assert.equal(writableQueues('t', shares)[0]!.topic, 't')
  })

  test('are chosen in turn', () => {
    const rotation = new QueueRotation(1)
    assert.deepEqual(
      turns(5, () => rotation.next(twoEach('a', 'b'))),
      ['a1', 'b0', 'b1', 'a0', 'a1'],
    )
    assert.equal(rotation.next([]), undefined)
    assert.deepEqual([new QueueRotation(7).nextId(4), new QueueRotation(Number.MAX_SAFE_INTEGER).nextId(1)], [3, 0])
  })

  test('are chosen from another broker than the one that just failed, unless there is no other', () => {
    const rotation = new QueueRotation()
    assert.deepEqual(
      turns(4, () => rotation.next(twoEach('a', 'b'), { avoid: 'a' })),
      ['b0', 'b1', 'b0', 'b1'],
    )
    assert.equal(rotation.next(twoEach('a'), { avoid: 'a' })?.brokerName, 'a')
  })

  test('are chosen from brokers that are available, or else that can be reached, or else from any', () => {
    const time = new ManualTime()
    const faults = new FaultTable(time)
    const rotation = new QueueRotation()
    const used = (brokers: readonly string[], avoid?: string): string =>
      [...new Set(turns(8, () => rotation.next(twoEach(...brokers), { avoid, faults })).map((name) => name[0]))].join('')
    assert.equal(used(['a', 'b', 'c']), 'abc')
    faults.answered('a', 600)
    assert.equal(used(['a', 'b', 'c']), 'bc')
    faults.failed('b', false)
    assert.equal(used(['a', 'b', 'c'], 'c'), 'a')
    assert.equal(used(['b', 'c'], 'c').length, 2)
    time.advance(2_000)
    assert.equal([...used(['a', 'b', 'c'])].sort().join(''), 'ac')
  })
})

describe('the fault table', () => {
  test('keeps a broker out for as long as the release says that its delay is worth', () => {
    const expected: [latencyMs: number, now: number, old: number][] = [
      [0, 0, 0],
      [549, 0, 0],
      [550, 2_000, 30_000],
      [1_000, 2_000, 60_000],
      [1_800, 5_000, 60_000],
      [2_000, 5_000, 120_000],
      [3_000, 6_000, 180_000],
      [5_000, 10_000, 180_000],
      [15_000, 30_000, 600_000],
      [99_000, 30_000, 600_000],
    ]
    for (const [latencyMs, now, old] of expected) {
      assert.equal(awayFor(faultScale, latencyMs), now, `${latencyMs} ms`)
      assert.equal(awayFor(oldFaultScale, latencyMs), old, `${latencyMs} ms`)
    }
  })

  test('lets a broker in again when its time is over', () => {
    const time = new ManualTime()
    const faults = new FaultTable(time)
    faults.answered('a', 3_000)
    time.advance(5_999)
    assert.equal(faults.isAvailable('a'), false)
    time.advance(1)
    assert.equal(faults.isAvailable('a'), true)
    assert.equal(faults.isAvailable('b'), true)
  })

  test('is not shortened by a quick answer, and is lengthened by a slow one', () => {
    const time = new ManualTime()
    const faults = new FaultTable(time)
    faults.answered('a', 15_000)
    faults.answered('a', 1)
    time.advance(29_000)
    assert.equal(faults.isAvailable('a'), false)
    faults.answered('a', 550)
    time.advance(1_500)
    assert.equal(faults.isAvailable('a'), false)
    time.advance(500)
    assert.equal(faults.isAvailable('a'), true)
  })

  test('counts a failed send as ten seconds, and remembers whether the broker could be reached', () => {
    const time = new ManualTime()
    const faults = new FaultTable(time)
    faults.failed('a', false)
    assert.deepEqual([faults.isAvailable('a'), faults.isReachable('a')], [false, false])
    faults.failed('a', true)
    assert.equal(faults.isReachable('a'), true)
    time.advance(9_999)
    assert.equal(faults.isAvailable('a'), false)
    faults.remove('a')
    assert.deepEqual([faults.isAvailable('a'), faults.isReachable('a')], [true, true])
  })
})
