/** Purging and deleting: what is told of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageStore, StoreEvents } from '../../lib/index.js'
import { writeConfig } from '../../lib/store/keeping/config-file.js'
import { freshDisk, openStore, root } from '../support/open-store.js'

function purgesOf(store: MessageStore): StoreEvents['queuePurged'][] {
  const told: StoreEvents['queuePurged'][] = []
  store.on('queuePurged', (event) => told.push(event))
  return told
}

test('a purge tells each queue that lost messages, with the offsets that went', async (t) => {
  const store = await openStore(t)
  const told = purgesOf(store)
  for (const queueId of [0, 0, 0, 2, 2]) await store.put({ topic: 'a', body: 'x', queueId })
  await store.put({ topic: 'b', body: 'stays' })
  await store.purge('a', 2)
  assert.deepEqual(told.splice(0), [{ topic: 'a', queueId: 2, minOffset: 0, maxOffset: 2, deleted: false }])
  await store.put({ topic: 'a', body: 'x', queueId: 2 })
  await store.purge('a')
  assert.deepEqual(told.splice(0), [
    { topic: 'a', queueId: 0, minOffset: 0, maxOffset: 3, deleted: false },
    { topic: 'a', queueId: 2, minOffset: 2, maxOffset: 3, deleted: false },
  ])
  await store.purge('a')
  await store.purge('unknown')
  assert.deepEqual(told, [])
  assert.deepEqual(store.bounds('a', 2), { minOffset: 3, maxOffset: 3 })
})

test('a deletion tells each queue of the topic, the empty and the batch queues too', async (t) => {
  const disk = freshDisk()
  disk.makeDirectory(`${root}/config`)
  const attributes = { '+queue.type': 'BatchCQ' }
  const topicConfigTable = { batch: { attributes, topicName: 'batch' } }
  await writeConfig(disk, `${root}/config/topics.json`, { topicConfigTable })
  const store = await openStore(t, { disk })
  const told = purgesOf(store)
  for (const queueId of [0, 1, 1]) await store.put({ topic: 'a', body: 'x', queueId })
  await store.purge('a', 0)
  await store.putBatch([
    { topic: 'batch', body: '1' },
    { topic: 'batch', body: '2' },
  ])
  told.length = 0
  await store.deleteTopic('a')
  await store.deleteTopic('batch')
  await store.deleteTopic('unknown')
  assert.deepEqual(told, [
    { topic: 'a', queueId: 0, minOffset: 1, maxOffset: 1, deleted: true },
    { topic: 'a', queueId: 1, minOffset: 0, maxOffset: 2, deleted: true },
    { topic: 'batch', queueId: 0, minOffset: 0, maxOffset: 2, deleted: true },
  ])
})
