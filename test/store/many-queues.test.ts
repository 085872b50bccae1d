/** More queues than are checked when a store is opened: damage is met by who uses the queue. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { segmentName } from '../../lib/format/names.js'
import type { MessageStore } from '../../lib/index.js'
import { bodies, code, freshDisk, open, readQueue, root } from '../support/open-store.js'

const QUEUES = 1003
const options = { segmentBytes: 1 << 20, index: { enabled: false } }

/** A closed store with two messages in each queue. */
async function closedStore(): Promise<MemoryDisk> {
  const disk = freshDisk()
  const store = await open(disk, options)
  for (const round of [0, 1]) {
    const puts = Array.from({ length: QUEUES }, (_, queueId) =>
      store.put({ topic: 'many', queueId, body: `${queueId}.${round}` }),
    )
    await Promise.all(puts)
  }
  await store.close()
  return disk
}

/** Flips a bit in the address of an entry. */
function damage(disk: MemoryDisk, queueId: number, entry: number): void {
  const file = disk.open(`${root}/consumequeue/many/${queueId}/${segmentName(0)}`, { write: true })
  const byte = Buffer.alloc(1)
  const at = entry * 20 + 7
  file.readAt(byte, at)
  file.writeAt(Buffer.from([byte[0]! ^ 4]), at)
  file.close()
}

async function checkAll(store: MessageStore, extra: ReadonlyMap<number, string>): Promise<void> {
  for (let queueId = 0; queueId < QUEUES; queueId++) {
    const more = extra.get(queueId)
    const wanted = [`${queueId}.0`, `${queueId}.1`, ...(more === undefined ? [] : [more])]
    assert.deepEqual(bodies(await readQueue(store, 'many', queueId)), wanted)
  }
}

for (const entry of [0, 1]) {
  test(`a put into a queue whose entry ${entry} was damaged is stored, and the queue is made anew at the next opening`, async () => {
    const disk = await closedStore()
    damage(disk, 500, entry)
    const store = await open(disk, options)
    assert.deepEqual([store.status, store.recovery.origin, store.recovery.scannedFrom], ['open', 'clean', store.recovery.end])
    // The file is met by the append, when the entry is written.
    assert.equal((await store.put({ topic: 'many', queueId: 500, body: 'new' })).queueOffset, 2)
    assert.equal((await store.put({ topic: 'many', queueId: 501, body: 'beside' })).queueOffset, 2)
    await store.flush()
    assert.deepEqual(bodies((await store.get({ topic: 'many', queueId: 500, offset: 2 })).messages), ['new'])
    await store.close()
    const again = await open(disk, options)
    assert.equal(again.status, 'open')
    assert.ok(again.recovery.scannedFrom < again.recovery.end, 'the log was read again')
    const extra = new Map([
      [500, 'new'],
      [501, 'beside'],
    ])
    await checkAll(again, extra)
    assert.deepEqual((await again.verify()).findings, [])
    await again.close()
  })
}

test('a damaged queue that is read first says so, takes puts all the same, and is made anew at the next opening', async () => {
  const disk = await closedStore()
  damage(disk, 7, 1)
  const store = await open(disk, options)
  await assert.rejects(store.get({ topic: 'many', queueId: 7, offset: 0 }), code('STORE_CORRUPT'))
  assert.deepEqual(bodies(await readQueue(store, 'many', 8)), ['8.0', '8.1'])
  await store.put({ topic: 'many', queueId: 7, body: 'new' })
  await store.close()
  const again = await open(disk, options)
  await checkAll(again, new Map([[7, 'new']]))
  assert.deepEqual((await again.verify()).findings, [])
  await again.close()
})
