/** Read-only stores: they change no byte, take no lock, and serve whatever state they find. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStore } from '../../lib/index.js'
import { bodies, code, flipLog, freshDisk, hashOf, open, readQueue, root, tiny } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

async function filled(disk = freshDisk(), count = 40): Promise<typeof disk> {
  const store = await open(disk)
  for (let i = 0; i < count; i++)
    await store.put({ topic: 'a', queueId: i % 2, body: `${i}`.padStart(100, '0'), keys: `k${i % 5}` })
  await store.close()
  return disk
}

async function everything(store: MessageStore): Promise<string[]> {
  const found = [...bodies(await readQueue(store, 'a', 0)), ...bodies(await readQueue(store, 'a', 1))]
  for (let i = 0; i < 5; i++) found.push(...bodies(await store.query({ topic: 'a', key: `k${i}`, maxMessages: 99 })))
  return found
}

describe('a read-only store', () => {
  test('after a clean close it reads everything, refuses every write and changes nothing', async () => {
    const disk = await filled()
    const before = hashOf(disk)
    const store = await open(disk, { readOnly: true })
    assert.equal(store.status, 'readOnly')
    assert.equal((await everything(store)).length, 80)
    await assert.rejects(store.put({ topic: 'a', body: 'x' }), code('STORE_READ_ONLY'))
    await assert.rejects(store.putBatch([{ topic: 'a', body: 'x' }]), code('STORE_READ_ONLY'))
    await store.flush()
    await store.close()
    assert.equal(hashOf(disk), before)
  })

  test('after a crash at any operation it reads what recovery would keep, and changes nothing', async () => {
    let crashes = 0
    const disk = new SimDisk()
    const images: SimDisk[] = []
    disk.onOperation = (kind) => {
      if (kind === 'write' || kind === 'flush' || kind === 'rename')
        images.push(disk.crash({ choose: { choose: (count) => count - 1 } }))
    }
    const first = await MessageStore.open(root, { ...tiny, flush: 'sync' }, { disk })
    for (let i = 0; i < 20; i++)
      await first.put({ topic: 'a', queueId: i % 2, body: `${i}`.padStart(300, '0'), keys: `k${i % 5}` })
    await first.close()
    for (const image of images) {
      const before = hashOf(image.live)
      if (image.live.stat(`${root}/commitlog`) === undefined) continue
      const reader = await MessageStore.open(root, { ...tiny, readOnly: true }, { disk: image })
      assert.deepEqual(reader.recovery.corruption, [])
      const seen = await everything(reader)
      await reader.close()
      assert.equal(hashOf(image.live), before)
      const writer = await MessageStore.open(root, tiny, { disk: image })
      assert.deepEqual(await everything(writer), seen)
      await writer.close()
      crashes++
    }
    assert.ok(crashes > 50, String(crashes))
  })

  test('without queue and index files it makes them in memory only', async () => {
    const disk = await filled()
    const expected = await open(disk, { readOnly: true })
    const wanted = await everything(expected)
    await expected.close()
    for (const path of disk.files()) if (/consumequeue|index/.test(path)) disk.remove(path)
    for (const path of ['consumequeue/a/0', 'consumequeue/a/1', 'consumequeue/a', 'consumequeue', 'index'])
      disk.remove(`${root}/${path}`)
    const before = hashOf(disk)
    const store = await open(disk, { readOnly: true })
    assert.deepEqual(await everything(store), wanted)
    await store.close()
    assert.equal(hashOf(disk), before)
  })

  test('without the first or the last file of a queue it makes the queue in memory only', async () => {
    for (const offset of [0, 160, 320]) {
      const disk = await filled()
      const expected = await open(disk, { readOnly: true })
      const wanted = await everything(expected)
      await expected.close()
      disk.remove(`${root}/consumequeue/a/1/${String(offset).padStart(20, '0')}`)
      const before = hashOf(disk)
      const store = await open(disk, { readOnly: true })
      assert.deepEqual(await everything(store), wanted)
      await store.close()
      assert.equal(hashOf(disk), before)
    }
  })

  test('it opens beside a writer, and beside other readers', async () => {
    const disk = await filled()
    const writer = await open(disk)
    const readers = await Promise.all([1, 2, 3].map(() => open(disk, { readOnly: true })))
    for (const reader of readers) assert.equal((await everything(reader)).length, 80)
    await writer.put({ topic: 'a', body: 'x' })
    for (const reader of readers) await reader.close()
    await writer.close()
  })

  test('a damaged record in the middle is told, and everything else is read', async () => {
    const disk = await filled()
    flipLog(disk, 4096 + 100)
    const before = hashOf(disk)
    const store = await open(disk, { readOnly: true })
    await assert.rejects(everything(store), code('STORE_CORRUPT'))
    await store.close()
    assert.equal(hashOf(disk), before)
  })
})
