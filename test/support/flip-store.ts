/** Small complete stores to damage, and the judgement on what is read from them afterwards. */
import type { MemoryDisk, MemorySnapshot } from '../../lib/disk/memory-disk.js'
import { MessageStore, MessageStoreError, type PutReceipt, type StoredMessage, type StoreOptions } from '../../lib/index.js'
import { root } from './open-store.js'
import { SimDisk } from './sim-disk.js'

/** Sizes at which a few dozen messages fill several files of each kind. */
export const flipSizes = {
  segmentBytes: 1024,
  queueSegmentEntries: 4,
  index: { slots: 3, entries: 12 },
  // Less to allocate for each of many openings.
  tailBytes: 0,
  readCacheBytes: 65_536,
} as const satisfies StoreOptions

/** A message that was acknowledged and durable. */
export interface Known {
  readonly receipt: PutReceipt
  readonly body: string
  readonly tags: string
  readonly key: string
}

/** A store at rest. */
export interface StoreImage {
  readonly name: string
  readonly snapshot: MemorySnapshot
  readonly known: readonly Known[]
  /** Every file with the number of bytes that are worth damaging: trailing zeros but for a few are left out. */
  readonly files: readonly { path: string; bytes: number }[]
}

const QUEUES = [
  ['orders', 0],
  ['orders', 1],
  ['refunds', 0],
] as const
const MESSAGES = 16

/** A store that was closed, or one whose process ended. */
export async function storeImage(ending: 'closed' | 'killed', options: StoreOptions = {}): Promise<StoreImage> {
  const disk = new SimDisk({ clock: { now: () => 1_700_000_000_000 } })
  let store = await MessageStore.open(root, { ...flipSizes, flush: 'sync', ...options }, { disk })
  const known: Known[] = []
  for (let i = 0; i < MESSAGES; i++) {
    // Half of it is in view files already when the process ends.
    if (i === MESSAGES / 2) {
      await store.close()
      store = await MessageStore.open(root, { ...flipSizes, flush: 'sync', ...options }, { disk })
    }
    const [topic, queueId] = QUEUES[i % QUEUES.length]!
    const body = `message ${i} `.repeat(1 + (i % 4))
    const tags = i % 2 === 0 ? 'even' : 'odd'
    const key = `k${i}`
    known.push({ receipt: await store.put({ topic, queueId, body, tags, keys: [key, 'all'] }), body, tags, key })
  }
  if (ending === 'closed') await store.close()
  const { live } = ending === 'closed' ? disk : disk.kill()
  const files = live.files().map((path) => ({ path, bytes: usefulBytes(live.bytesOf(path)) }))
  return { name: ending, snapshot: live.snapshot(), known, files: files.filter(({ bytes }) => bytes > 0) }
}

function usefulBytes(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return Math.min(bytes.length, end + 24)
}

/** What is wrong with what was read; the first thing found. */
export interface Verdict {
  /** What the store said: everything is there, some of it is damaged, or it did not open. */
  readonly outcome: 'intact' | 'reported' | 'refused'
  /** A wrong message, or one that is missing without a word. */
  readonly wrong: string | undefined
  /** A message that the damage did not touch and that is not served any more, or an offset that is given out again. */
  readonly dropped: string | undefined
}

/**
 * Opens a damaged store and reads everything by queue, key, tag and id.
 *
 * @param touches - whether the damage touched these bytes of the log
 */
export async function judge(
  disk: MemoryDisk,
  image: StoreImage,
  touches: (from: number, to: number) => boolean,
  options: StoreOptions = {},
): Promise<Verdict> {
  let store: MessageStore
  try {
    store = await MessageStore.open(root, { ...flipSizes, ...options }, { disk })
  } catch (error) {
    if (!(error instanceof MessageStoreError)) return { outcome: 'refused', wrong: `open: ${String(error)}`, dropped: undefined }
    return { outcome: 'refused', wrong: undefined, dropped: undefined }
  }
  try {
    return await new Judge(store, image, touches).judge()
  } finally {
    await store.close()
  }
}

class Judge {
  readonly #store: MessageStore
  readonly #image: StoreImage
  readonly #touches: (from: number, to: number) => boolean
  /** Messages by name of queue and offset, that were read from queues. */
  readonly #served = new Map<string, StoredMessage>()
  readonly #told = new Set<string>()
  #wrong: string | undefined
  #dropped: string | undefined
  #reported: boolean

  constructor(store: MessageStore, image: StoreImage, touches: (from: number, to: number) => boolean) {
    this.#store = store
    this.#image = image
    this.#touches = touches
    this.#reported = store.recovery.corruption.length > 0
  }

