/**
 * `npm run fuzz [-- --seconds N] [--target NAME] [--seed N]`: looks for inputs on which a decoder does what it
 * must not. The seconds are shared out among the targets; without a seed chance gives one.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from '../support/random.js'
import { inputDirectory, loadInputs, saveCorpus, saveInput } from './corpus.js'
import { Coverage } from './coverage.js'
import { type FuzzResult, fuzz, type Target } from './fuzzer.js'
import { targets } from './targets.js'
import { Watchdog } from './watchdog.js'

const DEFAULT_SECONDS = 300

function numberOf(name: string, text: string | undefined, preset: number): number {
  const value = text === undefined ? preset : Number(text)
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} must be a number of 0 or more, got ${text}`)
  return value
}

function line(cells: readonly (string | number)[]): string {
  const [name = '', ...rest] = cells.map(String)
  return name.padEnd(20) + rest.map((cell) => cell.padStart(13)).join('')
}

function report(name: string, { executions, seconds, corpus, places, size, gained, failures }: FuzzResult): void {
  const rate = Math.round(executions / seconds).toLocaleString('en')
  const share = `${((100 * places) / Math.max(1, size)).toFixed(1)} %`
  console.log(line([name, executions.toLocaleString('en'), rate, corpus.length, share, `+${gained}`, failures.length]))
}

async function fuzzTarget(target: Target, coverage: Coverage, random: Random, seconds: number): Promise<number> {
  const watchdog = new Watchdog(join(inputDirectory('crashes', target.name), 'endless.bin'))
  const corpus = [...loadInputs('corpus', target.name).values()]
  const result = fuzz({ target, corpus, coverage, random, seconds, watchdog })
  await watchdog.stop()
  report(target.name, result)
  for (const { input, error } of result.failures) {
    console.log(`  ${saveInput('crashes', target.name, input)}\n  ${error.stack}`)
  }
  saveCorpus(target.name, result.corpus)
  return result.failures.length
}

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, target: { type: 'string' }, seed: { type: 'string' } },
})
const seed = numberOf('seed', values.seed, Math.floor(Math.random() * 2 ** 32))
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) {
  console.error(`no target ${values.target}; there are ${targets.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const seconds = numberOf('seconds', values.seconds, DEFAULT_SECONDS) / chosen.length
console.log(`seed ${seed}, ${chosen.length} targets, ${seconds.toFixed(1)} s each`)
console.log(line(['target', 'executions', 'per second', 'corpus', 'code reached', 'new', 'failures']))
const coverage = new Coverage((url) => url.includes('/build/lib/'))
const random = new Random(seed)
let failures = 0
for (const target of chosen) failures += await fuzzTarget(target, coverage, random.fork(), seconds)
coverage.stop()
process.exitCode = failures > 0 ? 1 : 0
