/** The views of a store, loaded together and kept together. */
import type { Block } from '../../format/block.js'
import { readRecord, SysFlag } from '../../format/record.js'
import type { BatchConsumeQueue } from '../../view/batch-consume-queue.js'
import { BatchTopics } from '../../view/batch-topics.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import { Dispatcher, isInnerBatch } from '../../view/dispatcher.js'
import type { IndexView } from '../../view/index-view.js'
import type { Manifest } from '../../view/manifest.js'
import { Purges } from '../../view/purges.js'
import { type QueueTable, unlessDamaged } from '../../view/queue-table.js'
import { readBatchTopics } from '../keeping/config-file.js'
import type { RecoverInput } from '../recovery/recover.js'
import type { FurtherPlace, PendingPut } from '../writing/pending.js'
import { dispatchedRecord } from './dispatch-record.js'
import { dropIndex, indexSizesOf, type KnownViews, loadIndex, loadQueues } from './load-views.js'
import { PlainDispatch } from './plain-dispatch.js'

const NO_INDEX = { slots: 0, entries: 0 }
const NO_PLACES: readonly FurtherPlace[] = []

/** A queue of either kind. */
export type AnyQueue = ConsumeQueue | BatchConsumeQueue

/** ConsumeQueues, index, and what puts records into them. */
export class Views {
  readonly queues: QueueTable<ConsumeQueue>
  readonly batchQueues: QueueTable<BatchConsumeQueue>
  readonly batchTopics: BatchTopics
  readonly index: IndexView | undefined
  /** Whether a manifest tells of the index, be it that it has no file. */
  readonly isIndexNoted: boolean
  readonly purges: Purges
  readonly #indexSizes: Manifest['indexSizes']
  readonly #dispatcher: Dispatcher
  readonly #plain: PlainDispatch
  readonly #delayLevelsMs: readonly number[]
  /** Store timestamp of the oldest record dispatched since the last flush began, `Infinity` without one. */
  #oldestUnflushedMs = Number.POSITIVE_INFINITY
  #newestMs = 0
  /** The start of the log that minimum offsets follow; -1 when it is not known. */
  #trimmedTo: number

