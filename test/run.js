/**
 * Runs a tier of the tests: `node test/run.js quick|crash|interop [--all] [part of a file name …]`.
 *
 * - `quick`: everything but `test/interop`, the proof families in `test/crash` at their small size.
 * - `crash`: the proof families at their full size, the longest first. `MQLITE_SIZE=full` adds what takes hours,
 *   `MQLITE_SHARE=1/4` runs a quarter of each of the long ones.
 * - `interop`: the suites that run the real RocketMQ; they need Java and Maven. With `--all` RocketMQ's own tests as
 *   well, whose compiled classes the variable ROCKETMQ_TEST_CLASSES names: no registry has them.
 *
 * A skipped test is named at the end. With `CI` set, a skip is a failure.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const built = fileURLToPath(new URL('../build/test', import.meta.url))
const [tier = 'quick', ...rest] = process.argv.slice(2)
const names = rest.filter((name) => name !== '--all')
const all = names.length < rest.length
const tiers = {
  quick: (file) => !file.startsWith('interop'),
  crash: (file) => /^(crash|model|disk\/big)/.test(file),
  interop: (file) => file.startsWith('interop') && (all || !file.includes('rocketmq-tests')),
}
/** The families that take minutes, longest first: begun last, one would run alone in the end. */
const long = [
  'flip',
  'kill',
  'syscalls',
  'sim-2',
  'mutants',
  'power',
  'failpoints',
  'sim-1',
  'sim-4',
  'disk-full',
  'model/',
  'sim-3',
]
const rank = (file) => long.findIndex((name) => file.includes(name)) + 1 || long.length + 1
if (!(tier in tiers)) {
  console.error(`unknown tier ${tier}; there are ${Object.keys(tiers).join(', ')}`)
  process.exit(2)
}

const files = readdirSync(built, { recursive: true })
  .filter(
    (file) => file.endsWith('.test.js') && tiers[tier](file) && (names.length === 0 || names.some((name) => file.includes(name))),
  )
  .sort((a, b) => (tier === 'crash' ? rank(a) - rank(b) : 0) || (a < b ? -1 : 1))
  .map((file) => join(built, file))

process.env['MQLITE_TIER'] = tier
const skipped = []
let failed = 0
const events = run({ files, concurrency: 2 })
events.on('test:pass', ({ name, skip, todo }) => {
  if (skip !== undefined || todo !== undefined) skipped.push(typeof skip === 'string' ? `${name}: ${skip}` : name)
})
events.on('test:fail', ({ todo }) => {
  if (todo === undefined) failed++
})
const out = events.compose(new spec())
out.pipe(process.stdout, { end: false })
await finished(out)

console.log(`\n${skipped.length} skipped${skipped.length === 0 ? '' : ':'}`)
for (const name of skipped) console.log(`  ${name}`)
if (files.length === 0) console.error(`no test file matches ${names.join(' ')}`)
process.exitCode = failed > 0 || files.length === 0 || (process.env['CI'] && skipped.length > 0) ? 1 : 0
