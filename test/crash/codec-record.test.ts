/** Records of any content: two ways of writing agree, reading gives back what was written, and nothing makes a check throw. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { blockOf } from '../../lib/format/block.js'
import { encodeProperties, findProperty, parseProperties, propertyKey } from '../../lib/format/properties.js'
import { CheckLevel, checkRecord, Finding, MAGIC_V1, MAGIC_V2, RecordAt, SysFlag, writeBlank } from '../../lib/format/record.js'
import { bytesUpTo, casesSoFar, check, ints, longs, objects } from '../support/cases.js'
import { hotRecord, partsOf, type RecordParts, slowRecord } from '../support/records.js'

const port = fc.nat(65_535).map((value) => Buffer.of(0, 0, value >> 8, value & 255))
const host = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .chain((address) => port.map((end) => Buffer.concat([address, end])))
const lengths = (edges: readonly number[], most: number): fc.Arbitrary<number> =>
  fc.oneof(fc.nat(most), fc.constantFrom(...edges))
const topic = lengths([1, 127, 128, 255], 255).map((length) => Buffer.alloc(Math.max(1, length), 'topic-'))
const name = fc.oneof(
  fc.constantFrom('KEYS', 'TAGS', 'UNIQ_KEY', '__proto__', 'constructor', '__CRC32', '__CRC32#x', 'a'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
)
const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const isClean = (text: string): boolean => !text.includes('\u0001') && !text.includes('\u0002') && text.isWellFormed()
const properties = fc
  .array(fc.tuple(name.filter(isClean), value.filter(isClean)), { maxLength: 6 })
  .map((pairs) => Object.assign(Object.create(null), Object.fromEntries(pairs)) as Record<string, string>)
const encoded = fc.oneof(
  properties.map(encodeProperties),
  // As versions from 4.9.1 to 5.1.4 write them: without the last 0x02.
  properties.map((pairs) => encodeProperties(pairs).subarray(0, -1)),
  bytesUpTo(60),
)
const records: fc.Arbitrary<RecordParts> = objects({
  queueId: ints,
  flag: ints,
  sysFlag: ints.map((flags) => flags & ~(SysFlag.bornHostV6 | SysFlag.storeHostV6)),
  bornTimestamp: longs,
  bornHost: host,
  storeHost: host,
  reconsumeTimes: ints,
  preparedTransactionOffset: longs,
  queueOffset: longs,
  commitLogOffset: longs,
  storeTimestamp: longs,
  body: bytesUpTo(300),
  topic,
  properties: encoded,
  recordCrc: fc.boolean(),
})
const levels = [CheckLevel.structure, CheckLevel.body, CheckLevel.record] as const
const findings = new Set<number>(Object.values(Finding))

/** Whether raw bytes of a record have only one value of every field that the codec keeps, so that it writes them again. */
function isCanonical({ view }: { view: DataView }, parts: RecordParts): boolean {
  const { commitLogOffset: at, queueOffset, bornTimestamp, storeTimestamp, preparedTransactionOffset } = parts
  const isWideTopic = view.getInt32(RecordAt.magic) === MAGIC_V2
  return (
    [at, queueOffset, bornTimestamp, storeTimestamp, preparedTransactionOffset].every(Number.isSafeInteger) &&
    isWideTopic === parts.topic.length > 127 &&
    (parts.body.length > 0 || view.getInt32(RecordAt.bodyCrc) === 0)
  )
}

