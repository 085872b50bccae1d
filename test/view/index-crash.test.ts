/** What a crash leaves of the index is completed from the log, whatever part of it had been written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { filesIn, messageNumber, openSmall, putMany, ROOT, smallStore } from '../support/small-store.js'

/** Puts files back that are not in a snapshot, or other there. */
function overwriteAll(disk: MemoryDisk, files: ReadonlyMap<string, Buffer>): void {
  for (const [path, bytes] of files) {
    disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    const file = disk.open(path, { write: true, create: true })
    file.resize(bytes.length)
    file.writeAt(bytes, 0)
    file.close()
  }
}

test('an index file that was made and never flushed gets no entry out of its zeros', async () => {
  const { disk } = await smallStore(50)
  const store = await openSmall(disk)
  await putMany(store, 50, 300)
  const killed = disk.snapshot()
  await store.close()
  disk.restore(killed)
  const reopened = await openSmall(disk)
  assert.deepEqual((await reopened.verify()).findings, [])
  await reopened.close()
})

test('a crash between the flush of the views and their mark loses no key, over several index files', async () => {
  const disk = new MemoryDisk({ clock: { now: () => Date.now() } })
  const store = await openSmall(disk)
  await putMany(store, 0, 600)
  await store.flush()
  const killed = disk.snapshot()
  await store.close()
  const views = [...filesIn(disk, `${ROOT}/index`), ...filesIn(disk, `${ROOT}/consumequeue`)]
  const flushed = new Map(views.map((path) => [path, Buffer.from(disk.bytesOf(path))]))
  disk.restore(killed)
  overwriteAll(disk, flushed)
  const reopened = await openSmall(disk)
  assert.equal(reopened.recovery.origin, 'crash')
  assert.deepEqual((await reopened.verify()).findings, [])
  for (const n of [0, 1, 250, 440, 599]) {
    const [key] = [messageNumber(n).keys ?? []].flat()
    if (key === undefined) continue
    const found = await reopened.query({ topic: messageNumber(n).topic, key })
    assert.equal(found.length, 1, key)
  }
  await reopened.close()
})
