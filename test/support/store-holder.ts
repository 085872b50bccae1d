/**
 * Opens a store in a process or thread of its own, says how that went, and holds it until told to stop.
 *
 * `node store-holder.js JSON`, or as a worker with the same as its data.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessageStoreError } from '../../lib/base/errors.js'
import { NodeDisk } from '../../lib/disk/node-disk.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { smallSizes } from './load.js'

/** What the holder is told. */
export interface StoreHolderInput {
  readonly directory: string
  /** Whether it may lock with `fs-ext`. */
  readonly native: boolean
}

/** How it went. */
export type StoreHolderOutcome = { opened: true } | { code: string; message: string }

const { directory, native } = (parentPort ? workerData : JSON.parse(process.argv[2] ?? '')) as StoreHolderInput
const disk = new NodeDisk({ nativeLocks: native })
const opened = await MessageStore.open(directory, smallSizes, { disk }).catch((error: MessageStoreError) => error)
const outcome: StoreHolderOutcome =
  opened instanceof MessageStore ? { opened: true } : { code: opened.code, message: opened.message }
const stop = async (): Promise<void> => {
  if (opened instanceof MessageStore) await opened.close()
}

if (parentPort) {
  const port = parentPort
  port.postMessage(outcome)
  port.once('message', () => void stop().then(() => port.close()))
} else {
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
  process.stdin.once('data', () => void stop().then(() => process.exit(0)))
}
