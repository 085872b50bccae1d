/** How an index file is divided is told by its content, whatever the sizes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { indexFileBytes } from '../../lib/format/index-layout.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { indexSizesOf, inferIndexSizes } from '../../lib/view/index-sizes.js'
import { filesIn, putMany, ROOT } from '../support/small-store.js'

async function indexFilesOf(slots: number, entries: number, messages: number): Promise<{ disk: MemoryDisk; paths: string[] }> {
  const disk = new MemoryDisk()
  const store = await MessageStore.open(
    ROOT,
    { segmentBytes: 65_536, queueSegmentEntries: 100, index: { slots, entries } },
    { disk },
  )
  await putMany(store, 0, messages)
  await store.close()
  return { disk, paths: filesIn(disk, `${ROOT}/index`) }
}

for (const [slots, entries, messages] of [
  [1, 50, 120],
  [7, 12, 40],
  [50, 200, 300],
  [1000, 4000, 60],
  [99_991, 20_000, 200],
  [500_000, 2_000_000, 30],
] as const) {
  test(`${slots} slots and ${entries} entries are found out in every file`, async () => {
    const { disk, paths } = await indexFilesOf(slots, entries, messages)
    assert.ok(paths.length > 0)
    for (const path of paths) assert.deepEqual(inferIndexSizes(disk, path), { slots, entries })
  })
}

test('a file without entries tells nothing', () => {
  const disk = new MemoryDisk()
  disk.makeDirectory('/d')
  const file = disk.open('/d/f', { write: true, create: true })
  file.resize(indexFileBytes(50, 200))
  file.close()
  assert.equal(inferIndexSizes(disk, '/d/f'), undefined)
})

test('a number of slots fits a length, or does not', () => {
  assert.deepEqual(indexSizesOf(indexFileBytes(50, 200), 50), { slots: 50, entries: 200 })
  assert.deepEqual(indexSizesOf(indexFileBytes(50, 200), 55), { slots: 55, entries: 199 })
  assert.equal(indexSizesOf(indexFileBytes(50, 200), 51), undefined)
  assert.equal(indexSizesOf(indexFileBytes(50, 200), 5000), undefined)
})
