/**
 * Which topics keep batches: those whose attribute `queue.type` is `BatchCQ`, and those that have a
 * BatchConsumeQueue. One that has ConsumeQueues stays what it is: RocketMQ does not let the type change.
 *
 * A record of such a topic that is no batch counts as a batch of one, as in RocketMQ. A ConsumeQueue made for it
 * would keep RocketMQ from loading the store. (`ConsumeQueueStore`, 5.3.)
 */
import type { BatchConsumeQueue } from './batch-consume-queue.js'
import type { ConsumeQueue } from './consume-queue.js'
import type { QueueTable } from './queue-table.js'

/** See the head of this file. */
export class BatchTopics {
  readonly #queues: QueueTable<ConsumeQueue>
  readonly #batchQueues: QueueTable<BatchConsumeQueue>
  #named: ReadonlySet<string>

  constructor(queues: QueueTable<ConsumeQueue>, batchQueues: QueueTable<BatchConsumeQueue>, named: ReadonlySet<string>) {
    this.#queues = queues
    this.#batchQueues = batchQueues
    this.#named = named
  }

  /** Other topics have the attribute from now on. */
  rename(named: ReadonlySet<string>): void {
    this.#named = named
  }

  /** Whether a topic keeps batches. */
  has(topic: string): boolean {
    // Asked for every record of a log, and most stores have none.
    if (this.#named.size === 0 && this.#batchQueues.isEmpty) return false
    return (this.#named.has(topic) && !this.#queues.has(topic)) || this.#batchQueues.has(topic)
  }
}
