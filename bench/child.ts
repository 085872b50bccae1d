/** Runs one case in a process of its own, tells the outcome, and waits to be ended. */
import { type CaseName, cases } from './cases/index.js'
import type { Job } from './workload.js'

process.once('message', async (message) => {
  const { name, job } = message as { name: CaseName; job: Job }
  const run = await cases[name]()
  process.send?.(await run(job))
})
