/**
 * Where a case spends its time: `node build/bench/profile.js CASE [OPTIONS as JSON] [--top N] [--messages N]`.
 *
 * Runs the case in this process under V8's sampling profiler and prints the functions with the most time of
 * their own. Example: `node build/bench/profile.js put '{"flush":"async","inFlight":64}'`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import type { Profiler } from 'node:inspector'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CaseName, cases } from './cases/index.js'
import { median, shown } from './report.js'
import type { CaseOptions, Plan } from './workload.js'

/** Cases that read need a store that is there. */
const READS = ['read', 'lookup', 'query', 'rawRead', 'openAndClose', 'openOnce']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { top: { type: 'string', default: '25' }, messages: { type: 'string', default: '500000' } },
})

async function main(): Promise<void> {
  const [name, options = '{}'] = positionals
  if (name === undefined || !Object.hasOwn(cases, name)) throw new Error(`the cases are ${Object.keys(cases).join(', ')}`)
  const plan: Plan = { passes: 1, rounds: 3, roundMs: 1500, messages: Number(values.messages) }
  const directory = mkdtempSync(join(tmpdir(), 'mqlite-profile-'))
  try {
    const prepare = await cases.prepare()
    if (READS.includes(name)) await prepare({ plan, directory, options: {} })
    // `openOnce` then scans the whole log and builds queues and index anew.
    if (name === 'openOnce') for (const view of ['consumequeue', 'index']) rmSync(join(directory, view), { recursive: true })
    const run = await cases[name as CaseName]()
    const session = new Session()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: 200 })
    await session.post('Profiler.start')
    const { rounds } = await run({ plan, directory, options: JSON.parse(options) as CaseOptions })
    const { profile } = await session.post('Profiler.stop')
    console.log(`${name} ${options}: ${shown(median(rounds))}\n`)
    print(profile)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Sums the samples of each function, wherever it was called from. */
function print({ nodes, samples = [] }: Profiler.Profile): void {
  const own = new Map<string, number>()
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const file = url.replace(/^.*\/(dist|build|node_modules)\//, '')
      return [id, `${functionName === '' ? '(anonymous)' : functionName} ${file === '' ? '' : `${file}:${lineNumber + 1}`}`]
    }),
  )
  for (const id of samples) own.set(names.get(id)!, (own.get(names.get(id)!) ?? 0) + 1)
  const sorted = [...own].sort((a, b) => b[1] - a[1]).slice(0, Number(values.top))
  for (const [name, count] of sorted) console.log(`${((count * 100) / samples.length).toFixed(1).padStart(6)} %  ${name}`)
}

await main()
