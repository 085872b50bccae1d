/**
 * A job queue that survives its workers: one store for the jobs, and a worker that keeps its own place.
 *
 * The place is a message too, in a topic of its own: the newest one counts. It is written after the job is
 * done, so a worker that dies between the two does one job again, and none is ever left out.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageStore } from 'mqlite'

const JOBS = 10

/** Where the worker goes on: behind the last job that it has noted as done. */
async function nextJob(store: MessageStore): Promise<number> {
  const { maxOffset } = store.bounds('done')
  if (maxOffset === 0) return 0
  const { messages } = await store.get({ topic: 'done', offset: maxOffset - 1 })
  return Number(messages[0]!.body) + 1
}

/** Does jobs as they come. With `diesAt` it stops there as a crash would: the job done, and not noted. */
async function work(store: MessageStore, name: string, diesAt = -1): Promise<void> {
  const stop = new AbortController()
  const offset = await nextJob(store)
  console.log(`${name} begins with job ${offset}`)
  for await (const job of store.follow({ topic: 'jobs', offset, signal: stop.signal })) {
    console.log(`  ${name}: ${job.body}`)
    if (job.queueOffset === diesAt) return
    await store.put({ topic: 'done', body: String(job.queueOffset) })
    if (job.queueOffset === JOBS - 1) stop.abort()
  }
}

const directory = mkdtempSync(join(tmpdir(), 'mqlite-durable-queue-'))
try {
  let store = await MessageStore.open(directory, { flush: 'sync' })
  const first = work(store, 'the first worker', 3)
  for (let i = 0; i < JOBS / 2; i++) await store.put({ topic: 'jobs', body: `send invoice ${i}` })
  await first
  await store.close()

  // Another process, another day: the second worker does job 3 again and goes on. It waits for what is not there yet.
  store = await MessageStore.open(directory, { flush: 'sync' })
  const second = work(store, 'the second worker')
  for (let i = JOBS / 2; i < JOBS; i++) await store.put({ topic: 'jobs', body: `send invoice ${i}` })
  await second
  console.log(`done: ${await nextJob(store)} of ${JOBS} jobs`)
  await store.close()
} finally {
  rmSync(directory, { recursive: true, force: true })
}
