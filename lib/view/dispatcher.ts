/**
 * From the log to the views: gives each record its queue entry and its index entries.
 *
 * Idempotent: what the views already have is recognised by its place. What belongs where is told in `belonging.ts`.
 */
import { SysFlag } from '../format/record.js'
import type { BatchConsumeQueue } from './batch-consume-queue.js'
import type { BatchTopics } from './batch-topics.js'
import { entersQueues, furtherPlaces, indexHashes } from './belonging.js'
import type { ConsumeQueue } from './consume-queue.js'
import type { IndexView } from './index-view.js'
import type { Purges } from './purges.js'
import type { QueueTable } from './queue-table.js'

/** What the views need to know of a record. */
export interface DispatchedRecord {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly size: number
  readonly sysFlag: number
  readonly tagsCode: number
  readonly storeTimestamp: number
  readonly keys: readonly string[]
  readonly uniqueKey?: string
  /** Further queues and the record's offsets there. */
  readonly multiDispatch?: { readonly queues: readonly string[]; readonly offsets: readonly number[] }
  /** First offset and number of messages of a record that holds several. */
  readonly innerBatch?: { readonly base: number; readonly count: number }
  /** The keys of the messages in it. RocketMQ lists a batch under the keys of the record alone. */
  readonly innerKeys?: readonly string[]
  /** Whether it only keeps the place of a message that was lost. */
  readonly isStandIn?: true
}

/** What a dispatcher works on. */
export interface DispatcherOptions {
  readonly queues: QueueTable<ConsumeQueue>
  readonly batchQueues: QueueTable<BatchConsumeQueue>
  readonly batchTopics: BatchTopics
  readonly index: IndexView | undefined
  readonly purges: Purges
}

/** See the head of this file. */
export class Dispatcher {
  readonly #queues: QueueTable<ConsumeQueue>
  readonly #batchQueues: QueueTable<BatchConsumeQueue>
  readonly #batchTopics: BatchTopics
  readonly #index: IndexView | undefined
  readonly #purges: Purges
  /** Records up to this address have their index entries. */
  #indexedTo: number

  constructor({ queues, batchQueues, batchTopics, index, purges }: DispatcherOptions) {
    this.#purges = purges
    this.#queues = queues
    this.#batchQueues = batchQueues
    this.#batchTopics = batchTopics
    this.#index = index
    this.#indexedTo = index?.lastCommitLogOffset ?? -1
  }

  /** Enters a record into the views. */
  dispatch(record: DispatchedRecord): void {
    const { commitLogOffset, size, tagsCode, storeTimestamp } = record
    if (isInnerBatch(record)) this.#dispatchBatch(record, record.innerBatch!)
    else if (entersQueues(record)) {
      this.enter(record.topic, record.queueId, record.queueOffset, commitLogOffset, size, tagsCode, storeTimestamp)
      if (record.multiDispatch !== undefined) {
        for (const place of furtherPlaces(record))
          this.enter(place.topic, place.queueId, place.queueOffset, commitLogOffset, size, tagsCode, storeTimestamp)
      }
    }
    this.#dispatchKeys(record)
  }

  /** Gives a record that is no batch its entry in one queue, unless it was purged. */
  enter(
    topic: string,
    queueId: number,
    queueOffset: number,
    commitLogOffset: number,
    size: number,
    tagsCode: number,
    storeTimestamp: number,
  ): void {
    if (this.#purges.hides(topic, queueId, commitLogOffset)) return
    if (this.#batchTopics.has(topic)) {
      const entry = { commitLogOffset, size, tagsCode, storeTimestamp, baseOffset: queueOffset, batchSize: 1 }
      this.#batchQueues.obtain(topic, queueId).place(entry)
    } else this.#queues.obtain(topic, queueId).place(queueOffset, commitLogOffset, size, tagsCode)
  }

  #dispatchBatch(record: DispatchedRecord, { base, count }: NonNullable<DispatchedRecord['innerBatch']>): void {
    const { topic, queueId, commitLogOffset, size, tagsCode, storeTimestamp } = record
    if (!entersQueues(record) || this.#purges.hides(topic, queueId, commitLogOffset)) return
    const entry = { commitLogOffset, size, tagsCode, storeTimestamp, baseOffset: base, batchSize: count }
    this.#batchQueues.obtain(topic, queueId).place(entry)
  }

  /** Whether the index does not have the keys of the record at an address yet. */
  wantsKeys(commitLogOffset: number): boolean {
    return this.#index !== undefined && commitLogOffset > this.#indexedTo
  }

  /** Lists a record under the hash of one of its keys. */
  list(keyHash: number, commitLogOffset: number, storeTimestamp: number): void {
    this.#index?.put(keyHash, commitLogOffset, storeTimestamp)
  }

  #dispatchKeys(record: DispatchedRecord): void {
    const { commitLogOffset, storeTimestamp } = record
    if (!this.wantsKeys(commitLogOffset)) return
    for (const hash of indexHashes(record)) this.list(hash, commitLogOffset, storeTimestamp)
  }
}

/** Whether a record holds several messages and so belongs in a BatchConsumeQueue. */
export function isInnerBatch({ sysFlag, innerBatch }: DispatchedRecord): boolean {
  return innerBatch !== undefined && (sysFlag & SysFlag.innerBatch) !== 0
}
