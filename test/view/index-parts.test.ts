/** A flush of an index whose slots are many: it goes in parts, between which entries come and files go. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { IndexView } from '../../lib/view/index-view.js'
import { ManualTime } from '../support/manual-time.js'

const START = Date.UTC(2024, 4, 5)
const SLOTS = 3 * 512 * 1024
const SIZE = 100
const COUNT = 6000

/** Spread over all slots, each another one. */
const hashOf = (i: number): number => (i * 972_083) % 2_147_483_647

function load(disk: MemoryDisk, pause?: () => Promise<void>, entries = 100_000): IndexView {
  const sizes = { slots: SLOTS, entries, trustedEnd: Number.POSITIVE_INFINITY, logStart: 0 }
  const place = { disk, files: new OpenFiles(disk, 16), directory: '/s/index', tmpDirectory: '/s/tmp' }
  return IndexView.load({ ...place, ...sizes, writable: true, clock: new ManualTime(START), ...(pause && { pause }) })
}

function freshDisk(): MemoryDisk {
  const disk = new MemoryDisk()
  disk.makeDirectory('/s')
  return disk
}

const put = (index: IndexView, i: number): void => index.put(hashOf(i), i * SIZE, START + i)

const found = (index: IndexView, i: number): number[] => [...index.candidates(hashOf(i), 0, Number.MAX_SAFE_INTEGER)]

describe('a flush of an index in parts', () => {
  test('leaves a file that has what was there when it began, and the next one adds what came meanwhile', async () => {
    const disk = freshDisk()
    let next = 1
    let pauses = 0
    const index = load(disk, async () => {
      pauses++
      for (let i = 0; i < 500; i++) put(index, next++)
      // The same slots once more, so that some of those that are written are not the newest any more.
      for (let i = 1; i <= 100; i++) index.put(hashOf(i * 7), next++ * SIZE, START + next)
    })
    while (next <= COUNT) put(index, next++)
    await index.flush(next * SIZE)
    assert.ok(pauses >= 2, `${pauses} pauses`)
    const first = load(disk)
    assert.equal(first.entryCount, COUNT)
    for (let i = 1; i <= COUNT; i++) assert.deepEqual(found(first, i), [i * SIZE], `key ${i}`)
    const entries = index.entryCount
    const before = Array.from({ length: COUNT }, (_, i) => found(index, i + 1))
    await index.flush(next * SIZE)
    const second = load(disk)
    assert.equal(second.entryCount, entries)
    assert.deepEqual(
      Array.from({ length: COUNT }, (_, i) => found(second, i + 1)),
      before,
    )
  })

  test('ends when the log is cut meanwhile, and what is kept is written by the next one', async () => {
    const disk = freshDisk()
    let hasCut = false
    const index = load(disk, async () => {
      if (!hasCut) index.truncate(3000 * SIZE)
      hasCut = true
    })
    for (let i = 1; i <= COUNT; i++) put(index, i)
    await index.flush((COUNT + 1) * SIZE)
    assert.ok(hasCut)
    for (let i = 3000; i < 4000; i++) put(index, i)
    await index.flush(4000 * SIZE)
    const again = load(disk)
    assert.equal(again.entryCount, 3999)
    for (let i = 1; i < 4000; i++) assert.deepEqual(found(again, i), [i * SIZE], `key ${i}`)
  })

  test('ends when its file is deleted meanwhile', async () => {
    const disk = freshDisk()
    const index = load(disk, async () => void index.trim(COUNT * SIZE), COUNT)
    for (let i = 1; i <= COUNT + 10; i++) put(index, i)
    assert.equal(index.fileCount, 2)
    await index.flush((COUNT + 11) * SIZE)
    assert.equal(index.fileCount, 1)
    assert.deepEqual(found(load(disk, undefined, COUNT), COUNT + 5), [(COUNT + 5) * SIZE])
  })
})
