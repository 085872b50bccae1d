/**
 * Runs a tier of the tests: `node test/run.js quick|crash|interop [--all] [part of a file name …]`.
 *
 * - `quick`: everything but `test/interop`, the proof families in `test/crash` at their small size.
 * - `crash`: the proof families at their full size. `MQLITE_SIZE=full` adds what takes hours, `MQLITE_SHARE=1/4` runs a
 *   quarter of each of the long ones.
 * - `interop`: the suites that run the real RocketMQ; they need Java and Maven. With `--all` RocketMQ's own tests as
 *   well, whose compiled classes the variable ROCKETMQ_TEST_CLASSES names: no registry has them.
 *
 * Small files share a process, see `run-units.js`; two processes run at once, the longest first, and beside them a third
 * that mostly waits for the disk. A process that ends before its tests are through is a failure, and its files are run
 * again, each by itself. At the end stand the times of the processes, and every test that was skipped. With `CI` set, a
 * skip is a failure.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { alone, unitsOf, waits } from './run-units.js'

const built = fileURLToPath(new URL('../build/test', import.meta.url))
const [tier = 'quick', ...rest] = process.argv.slice(2)
const parts = rest.filter((name) => name !== '--all')
const all = parts.length < rest.length
const tiers = {
  quick: (name) => !name.startsWith('interop'),
  crash: (name) => /^(crash|model|disk\/big)/.test(name),
  interop: (name) => name.startsWith('interop') && (all || !name.includes('rocketmq-tests')),
}
if (!(tier in tiers)) {
  console.error(`unknown tier ${tier}; there are ${Object.keys(tiers).join(', ')}`)
  process.exit(2)
}
process.env['MQLITE_TIER'] = tier

const names = readdirSync(built, { recursive: true })
  .filter((file) => file.endsWith('.test.js') && tiers[tier](file))
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .map((file) => file.slice(0, -'.test.js'.length))
const started = performance.now()
const counts = { tests: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 }
const skipped = []
const rows = []
const broken = []
let failures = 0

// Each process that is started leaves listeners behind.
process.setMaxListeners(0)
const events = new PassThrough({ objectMode: true })
const out = events.compose(new spec())
out.pipe(process.stdout, { end: false })

const units = unitsOf(built, tier, names)
const busy = units.filter((unit) => !waits(unit))
const waiting = units.filter(waits)
const lane = async (next) => {
  for (let unit = next(); unit !== undefined; unit = next()) await runUnit(unit)
}
const either = () => busy.shift() ?? waiting.shift()
await Promise.all([lane(either), lane(either), lane(() => waiting.shift())])
events.end()
await finished(out)
printEnd()
process.exitCode = failures > 0 || names.length === 0 || (process.env['CI'] && skipped.length > 0) ? 1 : 0

/** Runs the files of a unit in a process, and tells what came of it when it has ended, so that nothing is mixed. */
async function runUnit(unit) {
  const began = performance.now()
  const told = []
  for await (const event of run({ files: [unit.module], concurrency: 1 })) told.push(event)
  const report = readReport(unit)
  rows.push({ title: unit.title, wall: (performance.now() - began) / 1000, cpu: report?.cpuSeconds ?? Number.NaN })
  if (report?.isThrough) {
    told.forEach(take)
    return
  }
  failures++
  broken.push(unit.title)
  // Node's runner takes the end of a process for a test that passed, if it ended without an error.
  if (unit.names.length === 1) told.filter(({ type, data }) => type !== 'test:pass' || data.name !== unit.module).forEach(take)
  else for (const name of unit.names) await runUnit(alone(built, name))
}

function readReport({ report }) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    // A process that was killed leaves none.
    return undefined
  }
}

/** Counts an event and hands it on; the sums that each process makes are added up instead. */
function take(event) {
  const { type, data } = event
  const [, what, count] = (type === 'test:diagnostic' && data.file === undefined && /^(\w+) ([\d.]+)$/.exec(data.message)) || []
  if (what !== undefined) {
    if (what in counts) counts[what] += Number(count)
    return
  }
  const isTodo = data.todo !== undefined
  if (type === 'test:pass' && (data.skip !== undefined || isTodo)) {
    skipped.push(typeof data.skip === 'string' ? `${data.name}: ${data.skip}` : data.name)
  }
  if (type === 'test:fail' && !isTodo) failures++
  events.write(event)
}

function printEnd() {
  const shown = rows.filter(({ wall }) => tier !== 'quick' || wall > 5).sort((a, b) => b.cpu - a.cpu)
  const width = Math.max(...shown.map(({ title }) => title.length), 8)
  console.log(`\n${'in a process'.padEnd(width)}   wall s    cpu s`)
  for (const { title, wall, cpu } of shown)
    console.log(`${title.padEnd(width)} ${wall.toFixed(1).padStart(8)} ${cpu.toFixed(1).padStart(8)}`)
  const cpu = rows.reduce((sum, row) => sum + (row.cpu || 0), 0)
  const wall = (performance.now() - started) / 1000
  console.log(`${`all ${rows.length} processes`.padEnd(width)} ${wall.toFixed(1).padStart(8)} ${cpu.toFixed(1).padStart(8)}`)
  console.log(
    `\n${Object.entries(counts)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ')}`,
  )
  console.log(`${skipped.length} skipped${skipped.length === 0 ? '' : ':'}`)
  for (const name of skipped) console.log(`  ${name}`)
  for (const title of broken) console.error(`the process of ${title} ended before its tests were through`)
  if (names.length === 0) console.error(`no test file matches ${parts.join(' ')}`)
}
