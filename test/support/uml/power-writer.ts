/**
 * The program of a machine whose power will be cut: puts a load without end. Beside the acknowledgements
 * its ledger gets the time, how far the store calls itself durable, and how long flushes took.
 *
 * `node power-writer.js JSON`, see {@link WriterInput}.
 */
import type { Disk, DiskFile } from '../../../lib/disk/disk.js'
import { NodeDisk } from '../../../lib/disk/node-disk.js'
import { MessageStore } from '../../../lib/store/message-store.js'
import { AckLog, putLoad, smallSizes, type WriterInput } from '../load.js'

const { directory, ledger, round, flush, flushIntervalMs, writers, window } = JSON.parse(process.argv[2] ?? '') as WriterInput
const acks = new AckLog(ledger)

class TimedDisk extends NodeDisk {
  override open(...given: Parameters<Disk['open']>): DiskFile {
    const file = super.open(...given)
    if (!file.path.includes('/commitlog/')) return file
    const flushFile = file.flush.bind(file)
    file.flush = async () => {
      const began = performance.now()
      await flushFile()
      acks.note('flushed', (performance.now() - began).toFixed(1))
    }
    return file
  }
}

const options = { ...smallSizes, flush, flushIntervalMs, flushTimeoutMs: 60_000 }
const store = await MessageStore.open(directory, options, { disk: new TimedDisk() })
if (store.status !== 'open') throw new Error(`Error: the store is ${store.status}: ${JSON.stringify(store.recovery)}`)
// Before each group of acknowledgements: what was durable and what time it was when they were given.
acks.heading = () => `at ${performance.now().toFixed(1)} ${store.metrics.snapshot()['durableEnd']}\n`
await putLoad(store, { round, writers, window, acks })
