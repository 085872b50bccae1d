/**
 * The load of the crash tests: messages that can be made again from two numbers, and the ledger of those
 * that were acknowledged.
 *
 * Message `n` of round `r` has the key `r-n`, and its body, queue, tags and length follow from the two, so
 * a checker in another process can tell what it must find. Numbers are given out in the order of the puts.
 *
 * The ledger is a file of lines `n topic queueId queueOffset commitLogOffset crc`, written after the promise
 * of the put had resolved. A line that the crash cut off is no line.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Message, PutReceipt } from '../../lib/store/message.js'
import type { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { Random } from './random.js'

/** What a process is told that puts until it, or its machine, is killed. */
export interface WriterInput {
  readonly directory: string
  readonly ledger: string
  readonly round: number
  readonly flush: 'sync' | 'async'
  readonly flushIntervalMs: number
  readonly writers: number
  readonly window: number
}

/** Small files, so that a short run crosses the ends of segments, queue files and index files. */
export const smallSizes = {
  segmentBytes: 256 * 1024,
  queueSegmentEntries: 400,
  index: { slots: 512, entries: 5000 },
  readCacheBytes: 1024 * 1024,
} as const satisfies StoreOptions

/** Still smaller, for loads of a few hundred messages. */
export const tinySizes = {
  segmentBytes: 16 * 1024,
  queueSegmentEntries: 20,
  index: { slots: 16, entries: 64 },
  readCacheBytes: 64 * 1024,
} as const satisfies StoreOptions

const TOPICS = ['orders', 'payments', 'a-topic-with-a-longer-name']
const QUEUES = 3

/** All queues that the load writes to. */
export const loadQueues: readonly { topic: string; queueId: number }[] = TOPICS.flatMap((topic) =>
  Array.from({ length: QUEUES }, (_, queueId) => ({ topic, queueId })),
)

/** Mixes two numbers into 32 bits. */
function mixed(round: number, n: number): number {
  let x = Math.imul(round ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35)
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d)
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39)
  return (x ^ (x >>> 15)) >>> 0
}

/** Message `n` of a round. */
export function messageOf(round: number, n: number): Message & { body: Buffer; keys: string } {
  const chance = mixed(round, n)
  const { topic, queueId } = loadQueues[chance % loadQueues.length]!
  const keys = `${round}-${n}`
  const bodyBytes = chance % 97 === 0 ? 8000 + (chance % 4000) : (chance >>> 8) % 300
  const body = Buffer.alloc(bodyBytes, `${keys}|`)
  return { topic, queueId, keys, body, tags: `t${(chance >>> 4) % 5}`, flag: n & 0x7fffffff }
}

/** One acknowledged message. */
export interface Ack {
  readonly n: number
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly crc: number
}

/** Appends acknowledgements to a file as they come; the lines of one turn go in one write. */
export class AckLog {
  readonly #fd: number
  #lines = ''
  #asked = false
  #acks = 0
  /** Gives a line that goes before each group of acknowledgements. */
  heading: (() => string) | undefined
  #awaited = Number.POSITIVE_INFINITY
  #onReached: (() => void) | undefined

  constructor(path: string) {
    this.#fd = openSync(path, 'a')
  }

  /** How many were written. */
  get acks(): number {
    return this.#acks
  }

  /** Calls `action` once so many acknowledgements are in the file. */
  whenReached(count: number, action: () => void): void {
    this.#awaited = count
    this.#onReached = action
  }

