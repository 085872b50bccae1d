/** The rows of the table, by suite: what is measured, of whom, and how a row's figure comes about. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CaseName } from './cases/index.js'
import type { JavaStore } from './java.js'
import type { Bed } from './run-case.js'
import { LENGTHS, LOADS, underLoad } from './server/server-load.js'
import type { CaseOptions, Outcome } from './workload.js'

/** More than the log and the index of the largest store that is read. */
const WHOLE_STORE_BYTES = 512 * 1024 * 1024

export type Column = 'mqlite' | 'fs' | 'lmdb' | 'java'
export const COLUMNS: readonly Column[] = ['mqlite', 'fs', 'lmdb', 'java']

/** One row of the table. */
export interface Row {
  readonly title: string
  readonly unit: '/s' | 'ms' | 'us' | 'ns' | 'MB/s' | 'MiB'
  /** `hand`: rounds of a fixed time or one long task each; `tinybench`: a short task, repeated. */
  readonly timing: 'hand' | 'tinybench'
  /** Nothing of it can be measured without Java. */
  readonly needsJava?: boolean
  /** The load of a server that it tells of. */
  readonly load?: (typeof LOADS)[number]
  readonly columns: Partial<Record<Column, (bed: Bed, java: JavaStore) => Promise<Outcome> | Outcome>>
}

function own(name: CaseName, options: CaseOptions = {}) {
  return (bed: Bed): Promise<Outcome> => bed.run(name, options)
}

function prepared(name: CaseName, options: CaseOptions = {}) {
  return async (bed: Bed): Promise<Outcome> => bed.run(name, options, await bed.filled('prepare'))
}

function inJava(name: string) {
  return (_: Bed, java: JavaStore): Outcome => java.measure(name)
}

/**
 * RocketMQ's threads stand for puts in flight; it has no row at 1024. Nor has lmdb one at `async` and 1: it
 * gathers puts for a commit, and a lone one waits longer than a flush takes.
 */
function puts(flush: 'async' | 'sync'): Row[] {
  return [1, 64, 1024].map((inFlight) => ({
    title: `put, ${flush}, ${inFlight} in flight`,
    unit: '/s',
    timing: 'hand',
    columns: {
      mqlite: own('put', { flush, inFlight }),
      fs: own('rawWrite', { flush, inFlight }),
      ...(inFlight === 1 && flush === 'async' ? {} : { lmdb: own('lmdbPut', { flush, inFlight }) }),
      ...(inFlight === 1024 ? {} : { java: inJava(`${flush}-${inFlight}`) }),
    },
  }))
}

function batches(flush: 'async' | 'sync'): Row {
  const options = { flush, batch: 32 }
  const columns = { mqlite: own('put', options), fs: own('rawWrite', options), lmdb: own('lmdbPut', options) }
  return { title: `putBatch of 32, ${flush}, 1 in flight`, unit: '/s', timing: 'hand', columns }
}

/** How the choice in `lib/format/crc.ts` was made. */
function crc(bytes: number): Row[] {
  return [
    {
      title: `CRC-32 of ${bytes} bytes, as records get it`,
      unit: 'ns',
      timing: 'tinybench',
      columns: { mqlite: own('crcHere', { bytes }) },
    },
    { title: `CRC-32 of ${bytes} bytes, zlib`, unit: 'ns', timing: 'tinybench', columns: { mqlite: own('crcZlib', { bytes }) } },
  ]
}

/** One process for each round: the first open of a process is what its users wait for. */
async function eachRound(bed: Bed, once: () => Promise<Outcome>): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let round = 0; round < bed.plan.rounds; round++) outcomes.push(await once())
  return outcomes
}

async function openClean(bed: Bed): Promise<Outcome> {
  const directory = await bed.filled('prepare')
  const outcomes = await eachRound(bed, () => bed.run('openAndClose', {}, directory))
  return { rounds: outcomes.map(({ rounds }) => rounds[0]!), details: outcomes[0]!.details! }
}

/** Opens what a killed process left. Recovery changes the directory, so each round needs a crash of its own. */
async function recover(bed: Bed): Promise<Outcome> {
  const outcomes = await eachRound(bed, async () => {
    bed.drop('abandon')
    return bed.run('openOnce', {}, await bed.filled('abandon'))
  })
  bed.drop('abandon')
  return scanRates(outcomes)
}

/** As `recover`, with all queues and the index gone. */
async function rebuild(bed: Bed): Promise<Outcome> {
  const directory = await bed.filled('abandon')
  const outcomes = await eachRound(bed, () => {
    for (const name of ['consumequeue', 'index']) rmSync(join(directory, name), { recursive: true, force: true })
    return bed.run('openOnce', {}, directory)
  })
  bed.drop('abandon')
  return scanRates(outcomes)
}

function scanRates(outcomes: readonly Outcome[]): Outcome {
  const scans = outcomes.map(({ details }) => details!)
  const rounds = scans.map(({ scannedBytes, recoveryMs }) => Math.round(scannedBytes! / 100 / recoveryMs!) / 10)
  return { rounds, details: scans[0]! }
}

