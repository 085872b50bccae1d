/** Memory of the process: many messages put and read, and many queues. Each runs once in a process of its own. */
import { MessageStore } from 'mqlite'
import { BODY, type Case, perSecond } from '../workload.js'
import { fill } from './open.js'
import { readAll } from './read.js'

const MIB = 1024 * 1024
const MANY_QUEUES = 10_000

export const putThenRead: Case = async ({ plan, directory }) => {
  const store = await MessageStore.open(directory)
  await fill(store, plan.messages)
  const afterPuts = process.memoryUsage.rss() / MIB
  const count = await readAll(store, () => {})
  if (count !== plan.messages) throw new Error(`${count} messages were read`)
  const peak = process.resourceUsage().maxRSS / 1024
  await store.close()
  return { rounds: [peak], details: { afterPuts, afterReads: process.memoryUsage.rss() / MIB, peak } }
}

/** Puts round robin into 10,000 queues. The figure is the rate; memory stands in the details. */
export const manyQueues: Case = async ({ plan, directory }) => {
  const store = await MessageStore.open(directory)
  const before = process.memoryUsage.rss() / MIB
  const messages = Math.max(plan.messages, 2 * MANY_QUEUES)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < messages) {
      const i = next++
      await store.put({ topic: `many-${i % 100}`, queueId: Math.trunc(i / 100) % 100, tags: 'tag', keys: [`k${i}`], body: BODY })
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: 64 }, worker))
  const rate = perSecond(messages, performance.now() - started)
  const peak = process.resourceUsage().maxRSS / 1024
  const { maxOffset } = store.bounds('many-99', 99)
  if (maxOffset < 2) throw new Error(`the last queue holds ${maxOffset} messages`)
  const closing = performance.now()
  await store.close()
  return { rounds: [rate], details: { before, peak, closeMs: performance.now() - closing } }
}
