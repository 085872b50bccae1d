/** Open, put, get, query, close. Run it twice: the messages of the first run are still there. */
import { MessageStore } from 'mqlite'

const store = await MessageStore.open('data/quick-start', { flush: 'sync' })
try {
  // On the disk when the promise resolves.
  const receipt = await store.put({ topic: 'orders', body: 'two cups of tea', tags: 'paid', keys: ['order-17', 'alice'] })
  console.log(`stored as message ${receipt.queueOffset} of its queue, id ${receipt.messageId}`)
  await store.put({ topic: 'orders', body: 'one cake', tags: 'open', keys: ['order-18', 'bob'] })

  // By place: a queue is read from an offset on; tags filter.
  const { messages, nextOffset } = await store.get({ topic: 'orders', offset: 0, tags: 'paid' })
  for (const { queueOffset, body } of messages) console.log(`paid: ${queueOffset} ${body}`)
  console.log(`go on reading at ${nextOffset}`)

  // By key: newest first.
  for (const message of await store.query({ topic: 'orders', key: 'bob' })) console.log(`bob: ${message.body}`)
} finally {
  await store.close()
}
