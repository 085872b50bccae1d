/**
 * Mends a store whose log is damaged, without moving an intact record.
 *
 * 1. Lock the directory and read the whole log, as recovery does: which ranges are damaged and were durable.
 * 2. Copy each damaged range into a file under `ext/` and flush it. Only then change anything.
 * 3. Fill each range with stand-ins (`repair-plan.ts`) and flush the log. Queues keep their offsets: the
 *    entry of a lost message points to its stand-in, and `get` steps over it.
 * 4. Check the store. Where views are wrong, make them anew from the log.
 *
 * A crash on the way leaves a log that is damaged in fewer places, or in the same; running it again does the
 * rest. On a sound store it changes nothing.
 */
import { checkBoolean, checkCallback, checkDirectory, checkRequest, checkSignal, fieldNames } from '../../base/arguments.js'
import { MessageStoreError } from '../../base/errors.js'
import { systemClock, systemTimers } from '../../base/system.js'
import { type Disk, DiskError, type DiskLock } from '../../disk/disk.js'
import { nodeDisk } from '../../disk/node-disk.js'
import { OpenFiles } from '../../disk/open-files.js'
import { SegmentChain } from '../../disk/segment-chain.js'
import { zeroWhatIsThere } from '../../disk/zeroing.js'
import { zeroBlock } from '../../format/block.js'
import { entryOffset, entrySize, FILLER_SIZE, isEntry, QUEUE_ENTRY_BYTES } from '../../format/queue-entry.js'
import { BLANK_BYTES, readRecord, writeBlank } from '../../format/record.js'
import { encodeStandIn, minStandInBytes } from '../../format/stand-in.js'
import { keepEvidence } from '../../log/evidence.js'
import { inRanges } from '../../log/ranges.js'
import type { CorruptRange } from '../../log/recovery.js'
import { breakSeals } from '../../log/seals.js'
import { BatchConsumeQueue } from '../../view/batch-consume-queue.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import { EntryBlock } from '../../view/entry-block.js'
import { QueueTable } from '../../view/queue-table.js'
import { checkIsStore, layoutOf, type StoreLayout } from '../layout.js'
import { MessageStore } from '../message-store.js'
import { defaultSizes, type IndexOptions, type ResolvedOptions, resolveOptions, type StorePorts } from '../options.js'
import { loadChain, type RecoveredStore, recoverStore } from '../recovery/recover.js'
import { type LostEntry, planRepair, type RepairPiece } from './repair-plan.js'
import type { VerifyProgress } from './verify.js'
import type { VerifyReport } from './verify-report.js'

const READ_ENTRIES = 4096

/** Options of {@link repairStore}. */
export interface RepairOptions {
  /** Say what would be done, take no lock, change nothing. @default false */
  readonly dryRun?: boolean
  /** Sizes of the index files, if they are not the default ones. */
  readonly index?: IndexOptions
  /** Called often during the check that follows. */
  readonly onProgress?: (progress: VerifyProgress) => void
  /** Calls it off between two steps; what was done stays. */
  readonly signal?: AbortSignal
}

/** What was done to one damaged range. */
export interface RepairedRange extends CorruptRange {
  /** The file that holds the bytes that were there; empty on a dry run. */
  readonly keptAs: string
  /** The messages that are lost, as far as queue entries tell. */
  readonly lost: readonly LostEntry[]
  /** How many stand-ins fill it. */
  readonly standIns: number
}

/** What `repair` found and did. */
export interface RepairReport {
  /** Whether it was only asked what would be done. */
  readonly dryRun: boolean
  /** The damaged ranges of the log, in order. */
  readonly ranges: readonly RepairedRange[]
  /** Whether queues and index were made anew, or would be. */
  readonly rebuiltViews: boolean
  /** Whether anything was changed. */
  readonly changed: boolean
  /** The check that followed; on a dry run, of the store as it is. */
  readonly verified: VerifyReport
}

interface Work {
  readonly layout: StoreLayout
  readonly ports: StorePorts
  readonly options: ResolvedOptions
  readonly files: OpenFiles
}

/**
 * Repairs a store.
 *
 * @throws {MessageStoreError} `STORE_LOCKED`, `STORE_INCOMPATIBLE`, `DISK_FULL` or `DISK_ERROR`; `STORE_CORRUPT` when
 *   a range is too short to be filled
 */
