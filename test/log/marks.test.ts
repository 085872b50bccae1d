/** Ranges and marks: what is read back is what was written, and damage is never believed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { DurableMark, decodeMark, encodeMark, MARK_BYTES, readMark } from '../../lib/log/marks.js'
import { decodeRanges, encodeRanges, inRanges, settleRanges } from '../../lib/log/ranges.js'

const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const plain = { noNullPrototype: true } as const
const times = fc.record({ physicMs: offset, logicsMs: offset, indexMs: offset }, plain)
const mark = fc.record(
  { logEnd: offset, viewsEnd: offset, lockMs: offset, unflushedBound: offset, checkpoint: times, nextCheckpoint: times },
  plain,
)
const ranges = fc.uniqueArray(fc.nat(1000), { maxLength: 20 }).map((numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return Array.from({ length: Math.floor(sorted.length / 2) }, (_, i) => ({ from: sorted[2 * i]!, to: sorted[2 * i + 1]! }))
})

describe('marks', () => {
  test('a mark reads back as it was written, under its own kind only', () => {
    fc.assert(
      fc.property(mark, fc.constantFrom('durable' as const, 'clean' as const), (content, kind) => {
        const { bytes } = encodeMark(kind, content)
        assert.equal(bytes.length, MARK_BYTES)
        assert.deepEqual(decodeMark(kind, bytes), content)
        assert.equal(decodeMark(kind === 'clean' ? 'durable' : 'clean', bytes), undefined)
      }),
    )
  })

  test('with any bit flipped, or cut short, it is no mark', () => {
    const times = { physicMs: 1, logicsMs: 2, indexMs: 3 }
    const content = { logEnd: 5, viewsEnd: 4, lockMs: 6, unflushedBound: 7, checkpoint: times, nextCheckpoint: times }
    const { bytes } = encodeMark('durable', content)
    for (let bit = 0; bit < MARK_BYTES * 8; bit++) {
      const copy = Buffer.from(bytes)
      copy[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(decodeMark('durable', copy), undefined, `bit ${bit}`)
    }
    const unsafe = encodeMark('durable', { ...content, logEnd: 2 ** 53 })
    assert.equal(decodeMark('durable', unsafe.bytes), undefined)
    for (let length = 0; length < MARK_BYTES; length++) assert.equal(decodeMark('durable', bytes.subarray(0, length)), undefined)
  })

  test('the file of the durable mark holds the last one written', async () => {
    const disk = new MemoryDisk()
    const zero = { physicMs: 0, logicsMs: 0, indexMs: 0 }
    assert.equal(readMark(disk, '/durable', 'durable'), undefined)
    const file = new DurableMark(disk, '/durable')
    for (const logEnd of [1, 1000, 2]) {
      file.write({ logEnd, viewsEnd: 0, lockMs: 0, unflushedBound: 0, checkpoint: zero, nextCheckpoint: zero })
      assert.equal(readMark(disk, '/durable', 'durable')?.logEnd, logEnd)
    }
    await file.flush()
    file.close()
  })
})

describe('ranges', () => {
  test('ranges read back as they were written, the open one too', () => {
    fc.assert(
      fc.property(ranges, fc.boolean(), (list, isOpen) => {
        const all = isOpen ? [...list, { from: 5000, to: Number.POSITIVE_INFINITY }] : list
        assert.deepEqual(decodeRanges(encodeRanges(all)), all)
      }),
    )
  })

  test('with any bit flipped the ranges are not believed', () => {
    const bytes = encodeRanges([
      { from: 0, to: 100 },
      { from: 200, to: Number.POSITIVE_INFINITY },
    ])
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = Buffer.from(bytes)
      copy[bit >> 3]! ^= 1 << (bit & 7)
      assert.deepEqual(decodeRanges(copy), [], `bit ${bit}`)
    }
    assert.deepEqual(decodeRanges(undefined), [])
    assert.deepEqual(decodeRanges(Buffer.alloc(0)), [])
  })

  test('settled, they hold the same addresses within the bounds, in order, joined and not empty', () => {
    fc.assert(
      fc.property(ranges, fc.nat(1000), fc.nat(1000), (list, a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        const settled = settleRanges(list, start, end)
        for (let address = 0; address <= 1001; address += 7) {
          const wanted = address >= start && address < end && list.some(({ from, to }) => address >= from && address < to)
          assert.equal(inRanges(settled, address), wanted, String(address))
        }
        settled.forEach(({ from, to }, i) => {
          assert.ok(from < to)
          assert.ok(i === 0 || settled[i - 1]!.to < from)
        })
      }),
    )
  })
})
