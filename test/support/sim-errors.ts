/** A workload on a simulated store, of which one operation of the disk fails after the other. */
import assert from 'node:assert/strict'
import { MessageStoreError } from '../../lib/base/errors.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { Random } from './random.js'
import type { SimDisk } from './sim-disk.js'
import type { Fault } from './sim-faults.js'
import { SimRun } from './sim-run.js'
import { openSim, QUEUES, readStore, TINY } from './sim-store.js'
import { SimTime } from './sim-time.js'
import type { Ending } from './store-oracle.js'
import { inShare } from './tier.js'

const CODES = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EACCES', 'EROFS'] as const

/** Everything a store does, in few steps. */
const workload: readonly ((run: SimRun) => Promise<void>)[] = [
  (run) => run.put([60]),
  (run) => run.put([200, 200, 200]),
  (run) => run.flush(),
  (run) => run.beginPut([100]),
  (run) => run.put([3500]),
  (run) => run.checkpoint(),
  (run) => run.put([2500]),
  readAll,
  (run) => run.put([3000]),
  (run) => run.expire(),
  (run) => run.put([100]),
  async (run) => {
    await run.close()
    await run.open()
  },
  (run) => run.put([50]),
  (run) => run.put([3000]),
  (run) => run.checkpoint(),
  (run) => run.close(),
]

async function readAll(run: SimRun): Promise<void> {
  const store = await run.open()
  for (const { topic, queueId } of QUEUES) await store.get({ topic, queueId, offset: 0 })
  await store.query({ topic: 'even', key: 'g0' })
}

/** Any error of ours will do; a bare `DiskError` or a broken invariant will not. */
function checkError(error: unknown): void {
  if (!(error instanceof MessageStoreError)) throw error
}

/** Runs the workload with one fault; returns whether it struck. */
async function runWith(fault: Fault, policy: 'async' | 'sync', random: Random): Promise<boolean> {
  const store: StoreOptions & { flush: 'async' | 'sync' } = { ...TINY, flush: policy, disk: { cleanAt: 0, refuseAt: 1 } }
  const run = new SimRun({ store, queues: 2, onDisk: (disk) => disk.inject(fault) })
  const { disk } = run
  try {
    for (const step of workload) await attempt(run, step)
    const isStruck = disk.faults.struck(fault) > 0
    disk.faults.heal()
    await attempt(run, () => run.close())
    assert.equal(disk.openHandles, 0, 'no file is left open')
    // The latter ends the process, so it comes last.
    for (const ending of ['power', 'power', 'kill'] as const) await judge(run, ending, random)
    return isStruck
  } catch (error) {
    run.abandon()
    const what = `${fault.code} at operation ${fault.skip}, ${fault.times === 1 ? 'once' : 'for ever'}, ${policy}`
    throw new Error(`${what}: ${(error as Error).message}\n${run.fullTrace}`, { cause: error })
  }
}

/** A step may fail, and is then tried no second time; a store that has failed is opened anew. */
async function attempt(run: SimRun, step: (run: SimRun) => Promise<void>): Promise<void> {
  try {
    await step(run)
  } catch (error) {
    checkError(error)
    run.trace.push(`    ${String(error)}`)
  }
  if (run.store === undefined || run.store.status === 'open') return
  try {
    await run.close()
  } catch (error) {
    checkError(error)
    run.trace.push(`    ${String(error)}`)
  }
}

async function judge(run: SimRun, ending: Ending, random: Random): Promise<void> {
  const debt = run.oracle.owes()
  const disk: SimDisk = ending === 'kill' ? run.disk.kill() : run.disk.crash({ random })
  const time = new SimTime(1_700_030_000_000)
  const options: StoreOptions = { ...TINY, disk: { cleanAt: 0, refuseAt: 1 } }
  const store = await time.run(openSim(disk, time, options))
  assert.deepEqual(store.recovery.corruption, [], 'a failing operation is no corruption')
  run.oracle.judge(await readStore(store, options), debt, ending)
  await time.run(store.close())
  assert.equal(disk.openHandles, 0)
}

/** Which operations to let fail. */
export interface ErrorsOptions {
  readonly policy: 'async' | 'sync'
  readonly seed: number
  /** One operation in so many. */
  readonly every: number
}

/** Lets operations fail, with each error, once and for ever. @throws {Error} with fault and trace when something does not hold */
export async function runErrors({ policy, seed, every }: ErrorsOptions): Promise<{ cases: number; operations: number }> {
  const random = new Random(seed)
  let cases = 0
  let operations = 0
  for (const code of CODES) {
    for (const times of [1, Number.POSITIVE_INFINITY]) {
      for (let skip = cases % every, struck = true; struck; skip += every) {
        const partialBytes = random.chance(0.5) ? random.int(600) : 0
        if (!inShare(Math.floor(skip / every))) continue
        struck = await runWith({ code, skip, times, partialBytes }, policy, random)
        cases++
        operations = Math.max(operations, skip)
      }
    }
  }
  return { cases, operations }
}
