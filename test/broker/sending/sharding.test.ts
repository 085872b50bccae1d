import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadXxh64 } from '../../../lib/base/xxh64.js'
import { loadSharding } from '../../../lib/broker/sending/sharding.js'

/** Stored messages rely on these numbers. A release that changes one of them is broken. */
const golden: readonly [key: string, ofQueues: Readonly<Record<number, number>>][] = [
  ['', { 1: 0, 3: 0, 4: 1, 8: 1, 16: 9, 1000: 921 }],
  ['a', { 1: 0, 3: 2, 4: 3, 8: 3, 16: 11, 1000: 955 }],
  ['order-17', { 1: 0, 3: 0, 4: 1, 8: 5, 16: 13, 1000: 157 }],
  ['Zürich', { 1: 0, 3: 0, 4: 1, 8: 1, 16: 9, 1000: 233 }],
  ['東京', { 1: 0, 3: 0, 4: 0, 8: 4, 16: 4, 1000: 924 }],
  ['👍', { 1: 0, 3: 1, 4: 1, 8: 5, 16: 5, 1000: 245 }],
]

describe('sharding keys', () => {
  test('go to the same queues in every release', async () => {
    const queueOf = await loadSharding()
    for (const [key, ofQueues] of golden)
      for (const [queues, queueId] of Object.entries(ofQueues)) assert.equal(queueOf(key, Number(queues)), queueId, key)
  })

  test('are hashed by XXH64 as its specification has it', async () => {
    const { h64 } = await loadXxh64()
    assert.equal(h64(''), 0xef46db3751d8e999n)
    assert.equal(h64('a'), 0xd24ec4f1a98c6e5bn)
  })

  test('with half of a surrogate pair count as U+FFFD, as they would be stored', async () => {
    const queueOf = await loadSharding()
    assert.equal(queueOf('a\ud800', 1000), queueOf('a\ufffd', 1000))
  })

  test('spread evenly: of 100,000 keys no queue of 16 gets a tenth more or less than its share', async () => {
    const queueOf = await loadSharding()
    const counts = new Array<number>(16).fill(0)
    for (let i = 0; i < 100_000; i++) counts[queueOf(`customer-${i}`, 16)]!++
    assert.ok(
      counts.every((count) => Math.abs(count - 6_250) < 625),
      counts.join(' '),
    )
  })

  test('stay or go to one new queue when the number of queues doubles', async () => {
    const queueOf = await loadSharding()
    for (let i = 0; i < 1_000; i++) assert.equal(queueOf(`k${i}`, 16) % 8, queueOf(`k${i}`, 8))
  })

  test('have no queue among none', async () => {
    const queueOf = await loadSharding()
    for (const queues of [0, -1, 1.5, Number.NaN]) assert.throws(() => queueOf('k', queues), RangeError)
  })
})
