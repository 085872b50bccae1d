/** The record: RocketMQ's own bytes, the edges of every length, and what a check makes of damage. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Block, blockOf, zeroBlock } from '../../lib/format/block.js'
import { crc32 } from '../../lib/format/crc.js'
import { parseHost } from '../../lib/format/host.js'
import { crcPropertyAt, encodeProperties, parseProperties, readCrcProperty } from '../../lib/format/properties.js'
import {
  CheckLevel,
  checkRecord,
  Finding,
  findingName,
  MAGIC_V1,
  MAGIC_V2,
  MIN_RECORD_BYTES,
  RecordAt,
  SysFlag,
  writeBlank,
} from '../../lib/format/record.js'
import { bytesWithCrc, crcOf, hotRecord, partsOf, type RecordParts, slowRecord } from '../support/records.js'

/** The message of the vectors, as 4.9.8 wrote it. */
const VECTOR: RecordParts = {
  queueId: 0,
  flag: 7,
  sysFlag: 0,
  bornTimestamp: 0x18bcfe56800,
  bornHost: parseHost('10.1.2.3:54321'),
  storeHost: parseHost('192.168.0.9:10911'),
  reconsumeTimes: 0,
  preparedTransactionOffset: 0,
  queueOffset: 0,
  commitLogOffset: 0,
  storeTimestamp: 0x1a1fbbbf86d,
  body: Buffer.from('hello world'),
  topic: Buffer.from('TopicTest'),
  properties: Buffer.from('KEYS\u0001k1 k0\u0002UNIQ_KEY\u00010A010203000018B4AAC2000000000000\u0002TAGS\u0001TagA'),
  recordCrc: false,
}

const VECTOR_HEX = [
  '000000AD DAA320A7 0D4A1185 00000000 00000007 0000000000000000 0000000000000000',
  '00000000 0000018BCFE56800 0A010203 0000D431 000001A1FBBBF86D C0A80009 00002A9F',
  '00000000 0000000000000000 0000000B 68656C6C6F20776F726C64 09 546F70696354657374 003E',
].join('')
const hexOf = (spaced: string): string => spaced.replaceAll(/\s/g, '').toLowerCase()

/** Checks a record that fills its block but for the 8 bytes that must stay free. */
function look(block: Block, level: CheckLevel = CheckLevel.body, commitLogOffset = 0): number {
  return checkRecord(block, 0, block.bytes.length, block.bytes.length, commitLogOffset, level)
}

const finding = (result: number): string => (result > 0 ? `${result} bytes` : findingName(result))

describe('records of RocketMQ', () => {
  test('of 4.9.8 come out byte for byte', () => {
    const { block, size } = hotRecord(VECTOR)
    assert.equal(size, 173)
    const expected = hexOf(VECTOR_HEX) + Buffer.from(VECTOR.properties).toString('hex')
    assert.equal(block.bytes.toString('hex'), expected)
    assert.equal(slowRecord(VECTOR).toString('hex'), expected)
    assert.equal(look(block), 173)
    assert.deepEqual(partsOf(block), VECTOR)
  })

  test('of 5.3.3 differ in the last 0x02 and the lengths that count it', () => {
    const { block, size } = hotRecord({ ...VECTOR, properties: Buffer.concat([VECTOR.properties, Buffer.of(2)]) })
    assert.equal(size, 0xae)
    assert.equal(block.view.getInt16(size - 63 - 2), 0x3f)
    const { properties } = partsOf(block)
    const parsed = parseProperties(Buffer.from(properties), 0, properties.length)
    assert.deepEqual(parsed, parseProperties(Buffer.from(VECTOR.properties), 0, VECTOR.properties.length))
    assert.deepEqual({ ...parsed }, { KEYS: 'k1 k0', UNIQ_KEY: '0A010203000018B4AAC2000000000000', TAGS: 'TagA' })
  })

  test('with an IPv6 host are twelve bytes longer and say so', () => {
    const { block, size } = hotRecord({ ...VECTOR, bornHost: parseHost('[2001:db8::1]:54321') })
    assert.equal(size, 0xb9)
    assert.equal(block.view.getInt32(RecordAt.sysFlag), SysFlag.bornHostV6)
    assert.equal(block.bytes.toString('hex', 48, 68), hexOf('20010DB8000000000000000000000001 0000D431'))
    assert.equal(look(block), 0xb9)
  })

  test('that are put again with the flags of an IPv6 record get flags that fit their own hosts', () => {
    const { block, size } = hotRecord({ ...VECTOR, sysFlag: SysFlag.bornHostV6 | SysFlag.storeHostV6 | SysFlag.compressed })
    assert.equal(block.view.getInt32(RecordAt.sysFlag), SysFlag.compressed)
    assert.equal(look(block), size)
  })

  test('that carry a whole-record CRC end in ten digits, the least significant first', () => {
    const tail = Buffer.from(hexOf('5F5F435243333223 01 33323934333437303131 02'), 'hex')
    assert.equal(crcPropertyAt(blockOf(tail), 0, 20), 0)
    assert.equal(readCrcProperty(blockOf(tail), 0), 1_107_434_923)
    const { block, size } = hotRecord({ ...VECTOR, recordCrc: true })
    assert.equal(size, 173 + 1 + 20)
    assert.equal(readCrcProperty(block, 174), crcOf(block.bytes.subarray(0, 174)))
    assert.equal(block.bytes[173], 2)
    assert.equal(look(block, CheckLevel.record), 194)
  })

  test('have the same whole-record CRC, whether that of a body of any length is worked out again or joined to the rest', () => {
    for (let length = 0; length < 1200; length += length < 140 ? 1 : 53) {
      const body = Buffer.from(Array.from({ length }, (_, i) => (i * 29 + length) & 255))
      for (const topic of [VECTOR.topic, Buffer.from('t'.repeat(130))]) {
        const { block, size } = hotRecord({ ...VECTOR, topic, body, recordCrc: true })
        assert.equal(readCrcProperty(block, size - 20), crcOf(block.bytes.subarray(0, size - 20)), `${length}`)
        assert.equal(look(block, CheckLevel.record), size)
      }
    }
  })
})

