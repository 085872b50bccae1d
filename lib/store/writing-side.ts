/**
 * The writing side of a store, bottom-up: marks, flusher, writer, views, upkeep. One function builds each,
 * because they tell each other of what happens:
 *
 * ```
 *   writer  -- written -->  flusher  -- durable -->  marks, writer
 *   writer  -- visible -->  readers that wait, replicas, views
 *   any     -- failure -->  fail: the store writes no more
 * ```
 */
import { MessageStoreError } from '../base/errors.js'
import { DiskError } from '../disk/disk.js'
import { Flusher } from '../log/flusher.js'
import { type UnflushedLimits, unflushedLimits } from '../log/unflushed.js'
import { ReplicaAcks } from '../replication/replica-acks.js'
import type { Foundation } from './foundation.js'
import { Bookkeeping } from './keeping/bookkeeping.js'
import { Upkeep } from './keeping/upkeep.js'
import { ViewFlusher } from './views/view-flusher.js'
import { MessageEncoder, RECORD_OVER_BODY_BYTES } from './writing/encoder.js'
import type { PendingPut } from './writing/pending.js'
import { WriterTopics } from './writing/topics.js'
import { WriteGroups } from './writing/write-groups.js'
import { Writer } from './writing/writer.js'

/** The writing side of an open store. */
export interface WritingSide {
  readonly groups: WriteGroups
  readonly writer: Writer
  readonly flusher: Flusher
  readonly books: Bookkeeping
  readonly viewFlusher: ViewFlusher
  readonly upkeep: Upkeep
  readonly acks: ReplicaAcks
  readonly topics: WriterTopics
  /** Makes readers see everything below `end`. */
  readonly show: (end: number) => void
  /** Makes the store write no more. */
  readonly fail: (error: unknown) => void
}

/** Builds the writing side and marks the directory as open, if the store may be written. */
export async function buildWritingSide(base: Foundation): Promise<WritingSide> {
  const { options, ports, recovered, log, state, visible } = base
  const { views } = recovered
  const { timers } = ports
  const parts = {} as { -readonly [Part in keyof WritingSide]: WritingSide[Part] }
  parts.fail = (error) => failWith(base, parts, error)
  parts.books = buildBooks(base)
  parts.topics = new WriterTopics(views)
  parts.acks = new ReplicaAcks({ ...options.replication, timers, sentEnd: () => visible.end })
  parts.flusher = buildFlusher(base, parts)
  parts.upkeep = buildUpkeep(base, parts)
  parts.viewFlusher = new ViewFlusher({
    views,
    safeEnd: () => Math.min(log.durableEnd, visible.end),
    books: parts.books,
    timers,
    onFailure: parts.fail,
    onNoSpace: () => parts.upkeep.sawNoSpace(),
  })
  parts.show = (end) => {
    visible.end = end
    base.arrivals.moved()
    parts.viewFlusher.noted(end)
  }
  parts.groups = buildGroups(base, parts)
  parts.writer = buildWriter(base, parts)
  parts.writer.resumeAt(recovered.lastTimestamp)
  try {
    if (state.status === 'open') await begin(base, parts)
    return parts
  } catch (error) {
    await parts.viewFlusher.close()
    parts.books.close()
    throw error
  }
}

/** From here on the directory says that it is in use. */
async function begin(
  { options, recovered, ranges, state }: Foundation,
  { books, upkeep, viewFlusher }: WritingSide,
): Promise<void> {
  const { report, lastTimestamp, views } = recovered
  // What a replica takes may have been written by anybody.
  if (writesCrc(options)) ranges.push({ from: report.end, to: Number.POSITIVE_INFINITY })
  try {
    await books.begin(report.end, lastTimestamp, views.checkpointBounds())
  } catch (error) {
    if (!(error instanceof DiskError && error.isSpace)) throw error
    state.refuseWriting('DISK_FULL', 'no space to mark the store as in use; open it again when there is some')
    return
  }
  // A first word on the views, so that a crash does not have them made anew from the whole log.
  if (report.origin !== 'clean' && report.end > 0) await viewFlusher.flush()
  if (state.status === 'open') upkeep.start()
}

function failWith({ state, events }: Foundation, { writer, flusher }: WritingSide, error: unknown): void {
  if (!state.fail(error)) return
  writer.fail(
    new MessageStoreError('STORE_FAILED', 'a flush failed: whether the message was stored is unknown', { cause: error }),
  )
  flusher.fail(error)
  events.emit('failed', { error })
}

/** Whether every record that the store writes carries a whole-record CRC. */
function writesCrc({ log, replication }: Foundation['options']): boolean {
  return log.recordCrc && replication.role === 'primary'
}

/** How far the log may run ahead of what is durable. */
function limitsOf({ options, log }: Foundation): UnflushedLimits {
  const largest = Math.min(options.message.maxBodyBytes + RECORD_OVER_BODY_BYTES, log.maxRecordBytes)
  return unflushedLimits(options.flush.maxUnflushedBytes, largest, log.maxRecordBytes)
}

