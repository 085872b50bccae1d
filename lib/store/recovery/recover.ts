/**
 * Opens log and views of a directory in the state that a crash, a clean close or a Java store left, and
 * brings them to where they can be used.
 */
import { nextTurn } from '../../base/system.js'
import type { Disk } from '../../disk/disk.js'
import type { OpenFiles } from '../../disk/open-files.js'
import { readWhole } from '../../disk/replace.js'
import { SegmentChain } from '../../disk/segment-chain.js'
import { CheckLevel, readRecord } from '../../format/record.js'
import { type CheckpointTimes, type Mark, readMark } from '../../log/marks.js'
import { decodeRanges, inRanges, type LogRange, settleRanges } from '../../log/ranges.js'
import { type LogRecovery, type RecoveryPlan, recoverLog } from '../../log/recovery.js'
import { LogScanner } from '../../log/scanner.js'
import { decodeManifest, type Manifest } from '../../view/manifest.js'
import type { RecordBounds } from '../../view/queue-rows.js'
import { loadCheckpoint } from '../../view/store-checkpoint.js'
import type { StoreLayout } from '../layout.js'
import { defaultSizes, type ResolvedOptions, type StorePorts } from '../options.js'
import { Views } from '../views/views.js'
import { judgeOrigin, lockTime, type Origin } from './origin.js'

/** RocketMQ rescans this much further back than its checkpoint says. */
const CHECKPOINT_MARGIN_MS = 3000

/** What opening found and did. Also told as the event `recovery`. */
export interface RecoveryReport extends LogRecovery {
  /** How the store had been left. */
  readonly origin: Origin
  /** Where in the log the reading began. */
  readonly scannedFrom: number
  /** How long it took. */
  readonly durationMs: number
}

/** A log that was brought to a known state, with its views. */
export interface RecoveredStore {
  readonly chain: SegmentChain
  /** Replaced when the store follows a writer that has flushed its own. */
  views: Views
  /** Where their files are open. */
  viewFiles: OpenFiles
  readonly report: RecoveryReport
  /** Ranges that mqlite wrote with whole-record CRCs, closed at the end. */
  readonly ranges: readonly LogRange[]
  readonly checkpoint: CheckpointTimes
  /** Every record below has its entries in flushed view files. */
  readonly viewsEnd: number
  /** Store timestamp of the last record, 0 when nothing is known. */
  readonly lastTimestamp: number
}

/** What recovery needs. */
export interface RecoverInput {
  readonly layout: StoreLayout
  readonly options: ResolvedOptions
  readonly ports: StorePorts
  readonly files: OpenFiles
  /** For the files of the views, if they are to be apart. */
  readonly viewFiles?: OpenFiles
  /** Read the log from its start, whatever is known of it: to find damage that opening would not meet. */
  readonly wholeLog?: boolean
}

/** How closely a record can be checked, given the ranges. */
export function levelIn(ranges: readonly LogRange[]): (address: number) => CheckLevel {
  return (address) => (inRanges(ranges, address) ? CheckLevel.record : CheckLevel.body)
}

/** Recovers a store. @throws {MessageStoreError} `STORE_INCOMPATIBLE` for files of wrong length or name */
export async function recoverStore(input: RecoverInput): Promise<RecoveredStore> {
  const { layout, options, ports } = input
  const { disk, clock } = ports
  const started = clock.monotonic()
  const writable = !options.readOnly
  const chain = loadChain(input)
  const found = inspect(disk, layout, chain)
  const trusted = planOf(found, chain, writable)
  const { trustedEnd, manifest } = trusted
  const { viewFiles = input.files } = input
  const known = {
    logStart: chain.start,
    trustedEnd,
    recordBounds: recordBounds(chain, trusted.plan),
    manifest,
    indexSizes: indexSizesIn(found),
  }
  const views = new Views({ ...input, files: viewFiles }, known)
  const planned = scanStart(trusted.plan.scanFrom, views, chain)
  const plan = { ...trusted.plan, scanFrom: input.wholeLog ? Math.min(planned, chain.start) : planned }
  const ranges = scanRanges(found)
  // A checkpoint of our own is as good as the record that it was taken from.
  const lastKnown = newestKnown(found)
  const { onProgress } = options
  const scanner = new LogScanner({
    chain,
    levelAt: levelIn(ranges),
    pause: () => nextTurn(ports.timers),
    onProgress: (address) =>
      onProgress?.({ phase: 'recovery', doneBytes: address - plan.scanFrom, totalBytes: chain.end - plan.scanFrom }),
  })
  const log = await recoverLog(plan, {
    disk,
    chain,
    scanner,
    evidence: views,
    extDirectory: layout.ext,
    visit: (block, at, size, address) => views.dispatchRecord(block, at, size, address),
  })
  views.truncate(log.end)
  if (log.corruption.length === 0 && !log.noSpace) views.settle()
  // Deleting a segment and its queue entries is not one step: a crash may have come between.
  views.trim(chain.start)
  views.applyPurges()
  const report = { ...log, origin: found.origin, scannedFrom: plan.scanFrom, durationMs: clock.monotonic() - started }
  return {
    chain,
    views,
    viewFiles,
    report,
    // A store that is read may follow a writer, whose range stays open.
    ranges: options.readOnly ? ranges : settleRanges(ranges, chain.start, log.end),
    checkpoint: found.checkpoint,
    viewsEnd: Math.min(trusted.viewsEnd, log.end),
    lastTimestamp: Math.max(lastKnown, views.newestMs),
  }
}