describe('the CRC of the body', () => {
  test('is 31 bits of CRC-32, and 0 without a body', () => {
    assert.equal(crcOf(Buffer.from('hello world')), 222_957_957)
    assert.equal(crcOf(Buffer.from('hello')), 907_060_870)
    assert.equal(crcOf(Buffer.alloc(0)), 0)
  })

  test('may be any number: 0, the largest, and one whose highest bit is dropped', () => {
    for (const crc of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x80000001]) {
      const body = bytesWithCrc(crc)
      assert.equal(crc32(blockOf(body), 0, 4), crc)
      const { block, size } = hotRecord({ ...VECTOR, body })
      assert.equal(block.view.getInt32(RecordAt.bodyCrc), crc & 0x7fffffff)
      assert.equal(look(block), size, crc.toString(16))
      block.view.setInt32(RecordAt.bodyCrc, crc | 0)
      assert.equal(look(block), crc > 0x7fffffff ? Finding.bodyCrc : size, 'all 32 bits stored')
    }
  })

  test('of an empty body is not looked at', () => {
    const { block, size } = hotRecord({ ...VECTOR, body: Buffer.alloc(0) })
    assert.equal(size, 162)
    block.view.setInt32(RecordAt.bodyCrc, 12_345)
    assert.equal(look(block), size)
  })
})

