/** Declared layouts: what a declaration refuses, what it prints, and that the tables add up. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { struct } from '../../lib/format/struct.js'
import * as tables from '../../lib/format/tables.js'

const Sample = struct('Sample', 22, {
  small: [0, 'i8', 'a byte'],
  count: [1, 'u8', ''],
  short: [2, 'i16', ''],
  wide: [4, 'i64', 'needs a bigint'],
  digest: [12, '4 bytes', 'raw'],
  rest: [16, '2 zeros', ''],
  crc: [18, 'u32', ''],
})

describe('a declaration', () => {
  test('with a hole, an overlap or a wrong sum is refused and says where', () => {
    assert.throws(() => struct('S', 8, { a: [0, 'i32', ''], b: [5, 'i32', ''] }), /S\.b is declared at 5.*ends at 4/)
    assert.throws(() => struct('S', 8, { a: [0, 'i32', ''], b: [3, 'i32', ''] }), /S\.b is declared at 3/)
    assert.throws(() => struct('S', 9, { a: [0, 'i32', ''], b: [4, 'i32', ''] }), /take 8 bytes, not 9/)
    assert.throws(() => struct('S', 4, { a: [0, '0 bytes', ''] }), /S\.a has no width/)
  })

  test('gives offsets and length as literal types', () => {
    const at: 18 = Sample.at.crc
    const bytes: 22 = Sample.bytes
    assert.deepEqual([at, bytes], [18, 22])
  })

  test('prints its table', () => {
    assert.equal(
      struct('Pair', 12, { first: [0, 'i64', 'the one'], second: [8, 'i32', 'the other'] }).describe(),
      [
        'Pair: 12 bytes',
        '',
        '| offset | type | field | meaning |',
        '|---|---|---|---|',
        '| 0 | i64 | first | the one |',
        '| 8 | i32 | second | the other |',
      ].join('\n'),
    )
  })
})

describe('the slow codec', () => {
  const values = { small: -1, count: 255, short: -32_768, wide: -(2n ** 63n), digest: Buffer.from('abcd'), crc: 2 ** 32 - 1 }

  test('writes big-endian two’s complement and reads it back', () => {
    const bytes = Sample.encode(values)
    assert.equal(bytes.toString('hex'), 'ffff80008000000000000000616263640000ffffffff')
    assert.deepEqual(Sample.decode(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)), values)
  })

  test('refuses values that do not fit their field, and a view that is too short', () => {
    for (const wrong of [{ small: 128 }, { count: -1 }, { short: 0.5 }, { wide: 2n ** 63n }, { digest: Buffer.alloc(3) }]) {
      assert.throws(() => Sample.encode({ ...values, ...wrong }), RangeError, Object.keys(wrong)[0])
    }
    const view = new DataView(new ArrayBuffer(22))
    for (const at of [-1, 1]) assert.throws(() => Sample.decode(view, at), /needs 22 bytes/)
  })
})

describe('the tables of the store', () => {
  test('have the lengths that RocketMQ and the marks have', () => {
    const lengths = Object.fromEntries(Object.values(tables).map(({ name, bytes }) => [name, bytes]))
    assert.deepEqual(lengths, {
      RecordHead: 48,
      RecordStored: 8,
      RecordBodyHead: 16,
      HostV4: 8,
      HostV6: 20,
      BlankHead: 8,
      QueueEntry: 20,
      BatchQueueEntry: 46,
      IndexHead: 40,
      IndexSlot: 4,
      IndexEntry: 20,
      Checkpoint: 4096,
      Mark: 128,
      ClientBatchHead: 20,
    })
  })
})
