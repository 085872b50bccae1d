/** Fixed-width entries: the hot codecs and the tables say the same, both ways, for any bytes. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { readWhole } from '../../lib/disk/replace.js'
import {
  BATCH_QUEUE_ENTRY_BYTES,
  type BatchEntry,
  batchEntryBase,
  batchEntryCount,
  batchEntryOffset,
  batchEntrySize,
  batchEntryTagsCode,
  batchEntryTimestamp,
  isBatchEntry,
  writeBatchEntry,
} from '../../lib/format/batch-queue-entry.js'
import { blockOf, zeroBlock } from '../../lib/format/block.js'
import { crc32 } from '../../lib/format/crc.js'
import { decodeIndexHeader, encodeIndexHeader } from '../../lib/format/index-layout.js'
import {
  entryOffset,
  entrySize,
  entryTagsCode,
  FILLER_SIZE,
  isEntry,
  isFiller,
  QUEUE_ENTRY_BYTES,
  writeQueueEntry,
} from '../../lib/format/queue-entry.js'
import { BatchQueueEntry, Checkpoint, IndexHead, MarkLayout, QueueEntry } from '../../lib/format/tables.js'
import { decodeMark, encodeMark, MARK_BYTES, type Mark } from '../../lib/log/marks.js'
import { loadCheckpoint, saveCheckpoint } from '../../lib/view/store-checkpoint.js'
import { bytesUpTo, casesSoFar, check, checkAsync, ints, longs, objects, signedLongs } from '../support/cases.js'

const exactly = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))
const isSafe = (value: bigint): boolean => Number.isSafeInteger(Number(value))

describe('entries of a ConsumeQueue', () => {
  test('are the bytes that the table gives, anywhere in a block, and nothing beside them is touched', () => {
    check(
      1000,
      fc.property(longs, ints, signedLongs, fc.nat(30), (commitLogOffset, size, tagsCode, at) => {
        const { bytes, view } = blockOf(Buffer.alloc(60, 0xaa))
        writeQueueEntry(view, at, commitLogOffset, size, tagsCode)
        const slow = QueueEntry.encode({ commitLogOffset: BigInt(commitLogOffset), size, tagsCode: BigInt(tagsCode) })
        const expected = Buffer.alloc(60, 0xaa)
        slow.copy(expected, at)
        assert.deepEqual(bytes, expected)
        assert.deepEqual([entryOffset(view, at), entrySize(view, at), entryTagsCode(view, at)], [commitLogOffset, size, tagsCode])
        assert.equal(isEntry(view, at), size > 0)
        assert.equal(isFiller(view, at), size === FILLER_SIZE && commitLogOffset === 0)
      }),
    )
  })

  test('read from any bytes say what the table says, and are written as the same bytes', () => {
    check(
      1000,
      fc.property(exactly(QUEUE_ENTRY_BYTES), fc.boolean(), (random, small) => {
        // Half of them with numbers that fit, which random bytes almost never do.
        if (small) for (const at of [0, 12]) random.writeBigInt64BE(random.readBigInt64BE(at) >> 12n, at)
        const { view } = blockOf(random)
        const slow = QueueEntry.decode(view)
        assert.equal(entrySize(view, 0), slow.size)
        assert.equal(isEntry(view, 0), slow.commitLogOffset >= 0n && slow.size > 0)
        if (!isSafe(slow.commitLogOffset) || !isSafe(slow.tagsCode)) return
        const again = zeroBlock(QUEUE_ENTRY_BYTES)
        writeQueueEntry(again.view, 0, entryOffset(view, 0), entrySize(view, 0), entryTagsCode(view, 0))
        assert.deepEqual(again.bytes, random)
      }),
    )
  })
})

describe('entries of a BatchConsumeQueue', () => {
  const entries: fc.Arbitrary<BatchEntry> = objects({
    commitLogOffset: longs,
    size: ints,
    tagsCode: signedLongs,
    storeTimestamp: longs,
    baseOffset: longs,
    batchSize: fc.integer({ min: -0x8000, max: 0x7fff }),
  })
  const readEntry = (view: DataView, at: number): BatchEntry => ({
    commitLogOffset: batchEntryOffset(view, at),
    size: batchEntrySize(view, at),
    tagsCode: batchEntryTagsCode(view, at),
    storeTimestamp: batchEntryTimestamp(view, at),
    baseOffset: batchEntryBase(view, at),
    batchSize: batchEntryCount(view, at),
  })

  test('are the bytes that RocketMQ 5.3 wrote', () => {
    const { bytes, view } = zeroBlock(BATCH_QUEUE_ENTRY_BYTES)
    const entry = {
      commitLogOffset: 0x1000,
      size: 0x1fc,
      tagsCode: 0,
      storeTimestamp: 0x1a1fbc0a46f,
      baseOffset: 0,
      batchSize: 3,
    }
    writeBatchEntry(view, 0, entry)
    const expected = '0000000000001000 000001FC 0000000000000000 000001A1FBC0A46F 0000000000000000 0003 FFFFFFFF 00000000'
    assert.equal(bytes.toString('hex'), expected.replaceAll(' ', '').toLowerCase())
    assert.deepEqual(readEntry(view, 0), entry)
  })

  test('are the bytes that the table gives and are read back', () => {
    check(
      1000,
      fc.property(entries, fc.nat(20), (entry, at) => {
        const { bytes, view } = blockOf(Buffer.alloc(90, 0xaa))
        writeBatchEntry(view, at, entry)
        const { size, batchSize } = entry
        const slow = BatchQueueEntry.encode({
          commitLogOffset: BigInt(entry.commitLogOffset),
          size,
          tagsCode: BigInt(entry.tagsCode),
          storeTimestamp: BigInt(entry.storeTimestamp),
          baseOffset: BigInt(entry.baseOffset),
          batchSize,
          compactedOffset: -1,
          reserved: 0,
        })
        const expected = Buffer.alloc(90, 0xaa)
        slow.copy(expected, at)
        assert.deepEqual(bytes, expected)
        assert.deepEqual(readEntry(view, at), entry)
        assert.equal(isBatchEntry(view, at), size > 0 && batchSize > 0)
      }),
    )
  })

  test('of any bytes are entries only when all four numbers allow it', () => {
    check(
      500,
      fc.property(exactly(BATCH_QUEUE_ENTRY_BYTES), (random) => {
        const { view } = blockOf(random)
        const slow = BatchQueueEntry.decode(view)
        const isValid = slow.commitLogOffset >= 0n && slow.size > 0 && slow.baseOffset >= 0n && slow.batchSize > 0
        assert.equal(isBatchEntry(view, 0), isValid)
      }),
    )
  })
})

describe('heads of IndexFiles', () => {
  test('are the bytes that the table gives and are read back', () => {
    const heads = objects({
      beginTimestamp: longs,
      endTimestamp: longs,
      beginCommitLogOffset: longs,
      endCommitLogOffset: longs,
      hashSlotCount: ints,
      indexCount: ints,
    })
    check(
      800,
      fc.property(heads, (head) => {
        const bytes = encodeIndexHeader(head)
        const { hashSlotCount, indexCount } = head
        const slow = IndexHead.encode({
          beginTimestamp: BigInt(head.beginTimestamp),
          endTimestamp: BigInt(head.endTimestamp),
          beginCommitLogOffset: BigInt(head.beginCommitLogOffset),
          endCommitLogOffset: BigInt(head.endCommitLogOffset),
          hashSlotCount,
          indexCount,
        })
        assert.deepEqual(bytes, slow)
        assert.deepEqual(decodeIndexHeader(bytes), head)
      }),
    )
  })
})

describe('the checkpoint', () => {
  test('is the bytes that the table gives, is read back, and keeps what it does not know', async () => {
    const times = objects({ physicMsgTimestamp: longs, logicsMsgTimestamp: longs, indexMsgTimestamp: longs })
    await checkAsync(100, fc.asyncProperty(times, signedLongs, roundTrip))
  })

  async function roundTrip(checkpoint: Parameters<typeof saveCheckpoint>[2], kept: number): Promise<void> {
    const disk = new MemoryDisk()
    disk.makeDirectory('/s')
    const old = { physicMsgTimestamp: 1n, logicsMsgTimestamp: 2n, indexMsgTimestamp: 3n }
    const confirmed = { masterFlushedOffset: BigInt(kept), confirmPhyOffset: BigInt(-kept) }
    const file = disk.open('/s/checkpoint', { write: true, create: true })
    file.writeAt(Checkpoint.encode({ ...old, ...confirmed }), 0)
    file.close()
    await saveCheckpoint(disk, '/s', checkpoint)
    const { physicMsgTimestamp, logicsMsgTimestamp, indexMsgTimestamp } = checkpoint
    const slow = Checkpoint.encode({
      physicMsgTimestamp: BigInt(physicMsgTimestamp),
      logicsMsgTimestamp: BigInt(logicsMsgTimestamp),
      indexMsgTimestamp: BigInt(indexMsgTimestamp),
      ...confirmed,
    })
    assert.deepEqual(readWhole(disk, '/s/checkpoint'), slow)
    assert.deepEqual(loadCheckpoint(disk, '/s'), checkpoint)
  }
})

describe('marks', () => {
  const times = objects({ physicMs: longs, logicsMs: longs, indexMs: longs })
  const marks: fc.Arbitrary<Mark> = objects({
    logEnd: longs,
    viewsEnd: longs,
    lockMs: longs,
    unflushedBound: longs,
    checkpoint: times,
    nextCheckpoint: times,
  })
  const kinds = fc.constantFrom('durable' as const, 'clean' as const)

  test('are the bytes that the table gives, are read back, and only as what they are', () => {
    check(
      800,
      fc.property(kinds, marks, (kind, mark) => {
        const { bytes, view } = encodeMark(kind, mark)
        const slow = MarkLayout.encode({
          magic: kind === 'durable' ? 0x4d514c44 : 0x4d514c43,
          version: 1,
          logEnd: BigInt(mark.logEnd),
          viewsEnd: BigInt(mark.viewsEnd),
          lockMs: BigInt(mark.lockMs),
          physicMs: BigInt(mark.checkpoint.physicMs),
          logicsMs: BigInt(mark.checkpoint.logicsMs),
          indexMs: BigInt(mark.checkpoint.indexMs),
          nextPhysicMs: BigInt(mark.nextCheckpoint.physicMs),
          nextLogicsMs: BigInt(mark.nextCheckpoint.logicsMs),
          nextIndexMs: BigInt(mark.nextCheckpoint.indexMs),
          unflushedBound: BigInt(mark.unflushedBound),
          crc: view.getUint32(124),
        })
        assert.deepEqual(bytes, slow)
        assert.equal(view.getUint32(124), crc32(blockOf(slow), 0, 124))
        assert.deepEqual(decodeMark(kind, bytes), mark)
        assert.equal(decodeMark(kind === 'clean' ? 'durable' : 'clean', bytes), undefined)
      }),
    )
  })

  test('with any other byte, or cut short, are none', () => {
    check(
      800,
      fc.property(kinds, marks, fc.nat(MARK_BYTES - 1), fc.integer({ min: 1, max: 255 }), (kind, mark, at, flip) => {
        const { bytes } = encodeMark(kind, mark)
        assert.equal(decodeMark(kind, bytes.subarray(0, at)), undefined)
        bytes[at]! ^= flip
        assert.equal(decodeMark(kind, bytes), undefined)
      }),
    )
  })

  test('are not found in any bytes', () => {
    check(
      400,
      fc.property(kinds, bytesUpTo(200), (kind, bytes) => {
        assert.equal(decodeMark(kind, bytes), undefined)
      }),
    )
  })
})

after(() => console.log(`codec, entries: ${casesSoFar()} generated cases`))