describe('lengths at their edges', () => {
  test('a topic of 127 bytes makes version 1, from 128 to 255 version 2', () => {
    for (const [length, magic, lengthBytes] of [
      [1, MAGIC_V1, 1],
      [127, MAGIC_V1, 1],
      [128, MAGIC_V2, 2],
      [255, MAGIC_V2, 2],
    ] as const) {
      const parts = { ...VECTOR, topic: Buffer.alloc(length, 't') }
      const { block, size } = hotRecord(parts)
      assert.equal(block.view.getInt32(RecordAt.magic), magic)
      assert.equal(size, 88 + 11 + lengthBytes + length + 2 + 62)
      assert.deepEqual(block.bytes, slowRecord(parts))
      assert.equal(look(block), size)
      assert.deepEqual(partsOf(block).topic, parts.topic)
    }
  })

  test('a version 2 record with a short topic is read, though nobody writes it', () => {
    const { block, size } = hotRecord({ ...VECTOR, topic: Buffer.alloc(128, 't'), body: Buffer.alloc(0) })
    // 128 becomes 8, so 120 bytes go from the topic to the body.
    block.view.setInt16(88, 0)
    block.bytes.copyWithin(88 + 120, 88, 90)
    block.view.setInt32(84, 120)
    block.view.setInt16(88 + 120, 8)
    block.view.setInt32(RecordAt.bodyCrc, crcOf(block.bytes.subarray(88, 208)))
    assert.equal(look(block), size)
    assert.equal(partsOf(block).topic.length, 8)
  })

  test('properties take from 0 to 32,767 bytes', () => {
    for (const length of [0, 1, 32_766, 32_767]) {
      const { block, size } = hotRecord({ ...VECTOR, properties: Buffer.alloc(length, 'p') })
      assert.equal(look(block), size, `${length}`)
      assert.equal(partsOf(block).properties.length, length)
    }
    const { block } = hotRecord({ ...VECTOR, properties: Buffer.alloc(32_768, 'p') })
    assert.equal(finding(look(block)), 'lengths')
  })

  test('the smallest record has 91 bytes', () => {
    assert.equal(MIN_RECORD_BYTES, 91)
    const none = Buffer.alloc(0)
    const { block, size } = hotRecord({ ...VECTOR, body: none, topic: none, properties: none })
    assert.equal(size, 91)
    assert.equal(look(block, CheckLevel.body), 91)
    block.view.setInt32(0, 90)
    assert.equal(finding(look(block)), 'size')
  })

  test('addresses, offsets and times go up to 2^53 - 1', () => {
    for (const value of [0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
      const times = { bornTimestamp: value, storeTimestamp: value, preparedTransactionOffset: value }
      const parts = { ...VECTOR, ...times, queueOffset: value, commitLogOffset: value }
      const { block, size } = hotRecord(parts)
      assert.deepEqual(partsOf(block), parts)
      assert.equal(look(block, CheckLevel.body, value), size)
    }
  })
})

describe('a check', () => {
  test('tells what stands where no record stands', () => {
    const zeros = zeroBlock(64)
    assert.equal(finding(look(zeros)), 'unwritten')
    writeBlank(zeros, 0, 64)
    assert.equal(zeros.bytes.toString('hex', 0, 9), '00000040cbd4319400')
    assert.equal(finding(look(zeros)), 'blank')
    zeros.view.setInt32(0, 63)
    assert.equal(finding(look(zeros)), 'size')
    assert.equal(finding(look(zeroBlock(7))), 'size')
    const { block } = hotRecord(VECTOR)
    block.view.setInt32(RecordAt.magic, 1)
    assert.equal(finding(look(block)), 'magic')
    assert.equal(findingName(12_345), 'size')
  })

  test('wants the record at its own address', () => {
    const { block } = hotRecord({ ...VECTOR, commitLogOffset: 2 ** 32 + 5 })
    assert.equal(finding(look(block, CheckLevel.structure, 5)), 'offset')
    assert.equal(look(block, CheckLevel.structure, 2 ** 32 + 5), 173)
  })

  test('copies a good record when it is told where to, at each level, with a whole-record CRC and without', () => {
    for (const recordCrc of [true, false]) {
      for (const body of [Buffer.from('hello world'), Buffer.alloc(1000, 7)]) {
        const { block, size } = hotRecord({ ...VECTOR, body, recordCrc }, 8)
        for (const level of recordCrc
          ? [CheckLevel.structure, CheckLevel.body, CheckLevel.record]
          : [CheckLevel.structure, CheckLevel.body]) {
          const to = blockOf(Buffer.alloc(size + 20, 0xee))
          assert.equal(checkRecord(block, 0, size + 8, size, 0, level, { block: to, at: 10 }), size)
          const expected = Buffer.alloc(size + 20, 0xee)
          block.bytes.copy(expected, 10, 0, size)
          assert.deepEqual(to.bytes, expected, `${level}`)
        }
      }
    }
  })

  test('with fewer bytes than the record has finds a size, whatever they are', () => {
    const { block, size } = hotRecord({ ...VECTOR, recordCrc: true }, 8)
    for (let available = 0; available < size; available++) {
      assert.equal(finding(checkRecord(block, 0, size + 8, available, 0, CheckLevel.record)), 'size', `${available}`)
    }
    assert.equal(checkRecord(block, 0, size + 8, size, 0, CheckLevel.record), size)
  })

  test('finds a size where a record reaches past its segment, though the bytes are there', () => {
    const { block, size } = hotRecord(VECTOR, 8)
    assert.equal(finding(checkRecord(block, 0, size - 1, size + 8, 0, CheckLevel.body)), 'size')
    assert.equal(checkRecord(block, 0, size, size + 8, 0, CheckLevel.body), size)
  })

  test('finds wrong lengths, and reads nothing past the record, whatever a body, topic or properties claim', () => {
    for (const topic of ['TopicTest', 't'.repeat(130)]) {
      const { block, size } = hotRecord({ ...VECTOR, topic: Buffer.from(topic) })
      for (let bodyLength = size - 88 - 8; bodyLength <= size - 88 + 8; bodyLength++) {
        block.view.setInt32(84, bodyLength)
        assert.equal(finding(look(block, CheckLevel.structure)), 'lengths', `body ${bodyLength}`)
      }
      block.view.setInt32(84, 11)
      for (const length of [-128, -1, 0, 8, 10, 127]) {
        const { block: short } = hotRecord(VECTOR)
        short.view.setInt8(99, length)
        assert.equal(finding(look(short, CheckLevel.structure)), 'lengths', `topic ${length}`)
      }
      for (const length of [-32_768, -1, 0, 61, 63, 32_767]) {
        const { block: short } = hotRecord(VECTOR)
        short.view.setInt16(173 - 62 - 2, length)
        assert.equal(finding(look(short, CheckLevel.structure)), 'lengths', `properties ${length}`)
      }
    }
  })

  test('of the whole record finds every single flipped bit', () => {
    for (const topic of ['TopicTest', 't'.repeat(130)]) {
      const { block, size } = hotRecord({ ...VECTOR, topic: Buffer.from(topic), recordCrc: true }, 300)
      for (let bit = 0; bit < size * 8; bit++) {
        block.bytes[bit >> 3]! ^= 1 << (bit & 7)
        assert.ok(look(block, CheckLevel.record) < 0, `bit ${bit & 7} of byte ${bit >> 3}`)
        block.bytes[bit >> 3]! ^= 1 << (bit & 7)
      }
      assert.equal(look(block, CheckLevel.record), size)
    }
  })

  test('wants a whole-record CRC only when told that there must be one', () => {
    const { block } = hotRecord(VECTOR)
    assert.equal(finding(look(block, CheckLevel.record)), 'recordCrcMissing')
    // RocketMQ copies a stale one when it puts a message again: only the body counts then.
    const stale = Buffer.concat([VECTOR.properties, Buffer.from('\u0002__CRC32#\u00013294347011\u0002')])
    const copied = hotRecord({ ...VECTOR, properties: stale })
    assert.equal(look(copied.block, CheckLevel.body), copied.size)
    assert.equal(finding(look(copied.block, CheckLevel.record)), 'recordCrc')
    copied.block.bytes[88]! ^= 1
    assert.equal(finding(look(copied.block, CheckLevel.body)), 'bodyCrc')
  })

  test('takes bytes that look like a CRC property for one only at the end of a piece', () => {
    for (const [properties, isOne] of [
      ['__CRC32#\u00010123456789\u0002', true],
      ['a\u0001b\u0002__CRC32#\u00010123456789\u0002', true],
      ['a\u0001b__CRC32#\u00010123456789\u0002', false],
      ['__CRC32#\u00010123456789', false],
      ['__CRC32$\u00010123456789\u0002', false],
      ['__CRC32#\u0001012345678\u0002', false],
    ] as const) {
      const block = blockOf(Buffer.from(properties))
      assert.equal(crcPropertyAt(block, 0, properties.length) >= 0, isOne, JSON.stringify(properties))
    }
    const digits = blockOf(Buffer.from('__CRC32#\u0001012345x789\u0002'))
    assert.equal(readCrcProperty(digits, 0), -1)
  })
})

describe('properties', () => {
  const parse = (text: string): Record<string, string> => {
    const bytes = Buffer.from(text)
    return { ...parseProperties(bytes, 0, bytes.length) }
  }

  test('drop what RocketMQ drops, and keep the last of two', () => {
    assert.deepEqual(parse(''), {})
    assert.deepEqual(parse('a\u0001b'), { a: 'b' })
    assert.deepEqual(parse('a\u0001b\u0002'), { a: 'b' })
    assert.deepEqual(parse('a\u0001b\u0002a\u0001c'), { a: 'c' })
    for (const piece of ['a\u0001', '\u0001b', '\u0001', 'ab', 'a', '']) {
      assert.deepEqual(parse(`x\u0001y\u0002${piece}\u0002z\u0001w`), { x: 'y', z: 'w' }, JSON.stringify(piece))
    }
    assert.deepEqual(parse('a\u0001b\u0001c'), { a: 'b\u0001c' })
    assert.deepEqual(parse('__CRC32#\u00013294347011\u0002'), {})
  })

  test('without names cost one look at the bytes behind them, not one a piece', () => {
    const bytes = Buffer.alloc(8 * 1024 * 1024)
    bytes.fill(2, 0, 32_767)
    const indexOf = bytes.indexOf.bind(bytes)
    let searches = 0
    bytes.indexOf = (value, from) => {
      if (value === 1) searches++
      return indexOf(value, from as number)
    }
    assert.deepEqual({ ...parseProperties(bytes, 0, 32_767) }, {})
    assert.equal(searches, 1)
  })

  test('have names that mean nothing to JavaScript', () => {
    const bytes = encodeProperties(JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>)
    const parsed = parseProperties(bytes, 0, bytes.length)
    assert.ok(!('hasOwnProperty' in parsed))
    assert.deepEqual(Object.entries(parsed), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })
})
