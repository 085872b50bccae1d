/**
 * `npm start [-- DIR] [--rows N]`: a real data set goes into a store, the process that writes it is killed half
 * way, and nothing that was acknowledged is lost.
 *
 * 1. A child process puts flights with `flush: 'sync'`; at the half it is killed with SIGKILL.
 * 2. This process opens the directory, shows what recovery found, and puts the rest.
 * 3. The store is closed, opened again, and read by queue, by tag, by key and by time; everything is compared
 *    with the file. The exit code is 0 only if every claim is proved.
 */
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MessageStore, type RecoveryReport } from 'mqlite'
import { loadAndKill } from './crash.js'
import { dayOf, type Flight, QUEUES, readFlights, SIZES, TOPIC } from './data.js'
import { sizesOf } from './files.js'
import { IN_FLIGHT, load } from './load.js'
import { bytes, count, duration, facts, heading, rate, table } from './print.js'
import { Proof } from './proof.js'
import { ReadBack, type Resumption } from './read-back.js'

const USAGE = 'usage: npm start [-- [DIR] [--rows N]]   (DIR new or empty, N from 1000 to 3000000)'

async function main(): Promise<boolean> {
  const { directory, rows } = readArguments()
  const started = performance.now()
  const flights = await readFlights(rows)
  describe(flights, directory)
  const proof = new Proof()

  heading('1  Load, and a crash half way')
  const { acked, durationMs, rows: measured } = await loadAndKill(directory, rows)
  facts({ 'acknowledged, then SIGKILL': `${count(acked)} rows`, 'sync puts': rate(measured, durationMs) })

  heading('2  Recover, and load the rest')
  const resumption = await recoverAndFinish(directory, flights, acked, proof)

  heading('3  Close, open again, read back')
  await readBack(directory, flights, acked, resumption, proof)

  heading('4  What was claimed')
  const isProved = proof.print()

  heading('5  Look at it')
  table(['', 'files', 'length', 'on the disk'], sizesOf(directory))
  console.log(`\n  the directory    ${directory}`)
  console.log(`  look inside      node dist/cli/main.js inspect ${directory}`)
  console.log(`  check all of it  node dist/cli/main.js verify ${directory}`)
  console.log(`\n  ${isProved ? 'Nothing acknowledged was lost' : 'NOT EVERYTHING WAS PROVED'}; ${elapsed(started)}.`)
  return isProved
}

function readArguments(): { directory: string; rows: number } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { rows: { type: 'string', default: '300000' } },
    })
    const rows = Number(values.rows)
    if (!Number.isInteger(rows) || rows < 1000 || rows > 3_000_000) throw new Error(`--rows ${values.rows} is out of range`)
    if (positionals.length > 1) throw new Error('more than one directory')
    const directory = positionals[0] === undefined ? mkdtempSync(join(tmpdir(), 'mqlite-flights-')) : resolve(positionals[0])
    const isTaken = statSync(directory, { throwIfNoEntry: false }) !== undefined && readdirSync(directory).length > 0
    if (isTaken) throw new Error(`${directory} is not empty; nothing in it was changed`)
    return { directory, rows }
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    process.exit(2)
  }
}

function describe(flights: readonly Flight[], directory: string): void {
  const airports = new Set(flights.map(({ origin }) => origin)).size
  const days = `${dayOf(flights[0]!)} to ${dayOf(flights.at(-1)!)}`
  heading('mqlite: a crash that loses nothing')
  facts({
    flights: `${count(flights.length)} of vega-datasets, ${days}, ${airports} airports`,
    topic: `${TOPIC}, ${QUEUES} queues: a flight stands in the queue of its origin`,
    'tag, keys': 'destination; route and day',
    puts: `flush 'sync', ${count(IN_FLIGHT)} in flight: acknowledged when on the disk`,
    machine: `${availableParallelism()} cores, Node ${process.version}`,
    directory,
  })
}

/** Opens what the crash left, checks that no acknowledged row is missing, and puts what is. */
async function recoverAndFinish(directory: string, flights: readonly Flight[], acked: number, proof: Proof): Promise<Resumption> {
  const store = await MessageStore.open(directory, { flush: 'sync', ...SIZES })
  try {
    const offsets = Array.from({ length: QUEUES }, (_, queueId) => store.bounds(TOPIC, queueId).maxOffset)
    // Rows are put in order, so the rows found are the first ones of the file. Reading back proves it.
    const row = offsets.reduce((sum, offset) => sum + offset, 0)
    facts({
      ...describeRecovery(store.recovery),
      'rows found': `${count(row)}: ${count(acked)} acknowledged and ${count(row - acked)} more`,
    })
    proof.equal(
      'open after the kill finds a crash, and no damage',
      1,
      store.recovery.origin === 'crash' && store.status === 'open' ? 1 : 0,
    )
    proof.atLeast('rows in the recovered store', acked, row)
    const time = Date.now()
    console.log()
    const started = performance.now()
    await load(store, flights, row, () => {})
    const ms = performance.now() - started
    facts({ 'the rest': `${count(flights.length - row)} rows in ${duration(ms)}, ${rate(flights.length - row, ms)}` })
    return { row, time, offsets }
  } finally {
    await store.close()
  }
}

function describeRecovery(report: RecoveryReport): Record<string, string> {
  const { origin, scannedFrom, scannedBytes, records, end, cut, corruption, rewrittenBytes, durationMs } = report
  return {
    'the store was left by': origin === 'crash' ? 'a crash of mqlite' : origin,
    scanned: `${bytes(scannedBytes)} from ${count(scannedFrom)} on, ${count(records)} records, ${duration(durationMs)}`,
    'end of the log': count(end),
    'torn tail': cut === undefined ? 'none' : `${count(cut.to - cut.from)} bytes cut, kept as ${cut.keptAs}`,
    'written again, flushed': bytes(rewrittenBytes),
    damage: corruption.length === 0 ? 'none' : `${corruption.length} ranges`,
  }
}

async function readBack(
  directory: string,
  flights: readonly Flight[],
  acked: number,
  resumption: Resumption,
  proof: Proof,
): Promise<void> {
  const started = performance.now()
  const store = await MessageStore.open(directory)
  const opened = performance.now() - started
  try {
    proof.equal('open after the close finds a clean store', 1, store.recovery.origin === 'clean' ? 1 : 0)
    const reads = new ReadBack(store, flights, proof)
    const lines = [await reads.byQueue(acked), await reads.byTag(), ...(await reads.byKey()), await reads.byTime(resumption)]
    table(['', '', 'messages', 'time', 'rate'], [['open', 'after a clean close', '', duration(opened), ''], ...lines])
  } finally {
    await store.close()
  }
}

function elapsed(started: number): string {
  return `${duration(performance.now() - started)} in all`
}

process.exitCode = (await main()) ? 0 : 1
