/**
 * Runs one case in a process of its own, tells the outcome, and waits to be ended.
 *
 * The details say how long the whole case took and how much of that the processor worked for this process: far
 * less on a case that waits for no disk means that the machine was busy with something else.
 */
import { type CaseName, cases } from './cases/index.js'
import type { Job } from './workload.js'

process.once('message', async (message) => {
  const { name, job } = message as { name: CaseName; job: Job }
  const run = await cases[name]()
  const started = performance.now()
  const before = process.cpuUsage()
  const { rounds, details } = await run(job)
  const { user, system } = process.cpuUsage(before)
  const whole = { wallMs: Math.round(performance.now() - started), cpuMs: Math.round((user + system) / 1000) }
  process.send?.({ rounds, details: { ...details, ...whole } })
})
