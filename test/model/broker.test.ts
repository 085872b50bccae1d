/**
 * MODEL of the broker: random sends, deliveries, acknowledgements, retries, members that come and go, closes, kills and
 * power cuts, against a few sets in memory. What has to hold stands in `test/support/broker-model.ts`.
 */
import { test } from 'node:test'
import { runApart } from '../support/apart.js'
import { runBrokers } from '../support/broker-model.js'
import { seedOf, sized } from '../support/tier.js'

const module = new URL('../support/broker-model.js', import.meta.url).href

for (const isOrdered of [false, true]) {
  test(`a group loses nothing, whatever happens${isOrdered ? ', in order' : ''}`, { timeout: 20 * 60_000 }, async (t) => {
    const seed = seedOf(20_261_121)
    const numRuns = sized(12, 1000)
    await runApart(module, runBrokers, { isOrdered, numRuns, seed }, t.signal)
    t.diagnostic(`${numRuns} runs, seed ${seed}`)
  })
}
