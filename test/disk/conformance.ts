/**
 * What every disk must do, whichever it is.
 *
 * The same claims run over the real disk, the disk in memory and the simulated one: what the store relies
 * on in tests is then what it gets in production.
 */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InvariantError } from '../../lib/base/errors.js'
import { type Disk, DiskError, type DiskFile } from '../../lib/disk/disk.js'
import { Random } from '../support/random.js'

/** A fresh disk with an empty directory to work in. */
export interface DiskUnderTest {
  readonly disk: Disk
  /** An empty directory. */
  readonly root: string
  /** Puts a symbolic link there. */
  placeLink(path: string, target: string): void
}

/** Runs the suite; `make` gives a fresh disk to each test, `release` takes it back. */
export function diskConformance(
  name: string,
  make: () => DiskUnderTest,
  release: (made: DiskUnderTest) => void = () => {},
): void {
  const claim = (what: string, check: (made: DiskUnderTest) => void | Promise<void>) =>
    test(what, async () => {
      const made = make()
      try {
        await check(made)
      } finally {
        release(made)
      }
    })
  describe(`${name}: files`, () => {
    contentClaims(claim)
    openingClaims(claim)
    positionClaims(claim)
  })
  describe(`${name}: names`, () => {
    nameClaims(claim)
    directoryClaims(claim)
  })
  describe(`${name}: lock`, () => lockClaims(claim))
}

type Claim = (what: string, check: (made: DiskUnderTest) => void | Promise<void>) => void

function contentClaims(claim: Claim): void {
  claim('what is written is read, at any position and across pages', ({ disk, root }) => {
    const random = new Random(1)
    const file = create(disk, `${root}/f`)
    const model = new Uint8Array(40_000)
    let size = 0
    for (let step = 0; step < 300; step += 1) {
      const position = random.int(30_000)
      const bytes = random.bytes(random.int(10_000))
      file.writeAt(bytes, position)
      model.set(bytes, position)
      if (bytes.length > 0) size = Math.max(size, position + bytes.length)
      const target = new Uint8Array(random.int(9000))
      const from = random.int(40_000)
      const count = file.readAt(target, from)
      assert.equal(count, Math.max(0, Math.min(target.length, size - from)))
      assert.deepEqual(target.subarray(0, count), model.subarray(from, from + count))
    }
    assert.equal(file.size(), size)
    file.close()
  })

  claim('a write changes nothing when the caller reuses its buffer', ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    const buffer = Buffer.from('first')
    file.writeAt(buffer, 0)
    buffer.write('other')
    assert.equal(textOf(file), 'first')
    file.close()
  })

  claim('a hole reads as zeros and takes no space', ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.resize(2 ** 30)
    file.writeAt(Buffer.from('x'), 2 ** 29)
    const target = new Uint8Array(16).fill(1)
    assert.equal(file.readAt(target, 2 ** 29 - 8), 16)
    assert.deepEqual([...target], [0, 0, 0, 0, 0, 0, 0, 0, 0x78, 0, 0, 0, 0, 0, 0, 0])
    file.close()
    const stat = disk.stat(`${root}/f`)
    assert.equal(stat?.bytes, 2 ** 30)
    assert.ok((stat?.allocatedBytes ?? 0) <= 1_048_576, `takes ${stat?.allocatedBytes} bytes`)
  })

  claim('bytes that were cut off do not come back when the file grows again', ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.writeAt(new Uint8Array(10_000).fill(7), 0)
    for (const cut of [9000, 8192, 5000, 4096, 1, 0]) {
      file.resize(cut)
      file.resize(10_000)
      const target = new Uint8Array(10_000)
      file.readAt(target, 0)
      assert.equal(target.indexOf(0), cut === 0 ? 0 : cut)
      assert.equal(target.lastIndexOf(7), cut - 1)
    }
    file.close()
  })
}

function openingClaims(claim: Claim): void {
  claim('an empty write and an empty read do nothing', ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.writeAt(new Uint8Array(0), 100)
    assert.equal(file.readAt(new Uint8Array(0), 0), 0)
    assert.equal(file.size(), 0)
    file.close()
  })

  claim('two openings of one file see the same bytes', ({ disk, root }) => {
    const writer = create(disk, `${root}/f`)
    const reader = disk.open(`${root}/f`, {})
    writer.writeAt(Buffer.from('shared'), 0)
    assert.equal(textOf(reader), 'shared')
    writer.close()
    reader.close()
  })

  claim('a file that is open outlives its name', ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.writeAt(Buffer.from('still here'), 0)
    disk.remove(`${root}/f`)
    assert.equal(disk.stat(`${root}/f`), undefined)
    assert.equal(textOf(file), 'still here')
    file.close()
  })

  claim('a flush resolves, also several at once', async ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.writeAt(Buffer.from('x'), 0)
    await Promise.all([file.flush(), file.flush(), disk.flushDirectory(root)])
    await file.flush()
    file.close()
  })
}

