/** Opening: after a clean close, after a crash, and when all queues and the index are lost. One open per process. */
import { MessageStore } from 'mqlite'
import { type Case, messageOf } from '../workload.js'

const IN_FLIGHT = 1024

/** Puts as many messages as the plan says, many at a time. */
export async function fill(store: MessageStore, messages: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < messages) await store.put(messageOf(next++))
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

/** Loads a store and closes it. */
export const prepare: Case = async ({ plan, directory }) => {
  const store = await MessageStore.open(directory)
  await fill(store, plan.messages)
  await store.close()
  return { rounds: [] }
}

/** Loads a store and leaves it open; the process is killed afterwards. */
export const abandon: Case = async ({ plan, directory }) => {
  const store = await MessageStore.open(directory)
  await fill(store, plan.messages)
  await store.flush()
  return { rounds: [] }
}

/** Milliseconds of an open. The store stays open, so that a killed process leaves the directory as it was. */
export const openOnce: Case = async ({ directory }) => {
  const started = performance.now()
  const store = await MessageStore.open(directory)
  const ms = performance.now() - started
  const { records, scannedBytes, durationMs } = store.recovery
  if (store.status !== 'open') throw new Error(`the store is ${store.status}`)
  return { rounds: [ms], details: { records, scannedBytes, recoveryMs: durationMs } }
}

/** As `openOnce`, and closes the store. */
export const openAndClose: Case = async ({ directory }) => {
  const started = performance.now()
  const store = await MessageStore.open(directory)
  const ms = performance.now() - started
  await store.close()
  return { rounds: [ms] }
}
