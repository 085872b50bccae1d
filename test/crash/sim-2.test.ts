/**
 * Long random workloads over several queues and many segments, with messages under way when the power goes,
 * processes that end and processes that take over.
 */

import { test } from 'node:test'
import { CrashExplorer } from '../support/crash-explorer.js'
import { Random } from '../support/random.js'
import { SimRun } from '../support/sim-run.js'
import { TINY } from '../support/sim-store.js'
import { isReplay, seedOf, sized } from '../support/tier.js'

const STEPS = 200

/** What a step may be, and how often. */
const steps: readonly [number, string][] = [
  [40, 'put'],
  [30, 'beginPut'],
  [8, 'batch'],
  [6, 'flush'],
  [4, 'beginFlush'],
  [6, 'pass'],
  [2, 'checkpoint'],
  [2, 'expire'],
  [3, 'reopen'],
  [3, 'kill'],
  [2, 'power'],
]
const total = steps.reduce((sum, [weight]) => sum + weight, 0)

function pickStep(random: Random): string {
  let left = random.int(total)
  for (const [weight, step] of steps) {
    if (left < weight) return step
    left -= weight
  }
  return 'put'
}

async function doStep(run: SimRun, step: string, random: Random): Promise<void> {
  const bytes = (): number => (random.chance(0.1) ? random.between(1000, 3700) : random.between(0, 300))
  switch (step) {
    case 'put':
      return run.put([bytes()])
    case 'beginPut':
      return run.beginPut([bytes()])
    case 'batch':
      return run.beginPut(Array.from({ length: random.between(2, 5) }, () => random.between(0, 300)))
    case 'flush':
      return run.flush()
    case 'beginFlush':
      return run.beginFlush()
    case 'pass':
      return run.pass(random.between(1, 700))
    case 'checkpoint':
      return run.checkpoint()
    case 'expire':
      return run.expire()
    case 'reopen':
      await run.close()
      await run.open()
      return
    case 'kill':
      return run.restart('kill')
    default:
      return run.restart('power', random)
  }
}

/** Runs one seed. Returns what was explored. */
async function explore(seed: number): Promise<CrashExplorer['counts']> {
  const random = new Random(seed)
  const flush = random.pick(['sync', 'async'] as const)
  const store = { ...TINY, flush, maxUnflushedBytes: random.pick([4096, 16_384]) }
  const explorer = new CrashExplorer({ store, random: random.fork(), exhaustive: 1, samples: 1, thoroughly: 8 })
  const crashes = random.fork()
  const share = sized(0.03, 0.12)
  const latency = random.fork()
  const run = new SimRun({
    store,
    queues: 4,
    flushLatencyMs: () => latency.int(20),
    onDisk: (disk, { oracle }) => {
      let next = crashes.int(1 / share)
      disk.onOperation = (kind, path, index) => {
        if (index < next) return
        next = index + crashes.int(2 / share)
        explorer.take(disk, oracle, `before operation ${index}, ${kind} ${path}`)
      }
    },
  })
  let done = -1
  let step = ''
  try {
    while (++done < STEPS) {
      step = pickStep(random)
      run.trace.push(...run.disk.trace.splice(0), `--- step ${done}: ${step}`)
      await doStep(run, step, random)
      await explorer.drain(run.oracle)
    }
    await run.close()
    run.abandon()
  } catch (error) {
    run.abandon()
    throw new Error(`seed ${seed}, ${flush}, step ${done} (${step}): ${(error as Error).message}\n${run.fullTrace}`, {
      cause: error,
    })
  }
  return explorer.counts
}

test('long random workloads lose nothing that was promised and invent nothing', async (t) => {
  const first = seedOf(1)
  const seeds = isReplay ? 1 : sized(30, 2000)
  const sum = { points: 0, crashes: 0, states: 0, disks: 0 }
  const started = performance.now()
  for (let seed = first; seed < first + seeds; seed++) {
    const counts = await explore(seed)
    for (const key of ['points', 'crashes', 'states', 'disks'] as const) sum[key] += counts[key]
  }
  t.diagnostic(
    `${seeds} seeds from ${first}, ${STEPS} steps each, ${JSON.stringify(sum)}, ${Math.round(performance.now() - started)} ms`,
  )
})
