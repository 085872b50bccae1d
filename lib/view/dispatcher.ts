/**
 * From the log to the views: gives each record its queue entry and its index entries.
 *
 * Idempotent: what the views already have is recognised by its place. Prepared and rolled back messages get
 * no queue entry, rolled back ones no index entry either. (`CommitLogDispatcherBuildConsumeQueue`, `IndexService`.)
 */
import { indexKeyHash } from '../format/hash.js'
import { isTopic } from '../format/names.js'
import { SysFlag } from '../format/record.js'
import type { IndexView } from './index-view.js'
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
}

/** What a dispatcher works on. */
export interface DispatcherOptions {
  readonly queues: QueueTable
  readonly index: IndexView | undefined
}

/** See the head of this file. */
export class Dispatcher {
  readonly #queues: QueueTable
  readonly #index: IndexView | undefined
  /** Records up to this address have their index entries. */
  #indexedTo: number

  constructor({ queues, index }: DispatcherOptions) {
    this.#queues = queues
    this.#index = index
    this.#indexedTo = index?.lastCommitLogOffset ?? -1
  }

  /** Enters a record into the views. */
  dispatch(record: DispatchedRecord): void {
    const { topic, queueId, queueOffset, commitLogOffset, size, tagsCode } = record
    const state = record.sysFlag & SysFlag.transactionMask
    if ((state === 0 || state === SysFlag.transactionCommit) && isTopic(topic) && queueId >= 0) {
      this.#queues.obtain(topic, queueId).place(queueOffset, commitLogOffset, size, tagsCode)
      if (record.multiDispatch !== undefined) this.#dispatchFurther(record, record.multiDispatch)
    }
    if (state !== SysFlag.transactionRollback) this.#dispatchKeys(record)
  }

  #dispatchFurther(record: DispatchedRecord, { queues, offsets }: NonNullable<DispatchedRecord['multiDispatch']>): void {
    for (let i = 0; i < queues.length; i++) {
      const name = queues[i]!
      if (!isTopic(name)) continue
      const queueId = name.startsWith('%LMQ%') ? 0 : record.queueId
      this.#queues.obtain(name, queueId).place(offsets[i]!, record.commitLogOffset, record.size, record.tagsCode)
    }
  }

  #dispatchKeys(record: DispatchedRecord): void {
    const index = this.#index
    const { topic, keys, uniqueKey, commitLogOffset, size, storeTimestamp } = record
    if (index === undefined || commitLogOffset <= this.#indexedTo) return
    if (uniqueKey !== undefined) index.put(indexKeyHash(topic, uniqueKey), commitLogOffset, size, storeTimestamp)
    for (const key of keys) index.put(indexKeyHash(topic, key), commitLogOffset, size, storeTimestamp)
  }
}
