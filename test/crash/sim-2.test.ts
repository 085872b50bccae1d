/**
 * Long random workloads over several queues and many segments, with messages under way when the power goes,
 * processes that end and processes that take over; and the same while the wall clock is set back and forth.
 */

import { test } from 'node:test'
import { runWorkload } from '../support/sim-workload.js'
import { isReplay, seedOf, sized } from '../support/tier.js'

const STEPS = 200

for (const { name, seeds, clockSteps } of [
  { name: 'long random workloads lose nothing that was promised and invent nothing', seeds: sized(30, 2000), clockSteps: 0 },
  { name: 'a wall clock that is set back and forth by up to 400 days costs nothing', seeds: sized(10, 500), clockSteps: 8 },
]) {
  test(name, async (t) => {
    const first = seedOf(1)
    const count = isReplay ? 1 : seeds
    const sum = { points: 0, crashes: 0, states: 0, disks: 0 }
    const started = performance.now()
    for (let seed = first; seed < first + count; seed++) {
      const counts = await runWorkload(seed, { steps: STEPS, crashShare: sized(0.06, 0.5), clockSteps })
      for (const key of ['points', 'crashes', 'states', 'disks'] as const) sum[key] += counts[key]
    }
    const took = `${Math.round(performance.now() - started)} ms`
    t.diagnostic(`${count} seeds from ${first}, ${STEPS} steps each, ${JSON.stringify(sum)}, ${took}`)
  })
}
