/** What the index keeps when only the beginning of it can be believed: filled, cut at an address, filled again. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../../lib/base/system.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { readWhole } from '../../lib/disk/replace.js'
import { decodeIndexHeader } from '../../lib/format/index-layout.js'
import { IndexView } from '../../lib/view/index-view.js'

const RECORDS = 41
const RECORD_BYTES = 100

/** An index on a disk; files of 9 entries, two entries for a record. */
function load(disk: MemoryDisk, trustedEnd: number): IndexView {
  const common = { disk, files: new OpenFiles(disk), directory: '/index', tmpDirectory: '/tmp', writable: true }
  return IndexView.load({ ...common, slots: 7, entries: 10, clock: systemClock, trustedEnd, logStart: 0 })
}

function fill(index: IndexView, from: number): void {
  for (let n = from; n < RECORDS; n++) {
    for (const key of [1, 1001]) index.put(n + key, n * RECORD_BYTES, 1_700_000_000_000 + n)
  }
}

function assertFindsAll(index: IndexView): void {
  for (let n = 0; n < RECORDS; n++) {
    for (const key of [1, 1001]) {
      const found = [...index.candidates(n + key, 0, Number.MAX_SAFE_INTEGER)]
      assert.deepEqual(found, [n * RECORD_BYTES], `key ${n + key}`)
    }
  }
  assert.equal(index.entryCount, RECORDS * 2)
  assert.equal(index.fileCount, Math.ceil((RECORDS * 2) / 9))
}

async function filled(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const index = load(disk, 0)
  fill(index, 0)
  await index.flush(Number.POSITIVE_INFINITY)
  return disk
}

describe('an index of which only the beginning is believed', () => {
  for (let cut = 0; cut <= RECORDS; cut++) {
    test(`cut at record ${cut} it keeps what is below, in full files, and takes the rest again`, async () => {
      const disk = await filled()
      const index = load(disk, cut * RECORD_BYTES)
      assert.equal(index.lastCommitLogOffset, cut === 0 ? -1 : (cut - 1) * RECORD_BYTES)
      assert.equal(index.completeEnd, Number.POSITIVE_INFINITY)
      assert.equal(index.fileCount, Math.ceil((cut * 2) / 9))
      fill(index, cut)
      assertFindsAll(index)
      await index.flush(Number.POSITIVE_INFINITY)
      assertFindsAll(load(disk, Number.POSITIVE_INFINITY))
    })
  }

  test('files that a crash left without entries are deleted, wherever they stand', async () => {
    const disk = await filled()
    for (const name of ['00000000000000001', disk.list('/index').at(-1)!.name.replace(/^./, '9')]) {
      const file = disk.open(`/index/${name}`, { write: true, create: true })
      file.resize(40 + 7 * 4 + 10 * 20)
      file.close()
    }
    assertFindsAll(load(disk, Number.POSITIVE_INFINITY))
    const index = load(disk, 0)
    assert.equal(index.lastCommitLogOffset, -1)
    fill(index, 0)
    assertFindsAll(index)
  })

  test('a file that is made and not yet written seems to end after every checkpoint, so that RocketMQ deletes it', async () => {
    const disk = await filled()
    const names = disk.list('/index').map(({ name }) => name)
    const added = () => disk.list('/index').filter(({ name }) => !names.includes(name))
    const headerOf = (name: string) => decodeIndexHeader(readWhole(disk, `/index/${name}`)!)
    const headers: ReturnType<typeof headerOf>[] = []
    const index = load(disk, Number.POSITIVE_INFINITY)
    for (let n = RECORDS; n < RECORDS + 20; n++) index.put(n, n * RECORD_BYTES, 1_700_000_000_000 + n)
    assert.deepEqual(added(), [], 'puts make no files')
    const rename = disk.rename.bind(disk)
    disk.rename = (from, to) => {
      rename(from, to)
      headers.push(headerOf(to.slice(to.lastIndexOf('/') + 1)))
    }
    await index.flush(Number.POSITIVE_INFINITY)
    assert.ok(headers.length > 0)
    for (const { endTimestamp, indexCount } of headers) assert.deepEqual([endTimestamp, indexCount], [Number.MAX_SAFE_INTEGER, 1])
    assert.equal(headerOf(added().at(-1)!.name).endTimestamp, 1_700_000_000_000 + RECORDS + 19)
  })

  test('a record whose entries were lost in part comes again with all of them', async () => {
    const disk = await filled()
    const last = disk.list('/index').at(-1)!.name
    // The last record's second entry is alone in the last file; the first one ends the file before.
    const file = disk.open(`/index/${last}`, { write: true })
    file.writeAt(Buffer.alloc(20), 40 + 7 * 4 + 20)
    file.close()
    const index = load(disk, RECORDS * RECORD_BYTES)
    assert.equal(index.completeEnd, (RECORDS - 1) * RECORD_BYTES)
    assert.equal(index.lastCommitLogOffset, (RECORDS - 2) * RECORD_BYTES)
    fill(index, RECORDS - 1)
    assertFindsAll(index)
  })
})
