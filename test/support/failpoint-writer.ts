/**
 * A process that kills itself at a named place: opens a store, puts, closes, opens and puts again, with
 * every change of the disk named. Without a place it only counts, and prints the counts.
 *
 * `node failpoint-writer.js JSON`, see {@link FailpointInput}.
 */
import { systemTimers, type Timers } from '../../lib/base/system.js'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { AckLog, putLoad, smallSizes } from './load.js'
import { NamedOperations } from './named-operations.js'

/** What the process is told. */
export interface FailpointInput {
  readonly directory: string
  readonly ledger: string
  readonly round: number
  readonly flush: 'sync' | 'async'
  /** `before log.write`: where to die, at which occurrence, counted from 1. */
  readonly at?: { readonly place: string; readonly occurrence: number }
}

const { directory, ledger, round, flush, at } = JSON.parse(process.argv[2] ?? '') as FailpointInput
const counts = new Map<string, number>()
const disk = new NamedOperations(nodeDisk, directory, (name, moment) => {
  const place = `${moment} ${name}`
  const count = (counts.get(place) ?? 0) + 1
  counts.set(place, count)
  if (place === at?.place && count === at.occurrence) process.kill(process.pid, 'SIGKILL')
})
// What a store does every half a minute happens while the load lasts.
const timers: Timers = { ...systemTimers, after: (ms, action) => systemTimers.after(ms >= 10_000 ? 2 : ms, action) }
const acks = new AckLog(ledger)
for (const messages of [150, 300]) {
  const store = await MessageStore.open(directory, { ...smallSizes, flush, flushIntervalMs: 1 }, { disk, timers })
  if (store.status !== 'open') throw new Error(`the store is ${store.status}: ${JSON.stringify(store.recovery)}`)
  await putLoad(store, { round, writers: 3, window: 8, messages, first: acks.acks, acks })
  await store.close()
}
process.stdout.write(JSON.stringify(Object.fromEntries(counts)))
