/** Stores on a disk in memory, small enough that every kind of file rolls over. */
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { SysFlag } from '../../lib/format/record.js'
import type { Message, PutReceipt } from '../../lib/store/message.js'
import { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import type { StoredMessage } from '../../lib/store/stored-message.js'

/** Sizes that make a few hundred messages fill several files of each kind. */
export const smallSizes = {
  segmentBytes: 16 * 1024,
  queueSegmentEntries: 40,
  index: { slots: 50, entries: 200 },
} as const satisfies StoreOptions

/** A clock that moves on by itself whenever somebody looks. */
export function steppingClock(start: number, stepMs = 1): { now(): number; monotonic(): number } {
  let now = start
  return { now: () => (now += stepMs), monotonic: () => (now += stepMs) }
}

/** Where the stores of these tests stand. */
export const ROOT = '/store'

/** Opens the store on a disk. */
export function openSmall(disk: MemoryDisk, options: StoreOptions = {}, stepMs = 1): Promise<MessageStore> {
  return MessageStore.open(ROOT, { ...smallSizes, ...options }, { disk, clock: steppingClock(Date.now(), stepMs) })
}

/** The n-th message of a mix of topics, queues, tags, keys and transaction states. */
export function messageNumber(n: number): Message {
  const common = { topic: `topic-${n % 3}`, queueId: n % 2, body: `message ${n} ${'.'.repeat(n % 90)}`, tags: `t${n % 5}` }
  if (n % 17 === 3) return { ...common, sysFlag: SysFlag.transactionPrepared }
  if (n % 17 === 5) return { ...common, sysFlag: SysFlag.transactionRollback }
  if (n % 7 === 2) return { topic: 'plain', body: '' }
  return { ...common, keys: n % 4 === 0 ? [`k${n}`, `group${n % 10}`] : `k${n}` }
}

/** Puts messages `from` to `to`. */
export async function putMany(store: MessageStore, from: number, to: number): Promise<PutReceipt[]> {
  const receipts: PutReceipt[] = []
  for (let n = from; n < to; n++) receipts.push(await store.put(messageNumber(n)))
  return receipts
}

/** A closed store with messages `0` to `count`. */
export async function smallStore(
  count: number,
  options: StoreOptions = {},
): Promise<{ disk: MemoryDisk; receipts: PutReceipt[] }> {
  const disk = new MemoryDisk({ clock: { now: () => Date.now() } })
  const store = await openSmall(disk, options)
  const receipts = await putMany(store, 0, count)
  await store.close()
  return { disk, receipts }
}

/**
 * A closed store as a Java one leaves it: nothing under `ext/`, so no sums of the view files. Its messages
 * were stored so far apart that opening reads only the last few again.
 */
export async function storeWithoutSums(count: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk({ clock: { now: () => Date.now() } })
  const store = await openSmall(disk, {}, 100)
  await putMany(store, 0, count)
  await store.close()
  for (const path of filesIn(disk, `${ROOT}/ext`)) disk.remove(path)
  return disk
}

/** Flips a bit of a file. */
export function flip(disk: MemoryDisk, path: string, position: number, bit = 0): void {
  const [byte = 0] = disk.bytesOf(path, position, position + 1)
  disk.overwrite(path, position, Buffer.from([byte ^ (1 << bit)]))
}

/** The names of a directory's files, with their paths. */
export function filesIn(disk: MemoryDisk, directory: string): string[] {
  return disk.files().filter((path) => path.startsWith(`${directory}/`))
}

/** Everything that `get` returns of a queue, damaged places stepped over; keyed by queue offset. */
export async function readQueue(store: MessageStore, topic: string, queueId: number): Promise<Map<number, StoredMessage>> {
  const found = new Map<number, StoredMessage>()
  const { minOffset, maxOffset } = store.bounds(topic, queueId)
  for (let offset = minOffset; offset < maxOffset; ) {
    try {
      const { messages, nextOffset } = await store.get({ topic, queueId, offset })
      for (const message of messages) found.set(message.queueOffset, message)
      offset = nextOffset
    } catch (error) {
      offset = (error as { details: { nextOffset: number } }).details.nextOffset
    }
  }
  return found
}
