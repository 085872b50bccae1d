/** The views of a store, loaded together and kept together. */
import type { Disk } from '../disk/disk.js'
import type { Block } from '../format/block.js'
import { isIndexFileName } from '../format/names.js'
import { SysFlag } from '../format/record.js'
import { Dispatcher } from '../view/dispatcher.js'
import { IndexView } from '../view/index-view.js'
import type { Manifest } from '../view/manifest.js'
import { queueSegmentEntries } from '../view/queue-sizes.js'
import { QueueTable } from '../view/queue-table.js'
import { dispatchedRecord } from './dispatch-record.js'
import { defaultSizes } from './options.js'
import type { PendingPut } from './pending.js'
import type { RecoverInput } from './recover.js'

/** ConsumeQueues, index, and what puts records into them. */
export class Views {
  readonly queues: QueueTable
  readonly index: IndexView | undefined
  readonly #dispatcher: Dispatcher
  /** Store timestamp of the oldest record dispatched since the last flush began, `Infinity` without one. */
  #oldestUnflushedMs = Number.POSITIVE_INFINITY
  /** The start of the log that minimum offsets follow; -1 when it is not known. */
  #trimmedTo: number

  /**
   * @param logStart - where the log begins
   * @param trustedEnd - entries of records that end above this are not believed
   * @param manifest - what the files are known to hold, if there is a manifest to believe
   */
  constructor(
    { layout, options, ports, files }: RecoverInput,
    logStart: number,
    trustedEnd: number,
    manifest: Manifest | undefined,
  ) {
    this.#trimmedTo = manifest?.logStart ?? -1
    const common = { disk: ports.disk, files, writable: !options.readOnly, tmpDirectory: layout.temporary, trustedEnd }
    const asked = options.views.queueSegmentEntries
    const entriesPerSegment = queueSegmentEntries(ports.disk, layout.consumeQueue, asked, defaultSizes.queueSegmentEntries)
    this.queues = QueueTable.load({
      ...common,
      directory: layout.consumeQueue,
      entriesPerSegment,
      rows: manifest?.queues,
      mayHaveShrunk: logStart > (manifest?.logStart ?? 0),
    })
    this.index = options.views.indexEnabled
      ? IndexView.load({
          ...common,
          rows: manifest?.index,
          logStart,
          directory: layout.index,
          slots: options.views.indexSlots ?? defaultSizes.indexSlots,
          entries: options.views.indexEntries ?? defaultSizes.indexEntries,
          clock: ports.clock,
        })
      : undefined
    if (this.index === undefined && !options.readOnly) dropIndex(ports.disk, layout.index)
    this.#dispatcher = new Dispatcher({ queues: this.queues, index: this.index })
  }

  /** The furthest record end that an entry on the disk pointed to when it was loaded, -1 without any. */
  get evidenceEnd(): number {
    return this.queues.evidenceEnd
  }

  /** Whether a queue entry points to this record. */
  confirms(block: Block, at: number, address: number): boolean {
    const record = dispatchedRecord(block, at, block.view.getInt32(at), address)
    return this.queues.find(record.topic, record.queueId)?.commitLogOffsetAt(record.queueOffset) === address
  }

  /** Enters a record read from the log. */
  dispatchRecord(block: Block, at: number, size: number, address: number): void {
    const record = dispatchedRecord(block, at, size, address)
    if (record.storeTimestamp < this.#oldestUnflushedMs) this.#oldestUnflushedMs = record.storeTimestamp
    this.#dispatcher.dispatch(record)
  }

  /** Enters a put that may now be read. */
  dispatchPut({ queue, receipt, tagsCode, keyHashes, sysFlag }: PendingPut): void {
    const { commitLogOffset, size, storeTimestamp } = receipt
    const state = sysFlag & SysFlag.transactionMask
    if (storeTimestamp < this.#oldestUnflushedMs) this.#oldestUnflushedMs = storeTimestamp
    if (state === 0 || state === SysFlag.transactionCommit) queue.queue.append(commitLogOffset, size, tagsCode)
    if (this.index === undefined || state === SysFlag.transactionRollback) return
    for (let i = 0; i < keyHashes.length; i++) this.index.put(keyHashes[i]!, commitLogOffset, size, storeTimestamp)
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
      await this.index?.flush(durableEnd)
    } catch (error) {
      this.#oldestUnflushedMs = Math.min(this.#oldestUnflushedMs, oldest)
      throw error
    }
    const unsealed = this.index?.unsealedSince ?? Number.POSITIVE_INFINITY
    const logicsMs = Math.min(this.#oldestUnflushedMs, unsealed) - 1
    return { logicsMs, indexMs: this.index?.sealedMs ?? 0 }
  }

  /**
   * What a manifest is to say of the files, after a flush; `undefined` when a file is damaged.
   *
   * @param settled - whether nothing will be written any more
   */
  manifest(viewsEnd: number, settled: boolean): Manifest | undefined {
    const queues = this.queues.rows()
    if (queues === undefined || this.index?.isDamaged === true) return undefined
    return { logStart: this.#trimmedTo, viewsEnd, queues, index: this.index?.rows(settled) ?? [] }
  }

  /** Drops what points at or past `logEnd`. */
  truncate(logEnd: number): void {
    this.queues.truncate(logEnd)
    this.index?.truncate(logEnd)
  }

  /** To be called when recovery has judged the log: what the views had beyond its end is no evidence any more. */
  settle(): void {
    this.queues.settle()
  }

  /** Follows the start of the log. @returns the files that were deleted */
  trim(logStart: number): string[] {
    if (logStart === this.#trimmedTo) return []
    this.#trimmedTo = logStart
    return [...this.queues.trim(logStart), ...(this.index?.trim(logStart) ?? [])]
  }
}

/** An index that is not kept would miss what is put meanwhile. Without files it is made anew when it is wanted again. */
function dropIndex(disk: Disk, directory: string): void {
  for (const { name, kind } of disk.list(directory)) {
    if (kind === 'file' && isIndexFileName(name)) disk.remove(`${directory}/${name}`)
  }
}
