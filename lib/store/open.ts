/** Opens a store: lock, recovery, reading side, writing side; and takes it down in the opposite order. */
import { checkDirectory, checkObject } from '../base/arguments.js'
import { MessageStoreError } from '../base/errors.js'
import { systemClock, systemTimers } from '../base/system.js'
import { DiskError, type DiskLock } from '../disk/disk.js'
import { nodeDisk } from '../disk/node-disk.js'
import { OpenFiles } from '../disk/open-files.js'
import { makeDurableDirectory } from '../disk/replace.js'
import { type VerifyOptions, type VerifyParts, verifyStore } from './checking/verify.js'
import type { VerifyReport } from './checking/verify-report.js'
import { isGone, storeErrorOf } from './disk-failure.js'
import { type Foundation, layFoundation, type StoreInput } from './foundation.js'
import { ConfigFiles } from './keeping/config-files.js'
import { QueueAdmin } from './keeping/queue-admin.js'
import { checkIsStore, layoutOf, type StoreLayout } from './layout.js'
import type { GetRequest } from './message.js'
import { type ResolvedOptions, resolveOptions, type StoreOptions, type StorePorts } from './options.js'
import { follow, getWaiting } from './reading/follow.js'
import { LiveLog } from './reading/live-log.js'
import { recoverStore } from './recovery/recover.js'
import { type ReloadedViews, reloadViews, viewTraces } from './recovery/reload.js'
import { Replication } from './replication.js'
import type { Views } from './views/views.js'
import { buildWritingSide, type WritingSide } from './writing-side.js'

/** A writer that deletes without a pause must not keep a reader from an answer. */
const MOST_TRIES = 5

/** A store that is open: what {@link MessageStore} forwards to. */
export type OpenStore = Awaited<ReturnType<typeof openStore>>

/** Opens a store. See {@link MessageStore.open}. */
export async function openStore(directory: string, given: StoreOptions | undefined, givenPorts: Partial<StorePorts> = {}) {
  checkDirectory(directory)
  checkObject('ports', givenPorts)
  const options = resolveOptions(given)
  const ports: StorePorts = { disk: nodeDisk, clock: systemClock, timers: systemTimers, ...givenPorts }
  const layout = layoutOf(directory.replace(/(?<=.)\/+$/, ''))
  for (let tries = 1; ; tries++) {
    try {
      return await openOnce(layout, options, ports)
    } catch (error) {
      // The writer of a store that is only read deletes files at any moment: then there are others now.
      if (!options.readOnly || tries === MOST_TRIES || !isGone(error)) throw error
    }
  }
}

async function openOnce(layout: StoreLayout, options: ResolvedOptions, ports: StorePorts) {
  const lock = await prepare(layout, options, ports)
  const files = new OpenFiles(ports.disk, options.openFiles)
  // A reader replaces its views while it keeps its log.
  const viewFiles = options.readOnly ? new OpenFiles(ports.disk, options.openFiles) : files
  try {
    const tracesBefore = options.readOnly ? viewTraces(ports.disk, layout) : undefined
    const recovered = await recoverStore({ layout, options, ports, files, viewFiles })
    return await assemble({ layout, options, ports, files, lock, recovered, tracesBefore })
  } catch (error) {
    viewFiles.closeAll()
    files.closeAll()
    lock?.release()
    throw storeErrorOf(error)
  }
}

/** Makes sure that the directory is a store, or may become one, and locks it. */
async function prepare(layout: StoreLayout, options: ResolvedOptions, { disk }: StorePorts): Promise<DiskLock | undefined> {
  try {
    checkIsStore(disk, layout.root, !options.readOnly)
    if (options.readOnly) return undefined
    // Else a store could vanish with all its files, each of which had been flushed.
    if (disk.stat(layout.commitLog) === undefined) await makeDurableDirectory(disk, layout.root)
    const lock = await disk.lock(layout.extLock, layout.lock)
    if ('heldBy' in lock) throw new MessageStoreError('STORE_LOCKED', `${layout.root} is in use by ${lock.heldBy}`)
    return lock
  } catch (error) {
    throw storeErrorOf(error)
  }
}

async function assemble(input: StoreInput) {
  const base = layFoundation(input)
  const writing = await buildWritingSide(base)
  const { state, events, recovered, log, records, search, reader, arrivals } = base
  const { report } = recovered
  const { writer, topics, upkeep } = writing
  const live = liveLogOf(base)
  const replication = new Replication(base, writing)
  const admin = new QueueAdmin(base, writing)
  const config = new ConfigFiles({
    disk: base.ports.disk,
    directory: base.layout.config,
    state,
    onBatchTopics: (names) => topics.setBatchTopics(names),
    onSpareCopy: (path, why) => base.events.emit('spareCopy', { path, why }),
  })
  const idle = async (): Promise<void> => {
    await live?.idle()
    await config.idle()
    await admin.idle()
    await replication.idle()
  }
  const find: Views['find'] = (topic, queueId) => recovered.views.find(topic, queueId)
  const waiting = { pause: base.pause, live, reader, find, arrivals, state, clock: base.ports.clock }
  let closing: Promise<void> | undefined
  // When the caller has the store, and can listen.
  base.ports.timers.endOfTurn(() => events.emit('recovery', report))
  return {
    state,
    events,
    recovery: report,
    base,
    writer,
    views: () => recovered.views,
    search,
    live,
    log,
    records,
    topics,
    upkeep,
    replication,
    admin,
    config,
    flush: () => flush(base, writing),
    close: () => (closing ??= takeDown(base, writing, idle)),
    verify: (options?: VerifyOptions) => verify(base, live, options),
    get: (request: GetRequest) => getWaiting(waiting, request),
    follow: (request: Omit<GetRequest, 'waitMs'>) => follow(waiting, request),
    metrics: { snapshot: () => metricsOf(base, writing) },
  }
}

