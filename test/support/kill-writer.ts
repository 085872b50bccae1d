/**
 * A process that is there to be killed: opens a store, puts a load without end, and notes every message
 * that was acknowledged in a ledger. Says `acknowledged` after a
 * number of them.
 *
 * `node kill-writer.js JSON`, see {@link KillWriterInput}.
 */
import { MessageStore } from '../../lib/store/message-store.js'
import { AckLog, putLoad, smallSizes, type WriterInput } from './load.js'

/** What the process is told. */
export interface KillWriterInput extends WriterInput {
  /** After how many acknowledgements to say so. */
  readonly sayAfter: number
}

const input = JSON.parse(process.argv[2] ?? '') as KillWriterInput
const { directory, ledger, round, flush, flushIntervalMs, writers, window, sayAfter } = input
const acks = new AckLog(ledger)
acks.whenReached(sayAfter, () => process.stdout.write('acknowledged\n'))
const store = await MessageStore.open(directory, { ...smallSizes, flush, flushIntervalMs, flushTimeoutMs: 60_000 })
if (store.status !== 'open') throw new Error(`the store is ${store.status}: ${JSON.stringify(store.recovery)}`)
await putLoad(store, { round, writers, window, acks })
