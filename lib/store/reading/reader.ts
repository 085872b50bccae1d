/**
 * The path of a get: queue entries, filter on the hash, records, filter on the text.
 *
 * Every record is checked before it is returned: its own CRC, its own address, and that it is the message
 * that the queue entry promised. What does not agree is never served.
 */

import { findProperty, PropertyName, propertyKey } from '../../format/properties.js'
import { entryOffset, entrySize, FILLER_SIZE, QUEUE_ENTRY_BYTES } from '../../format/queue-entry.js'
import { Finding, propertiesRange, RecordAt, readRecord, topicRange } from '../../format/record.js'
import { isStandIn } from '../../format/stand-in.js'
import { isText } from '../../format/text.js'
import { Cursor } from '../../log/log-blocks.js'
import { ConsumeQueue } from '../../view/consume-queue.js'
import { EntryBlock } from '../../view/entry-block.js'
import type { GetStatus } from '../message.js'
import { StoredMessage } from '../stored-message.js'
import type { AnyQueue } from '../views/views.js'
import { BatchReader } from './batch-reader.js'
import type { RecordReader } from './record-reader.js'
import type { TagFilter } from './tag-filter.js'

const TAGS = propertyKey(PropertyName.tags)
/** RocketMQ looks at no more messages of a queue than these for one get, unless more are asked for. */
const MAX_SCANNED_ENTRIES = 800

/** The answer to a get. */
export interface GetResult {
  /** Whether there are messages, and if not, why. */
  readonly status: GetStatus
  /** In the order of the queue; empty unless `status` is `FOUND`. */
  readonly messages: StoredMessage[]
  /** Where to go on. */
  readonly nextOffset: number
  /** The oldest message of the queue. */
  readonly minOffset: number
  /** What the next message of the queue will get. */
  readonly maxOffset: number
}

/** What a get asks for, checked and completed. */
export interface GetPlan {
  readonly topic: string
  readonly queueId: number
  readonly offset: number
  readonly maxMessages: number
  readonly maxBytes: number
  readonly filter: TagFilter | undefined
}

/** What a reader needs. */
export interface ReaderOptions {
  readonly records: RecordReader
  readonly logStart: () => number
  readonly segmentBytes: () => number
  /** Whether an offset without an entry stands for a record that is damaged, as in a log that is not repaired. */
  readonly gapsAreDamage: boolean
}

/** See the head of this file. */
export class Reader {
  readonly #records: RecordReader
  readonly #logStart: () => number
  readonly #segmentBytes: () => number
  readonly #cursor = new Cursor(true)
  readonly #entries = new EntryBlock()
  readonly #batches: BatchReader

  readonly #gapsAreDamage: boolean

  constructor({ records, logStart, segmentBytes, gapsAreDamage }: ReaderOptions) {
    this.#records = records
    this.#logStart = logStart
    this.#segmentBytes = segmentBytes
    this.#gapsAreDamage = gapsAreDamage
    this.#batches = new BatchReader(records, logStart)
  }

  /** Reads what is there now; never waits. @throws {MessageStoreError} `STORE_CORRUPT` when the first record is damaged */
  get(queue: AnyQueue | undefined, plan: GetPlan): GetResult {
    if (queue === undefined) return empty('NO_MATCHED_LOGIC_QUEUE', 0, 0, 0)
    const { minOffset, maxOffset } = queue
    const { offset } = plan
    if (maxOffset === 0) return empty('NO_MESSAGE_IN_QUEUE', 0, 0, 0)
    if (offset < minOffset) return empty('OFFSET_TOO_SMALL', minOffset, minOffset, maxOffset)
    if (offset === maxOffset) return empty('OFFSET_OVERFLOW_ONE', offset, minOffset, maxOffset)
    if (offset > maxOffset) return empty('OFFSET_OVERFLOW_BADLY', maxOffset, minOffset, maxOffset)
    const end = Math.min(maxOffset, offset + Math.max(MAX_SCANNED_ENTRIES, plan.maxMessages))
    if (!(queue instanceof ConsumeQueue)) return this.#batches.collect(queue, plan, end)
    return this.#collect(queue, plan, end)
  }

  #collect(queue: ConsumeQueue, plan: GetPlan, end: number): GetResult {
    const { minOffset, maxOffset } = queue
    const scan = new Scan(plan)
    let offset = plan.offset
    while (offset < end && !scan.isFull) {
      const wanted = Math.min(end - offset, plan.maxMessages)
      const got = queue.read(offset, wanted, this.#entries)
      if (got === 0) break
      offset = this.#take(queue, offset, got, scan)
    }
    if (offset === plan.offset && scan.messages.length === 0 && !scan.isFull) {
      return empty('OFFSET_FOUND_NULL', queue.nextFileStart(offset), minOffset, maxOffset)
    }
    return { status: scan.status, messages: scan.messages, nextOffset: offset, minOffset, maxOffset }
  }