/**
 * Where to read from: queues that were damaged are made anew from the log; an index that is not whole, or not there, is completed
 * from it.
 */
export function scanStart(planned: number, { index, isReset, isIndexNoted }: Views, chain: SegmentChain): number {
  if (isReset) return Math.min(planned, chain.start)
  if (index === undefined) return planned
  const isMissing = index.fileCount === 0 && !isIndexNoted && chain.end > chain.start
  const completeEnd = isMissing ? chain.start : index.completeEnd
  return Math.min(planned, Math.max(chain.start, completeEnd))
}

/** Sizes of the index files, if a manifest of ours tells. */
export function indexSizesIn({ manifest }: Found): Manifest['indexSizes'] | undefined {
  return (manifest?.index.length ?? 0) > 0 ? manifest?.indexSizes : undefined
}

/** The segments of the log. @throws {MessageStoreError} `STORE_INCOMPATIBLE` for files of wrong length or name */
export function loadChain({ layout, options, ports, files }: RecoverInput): SegmentChain {
  return SegmentChain.load({
    disk: ports.disk,
    files,
    directory: layout.commitLog,
    segmentBytes: options.log.segmentBytes,
    defaultSegmentBytes: defaultSizes.segmentBytes,
    writable: !options.readOnly,
    tmpDirectory: layout.temporary,
    keepUnflushed: true,
    unflushedParents: [layout.root],
  })
}

/** How a store was left, as far as its small files tell. */
export interface Found {
  readonly origin: Origin
  readonly checkpoint: CheckpointTimes
  readonly clean: Mark | undefined
  readonly durable: Mark | undefined
  readonly ranges: readonly LogRange[]
  /** Whether `lock` says that no Java store has run since our last mark, whatever the checkpoint says. */
  readonly isLockOurs: boolean
  /** Whether the view directories are there at all. */
  readonly hasViews: boolean
  /** What the view files held when they were last flushed, by us. */
  readonly manifest: Manifest | undefined
}

/** No record that recovery does not read was stored later than this, if we wrote the log; the marks know it first. */
function newestKnown({ origin, checkpoint, clean, durable }: Found): number {
  if (origin !== 'clean' && origin !== 'crash') return 0
  const marks = [clean, durable].filter((mark) => mark !== undefined)
  return Math.max(checkpoint.physicMs, ...marks.map(({ nextCheckpoint }) => nextCheckpoint.physicMs))
}

/** Reads the small files of a store. */
export function inspect(disk: Disk, layout: StoreLayout, chain: SegmentChain): Found {
  const times = loadCheckpoint(disk, layout.root)
  const checkpoint = { physicMs: times.physicMsgTimestamp, logicsMs: times.logicsMsgTimestamp, indexMs: times.indexMsgTimestamp }
  const clean = readMark(disk, layout.clean, 'clean')
  const durable = readMark(disk, layout.durable, 'durable')
  const lockMs = lockTime(disk, layout)
  const isLockOurs = (clean ?? durable)?.lockMs === lockMs
  const hasViews = disk.stat(layout.consumeQueue) !== undefined || disk.stat(layout.batchConsumeQueue) !== undefined
  const manifest = decodeManifest(readWhole(disk, layout.views))
  const endsThere = clean !== undefined && endsAt(chain, clean.logEnd)
  const isAsClosed = (): boolean => endsThere && manifest?.viewsEnd === clean.logEnd && hasQueuesOf(disk, layout, manifest)
  const facts = {
    checkpoint,
    clean,
    durable,
    isAsClosed,
    lockMs,
    hasAbort: disk.stat(layout.abort) !== undefined,
  }
  let origin = judgeOrigin({ ...facts, hasSegments: chain.end > chain.start })
  if (origin === 'clean' && !endsThere) origin = 'crash'
  const ranges = decodeRanges(readWhole(disk, layout.ranges))
  return { origin, checkpoint, clean, durable, ranges, isLockOurs, hasViews, manifest }
}

/** Whether every queue of a manifest that had files has its directory. */
function hasQueuesOf(disk: Disk, layout: StoreLayout, { queues }: Manifest): boolean {
  return queues.every(({ topic, queueId, rows, sums }) => {
    const directory = rows === undefined ? layout.consumeQueue : layout.batchConsumeQueue
    return sums.length === 0 || disk.stat(`${directory}/${topic}/${queueId}`) !== undefined
  })
}