function metricsOf({ log, damaged, recovered }: Foundation, { acks, flusher }: WritingSide) {
  return {
    commitLogStart: log.start,
    commitLogEnd: log.end,
    durableEnd: log.durableEnd,
    replicatedEnd: acks.replicatedEnd,
    flushes: flusher.flushes,
    damagedRecords: damaged.count,
    queues: recovered.views.queues.size + recovered.views.batchQueues.size,
  }
}

/** Follows another process, where the log is whole and only read. */
function liveLogOf(base: Foundation): LiveLog | undefined {
  const { layout, options, state, recovered, log, records, ports, ranges, visible, arrivals } = base
  const { chain, report } = recovered
  if (!options.readOnly || report.corruption.length > 0 || state.status !== 'readOnly') return undefined
  const show = (end: number): void => {
    visible.end = end
    arrivals.wakeAll()
  }
  const adopt = ({ views, files, ranges: known }: ReloadedViews): OpenFiles => {
    const before = recovered.viewFiles
    Object.assign(recovered, { views, viewFiles: files })
    ranges.splice(0, ranges.length, ...known)
    return before
  }
  return new LiveLog({
    chain,
    log,
    views: () => recovered.views,
    traces: () => viewTraces(ports.disk, layout),
    openedAt: base.tracesBefore,
    reload: () => reloadViews({ layout, options, ports }, chain, recovered.views),
    adopt,
    levelAt: records.levelAt,
    clock: ports.clock,
    pause: base.pauseWhileOpen,
    show,
  })
}

/** Checks the store; beside a writer again, where what was found may come of what that has changed meanwhile. */
function verify(base: Foundation, live: LiveLog | undefined, options: VerifyOptions | undefined): Promise<VerifyReport> {
  const verifying = (): Promise<VerifyReport> => verifyStore(verifiedParts(base, live), options)
  if (live === undefined) return verifying()
  let before = ''
  // What is found twice is so: a writer that never rests must not have a large store read again and again.
  const isDoubtful = ({ ok, findings }: VerifyReport): boolean => {
    const places = JSON.stringify(findings.map(({ kind, place }) => [kind, place]))
    const isFirst = places !== before
    before = places
    return !ok && isFirst
  }
  return live.asking(() => live.holding(verifying), {}, isDoubtful)
}

/** What `verify` looks at. */
function verifiedParts(base: Foundation, live: LiveLog | undefined): VerifyParts {
  const { layout, options, ports, recovered, records, visible, log, seals, state } = base
  const { chain, report } = recovered
  return {
    ...ports,
    layout,
    checkOpen: () => state.checkOpen(),
    chain,
    catchUp: async () => {
      // One that runs already may have begun before what it is to see was written.
      await live?.catchUp()
      await live?.catchUp()
    },
    views: () => recovered.views,
    levelAt: records.levelAt,
    visibleEnd: () => visible.end,
    writtenEnd: () => log.writtenEnd,
    seals,
    recovery: report,
    isWriter: !options.readOnly,
  }
}

async function flush(base: Foundation, writing: WritingSide): Promise<void> {
  base.state.checkOpen()
  if (base.state.status === 'readOnly') return
  await writing.writer.letWaitingIn()
  await makeDurable(base, writing)
}

/** @throws {MessageStoreError} `STORE_FAILED` */
async function makeDurable({ state, log }: Foundation, { writer, flusher }: WritingSide): Promise<void> {
  try {
    writer.write()
    await flusher.durable(log.writtenEnd)
  } catch (error) {
    throw state.failure ?? error
  }
}

async function takeDown(base: Foundation, writing: WritingSide, idle: () => Promise<void>): Promise<void> {
  const { state, arrivals, events } = base
  const { viewFlusher, upkeep, acks } = writing
  const isSound = state.status === 'open'
  // From here on nothing is accepted: what came after the last flush would be in no mark and in no view.
  state.close('closing')
  arrivals.wakeAll()
  try {
    try {
      await idle()
      if (isSound) await makeDurable(base, writing)
    } finally {
      await upkeep.stop()
      acks.close()
      await viewFlusher.close()
    }
    if (isSound) await finish(base, writing)
  } finally {
    state.close('closed')
    letGo(base, writing)
    events.emit('closed', undefined)
  }
}

/** Writes what is lazy and marks the directory as cleanly closed. */
async function finish({ state, recovered, log }: Foundation, { books, fail }: WritingSide): Promise<void> {
  // A flush of the views that failed must not be tried again: the second one reports success.
  if (state.failure !== undefined) throw state.failure
  try {
    const bounds = await recovered.views.flush(log.durableEnd)
    await books.finish(log.durableEnd, bounds)
  } catch (error) {
    // Everything acknowledged is durable in the log; without space for the marks the next start recovers.
    if (error instanceof DiskError && error.isSpace) return
    fail(error)
    throw state.failure ?? error
  }
}

function letGo({ log, files, lock, recovered }: Foundation, { flusher, writer, books }: WritingSide): void {
  flusher.close()
  writer.close()
  books.close()
  log.close()
  recovered.viewFiles.closeAll()
  files.closeAll()
  lock?.release()
}
