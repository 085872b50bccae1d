/**
 * SIM-4: one operation of the disk fails, then the next in another run, and so on until the workload goes
 * through: once, and from then on for ever. Nothing hangs, nothing leaks, every error is one of ours, and what
 * was acknowledged is there afterwards, after the end of the process as after power loss.
 */

import { test } from 'node:test'
import { runApart } from '../support/apart.js'
import { runErrors } from '../support/sim-errors.js'
import { seedOf, sized } from '../support/tier.js'

const module = new URL('../support/sim-errors.js', import.meta.url).href

for (const policy of ['sync', 'async'] as const) {
  test(`whatever operation of the disk fails, a ${policy} store loses nothing acknowledged, does not hang and does not leak`, async (t) => {
    const started = performance.now()
    const seed = seedOf(1)
    const { cases, operations } = await runApart(module, runErrors, { policy, seed, every: sized(43, 1) }, t.signal)
    t.diagnostic(`${cases} cases over ${operations} operations, seed ${seed}, ${Math.round(performance.now() - started)} ms`)
  })
}
