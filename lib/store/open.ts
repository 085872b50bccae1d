/** Builds a store from its parts, bottom-up, and takes it down in the opposite order. */
import { MessageStoreError, shown } from '../base/errors.js'
import { Emitter } from '../base/signals.js'
import { systemClock, systemTimers } from '../base/system.js'
import { DiskError, type DiskLock } from '../disk/disk.js'
import { nodeDisk } from '../disk/node-disk.js'
import { OpenFiles } from '../disk/open-files.js'
import { makeDurableDirectory } from '../disk/replace.js'
import { CheckLevel } from '../format/record.js'
import { CommitLog } from '../log/commit-log.js'
import { Flusher } from '../log/flusher.js'
import { inRanges } from '../log/ranges.js'
import { Arrivals } from './arrivals.js'
import { Bookkeeping } from './bookkeeping.js'
import { MessageEncoder } from './encoder.js'
import { follow, getWaiting } from './follow.js'
import { checkIsStore, layoutOf, type StoreLayout } from './layout.js'
import type { GetRequest } from './message.js'
import { type ResolvedOptions, resolveOptions, type StoreOptions, type StorePorts } from './options.js'
import { Reader } from './reader.js'
import { RecordReader } from './record-reader.js'
import { type RecoveredStore, recoverStore } from './recover.js'
import { Search } from './search.js'
import { type StoreEvents, StoreState } from './state.js'
import { WriterTopics } from './topics.js'
import { ViewFlusher } from './view-flusher.js'
import { type PendingPut, Writer } from './writer.js'

/** A store that is open: what {@link MessageStore} forwards to. */
export type OpenStore = Awaited<ReturnType<typeof openStore>>

/** Opens a store. See {@link MessageStore.open}. */
export async function openStore(directory: string, given: StoreOptions | undefined, givenPorts: Partial<StorePorts> = {}) {
  if (typeof directory !== 'string' || directory === '') throw new TypeError(`directory must be a path, got ${shown(directory)}`)
  const options = resolveOptions(given)
  const ports: StorePorts = { disk: nodeDisk, clock: systemClock, timers: systemTimers, ...givenPorts }
  const layout = layoutOf(directory.replace(/(?<=.)\/+$/, ''))
  const lock = await prepare(layout, options, ports)
  const files = new OpenFiles(ports.disk, options.openFiles)
  try {
    const recovered = await recoverStore({ layout, options, ports, files })
    return await assemble({ layout, options, ports, files, lock, recovered })
  } catch (error) {
    files.closeAll()
    lock?.release()
    throw error instanceof DiskError ? asStoreError(error) : error
  }
}

/** Makes sure that the directory is a store, or may become one, and locks it. */
async function prepare(layout: StoreLayout, options: ResolvedOptions, { disk }: StorePorts): Promise<DiskLock | undefined> {
  try {
    checkIsStore(disk, layout.root, !options.readOnly)
    if (options.readOnly) return undefined
    // Else a store could vanish with all its files, each of which had been flushed.
    if (disk.stat(layout.commitLog) === undefined) await makeDurableDirectory(disk, layout.root)
    disk.makeDirectory(layout.ext)
    const lock = await disk.lock(layout.extLock, layout.lock)
    if ('heldBy' in lock) throw new MessageStoreError('STORE_LOCKED', `${layout.root} is in use by ${lock.heldBy}`)
    return lock
  } catch (error) {
    throw error instanceof DiskError ? asStoreError(error) : error
  }
}

function asStoreError(error: DiskError): MessageStoreError {
  return new MessageStoreError(error.isSpace ? 'DISK_FULL' : 'DISK_ERROR', error.message, { cause: error })
}

interface AssembleInput {
  readonly layout: StoreLayout
  readonly options: ResolvedOptions
  readonly ports: StorePorts
  readonly files: OpenFiles
  readonly lock: DiskLock | undefined
  readonly recovered: RecoveredStore
}

/** The state that recovery leaves a store in. */
function stateAfter({ options, recovered }: AssembleInput): StoreState {
  const { corruption, noSpace } = recovered.report
  const first = corruption[0]
  if (first !== undefined) {
    const what = `the log is damaged from ${first.from} to ${first.to} (${first.finding}); mqlite repair mends it`
    return new StoreState('readOnly', { code: 'STORE_CORRUPT', what })
  }
  if (noSpace) return new StoreState('readOnly', { code: 'DISK_FULL', what: 'no space to keep what recovery would cut' })
  if (options.readOnly) return new StoreState('readOnly', { code: 'STORE_READ_ONLY', what: 'the store was opened to be read' })
  return new StoreState('open')
}

