/** Finding messages by key, by id and by time. */
import { checkChoice, checkQueue, checkRequest, checkString, checkWhole, wrongValue } from '../../base/arguments.js'
import { MessageStoreError, shown } from '../../base/errors.js'
import { indexKeyHash } from '../../format/hash.js'
import { decodeOffsetMessageId } from '../../format/message-id.js'
import { PropertyName, propertyKey, propertyValue } from '../../format/properties.js'
import { topicRange } from '../../format/record.js'
import { isAscii, isText } from '../../format/text.js'
import type { Cursor } from '../../log/log-blocks.js'
import { type Candidates, LONG_STRETCH, NO_MORE } from '../../view/candidates.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import { storeErrorOf } from '../disk-failure.js'
import { type QueryRequest, queryFields } from '../message.js'
import { StoredMessage } from '../stored-message.js'
import type { Views } from '../views/views.js'
import { isBatchRecord, unwrapBatch } from '../writing/inner-batch.js'
import type { RecordReader } from './record-reader.js'

/** Records that are read before the event loop may turn. */
const LOOKED_TOGETHER = 128
const KEYS = propertyKey(PropertyName.keys)
const UNIQUE_KEY = propertyKey(PropertyName.uniqueKey)
const SPACE = 0x20
const NO_MESSAGES: readonly StoredMessage[] = []

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
  query(request: QueryRequest): Promise<StoredMessage[]> {
    const plan = planQuery(request)
    const { index } = this.#options.views()
    if (index === undefined) return Promise.resolve([])
    const candidates = index.candidates(indexKeyHash(plan.topic, plan.key), plan.from, plan.to)
    const hits = new Hits(plan)
    // Most queries are over before the event loop need turn, and cost no promise but their answer's.
    return this.#look(candidates, hits) ? Promise.resolve(hits.messages) : this.#lookOn(candidates, hits)
  }

  async #lookOn(candidates: Candidates, hits: Hits): Promise<StoredMessage[]> {
    try {
      do await this.#options.pause()
      while (!this.#look(candidates, hits))
    } catch (error) {
      throw storeErrorOf(error)
    }
    return hits.messages
  }

  /** Looks at some candidates. @returns whether that was all */
  #look(candidates: Candidates, hits: Hits): boolean {
    const { records, logStart, onDamaged } = this.#options
    for (let looked = 0; looked < LOOKED_TOGETHER; looked++) {
      const address = candidates.next()
      if (address === NO_MORE) return true
      if (address === LONG_STRETCH) return false
      if (address < logStart() || address >= records.visibleEnd || hits.hasSeen(address)) continue
      const cursor = records.find(address)
      if (cursor === undefined) onDamaged(address)
      else if (hits.take(cursor, address)) return true
    }
    return false
  }

  /** The message with an offset message id or at an address of the log; `undefined` when no record starts there. */
  lookup(target: string | { commitLogOffset: number }): StoredMessage | undefined {
    const address = typeof target === 'string' ? addressOf(target) : target?.commitLogOffset
    checkWhole('commitLogOffset', address)
    return this.#options.records.recordAt(address)?.messages[0]
  }

  /** The offset in a queue at a time; 5.x rules. @throws {RangeError} for an impossible time */
  offsetByTime(topic: string, queueId: number, timestampMs: number, boundary: 'lower' | 'upper'): number {
    if (!Number.isSafeInteger(timestampMs)) throw wrongValue('number', 'timestampMs', 'whole milliseconds', timestampMs)
    checkQueue(topic, queueId)
    checkChoice('boundary', boundary, ['lower', 'upper'])
    const { views, records } = this.#options
    const queue = views().find(topic, queueId)
    if (queue instanceof ConsumeQueue) return queue.offsetByTime(timestampMs, boundary, records.timestampAt)
    return queue === undefined ? 0 : queue.offsetByTime(timestampMs, boundary)
  }
}

/** What a query asks for, checked and completed. */
interface QueryPlan {
  readonly topic: string
  readonly key: string
  readonly most: number
  readonly mostBytes: number
  readonly from: number
  readonly to: number
}

