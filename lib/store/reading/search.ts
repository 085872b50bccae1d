/** Finding messages by key, by id and by time. */
import { checkQueue, checkRequest, MessageStoreError, shown } from '../../base/errors.js'
import { indexKeyHash } from '../../format/hash.js'
import { decodeOffsetMessageId } from '../../format/message-id.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import type { QueryRequest } from '../message.js'
import type { StoredMessage } from '../stored-message.js'
import type { Views } from '../views/views.js'
import type { RecordReader } from './record-reader.js'

/** Records that are read before the event loop may turn. */
const LOOKED_TOGETHER = 128

/** What searching needs. */
export interface SearchOptions {
  readonly views: () => Pick<Views, 'find' | 'index'>
  readonly records: RecordReader
  readonly logStart: () => number
  /** Told of a record that the index promises and that is damaged. */
  readonly onDamaged: (commitLogOffset: number) => void
  /** Lets the event loop turn. @throws {MessageStoreError} `STORE_CLOSED` */
  readonly pause: () => Promise<void>
}

/** See the head of this file. */
export class Search {
  readonly #options: SearchOptions

  constructor(options: SearchOptions) {
    this.#options = options
  }

  /**
   * The messages of a topic with a key, newest first. Topic and key are read from the records, so every hit is true.
   * The event loop turns in a search that takes long.
   */
  async query(request: QueryRequest): Promise<StoredMessage[]> {
    checkRequest(request)
    const { topic, key } = request
    const { views, records, logStart, pause, onDamaged } = this.#options
    const { index } = views()
    if (typeof topic !== 'string') throw new TypeError(`topic must be a string, got ${shown(topic)}`)
    if (typeof key !== 'string') throw new TypeError(`key must be a string, got ${shown(key)}`)
    const most = request.maxMessages ?? 32
    if (!Number.isInteger(most) || most < 1)
      throw new RangeError(`maxMessages must be a whole number of at least 1, got ${shown(most)}`)
    const from = timeOf('from', request.from, 0)
    const to = timeOf('to', request.to, Number.MAX_SAFE_INTEGER)
    const found: StoredMessage[] = []
    const seen = new Set<number>()
    if (index === undefined) return found
    let looked = 0
    for (const address of index.candidates(indexKeyHash(topic, key), from, to)) {
      if (address < 0 || ++looked % LOOKED_TOGETHER === 0) await pause()
      if (address < logStart() || address >= records.visibleEnd || seen.has(address)) continue
      seen.add(address)
      const messages = records.messagesAt(address)
      if (messages.length === 0) onDamaged(address)
      for (const message of messages.reverse()) {
        const { storeTimestamp } = message
        if (message.topic !== topic || !hasKey(message, key) || storeTimestamp < from || storeTimestamp > to) continue
        found.push(message)
        if (found.length === most) return found
      }
    }
    return found
  }

  /** The message with an offset message id or at an address of the log; `undefined` when no record starts there. */
  lookup(target: string | { commitLogOffset: number }): StoredMessage | undefined {
    const address = typeof target === 'string' ? addressOf(target) : target?.commitLogOffset
    if (!Number.isSafeInteger(address) || address < 0) {
      throw new RangeError(`commitLogOffset must be a whole number of at least 0, got ${shown(address)}`)
    }
    return this.#options.records.messagesAt(address)[0]
  }

  /** The offset in a queue at a time; 5.x rules. @throws {RangeError} for an impossible time */
  offsetByTime(topic: string, queueId: number, timestampMs: number, boundary: 'lower' | 'upper'): number {
    if (!Number.isSafeInteger(timestampMs))
      throw new RangeError(`timestampMs must be whole milliseconds, got ${shown(timestampMs)}`)
    checkQueue(topic, queueId)
    if (boundary !== 'lower' && boundary !== 'upper')
      throw new TypeError(`boundary must be 'lower' or 'upper', got ${shown(boundary)}`)
    const { views, records } = this.#options
    const queue = views().find(topic, queueId)
    if (queue instanceof ConsumeQueue) return queue.offsetByTime(timestampMs, boundary, records.timestampAt)
    return queue === undefined ? 0 : queue.offsetByTime(timestampMs, boundary)
  }
}

function timeOf(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset
  if (typeof value !== 'number' || Number.isNaN(value))
    throw new TypeError(`${name} must be milliseconds since 1970, got ${shown(value)}`)
  return value
}

function addressOf(messageId: string): number {
  const decoded = decodeOffsetMessageId(messageId)
  if (decoded === undefined)
    throw new MessageStoreError('MESSAGE_ILLEGAL', `${shown(messageId)} is not an offset message id: 32 or 56 hexadecimal digits`)
  return decoded.commitLogOffset
}

function hasKey(message: StoredMessage, key: string): boolean {
  return message.uniqueKey === key || message.keys.includes(key)
}
