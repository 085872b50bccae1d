/**
 * Checks a whole store: log, then queues, then index, then checkpoint and marks. It changes nothing.
 *
 * ```
 *   log, record by record --> its entries in the queues
 *                         --> its entries in the index, walked beside the log
 *   queues, entry by entry;  the rest of the index;  checkpoint and marks
 * ```
 *
 * The log is read once. What is checked is the store as it would answer: entries that are still in memory
 * count, and what opening has mended is mended. A store may be used meanwhile; what is put after the start
 * is left out, and what retention removes is not missed.
 */
import { checkCallback, checkRequest, checkSignal, fieldNames } from '../../base/arguments.js'
import { abortReason } from '../../base/signals.js'
import { type Clock, nextTurn, type Timers } from '../../base/system.js'
import type { Disk } from '../../disk/disk.js'
import type { SegmentChain } from '../../disk/segment-chain.js'
import { allocateBlock } from '../../format/block.js'
import { segmentName } from '../../format/names.js'
import { type CheckLevel, checkRecord, readRecord } from '../../format/record.js'
import type { Seals } from '../../log/seals.js'
import type { StoreLayout } from '../layout.js'
import type { RecoveryReport } from '../recovery/recover.js'
import { dispatchedRecord } from '../views/dispatch-record.js'
import type { Views } from '../views/views.js'
import { checkViewFiles } from './verify-files.js'
import { IndexCheck } from './verify-index.js'
import { fileOf, LogCheck } from './verify-log.js'
import { MarkCheck } from './verify-marks.js'
import { QueueCheck, type QueueCheckOptions, type RecordAtAddress } from './verify-queues.js'
import { Findings, type VerifyReport } from './verify-report.js'

/** How far a check has come. */
export interface VerifyProgress {
  /** What is being read. */
  readonly phase: 'log' | 'queues'
  /** Bytes of the log, or queues. */
  readonly done: number
  /** How many there are in all. */
  readonly total: number
}

