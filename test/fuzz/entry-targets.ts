/** Targets that read entries of fixed width: queues, index files, marks, the checkpoint. */
import assert from 'node:assert/strict'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import {
  BATCH_QUEUE_ENTRY_BYTES,
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
import { decodeIndexHeader, encodeIndexHeader, INDEX_HEADER_BYTES } from '../../lib/format/index-layout.js'
import {
  entryOffset,
  entrySize,
  entryTagsCode,
  isEntry,
  isFiller,
  QUEUE_ENTRY_BYTES,
  writeQueueEntry,
} from '../../lib/format/queue-entry.js'
import { BatchQueueEntry, IndexEntry, QueueEntry } from '../../lib/format/tables.js'
import { decodeMark, encodeMark, MARK_BYTES, type Mark } from '../../lib/log/marks.js'
import { scanIndexEntries } from '../../lib/view/index-scan.js'
import { indexSizesOf, inferIndexSizes } from '../../lib/view/index-sizes.js'
import { loadCheckpoint } from '../../lib/view/store-checkpoint.js'
import type { Target } from './fuzzer.js'

function diskWith(path: string, bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk()
  disk.makeDirectory('/s')
  const file = disk.open(path, { write: true, create: true })
  file.writeAt(bytes, 0)
  file.close()
  return disk
}

const isSafe = (...values: bigint[]): boolean => values.every((value) => Number.isSafeInteger(Number(value)))

const queueEntry: Target = {
  name: 'queue-entry',
  seeds: [
    QueueEntry.encode({ commitLogOffset: 4096n, size: 200, tagsCode: -5n }),
    QueueEntry.encode({ commitLogOffset: 0n, size: 0x7fffffff, tagsCode: 0n }),
    Buffer.alloc(QUEUE_ENTRY_BYTES * 2),
  ],
  words: [],
  run(input) {
    const { view } = blockOf(input)
    for (let at = 0; at + QUEUE_ENTRY_BYTES <= input.length; at += QUEUE_ENTRY_BYTES) {
      const slow = QueueEntry.decode(new DataView(input.buffer, input.byteOffset + at, QUEUE_ENTRY_BYTES))
      assert.equal(entrySize(view, at), slow.size)
      assert.equal(isEntry(view, at), slow.commitLogOffset >= 0n && slow.size > 0)
      if (isFiller(view, at)) assert.ok(isEntry(view, at))
      if (!isSafe(slow.commitLogOffset, slow.tagsCode)) continue
      const again = zeroBlock(QUEUE_ENTRY_BYTES)
      writeQueueEntry(again.view, 0, entryOffset(view, at), entrySize(view, at), entryTagsCode(view, at))
      assert.ok(again.bytes.equals(input.subarray(at, at + QUEUE_ENTRY_BYTES)))
    }
  },
}

const batchEntry: Target = {
  name: 'batch-entry',
  seeds: [
    Buffer.from('0000000000001000000001fc0000000000000000000001a1fbc0a46f00000000000000000003ffffffff00000000', 'hex'),
    Buffer.alloc(BATCH_QUEUE_ENTRY_BYTES * 2),
  ],
  words: [],
  run(input) {
    if (input.length < BATCH_QUEUE_ENTRY_BYTES) return
    const at = input.length - BATCH_QUEUE_ENTRY_BYTES
    const { view } = blockOf(input)
    const slow = BatchQueueEntry.decode(new DataView(input.buffer, input.byteOffset + at, BATCH_QUEUE_ENTRY_BYTES))
    const { commitLogOffset, size, tagsCode, storeTimestamp, baseOffset, batchSize } = slow
    assert.equal(isBatchEntry(view, at), commitLogOffset >= 0n && size > 0 && baseOffset >= 0n && batchSize > 0)
    if (!isSafe(commitLogOffset, tagsCode, storeTimestamp, baseOffset)) return
    const again = zeroBlock(BATCH_QUEUE_ENTRY_BYTES)
    writeBatchEntry(again.view, 0, {
      commitLogOffset: batchEntryOffset(view, at),
      size: batchEntrySize(view, at),
      tagsCode: batchEntryTagsCode(view, at),
      storeTimestamp: batchEntryTimestamp(view, at),
      baseOffset: batchEntryBase(view, at),
      batchSize: batchEntryCount(view, at),
    })
    assert.ok(again.bytes.equals(BatchQueueEntry.encode({ ...slow, compactedOffset: -1, reserved: 0 })))
  },
}

const someHeader = {
  beginTimestamp: 1_700_000_000_000,
  endTimestamp: 1_700_000_001_000,
  beginCommitLogOffset: 100,
  endCommitLogOffset: 300,
  hashSlotCount: 2,
  indexCount: 4,
}

function entryOf(keyHash: number, commitLogOffset: number, previous: number): Buffer {
  return IndexEntry.encode({ keyHash, commitLogOffset: BigInt(commitLogOffset), seconds: 1, previous })
}

/** Five slots with three entries and room for two more. */
const someIndex = Buffer.concat([
  encodeIndexHeader({ ...someHeader, hashSlotCount: 3 }),
  Buffer.from('0000000000000000000000020000000100000003', 'hex'),
  Buffer.alloc(20),
  entryOf(3, 100, 0),
  entryOf(7, 200, 0),
  entryOf(9, 300, 0),
  Buffer.alloc(40),
])

const indexHeader: Target = {
  name: 'index-header',
  seeds: [encodeIndexHeader(someHeader), Buffer.alloc(INDEX_HEADER_BYTES)],
  words: [],
  run(input) {
    const bytes = Buffer.concat([input, Buffer.alloc(INDEX_HEADER_BYTES)]).subarray(0, INDEX_HEADER_BYTES)
    const header = decodeIndexHeader(bytes)
    if (Object.values(header).every(Number.isSafeInteger)) assert.ok(encodeIndexHeader(header).equals(bytes))
  },
}

const indexEntries: Target = {
  name: 'index-entries',
  seeds: [
    Buffer.concat([Buffer.of(5, 8, 4, 1, 4), someIndex]),
    Buffer.concat([
      Buffer.of(2, 4, 4, 0, 1),
      encodeIndexHeader(someHeader),
      Buffer.alloc(28),
      entryOf(4, 100, 0),
      entryOf(6, 150, 1),
    ]),
  ],
  words: [entryOf(1, 0, 0), entryOf(4, 0, 1)],
  run(input) {
    if (input.length < 5) return
    const [slotCount, most, known] = [1 + (input[0]! & 63), input[1]!, input[2]!]
    const logEnd = input[4]! * 100
    const bytes = input.subarray(5)
    const file = diskWith('/s/i', bytes).open('/s/i', {})
    const scan = scanIndexEntries({ file, slotCount, most, logEnd, known, isNoted: (input[3]! & 1) === 1 })
    assert.ok(scan.count >= 1 && (scan.count === 1 || scan.count <= most), `${scan.count} entries of ${most}`)
    assert.ok(scan.last < logEnd)
    // The entries again by the table, with the chains that the slots should begin.
    const slots = new Int32Array(slotCount)
    for (let n = 1; n < scan.count; n++) {
      const at = INDEX_HEADER_BYTES + 4 * slotCount + 20 * n
      const whole = Buffer.concat([bytes.subarray(at, at + 20), Buffer.alloc(20)])
      const { keyHash, previous } = IndexEntry.decode(new DataView(whole.buffer, whole.byteOffset, 20))
      assert.equal(previous, slots[keyHash % slotCount])
      slots[keyHash % slotCount] = n
    }
    assert.deepEqual(scan.slots, slots)
    assert.equal(scan.used, slots.filter((slot) => slot > 0).length)
  },
}

const indexSizes: Target = {
  name: 'index-sizes',
  seeds: [someIndex, Buffer.alloc(100)],
  words: [entryOf(1, 100, 0)],
  run(input) {
    const sizes = inferIndexSizes(diskWith('/s/i', input), '/s/i')
    if (sizes !== undefined) assert.deepEqual(indexSizesOf(input.length, sizes.slots), sizes)
  },
}

const someTimes = { physicMs: 3, logicsMs: 2, indexMs: 1 }
const someMark: Mark = {
  logEnd: 1000,
  viewsEnd: 900,
  lockMs: 5,
  unflushedBound: 0,
  checkpoint: someTimes,
  nextCheckpoint: someTimes,
}

const mark: Target = {
  name: 'mark',
  seeds: [encodeMark('durable', someMark).bytes, encodeMark('clean', someMark).bytes],
  words: ['MQLC', 'MQLD'].map((text) => Buffer.from(text)),
  run(input) {
    const sealed = blockOf(Buffer.from(input))
    if (input.length >= MARK_BYTES) sealed.view.setUint32(MARK_BYTES - 4, crc32(sealed, 0, MARK_BYTES - 4))
    for (const kind of ['durable', 'clean'] as const) {
      for (const bytes of [input, sealed.bytes]) {
        const found = decodeMark(kind, bytes)
        if (found === undefined) continue
        const { checkpoint, nextCheckpoint, ...numbers } = found
        const all = [numbers, checkpoint, nextCheckpoint].flatMap((part) => Object.values(part))
        if (all.every(Number.isSafeInteger)) assert.deepEqual(decodeMark(kind, encodeMark(kind, found).bytes), found)
      }
    }
  },
}

const checkpoint: Target = {
  name: 'checkpoint',
  seeds: [Buffer.alloc(4096), Buffer.from('000000000000000300000000000000020000000000000001', 'hex')],
  words: [],
  run(input) {
    const times = Object.values(loadCheckpoint(diskWith('/s/checkpoint', input), '/s')) as number[]
    assert.ok(times.every((time) => Number.isSafeInteger(time) && time >= 0))
  },
}

/** The targets of this file. */
export const entryTargets: readonly Target[] = [queueEntry, batchEntry, indexHeader, indexEntries, indexSizes, mark, checkpoint]
