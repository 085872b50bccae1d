/** The page cache gives what the file holds, whatever its size and whoever shares it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError } from '../../lib/disk/disk.js'
import { CACHE_PAGE_BYTES, newPageOwner, PageCache } from '../../lib/disk/page-cache.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'

const PAGES = 9

function fileOf(disk: SimDisk, path: string, bytes: Buffer) {
  const file = disk.open(path, { write: true, create: true })
  file.writeAt(bytes, 0)
  return file
}

test('every byte of a page is that of the file, for any number of places and owners', () => {
  for (let seed = 0; seed < 30; seed++) {
    const random = new Random(seed)
    const disk = new SimDisk()
    const cache = new PageCache(random.int(12) * CACHE_PAGE_BYTES)
    const owners = Array.from({ length: 3 }, (_, i) => {
      const start = random.int(50)
      const bytes = random.bytes(start + PAGES * CACHE_PAGE_BYTES - random.int(3000))
      return { owner: newPageOwner(), start, bytes, file: fileOf(disk, `/${i}`, bytes) }
    })
    for (let i = 0; i < 300; i++) {
      const { owner, start, bytes, file } = random.pick(owners)
      const page = random.int(PAGES)
      const within = random.int(CACHE_PAGE_BYTES)
      const position = start + page * CACHE_PAGE_BYTES + within
      const at = cache.locate(owner, page, within + 1, file, start, bytes.length)
      if (position >= bytes.length) assert.equal(at, -1, `seed ${seed}`)
      else assert.equal(cache.view.getUint8(at + within), bytes[position], `seed ${seed}`)
    }
  }
})

test('what was not yet written when a page was read is read again, and a read that fails leaves nothing', () => {
  const disk = new SimDisk()
  const cache = new PageCache(0)
  const owner = newPageOwner()
  const file = fileOf(disk, '/file', Buffer.alloc(CACHE_PAGE_BYTES))
  assert.equal(cache.locate(owner, 0, 20, file, 0, 20), 0)
  file.writeAt(Buffer.alloc(20, 7), 20)
  assert.equal(cache.locate(owner, 0, 40, file, 0, 40), 0)
  assert.deepEqual([cache.view.getUint8(19), cache.view.getUint8(20)], [0, 7])
  disk.inject({ on: 'read', path: 'file', code: 'EIO' })
  assert.throws(() => cache.locate(owner, 0, 60, file, 0, 60), DiskError)
  disk.faults.heal()
  file.writeAt(Buffer.alloc(20, 8), 0)
  assert.equal(cache.locate(owner, 0, 1, file, 0, 60), 0)
  assert.equal(cache.view.getUint8(0), 8)
})
