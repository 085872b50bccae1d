/** Targets that read records: the check, the message made from one, properties, batches of clients, chunks for replicas. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { MessageStoreError } from '../../lib/base/errors.js'
import { type Block, blockOf } from '../../lib/format/block.js'
import { decodeClientBatch, encodeClientBatch } from '../../lib/format/client-batch.js'
import { CRC_MASK, crc32 } from '../../lib/format/crc.js'
import { encodeProperties, findProperty, parseProperties, propertyKey, sealCrcProperty } from '../../lib/format/properties.js'
import {
  BLANK_BYTES,
  bodyAt,
  CheckLevel,
  checkRecord,
  Finding,
  findingName,
  MAGIC_V1,
  MAGIC_V2,
  MIN_RECORD_BYTES,
  RecordAt,
  writeBlank,
} from '../../lib/format/record.js'
import { encodeStandIn, isStandIn, lostTopic } from '../../lib/format/stand-in.js'
import { tagsCodeOf } from '../../lib/format/tags.js'
import { LogReceiver } from '../../lib/replication/log-receiver.js'
import { StoredMessage } from '../../lib/store/stored-message.js'
import { hotRecord, partsOf, type RecordParts } from '../support/records.js'
import type { Target } from './fuzzer.js'

const V4 = Buffer.of(10, 0, 0, 1, 0, 0, 0x2a, 0x9f)
const V6 = Buffer.concat([Buffer.from('20010db8000000000000000000000001', 'hex'), Buffer.of(0, 0, 0x2a, 0x9f)])
const findings = new Set<number>(Object.values(Finding))
const names = ['KEYS', 'TAGS', 'UNIQ_KEY', 'WAIT', 'DELAY', '__CRC32#', 'INNER_NUM', 'INNER_BASE', '__proto__']
const propertyWords = [...names.flatMap((name) => [`${name}\u0001`, name]), '\u0001', '\u0002', '\u0001\u0002', 'ü'].map((text) =>
  Buffer.from(text),
)
const magicWords = [MAGIC_V1, MAGIC_V2, 0xcbd43194 | 0].map((magic) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(magic)
  return bytes
})
const recordWords = [...propertyWords, ...magicWords]

function recordOf(parts: Partial<RecordParts>): Buffer {
  const { block, size } = hotRecord({
    queueId: 1,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    bornHost: V4,
    storeHost: V4,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    queueOffset: 3,
    commitLogOffset: 0,
    storeTimestamp: 1_700_000_000_001,
    body: Buffer.from('body'),
    topic: Buffer.from('Topic'),
    properties: encodeProperties({ KEYS: 'a b', TAGS: 'x' }),
    recordCrc: false,
    ...parts,
  })
  return block.bytes.subarray(0, size)
}

const someRecords = [
  recordOf({}),
  recordOf({ recordCrc: true, bornHost: V6, sysFlag: 8 }),
  recordOf({ body: Buffer.alloc(0), properties: Buffer.alloc(0), topic: Buffer.alloc(130, 'T'), storeHost: V6 }),
  encodeStandIn(150, { commitLogOffset: 0, storeTimestamp: 5 }, { topic: 'T', queueId: 1, queueOffset: 2 }, true),
  recordOf({ topic: Buffer.from('SCHEDULE_TOPIC_XXXX'), properties: encodeProperties({ DELAY: '3', UNIQ_KEY: '0A' }) }),
]

/** Makes checksums and address right again where asked for, so that what comes behind them is reached. */
function mend({ bytes, view }: Block, at: number, size: number, options: number, address: number): void {
  if (options & 4) view.setBigInt64(at + RecordAt.commitLogOffset, BigInt(address))
  const body = bodyAt(view, at)
  const bodyEnd = body + view.getInt32(body - 4)
  if (options & 8 && bodyEnd >= body && bodyEnd <= at + size) {
    view.setInt32(at + RecordAt.bodyCrc, crc32({ bytes, view }, body, bodyEnd) & CRC_MASK)
  }
  if (options & 16) sealCrcProperty({ bytes, view }, at, at + size - 20)
}

