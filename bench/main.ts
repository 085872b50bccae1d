/**
 * `npm run bench [-- [SUITE ...] [--quick] [--no-java] [--passes N] [--loads LOAD,...] [--dir DIR] [--json FILE] [--markdown]]`
 *
 * Measures mqlite beside the bare file system, lmdb, and RocketMQ's own store in Java, one after the other in
 * the same run. Figures of different runs do not compare: machines are shared and disks have moods. The
 * ratios within a run do.
 */
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { JavaStore } from './java.js'
import { cells, line, type Measured, markdown, printHead, writeJson } from './report.js'
import { Bed } from './run-case.js'
import { LOADS } from './server/server-load.js'
import { COLUMNS, type Column, type Row, suites } from './suites.js'
import type { Outcome, Plan } from './workload.js'

const FULL: Plan = { passes: 3, rounds: 2, roundMs: 1000, messages: 1_000_000 }
const QUICK: Plan = { passes: 1, rounds: 3, roundMs: 200, messages: 100_000 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    'no-java': { type: 'boolean', default: false },
    messages: { type: 'string' },
    'round-ms': { type: 'string' },
    passes: { type: 'string' },
    loads: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'string' },
    markdown: { type: 'boolean', default: false },
  },
})

async function main(): Promise<void> {
  const unknown = positionals.filter((name) => !Object.hasOwn(suites, name))
  if (unknown.length > 0) throw new Error(`unknown suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`)
  const preset = values.quick ? QUICK : FULL
  const loads = values.loads?.split(',')
  const wrong = loads?.find((name) => !(LOADS as readonly string[]).includes(name))
  if (wrong !== undefined) throw new Error(`unknown load ${wrong}; there are ${LOADS.join(', ')}`)
  const plan: Plan = {
    ...preset,
    ...(loads === undefined ? {} : { loads }),
    passes: Number(values.passes ?? preset.passes),
    roundMs: Number(values['round-ms'] ?? preset.roundMs),
    messages: Number(values.messages ?? preset.messages),
  }
  const bed = new Bed(plan, values.dir)
  process.once('SIGINT', () => {
    bed.clear()
    process.exit(130)
  })
  try {
    await measureAll(bed, plan)
  } finally {
    bed.clear()
  }
}

async function measureAll(bed: Bed, plan: Plan): Promise<void> {
  const java = values['no-java'] ? undefined : new JavaStore(bed)
  java?.build()
  console.log(
    `Medians of ${plan.passes * plan.rounds} rounds of ${plan.roundMs} ms, ${plan.messages.toLocaleString('en-US')} messages in a store ` +
      `that is read; ${availableParallelism()} cores, Node ${process.version}.\n`,
  )
  printHead()
  const all: Measured[] = []
  for (const [suite, rows] of Object.entries(suites)) {
    if (positionals.length > 0 && !positionals.includes(suite)) continue
    for (const row of rows) {
      if (row.needsJava && java === undefined) continue
      if (row.load !== undefined && plan.loads?.includes(row.load) === false) continue
      const measured = { suite, row, outcomes: await measure(row, bed, java) }
      all.push(measured)
      console.log(line(cells(measured)))
    }
  }
  const path = values.json ?? join('bench', 'results', `${new Date().toISOString().replaceAll(':', '-')}.json`)
  writeJson(path, plan, java?.version(), all)
  if (values.markdown) console.log(`\n${markdown(all)}`)
  console.log(`\nEvery round, and memory and sizes: ${path}`)
}

async function measure(row: Row, bed: Bed, java: JavaStore | undefined): Promise<Measured['outcomes']> {
  const outcomes: Partial<Record<Column, Outcome>> = {}
  for (let pass = 0; pass < bed.plan.passes; pass++) {
    for (const column of COLUMNS) {
      const take = row.columns[column]
      if (take === undefined || (column === 'java' && java === undefined)) continue
      const { rounds, details } = await take(bed, java!)
      outcomes[column] = {
        rounds: [...(outcomes[column]?.rounds ?? []), ...rounds],
        ...(details === undefined ? {} : { details }),
      }
    }
  }
  return outcomes
}

await main()