/** Whether nothing stands where the mark says that the log ends. */
function endsAt(chain: SegmentChain, end: number): boolean {
  if (end < chain.start || end > chain.end) return false
  if (!chain.has(end)) return true
  const head = Buffer.alloc(8)
  chain.readAt(head, end)
  return head.every((byte) => byte === 0)
}

interface Trusts {
  readonly plan: RecoveryPlan
  /** View entries of records that end above this are not believed. */
  readonly trustedEnd: number
  readonly viewsEnd: number
  /** The manifest, if it is to be believed. */
  readonly manifest?: Manifest
}

/** Where to scan from and what to believe, for each way a store can have been left. */
export function planOf(found: Found, chain: SegmentChain, writable: boolean): Trusts {
  const { checkpoint, clean, durable, manifest, hasViews } = found
  const common = { physicMs: checkpoint.physicMs, writable }
  const everything = Number.POSITIVE_INFINITY
  const start = chain.start
  const from = (address: number): number => (hasViews ? Math.min(Math.max(address, start), chain.end) : start)
  switch (found.origin) {
    case 'new':
      return trusts({ ...common, writer: 'mqlite', scanFrom: start, watermark: start, unflushedBound: everything }, 0)
    case 'clean': {
      const end = clean!.logEnd
      const isNoted = hasViews && manifest?.viewsEnd === end
      const plan = { ...common, writer: 'mqlite', scanFrom: isNoted ? end : start, watermark: end, unflushedBound: 0 } as const
      return isNoted ? { ...trusts(plan, everything), manifest } : trusts(plan, 0)
    }
    case 'crash': {
      // Views never run ahead of what is durable; the mark on the disk may be older than the manifest.
      const mark = durable ?? clean!
      const durableEnd = Math.max(mark.logEnd, manifest?.viewsEnd ?? 0)
      // As it was for the store that wrote the log, whatever it is now.
      const unflushedBound = mark.unflushedBound > 0 ? mark.unflushedBound : everything
      const isNoted = hasViews && manifest !== undefined
      const viewsEnd = isNoted ? from(manifest.viewsEnd) : start
      // Nothing is deleted that is not durable: a log that starts behind its durable end has lost what led there.
      const scanFrom = durableEnd < start ? durableEnd : viewsEnd
      const plan = { ...common, writer: 'mqlite', scanFrom, watermark: durableEnd, unflushedBound } as const
      return isNoted ? { ...trusts(plan, scanFrom), manifest } : trusts(plan, 0)
    }
    default: {
      const isClean = found.origin === 'java-clean'
      // Times that neither we nor a Java store wrote are damage; what we last said of the views still holds.
      const notedEnd = found.isLockOurs ? (manifest?.viewsEnd ?? start) : Number.POSITIVE_INFINITY
      const scanFrom = from(Math.min(scanStartByTime(chain, checkpoint), notedEnd))
      // RocketMQ flushes everything when it stops, and not always notes until when.
      const physicMs = isClean ? everything : checkpoint.physicMs
      const plan = { ...common, physicMs, writer: 'java', scanFrom, watermark: start, unflushedBound: everything } as const
      return trusts(plan, !found.hasViews ? 0 : isClean ? everything : scanFrom)
    }
  }
}

/**
 * Where queue entries can say that there are records. A last segment that is lost must still be noticed; of a log without
 * any segment nothing is known.
 */
export function recordBounds(chain: SegmentChain, { watermark }: RecoveryPlan): RecordBounds {
  const bytes = chain.segmentBytes
  const end = chain.end === chain.start ? Number.MAX_SAFE_INTEGER : Math.max(chain.end, watermark) + bytes
  return { start: chain.start, end, bytes }
}

function trusts(plan: RecoveryPlan, trustedEnd: number): Trusts {
  return { plan, trustedEnd, viewsEnd: Math.min(trustedEnd, Number.MAX_SAFE_INTEGER) }
}

/** RocketMQ's rule: the newest segment whose first record is older than the checkpoint, less a margin. */
function scanStartByTime(chain: SegmentChain, checkpoint: CheckpointTimes): number {
  const limit = Math.min(checkpoint.physicMs, checkpoint.logicsMs) - CHECKPOINT_MARGIN_MS
  const head = Buffer.alloc(128)
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  for (const start of [...chain.starts].reverse()) {
    if (chain.readAt(head, start) < 91 || view.getInt32(0) < 91) continue
    const stored = readRecord.storeTimestamp(view, 0)
    if (stored > 0 && stored <= limit) return start
  }
  return chain.start
}

/** The ranges to scan with: an open one ends where we are known to have written, if a Java store came after us. */
export function scanRanges(found: Found): LogRange[] {
  const isJava = found.origin === 'java-clean' || found.origin === 'java-crash'
  const known = Math.max(found.durable?.logEnd ?? 0, found.clean?.logEnd ?? 0)
  return found.ranges.map((range) =>
    isJava && range.to === Number.POSITIVE_INFINITY ? { from: range.from, to: Math.max(range.from, known) } : range,
  )
}
