/**
 * SIM-1: every workload of up to three operations, power cut at every operation of the disk, and of what was
 * under way every part that may survive: what was promised is there, and nothing else.
 */

import { test } from 'node:test'
import { runApart } from '../support/apart.js'
import { runEveryWorkload } from '../support/sim-every.js'
import { seedOf, sized } from '../support/tier.js'

const module = new URL('../support/sim-every.js', import.meta.url).href

for (const flush of ['sync', 'async'] as const) {
  test(`a ${flush} store survives power loss at every operation of every workload of up to three steps`, async (t) => {
    const started = performance.now()
    const options = { flush, seed: seedOf(1), exhaustive: sized(1, 256), samples: sized(1, 24) }
    const counts = await runApart(module, runEveryWorkload, options, t.signal)
    t.diagnostic(`${JSON.stringify(counts)}, ${Math.round(performance.now() - started)} ms`)
  })
}
