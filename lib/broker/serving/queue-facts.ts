/** What is asked about the queues of a topic from elsewhere. */
import type { MessageStore } from '../../store/message-store.js'
import type { TopicConfig } from '../config/topic-config.js'

/** A queue, with the offsets that can be read and the time of its newest message. */
export interface QueueFacts {
  readonly queueId: number
  readonly minOffset: number
  readonly maxOffset: number
  /** When the newest message was stored, milliseconds since 1970; 0 for an empty queue. */
  readonly lastTimestamp: number
}

/** When the message at an offset was stored, milliseconds since 1970; `undefined` when none can be read there. */
export async function storeTimeAt(
  store: MessageStore,
  topic: string,
  queueId: number,
  offset: number,
): Promise<number | undefined> {
  const { messages } = await store.get({ topic, queueId, offset, maxMessages: 1 })
  return messages[0]?.storeTimestamp
}

/** The queues of a topic. */
export async function queueFacts(store: MessageStore, { topic, readQueues, writeQueues }: TopicConfig): Promise<QueueFacts[]> {
  const facts: QueueFacts[] = []
  for (let queueId = 0; queueId < Math.max(readQueues, writeQueues); queueId++) {
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    const last = maxOffset > minOffset ? await storeTimeAt(store, topic, queueId, maxOffset - 1) : undefined
    facts.push({ queueId, minOffset, maxOffset, lastTimestamp: last ?? 0 })
  }
  return facts
}