  constructor(input: RecoverInput, known: KnownViews) {
    const { layout, options, ports } = input
    const { manifest } = known
    this.#trimmedTo = manifest?.logStart ?? -1
    this.#delayLevelsMs = options.message.delayLevelsMs
    this.purges = Purges.load(ports.disk, layout.purged)
    const { queues, batchQueues } = loadQueues(input, known, this.purges)
    this.queues = queues
    this.batchQueues = batchQueues
    this.batchTopics = new BatchTopics(queues, batchQueues, readBatchTopics(ports.disk, layout.config))
    this.#indexSizes = indexSizesOf(input, known)
    // An index that was off has no sizes: what was put meanwhile is missing from it.
    this.isIndexNoted = manifest !== undefined && manifest.indexSizes.slots > 0
    const rows = this.isIndexNoted ? manifest?.index : undefined
    this.index = options.views.indexEnabled ? loadIndex(input, known, this.#indexSizes, rows) : undefined
    if (this.index === undefined && !options.readOnly) dropIndex(ports.disk, layout.index)
    this.#dispatcher = new Dispatcher(this)
    this.#plain = new PlainDispatch(this.#dispatcher)
  }

  /** The queue, or `undefined`. */
  find(topic: string, queueId: number): AnyQueue | undefined {
    return this.queues.find(topic, queueId) ?? this.batchQueues.find(topic, queueId)
  }

  /** After recovery: what was purged is not read, whatever the queue files say. */
  applyPurges(): void {
    for (const { topic, queueId, below, next } of this.purges.all) {
      for (const table of [this.queues, this.batchQueues]) {
        // A queue whose messages are all hidden has no other trace, and goes on where it was.
        if (queueId !== undefined && next > 0 && this.find(topic, queueId) === undefined) this.queues.obtain(topic, queueId)
        for (const queue of table.queuesOf(topic)) {
          if (queueId !== undefined && queueId !== queue.queueId) continue
          unlessDamaged(() => queue.trim(below))
          queue.continueAt(next)
        }
      }
    }
  }

  /** Whether files of a queue, or of any that was used, came or went since it was loaded. Of a store that is only read. */
  hasMoved(topic?: string, queueId?: number): boolean {
    return this.queues.hasMoved(topic, queueId) || this.batchQueues.hasMoved(topic, queueId)
  }

  /** Whether queues were not what the manifest says: the log brings them again. */
  get isReset(): boolean {
    return this.queues.isReset || this.batchQueues.isReset
  }

  /** The furthest record end that an entry on the disk pointed to when it was loaded, -1 without any. */
  get evidenceEnd(): number {
    return Math.max(this.queues.evidenceEnd, this.batchQueues.evidenceEnd)
  }

  /** Whether a queue entry points to this record. */
  confirms(block: Block, at: number, address: number): boolean {
    const record = dispatchedRecord(block, at, block.view.getInt32(at), address)
    const { topic, queueId, queueOffset } = record
    const isBatch = isInnerBatch(record) || this.batchTopics.has(topic)
    const queue = (isBatch ? this.batchQueues : this.queues).find(topic, queueId)
    return queue?.commitLogOffsetAt(queueOffset) === address
  }

  /** The latest store timestamp of the records that came from the log, 0 without any. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** Enters a record read from the log. */
  dispatchRecord(block: Block, at: number, size: number, address: number): void {
    const storeTimestamp = readRecord.storeTimestamp(block.view, at)
    if (storeTimestamp < this.#oldestUnflushedMs) this.#oldestUnflushedMs = storeTimestamp
    if (storeTimestamp > this.#newestMs) this.#newestMs = storeTimestamp
    if (!this.#plain.dispatch(block, at, size, address, storeTimestamp))
      this.#dispatcher.dispatch(dispatchedRecord(block, at, size, address, this.#delayLevelsMs))
  }

  /** Enters a put that may now be read. */
  dispatchPut({ queue: { queue }, receipt, tagsCode, keyHashes, sysFlag, count, further }: PendingPut): void {
    const { commitLogOffset, size, storeTimestamp, queueOffset } = receipt
    if (storeTimestamp < this.#oldestUnflushedMs) this.#oldestUnflushedMs = storeTimestamp
    if (count > 0) {
      if (queue instanceof ConsumeQueue) queue.append(commitLogOffset, size, tagsCode)
      else queue.place({ commitLogOffset, size, tagsCode, storeTimestamp, baseOffset: queueOffset, batchSize: count })
      for (const place of further ?? NO_PLACES) this.#placeFurther(place, commitLogOffset, size, tagsCode)
    }
    if (this.index === undefined || (sysFlag & SysFlag.transactionMask) === SysFlag.transactionRollback) return
    for (let i = 0; i < keyHashes.length; i++) this.index.put(keyHashes[i]!, commitLogOffset, storeTimestamp)
  }

  #placeFurther({ queue: { queue }, queueOffset }: FurtherPlace, commitLogOffset: number, size: number, tagsCode: number): void {
    if (queue instanceof ConsumeQueue) queue.place(queueOffset, commitLogOffset, size, tagsCode)
  }

  /** Writes what takes much memory of the entries of records below `durableEnd`. Not while `flush` runs. @throws {DiskError} */
  relieve(durableEnd: number): void {
    this.index?.relieve(durableEnd)
  }

  /**
   * Writes and flushes the entries of all records below `durableEnd`.
   *
   * @returns times for RocketMQ's checkpoint: no entry stored later than `logicsMs` is known to be flushed
   */
  async flush(durableEnd: number): Promise<{ logicsMs: number; indexMs: number }> {
    const oldest = this.#oldestUnflushedMs
    this.#oldestUnflushedMs = Number.POSITIVE_INFINITY
    try {
      await this.queues.flush(durableEnd)
      await this.batchQueues.flush(durableEnd)
      await this.index?.flush(durableEnd)
    } catch (error) {
      this.#oldestUnflushedMs = Math.min(this.#oldestUnflushedMs, oldest)
      throw error
    }
    return this.checkpointBounds()
  }

  /**
   * How far RocketMQ's checkpoint may go: entries of records stored up to `logicsMs` are flushed, and in index
   * files that end at `indexMs` or before. After a crash RocketMQ deletes later index files, and makes their
   * entries again from what was stored after `logicsMs`.
   */
  checkpointBounds(): { logicsMs: number; indexMs: number } {
    const unsealed = this.index?.unsealedSince ?? Number.POSITIVE_INFINITY
    return { logicsMs: Math.min(this.#oldestUnflushedMs, unsealed) - 1, indexMs: this.index?.sealedMs ?? 0 }
  }

  /**
   * What a manifest is to say of the files, after a flush; `undefined` when a file is damaged.
   *
   * @param settled - whether nothing will be written any more
   */
  manifest(viewsEnd: number, settled: boolean): Manifest | undefined {
    const queues = this.queues.rows()
    const batchQueues = this.batchQueues.rows()
    if (queues === undefined || batchQueues === undefined || this.index?.isDamaged === true) return undefined
    const index = this.index?.rows(settled) ?? []
    const indexSizes = this.index === undefined ? NO_INDEX : this.#indexSizes
    return { logStart: this.#trimmedTo, viewsEnd, indexSizes, queues: [...queues, ...batchQueues], index }
  }

  /** Drops what points at or past `logEnd`. */
  truncate(logEnd: number): void {
    this.queues.truncate(logEnd)
    this.batchQueues.truncate(logEnd)
    this.index?.truncate(logEnd)
  }

  /** To be called when recovery has judged the log: what the views had beyond its end is no evidence any more. */
  settle(): void {
    this.queues.settle()
    this.batchQueues.settle()
  }

  /** Follows the start of the log. @returns the files that were deleted */
  trim(logStart: number): string[] {
    if (logStart === this.#trimmedTo) return []
    const deleted = [...this.queues.trim(logStart), ...this.batchQueues.trim(logStart), ...(this.index?.trim(logStart) ?? [])]
    this.#trimmedTo = logStart
    return deleted
  }
}