  /** Takes messages for the entries that were read; returns the offset behind the last one looked at. */
  #take(queue: ConsumeQueue, first: number, count: number, scan: Scan): number {
    const { view } = this.#entries
    const { filter } = scan.plan
    const walking = count > 1
    for (let i = 0; i < count; i++) {
      const at = i * QUEUE_ENTRY_BYTES
      const address = entryOffset(view, at)
      const size = entrySize(view, at)
      if (size === FILLER_SIZE && this.#gapsAreDamage) {
        this.#stopAt(queue, first + i, -1, Finding.unwritten, scan)
        return first + i
      }
      if (size === FILLER_SIZE || (address >= 0 && address < scan.resumeAt)) continue
      if (filter !== undefined && !mayMatch(view, at + 12, filter)) {
        scan.missed()
        continue
      }
      if (scan.isFullFor(size)) return first + i
      if (address >= 0 && address < this.#logStart()) {
        const segmentBytes = this.#segmentBytes()
        scan.removing(address - (address % segmentBytes) + segmentBytes)
        continue
      }
      if (!this.#takeRecord(queue, first + i, address, size, walking, scan)) return first + i
    }
    return first + count
  }

  /** Takes one message; returns false when the batch must end before it. */
  #takeRecord(queue: ConsumeQueue, queueOffset: number, address: number, size: number, walking: boolean, scan: Scan): boolean {
    const cursor = this.#cursor
    const found = this.#records.seek(cursor, address, size, walking)
    if (found > 0 && isStandIn(cursor.block, cursor.at)) {
      scan.missed()
      return true
    }
    if (found <= 0 || !isMessageOf(cursor, queue, queueOffset)) return this.#stopAt(queue, queueOffset, address, found, scan)
    const { filter } = scan.plan
    if (filter !== undefined && !matches(cursor, filter)) {
      scan.missed()
      return true
    }
    scan.messages.push(new StoredMessage(queue, queueOffset, address, size, this.#records.kept(cursor, size)))
    scan.took(size)
    return true
  }

  /** Ends the batch before a damaged message, or throws when it would be the first. */
  #stopAt({ topic, queueId }: ConsumeQueue, offset: number, address: number, finding: number, scan: Scan): false {
    if (scan.messages.length === 0)
      throw this.#records.corrupt(address, finding, { topic, queueId, offset, nextOffset: offset + 1 })
    scan.isFull = true
    return false
  }
}

/** What one get has gathered. */
class Scan {
  readonly plan: GetPlan
  readonly messages: StoredMessage[] = []
  status: GetStatus = 'NO_MATCHED_MESSAGE'
  isFull = false
  /** Entries that point below this are of a segment that is being removed. */
  resumeAt = 0
  #bytes = 0

  constructor(plan: GetPlan) {
    this.plan = plan
  }

  /** Whether a record of that size has no room any more; the first always has. */
  isFullFor(size: number): boolean {
    const { length } = this.messages
    if (length > 0 && (length >= this.plan.maxMessages || this.#bytes + size > this.plan.maxBytes)) this.isFull = true
    return this.isFull
  }

  took(size: number): void {
    this.#bytes += size
    this.status = 'FOUND'
    if (this.messages.length >= this.plan.maxMessages) this.isFull = true
  }

  missed(): void {
    if (this.messages.length === 0) this.status = 'NO_MATCHED_MESSAGE'
  }

  removing(resumeAt: number): void {
    this.resumeAt = resumeAt
    if (this.messages.length === 0) this.status = 'MESSAGE_WAS_REMOVING'
  }
}

function empty(status: GetStatus, nextOffset: number, minOffset: number, maxOffset: number): GetResult {
  return { status, messages: [], nextOffset, minOffset, maxOffset }
}

/** Whether the tags code of an entry lets the record pass; codes that are not hashes always do. */
function mayMatch(view: DataView, at: number, filter: TagFilter): boolean {
  const high = view.getInt32(at)
  const low = view.getInt32(at + 4)
  return high !== low >> 31 || filter.hashes.has(low)
}

function matches(cursor: Cursor, filter: TagFilter): boolean {
  const { start, end } = propertiesRange(cursor.block.view, cursor.at)
  const tags = findProperty(cursor.block, start, end, TAGS)
  return tags !== undefined && filter.tags.has(tags)
}

/** Whether the record is the message that the entry of the queue promised. */
function isMessageOf(cursor: Cursor, queue: ConsumeQueue, queueOffset: number): boolean {
  const { view, bytes } = cursor.block
  const { at } = cursor
  // Messages dispatched to further queues keep the place that they have in their own.
  if (queue.isMultiDispatch) return true
  if (view.getInt32(at + RecordAt.queueId) !== queue.queueId || readRecord.queueOffset(view, at) !== queueOffset) return false
  const { start, end } = topicRange(view, at)
  return isText(bytes, start, end, queue.topic)
}
