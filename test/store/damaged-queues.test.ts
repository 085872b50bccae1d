/** Entries of queues and index that lead elsewhere, or nowhere: nothing wrong is served, and what has a sum is made anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryPosition } from '../../lib/format/index-layout.js'
import { segmentName } from '../../lib/format/names.js'
import { QUEUE_ENTRY_BYTES } from '../../lib/format/queue-entry.js'
import { bodies, code, freshDisk, open, readQueue, root } from '../support/open-store.js'
import { filesIn, flip, openSmall, ROOT, smallSizes, smallStore, storeWithoutSums } from '../support/small-store.js'

const queueFile = (topic: string, queueId: number) => `${ROOT}/consumequeue/${topic}/${queueId}/${segmentName(0)}`

test('an entry that leads to a message of another queue, or of another offset, is damage and not that message', async () => {
  const disk = await storeWithoutSums(300)
  const at = (path: string, row: number) =>
    Buffer.from(disk.bytesOf(path, row * QUEUE_ENTRY_BYTES, (row + 1) * QUEUE_ENTRY_BYTES))
  const [ours, others] = [queueFile('topic-0', 0), queueFile('topic-1', 0)]
  const [first, second, foreign] = [at(ours, 1), at(ours, 2), at(others, 3)]
  disk.overwrite(ours, QUEUE_ENTRY_BYTES, second)
  disk.overwrite(ours, 2 * QUEUE_ENTRY_BYTES, first)
  disk.overwrite(ours, 3 * QUEUE_ENTRY_BYTES, foreign)
  const store = await openSmall(disk, { readOnly: true })
  for (const offset of [1, 2, 3]) {
    const details = { topic: 'topic-0', queueId: 0, offset, nextOffset: offset + 1 }
    await assert.rejects(
      store.get({ topic: 'topic-0', queueId: 0, offset }),
      (error: Error & { code: string; details: object }) => {
        assert.equal(error.code, 'STORE_CORRUPT')
        assert.match(error.message, new RegExp(`, offset ${offset} of "topic-0" queue 0 is damaged: it is another message`))
        assert.deepEqual({ ...error.details, ...details }, error.details)
        return true
      },
    )
  }
  const { messages } = await store.get({ topic: 'topic-0', queueId: 0, offset: 4, maxMessages: 1 })
  assert.deepEqual([messages[0]?.topic, messages[0]?.queueOffset], ['topic-0', 4])
  await store.close()
})

test('a message is found by its key although the hash of its index entry is damaged', async () => {
  const { disk } = await smallStore(200)
  const [path = ''] = filesIn(disk, `${ROOT}/index`)
  for (let entry = 1; entry < 100; entry++) flip(disk, path, entryPosition(smallSizes.index.slots, entry), 3)
  const store = await openSmall(disk)
  for (const number of [0, 4, 8]) {
    const found = await store.query({ topic: `topic-${number % 3}`, key: `k${number}` })
    assert.deepEqual(
      found.map(({ body }) => body.toString().split(' ')[1]),
      [String(number)],
    )
  }
  await store.close()
})

test('beyond a thousand queues, one that was purged and is damaged does not keep the store from opening', async () => {
  const disk = freshDisk()
  const options = { segmentBytes: 1024 * 1024 }
  const first = await open(disk, options)
  for (let queueId = 0; queueId <= 1000; queueId++) await first.put({ topic: 'many', queueId, body: 'x' })
  for (const body of ['0', '1', '2']) await first.put({ topic: 'purged', body })
  await first.purge('purged')
  for (const body of ['3', '4']) await first.put({ topic: 'purged', body })
  await first.close()
  flip(disk, `${root}/consumequeue/purged/0/${segmentName(0)}`, 3 * QUEUE_ENTRY_BYTES + 7)
  const second = await open(disk, options)
  assert.deepEqual(second.bounds('purged'), { minOffset: 3, maxOffset: 5 })
  await assert.rejects(second.get({ topic: 'purged', offset: 3 }), code('STORE_CORRUPT', 'purged'))
  assert.equal((await second.get({ topic: 'many', queueId: 7, offset: 0 })).messages.length, 1)
  await second.close()
  const third = await open(disk, options)
  assert.deepEqual(bodies(await readQueue(third, 'purged')), ['3', '4'])
  await third.close()
})
