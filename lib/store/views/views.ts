/** The views of a store, loaded together and kept together. */
import { MessageStoreError } from '../../base/errors.js'
import type { Disk } from '../../disk/disk.js'
import type { Block } from '../../format/block.js'
import { indexFileBytes } from '../../format/index-layout.js'
import { isIndexFileName } from '../../format/names.js'
import { readRecord, SysFlag } from '../../format/record.js'
import { BatchConsumeQueue } from '../../view/batch-consume-queue.js'
import { BatchTopics } from '../../view/batch-topics.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import { Dispatcher, isInnerBatch } from '../../view/dispatcher.js'
import { inferIndexSizes } from '../../view/index-sizes.js'
import { type CheckedFiles, IndexView } from '../../view/index-view.js'
import type { Manifest, QueueRow } from '../../view/manifest.js'
import { Purges } from '../../view/purges.js'
import type { RecordBounds } from '../../view/queue-rows.js'
import { queueSegmentEntries } from '../../view/queue-sizes.js'
import { QueueTable, unlessDamaged } from '../../view/queue-table.js'
import { readBatchTopics } from '../keeping/config-file.js'
import { defaultSizes, type ResolvedOptions } from '../options.js'
import type { RecoverInput } from '../recovery/recover.js'
import type { FurtherPlace, PendingPut } from '../writing/pending.js'
import { dispatchedRecord } from './dispatch-record.js'
import { PlainDispatch } from './plain-dispatch.js'

const NO_INDEX = { slots: 0, entries: 0 }
const NO_PLACES: readonly FurtherPlace[] = []

/** What is known of the view files before they are loaded. */
export interface KnownViews {
  /** Where the log begins. */
  readonly logStart: number
  /** Entries of records that end above this are not believed. */
  readonly trustedEnd: number
  /** Where the log can have records. */
  readonly recordBounds: RecordBounds
  /** What the files are known to hold, if there is a manifest to believe. */
  readonly manifest: Manifest | undefined
  /** Sizes of the index files, if a manifest of ours tells. */
  readonly indexSizes: Manifest['indexSizes'] | undefined
  /** Whether the process that wrote the manifest runs and is followed. */
  readonly isLive?: boolean
  /** What the views that these replace have checked of the index. */
  readonly checkedIndex?: CheckedFiles | undefined
}

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

  constructor({ layout, options, ports, files }: RecoverInput, known: KnownViews) {
    const { logStart, trustedEnd, recordBounds, manifest, indexSizes } = known
    this.#trimmedTo = manifest?.logStart ?? -1
    this.#delayLevelsMs = options.message.delayLevelsMs
    const isLive = known.isLive === true && manifest !== undefined
    const common = { disk: ports.disk, files, writable: !options.readOnly, tmpDirectory: layout.temporary, trustedEnd, isLive }
    const asked = options.views.queueSegmentEntries
    const entriesPerSegment = queueSegmentEntries(ports.disk, layout.consumeQueue, asked, defaultSizes.queueSegmentEntries)
    const table = { ...common, recordBounds, entriesPerSegment, mayHaveShrunk: logStart > (manifest?.logStart ?? 0) }
    this.purges = Purges.load(ports.disk, layout.purged)
    // The queue of that name that stands in the files now may be another one already.
    const isGone = (row: QueueRow): boolean => isLive && this.purges.deletes(row.topic, row.lastEnd)
    const rows = (isBatch: boolean) => manifest?.queues.filter((row) => (row.rows !== undefined) === isBatch && !isGone(row))
    this.queues = QueueTable.load({
      ...table,
      directory: layout.consumeQueue,
      rows: rows(false),
      load: (queue) => new ConsumeQueue(queue),
    })
    this.batchQueues = QueueTable.load({
      ...table,
      directory: layout.batchConsumeQueue,
      rows: rows(true),
      load: (queue) => new BatchConsumeQueue(queue),
    })
    this.batchTopics = new BatchTopics(this.queues, this.batchQueues, readBatchTopics(ports.disk, layout.config))
    const { indexSlots, indexEntries } = options.views
    const isAsked = indexSlots !== undefined || indexEntries !== undefined
    this.#indexSizes = sizesOf(options.views, indexSizes ?? (isAsked ? undefined : sizesFound(ports.disk, layout.index)))
    // An index that was off has no sizes: what was put meanwhile is missing from it.
    this.isIndexNoted = manifest !== undefined && manifest.indexSizes.slots > 0
    const indexRows = this.isIndexNoted ? manifest?.index : undefined
    const cache = { clock: ports.clock, cacheBytes: options.log.readCacheBytes }
    const place = {
      ...common,
      ...this.#indexSizes,
      ...cache,
      directory: layout.index,
      rows: indexRows,
      logStart,
      checked: known.checkedIndex,
    }
    this.index = options.views.indexEnabled ? IndexView.load(place) : undefined
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

/** @throws {MessageStoreError} `STORE_INCOMPATIBLE` when other sizes are asked for than the index files have */
function sizesOf(
  { indexSlots, indexEntries }: ResolvedOptions['views'],
  known: Manifest['indexSizes'] | undefined,
): Manifest['indexSizes'] {
  for (const [option, asked, found] of [
    ['index.slots', indexSlots, known?.slots],
    ['index.entries', indexEntries, known?.entries],
  ] as const) {
    if (asked === undefined || found === undefined || asked === found) continue
    throw new MessageStoreError('STORE_INCOMPATIBLE', `option ${option} is ${asked}, the index files were made with ${found}`)
  }
  return {
    slots: indexSlots ?? known?.slots ?? defaultSizes.indexSlots,
    entries: indexEntries ?? known?.entries ?? defaultSizes.indexEntries,
  }
}

/**
 * How the index files are divided, from their content: no note of ours tells. `undefined` where they have RocketMQ's length or
 * none does.
 */
function sizesFound(disk: Disk, directory: string): Manifest['indexSizes'] | undefined {
  const { indexSlots, indexEntries } = defaultSizes
  for (const { name, kind } of disk.list(directory)) {
    const path = `${directory}/${name}`
    if (kind !== 'file' || !isIndexFileName(name) || disk.stat(path)?.bytes === indexFileBytes(indexSlots, indexEntries)) continue
    const sizes = inferIndexSizes(disk, path)
    if (sizes !== undefined) return sizes
  }
  return undefined
}

/** An index that is not kept would miss what is put meanwhile. Without files it is made anew when it is wanted again. */
function dropIndex(disk: Disk, directory: string): void {
  for (const { name, kind } of disk.list(directory)) {
    if (kind === 'file' && isIndexFileName(name)) disk.remove(`${directory}/${name}`)
  }
}
