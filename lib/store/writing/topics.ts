/**
 * What the writer keeps of each topic and queue, so that a put looks a name up once: the encoded name, the
 * hash that its keys continue, and the next offset of each queue.
 */
import { javaHash } from '../../format/hash.js'
import { checkTopic } from '../../format/names.js'
import type { BatchConsumeQueue } from '../../view/batch-consume-queue.js'
import type { BatchTopics } from '../../view/batch-topics.js'
import type { ConsumeQueue } from '../../view/consume-queue.js'
import type { QueueTable } from '../../view/queue-table.js'
import type { TopicBytes } from './encoder.js'

/** A queue as the writer sees it. */
export interface WriterQueue {
  readonly queueId: number
  readonly queue: ConsumeQueue | BatchConsumeQueue
  /** The offset that the next message gets. Ahead of `queue.maxOffset` by what is not visible yet. */
  nextOffset: number
}

/** A topic as the writer sees it. */
export interface WriterTopic extends TopicBytes {
  /** Whether its records hold batches. */
  readonly isBatch: boolean
  readonly queues: Map<number, WriterQueue>
}

/** Where queues are found, and which topics' records hold batches. */
export interface WriterTopicsOptions {
  readonly queues: QueueTable<ConsumeQueue>
  readonly batchQueues: QueueTable<BatchConsumeQueue>
  readonly batchTopics: BatchTopics
}

/** All topics that have been written to since the store was opened. */
export class WriterTopics {
  readonly #options: WriterTopicsOptions
  readonly #topics = new Map<string, WriterTopic>()
  /** The topic that was asked for last, which mostly is the next one, too. */
  #last: WriterTopic | undefined

  constructor(options: WriterTopicsOptions) {
    this.#options = options
  }

  /** Other topics hold batches from now on. One that has queues stays what it is: RocketMQ does not let the type change. */
  setBatchTopics(topics: ReadonlySet<string>): void {
    this.#options.batchTopics.rename(topics)
    this.#last = undefined
    for (const [name, topic] of this.#topics) if (topic.queues.size === 0) this.#topics.delete(name)
  }

  /** The topic. @throws {MessageStoreError} `TOPIC_INVALID` */
  topic(name: string): WriterTopic {
    const last = this.#last
    if (last !== undefined && last.topic === name) return last
    return (this.#last = this.#topics.get(name) ?? this.#add(name))
  }

  /** The queue of a topic; it exists from the first put on. */
  queue(topic: WriterTopic, queueId: number): WriterQueue {
    return topic.queues.get(queueId) ?? this.#addQueue(topic, queueId)
  }

  /** The further queue of that name; `%LMQ%` queues have the id 0. */
  furtherQueue(name: string, queueId: number): WriterQueue {
    return this.queue(this.topic(name), name.startsWith('%LMQ%') ? 0 : queueId)
  }

  /** The offset that the next message of a further queue gets; the queue is not made by asking. */
  nextOffsetOf(name: string): number {
    return this.#topics.get(name)?.queues.get(0)?.nextOffset ?? this.#options.queues.find(name, 0)?.maxOffset ?? 0
  }

  /** Forgets offsets of queues that were removed. */
  forget(topic: string): void {
    this.#last = undefined
    this.#topics.delete(topic)
  }

  #add(name: string): WriterTopic {
    checkTopic(name)
    const topic = {
      topic: name,
      bytes: Buffer.from(name, 'utf8'),
      keySeed: javaHash(`${name}#`),
      isBatch: this.#options.batchTopics.has(name),
      queues: new Map<number, WriterQueue>(),
    }
    this.#topics.set(name, topic)
    return topic
  }

  #addQueue(topic: WriterTopic, queueId: number): WriterQueue {
    const { queues, batchQueues } = this.#options
    const queue = topic.isBatch ? batchQueues.obtain(topic.topic, queueId) : queues.obtain(topic.topic, queueId)
    const state = { queueId, queue, nextOffset: queue.maxOffset }
    topic.queues.set(queueId, state)
    return state
  }
}