describe('records', () => {
  test('are the same bytes from the hot codec and from the tables', () => {
    check(
      1200,
      fc.property(records, (parts) => {
        const { block, size } = hotRecord(parts)
        assert.deepEqual(block.bytes.subarray(0, size), slowRecord(parts))
      }),
    )
  })

  test('pass their own check and give back all that was put into them', () => {
    check(
      1200,
      fc.property(records, fc.nat(20), (parts, room) => {
        const { block, size } = hotRecord(parts, room)
        for (const level of levels.slice(0, parts.recordCrc ? 3 : 2)) {
          assert.equal(checkRecord(block, 0, size + room, size + room, parts.commitLogOffset, level), size)
        }
        const read = partsOf(block)
        const crcBytes = parts.recordCrc ? (parts.properties.length > 0 && parts.properties.at(-1) !== 2 ? 21 : 20) : 0
        const own = read.properties.subarray(0, read.properties.length - crcBytes)
        assert.deepEqual({ ...read, properties: own, recordCrc: parts.recordCrc }, parts)
      }),
    )
  })

  test('that pass a check after damage are the bytes that their content encodes to', () => {
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 3 })
    check(
      1500,
      fc.property(records, damage, (parts, hits) => {
        const { block, size } = hotRecord(parts)
        for (const [at, byte] of hits) block.bytes[at % size] = byte
        const address = claimedAddress(block.view)
        const found = checkRecord(block, 0, size, size, address, CheckLevel.body)
        if (found < 0) return assert.ok(findings.has(found))
        const read = partsOf(block)
        const whole = blockOf(block.bytes.subarray(0, found))
        if (isCanonical(whole, read) && read.properties.length <= 32_767 && hasTrueBodyCrc(read, whole.view)) {
          assert.deepEqual(hotRecord(read).block.bytes, whole.bytes)
        }
      }),
    )
  })

  test('of any bytes never make a check throw, nor claim more bytes than there are', () => {
    const heads = objects({
      size: fc.oneof(ints, fc.nat(400)),
      magic: fc.oneof(fc.constantFrom(MAGIC_V1, MAGIC_V2, 0xcbd43194 | 0, 0), ints),
      sysFlag: fc.oneof(fc.nat(255), ints),
      bodyLength: fc.oneof(fc.nat(300), ints),
      address: longs,
    })
    check(
      1500,
      fc.property(heads, bytesUpTo(400), fc.nat(8), fc.nat(400), (head, bytes, at, available) => {
        const block = blockOf(Buffer.concat([Buffer.alloc(at), bytes]))
        const { view } = block
        if (bytes.length >= 8) view.setInt32(at, head.size)
        if (bytes.length >= 8) view.setInt32(at + 4, head.magic)
        if (bytes.length >= 40) view.setInt32(at + 36, head.sysFlag)
        if (bytes.length >= 88) view.setInt32(at + 84, head.bodyLength)
        const end = Math.min(view.byteLength, at + available)
        for (const level of levels) {
          const found = checkRecord(block, at, view.byteLength, end, head.address, level)
          assert.ok(findings.has(found) || (found >= 91 && at + found <= end), `${found}`)
        }
      }),
    )
  })

  test('whose bytes are at hand only in part are never taken for whole', () => {
    check(
      600,
      fc.property(records, fc.nat(), (parts, cut) => {
        const { block, size } = hotRecord(parts, 8)
        const short = blockOf(block.bytes.subarray(0, cut % size))
        const found = checkRecord(short, 0, size + 8, short.bytes.length, parts.commitLogOffset, CheckLevel.structure)
        assert.equal(found, Finding.size)
      }),
    )
  })

  test('and a blank of any length are told apart', () => {
    check(
      300,
      fc.property(fc.integer({ min: 8, max: 5000 }), fc.nat(50), (rest, at) => {
        const block = blockOf(Buffer.alloc(at + rest))
        writeBlank(block, at, rest)
        assert.equal(checkRecord(block, at, at + rest, at + rest, 0, CheckLevel.record), Finding.blank)
        block.view.setInt32(at, rest - 1)
        assert.equal(checkRecord(block, at, at + rest, at + rest, 0, CheckLevel.record), Finding.size)
      }),
    )
  })
})

/** The address that the bytes claim, when it is one. */
function claimedAddress(view: DataView): number {
  const address = Number(view.getBigInt64(RecordAt.commitLogOffset))
  return Number.isSafeInteger(address) && address >= 0 ? address : 0
}

/** The body's CRC may be wrong where the whole-record CRC is right and counts instead. */
function hasTrueBodyCrc(read: RecordParts, view: DataView): boolean {
  return hotRecord(read).block.view.getInt32(RecordAt.bodyCrc) === view.getInt32(RecordAt.bodyCrc)
}

describe('properties', () => {
  test('are read as they were written, with the last 0x02 and without it', () => {
    check(
      1000,
      fc.property(properties, fc.boolean(), bytesUpTo(8), (pairs, trailing, behind) => {
        const whole = encodeProperties(pairs)
        const kept = trailing ? whole : whole.subarray(0, -1)
        const bytes = Buffer.concat([kept, behind])
        assert.deepEqual({ ...parseProperties(bytes, 0, kept.length) }, { ...pairs })
        assert.deepEqual(encodeProperties(parseProperties(bytes, 0, kept.length)), whole)
      }),
    )
  })

  test('of any bytes are read without a throw, and one by one as all at once', () => {
    const pieces = fc.array(fc.constantFrom('a', 'b', 'TAGS', '\u0001', '\u0002', 'ü', '__CRC32#'), { maxLength: 30 })
    const anyBytes = fc.oneof(
      bytesUpTo(80),
      pieces.map((parts) => Buffer.from(parts.join(''))),
    )
    check(
      1200,
      fc.property(anyBytes, bytesUpTo(10), (content, behind) => {
        const bytes = Buffer.concat([content, behind])
        const all = parseProperties(bytes, 0, content.length)
        for (const key of ['a', 'b', 'TAGS', 'ab', 'ü', ...Object.keys(all).filter((key) => !key.includes('\ufffd'))]) {
          assert.equal(findProperty(blockOf(bytes), 0, content.length, propertyKey(key)), all[key], key)
        }
      }),
    )
  })
})

after(() => console.log(`codec, records: ${casesSoFar()} generated cases`))
