/** The simulated disk itself: a crash must be able to do all that real ones do, and no more. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EveryChoice, Random } from '../support/random.js'
import { type CrashOptions, SimDisk } from '../support/sim-disk.js'
import { codeIn } from './conformance.js'

function diskWith(content: Uint8Array, options: ConstructorParameters<typeof SimDisk>[0] = {}): SimDisk {
  const disk = new SimDisk(options)
  disk.makeDirectory('/d')
  const file = disk.open('/d/f', { write: true, create: true })
  file.writeAt(content, 0)
  file.close()
  disk.settle()
  return disk
}

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value)

/** All outcomes of a crash, by what `look` sees of each. */
function outcomes(disk: SimDisk, look: (crashed: SimDisk) => string, options: CrashOptions = {}): string[] {
  const every = new EveryChoice()
  const seen = new Set<string>()
  do seen.add(look(disk.crash({ ...options, choose: every })))
  while (every.next())
  return [...seen].sort()
}

/** The first byte of every sector, and the length. */
const sectors =
  (path: string, sectorBytes = 512) =>
  (disk: SimDisk) => {
    if (disk.live.stat(path)?.kind !== 'file') return 'absent'
    const content = disk.live.bytesOf(path)
    let text = ''
    for (let at = 0; at < content.length; at += sectorBytes) text += content[at]
    return `${text}/${content.length}`
  }

const names = (disk: SimDisk) => disk.live.files().join(' ')

