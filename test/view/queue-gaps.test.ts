/** What a queue makes of files of which some are missing between others, with no manifest to tell which there were. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { BATCH_QUEUE_ENTRY_BYTES, writeBatchEntry } from '../../lib/format/batch-queue-entry.js'
import { blockOf } from '../../lib/format/block.js'
import { QUEUE_ENTRY_BYTES, writeQueueEntry } from '../../lib/format/queue-entry.js'
import { BatchConsumeQueue } from '../../lib/view/batch-consume-queue.js'
import { ConsumeQueue } from '../../lib/view/consume-queue.js'

/** Rows of a file; the record of row `n` has the addresses from 100 * `n` on. */
const ROWS = 4
const RECORD = 100

const kinds = [
  {
    kind: 'a queue',
    bytes: QUEUE_ENTRY_BYTES,
    write: (view: DataView, at: number, row: number) => writeQueueEntry(view, at, row * RECORD, RECORD, 0),
    Queue: ConsumeQueue,
  },
  {
    kind: 'a batch queue',
    bytes: BATCH_QUEUE_ENTRY_BYTES,
    write: (view: DataView, at: number, row: number) =>
      writeBatchEntry(view, at, {
        commitLogOffset: row * RECORD,
        size: RECORD,
        tagsCode: 0,
        storeTimestamp: 1,
        baseOffset: row,
        batchSize: 1,
      }),
    Queue: BatchConsumeQueue,
  },
]

/** A queue of these files, the rows of all of them written. */
function load({ bytes, write, Queue }: (typeof kinds)[number], files: readonly number[], start: number, trustedRows: number) {
  const disk = new MemoryDisk()
  for (const path of ['/q', '/q/a', '/q/a/0']) disk.makeDirectory(path)
  for (const number of files) {
    const content = Buffer.alloc(ROWS * bytes)
    for (let i = 0; i < ROWS; i++) write(blockOf(content).view, i * bytes, number * ROWS + i)
    const file = disk.open(`/q/a/0/${String(number * ROWS * bytes).padStart(20, '0')}`, { write: true, create: true })
    file.writeAt(content, 0)
    file.close()
  }
  const place = { directory: '/q/a/0', topic: 'a', queueId: 0, rowsPerSegment: ROWS, tmpDirectory: '/q/tmp' }
  const recordBounds = { start: start * RECORD, end: 100_000, bytes: 1000 }
  const how = { writable: true, mayHaveUnflushedNames: true, trustedEnd: trustedRows * RECORD, recordBounds }
  const queue = new Queue({ disk, files: new OpenFiles(disk, 16), ...place, ...how })
  return { isSound: queue.check(), bounds: [queue.minOffset, queue.maxOffset] }
}

for (const kind of kinds) {
  test(`${kind.kind} of which a crash brought deleted files back begins behind them`, () => {
    assert.deepEqual(load(kind, [0, 2, 4, 5, 6], 15, 27), { isSound: true, bounds: [16, 27] })
    assert.deepEqual(load(kind, [0, 1, 2, 3], 6, 14), { isSound: true, bounds: [0, 14] })
  })

  test(`${kind.kind} that lacks files with entries of messages that the log has is not believed`, () => {
    assert.equal(load(kind, [0, 1, 3], 2, 16).isSound, false)
    assert.equal(load(kind, [0, 1, 3], 8, 16).isSound, true)
    // The file behind the gap has nothing to be believed, but the one in it had.
    assert.equal(load(kind, [0, 1, 3], 0, 12).isSound, false)
    assert.equal(load(kind, [0, 1, 3], 0, 7).isSound, true)
  })
}