async function assemble(input: AssembleInput) {
  const { layout, options, ports, files, lock, recovered } = input
  const { views, chain, report } = recovered
  const { disk, clock, timers } = ports
  const state = stateAfter(input)
  const writes = state.status === 'open'
  const events = new Emitter<StoreEvents>()
  const log = new CommitLog(chain, report.end, options.log)
  const ranges = [
    ...recovered.ranges,
    ...(writes && options.log.recordCrc ? [{ from: report.end, to: Number.POSITIVE_INFINITY }] : []),
  ]
  const visible = { end: report.end }
  const records = new RecordReader({
    blocks: log.blocks,
    segmentBytes: log.segmentBytes,
    levelAt: (address) => (inRanges(ranges, address) ? CheckLevel.record : CheckLevel.body),
    verify: options.log.verifyReads,
    visibleEnd: () => visible.end,
  })
  const books = new Bookkeeping({
    disk,
    layout,
    checkpoint: recovered.checkpoint,
    viewsEnd: recovered.viewsEnd,
    ranges: recovered.ranges,
    recordCrc: options.log.recordCrc,
    processId: process.pid,
  })
  const arrivals = new Arrivals(timers)
  const topics = new WriterTopics(views.queues)

  const fail = (error: unknown): void => {
    if (!state.fail(error)) return
    writer.fail(
      new MessageStoreError('STORE_FAILED', 'a flush failed: whether the message was stored is unknown', { cause: error }),
    )
    events.emit('failed', { error })
  }
  const flusher = new Flusher({
    log,
    policy: options.flush.policy,
    intervalMs: options.flush.intervalMs,
    maxUnflushedBytes: options.flush.maxUnflushedBytes,
    timers,
    onDurable: () => {
      books.durable(log.durableEnd)
      writer.durable()
    },
    onFailure: fail,
  })
  const encoder = new MessageEncoder({
    maxBodyBytes: options.message.maxBodyBytes,
    recordCrc: options.log.recordCrc,
    storeHost: options.message.storeHost,
  })
  const viewFlusher = new ViewFlusher({ views, log, books, timers, onFailure: fail })
  const writer = new Writer({
    log,
    flusher,
    topics,
    encoder,
    clock,
    timers,
    policy: options.flush.policy,
    recordCrc: options.log.recordCrc,
    flushTimeoutMs: options.flush.timeoutMs,
    maxPendingBytes: options.flush.maxPendingBytes,
    dispatch: (put) => views.dispatchPut(put),
    onVisible: (puts) => {
      visible.end = puts[puts.length - 1]!.end
      if (!arrivals.isIdle) tellArrivals(arrivals, puts)
      viewFlusher.noted(visible.end)
    },
    onWritten: (end, timestamp) => books.wrote(end, timestamp),
    checkWritable: () => state.checkWritable(),
    onFailure: fail,
    replicated: undefined,
  })
  writer.resumeAt(recovered.lastTimestamp)
  if (writes) await books.begin(report.end, recovered.lastTimestamp)

  const reader = new Reader(records, () => log.start, log.segmentBytes)
  const search = new Search({ queues: views.queues, index: views.index, records, logStart: () => log.start })
  const flush = async (): Promise<void> => {
    state.checkOpen()
    if (!writes) return
    await writer.drain()
    await flusher.durable(log.writtenEnd)
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= takeDown())
  const takeDown = async (): Promise<void> => {
    const isSound = state.status === 'open'
    try {
      if (isSound) await flush()
      state.close('closing')
      arrivals.wakeAll()
      await viewFlusher.close()
      if (isSound) {
        await views.flush(log.durableEnd)
        await books.finish(log.durableEnd)
      }
    } finally {
      state.close('closed')
      flusher.close()
      writer.close()
      books.close()
      log.close()
      files.closeAll()
      lock?.release()
      events.emit('closed', undefined)
    }
  }
  const waiting = { reader, queues: views.queues, arrivals, state }
  events.emit('recovery', report)
  return {
    state,
    events,
    recovery: report,
    writer,
    books,
    views,
    search,
    flush,
    close,
    log,
    records,
    get: (request: GetRequest) => getWaiting(waiting, request),
    follow: (request: Omit<GetRequest, 'waitMs'>) => follow(waiting, request),
    metrics: {
      snapshot: () => ({
        commitLogStart: log.start,
        commitLogEnd: log.end,
        durableEnd: log.durableEnd,
        flushes: flusher.flushes,
      }),
    },
  }
}

function tellArrivals(arrivals: Arrivals, puts: readonly PendingPut[]): void {
  for (const put of puts) arrivals.arrived(put.receipt.topic, put.receipt.queueId)
}