describe('crash', () => {
  test('any subset of the sectors of a write may persist', () => {
    const disk = diskWith(bytes(1536, 1))
    disk.open('/d/f', { write: true }).writeAt(bytes(1536, 2), 0)
    const expected = ['111', '112', '121', '122', '211', '212', '221', '222'].map((text) => `${text}/1536`)
    assert.deepEqual(outcomes(disk, sectors('/d/f')), expected)
    assert.deepEqual(outcomes(disk, sectors('/d/f', 1536), { sectorBytes: 4096 }), ['1/1536', '2/1536'])
  })

  test('a sector written several times shows any version it went through, and only those', () => {
    const disk = diskWith(bytes(4, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(2, 2), 0)
    file.writeAt(bytes(2, 3), 2)
    const look = (crashed: SimDisk) => [...crashed.live.bytesOf('/d/f')].join('')
    // The second write went into a page that held the first: 1133 was never there to be written.
    assert.deepEqual(outcomes(disk, look), ['1111', '2211', '2233'])
  })

  test('length and data persist independently; what did not arrive is zeros, or garbage where asked', () => {
    const disk = diskWith(bytes(512, 1))
    disk.open('/d/f', { write: true }).writeAt(bytes(1024, 2), 512)
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['1/512', '100/1536', '102/1536', '120/1536', '122/1536'])
    const fresh = new SimDisk()
    fresh.makeDirectory('/d')
    fresh.open('/d/g', { write: true, create: true }).writeAt(bytes(512, 2), 0)
    const random = new Random(3)
    const found = new Set<string>()
    for (let round = 0; round < 200; round += 1) {
      const crashed = fresh.crash({ random, newArea: 'garbage' })
      if (crashed.live.stat('/d/g') === undefined) continue
      const content = crashed.live.bytesOf('/d/g')
      found.add(
        content.length === 0
          ? 'empty'
          : content.every((byte) => byte === 0)
            ? 'zeros'
            : content.every((byte) => byte === 2)
              ? 'data'
              : 'garbage',
      )
    }
    assert.deepEqual([...found].sort(), ['data', 'empty', 'garbage', 'zeros'])
  })

  test('what was cut off does not come back with a cut that persisted', () => {
    const disk = diskWith(bytes(1024, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 512)
    file.resize(512)
    file.resize(1024)
    for (const outcome of outcomes(disk, sectors('/d/f'))) assert.match(outcome, /^(11\/1024|1\/512|10\/1024)$/)
  })

  test('a flush that resolved is kept by every crash; writes after its start are not covered', async () => {
    const disk = diskWith(bytes(1024, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    const flushed = file.flush()
    file.writeAt(bytes(512, 3), 512)
    await flushed
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['21/1024', '23/1024'])
    await file.flush()
    assert.equal(disk.pendingCount, 0)
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['23/1024'])
  })

  test('a crash changes nothing of the disk it is taken of, and crashes do not see one another', () => {
    const disk = diskWith(bytes(512, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    const one = disk.crash()
    const two = disk.crash({ choose: { choose: (count) => count - 1 } })
    one.live.overwrite('/d/f', 0, bytes(512, 7))
    file.writeAt(bytes(512, 3), 0)
    assert.deepEqual([one, two, disk].map(sectors('/d/f')), ['7/512', '2/512', '3/512'])
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['1/512', '2/512', '3/512'])
  })

  test('a crashed disk goes on as a disk, to the next crash', async () => {
    const disk = diskWith(bytes(512, 1)).crash()
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    assert.deepEqual(outcomes(disk.crash({ choose: { choose: (count) => count - 1 } }), sectors('/d/f')), ['2/512'])
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['1/512', '2/512'])
  })

  test('one seed gives one crash', () => {
    const disk = diskWith(bytes(8192, 1))
    disk.open('/d/f', { write: true }).writeAt(bytes(8192, 2), 0)
    for (let seed = 0; seed < 20; seed += 1) {
      const [a, b] = [0, 1].map(() => disk.crash({ random: new Random(seed) }).live.bytesOf('/d/f'))
      assert.deepEqual(a, b)
    }
  })
})

describe('names', () => {
  test('in order, a crash keeps a prefix of the changes; in any order, any subset', () => {
    const disk = diskWith(bytes(1, 1))
    disk.open('/d/a', { write: true, create: true }).close()
    disk.remove('/d/f')
    assert.deepEqual(outcomes(disk, names), ['/d/a', '/d/a /d/f', '/d/f'])
    assert.deepEqual(outcomes(disk, names, { directories: 'any' }), ['', '/d/a', '/d/a /d/f', '/d/f'])
  })

  test('a rename within a directory happens or does not; it never leaves neither', () => {
    for (const directories of ['ordered', 'any'] as const) {
      const disk = diskWith(bytes(1, 1))
      disk.open('/d/g', { write: true, create: true }).writeAt(bytes(1, 2), 0)
      disk.settle()
      disk.rename('/d/g', '/d/f')
      const look = (crashed: SimDisk) => `${names(crashed)} ${crashed.live.bytesOf('/d/f')[0]}`
      assert.deepEqual(outcomes(disk, look, { directories }), ['/d/f /d/g 1', '/d/f 2'])
    }
  })

  test('a move between directories may lose both names where POSIX allows it, until the target is flushed', async () => {
    const disk = diskWith(bytes(1, 1))
    disk.makeDirectory('/e')
    disk.settle()
    disk.rename('/d/f', '/e/f')
    assert.deepEqual(outcomes(disk, names), ['/d/f', '/e/f'])
    assert.deepEqual(outcomes(disk, names, { directories: 'any' }), ['', '/d/f', '/d/f /e/f', '/e/f'])
    await disk.flushDirectory('/e')
    assert.deepEqual(outcomes(disk, names, { directories: 'any' }), ['/d/f /e/f', '/e/f'])
    assert.deepEqual(outcomes(disk, names), ['/e/f'])
    await disk.flushDirectory('/d')
    assert.equal(disk.pendingCount, 0)
  })

  test('a file in a directory whose own name was not flushed is lost with it', async () => {
    const disk = new SimDisk()
    disk.makeDirectory('/a/b')
    disk.open('/a/b/f', { write: true, create: true }).close()
    await disk.flushDirectory('/a/b')
    assert.deepEqual(outcomes(disk, names, { directories: 'any' }), ['', '/a/b/f'])
    await disk.flushDirectory('/a')
    await disk.flushDirectory('/')
    assert.deepEqual(outcomes(disk, names, { directories: 'any' }), ['/a/b/f'])
  })

  test('a removed file keeps its durable content for the crash in which its name comes back', () => {
    const disk = diskWith(bytes(512, 1))
    disk.open('/d/f', { write: true }).writeAt(bytes(512, 2), 0)
    disk.remove('/d/f')
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['1/512', '2/512', 'absent'])
  })
})

