/**
 * Power lost while a store recovers from power loss, and once more while it recovers from that: recovery may be
 * cut at any operation, any number of times, and what was promised stays.
 */

import { test } from 'node:test'
import { CrashExplorer } from '../support/crash-explorer.js'
import { Random } from '../support/random.js'
import type { SimDisk } from '../support/sim-disk.js'
import { SimRun } from '../support/sim-run.js'
import { openSim, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'
import type { Debt } from '../support/store-oracle.js'
import { isReplay, seedOf, sized } from '../support/tier.js'

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

test('power lost in recovery, and again in the recovery from that, takes nothing that was promised', async (t) => {
  const first = seedOf(1)
  const wanted = sized(20_000, 200_000)
  const leastSeeds = sized(4, 40)
  const sum = { points: 0, crashes: 0, states: 0, disks: 0 }
  const started = performance.now()
  let seed = first
  do {
    const counts = await explore(seed++)
    for (const key of ['points', 'crashes', 'states', 'disks'] as const) sum[key] += counts[key]
  } while (!isReplay && (sum.crashes < wanted || seed - first < leastSeeds))
  t.diagnostic(`${seed - first} seeds from ${first}, ${JSON.stringify(sum)}, ${Math.round(performance.now() - started)} ms`)
})