  async judge(): Promise<Verdict> {
    for (const [topic, queueId] of QUEUES) await this.#walk(topic, queueId)
    for (const known of this.#image.known) await this.#check(known)
    await this.#checkTags()
    await this.#checkNext()
    return { outcome: this.#reported ? 'reported' : 'intact', wrong: this.#wrong, dropped: this.#dropped }
  }

  async #walk(topic: string, queueId: number): Promise<void> {
    for (let offset = 0; ; ) {
      try {
        const { messages, nextOffset } = await this.#store.get({ topic, queueId, offset, maxMessages: 5 })
        for (const message of messages) this.#served.set(`${topic}/${queueId}/${message.queueOffset}`, message)
        if (nextOffset <= offset) return
        offset = nextOffset
      } catch (error) {
        this.#tell(error)
        const { offset: at = offset, nextOffset = offset + 1 } = (error as MessageStoreError).details as Record<string, number>
        this.#told.add(`${topic}/${queueId}/${at}`)
        if (offset > 100) return
        offset = Math.max(offset + 1, nextOffset)
      }
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof MessageStoreError)) this.#wrong ??= String((error as Error).stack)
    this.#reported = true
  }

  async #check(known: Known): Promise<void> {
    const { receipt, key } = known
    const { topic, queueId, queueOffset, commitLogOffset, size, messageId } = receipt
    const name = `${topic}/${queueId}/${queueOffset}`
    const served = this.#served.get(name)
    if (served !== undefined) this.#compare(name, known, served)
    const isTouched = this.#touches(commitLogOffset, commitLogOffset + size)
    const { corruption } = this.#store.recovery
    const isTold =
      this.#told.has(name) || corruption.some(({ from, to }) => commitLogOffset < to && commitLogOffset + size > from)
    if (served === undefined && !isTold) this.#wrong ??= `${name} is missing and nobody says so`
    if (served === undefined && !isTouched) this.#dropped ??= `${name} is not served`
    try {
      const found = await this.#store.lookup(messageId)
      if (found !== undefined) this.#compare(`${name} by id`, known, found)
      else if (!isTouched) this.#dropped ??= `${name} is not found by id`
      const hits = await this.#store.query({ topic, key })
      if (hits.length > 1) this.#wrong ??= `${key} has ${hits.length} hits`
      if (hits[0] !== undefined) this.#compare(`${name} by key`, known, hits[0])
      else if (!isTouched) this.#wrong ??= `${name} is not found by key`
    } catch (error) {
      this.#tell(error)
    }
  }

  #compare(name: string, { receipt, body, tags, key }: Known, message: StoredMessage): void {
    const { topic, queueId, queueOffset, commitLogOffset, size, storeTimestamp } = receipt
    const wanted = [topic, queueId, queueOffset, commitLogOffset, size, storeTimestamp, body, tags, key, 'all']
    const { keys } = message
    const found = [
      message.topic,
      message.queueId,
      message.queueOffset,
      message.commitLogOffset,
      message.size,
      message.storeTimestamp,
    ]
    const all = [...found, message.body.toString(), message.tags, ...keys]
    if (JSON.stringify(all) !== JSON.stringify(wanted)) this.#wrong ??= `${name} is ${JSON.stringify(all)}`
  }

  /** What a filter lets through must be what it would let through of the whole queue. */
  async #checkTags(): Promise<void> {
    for (const [topic, queueId] of QUEUES) {
      for (let offset = 0; ; ) {
        try {
          const { messages, nextOffset } = await this.#store.get({ topic, queueId, offset, tags: 'even' })
          for (let at = offset; at < nextOffset; at++) {
            const inQueue = this.#served.get(`${topic}/${queueId}/${at}`)
            const isHere = messages.some(({ queueOffset }) => queueOffset === at)
            if ((inQueue?.tags === 'even') !== isHere) this.#wrong ??= `${topic}/${queueId}/${at} with the tag even: ${isHere}`
          }
          if (nextOffset <= offset) break
          offset = nextOffset
        } catch (error) {
          this.#tell(error)
          const { nextOffset = offset + 1 } = (error as MessageStoreError).details as Record<string, number>
          if (offset > 100) return
          offset = Math.max(offset + 1, nextOffset)
        }
      }
    }
  }

  /** The next message of each queue must not take the place of another. */
  async #checkNext(): Promise<void> {
    if (this.#store.status !== 'open') {
      if (this.#store.recovery.corruption.length === 0)
        this.#wrong ??= `the store is ${this.#store.status} and no corruption is told`
      this.#reported = true
      return
    }
    const { known } = this.#image
    const end = Math.max(...known.map(({ receipt }) => receipt.commitLogOffset + receipt.size))
    for (const [topic, queueId] of QUEUES) {
      const count = known.filter(({ receipt }) => receipt.topic === topic && receipt.queueId === queueId).length
      const { queueOffset, commitLogOffset } = await this.#store.put({ topic, queueId, body: 'next' })
      if (queueOffset < count) this.#dropped ??= `${topic}/${queueId} goes on at ${queueOffset} of ${count}`
      if (commitLogOffset < end) this.#dropped ??= `the log goes on at ${commitLogOffset} of ${end}`
    }
  }
}