function buildBooks(base: Foundation): Bookkeeping {
  const { layout, options, ports, recovered } = base
  const { checkpoint, viewsEnd, ranges, views } = recovered
  return new Bookkeeping({
    disk: ports.disk,
    layout,
    checkpoint,
    viewsEnd,
    ranges,
    recordCrc: writesCrc(options),
    unflushedBound: limitsOf(base).bound,
    processId: process.pid,
    manifest: (end, settled) => views.manifest(end, settled),
  })
}

function buildFlusher({ options, ports, log }: Foundation, parts: WritingSide): Flusher {
  const { policy, intervalMs, maxUnflushedBytes } = options.flush
  return new Flusher({
    log,
    policy,
    intervalMs,
    maxUnflushedBytes,
    timers: ports.timers,
    onDurable: () => {
      if (!parts.books.durable(log.durableEnd)) parts.upkeep.sawNoSpace()
      parts.groups.durable()
    },
    onFailure: parts.fail,
  })
}

function buildUpkeep({ layout, options, ports, log, state, events, recovered, seals }: Foundation, parts: WritingSide): Upkeep {
  return new Upkeep({
    root: layout.root,
    disk: ports.disk,
    log,
    clock: ports.clock,
    timers: ports.timers,
    rules: options.retention,
    state,
    events,
    seals,
    keepsNeeded: options.replication.role === 'primary',
    beforeDelete: (end) => parts.books.flush(end),
    catchUpMarks: () => parts.books.catchUp(),
    trimViews: (logStart) => recovered.views.trim(logStart),
    onFailure: parts.fail,
  })
}

function buildGroups(base: Foundation, parts: WritingSide): WriteGroups {
  const { options, ports, log, arrivals, recovered } = base
  return new WriteGroups({
    log,
    flusher: parts.flusher,
    clock: ports.clock,
    timers: ports.timers,
    policy: options.flush.policy,
    flushTimeoutMs: options.flush.timeoutMs,
    dispatch: (put) => recovered.views.dispatchPut(put),
    onVisible: (puts) => {
      if (!arrivals.isIdle) tellArrivals(base, puts)
      parts.show(puts[puts.length - 1]!.end)
    },
    onWritten: (end, timestamp) => parts.books.wrote(end, timestamp),
    onFailure: parts.fail,
    onNoSpace: () => parts.upkeep.sawNoSpace(),
    replicated: options.replication.ack === 'none' ? undefined : (put) => waitForReplicas(parts.acks, put),
  })
}

function tellArrivals({ arrivals }: Foundation, puts: readonly PendingPut[]): void {
  // Nobody begins to wait meanwhile, so a topic that nobody waits for need not be looked up for each of its messages.
  let quiet: string | undefined
  for (const { receipt, further } of puts) {
    if (arrivals.isIdle) return
    if (receipt.topic !== quiet && !arrivals.arrived(receipt.topic, receipt.queueId)) quiet = receipt.topic
    if (further !== undefined) for (const { queue } of further) arrivals.arrived(queue.queue.topic, queue.queueId)
  }
}

function buildWriter(base: Foundation, parts: WritingSide): Writer {
  const { options, ports, log, state } = base
  const { maxBodyBytes, storeHost, delayLevelsMs } = options.message
  const { recordCrc } = options.log
  const { topics } = parts
  const nextOffsets = (names: readonly string[]): number[] => names.map((name) => topics.nextOffsetOf(name))
  return new Writer({
    log,
    flusher: parts.flusher,
    groups: parts.groups,
    topics,
    encoder: new MessageEncoder({ maxBodyBytes, recordCrc, storeHost, delayLevelsMs, nextOffsets }),
    clock: ports.clock,
    recordCrc,
    maxPendingBytes: options.flush.maxPendingBytes,
    maxBatchBytes: limitsOf(base).maxBatchBytes,
    checkWritable: () => {
      state.checkWritable()
      checkRole(base, parts)
    },
  })
}

/** @throws {MessageStoreError} `STORE_READ_ONLY` on a replica, `REPLICAS_NOT_ENOUGH` before anything is appended */
function checkRole({ options }: Foundation, { acks }: WritingSide): void {
  const { ack, degrade, replicas, role } = options.replication
  if (role === 'replica') throw new MessageStoreError('STORE_READ_ONLY', 'a replica gets its messages from its primary')
  if (ack === 'none' || degrade || acks.isEnough) return
  throw new MessageStoreError('REPLICAS_NOT_ENOUGH', `${acks.links.length} replicas are connected, ${replicas} must acknowledge`)
}

async function waitForReplicas(acks: ReplicaAcks, put: PendingPut): Promise<void> {
  if (!acks.isEnough) for (const receipt of put.receipts) receipt.status = 'SLAVE_NOT_AVAILABLE'
  else if (!(await acks.wait(put.end))) for (const receipt of put.receipts) receipt.status = 'FLUSH_SLAVE_TIMEOUT'
}
