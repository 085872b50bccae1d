/** Power lost while a simulated store recovers from power loss, and once more while it recovers from that. */
import { type Counts, CrashExplorer } from './crash-explorer.js'
import { Random } from './random.js'
import type { SimDisk } from './sim-disk.js'
import { SimRun } from './sim-run.js'
import { openSim, TINY } from './sim-store.js'
import { SimTime } from './sim-time.js'
import type { Debt } from './store-oracle.js'

/** A short run that ends with much under way. */
async function workload(run: SimRun, random: Random): Promise<void> {
  for (let step = random.between(1, 12); step > 0; step--) {
    const bytes = random.chance(0.2) ? random.between(1000, 3500) : random.between(0, 300)
    await random.pick([
      () => run.put([bytes]),
      () => run.beginPut([bytes, 10, 200]),
      () => run.flush(),
      () => run.pass(700),
      () => run.checkpoint(),
      () => run.expire(),
    ])()
  }
  for (let put = random.between(1, 4); put > 0; put--) await run.beginPut([random.between(0, 1500), random.between(0, 300)])
  await run.pass(random.int(8))
}

/** Recovers a disk and takes crashes on the way; those that `chosen` picks are recovered likewise, and so on. */
async function recover(disk: SimDisk, debt: Debt, explorer: CrashExplorer, random: Random, depth: number): Promise<void> {
  const time = new SimTime(1_700_020_000_000)
  const next: SimDisk[] = []
  const copy = disk.crash()
  const { store } = explorer
  copy.onOperation = (kind, path, index) => {
    explorer.take(copy, { owes: () => debt }, `in recovery ${depth}, before operation ${index}, ${kind} ${path}`)
    if (depth < 3 && random.chance(0.04)) next.push(copy.crash({ random }))
  }
  await time.run(openSim(copy, time, store))
  copy.onOperation = undefined
  explorer.take(copy, { owes: () => debt }, `after recovery ${depth}`)
  copy.powerOff()
  for (const again of next) await recover(again, debt, explorer, random, depth + 1)
}

async function explore(seed: number): Promise<CrashExplorer['counts']> {
  const random = new Random(seed)
  const flush = random.pick(['sync', 'async'] as const)
  const store = { ...TINY, flush }
  const explorer = new CrashExplorer({ store, random: random.fork(), exhaustive: 4, samples: 3, thoroughly: 8 })
  const run = new SimRun({ store, queues: 4, flushLatencyMs: () => random.int(20) })
  try {
    await workload(run, random)
    const owed = run.oracle.owes()
    const debt = { ...owed, acknowledged: owed.durable }
    const crashed = [run.disk.crash({ random, directories: 'any' }), run.disk.crash({ random }), run.disk.crash()]
    run.abandon()
    for (const disk of crashed) {
      await recover(disk, debt, explorer, random, 2)
      await explorer.drain(run.oracle)
    }
  } catch (error) {
    run.abandon()
    throw new Error(`seed ${seed}, ${flush}: ${(error as Error).message}\n${run.fullTrace}`, { cause: error })
  }
  return explorer.counts
}

/** How much to explore. */
export interface RecoveriesOptions {
  readonly first: number
  readonly leastSeeds: number
  readonly leastCrashes: number
}

/** Runs seeds until there are enough of them and of crashes. @throws {Error} with seed and trace when something does not hold */
export async function runRecoveries(options: RecoveriesOptions): Promise<Counts & { seeds: number }> {
  const { first, leastSeeds, leastCrashes } = options
  const sum = { seeds: 0, points: 0, crashes: 0, states: 0, disks: 0 }
  do {
    const counts = await explore(first + sum.seeds++)
    for (const key of ['points', 'crashes', 'states', 'disks'] as const) sum[key] += counts[key]
  } while (sum.crashes < leastCrashes || sum.seeds < leastSeeds)
  return sum
}
