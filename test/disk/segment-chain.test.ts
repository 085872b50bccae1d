/** Segment chains: one address space over many files, loaded strictly, made so that a crash leaves nothing foreign. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InvariantError, MessageStoreError } from '../../lib/base/errors.js'
import type { Disk } from '../../lib/disk/disk.js'
import { countsData } from '../../lib/disk/hole-count.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { OpenFiles } from '../../lib/disk/open-files.js'
import { SegmentChain, type SegmentChainOptions } from '../../lib/disk/segment-chain.js'
import { EveryChoice, Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { codeIn } from './conformance.js'

function load(disk: Disk, options: Partial<SegmentChainOptions> = {}): SegmentChain {
  return SegmentChain.load({
    disk,
    files: new OpenFiles(disk, 8),
    directory: '/s/log',
    segmentBytes: 1000,
    writable: true,
    tmpDirectory: '/s/ext/tmp',
    ...options,
  })
}

function freshDisk(): MemoryDisk {
  const disk = new MemoryDisk()
  disk.makeDirectory('/s')
  return disk
}

function place(disk: Disk, name: string, bytes: number): void {
  disk.makeDirectory('/s/log')
  const file = disk.open(`/s/log/${name}`, { write: true, create: true })
  file.resize(bytes)
  file.close()
}

const name = (start: number) => String(start).padStart(20, '0')
const code =
  (expected: string, pattern = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof MessageStoreError, String(error))
    assert.equal(error.code, expected)
    assert.match(error.message, pattern)
    return true
  }

describe('addresses', () => {
  test('any writes and reads agree with one flat array, within segments and across them', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const random = new Random(seed)
      const chain = load(freshDisk())
      const flat = new Uint8Array(8000)
      for (let step = 0; step < 100; step += 1) {
        const address = random.int(6000)
        const bytes = random.bytes(random.int(2000))
        chain.writeAt(bytes, address)
        flat.set(bytes, address)
        const from = random.int(7999)
        const target = new Uint8Array(random.int(1500))
        const count = chain.readAt(target, from)
        const room = Math.floor(from / 1000) * 1000 + 1000 - from
        assert.equal(count, chain.has(from) ? Math.min(target.length, room) : 0)
        assert.deepEqual(target.subarray(0, count), flat.subarray(from, from + count))
      }
    }
  })

  test('start, end and has follow the segments; an empty chain has neither', () => {
    const chain = load(freshDisk())
    assert.deepEqual([chain.start, chain.end, chain.starts], [0, 0, []])
    assert.equal(chain.has(0), false)
    assert.equal(chain.readAt(new Uint8Array(5), 0), 0)
    chain.writeAt(new Uint8Array(10), 4500)
    assert.deepEqual([chain.start, chain.end, chain.starts], [4000, 5000, [4000]])
    assert.deepEqual(
      [3999, 4000, 4999, 5000].map((address) => chain.has(address)),
      [false, true, true, false],
    )
    assert.equal(chain.pathOf(4000), `/s/log/${name(4000)}`)
    assert.deepEqual([chain.startOf(4999), chain.startOf(5000), chain.startOf(3999)], [4000, 5000, 3000])
  })

  test('a segment has its full length from the start, under its final name only', () => {
    const disk = freshDisk()
    const chain = load(disk)
    chain.create(0)
    chain.create(0)
    assert.equal(disk.stat(chain.pathOf(0))?.bytes, 1000)
    assert.equal(disk.stat(chain.pathOf(0))?.allocatedBytes, 0)
    assert.deepEqual(disk.files(), [chain.pathOf(0)])
  })

  test('a file full of data is never taken for a hole, though the file system says that it takes next to nothing', () => {
    const disk = freshDisk()
    const chain = load(disk, { segmentBytes: 65_536 })
    chain.writeAt(new Uint8Array(65_536).fill(7), 0)
    chain.create(65_536)
    assert.deepEqual([chain.isHoleFrom(4096), chain.isHoleFrom(65_536)], [false, true])
    const stat = disk.stat.bind(disk)
    // As ZFS and btrfs do with what compresses well.
    disk.stat = (path) => {
      const real = stat(path)
      return real && { ...real, allocatedBytes: 512, countsData: false }
    }
    assert.deepEqual([chain.isHoleFrom(4096), chain.isHoleFrom(65_536)], [false, false])
  })

  test('only file systems that neither compress nor hide what is below are believed about holes', () => {
    const known = { ext4: 0xef53, xfs: 0x58465342, tmpfs: 0x01021994 }
    for (const [name, type] of Object.entries(known)) assert.ok(countsData(type), name)
    const others = {
      btrfs: 0x9123683e,
      zfs: 0x2fc12fc1,
      f2fs: 0xf2f52010,
      bcachefs: 0xca451a4e,
      overlay: 0x794c7630,
      nfs: 0x6969,
    }
    for (const [name, type] of Object.entries(others)) assert.ok(!countsData(type), name)
  })

  test('addresses past 2^53 - 1, negative and broken ones are refused, and nothing is created', () => {
    const disk = freshDisk()
    const chain = load(disk, { segmentBytes: 2 ** 30 })
    const last = Math.floor((2 ** 53 - 1) / 2 ** 30) * 2 ** 30
    for (const address of [2 ** 53 - 1, last, 2 ** 53, -1, 0.5, Number.NaN]) {
      assert.throws(() => chain.writeAt(new Uint8Array(2), address), code('OFFSET_OVERFLOW'), String(address))
    }
    assert.deepEqual(disk.files(), [])
    chain.writeAt(new Uint8Array([7]), last - 1)
    assert.throws(() => chain.writeAt(new Uint8Array(2), last - 1), code('OFFSET_OVERFLOW'))
    const target = new Uint8Array(4)
    assert.deepEqual([chain.readAt(target, last - 1), target[0]], [1, 7])
  })

  test('a chain that was opened to be read creates nothing', () => {
    const disk = freshDisk()
    place(disk, name(0), 1000)
    const chain = load(disk, { writable: false })
    assert.throws(() => chain.writeAt(new Uint8Array(1), 0), InvariantError)
    assert.throws(() => chain.create(1000), InvariantError)
    assert.deepEqual(disk.files(), [`/s/log/${name(0)}`])
  })
})

describe('loading', () => {
  test('the length is taken from the files, from the option, or from the default, in that order of facts', () => {
    const disk = freshDisk()
    assert.equal(load(disk, { segmentBytes: undefined }).segmentBytes, 0)
    assert.equal(load(disk, { segmentBytes: undefined, defaultSegmentBytes: 77 }).segmentBytes, 77)
    place(disk, name(0), 500)
    place(disk, name(500), 500)
    const chain = load(disk, { segmentBytes: undefined, defaultSegmentBytes: 77 })
    assert.deepEqual([chain.segmentBytes, chain.end], [500, 1000])
    assert.throws(
      () => load(disk, { option: 'queueSegmentEntries' }),
      code(
        'STORE_INCOMPATIBLE',
        /0{20} has 500 bytes, expected 1000; every file has that length: open with queueSegmentEntries 500/,
      ),
    )
    place(disk, name(1000), 400)
    assert.throws(() => load(disk, { segmentBytes: undefined }), code('STORE_INCOMPATIBLE', /1000 has 400 bytes, expected 500$/))
  })

  test('foreign names, links and overlapping segments are refused; directories are passed over', () => {
    for (const foreign of ['notes.txt', '123', `${name(0)}.tmp`, '99999999999999999999']) {
      const disk = freshDisk()
      place(disk, foreign, 1000)
      assert.throws(() => load(disk), code(foreign.startsWith('9') ? 'OFFSET_OVERFLOW' : 'STORE_INCOMPATIBLE'), foreign)
    }
    const disk = freshDisk()
    disk.makeDirectory('/s/log/directory')
    place(disk, name(0), 1000)
    assert.deepEqual(load(disk).starts, [0])
    disk.placeLink(`/s/log/${name(1000)}`)
    assert.throws(() => load(disk), code('STORE_INCOMPATIBLE', /is a link/))
    disk.remove(`/s/log/${name(1000)}`)
    place(disk, name(500), 1000)
    assert.throws(() => load(disk), code('STORE_INCOMPATIBLE', /overlap/))
  })

  test('a gap is told, and addresses on both sides are found', () => {
    const disk = freshDisk()
    for (const start of [1000, 2000, 5000, 6000]) place(disk, name(start), 1000)
    const chain = load(disk)
    assert.deepEqual(chain.gaps, [{ from: 3000, to: 5000 }])
    assert.deepEqual(
      [999, 1000, 2999, 3000, 4999, 5000, 6999, 7000].map((address) => chain.has(address)),
      [false, true, true, false, false, true, true, false],
    )
    chain.create(4000)
    assert.deepEqual(chain.starts, [1000, 2000, 4000, 5000, 6000])
    assert.deepEqual(chain.gaps, [{ from: 3000, to: 4000 }])
  })

  test('a file of length zero is what a crash left: removed by a writer, ignored by a reader', () => {
    const disk = freshDisk()
    place(disk, name(0), 1000)
    place(disk, name(1000), 0)
    const reader = load(disk, { writable: false })
    assert.deepEqual([reader.starts, reader.leftovers], [[0], [`/s/log/${name(1000)}`]])
    assert.equal(disk.files().length, 2)
    const writer = load(disk)
    assert.deepEqual(writer.starts, [0])
    assert.equal(writer.hasUnflushedNames, true)
    assert.deepEqual(disk.files(), [`/s/log/${name(0)}`])
    writer.writeAt(new Uint8Array(1), 1000)
    assert.equal(writer.end, 2000)
  })

  test('a reader follows a writer', () => {
    const disk = freshDisk()
    const writer = load(disk)
    const reader = load(disk, { writable: false, segmentBytes: undefined })
    assert.equal(reader.end, 0)
    for (let start = 0; start < 3000; start += 1000) writer.create(start)
    const later = load(disk, { writable: false, segmentBytes: undefined })
    writer.writeAt(new Uint8Array([5]), 3000)
    writer.removeFirst()
    later.refresh()
    const target = new Uint8Array(1)
    assert.deepEqual([later.starts, later.readAt(target, 3000), target[0]], [[1000, 2000, 3000], 1, 5])
  })
})

describe('removal', () => {
  test('the first goes for retention, the last ones for truncation, and their bytes do not come back', () => {
    const disk = freshDisk()
    const chain = load(disk)
    chain.writeAt(new Uint8Array(4000).fill(1), 0)
    assert.deepEqual(chain.removeFirst(), { start: 0, path: `/s/log/${name(0)}` })
    assert.deepEqual(chain.removeFrom(2001), [3000])
    assert.deepEqual(chain.starts, [1000, 2000])
    chain.writeAt(new Uint8Array([9]), 3500)
    const target = new Uint8Array(2)
    chain.readAt(target, 3499)
    assert.deepEqual([...target], [0, 9])
    chain.removeFrom(0)
    assert.throws(() => chain.removeFirst(), InvariantError)
    assert.deepEqual(disk.files(), [])
  })

  test('the last goes first, so that whoever dies between two leaves no gap', () => {
    const disk = new SimDisk()
    const chain = load(disk)
    chain.writeAt(Buffer.alloc(5000, 1), 0)
    let looked = 0
    disk.onOperation = (kind) => {
      if (kind !== 'remove') return
      assert.deepEqual(load(disk.crash({ choose: { choose: (count) => count - 1 } })).gaps, [])
      looked++
    }
    assert.deepEqual(chain.removeFrom(1000), [1000, 2000, 3000, 4000])
    assert.equal(looked, 4)
  })

  test('a segment removed while an earlier one is flushed does not disturb the flush', async () => {
    const disk = new SimDisk()
    disk.makeDirectory('/s')
    const chain = load(disk)
    chain.writeAt(new Uint8Array(3000).fill(1), 0)
    const flushed = chain.flush(0, 3000)
    chain.removeFrom(1000)
    await flushed
    assert.deepEqual(chain.starts, [0])
  })
})

describe('durability', () => {
  test('after a flush the range, its files and every directory made on the way survive any crash', async () => {
    const disk = new SimDisk()
    disk.makeDirectory('/s')
    disk.settle()
    const chain = load(disk, { directory: '/s/queue/topic/0' })
    chain.writeAt(new Uint8Array(2500).fill(3), 0)
    await chain.flush(0, 2500)
    const random = new Random(1)
    for (let round = 0; round < 200; round += 1) {
      const crashed = disk.crash({ random, directories: round % 2 === 0 ? 'ordered' : 'any' })
      const found = load(crashed, { directory: '/s/queue/topic/0' })
      assert.deepEqual(found.starts, [0, 1000, 2000])
      const target = new Uint8Array(1000)
      for (const start of found.starts) {
        found.readAt(target, start)
        assert.ok(target.every((byte, at) => byte === (start + at < 2500 ? 3 : 0)))
      }
    }
  })

  test('a flush touches only the segments of its range, and names only when they changed', async () => {
    const disk = new SimDisk({ trace: true })
    disk.makeDirectory('/s')
    const chain = load(disk)
    chain.writeAt(new Uint8Array(3000), 0)
    await chain.flush(0, 3000)
    chain.writeAt(new Uint8Array(3000), 0)
    const flushes = async (from: number, to: number) => {
      const before = disk.trace.length
      await chain.flush(from, to)
      return disk.trace.slice(before).filter((line) => line.includes(' flush')).length
    }
    assert.deepEqual([await flushes(1000, 2000), await flushes(999, 1001), await flushes(5, 5)], [1, 2, 0])
    chain.create(3000)
    assert.deepEqual([await flushes(0, 1), await flushes(0, 1)], [2, 1])
  })

  test('a crash at any operation leaves a directory that loads, and that Java would load', () => {
    const workload = (disk: SimDisk) => {
      const chain = load(disk)
      for (let at = 0; at < 4; at += 1) chain.writeAt(new Uint8Array(700).fill(at + 1), at * 700)
      chain.removeFirst()
    }
    const fresh = new SimDisk()
    fresh.makeDirectory('/s/log')
    fresh.makeDirectory('/s/ext/tmp')
    fresh.settle()
    const crashes: SimDisk[] = []
    fresh.onOperation = () => {
      const every = new EveryChoice()
      let budget = 300
      do crashes.push(fresh.crash({ choose: every, directories: crashes.length % 2 === 0 ? 'ordered' : 'any' }))
      while (every.next() && --budget > 0)
    }
    workload(fresh)
    assert.ok(crashes.length > 500, `${crashes.length} crashes`)
    for (const crashed of crashes) {
      for (const { path, file } of crashed.live.tree.files()) {
        if (path.startsWith('/s/log/'))
          assert.ok(file.content.size === 0 || file.content.size === 1000, `${path} has ${file.content.size} bytes`)
      }
      const chain = load(crashed)
      chain.writeAt(new Uint8Array(10), chain.end)
    }
  })

  test('a segment that cannot be made for want of space leaves nothing behind in the directory', () => {
    const disk = new SimDisk()
    disk.makeDirectory('/s')
    const chain = load(disk)
    disk.inject({ on: 'resize', code: 'ENOSPC' })
    assert.throws(() => chain.create(0), codeIn('ENOSPC'))
    assert.deepEqual(disk.list('/s/log'), [])
    chain.create(0)
    assert.deepEqual(chain.starts, [0])
  })

  test('without a directory for unfinished segments they are made in place', () => {
    const disk = freshDisk()
    const chain = SegmentChain.load({
      disk,
      files: new OpenFiles(disk, 8),
      directory: '/s/log',
      segmentBytes: 1000,
      writable: true,
    })
    chain.writeAt(new Uint8Array(1500), 0)
    assert.deepEqual(disk.files(), [`/s/log/${name(0)}`, `/s/log/${name(1000)}`])
  })
})

test('the hot path of writing and reading within one segment opens and looks up nothing', () => {
  const disk = new SimDisk()
  disk.makeDirectory('/s')
  const chain = load(disk, { segmentBytes: 2 ** 30 })
  const bytes = new Uint8Array(100)
  chain.writeAt(bytes, 0)
  chain.readAt(bytes, 0)
  const before = disk.operationCount
  for (let at = 1; at <= 100; at += 1) {
    chain.writeAt(bytes, at * 100)
    chain.readAt(bytes, at * 100)
  }
  assert.equal(disk.operationCount - before, 200)
})