/** What one query has found. */
class Hits {
  readonly messages: StoredMessage[] = []
  readonly #plan: QueryPlan
  /** The record looked at last, and those before it: most keys have one hit, which is no set. */
  #last = -1
  #seen: Set<number> | undefined
  #bytes = 0

  constructor(plan: QueryPlan) {
    this.#plan = plan
  }

  /** Whether a record was looked at before; from now on it was. */
  hasSeen(address: number): boolean {
    if (address === this.#last || this.#seen?.has(address)) return true
    if (this.#last >= 0) this.#seen = (this.#seen ?? new Set<number>()).add(this.#last)
    this.#last = address
    return false
  }

  /** Takes what a record holds, before others move the cursor. @returns whether that is all that was asked for */
  take(cursor: Cursor, address: number): boolean {
    const { topic, key, most, mostBytes, from, to } = this.#plan
    for (const message of hitsIn(cursor, address, topic, key)) {
      const { storeTimestamp, record } = message
      if (storeTimestamp < from || storeTimestamp > to) continue
      this.#bytes += record.length
      if (this.#bytes > mostBytes && this.messages.length > 0) return true
      this.messages.push(message)
      if (this.messages.length === most) return true
    }
    return false
  }
}

/** Checks a query and fills in defaults. @throws {TypeError} or {@link RangeError} */
function planQuery(request: QueryRequest): QueryPlan {
  checkRequest(request, queryFields)
  const { topic, key } = request
  const { maxMessages: most = 32, maxBytes: mostBytes = Number.POSITIVE_INFINITY } = request
  checkString('topic', topic)
  checkString('key', key)
  checkWhole('maxMessages', most, 1)
  if (request.maxBytes !== undefined) checkWhole('maxBytes', mostBytes, 1)
  const from = timeOf('from', request.from, 0)
  const to = timeOf('to', request.to, Number.MAX_SAFE_INTEGER)
  return { topic, key, most, mostBytes, from, to }
}

function timeOf(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset
  if (typeof value !== 'number' || Number.isNaN(value)) throw wrongValue('number', name, 'milliseconds since 1970', value)
  return value
}

function addressOf(messageId: string): number {
  const decoded = decodeOffsetMessageId(messageId)
  if (decoded === undefined)
    throw new MessageStoreError('MESSAGE_ILLEGAL', `${shown(messageId)} is not an offset message id: 32 or 56 hexadecimal digits`)
  return decoded.commitLogOffset
}

/** The messages of a record that have topic and key, newest first. */
function hitsIn({ block, at }: Cursor, address: number, topic: string, key: string): readonly StoredMessage[] {
  const inner = isBatchRecord(block, at) ? unwrapBatch(block, at, address) : undefined
  if (inner !== undefined) {
    // The key of a batch stands for every message in it.
    const isOfAll = hasKey(StoredMessage.fromRecord(block, at, address), key)
    return inner.filter((message) => message.topic === topic && (isOfAll || hasKey(message, key))).reverse()
  }
  const { view, bytes } = block
  const name = topicRange(view, at)
  const isOfTopic = isAscii(topic)
    ? isText(bytes, name.start, name.end, topic)
    : bytes.toString('utf8', name.start, name.end) === topic
  if (!isOfTopic) return NO_MESSAGES
  const message = StoredMessage.fromRecord(block, at, address, topic)
  const end = at + message.size
  // The length of the properties stands in between.
  const properties = name.end + 2
  const keys = propertyValue(block, properties, end, KEYS)
  if (keys !== undefined && hasWord(bytes, keys.start, keys.end, key)) return [message]
  const unique = propertyValue(block, properties, end, UNIQUE_KEY)
  if (unique !== undefined && isText(bytes, unique.start, unique.end, key)) return [message]
  // Only ASCII can be told from its bytes.
  return !isAscii(key) && hasKey(message, key) ? [message] : NO_MESSAGES
}

/** Whether a word in ASCII stands between spaces. */
function hasWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  for (let at = start; at < end; ) {
    let stop = at
    while (stop < end && bytes[stop] !== SPACE) stop++
    if (stop > at && isText(bytes, at, stop, word)) return true
    at = stop + 1
  }
  return false
}

function hasKey(message: StoredMessage, key: string): boolean {
  return message.uniqueKey === key || message.keys.includes(key)
}
