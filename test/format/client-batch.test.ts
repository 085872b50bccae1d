/** The body of a client's batch: its bytes, and every length in it doubted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { type BatchedMessage, decodeClientBatch, encodeClientBatch } from '../../lib/format/client-batch.js'
import { encodeProperties } from '../../lib/format/properties.js'

const one: BatchedMessage = { flag: -7, body: Buffer.from('hello'), properties: encodeProperties({ TAGS: 'a' }) }
const two: BatchedMessage = { flag: 1, body: Buffer.alloc(0), properties: Buffer.alloc(0) }
const ONE = '00000022 00000000 00000000 fffffff9 00000005 68656c6c6f 0007 54414753016102'.replaceAll(' ', '')
const TWO = '00000016 00000000 00000000 00000001 00000000 0000'.replaceAll(' ', '')

const illegal = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof MessageStoreError && error.code === 'MESSAGE_ILLEGAL', String(error))
  assert.match(error.message, pattern)
  return true
}

describe('a batch of a client', () => {
  test('is its messages one behind the other', () => {
    const bytes = encodeClientBatch([one, two])
    assert.equal(bytes.toString('hex'), ONE + TWO)
    assert.deepEqual(decodeClientBatch(bytes), [one, two])
    assert.deepEqual(decodeClientBatch(encodeClientBatch([])), [])
  })

  test('is read whatever stands in magic and CRC, which nobody writes', () => {
    const bytes = encodeClientBatch([one])
    bytes.fill(0xff, 4, 12)
    assert.deepEqual(decodeClientBatch(bytes), [one])
  })

  test('shares its memory with the messages read from it', () => {
    const bytes = encodeClientBatch([one])
    const [message] = decodeClientBatch(bytes)
    bytes[20] = 0x48
    assert.equal(Buffer.from(message!.body).toString(), 'Hello')
  })

  test('cut short anywhere but between messages is refused', () => {
    const bytes = encodeClientBatch([one, two])
    for (let length = 1; length < bytes.length; length++) {
      if (length === ONE.length / 2) continue
      const index = length < ONE.length / 2 ? 0 : 1
      assert.throws(() => decodeClientBatch(bytes.subarray(0, length)), illegal(new RegExp(`message ${index} `)), `${length}`)
    }
  })

  test('with any length too small, too large or negative is refused', () => {
    const numbers: [at: number, width: 2 | 4][] = [
      [0, 4],
      [16, 4],
      [25, 2],
    ]
    for (const [at, width] of numbers) {
      const good = encodeClientBatch([one, two])
      const right = good.readIntBE(at, width)
      for (const wrong of [right - 1, right + 1, -1, -right, 2 ** (8 * width - 1) - 1, -(2 ** (8 * width - 1)), 0, 21]) {
        const bytes = Buffer.from(good)
        bytes.writeIntBE(wrong, at, width)
        assert.throws(() => decodeClientBatch(bytes), illegal(/message [01] /), `${wrong} at ${at}`)
      }
    }
  })

  test('carries properties of 32,767 bytes and refuses 32,768', () => {
    const large = { ...one, properties: Buffer.alloc(32_767, 'p') }
    assert.deepEqual(decodeClientBatch(encodeClientBatch([large])), [large])
    const over = { ...one, properties: Buffer.alloc(32_768) }
    assert.throws(() => encodeClientBatch([over]), /MESSAGE_TOO_LARGE.*32768/)
  })
  test('beyond 2^31 - 1 bytes is refused before memory for it is taken', () => {
    const huge = { ...one, body: { length: 2 ** 30 } as Uint8Array }
    assert.throws(() => encodeClientBatch([huge, huge]), /MESSAGE_TOO_LARGE.*at most 2\^31 - 1/)
  })
})
