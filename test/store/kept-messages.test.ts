/** Messages that a reader keeps while the store goes on: they stay as they were, wherever they were read from. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StoredMessage } from '../../lib/index.js'
import { openStore } from '../support/open-store.js'
import { Random } from '../support/random.js'

const KIB = 1024

describe('a message that was read while it was new', () => {
  for (const [name, most] of [
    ['small', 300],
    ['of any size', 9 * KIB],
  ] as const) {
    test(`stays as it was while the memory of the newest messages is used again: ${name}`, async (t) => {
      const random = new Random(most)
      const options = { tailBytes: 128 * KIB, segmentBytes: KIB * KIB, queueSegmentEntries: 1000, index: { enabled: false } }
      const store = await openStore(t, { options })
      const bodyOf = (i: number): Buffer => Buffer.alloc(1 + ((i * 7919) % most), String(i).padStart(8, '.'))
      const kept: { message: StoredMessage; i: number }[] = []
      const offsets = [0, 0]
      let next = 0
      while (next * most < 10 * KIB * KIB) {
        const count = random.between(1, 200)
        const puts = Array.from({ length: count }, (_, k) => {
          const i = next + k
          return store.put({ topic: 't', queueId: i % 2, body: bodyOf(i), tags: `tag${i}`, keys: `k${i}` })
        })
        await Promise.all(puts)
        next += count
        for (const queueId of [0, 1]) {
          // Some are read when they are new, others when they have left the memory.
          if (random.chance(0.3)) continue
          const offset = offsets[queueId]!
          const { messages, nextOffset } = await store.get({ topic: 't', queueId, offset, maxMessages: random.between(1, 300) })
          offsets[queueId] = nextOffset
          for (const message of messages) kept.push({ message, i: message.queueOffset * 2 + queueId })
        }
      }
      assert.ok(kept.length > next / 2)
      for (const { message, i } of kept) {
        assert.ok(message.body.equals(bodyOf(i)), `message ${i}`)
        assert.equal(message.tags, `tag${i}`)
        assert.deepEqual(message.keys, [`k${i}`])
        assert.equal(message.record.readInt32BE(0), message.size)
      }
    })
  }
  test('is read again from the file, not from memory that holds others by then', async (t) => {
    const options = { tailBytes: 128 * KIB, segmentBytes: KIB * KIB, queueSegmentEntries: 1000, index: { enabled: false } }
    const store = await openStore(t, { options })
    const put = (i: number) => store.put({ topic: 't', body: Buffer.alloc(100, i) })
    for (let i = 0; i < 10; i++) await put(i)
    for (let round = 0; round < 5; round++) {
      const { messages } = await store.get({ topic: 't', offset: 0, maxMessages: 10 })
      assert.deepEqual(
        messages.map(({ body }) => body[0]),
        Array.from({ length: 10 }, (_, i) => i),
      )
      for (let i = 0; i < 30; i++) await Promise.all(Array.from({ length: 100 }, () => put(200)))
    }
  })
})
