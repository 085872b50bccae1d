/** The views of a store, loaded together and kept together. */
import type { Block } from '../format/block.js'
import { SysFlag } from '../format/record.js'
import { IndexView } from '../view/index-view.js'
import { QueueTable } from '../view/queue-table.js'
import { BatchQueueTable } from '../view/batch-queue-table.js'
import { Dispatcher } from '../view/dispatcher.js'
import { dispatchedRecord } from './dispatch-record.js'
import { defaultSizes } from './options.js'
import type { RecoverInput } from './recover.js'
import type { PendingPut } from './writer.js'

/** What may be believed of the files. */
export interface ViewTrust {
  /** Entries of records that end above this are not believed. */
  readonly trustedEnd: number
  readonly isClean: boolean
  readonly indexCheckpointMs: number
}

/** ConsumeQueues, index, and what puts records into them. */
export interface Views {
  readonly queues: QueueTable
  readonly batchQueues: BatchQueueTable
  readonly index: IndexView | undefined
  readonly dispatcher: Dispatcher
  /** The furthest record end that an entry on the disk pointed to when it was loaded, -1 without any. */
  readonly evidenceEnd: number
  /** Whether a queue entry points to this record. */
  confirms(block: Block, at: number, address: number): boolean
  /** Enters a put that may now be read. */
  dispatchPut(put: PendingPut): void
  /** Drops what points at or past `logEnd`. */
  truncate(logEnd: number): void
  close(): void
}

/** Loads all views. */
export async function loadViews({ layout, options, ports, files }: RecoverInput, trust: ViewTrust): Promise<Views> {
  const { disk, clock } = ports
  const writable = !options.readOnly
  const common = { disk, files, root: layout.root, writable, trustedEnd: trust.trustedEnd }
  const scan = trust.isClean ? 'lazy' : 'full'
  const entriesPerSegment = options.views.queueSegmentEntries ?? defaultSizes.queueSegmentEntries
  const queues = QueueTable.load({ ...common, entriesPerSegment, scan })
  const batchQueues = BatchQueueTable.load({ ...common, entriesPerSegment, scan })
  const index = options.views.indexEnabled
    ? IndexView.load({
        ...common,
        slots: options.views.indexSlots ?? defaultSizes.indexSlots,
        entries: options.views.indexEntries ?? defaultSizes.indexEntries,
        clock,
        clean: trust.isClean,
        indexCheckpointMs: trust.indexCheckpointMs,
      })
    : undefined
  const dispatcher = new Dispatcher({ queues, batchQueues, index, isBatchTopic: () => false })
  return {
    queues,
    batchQueues,
    index,
    dispatcher,
    evidenceEnd: Math.max(queues.evidenceEnd, batchQueues.evidenceEnd),
    confirms(block, at, address) {
      const record = dispatchedRecord(block, at, block.view.getInt32(at), address)
      return queues.find(record.topic, record.queueId)?.commitLogOffsetAt(record.queueOffset) === address
    },
    dispatchPut({ queue, receipt, tagsCode, keyHashes, sysFlag }) {
      const { commitLogOffset, size, storeTimestamp } = receipt
      const state = sysFlag & SysFlag.transactionMask
      if (state === 0 || state === SysFlag.transactionCommit) queue.queue.append(commitLogOffset, size, tagsCode)
      if (index === undefined || state === SysFlag.transactionRollback) return
      for (let i = 0; i < keyHashes.length; i++) index.put(keyHashes[i]!, commitLogOffset, size, storeTimestamp)
    },
    truncate(logEnd) {
      queues.truncate(logEnd)
      batchQueues.truncate(logEnd)
      index?.truncate(logEnd)
    },
    close() {
      queues.close()
      batchQueues.close()
      index?.close()
    },
  }
}
