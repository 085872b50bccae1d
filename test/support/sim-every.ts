/** Every workload of up to three operations on a simulated store, power cut at every operation of the disk. */
import { type Counts, CrashExplorer } from './crash-explorer.js'
import { Random } from './random.js'
import type { SimDisk } from './sim-disk.js'
import { SimRun } from './sim-run.js'
import { TINY } from './sim-store.js'
import { inShare } from './tier.js'

const operations = {
  append: (run: SimRun) => run.put([60]),
  batch: (run: SimRun) => run.put([200, 200, 200]),
  flush: (run: SimRun) => run.flush(),
  roll: (run: SimRun) => run.put([3500]),
  expire: (run: SimRun) => run.expire(),
  checkpoint: (run: SimRun) => run.checkpoint(),
  close: (run: SimRun) => run.close(),
  async reopen(run: SimRun) {
    await run.close()
    await run.open()
  },
  kill: (run: SimRun) => run.restart('kill'),
}
type Operation = keyof typeof operations
const names = Object.keys(operations) as Operation[]

function* workloads(most: number): Generator<Operation[]> {
  for (let length = 1; length <= most; length++) {
    for (let n = 0; n < names.length ** length; n++) {
      yield Array.from({ length }, (_, at) => names[Math.floor(n / names.length ** (length - 1 - at)) % names.length]!)
    }
  }
}

/** Explores the last step of a workload: what leads up to it is a workload of its own. */
async function explore(workload: readonly Operation[], explorer: CrashExplorer, flush: 'async' | 'sync'): Promise<void> {
  let isLast = false
  const onDisk = (disk: SimDisk, { oracle }: SimRun): void => {
    explorer.attach(disk, oracle, () => isLast)
  }
  const run = new SimRun({ store: { ...TINY, flush }, queues: 2, onDisk })
  explorer.begin()
  try {
    for (const [step, name] of workload.entries()) {
      isLast = step === workload.length - 1
      await operations[name](run)
    }
    explorer.take(run.disk, run.oracle, 'at the end')
    run.abandon()
    await explorer.drain(run.oracle)
  } catch (error) {
    run.abandon()
    const seed = `seed ${explorer.seed}, ${flush}: ${workload.join(' ')}`
    throw new Error(`${seed}: ${(error as Error).message}\n${run.fullTrace}`, { cause: error })
  }
}

/** How far to explore each moment, see `ExplorerOptions`. */
export interface EveryWorkloadOptions {
  readonly flush: 'async' | 'sync'
  readonly seed: number
  readonly exhaustive: number
  readonly samples: number
}

/** Runs and judges all workloads. @throws {Error} with seed, workload and trace when something does not hold */
export async function runEveryWorkload(options: EveryWorkloadOptions): Promise<Counts & { workloads: number }> {
  const { flush, seed, exhaustive, samples } = options
  const random = new Random(seed)
  const explorer = new CrashExplorer({ store: { ...TINY, flush }, random, exhaustive, samples, thoroughly: 4 })
  let count = 0
  let done = 0
  for (const workload of workloads(3)) {
    if (!inShare(count++)) continue
    await explore(workload, explorer, flush)
    done++
  }
  return { workloads: done, ...explorer.counts }
}
