/** What producers say that they sent, beside what is in the store. */
import assert from 'node:assert/strict'
import { loadInflater } from '../../lib/broker/compression/inflate.js'
import type { MessageStore } from '../../lib/store/message-store.js'
import type { StoredMessage } from '../../lib/store/stored-message.js'
import type { Sent } from './line-client.js'

const inflate = await loadInflater(1024 * 1024)

/** All messages of a topic. */
export async function messagesOf(store: MessageStore, topic: string): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = []
  for (const { queueId, maxOffset } of store.queues().filter((queue) => queue.topic === topic)) {
    for (let offset = 0; offset < maxOffset; ) {
      const { messages: some, nextOffset } = await store.get({ topic, queueId, offset })
      messages.push(...some)
      offset = nextOffset
    }
  }
  return messages
}

/** All messages of a topic, when there are so many, or after a while. */
export async function messagesWhen(store: MessageStore, topic: string, count: number): Promise<StoredMessage[]> {
  for (let left = 300; left > 0; left--) {
    const messages = await messagesOf(store, topic)
    if (messages.length >= count) return messages
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return messagesOf(store, topic)
}

/** The body, inflated if its producer made it smaller. */
export function textOf(message: StoredMessage): string {
  return (message.sysFlag & 1 ? inflate(message) : message.body).toString()
}

/** The body, or that it is a large one, which repeats its first letters. */
export function shortText(message: StoredMessage): string {
  const text = textOf(message)
  if (text.length < 1000) return text
  return text === 'abcdefg'.repeat(text.length / 7) ? 'large' : `large, but not as sent: ${text.length}`
}

/** Each message lies where its producer was told, as it was sent. Not all clients tell the keys of a batch. */
export async function checkSent(store: MessageStore, topic: string, sent: readonly Sent[]): Promise<void> {
  for (const { kind, number, status, uniqueKeys, messageIds, queueId, queueOffset } of sent) {
    assert.equal(status, 'SEND_OK', `${kind} ${number}`)
    for (const [i, id] of messageIds.entries()) {
      const message = await store.lookup(id)
      assert.ok(message !== undefined, `${kind} ${number}: no message ${id}`)
      const key = uniqueKeys.join() === '' ? message.uniqueKey : uniqueKeys[i]
      assert.deepEqual(
        [message.topic, message.queueId, message.queueOffset, message.uniqueKey, message.tags, message.keys],
        [topic, queueId, queueOffset + i, key, kind, [`${kind}-${number + i}`]],
      )
    }
  }
}

/** Those of one order went to one queue, one after the other. */
export function checkOrder(messages: readonly StoredMessage[]): void {
  for (const order of [0, 1, 2]) {
    const own = messages.filter(({ tags, body }) => tags === 'ordered' && Number(body.toString().slice(8)) % 3 === order)
    assert.equal(new Set(own.map(({ queueId }) => queueId)).size, 1)
    const numbers = own.map(({ body }) => Number(body.toString().slice(8)))
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
  }
}
