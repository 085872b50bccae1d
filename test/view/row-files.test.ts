/** Rows that a crash left behind the last believed one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { RowFiles } from '../../lib/view/row-files.js'

const ROW = 20
/** So many rows begin where the file system's next block does. */
const BLOCK_ROWS = 1024
const ROWS = 8 * BLOCK_ROWS

/** Files of which some rows are written, and what the first file holds after the rows from `keep` on were zeroed. */
function zeroedFrom(keep: number, rows: readonly [from: number, to: number]) {
  const disk = new MemoryDisk()
  for (const path of ['/q', '/q/a', '/q/a/0']) disk.makeDirectory(path)
  const path = `/q/a/0/${'0'.padStart(20, '0')}`
  const file = disk.open(path, { write: true, create: true })
  file.resize(ROWS * ROW)
  const [from, to] = rows
  file.writeAt(Buffer.alloc((to - from) * ROW, 7), from * ROW)
  const place = { directory: '/q/a/0', rowBytes: ROW, rowsPerSegment: ROWS, tmpDirectory: '/q/tmp' }
  const files = new RowFiles({ disk, files: new OpenFiles(disk, 16), ...place, writable: true, mayHaveUnflushedNames: true })
  files.zero(keep, ROWS)
  const content = Buffer.alloc(ROWS * ROW)
  file.readAt(content, 0)
  return { left: content.findLastIndex((byte) => byte !== 0) + 1, allocated: disk.stat(path)?.allocatedBytes ?? -1 }
}

test('rows behind the last one are zeroed, also in a file that begins with a hole as long as they are', () => {
  const middle = 4 * BLOCK_ROWS
  assert.equal(zeroedFrom(middle, [middle, middle + 500]).left, 0)
  assert.equal(zeroedFrom(middle + 1, [middle, middle + 500]).left, (middle + 1) * ROW)
  for (const keep of [1, 100, BLOCK_ROWS - 1, BLOCK_ROWS, 3000]) assert.equal(zeroedFrom(keep, [0, 4000]).left, keep * ROW)
})

test('zeroing what stands behind the last row takes no space', () => {
  const { allocated } = zeroedFrom(10, [0, 300])
  assert.equal(allocated, Math.ceil((300 * ROW) / 4096) * 4096)
})
