/** A stand-in has exactly the size asked for, passes every check, and tells what it stands for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../../lib/format/block.js'
import { CheckLevel, checkRecord, MAGIC_V2, readRecord, SysFlag } from '../../lib/format/record.js'
import { encodeStandIn, isStandIn, lostTopic, minStandInBytes } from '../../lib/format/stand-in.js'
import { dispatchedRecord } from '../../lib/store/views/dispatch-record.js'

const place = { commitLogOffset: 123_456_789_012, storeTimestamp: 1_700_000_000_123 }
const lost = { topic: 'orders', queueId: 3, queueOffset: 7_000_000_000 }

for (const recordCrc of [false, true]) {
  test(`a stand-in of every size is a whole record ${recordCrc ? 'with' : 'without'} its CRC`, () => {
    const least = minStandInBytes(recordCrc)
    for (let size = least; size < least + 300; size++) {
      for (const message of [lost, undefined]) {
        const bytes = encodeStandIn(size, place, message, recordCrc)
        assert.equal(bytes.length, size)
        const block = blockOf(bytes)
        const level = recordCrc ? CheckLevel.record : CheckLevel.body
        assert.equal(checkRecord(block, 0, size + 8, size, place.commitLogOffset, level), size)
        assert.equal(isStandIn(block, 0), true)
        assert.equal(readRecord.storeTimestamp(block.view, 0), place.storeTimestamp)
        const hasRoom = message !== undefined && size >= least + lost.topic.length
        assert.equal(lostTopic(block, 0), hasRoom ? 'orders' : undefined)
        const record = dispatchedRecord(block, 0, size, place.commitLogOffset)
        assert.equal(record.isStandIn, true)
        if (hasRoom) assert.deepEqual([record.topic, record.queueId, record.queueOffset], ['orders', 3, 7_000_000_000])
        else assert.equal(record.sysFlag & SysFlag.transactionMask, SysFlag.transactionRollback)
      }
    }
  })
}

test('a topic of more than 127 bytes stands in version 2, as the lost record did', () => {
  const topic = `%RETRY%${'g'.repeat(200)}`
  const block = blockOf(encodeStandIn(500, place, { ...lost, topic }, true))
  assert.equal(block.view.getInt32(4), MAGIC_V2)
  assert.equal(lostTopic(block, 0), topic)
  assert.equal(checkRecord(block, 0, 508, 500, place.commitLogOffset, CheckLevel.record), 500)
})

test('a prefix never makes a topic too long for version 1', () => {
  const topic = 't'.repeat(125)
  const block = blockOf(encodeStandIn(400, place, { ...lost, topic }, false))
  assert.notEqual(block.view.getInt32(4), MAGIC_V2)
  assert.equal(lostTopic(block, 0), topic)
})