/** Asks a checked record for everything, twice in different surroundings, and writes it again. */
function readAll(block: Block, at: number, size: number, address: number): void {
  const message = StoredMessage.fromRecord(block, at, address)
  const all: unknown[] = [
    inspect(message),
    JSON.stringify(message),
    message.uniqueKey,
    message.keys,
    message.encodedProperties.length,
  ]
  const { storeTimestamp, topic, properties } = message
  all.push(message.preparedTransactionOffset, isStandIn(block, at), lostTopic(block, at))
  assert.ok(Number.isFinite(tagsCodeOf(topic, properties, storeTimestamp)))
  assert.equal(message.tags, properties['TAGS'])
  const alone = blockOf(Buffer.concat([Buffer.alloc(3, 0xff), block.bytes.subarray(at, at + size)]).subarray(3))
  const copy = StoredMessage.fromRecord(alone, 0, address)
  const again: unknown[] = [inspect(copy), JSON.stringify(copy), copy.uniqueKey, copy.keys, copy.encodedProperties.length]
  again.push(copy.preparedTransactionOffset, isStandIn(alone, 0), lostTopic(alone, 0))
  assert.deepEqual(again, all)
  const read = partsOf(alone)
  const times = [read.bornTimestamp, read.storeTimestamp, read.queueOffset, read.preparedTransactionOffset]
  if (!times.every(Number.isSafeInteger)) return
  const written = hotRecord(read).block
  const isSameForm = alone.view.getInt32(RecordAt.magic) === written.view.getInt32(RecordAt.magic)
  // The body's CRC counts only where the whole-record CRC does not.
  alone.view.setInt32(RecordAt.bodyCrc, written.view.getInt32(RecordAt.bodyCrc))
  if (isSameForm) assert.ok(written.bytes.equals(alone.bytes), 'a record is written as other bytes than it was read from')
}

const record: Target = {
  name: 'record',
  seeds: someRecords.flatMap((bytes) => [0, 1, 2, 0x1d].map((option) => Buffer.concat([Buffer.of(option, 0, 0), bytes]))),
  words: recordWords,
  run(input) {
    if (input.length < 3) return
    const [options, room, cut] = [input[0]!, input[1]! & 15, input[2]! & 15]
    const bytes = Buffer.concat([Buffer.alloc(room, 0xee), input.subarray(3)])
    const block = blockOf(bytes)
    const size = input.length - 3
    const address = (input[0]! >> 5) * 1000
    if (size >= MIN_RECORD_BYTES + 24) mend(block, room, size, options, address)
    const available = Math.max(0, bytes.length - cut)
    const level = ((options & 3) % 3) as CheckLevel
    const found = checkRecord(block, room, bytes.length + BLANK_BYTES, available, address, level)
    assert.ok(findings.has(found) || (found >= MIN_RECORD_BYTES && room + found <= available), `found ${found}`)
    if (found < 0) assert.equal(Finding[findingName(found)], found)
    // No stricter look may let through what an easier one does not.
    else
      for (let easier = 0; easier < level; easier++) {
        assert.equal(checkRecord(block, room, bytes.length + BLANK_BYTES, available, address, easier as CheckLevel), found)
      }
    if (found > 0) readAll(block, room, found, address)
  },
}

const properties: Target = {
  name: 'properties',
  seeds: [
    encodeProperties({ KEYS: 'a b', TAGS: 'x' }),
    encodeProperties({ TAGS: 'x', a: 'ü' }).subarray(0, -1),
    Buffer.from('a\u0001b\u0002\u0002\u0001\u0002a\u0001c\u0002__CRC32#\u00011234567890\u0002'),
  ],
  words: propertyWords,
  run(input) {
    const end = input.length
    const behind = Buffer.concat([Buffer.of(2), input, Buffer.from('TAGS\u0001z\u0002')])
    const all = parseProperties(input, 0, end)
    assert.deepEqual(parseProperties(behind, 1, 1 + end), all)
    for (const name of [...names, 'a', ...Object.keys(all).filter((key) => !key.includes('\ufffd'))]) {
      if (name === '__CRC32#') continue
      assert.equal(findProperty(blockOf(input), 0, end, propertyKey(name)), all[name], name)
      assert.equal(findProperty(blockOf(behind), 1, 1 + end, propertyKey(name)), all[name], name)
    }
    assert.deepEqual(parseProperties(encodeProperties(all), 0, encodeProperties(all).length), all)
  },
}