/** Our server and RocketMQ's under the same load of RocketMQ's client. */
function served(title: string, unit: Row['unit'], name: string): Row {
  const columns = { mqlite: (bed: Bed) => underLoad(bed, 'mqlite', name), java: (bed: Bed) => underLoad(bed, 'java', name) }
  return { title: title.startsWith('...') ? title : `server: ${title}`, unit, timing: 'hand', needsJava: true, columns }
}

const LOAD_TITLES: Readonly<Record<(typeof LOADS)[number], string>> = {
  'sync-1': 'sync sends, 1 thread',
  'sync-32': 'sync sends, 32 threads',
  async: 'async sends',
  'batch-32': 'batches of 32',
  push: 'push consumption',
  latency: 'latency',
}

function servedWith(bytes: number): Row[] {
  const rates = LOADS.filter((load) => load !== 'latency')
  const titleOf = (load: (typeof LOADS)[number]): string => `${LOAD_TITLES[load]}, ${bytes} B`
  return [
    ...rates.map((load) => ({ ...served(titleOf(load), '/s', `${load} ${bytes}`), load })),
    ...(['p50', 'p99'] as const).map((part) => ({
      ...served(`latency, ${part}, ${bytes} B`, 'ms', `latency-${part} ${bytes}`),
      load: 'latency' as const,
    })),
    ...rates.map((load) => ({ ...served(`... processor, ${titleOf(load)}`, 'us', `cpu ${load} ${bytes}`), load })),
  ]
}

export const suites: Readonly<Record<string, readonly Row[]>> = {
  async: puts('async'),
  sync: puts('sync'),
  batch: [batches('async'), batches('sync')],
  read: [
    {
      title: 'read in order, record checked',
      unit: '/s',
      timing: 'hand',
      columns: { mqlite: prepared('read'), fs: prepared('rawRead'), lmdb: own('lmdbRead') },
    },
    {
      title: 'read in order, unchecked',
      unit: '/s',
      timing: 'hand',
      columns: { mqlite: prepared('read', { verifyReads: false }), java: inJava('read') },
    },
    {
      title: 'read in order, checked, fields and body',
      unit: '/s',
      timing: 'hand',
      columns: { mqlite: prepared('read', { decode: true }), java: inJava('read-decoded') },
    },
  ],
  lookup: [
    {
      title: 'lookup at random addresses',
      unit: '/s',
      timing: 'tinybench',
      columns: { mqlite: prepared('lookup'), lmdb: own('lmdbLookup') },
    },
  ],
  query: [
    {
      title: 'query by key, 1 hit',
      unit: '/s',
      timing: 'tinybench',
      columns: { mqlite: prepared('query'), java: inJava('query') },
    },
    {
      title: 'query by key, 1 hit, log in the read cache',
      unit: '/s',
      timing: 'tinybench',
      columns: { mqlite: prepared('query', { readCacheBytes: WHOLE_STORE_BYTES }), java: inJava('query') },
    },
  ],
  open: [{ title: 'open after a clean close', unit: 'ms', timing: 'hand', columns: { mqlite: openClean } }],
  recovery: [
    { title: 'recovery after SIGKILL', unit: 'MB/s', timing: 'hand', columns: { mqlite: recover } },
    { title: 'recovery, queues and index lost', unit: 'MB/s', timing: 'hand', columns: { mqlite: rebuild } },
  ],
  queues: [{ title: 'put, async, 10,000 queues', unit: '/s', timing: 'hand', columns: { mqlite: own('manyQueues') } }],
  crc: [128, 260, 1024].flatMap(crc),
  delays: [
    {
      title: '100,000 messages due in one second, from then to the last delivery',
      unit: 'ms',
      timing: 'hand',
      columns: { mqlite: own('timersDueAtOnce') },
    },
    { title: 'open with messages for times ahead', unit: 'ms', timing: 'hand', columns: { mqlite: own('manyWaiting') } },
  ],
  broker: [
    { title: 'broker: send, deliver, acknowledge', unit: '/s', timing: 'hand', columns: { mqlite: own('sendAndConsume') } },
    { title: 'broker: give back for a retry', unit: '/s', timing: 'hand', columns: { mqlite: own('sendBack') } },
    { title: 'broker: keep the offsets of 1,000 groups', unit: 'ms', timing: 'hand', columns: { mqlite: own('keepOffsets') } },
  ],
  server: [
    ...LENGTHS.flatMap(servedWith),
    served('memory after the load', 'MiB', 'resident'),
    served('... without mapped files', 'MiB', 'anonymous'),
    served('start to first message', 'ms', 'start'),
  ],
  backlog: [
    {
      title: 'put, async, 64 in flight, behind unread messages',
      unit: '/s',
      timing: 'hand',
      columns: { mqlite: own('backlog') },
    },
  ],
  memory: [{ title: 'memory, puts then reads', unit: 'MiB', timing: 'hand', columns: { mqlite: own('putThenRead') } }],
}
