/**
 * Every workload of up to three operations, power cut at every operation of the disk, and of what was under way
 * every part that may survive: what was promised is there, and nothing else.
 */

import { test } from 'node:test'
import { CrashExplorer } from '../support/crash-explorer.js'
import { Random } from '../support/random.js'
import type { SimDisk } from '../support/sim-disk.js'
import { SimRun } from '../support/sim-run.js'
import { TINY } from '../support/sim-store.js'
import { seedOf, sized } from '../support/tier.js'

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

for (const flush of ['sync', 'async'] as const) {
  test(`a ${flush} store survives power loss at every operation of every workload of up to three steps`, async (t) => {
    const started = performance.now()
    const explorer = new CrashExplorer({
      store: { ...TINY, flush },
      random: new Random(seedOf(1)),
      exhaustive: sized(32, 1024),
      samples: sized(8, 64),
      thoroughly: 4,
    })
    let count = 0
    for (const workload of workloads(3)) {
      await explore(workload, explorer, flush)
      count++
    }
    t.diagnostic(`${count} workloads, ${JSON.stringify(explorer.counts)}, ${Math.round(performance.now() - started)} ms`)
  })
}
