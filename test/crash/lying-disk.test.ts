/** Controls: on a disk that says that it flushed and did not, the checks of the simulation must fail. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../support/random.js'
import { SimRun } from '../support/sim-run.js'
import { TINY } from '../support/sim-store.js'

const SEEDS = 50

/** Whether a short run on a disk passes all checks after power loss. */
async function passes(seed: number, flush: 'async' | 'sync', isLying: boolean): Promise<boolean> {
  const random = new Random(seed)
  const run = new SimRun({
    store: { ...TINY, flush },
    queues: 2,
    onDisk: (disk) => {
      disk.isLying = isLying
    },
  })
  try {
    for (let put = random.between(3, 12); put > 0; put--) await run.put([random.between(0, 1500)])
    await run.flush()
    await run.restart('power', random)
    return true
  } catch (error) {
    if (!isLying) throw error
    return false
  } finally {
    run.abandon()
  }
}

for (const flush of ['sync', 'async'] as const) {
  test(`the checks notice a disk that ignores the flushes of a ${flush} store`, async (t) => {
    let noticed = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      assert.ok(await passes(seed, flush, false), 'an honest disk passes')
      if (!(await passes(seed, flush, true))) noticed++
    }
    t.diagnostic(`${noticed} of ${SEEDS} lies were noticed`)
    // A crash may happen to leave everything, so not each of them shows.
    assert.ok(noticed > SEEDS / 2, `only ${noticed} of ${SEEDS} lies were noticed`)
  })
}