const clientBatch: Target = {
  name: 'client-batch',
  seeds: [
    encodeClientBatch([]),
    encodeClientBatch([
      { flag: 1, body: Buffer.from('one'), properties: encodeProperties({ KEYS: 'a' }) },
      { flag: -1, body: Buffer.alloc(0), properties: Buffer.alloc(0) },
    ]),
  ],
  words: propertyWords,
  run(input) {
    const inside = Buffer.concat([Buffer.alloc(3, 0xff), input, Buffer.alloc(30, 0xff)]).subarray(3, 3 + input.length)
    try {
      const again = encodeClientBatch(decodeClientBatch(inside))
      // Magic and CRC, which nobody reads, are written as zeros.
      for (let at = 0; at < again.length; at += again.readInt32BE(at)) again.copy(inside, at + 4, at + 4, at + 12)
      assert.ok(again.equals(inside), 'a batch is written as other bytes than it was read from')
    } catch (error) {
      if (!(error instanceof MessageStoreError) || error.code !== 'MESSAGE_ILLEGAL') throw error
    }
  },
}

/** What came out of a receiver: its records, its blanks, and where it would go on. */
interface Received {
  readonly pieces: readonly (readonly [address: number, size: number])[]
  readonly to: number
  readonly failed: boolean
}

/** Sends bytes in pieces of given lengths, over and over. */
function receive(log: Buffer, lengths: readonly number[], segmentBytes: number, from: number, hasRecordCrc: boolean): Received {
  const pieces: [number, number][] = []
  let next = from
  const receiver = new LogReceiver(segmentBytes, from)
  const place = (address: number, size: number): void => {
    assert.equal(address, next, 'records do not follow one another')
    assert.ok((address % segmentBytes) + size <= segmentBytes, 'a record passes the end of its segment')
    next = address + size
    pieces.push([address, size])
  }
  const sink = {
    record: (block: Block, at: number, size: number, address: number) => {
      const level = hasRecordCrc ? CheckLevel.record : CheckLevel.body
      assert.equal(checkRecord(block, at, at + size + 8, block.bytes.length, address, level), size)
      place(address, size)
    },
    blank: place,
  }
  let at = 0
  for (let i = 0; at < log.length; i++) {
    const bytes = log.subarray(at, at + lengths[i % lengths.length]!)
    try {
      receiver.take({ commitLogOffset: from + at, bytes, hasRecordCrc }, sink)
    } catch (error) {
      if (!(error instanceof MessageStoreError) || error.code !== 'REPLICA_DIVERGED') throw error
      assert.equal(receiver.receivedTo, next, 'after a refusal the receiver goes on elsewhere than behind its last record')
      return { pieces, to: next, failed: true }
    }
    at += bytes.length
    assert.equal(receiver.receivedTo, from + at)
  }
  return { pieces, to: receiver.receivedTo, failed: false }
}

function logOf(crc: boolean, segmentBytes: number): Buffer {
  const log = Buffer.alloc(segmentBytes * 2)
  const first = recordOf({ recordCrc: crc })
  const second = recordOf({ recordCrc: crc, commitLogOffset: first.length, body: Buffer.from('second') })
  const third = recordOf({ recordCrc: crc, commitLogOffset: segmentBytes })
  log.set(first)
  log.set(second, first.length)
  const full = first.length + second.length
  writeBlank(blockOf(log), full, segmentBytes - full)
  log.set(third, segmentBytes)
  return log.subarray(0, segmentBytes + third.length)
}

const logReceiver: Target = {
  name: 'log-receiver',
  seeds: [
    Buffer.concat([Buffer.of(0, 0, 50, 3), logOf(false, 512)]),
    Buffer.concat([Buffer.of(1, 0, 200, 10), logOf(true, 512)]),
    Buffer.concat([Buffer.of(0, 0, 1, 1), logOf(false, 400)]),
  ],
  words: recordWords,
  run(input) {
    if (input.length < 4) return
    const segmentBytes = input[0]! & 2 ? 400 : 512
    const lengths = [1 + input[2]!, 1 + input[3]!]
    const log = input.subarray(4)
    const received = receive(log, lengths, segmentBytes, 0, (input[0]! & 1) === 1)
    // However the log is cut into pieces, the same records come out.
    assert.deepEqual(receive(log, [log.length], segmentBytes, 0, (input[0]! & 1) === 1), received)
  },
}

/** The targets of this file. */
export const recordTargets: readonly Target[] = [record, properties, clientBatch, logReceiver]
