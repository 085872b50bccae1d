/**
 * A process whose system calls fail: opens a store, puts, closes, and does it all again, going on after
 * every error as a careful user would. The ledger gets, beside the acknowledgements, each error that it
 * met, and the moment in which the store was told of a failed flush.
 *
 * `node syscall-writer.js JSON`, see {@link SyscallWriterInput}.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageStoreError } from '../../lib/base/errors.js'
import type { Disk, DiskFile } from '../../lib/disk/disk.js'
import { NodeDisk } from '../../lib/disk/node-disk.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { AckLog, putLoad, tinySizes } from './load.js'

/** What the process is told. */
export interface SyscallWriterInput {
  readonly directory: string
  readonly ledger: string
  readonly round: number
  readonly flush: 'sync' | 'async'
  /** Messages to put each of the two times. */
  readonly messages: number
}

const { directory, ledger, round, flush, messages } = JSON.parse(process.argv[2] ?? '') as SyscallWriterInput
const acks = new AckLog(ledger)

/** Notes a failed flush before the store hears of it. */
class WatchedDisk extends NodeDisk {
  override open(...given: Parameters<Disk['open']>): DiskFile {
    const file = super.open(...given)
    const flushFile = file.flush.bind(file)
    file.flush = () => flushFile().catch(flushFailed)
    return file
  }

  override flushDirectory(path: string): Promise<void> {
    return super.flushDirectory(path).catch(flushFailed)
  }
}

function flushFailed(error: unknown): never {
  acks.note('flush-failed', String((error as Error).message))
  throw error
}

function noteError(doing: string, error: unknown): string {
  const code = error instanceof MessageStoreError ? error.code : `untyped ${String((error as Error).stack ?? error)}`
  acks.note(doing, code.replaceAll('\n', ' '))
  return code
}

async function openPatiently(): Promise<MessageStore> {
  for (let attempt = 0; ; attempt++) {
    try {
      const options = { ...tinySizes, flush, flushIntervalMs: 2 }
      return await MessageStore.open(directory, options, { disk: new WatchedDisk() })
    } catch (error) {
      noteError('open', error)
      if (attempt === 2) throw error
    }
  }
}

let next = 0
for (const goal of [messages, 2 * messages]) {
  // A store that failed or went read-only is closed and opened again; it then has what was put.
  for (let attempt = 0; next < goal && attempt < 4; attempt++) {
    const store = await openPatiently()
    acks.note('opened', store.status)
    let isFull = false
    let stop = false
    await putLoad(store, {
      round,
      writers: 3,
      window: 6,
      first: next,
      messages: goal - next,
      acks,
      onNumber: (n) => {
        next = n
      },
      onError: (error, first, count) => {
        const code = noteError(`put-${first}-${count}`, error)
        isFull ||= code === 'DISK_FULL'
        stop ||= code !== 'DISK_FULL' && code !== 'DISK_ERROR'
        return !stop
      },
      pause: () => {
        if (!isFull) return undefined
        isFull = false
        return sleep(250)
      },
    })
    await store.close().catch((error) => noteError('close', error))
  }
}
acks.note('done', String(next))
acks.close()
