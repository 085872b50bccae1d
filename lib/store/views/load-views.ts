/** How the views of a store are loaded: where their files are, how they are divided, and what is known of them. */

import { MessageStoreError } from '../../base/errors.js'
import { nextTurn } from '../../base/system.js'
import type { Disk } from '../../disk/disk.js'
import { indexFileBytes } from '../../format/index-layout.js'
import { isIndexFileName } from '../../format/names.js'
import { BatchConsumeQueue } from '../../view/batch-consume-queue.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import { inferIndexSizes } from '../../view/index-sizes.js'
import { type CheckedFiles, IndexView } from '../../view/index-view.js'
import type { Manifest, QueueRow } from '../../view/manifest.js'
import type { Purges } from '../../view/purges.js'
import type { RecordBounds } from '../../view/queue-rows.js'
import { queueSegmentEntries } from '../../view/queue-sizes.js'
import { QueueTable } from '../../view/queue-table.js'
import { defaultSizes, type ResolvedOptions } from '../options.js'
import type { RecoverInput } from '../recovery/recover.js'

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

/** The queues of a store, of either kind. */
export interface QueueTables {
  readonly queues: QueueTable<ConsumeQueue>
  readonly batchQueues: QueueTable<BatchConsumeQueue>
}

/** What all files of views have in common. */
function commonOf({ layout, options, ports, files }: RecoverInput, { trustedEnd, manifest, isLive }: KnownViews) {
  const { readOnly } = options
  const isFollowed = isLive === true && manifest !== undefined
  return { disk: ports.disk, files, writable: !readOnly, tmpDirectory: layout.temporary, trustedEnd, isLive: isFollowed }
}

/** The queues of both kinds. */
export function loadQueues(input: RecoverInput, known: KnownViews, purges: Purges): QueueTables {
  const { layout, options, ports } = input
  const { logStart, recordBounds, manifest } = known
  const common = commonOf(input, known)
  const asked = options.views.queueSegmentEntries
  const entriesPerSegment = queueSegmentEntries(ports.disk, layout.consumeQueue, asked, defaultSizes.queueSegmentEntries)
  const table = { ...common, recordBounds, entriesPerSegment, mayHaveShrunk: logStart > (manifest?.logStart ?? 0) }
  // The queue of that name that stands in the files now may be another one already.
  const isGone = (row: QueueRow): boolean => common.isLive && purges.deletes(row.topic, row.lastEnd)
  const rows = (isBatch: boolean) => manifest?.queues.filter((row) => (row.rows !== undefined) === isBatch && !isGone(row))
  return {
    queues: QueueTable.load({
      ...table,
      directory: layout.consumeQueue,
      rows: rows(false),
      load: (queue) => new ConsumeQueue(queue),
    }),
    batchQueues: QueueTable.load({
      ...table,
      directory: layout.batchConsumeQueue,
      rows: rows(true),
      load: (queue) => new BatchConsumeQueue(queue),
    }),
  }
}

/** The index. @param rows - what a manifest says of its files, if there is one to believe */
export function loadIndex(
  input: RecoverInput,
  known: KnownViews,
  sizes: Manifest['indexSizes'],
  rows: Manifest['index'] | undefined,
): IndexView {
  const { layout, options, ports } = input
  return IndexView.load({
    ...commonOf(input, known),
    ...sizes,
    clock: ports.clock,
    pause: () => nextTurn(ports.timers),
    cacheBytes: options.log.readCacheBytes,
    directory: layout.index,
    rows,
    logStart: known.logStart,
    checked: known.checkedIndex,
  })
}

/** How index files are divided: as the manifest says, or else the options, or else the files. */
export function indexSizesOf({ layout, options, ports }: RecoverInput, { indexSizes }: KnownViews): Manifest['indexSizes'] {
  const { indexSlots, indexEntries } = options.views
  const isAsked = indexSlots !== undefined || indexEntries !== undefined
  return sizesOf(options.views, indexSizes ?? (isAsked ? undefined : sizesFound(ports.disk, layout.index)))
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
export function dropIndex(disk: Disk, directory: string): void {
  for (const { name, kind } of disk.list(directory)) {
    if (kind === 'file' && isIndexFileName(name)) disk.remove(`${directory}/${name}`)
  }
}
