/** Stores that were copied by means that do not keep times: whose word still counts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { bodies, freshDisk, open, readQueue, root, tiny } from '../support/open-store.js'

/** A cleanly closed store after its directory was copied later. */
async function copied(count = 40): Promise<MemoryDisk> {
  const source = freshDisk({ clock: { now: () => 1000 } })
  const store = await open(source)
  for (let i = 0; i < count; i++) await store.put({ topic: 'a', queueId: i % 2, body: `${i}`, keys: `k${i}` })
  await store.close()
  const target = freshDisk({ clock: { now: () => 2_000_000 } })
  const copy = (path: string): void => {
    target.makeDirectory(path)
    for (const { name, kind } of source.list(path)) {
      const from = `${path}/${name}`
      if (kind === 'directory') copy(from)
      else {
        const file = target.open(from, { write: true, create: true })
        file.writeAt(source.bytesOf(from), 0)
        file.close()
      }
    }
  }
  copy(root)
  // The disk in memory makes no such file; every real one has it.
  const lock = target.open(`${root}/lock`, { write: true, create: true })
  lock.writeAt(Buffer.from('lock'), 0)
  lock.close()
  return target
}

describe('a copy of a cleanly closed store', () => {
  test('opens as cleanly closed, without reading the log', async () => {
    const disk = await copied()
    for (const readOnly of [true, false]) {
      const store = await open(disk, { readOnly })
      const { origin, records } = store.recovery
      assert.deepEqual([origin, records], ['clean', 0])
      assert.equal((await readQueue(store, 'a', 1)).length, 20)
      assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'k7' })), ['7'])
      assert.deepEqual((await store.verify()).findings, [])
      await store.close()
    }
  })

  test('is judged by the rules for RocketMQ when anything tells that one ran since', async () => {
    const changes: Record<string, (disk: MemoryDisk) => void> = {
      'it was stopped hard': (disk) => disk.open(`${root}/abort`, { write: true, create: true }).close(),
      'its checkpoint moved on': (disk) => disk.overwrite(`${root}/checkpoint`, 7, Uint8Array.of(1)),
      'it deleted a topic': (disk) => {
        for (const path of disk.files()) if (path.includes('/consumequeue/a/1/')) disk.remove(path)
        disk.remove(`${root}/consumequeue/a/1`)
      },
      'the manifest is another one': (disk) => disk.remove(`${root}/ext/views`),
    }
    for (const [name, change] of Object.entries(changes)) {
      const disk = await copied()
      change(disk)
      const store = await open(disk)
      assert.match(store.recovery.origin, /^java/, name)
      assert.equal((await readQueue(store, 'a', 0)).length, 20, name)
      await store.close()
    }
  })

  test('is read from where another process wrote behind its end', async () => {
    const disk = await copied()
    const end = (
      await (async () => {
        const store = await open(disk, { readOnly: true })
        await store.close()
        return store
      })()
    ).recovery.end
    // As RocketMQ fills up a segment before it begins the next.
    const at = end % tiny.segmentBytes
    const blank = Buffer.alloc(8)
    blank.writeInt32BE(tiny.segmentBytes - at, 0)
    blank.writeUInt32BE(0xcbd43194, 4)
    disk.overwrite(`${root}/commitlog/${String(end - at).padStart(20, '0')}`, at, blank)
    const store = await open(disk)
    assert.equal(store.recovery.origin, 'java-clean')
    assert.equal((await readQueue(store, 'a', 0)).length, 20)
    await store.close()
  })
})