export async function repairStore(
  directory: string,
  given: RepairOptions = {},
  givenPorts: Partial<StorePorts> = {},
): Promise<RepairReport> {
  const ports: StorePorts = { disk: nodeDisk, clock: systemClock, timers: systemTimers, ...givenPorts }
  checkOptions(directory, given)
  const layout = layoutOf(directory.replace(/(?<=.)\/+$/, ''))
  const { index = {}, dryRun = false, onProgress, signal } = given
  const watched = { ...(onProgress && { onProgress }), ...(signal && { signal }) }
  try {
    const ranges = await repairLog(layout, ports, index, dryRun)
    signal?.throwIfAborted()
    const check = async (): Promise<VerifyReport> => {
      const store = await MessageStore.open(layout.root, { readOnly: true, index }, ports)
      try {
        return await store.verify(watched)
      } finally {
        await store.close()
      }
    }
    const checked = await check()
    const rebuild = checked.findings.some(({ remedy }) => remedy === 'rebuild')
    if (rebuild && !dryRun) await rebuildViews(layout, ports, index)
    const changed = !dryRun && (ranges.length > 0 || rebuild)
    return { dryRun, ranges, rebuiltViews: rebuild, changed, verified: rebuild && !dryRun ? await check() : checked }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new MessageStoreError(error.isSpace ? 'DISK_FULL' : 'DISK_ERROR', error.message, { cause: error })
  }
}

/** Steps 1 to 3. */
async function repairLog(layout: StoreLayout, ports: StorePorts, index: IndexOptions, dryRun: boolean): Promise<RepairedRange[]> {
  const { disk } = ports
  checkIsStore(disk, layout.root, false)
  const options = resolveOptions({ readOnly: true, index })
  const work = { layout, ports, options, files: new OpenFiles(disk) }
  let lock: DiskLock | undefined
  try {
    // What is no log is refused before there are files of a lock in the directory.
    loadChain(work)
    if (!dryRun) lock = await takeLock(disk, layout)
    const recovered = await recoverStore({ ...work, wholeLog: true })
    const lost = findLost(work, recovered.report.corruption)
    const repaired: RepairedRange[] = []
    for (const range of recovered.report.corruption) repaired.push(await repairRange(work, recovered, range, lost, dryRun))
    return repaired
  } finally {
    work.files.closeAll()
    lock?.release()
  }
}

const repairFields = fieldNames<keyof RepairOptions>({ dryRun: true, index: true, onProgress: true, signal: true })

/** A misspelt `dryRun` must not repair. @throws {TypeError} naming the option */
function checkOptions(directory: unknown, given: RepairOptions): void {
  checkDirectory(directory)
  checkRequest(given, repairFields, 'options')
  const { dryRun, onProgress, signal } = given
  checkCallback('onProgress', onProgress)
  checkSignal(signal)
  if (dryRun !== undefined) checkBoolean('option dryRun', dryRun)
}

async function takeLock(disk: Disk, layout: StoreLayout): Promise<DiskLock> {
  const lock = await disk.lock(layout.extLock, layout.lock)
  if ('heldBy' in lock) throw new MessageStoreError('STORE_LOCKED', `${layout.root} is in use by ${lock.heldBy}`)
  return lock
}

/** The queue entries, as they stand in the files, that point into a damaged range. */
function findLost(work: Work, ranges: readonly CorruptRange[]): LostEntry[] {
  if (ranges.length === 0) return []
  const { layout, ports, files, options } = work
  const common = {
    disk: ports.disk,
    files,
    entriesPerSegment: options.views.queueSegmentEntries ?? defaultSizes.queueSegmentEntries,
    writable: false,
    tmpDirectory: layout.temporary,
    trustedEnd: Number.POSITIVE_INFINITY,
    // As they stand, also where files are missing.
    isLive: true,
  }
  const queues = QueueTable.load({ ...common, directory: layout.consumeQueue, load: (queue) => new ConsumeQueue(queue) })
  const batches = QueueTable.load({
    ...common,
    directory: layout.batchConsumeQueue,
    load: (queue) => new BatchConsumeQueue(queue),
  })
  const lost: LostEntry[] = []
  for (const queue of queues) lost.push(...lostOf(queue, ranges))
  for (const queue of batches) lost.push(...lostBatchesOf(queue, ranges))
  return lost
}

function* lostOf(queue: ConsumeQueue, ranges: readonly CorruptRange[]): Generator<LostEntry> {
  const { topic, queueId } = queue
  const block = new EntryBlock()
  for (let offset = queue.minOffset; offset < queue.maxOffset; ) {
    const got = queue.read(offset, READ_ENTRIES, block)
    for (let i = 0; i < got; i++) {
      const at = i * QUEUE_ENTRY_BYTES
      const commitLogOffset = entryOffset(block.view, at)
      const size = entrySize(block.view, at)
      if (!isEntry(block.view, at) || size === FILLER_SIZE || !isDamaged(ranges, commitLogOffset)) continue
      yield { topic, queueId, queueOffset: offset + i, commitLogOffset, size }
    }
    offset = got === 0 ? queue.nextFileStart(offset) : offset + got
  }
}

