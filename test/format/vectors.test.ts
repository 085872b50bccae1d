/** What RocketMQ wrote, in everything but records: entries, hashes, ids, names. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { blockOf, zeroBlock } from '../../lib/format/block.js'
import { crc32, crc32Copied, crc32OfBoth } from '../../lib/format/crc.js'
import { indexKeyHash, javaHash, javaHashContinue, unsigned } from '../../lib/format/hash.js'
import { hostText, parseHost } from '../../lib/format/host.js'
import { entryPosition, indexFileBytes, slotPosition } from '../../lib/format/index-layout.js'
import { decodeOffsetMessageId, encodeOffsetMessageId } from '../../lib/format/message-id.js'
import {
  checkTopic,
  indexFileName,
  isIndexFileName,
  isTopic,
  parseQueueId,
  parseSegmentName,
  segmentName,
} from '../../lib/format/names.js'
import { FILLER_SIZE, isEntry, isFiller, writeQueueEntry } from '../../lib/format/queue-entry.js'
import { IndexEntry } from '../../lib/format/tables.js'
import { parseTags, SCHEDULE_TOPIC, tagsCodeOf } from '../../lib/format/tags.js'

const UNIQUE_KEY = '0A010203000018B4AAC2000000000000'
const hexOf = (spaced: string): string => spaced.replaceAll(/\s/g, '').toLowerCase()

describe('hashes', () => {
  test('are those of Java, in every script', () => {
    for (const [text, hash] of [
      ['', 0],
      ['TagA', 2_598_919],
      ['TagB', 2_598_920],
      ['中文', 646_394],
      ['AaAaAa', 1_952_508_096],
      ['BBBBBB', 1_952_508_096],
      ['polygenelubricants', -2_147_483_648],
      // A character beyond 16 bits counts as its two halves.
      ['😀', 1_772_899],
    ] as const) {
      assert.equal(javaHash(text), hash, text)
      assert.equal(javaHashContinue(javaHash(text.slice(0, 1)), text.slice(1)), hash, text)
    }
  })

  test('of keys have no sign, and the one without a positive form is 0', () => {
    assert.equal(unsigned(javaHash('polygenelubricants')), 0)
    assert.equal(unsigned(-1), 1)
    assert.equal(indexKeyHash('TopicTest', 'k1'), 0x0029e6a8)
    assert.equal(indexKeyHash('TopicTest', UNIQUE_KEY), 0x78818c1f)
  })
})

describe('queue entries', () => {
  const hex = (commitLogOffset: number, size: number, tagsCode: number): string => {
    const { bytes, view } = zeroBlock(20)
    writeQueueEntry(view, 0, commitLogOffset, size, tagsCode)
    return bytes.toString('hex')
  }

  test('are those of the reference runs', () => {
    assert.equal(hex(0, 173, javaHash('TagA')), hexOf('0000000000000000 000000AD 000000000027A807'))
    assert.equal(hex(173, 173, javaHash('TagA')), hexOf('00000000000000AD 000000AD 000000000027A807'))
    assert.equal(hex(0, FILLER_SIZE, 0), hexOf('0000000000000000 7FFFFFFF 0000000000000000'))
  })

  test('carry the sign of a tags code over all 64 bits, and addresses beyond 32', () => {
    assert.equal(hex(2 ** 53 - 1, 1, -1), hexOf('001FFFFFFFFFFFFF 00000001 FFFFFFFFFFFFFFFF'))
    assert.equal(hex(2 ** 31, 1, -(2 ** 31)), hexOf('0000000080000000 00000001 FFFFFFFF80000000'))
  })

  test('of delayed messages hold the time when they are due', () => {
    const stored = 0x1a1fbbbf88d
    assert.equal(tagsCodeOf(SCHEDULE_TOPIC, { DELAY: '3', TAGS: 'TagA' }, stored), 0x1a1fbbc1f9d)
    assert.equal(tagsCodeOf(SCHEDULE_TOPIC, { DELAY: '18' }, stored), stored + 7_200_000)
    assert.equal(tagsCodeOf(SCHEDULE_TOPIC, { DELAY: '99' }, stored), stored + 7_200_000)
    assert.equal(tagsCodeOf(SCHEDULE_TOPIC, { TAGS: 'TagA' }, stored), 2_598_919)
    assert.equal(tagsCodeOf('t', { DELAY: '3' }, stored), 0)
    for (const level of ['0', '-1', 'x', '']) assert.equal(tagsCodeOf(SCHEDULE_TOPIC, { DELAY: level }, stored), 0, level)
    assert.equal(tagsCodeOf(SCHEDULE_TOPIC, { DELAY: '1.5' }, stored), stored + 1000, 'an unknown level')
  })

  test('end at the first that is zero, and a filler is one', () => {
    const { view } = zeroBlock(40)
    assert.equal(isEntry(view, 0), false)
    writeQueueEntry(view, 20, 0, FILLER_SIZE, 0)
    assert.deepEqual([isEntry(view, 20), isFiller(view, 20)], [true, true])
    writeQueueEntry(view, 20, 1, FILLER_SIZE, 0)
    assert.deepEqual([isEntry(view, 20), isFiller(view, 20)], [true, false])
  })
})

describe('index files', () => {
  test('have their parts where the reference run has them', () => {
    assert.equal(indexFileBytes(10, 20), 480)
    assert.equal(indexFileBytes(5_000_000, 20_000_000), 420_000_040)
    assert.equal(slotPosition(9), 76)
    assert.equal(entryPosition(10, 1), 100)
    const entry = { keyHash: indexKeyHash('TopicTest', 'k1'), commitLogOffset: 0xadn, seconds: 0, previous: 2 }
    assert.equal(IndexEntry.encode(entry).toString('hex'), hexOf('0029E6A8 00000000000000AD 00000000 00000002'))
  })
})

describe('message ids and hosts', () => {
  test('are those of the reference run', () => {
    const id = 'C0A8000900002A9F00000000000000AD'
    assert.equal(encodeOffsetMessageId(parseHost('192.168.0.9:10911'), 173), id)
    assert.deepEqual(decodeOffsetMessageId(id), { storeHost: '192.168.0.9:10911', commitLogOffset: 173 })
  })

  test('with IPv6 have 56 digits', () => {
    const id = encodeOffsetMessageId(parseHost('[2001:db8::1]:10911'), 2 ** 53 - 1)
    assert.equal(id, '20010DB800000000000000000000000100002A9F001FFFFFFFFFFFFF')
    assert.deepEqual(decodeOffsetMessageId(id), { storeHost: '[2001:db8::1]:10911', commitLogOffset: 2 ** 53 - 1 })
    const beyond = [id.replace('001FFFFFFFFFFFFF', '0020000000000000'), id.replace('001FFFFFFFFFFFFF', 'FFFFFFFFFFFFFFFF')]
    for (const text of [...beyond, id.slice(1), `${id}0`, '', 'G'.repeat(32)])
      assert.equal(decodeOffsetMessageId(text), undefined)
  })

  test('are written in the short form of RFC 5952', () => {
    for (const [given, text] of [
      ['[::]:0', '[::]:0'],
      ['[::1]:65535', '[::1]:65535'],
      ['[1:0:0:2:0:0:0:3]:1', '[1:0:0:2::3]:1'],
      ['[0:0:1:0:0:1:0:0]:1', '[::1:0:0:1:0:0]:1'],
      ['[1:0:1:1:1:1:1:1]:1', '[1:0:1:1:1:1:1:1]:1'],
      ['[::FFFF:10.1.2.3]:1', '[::ffff:a01:203]:1'],
      ['[1:2:3:4:5:6:7::]:1', '[1:2:3:4:5:6:7:0]:1'],
      ['0.0.0.0:0', '0.0.0.0:0'],
    ] as const) {
      assert.equal(hostText(parseHost(given)), text)
    }
  })

  test('that are none are refused by name', () => {
    for (const text of [
      '',
      '1.2.3.4',
      '1.2.3.4:',
      '1.2.3:1',
      '256.1.1.1:1',
      '1.2.3.4:65536',
      '::1:1',
      '[::1]',
      '[::g]:1',
      'a:1',
    ]) {
      assert.throws(() => parseHost(text), RangeError, text)
    }
  })
})

describe('names', () => {
  test('of segments are addresses in 20 digits', () => {
    assert.equal(segmentName(2 ** 30), '00000000001073741824')
    assert.equal(parseSegmentName('00000000001073741824'), 2 ** 30)
    assert.equal(parseSegmentName('00009007199254740991'), 2 ** 53 - 1)
    for (const name of ['00009007199254740992', '1073741824', '0000000000107374182x', '000000000010737418240', '']) {
      assert.equal(parseSegmentName(name), undefined, name)
    }
  })

  test('of index files are local times to the millisecond', () => {
    assert.equal(indexFileName(new Date(2024, 0, 2, 3, 4, 5, 6).getTime()), '20240102030405006')
    assert.ok(isIndexFileName('20240102030405006'))
    assert.ok(!isIndexFileName('2024010203040500') && !isIndexFileName('20240102030405006.tmp'))
  })

  test('of queues are numbers as Java writes them', () => {
    for (const id of [0, 7, 2 ** 31 - 1]) assert.equal(parseQueueId(String(id)), id)
    for (const name of ['', '00', '01', '-1', '2147483648', '1.tmp', ' 1']) assert.equal(parseQueueId(name), undefined, name)
  })

  test('of topics have 127 bytes at most, of retry and dead-letter topics 255', () => {
    for (const topic of ['a', 'a'.repeat(127), `%RETRY%${'g'.repeat(248)}`, `%DLQ%${'g'.repeat(250)}`, 'a|b-c_D%9']) {
      checkTopic(topic)
      assert.ok(isTopic(topic))
    }
    for (const topic of ['', 'a'.repeat(128), `%RETRY%${'g'.repeat(249)}`, 'a/b', '..', 'a b', 'ü', 'a\u0000', 'a\n']) {
      assert.throws(() => checkTopic(topic), MessageStoreError, topic)
      assert.ok(!isTopic(topic))
    }
    assert.throws(() => checkTopic(7 as unknown as string), TypeError)
  })
})

describe('tags', () => {
  test('are all, or a list with its hashes', () => {
    assert.equal(parseTags(' * '), undefined)
    assert.deepEqual(parseTags('TagA'), { tags: ['TagA'], hashes: [2_598_919] })
    assert.deepEqual(parseTags(' TagA||  TagB || '), { tags: ['TagA', 'TagB'], hashes: [2_598_919, 2_598_920] })
    assert.throws(() => parseTags(' || '), RangeError)
    assert.throws(() => parseTags(undefined as unknown as string), TypeError)
  })
})

describe('CRC-32', () => {
  test('is that of zlib at every length, alignment and seed, on both sides of where zlib takes over', () => {
    assert.equal(crc32(blockOf(Buffer.from('123456789')), 0, 9), 0xcbf43926)
    const block = blockOf(Buffer.from(Array.from({ length: 1600 }, (_, i) => (i * 37 + (i >> 3)) & 255)))
    for (let start = 0; start < 9; start++) {
      const whole = crc32(block, start, start + 1500)
      for (let length = 0; length < 1500; length += length < 40 ? 1 : 61) {
        const first = crc32(block, start, start + length)
        assert.equal(crc32(block, start + length, start + 1500, first), whole, `${start} ${length}`)
      }
    }
  })

  test('of a range that is copied on the way is the same, and the copy is whole, with nothing beside it', () => {
    const block = blockOf(Buffer.from(Array.from({ length: 1600 }, (_, i) => (i * 37 + (i >> 3)) & 255)))
    for (let start = 0; start < 5; start++) {
      for (let length = 0; length < 1500; length += length < 80 ? 1 : 61) {
        const to = blockOf(Buffer.alloc(1600, 0xee))
        const toAt = 3 * start + 1
        assert.equal(
          crc32Copied(block, start, start + length, to, toAt),
          crc32(block, start, start + length),
          `${start} ${length}`,
        )
        const expected = Buffer.alloc(1600, 0xee)
        block.bytes.copy(expected, toAt, start, start + length)
        assert.deepEqual(to.bytes, expected, `${start} ${length}`)
      }
    }
  })

  test('of two ranges together follows from theirs, whatever the length of the second', () => {
    const block = blockOf(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 41 + (i >> 4)) & 255)))
    for (let length = 0; length <= 5000; length += length < 300 ? 1 : 97) {
      const first = crc32(block, 0, 5000 - length)
      const second = crc32(block, 5000 - length, 5000)
      assert.equal(crc32OfBoth(first, second, length), crc32(block, 0, 5000), String(length))
      assert.equal(crc32OfBoth(first | 0, second | 0, length), crc32(block, 0, 5000), `${length}, signed`)
    }
  })
})