function positionClaims(claim: Claim): void {
  claim('a position that is no safe integer is refused, and nothing is written', async ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.writeAt(Buffer.from('untouched'), 0)
    const wrong = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 40), '12', undefined, null, 10n]
    for (const position of wrong as number[]) {
      assert.throws(() => file.writeAt(Buffer.from('XX'), position), InvariantError, `write at ${String(position)}`)
      assert.throws(() => file.readAt(new Uint8Array(2), position), InvariantError, `read at ${String(position)}`)
      assert.throws(() => file.resize(position), InvariantError, `resize to ${String(position)}`)
    }
    assert.throws(() => file.writeAt(new Uint8Array(2), 2 ** 53 - 2), InvariantError)
    assert.equal(textOf(file), 'untouched')
    file.close()
  })

  claim('a closed file refuses every use', async ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.close()
    assert.throws(() => file.readAt(new Uint8Array(1), 0), InvariantError)
    assert.throws(() => file.writeAt(new Uint8Array(1), 0), InvariantError)
    assert.throws(() => file.resize(1), InvariantError)
    assert.throws(() => file.size(), InvariantError)
    assert.throws(() => file.close(), InvariantError)
    await assert.rejects(async () => file.flush(), InvariantError)
  })

  claim('a file cannot be closed while it is being flushed', async ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    const flushed = file.flush()
    assert.throws(() => file.close(), InvariantError)
    await flushed
    file.close()
  })

  claim('a file opened to be read cannot be changed', ({ disk, root }) => {
    create(disk, `${root}/f`).close()
    const file = disk.open(`${root}/f`, {})
    assert.throws(() => file.writeAt(new Uint8Array(1), 0), codeIn('EBADF'))
    assert.throws(() => file.resize(5), codeIn('EINVAL', 'EBADF'))
    assert.equal(file.size(), 0)
    file.close()
  })
}

function nameClaims(claim: Claim): void {
  claim('opening what is not there fails with ENOENT, in a missing directory too', ({ disk, root }) => {
    assert.throws(() => disk.open(`${root}/f`, {}), codeIn('ENOENT'))
    assert.throws(() => disk.open(`${root}/f`, { write: true }), codeIn('ENOENT'))
    assert.throws(() => disk.open(`${root}/no/f`, { write: true, create: true }), codeIn('ENOENT'))
    assert.throws(() => disk.open(`${root}/f`, { create: true }), InvariantError)
  })

  claim('opening with create keeps what is there', ({ disk, root }) => {
    const first = create(disk, `${root}/f`)
    first.writeAt(Buffer.from('kept'), 0)
    first.close()
    const again = create(disk, `${root}/f`)
    assert.equal(textOf(again), 'kept')
    again.close()
  })

  claim('a directory and a link cannot be opened', ({ disk, root, placeLink }) => {
    create(disk, `${root}/target`).close()
    placeLink(`${root}/link`, `${root}/target`)
    disk.makeDirectory(`${root}/d`)
    assert.throws(() => disk.open(`${root}/link`, {}), codeIn('ELOOP'))
    assert.throws(() => disk.open(`${root}/link`, { write: true, create: true }), codeIn('ELOOP'))
    assert.throws(() => disk.open(`${root}/d`, {}), codeIn('EISDIR'))
    assert.equal(disk.stat(`${root}/link`)?.kind, 'link')
  })

  claim('stat tells kind, length and identity, and nothing for what is not there', ({ disk, root }) => {
    const file = create(disk, `${root}/f`)
    file.writeAt(new Uint8Array(5000), 0)
    file.close()
    const stat = disk.stat(`${root}/f`)
    assert.deepEqual([stat?.kind, stat?.bytes], ['file', 5000])
    assert.ok(Number.isSafeInteger(stat?.modifiedMs))
    disk.rename(`${root}/f`, `${root}/g`)
    assert.equal(disk.stat(`${root}/g`)?.identity, stat?.identity)
    assert.equal(disk.stat(`${root}/f`), undefined)
    assert.equal(disk.stat(`${root}/g/below`), undefined)
    assert.notEqual(disk.stat(root)?.identity, stat?.identity)
  })

  claim('a rename replaces its target, also in another directory', ({ disk, root }) => {
    disk.makeDirectory(`${root}/d`)
    for (const name of ['a', 'd/b']) {
      const file = create(disk, `${root}/${name}`)
      file.writeAt(Buffer.from(name), 0)
      file.close()
    }
    disk.rename(`${root}/a`, `${root}/d/b`)
    const file = disk.open(`${root}/d/b`, {})
    assert.equal(textOf(file).slice(0, 1), 'a')
    file.close()
    assert.deepEqual(namesIn(disk, root), ['d'])
    assert.throws(() => disk.rename(`${root}/a`, `${root}/c`), codeIn('ENOENT'))
    disk.rename(`${root}/d/b`, `${root}/d/b`)
    assert.deepEqual(namesIn(disk, `${root}/d`), ['b'])
  })
}

