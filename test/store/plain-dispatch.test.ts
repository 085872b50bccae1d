/** The fast way of records into the views says the same as the one that knows all the rules. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { blockOf } from '../../lib/format/block.js'
import { closeRecord, placeRecord, writeRecordHead, writeRecordTopic } from '../../lib/format/record.js'
import { dispatchedRecord } from '../../lib/store/views/dispatch-record.js'
import { PlainDispatch } from '../../lib/store/views/plain-dispatch.js'
import { entersQueues, furtherPlaces, indexHashes } from '../../lib/view/belonging.js'
import type { Dispatcher } from '../../lib/view/dispatcher.js'

const names = fc.oneof(
  fc.constantFrom('TAGS', 'KEYS', 'UNIQ_KEY', 'DELAY', 'KEY', 'TAGSX', 'INNER_NUM', 'INNER_MULTI_DISPATCH', 'WAIT'),
  fc.string({ minLength: 1, maxLength: 8 }),
)
const values = fc.oneof(
  fc.constantFrom('a', 'k1 k2', ' k  k ', 'AaAaAa', 'polygenelubricants', 'é', '3'),
  fc.string({ maxLength: 12 }),
)
/** What stands at the end of a record: its checksum, or what only looks like one. */
const closings = fc.constantFrom<[string, string][]>(
  [],
  [['__CRC32#', '1234567890']],
  [['__CRC32#', 'a\u0002TAGS\u0001xyz']],
  [['__CRC32#', 'a\u0002KEYS\u0001xyz']],
)
const properties = fc
  .tuple(fc.array(fc.tuple(names, values), { maxLength: 6 }), closings)
  .map(([pairs, closing]) => [...pairs, ...closing])
const topics = fc.constantFrom('orders', 'SCHEDULE_TOPIC_XXXX', '%RETRY%g', 'o', 'bad/topic', 'T'.repeat(127))

/** A record with properties as they come, duplicates and empty pieces too. */
function recordOf(topic: string, pairs: [string, string][], sysFlag: number, queueId: number): { bytes: Buffer; size: number } {
  const block = blockOf(Buffer.alloc(4096))
  const host = new Uint8Array(8)
  const fields = { queueId, flag: 0, sysFlag, bornTimestamp: 1, bornHost: host, storeHost: host }
  const body = writeRecordHead(block, 0, { ...fields, reconsumeTimes: 0, preparedTransactionOffset: 0 })
  const at = writeRecordTopic(block, 0, body, body + 5, Buffer.from(topic))
  const encoded = Buffer.from(pairs.map(([name, value]) => `${name}\u0001${value}\u0002`).join(''))
  block.bytes.set(encoded, at)
  const size = closeRecord(block, 0, body, at, at + encoded.length, false)
  placeRecord(block, 0, size, { queueOffset: 7, commitLogOffset: 4096, storeTimestamp: 1_700_000_000_000 }, false)
  return { bytes: block.bytes, size }
}

test('every ordinary record is entered as the full rules say, and every other one is left to them', () => {
  let taken = 0
  fc.assert(
    fc.property(
      topics,
      properties,
      fc.constantFrom(0, 0, 0, 1, 4, 8, 12, 0x80),
      fc.constantFrom(0, 3, -1),
      (topic, pairs, sysFlag, queueId) => {
        const { bytes, size } = recordOf(topic, pairs, sysFlag, queueId)
        const block = blockOf(bytes)
        const entered: unknown[] = []
        const listed: number[] = []
        const target = {
          enter: (...place: unknown[]) => entered.push(place),
          wantsKeys: () => true,
          list: (hash: number) => listed.push(hash),
        } as unknown as Dispatcher
        if (!new PlainDispatch(target).dispatch(block, 0, size, 4096, 1_700_000_000_000)) {
          assert.deepEqual([entered, listed], [[], []])
          return
        }
        taken++
        const record = dispatchedRecord(block, 0, size, 4096)
        assert.ok(entersQueues(record) && furtherPlaces(record).length === 0 && record.innerBatch === undefined)
        assert.deepEqual(entered, [[topic, queueId, 7, 4096, size, record.tagsCode, record.storeTimestamp]])
        assert.deepEqual(listed, indexHashes(record))
      },
    ),
    { numRuns: 5000 },
  )
  assert.ok(taken > 500, `${taken} records were ordinary`)
})