describe('faults', () => {
  test('a failed flush leaves clean pages: the next one succeeds, reads show the new bytes, the disk has the old ones', async () => {
    const disk = diskWith(bytes(8192, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    disk.inject({ on: 'flush', code: 'EIO' })
    await assert.rejects(() => file.flush(), codeIn('EIO'))
    await file.flush()
    const look = sectors('/d/f', 4096)
    assert.equal(look(disk), '21/8192')
    assert.deepEqual(outcomes(disk, look), ['11/8192'])
    file.writeAt(bytes(512, 3), 4096)
    await file.flush()
    assert.deepEqual(outcomes(disk, look), ['13/8192'])
    disk.evict('/d/f')
    assert.equal(look(disk), '13/8192')
  })

  test('a write into a page that a failed flush left clean takes the rest of the page along', async () => {
    const disk = diskWith(bytes(1024, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    disk.inject({ on: 'flush', code: 'EIO' })
    await assert.rejects(() => file.flush())
    file.writeAt(bytes(512, 3), 512)
    await file.flush()
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['23/1024'])
  })

  test('the k-th operation fails, once or for ever, with the code asked for', () => {
    const disk = diskWith(bytes(512, 1))
    const file = disk.open('/d/f', { write: true })
    const once = disk.inject({ on: 'read', path: '/d/f', skip: 1, code: 'EIO' })
    const read = () => file.readAt(new Uint8Array(1), 0)
    read()
    assert.throws(read, codeIn('EIO'))
    read()
    assert.equal(disk.faults.struck(once), 1)
    const forever = disk.inject({ on: ['rename', 'remove'], times: Number.POSITIVE_INFINITY, code: 'EROFS' })
    for (let round = 0; round < 3; round += 1) assert.throws(() => disk.remove('/d/f'), codeIn('EROFS'))
    assert.throws(() => disk.rename('/d/f', '/d/g'), codeIn('EROFS'))
    disk.faults.heal(forever)
    disk.remove('/d/f')
  })

  test('a failing write leaves the prefix asked for; a full disk leaves what fits', () => {
    const disk = diskWith(bytes(4096, 1), { capacityBytes: 8192 })
    const file = disk.open('/d/f', { write: true })
    disk.inject({ on: 'write', code: 'ENOSPC', partialBytes: 100 })
    assert.throws(() => file.writeAt(bytes(512, 2), 0), codeIn('ENOSPC'))
    assert.deepEqual([disk.live.bytesOf('/d/f')[99], disk.live.bytesOf('/d/f')[100]], [2, 1])
    assert.throws(() => file.writeAt(bytes(8192, 3), 4090), codeIn('ENOSPC'))
    assert.equal(file.size(), 8192)
    disk.capacityBytes = 2 ** 20
    file.writeAt(bytes(8192, 3), 4090)
  })

  test('a lost write and a misdirected one show once the cache is gone', async () => {
    const disk = diskWith(bytes(2048, 1))
    const file = disk.open('/d/f', { write: true })
    disk.inject({ on: 'write', effect: 'lose' })
    disk.inject({ on: 'write', effect: 'misdirect', position: 1536 })
    file.writeAt(bytes(512, 2), 0)
    file.writeAt(bytes(512, 3), 512)
    await file.flush()
    assert.equal(sectors('/d/f')(disk), '2311/2048')
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['1113/2048'])
    disk.evict()
    assert.equal(sectors('/d/f')(disk), '1113/2048')
  })

  test('a disk that lies about flushes loses what it promised to keep', async () => {
    const disk = diskWith(bytes(512, 1))
    disk.isLying = true
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    await file.flush()
    assert.deepEqual(outcomes(disk, sectors('/d/f')), ['1/512', '2/512'])
  })

  test('rot damages durable bytes, with or without the cache showing it', () => {
    const disk = diskWith(bytes(512, 1))
    disk.open('/d/f', { write: true }).writeAt(bytes(1, 9), 100)
    disk.rot('/d/f', 0, 0x80, false)
    assert.equal(disk.live.bytesOf('/d/f')[0], 1)
    assert.equal(disk.crash().live.bytesOf('/d/f')[0], 0x81)
    disk.rot('/d/f', 1, 0x01)
    assert.equal(disk.live.bytesOf('/d/f')[1], 0)
  })
})

describe('hooks', () => {
  test('every operation is announced before it happens, with its number, and can be stopped', () => {
    const disk = diskWith(bytes(512, 1), { trace: true })
    const first = disk.operationCount
    const seen: string[] = []
    disk.onOperation = (kind, path, index) => {
      seen.push(`${index - first} ${kind} ${path}`)
      if (kind === 'write') throw new Error('crash here')
    }
    const file = disk.open('/d/g', { write: true, create: true })
    assert.throws(() => file.writeAt(bytes(1, 1), 0), /crash here/)
    assert.equal(file.size(), 0)
    assert.deepEqual(seen, ['0 create /d/g', '1 write /d/g', '2 size /d/g'])
    assert.equal(disk.trace.at(-2), `${first + 1} write /d/g 0+1`)
  })

  test('killing the process loses nothing but its handles and locks', async () => {
    const disk = diskWith(bytes(512, 1))
    const file = disk.open('/d/f', { write: true })
    file.writeAt(bytes(512, 2), 0)
    assert.ok('release' in (await disk.lock('/d/ext/lock', '/d/lock')))
    const flushing = file.flush()
    const next = disk.kill()
    await assert.rejects(flushing, codeIn('EIO'))
    assert.throws(() => file.readAt(new Uint8Array(1), 0), codeIn('EIO'))
    assert.throws(() => disk.list('/d'), codeIn('EIO'))
    assert.equal(sectors('/d/f')(next), '2/512')
    assert.ok('release' in (await next.lock('/d/ext/lock', '/d/lock')))
    assert.deepEqual(outcomes(next, sectors('/d/f')), ['1/512', '2/512'])
  })
})
