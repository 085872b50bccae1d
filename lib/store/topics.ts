/**
 * What the writer keeps of each topic and queue, so that a put looks a name up once: the encoded name, the
 * hash that its keys continue, and the next offset of each queue.
 */
import { javaHash } from '../format/hash.js'
import { checkTopic } from '../format/names.js'
import type { ConsumeQueue } from '../view/consume-queue.js'
import type { QueueTable } from '../view/queue-table.js'
import type { TopicBytes } from './encoder.js'

/** A queue as the writer sees it. */
export interface WriterQueue {
  readonly queue: ConsumeQueue
  /** The offset that the next message gets. Ahead of `queue.maxOffset` by what is not visible yet. */
  nextOffset: number
}

/** A topic as the writer sees it. */
export interface WriterTopic extends TopicBytes {
  readonly queues: Map<number, WriterQueue>
}

/** All topics that have been written to since the store was opened. */
export class WriterTopics {
  readonly #table: QueueTable
  readonly #topics = new Map<string, WriterTopic>()

  constructor(table: QueueTable) {
    this.#table = table
  }

  /** The topic. @throws {MessageStoreError} `TOPIC_INVALID` */
  topic(name: string): WriterTopic {
    return this.#topics.get(name) ?? this.#add(name)
  }

  /** The queue of a topic; it exists from the first put on. */
  queue(topic: WriterTopic, queueId: number): WriterQueue {
    return topic.queues.get(queueId) ?? this.#addQueue(topic, queueId)
  }

  /** Forgets offsets that were given out and taken back, or queues that were removed. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  #add(name: string): WriterTopic {
    checkTopic(name)
    const topic = {
      topic: name,
      bytes: Buffer.from(name, 'utf8'),
      keySeed: javaHash(`${name}#`),
      queues: new Map<number, WriterQueue>(),
    }
    this.#topics.set(name, topic)
    return topic
  }

  #addQueue(topic: WriterTopic, queueId: number): WriterQueue {
    const queue = this.#table.obtain(topic.topic, queueId)
    const state = { queue, nextOffset: queue.maxOffset }
    topic.queues.set(queueId, state)
    return state
  }
}
