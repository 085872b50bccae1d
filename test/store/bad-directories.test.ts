/** Directories that cannot be opened: refused by name, and not one byte or time of them changes. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { MessageStore, type StoreOptions } from '../../lib/index.js'
import { checkCleanlyClosed, code, freshDisk, hashOf, open, root, tiny } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

describe('directories', () => {
  const openers = { write: {}, readOnly: { readOnly: true } } as const

  test('a directory that holds something else is STORE_INCOMPATIBLE', async () => {
    for (const options of Object.values(openers)) {
      const disk = freshDisk()
      disk.makeDirectory(`${root}/photos`)
      disk.open(`${root}/notes.txt`, { write: true, create: true }).close()
      const before = hashOf(disk)
      await assert.rejects(open(disk, options), code('STORE_INCOMPATIBLE', 'notes.txt', root))
      assert.equal(hashOf(disk), before)
    }
  })

  test('a file is STORE_INCOMPATIBLE, and so is a directory below it', async () => {
    const disk = freshDisk()
    disk.open('/file', { write: true, create: true }).close()
    for (const options of Object.values(openers)) {
      await assert.rejects(MessageStore.open('/file', options, { disk }), code('STORE_INCOMPATIBLE', '/file'))
      await assert.rejects(
        MessageStore.open('/file/below', options, { disk }),
        code(options === openers.write ? 'DISK_ERROR' : 'STORE_INCOMPATIBLE'),
      )
    }
    assert.deepEqual(disk.files(), ['/file'])
  })

  test('read-only, an absent or empty directory is STORE_INCOMPATIBLE', async () => {
    const disk = freshDisk()
    await assert.rejects(open(disk, { readOnly: true }), code('STORE_INCOMPATIBLE', 'does not exist'))
    disk.makeDirectory(root)
    await assert.rejects(open(disk, { readOnly: true }), code('STORE_INCOMPATIBLE', 'empty'))
    assert.deepEqual(disk.list(root), [])
  })

  test('other sizes than those of the files are STORE_INCOMPATIBLE, and the store opens as before with the right ones', async () => {
    const disk = freshDisk()
    const store = await open(disk)
    for (let i = 0; i < 30; i++) await store.put({ topic: 'a', body: `${i}`, keys: `k${i}` })
    await store.close()
    const before = hashOf(disk)
    const wrong: StoreOptions[] = [
      { segmentBytes: 8192 },
      { segmentBytes: 2048 },
      { queueSegmentEntries: 9 },
      { index: { slots: 8, entries: 12 } },
      { index: { slots: 7, entries: 13 } },
    ]
    for (const options of wrong) {
      for (const opener of Object.values(openers)) {
        const [name] = Object.keys(options)
        await assert.rejects(open(disk, { ...options, ...opener }), code('STORE_INCOMPATIBLE', name!))
        assert.equal(hashOf(disk), before, JSON.stringify(options))
      }
    }
    await checkCleanlyClosed(disk)
  })

  test('a store whose sizes nobody names takes them from its files', async () => {
    const disk = freshDisk()
    const store = await open(disk)
    for (let i = 0; i < 30; i++) await store.put({ topic: 'a', body: Buffer.alloc(300) })
    await store.close()
    const again = await MessageStore.open(root, { index: tiny.index }, { disk })
    for (let i = 0; i < 30; i++) await again.put({ topic: 'a', body: Buffer.alloc(300) })
    await again.close()
    for (const { name } of disk.list(`${root}/commitlog`)) assert.equal(disk.stat(`${root}/commitlog/${name}`)!.bytes, 4096)
    await checkCleanlyClosed(disk)
  })

  test('foreign names, links and files of wrong length in the log are STORE_INCOMPATIBLE and stay', async () => {
    const damage: ((disk: ReturnType<typeof freshDisk>) => void)[] = [
      (disk) => disk.open(`${root}/commitlog/notes`, { write: true, create: true }).close(),
      (disk) => disk.placeLink(`${root}/commitlog/00000000000000008192`),
      (disk) => {
        const file = disk.open(`${root}/commitlog/00000000000000000000`, { write: true })
        file.resize(4095)
        file.close()
      },
      (disk) => {
        const file = disk.open(`${root}/commitlog/00000000000000002000`, { write: true, create: true })
        file.resize(4096)
        file.close()
      },
    ]
    for (const harm of damage) {
      const disk = freshDisk()
      const store = await open(disk)
      await store.put({ topic: 'a', body: 'x' })
      await store.close()
      harm(disk)
      const before = hashOf(disk)
      for (const opener of Object.values(openers)) await assert.rejects(open(disk, opener), code('STORE_INCOMPATIBLE'))
      assert.equal(hashOf(disk), before, String(harm))
    }
  })

  test('a full disk refuses a new store with DISK_FULL, and one that cannot be written with DISK_ERROR', async () => {
    for (const [fault, expected] of [
      ['ENOSPC', 'DISK_FULL'],
      ['EDQUOT', 'DISK_FULL'],
      ['EROFS', 'DISK_ERROR'],
      ['EACCES', 'DISK_ERROR'],
      ['EIO', 'DISK_ERROR'],
    ] as const) {
      const disk = new SimDisk()
      disk.inject({ on: ['create', 'makeDirectory', 'write', 'resize'], code: fault, times: Number.POSITIVE_INFINITY })
      await assert.rejects(MessageStore.open(root, tiny, { disk }), code(expected, fault))
      disk.faults.heal()
      const store = await MessageStore.open(root, tiny, { disk })
      await store.put({ topic: 'a', body: 'x' })
      await store.close()
    }
  })
})

describe('on the real disk', () => {
  const scratch = (name: string, body: (directory: string) => Promise<void>): void => {
    test(name, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'mqlite-bad-'))
      try {
        await body(directory)
      } finally {
        rmSync(directory, { recursive: true })
      }
    })
  }
  const treeHash = (directory: string): string => {
    const hash = createHash('sha256')
    for (const name of (readdirSync(directory, { recursive: true }) as string[]).sort()) {
      const path = join(directory, name)
      const stat = statSync(path)
      hash.update(`${name} ${stat.mtimeMs}\n`)
      if (stat.isFile()) hash.update(readFileSync(path))
    }
    return hash.digest('hex')
  }

  scratch(
    'a second store on the directory is STORE_LOCKED, by whatever path it comes, and changes nothing',
    async (directory) => {
      const path = join(directory, 'store')
      const store = await MessageStore.open(path, tiny)
      await store.put({ topic: 'a', body: 'x' })
      await store.flush()
      symlinkSync(path, join(directory, 'link'))
      const before = treeHash(path)
      for (const other of [path, `${path}/`, join(directory, '.', 'store'), join(directory, 'link')])
        await assert.rejects(MessageStore.open(other, tiny), code('STORE_LOCKED'))
      assert.equal(treeHash(path), before)
      await store.put({ topic: 'a', body: 'y' })
      await store.close()
    },
  )

  scratch('a directory of something else, and wrong sizes, leave every byte and time as it was', async (directory) => {
    const other = join(directory, 'other')
    mkdirSync(other)
    writeFileSync(join(other, 'notes.txt'), 'mine')
    const path = join(directory, 'store')
    const store = await MessageStore.open(path, tiny)
    await store.put({ topic: 'a', body: 'x', keys: 'k' })
    await store.close()
    const before = treeHash(directory)
    await assert.rejects(MessageStore.open(other, tiny), code('STORE_INCOMPATIBLE'))
    await assert.rejects(MessageStore.open(path, { ...tiny, segmentBytes: 8192 }), code('STORE_INCOMPATIBLE'))
    await assert.rejects(MessageStore.open(path, { ...tiny, index: { slots: 8, entries: 12 } }), code('STORE_INCOMPATIBLE'))
    assert.equal(treeHash(directory), before)
    const again = await MessageStore.open(path, tiny)
    assert.equal(again.recovery.origin, 'clean')
    await again.close()
  })

  scratch('a store that nobody may write can be read', async (directory) => {
    const path = join(directory, 'store')
    const store = await MessageStore.open(path, tiny)
    await store.put({ topic: 'a', body: 'x', keys: 'k' })
    await store.close()
    for (const name of ['.', ...(readdirSync(path, { recursive: true }) as string[])]) {
      const inner = join(path, name)
      chmodSync(inner, statSync(inner).isDirectory() ? 0o555 : 0o444)
    }
    const before = treeHash(path)
    const reader = await MessageStore.open(path, { ...tiny, readOnly: true })
    assert.equal((await reader.get({ topic: 'a', offset: 0 })).messages.length, 1)
    assert.equal((await reader.query({ topic: 'a', key: 'k' })).length, 1)
    await assert.rejects(reader.put({ topic: 'a', body: 'x' }), code('STORE_READ_ONLY'))
    await reader.close()
    assert.equal(treeHash(path), before)
    for (const name of ['.', ...(readdirSync(path, { recursive: true }) as string[])]) chmodSync(join(path, name), 0o755)
  })
})
