/**
 * SIM-2: long random workloads over several queues and many segments, with messages under way when the power
 * goes, processes that end and processes that take over; and the same while the wall clock is set back and forth.
 */

import { test } from 'node:test'
import { runApart } from '../support/apart.js'
import { runSeeds } from '../support/sim-workload.js'
import { isReplay, seedOf, sized } from '../support/tier.js'

const module = new URL('../support/sim-workload.js', import.meta.url).href
const STEPS = 200
/** Share of the operations of the disk before which a crash is taken: each takes longer than hundreds of operations do. */
const crashShare = sized(0.03, 0.01, 0.03)

for (const { name, seeds, clockSteps } of [
  { name: 'long random workloads lose nothing that was promised and invent nothing', seeds: sized(3, 2000), clockSteps: 0 },
  { name: 'a wall clock that is set back and forth by up to 400 days costs nothing', seeds: sized(2, 100, 500), clockSteps: 8 },
]) {
  test(name, async (t) => {
    const first = seedOf(1)
    const count = isReplay ? 1 : seeds
    const started = performance.now()
    const counts = await runApart(module, runSeeds, { first, count, steps: STEPS, crashShare, clockSteps }, t.signal)
    const took = `${Math.round(performance.now() - started)} ms`
    t.diagnostic(`seeds from ${first}, ${STEPS} steps each, ${JSON.stringify(counts)}, ${took}`)
  })
}
