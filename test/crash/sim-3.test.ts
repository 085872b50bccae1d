/**
 * SIM-3: power lost while a store recovers from power loss, and once more while it recovers from that: recovery
 * may be cut at any operation, any number of times, and what was promised stays.
 */

import { test } from 'node:test'
import { runApart } from '../support/apart.js'
import { runRecoveries } from '../support/sim-recovery.js'
import { isReplay, seedOf, sized } from '../support/tier.js'

const module = new URL('../support/sim-recovery.js', import.meta.url).href

test('power lost in recovery, and again in the recovery from that, takes nothing that was promised', async (t) => {
  const first = seedOf(1)
  const started = performance.now()
  const size = { leastSeeds: sized(2, 20), leastCrashes: sized(20_000, 200_000) }
  const counts = await runApart(
    module,
    runRecoveries,
    { first, ...(isReplay ? { leastSeeds: 1, leastCrashes: 0 } : size) },
    t.signal,
  )
  t.diagnostic(`seeds from ${first}, ${JSON.stringify(counts)}, ${Math.round(performance.now() - started)} ms`)
})