function* lostBatchesOf(queue: BatchConsumeQueue, ranges: readonly CorruptRange[]): Generator<LostEntry> {
  const { topic, queueId } = queue
  for (let place = queue.batchAt(queue.minOffset); place !== undefined; ) {
    const { commitLogOffset, size, baseOffset, batchSize } = place
    if (isDamaged(ranges, commitLogOffset)) yield { topic, queueId, queueOffset: baseOffset, commitLogOffset, size, batchSize }
    place = batchSize > 0 ? queue.batchAt(baseOffset + batchSize) : undefined
  }
}

/** Whether an address lies in a range; the end of one that has no end yet is where the last entry says. */
function isDamaged(ranges: readonly CorruptRange[], address: number): boolean {
  return ranges.some(({ from, to }, i) => address >= from && (address < to || (to === from && i === ranges.length - 1)))
}

async function repairRange(
  work: Work,
  recovered: RecoveredStore,
  range: CorruptRange,
  allLost: readonly LostEntry[],
  dryRun: boolean,
): Promise<RepairedRange> {
  const { chain, ranges: crcRanges, report, lastTimestamp } = recovered
  const { from } = range
  const isFollowed = range.to < report.end
  const lost = allLost.filter(({ commitLogOffset }) => commitLogOffset >= from && (commitLogOffset < range.to || !isFollowed))
  const to = isFollowed ? range.to : Math.max(range.to, ...lost.map(({ commitLogOffset, size }) => commitLogOffset + size))
  const hasRecordCrc = (address: number): boolean => inRanges(crcRanges, address)
  const minBytes = minStandInBytes(hasRecordCrc(from) || hasRecordCrc(to - 1))
  const pieces = planRepair({ from, to, segmentBytes: chain.segmentBytes, isFollowed, minBytes, lost })
  const standIns = pieces.filter(({ kind }) => kind === 'standIn').length
  const told = { ...range, to, lost, standIns }
  if (dryRun) return { ...told, keptAs: '' }
  const end = pieces[pieces.length - 1]!
  const keptAs = await keepEvidence(work.ports.disk, work.layout.ext, chain, from, end.address + end.size, 'damaged')
  const storeTimestamp = (isFollowed ? timestampAt(chain, to) : lastTimestamp) || work.ports.clock.now()
  await writePieces(work, chain.segmentBytes, pieces, storeTimestamp, hasRecordCrc)
  return { ...told, keptAs: keptAs.slice(work.layout.root.length + 1) }
}

/** When the record at an address, which is whole, was stored: what is put before it must not be newer. */
function timestampAt(chain: SegmentChain, address: number): number {
  const head = zeroBlock(128)
  chain.readAt(head.bytes, address)
  return readRecord.storeTimestamp(head.view, 0)
}

async function writePieces(
  { layout, ports, files }: Work,
  segmentBytes: number,
  pieces: readonly RepairPiece[],
  storeTimestamp: number,
  hasRecordCrc: (address: number) => boolean,
): Promise<void> {
  const { disk } = ports
  const where = { directory: layout.commitLog, segmentBytes, tmpDirectory: layout.temporary }
  const chain = SegmentChain.load({ disk, files, ...where, writable: true, keepUnflushed: true })
  for (const { kind, address, size, lost } of pieces) {
    if (kind === 'standIn') {
      // A batch has no place in a ConsumeQueue, so its stand-in names no queue; its row goes on pointing to it.
      const place = { commitLogOffset: address, storeTimestamp }
      chain.writeAt(encodeStandIn(size, place, lost?.batchSize === undefined ? lost : undefined, hasRecordCrc(address)), address)
      continue
    }
    const blank = zeroBlock(BLANK_BYTES)
    writeBlank(blank, 0, size)
    chain.writeAt(blank.bytes, address)
    // What is left of records must not look like one to whoever searches for them.
    zeroWhatIsThere(chain, address + BLANK_BYTES, address + size)
  }
  const last = pieces[pieces.length - 1]!
  await chain.flush(pieces[0]!.address, last.address + last.size)
  await breakSeals(disk, layout.seals, chain.segmentBytes, pieces[0]!.address, last.address + last.size)
}

/**
 * Makes queues and index anew: opening for writing makes the store ours, and without the manifest opening
 * makes all views from the log.
 */
async function rebuildViews(layout: StoreLayout, ports: StorePorts, index: IndexOptions): Promise<void> {
  const openAndClose = async (): Promise<void> => {
    const store = await MessageStore.open(layout.root, { index }, ports)
    await store.close()
  }
  await openAndClose()
  ports.disk.remove(layout.views)
  await ports.disk.flushDirectory(layout.ext)
  await openAndClose()
}
