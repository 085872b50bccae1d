/** Texts that end in a number: what is remembered of the last one is what anybody would make of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { blockOf } from '../../lib/format/block.js'
import { countedText, isLastCounted, textHead, writeLastCounted } from '../../lib/format/counted-text.js'
import { javaHash, javaHashContinue } from '../../lib/format/hash.js'
import { MessageEncoder } from '../../lib/store/writing/encoder.js'

const NUMBERS = [0, 1, 9, 10, 255, 256, 0xabcd, 0xffff]

/** The same text, made in another way. */
const again = (text: string): string => Buffer.from(text).toString()

describe('a counted text', () => {
  test('is not the empty one while none was made', () => {
    assert.ok(!isLastCounted(''))
  })

  test('is its head and four digits, and is written and hashed as any text is, whatever the length of the head', () => {
    for (let length = 0; length <= 53; length++) {
      const head = textHead('C0000221F~'.repeat(6).slice(0, length))
      for (const number of NUMBERS) {
        const text = countedText(head, number)
        assert.equal(text, head.text + number.toString(16).toUpperCase().padStart(4, '0'))
        const block = blockOf(Buffer.alloc(80))
        const seed = javaHash('orders#')
        assert.equal(writeLastCounted(block, 5, seed), javaHashContinue(seed, again(text)))
        assert.equal(block.bytes.toString('latin1', 5, 5 + text.length), again(text))
      }
    }
  })

  test('is known as the last one until another is made, and by what it says', () => {
    const first = countedText(textHead('head'), 7)
    assert.ok(isLastCounted(first) && isLastCounted(again(first)))
    const second = countedText(textHead('head'), 8)
    assert.ok(isLastCounted(second) && !isLastCounted(first) && !isLastCounted(''))
  })

  test('as the unique key of a message gives the same record, byte for byte, as a text that is not remembered', () => {
    const encoder = new MessageEncoder({ maxBodyBytes: 1000, recordCrc: true, storeHost: '127.0.0.1:1', nextOffsets: () => [] })
    const topic = { topic: 'orders', bytes: Buffer.from('orders'), keySeed: javaHash('orders#') }
    const recordOf = (uniqueKey: string) => {
      // What stands there from before must not show.
      const block = blockOf(Buffer.alloc(1000, 0xee))
      const end = encoder.encode(block, 3, { topic: 'orders', body: 'x', tags: 'paid', keys: 'k1', uniqueKey }, topic, 1000)
      // Offsets and time are filled in later.
      return [
        block.bytes.toString('latin1', 47, 56),
        block.bytes.toString('latin1', 75, end),
        end,
        encoder.keyHashes,
        encoder.size,
      ]
    }
    for (const length of [20, 28, 29, 30, 31, 52]) {
      const text = countedText(textHead('9'.repeat(length)), 0xfe01)
      const quick = recordOf(text)
      countedText(textHead(''), 0)
      assert.deepEqual(quick, recordOf(again(text)))
    }
  })
})