/** Options of {@link MessageStore.verify}. */
export interface VerifyOptions {
  /** Called often during a long check. */
  readonly onProgress?: (progress: VerifyProgress) => void
  /** Calls the check off; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** How often it is looked behind the end of a log that another process may be writing. */
const MOST_LOOKS = 3

const optionFields = fieldNames<keyof VerifyOptions>({ onProgress: true, signal: true })

/** The views that a check looks at. */
type VerifiedViews = Pick<Views, 'queues' | 'batchQueues' | 'batchTopics' | 'index' | 'purges'>

/** The parts of a store that a check looks at. */
export interface VerifyParts {
  readonly disk: Disk
  readonly layout: StoreLayout
  readonly clock: Clock
  readonly timers: Timers
  /** Throws `STORE_CLOSED` from the call of close on. */
  readonly checkOpen: () => void
  readonly chain: SegmentChain
  /** Takes in what another process has written, if the store follows one. */
  readonly catchUp: () => Promise<void>
  readonly views: () => VerifiedViews
  /** How closely the record at an address can be checked. */
  readonly levelAt: (address: number) => CheckLevel
  /** Records below this are in the views. */
  readonly visibleEnd: () => number
  /** Nothing but zeros stands behind this, unless another process writes. */
  readonly writtenEnd: () => number
  readonly seals: Seals
  readonly recovery: Pick<RecoveryReport, 'origin' | 'cut' | 'corruption'>
  /** Whether this store may be the one that writes; if not, another process may. */
  readonly isWriter: boolean
}

/** Checks a store. Rejects only with the signal's reason, `STORE_CLOSED`, or when the disk fails; damage is in the report. */
export async function verifyStore(parts: VerifyParts, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { disk, layout, clock, chain, levelAt, recovery } = parts
  checkRequest(options, optionFields, 'options')
  const { onProgress, signal } = options
  checkCallback('onProgress', onProgress)
  checkSignal(signal)
  const started = clock.monotonic()
  const pause = async (): Promise<void> => {
    if (signal?.aborted) throw abortReason(signal)
    await nextTurn(parts.timers)
    // A store that is being closed lets its files go.
    parts.checkOpen()
  }
  const findings = new Findings()
  const marks = new MarkCheck({ disk, layout, findings, origin: recovery.origin })
  // Marks tell of what had been written before them, and so has to be known of the log when they are judged.
  await parts.catchUp()
  const views = parts.views()
  const logEnd = parts.visibleEnd()
  const logStart = (): number => chain.start
  const begin = chain.start
  const isDamaged = (address: number): boolean => log.isDamaged(address)
  const { queues, index } = viewChecks(parts, views, { findings, logStart, logEnd, isDamaged, pause }, onProgress)
  let newestMs = 0
  const log = new LogCheck({
    chain,
    levelAt,
    findings,
    pause,
    visit: (block, at, size, address) => {
      newestMs = Math.max(newestMs, readRecord.storeTimestamp(block.view, at))
      const record = dispatchedRecord(block, at, size, address)
      queues.record(record)
      index?.record(record)
    },
    onProgress: (address) => onProgress?.({ phase: 'log', done: address - begin, total: logEnd - begin }),
  })
  await pause()
  await log.walk(logEnd)
  await checkBehind(parts, log, findings, pause)
  checkLost(parts, findings)
  await checkSeals(parts, findings, pause)
  await queues.finish()
  index?.finish()
  if (!parts.isWriter) await checkFiles(parts, views, findings, pause)
  // What retention took before it was walked cannot tell how new it was.
  marks.finish(logEnd, logEnd > 0 && chain.has(logEnd - 1) ? newestMs : undefined)
  const { worst } = findings
  return {
    ok: worst === undefined || worst === 'note',
    worst,
    findings: findings.list,
    omitted: findings.omitted,
    log: { start: begin, end: logEnd, segments: chain.starts.length, records: log.records, bytes: log.bytes },
    queues: { queues: views.queues.size + views.batchQueues.size, entries: queues.entries, fillers: queues.fillers },
    index: index === undefined ? undefined : { files: views.index?.fileCount ?? 0, entries: index.entries },
    durationMs: clock.monotonic() - started,
  }
}

/** The checks of the views, which are fed with the records of the log. */
function viewChecks(
  { disk, layout, chain, levelAt }: VerifyParts,
  views: VerifiedViews,
  common: Pick<QueueCheckOptions, 'findings' | 'logStart' | 'logEnd' | 'isDamaged' | 'pause'>,
  onProgress: VerifyOptions['onProgress'],
): { queues: QueueCheck; index: IndexCheck | undefined } {
  const queues = new QueueCheck({
    ...common,
    queues: views.queues,
    batchQueues: views.batchQueues,
    batchTopics: views.batchTopics,
    purges: views.purges,
    hasExtension: disk.stat(`${layout.root}/consumequeue_ext`) !== undefined,
    recordAt: recordReader(chain, levelAt),
    onProgress: (done) => onProgress?.({ phase: 'queues', done, total: views.queues.size }),
  })
  return { queues, index: views.index === undefined ? undefined : new IndexCheck({ ...common, index: views.index }) }
}

/** What is in the files of views, which opening has made anew where they were not what was written. */
async function checkFiles(
  parts: VerifyParts,
  views: VerifiedViews,
  findings: Findings,
  pause: () => Promise<void>,
): Promise<void> {
  const { disk, layout, recovery } = parts
  const { origin } = recovery
  checkLacking(views, findings)
  if (origin !== 'clean' && origin !== 'crash') return
  const indexSlots = views.index?.files[0]?.slotCount ?? 0
  // Whoever opens the store to write takes the mark away first.
  const isClosed = (): boolean => origin === 'clean' && disk.stat(layout.clean) !== undefined
  await checkViewFiles({ disk, layout, findings, isClosed, indexSlots, pause })
}

/** Queues that opening made anew because files of theirs are missing. */
function checkLacking({ queues, batchQueues }: VerifiedViews, findings: Findings): void {
  for (const place of [...queues.lacking, ...batchQueues.lacking]) {
    findings.add('viewFileDamaged', place, 'no file between others', 'files without a gap')
  }
}

/** What stands behind the end: zeros, or what the origin explains. */
async function checkBehind(parts: VerifyParts, log: LogCheck, findings: Findings, pause: () => Promise<void>): Promise<void> {
  const { chain, recovery, isWriter } = parts
  const cut = recovery.cut
  let end = parts.writtenEnd()
  if (!isWriter) {
    if (cut !== undefined && recovery.origin !== 'clean') {
      const place = { file: fileOf(chain, cut.from), commitLogOffset: cut.from, to: cut.to }
      findings.add('unflushedTail', place, `${cut.to - cut.from} bytes of a write that was not finished`, 'the end of the log')
      return
    }
    end = await log.newerEnd(end)
  }
  let last = await log.behind(isWriter ? parts.writtenEnd : () => end)
  // A writer that is followed goes on meanwhile; what it has written by the second look are records.
  for (let looks = 1; !isWriter && last >= end && looks < MOST_LOOKS; looks++) {
    await pause()
    end = await log.newerEnd(end)
    last = await log.behind(() => end)
  }
  if (last < end) return
  const place = { file: fileOf(chain, last), commitLogOffset: end, to: last + 1 }
  findings.add('behindEnd', place, `bytes that are not zero up to ${last + 1}`, `zeros from ${end} on`)
}

/** Reads and checks single records beside the walk. */
function recordReader(chain: SegmentChain, levelAt: (address: number) => CheckLevel): RecordAtAddress {
  let block = allocateBlock(64 * 1024)
  return (address, size) => {
    if (size <= 0 || size > chain.segmentBytes || !chain.has(address)) return undefined
    if (block.bytes.length < size) block = allocateBlock(size)
    const got = chain.readAt(block.bytes.subarray(0, size), address)
    const limit = chain.segmentBytes - (address % chain.segmentBytes)
    return checkRecord(block, 0, limit, got, address, levelAt(address)) === size ? { block, at: 0 } : undefined
  }
}

/** What recovery missed where there is no log to walk. */
function checkLost({ chain, recovery }: VerifyParts, findings: Findings): void {
  if (chain.starts.length > 0) return
  for (const { from, to, evidence } of recovery.corruption) {
    findings.add('recordsMissing', { file: 'commitlog', commitLogOffset: from, to }, 'no segment', evidence)
  }
}

/** Full segments must still be what they were when they were sealed. */
async function checkSeals({ chain, seals }: VerifyParts, findings: Findings, pause: () => Promise<void>): Promise<void> {
  for (const start of [...chain.starts]) {
    const expected = seals.sumOf(start)
    if (expected === undefined) continue
    const crc = await seals.read(start, pause)
    if (crc === undefined || crc === expected) continue
    const file = `commitlog/${segmentName(start)}`
    findings.add('sealBroken', { file, commitLogOffset: start }, `CRC ${crc}`, `CRC ${expected}`)
  }
}