function directoryClaims(claim: Claim): void {
  claim('removing takes files and empty directories, and minds neither absence nor repetition', ({ disk, root }) => {
    disk.makeDirectory(`${root}/d`)
    create(disk, `${root}/d/f`).close()
    assert.throws(() => disk.remove(`${root}/d`), codeIn('ENOTEMPTY', 'EEXIST'))
    disk.remove(`${root}/d/f`)
    disk.remove(`${root}/d/f`)
    disk.remove(`${root}/d`)
    disk.remove(`${root}/d`)
    assert.deepEqual(disk.list(root), [])
  })

  claim('a list is sorted by name and tells kinds; an absent directory lists as empty', ({ disk, root, placeLink }) => {
    for (const name of ['b', '00000000000000000010', 'a', 'B', '00000000000000000009']) create(disk, `${root}/${name}`).close()
    disk.makeDirectory(`${root}/c`)
    placeLink(`${root}/l`, `${root}/a`)
    assert.deepEqual(namesIn(disk, root), ['00000000000000000009', '00000000000000000010', 'B', 'a', 'b', 'c', 'l'])
    assert.deepEqual(
      disk.list(root).map(({ kind }) => kind),
      ['file', 'file', 'file', 'file', 'file', 'directory', 'link'],
    )
    assert.deepEqual(disk.list(`${root}/absent`), [])
    assert.throws(() => disk.list(`${root}/a`), codeIn('ENOTDIR'))
  })

  claim('directories are made with their parents, and made again without harm', ({ disk, root }) => {
    disk.makeDirectory(`${root}/a/b/c`)
    create(disk, `${root}/a/b/c/f`).close()
    disk.makeDirectory(`${root}/a/b/c`)
    assert.deepEqual(namesIn(disk, `${root}/a/b/c`), ['f'])
    assert.throws(() => disk.makeDirectory(`${root}/a/b/c/f/g`), codeIn('ENOTDIR'))
  })

  claim('flushing a directory that is not there fails', async ({ disk, root }) => {
    await assert.rejects(() => disk.flushDirectory(`${root}/absent`), codeIn('ENOENT'))
    await disk.flushDirectory(root)
  })

  claim('space is told for a path that exists', ({ disk, root }) => {
    const { totalBytes, freeBytes } = disk.space(root)
    assert.ok(totalBytes > 0 && freeBytes > 0 && freeBytes <= totalBytes)
    assert.throws(() => disk.space(`${root}/absent`), codeIn('ENOENT'))
  })
}

function lockClaims(claim: Claim): void {
  claim('one lock at a time, free again after release, releasing twice is harmless', async ({ disk, root }) => {
    const paths = [`${root}/ext/lock`, `${root}/lock`] as const
    const first = await disk.lock(...paths)
    assert.ok('release' in first)
    assert.ok('heldBy' in (await disk.lock(...paths)))
    first.release()
    const second = await disk.lock(...paths)
    assert.ok('release' in second)
    first.release()
    assert.ok('heldBy' in (await disk.lock(...paths)))
    second.release()
  })

  claim('of many that ask at once, one gets the lock', async ({ disk, root }) => {
    const asked = await Promise.all(Array.from({ length: 8 }, () => disk.lock(`${root}/ext/lock`, `${root}/lock`)))
    const won = asked.filter((lock) => 'release' in lock)
    assert.equal(won.length, 1)
    won[0]?.release()
  })

  claim('a link in the place of the lock or of its directory is refused', async ({ disk, root, placeLink }) => {
    disk.makeDirectory(`${root}/a/ext`)
    create(disk, `${root}/bait`).close()
    placeLink(`${root}/a/ext/lock`, `${root}/bait`)
    await assert.rejects(() => disk.lock(`${root}/a/ext/lock`, `${root}/a/lock`), codeIn('ELOOP'))
    disk.makeDirectory(`${root}/b`)
    placeLink(`${root}/b/ext`, `${root}/a/ext`)
    await assert.rejects(() => disk.lock(`${root}/b/ext/lock`, `${root}/b/lock`), codeIn('ELOOP'))
    assert.equal(disk.stat(`${root}/bait`)?.bytes, 0)
  })
}

function create(disk: Disk, path: string): DiskFile {
  return disk.open(path, { write: true, create: true })
}

function textOf(file: DiskFile): string {
  const target = Buffer.alloc(file.size())
  file.readAt(target, 0)
  return target.toString()
}

function namesIn(disk: Disk, path: string): string[] {
  return disk.list(path).map(({ name }) => name)
}

/** For `assert.throws`: a DiskError with one of the codes. */
export function codeIn(...codes: string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DiskError, `a DiskError, got ${String(error)}`)
    assert.ok(codes.includes(error.code), `${codes.join(' or ')}, got ${error.code}`)
    return true
  }
}
