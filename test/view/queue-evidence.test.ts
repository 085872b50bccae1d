/** What rows in the files of a queue prove: that a record was durable, unless they were never written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { BATCH_QUEUE_ENTRY_BYTES, writeBatchEntry } from '../../lib/format/batch-queue-entry.js'
import { blockOf } from '../../lib/format/block.js'
import { FILLER_SIZE, QUEUE_ENTRY_BYTES, writeQueueEntry } from '../../lib/format/queue-entry.js'
import { BatchConsumeQueue } from '../../lib/view/batch-consume-queue.js'
import { ConsumeQueue } from '../../lib/view/consume-queue.js'

type Row = readonly [commitLogOffset: number, size: number] | 'garbage' | 'blank'

const ROWS = 60
const BOUNDS = { start: 0, end: 10_000, bytes: 1000 }

const kinds = [
  {
    kind: 'a queue',
    bytes: QUEUE_ENTRY_BYTES,
    write: (view: DataView, at: number, address: number, size: number) => writeQueueEntry(view, at, address, size, 0),
    Queue: ConsumeQueue,
  },
  {
    kind: 'a batch queue',
    bytes: BATCH_QUEUE_ENTRY_BYTES,
    write(view: DataView, at: number, commitLogOffset: number, size: number) {
      writeBatchEntry(view, at, { commitLogOffset, size, tagsCode: 0, storeTimestamp: 1, baseOffset: at, batchSize: 1 })
    },
    Queue: BatchConsumeQueue,
  },
]

/** What a queue of these rows, of which none is believed, bears witness of. */
function evidenceOf({ bytes, write, Queue }: (typeof kinds)[number], rows: readonly Row[], garbage = 0x37): number {
  const content = Buffer.alloc(ROWS * bytes)
  const { view } = blockOf(content)
  for (const [n, row] of rows.entries()) {
    if (row === 'garbage') content.fill(garbage, n * bytes, (n + 1) * bytes)
    else if (row !== 'blank') write(view, n * bytes, row[0], row[1])
  }
  const disk = new MemoryDisk()
  for (const path of ['/q', '/q/a', '/q/a/0']) disk.makeDirectory(path)
  const file = disk.open(`/q/a/0/${'0'.repeat(20)}`, { write: true, create: true })
  file.writeAt(content, 0)
  file.close()
  const place = { directory: '/q/a/0', topic: 'a', queueId: 0, rowsPerSegment: ROWS, tmpDirectory: '/q/tmp' }
  const files = new OpenFiles(disk, 16)
  const how = { writable: true, mayHaveUnflushedNames: false, trustedEnd: 0, recordBounds: BOUNDS }
  return new Queue({ disk, files, ...place, ...how }).evidenceEnd
}

for (const kind of kinds) {
  test(`${kind.kind} proves the record whose entry reached the disk, up to the bounds of the log`, () => {
    assert.equal(evidenceOf(kind, []), -1)
    assert.equal(evidenceOf(kind, [[0, 100]]), 100)
    assert.equal(
      evidenceOf(kind, [
        [0, 100],
        [100, 50],
      ]),
      150,
    )
    assert.equal(evidenceOf(kind, [[9000, 1000]]), 10_000)
    assert.equal(evidenceOf(kind, [[0, 100], 'blank', [100, 50]]), 100)
  })

  test(`${kind.kind} proves nothing by bytes that cannot be an entry, and they hide no entry behind them`, () => {
    for (const garbage of [0x37, 0x80, 0xff]) assert.equal(evidenceOf(kind, ['garbage', 'garbage'], garbage), -1)
    for (const garbage of [0x37, 0xff]) assert.equal(evidenceOf(kind, ['garbage', [0, 100]], garbage), 100)
    const rows: Row[] = [
      [9001, 1000],
      [0, 1001],
      [100, -1],
      [100, FILLER_SIZE],
      [2 ** 60, 100],
    ]
    for (const row of rows) assert.equal(evidenceOf(kind, [row]), -1, String(row))
  })

  test(`${kind.kind} proves nothing by an entry whose address and size stand in two sectors`, () => {
    const isSplit = (n: number): boolean => ((n * kind.bytes) % 512) + 12 > 512
    const split = Array.from({ length: ROWS }, (_, n) => n).find(isSplit)!
    const rows: Row[] = Array.from({ length: split + 1 }, (_, n) => [n * 100, 100])
    assert.equal(evidenceOf(kind, rows), split * 100)
    assert.equal(evidenceOf(kind, [...rows, [5900, 100]]), 6000)
  })
}
