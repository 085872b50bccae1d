/** Random workloads for a simulated store: what a step may be, how often, and how to run a seed of them. */

import type { StoreOptions } from '../../lib/store/options.js'
import { type Counts, CrashExplorer } from './crash-explorer.js'
import { Random } from './random.js'
import { SimRun } from './sim-run.js'
import { TINY } from './sim-store.js'
import { inShare } from './tier.js'

const DAY_MS = 86_400_000

/** What a step may be, and how often it is. */
const STEPS = {
  put: 40,
  beginPut: 30,
  batch: 8,
  flush: 6,
  beginFlush: 4,
  pass: 6,
  checkpoint: 2,
  busyCheckpoint: 1,
  expire: 2,
  reopen: 3,
  kill: 3,
  power: 2,
} as const

type Step = keyof typeof STEPS | 'clock'

/** How to run a seed. */
export interface WorkloadOptions {
  readonly steps: number
  /** Share of the disk operations before which a crash is taken. */
  readonly crashShare: number
  /** How often the wall clock is set, in a hundred steps. */
  readonly clockSteps?: number
}

/** Which seeds to run, and how. */
export interface SeedsOptions extends WorkloadOptions {
  readonly first: number
  readonly count: number
}

/** Runs seeds, one after the other. @throws {Error} as {@link runWorkload} */
export async function runSeeds({ first, count, ...options }: SeedsOptions): Promise<Counts & { seeds: number }> {
  const sum = { seeds: 0, points: 0, crashes: 0, states: 0, disks: 0 }
  for (let seed = first; seed < first + count; seed++) {
    if (count > 1 && !inShare(seed)) continue
    const counts = await runWorkload(seed, options)
    sum.seeds++
    for (const key of ['points', 'crashes', 'states', 'disks'] as const) sum[key] += counts[key]
  }
  return sum
}

/** Runs one seed and judges what every crash leaves. @throws {Error} with seed and trace when something does not hold */
export async function runWorkload(seed: number, { steps, crashShare, clockSteps = 0 }: WorkloadOptions): Promise<Counts> {
  const random = new Random(seed)
  const flush = random.pick(['sync', 'async'] as const)
  const store: StoreOptions & { flush: 'async' | 'sync' } = { ...TINY, flush, maxUnflushedBytes: random.pick([4096, 16_384]) }
  const explorer = new CrashExplorer({ store, random: random.fork(), exhaustive: 1, samples: 1, thoroughly: 8 })
  const crashes = random.fork()
  const latency = random.fork()
  const run = new SimRun({
    store,
    queues: 4,
    deletesAtAnyTime: clockSteps > 0,
    flushLatencyMs: () => latency.int(20),
    onDisk: (disk, { oracle }) => {
      let next = crashes.int(2 / crashShare)
      disk.onOperation = (kind, path, index) => {
        if (index < next) return
        next = index + 1 + crashes.int(2 / crashShare)
        explorer.take(disk, oracle, `before operation ${index}, ${kind} ${path}`)
      }
    },
  })
  let done = -1
  let step: Step = 'put'
  try {
    while (++done < steps) {
      step = pickStep(random, clockSteps)
      run.trace.push(...run.disk.trace.splice(0), `--- step ${done}: ${step}`)
      await doStep(run, step, random)
      await explorer.drain(run.oracle)
    }
    await run.close()
    run.abandon()
  } catch (error) {
    run.abandon()
    const what = `seed ${seed}, ${flush}, step ${done} (${step}): ${(error as Error).message}`
    throw new Error(`${what}\n${run.fullTrace}`, { cause: error })
  }
  return explorer.counts
}

function pickStep(random: Random, clockSteps: number): Step {
  if (random.int(100) < clockSteps) return 'clock'
  const choices = Object.entries(STEPS) as [Step, number][]
  let left = random.int(choices.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [step, weight] of choices) {
    if (left < weight) return step
    left -= weight
  }
  return 'put'
}

async function doStep(run: SimRun, step: Step, random: Random): Promise<void> {
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
    case 'busyCheckpoint':
      return busyCheckpoint(run, random)
    case 'expire':
      return run.expire()
    case 'reopen':
      await run.close()
      await run.open()
      return
    case 'kill':
      return run.restart('kill')
    case 'power':
      return run.restart('power', random)
    case 'clock':
      run.time.wallStepMs += random.pick([-1, 1, -1000, -3_600_000, 3_600_000, -DAY_MS, DAY_MS, -400 * DAY_MS, 400 * DAY_MS])
  }
}

/** Messages are put, and not yet durable, just when the views are flushed. */
async function busyCheckpoint(run: SimRun, random: Random): Promise<void> {
  await run.checkpoint()
  await run.put([10])
  await run.pass(29_700)
  for (let put = 0; put < 6; put++) {
    await run.beginPut([random.between(0, 300)])
    await run.pass(100)
  }
}