  /** Notes an acknowledged message. */
  add(n: number, receipt: PutReceipt, body: Uint8Array): void {
    const { topic, queueId, queueOffset, commitLogOffset } = receipt
    if (this.#lines === '') this.#lines = this.heading?.() ?? ''
    this.#lines += `${n} ${topic} ${queueId} ${queueOffset} ${commitLogOffset} ${crc32(body)}\n`
    this.#acks += 1
    if (this.#asked) return
    this.#asked = true
    queueMicrotask(() => this.#write())
  }

  /** Notes anything else, as a line that begins with a word. */
  note(word: string, text = ''): void {
    this.#write()
    writeSync(this.#fd, `${word} ${text}\n`)
  }

  /** Closes the file. */
  close(): void {
    this.#write()
    closeSync(this.#fd)
  }

  #write(): void {
    this.#asked = false
    if (this.#lines === '') return
    writeSync(this.#fd, this.#lines)
    this.#lines = ''
    if (this.#acks < this.#awaited) return
    this.#awaited = Number.POSITIVE_INFINITY
    this.#onReached?.()
  }
}

/** What a ledger holds: acknowledgements and notes, in the order in which they were written. */
export interface Ledger {
  readonly acks: Ack[]
  readonly notes: { word: string; text: string; afterAcks: number }[]
}

/** Reads a ledger; absent is empty. */
export function readLedger(path: string): Ledger {
  const ledger: Ledger = { acks: [], notes: [] }
  let text = ''
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
  }
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue
    const [first = '', topic = '', queueId, queueOffset, commitLogOffset, crc] = line.split(' ')
    if (/^\d/.test(first)) {
      ledger.acks.push({
        n: Number(first),
        topic,
        queueId: Number(queueId),
        queueOffset: Number(queueOffset),
        commitLogOffset: Number(commitLogOffset),
        crc: Number(crc),
      })
    } else {
      ledger.notes.push({ word: first, text: line.slice(first.length + 1), afterAcks: ledger.acks.length })
    }
  }
  return ledger
}

/** How a load is put. */
export interface LoadOptions {
  readonly round: number
  /** How many writers put at the same time, each waiting for its own. */
  readonly writers: number
  /** Most messages that a writer puts before it waits. */
  readonly window: number
  /** Number of the first message. @default 0 */
  readonly first?: number
  /** How many messages to put in all. @default no end */
  readonly messages?: number
  readonly acks: AckLog
  /** Gets the errors of puts of `count` messages from `first` on. Without it an error ends the load. @returns whether to go on */
  readonly onError?: (error: unknown, first: number, count: number) => boolean
  /** Told of the next number each time that some were given out. */
  readonly onNumber?: (next: number) => void
  /** Called by each writer before it puts again; what it returns is waited for. */
  readonly pause?: () => Promise<void> | undefined
}

/** Puts a load until it is done or an error ends it. Singly for the most part, now and then as a batch. */
export async function putLoad(store: MessageStore, options: LoadOptions): Promise<void> {
  const { round, writers, window, acks, onError, onNumber, pause } = options
  let next = options.first ?? 0
  const end = next + (options.messages ?? Number.POSITIVE_INFINITY)
  let ended = false
  const failed = (error: unknown, first: number, count: number): void => {
    if (onError === undefined) throw error
    if (!onError(error, first, count)) ended = true
  }
  const putOne = (n: number): Promise<void> => {
    const message = messageOf(round, n)
    return store.put(message).then(
      (receipt) => {
        if (receipt.status === 'PUT_OK') acks.add(n, receipt, message.body)
      },
      (error) => failed(error, n, 1),
    )
  }
  const putSome = (first: number, count: number): Promise<void> => {
    const batch = Array.from({ length: count }, (_, i) => messageOf(round, first + i))
    return store.putBatch(batch).then(
      (receipts) => {
        for (const [i, receipt] of receipts.entries()) {
          if (receipt.status === 'PUT_OK') acks.add(first + i, receipt, batch[i]!.body)
        }
      },
      (error) => failed(error, first, count),
    )
  }
  const writer = async (random: Random): Promise<void> => {
    while (!ended && next < end) {
      await pause?.()
      if (ended || next >= end) return
      const count = Math.min(random.between(1, window), end - next)
      const first = next
      next += count
      onNumber?.(next)
      if (count > 1 && random.chance(0.1)) await putSome(first, count)
      else await Promise.all(Array.from({ length: count }, (_, i) => putOne(first + i)))
    }
  }
  const seeds = new Random(round + 1)
  await Promise.all(Array.from({ length: writers }, () => writer(seeds.fork())))
}
