/**
 * One queue of the revive topic: check points that were read and are not settled, in the order of the queue.
 *
 * ```
 *  committed     open check points (x), settled ones (o), acks (.)     position
 *      |--- x --- . --- o --- . --- x --- . --------------------------- |
 * ```
 *
 * Only what is before the first open check point is committed, as RocketMQ does: the offset of the last record that is
 * settled, not of the next one. All else is read again after a restart, so that no check point is ever forgotten.
 */
import { MessageStoreError } from '../../base/errors.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import type { ReadPort } from '../store-port.js'
import { type Acks, type CheckPoint, popKey, REVIVE_GROUP, readReviveRecord } from './check-point.js'
import type { ExpiredPoint } from './outstanding.js'

const BATCH_MESSAGES = 256
const BATCH_BYTES = 1024 * 1024

/** A check point that is not settled. */
export interface OpenPoint {
  readonly key: string
  readonly point: CheckPoint
  /** Where its record is. */
  readonly reviveOffset: number
  /** When the record came into this queue: later than it was due, when the broker was away. */
  readonly storedAt: number
  /** What is not acknowledged. */
  readonly open: Set<number>
  /** What the books said of it when its time was over; one of an earlier process is in no books. */
  expired?: ExpiredPoint
}

/** What a revive queue needs. */
export interface ReviveQueueParts {
  readonly store: Pick<ReadPort, 'get' | 'bounds'>
  readonly offsets: Pick<ConsumerOffsets, 'find' | 'commit'>
  readonly topic: string
  readonly queueId: number
  readonly brokerName: string
  readonly onProblem: (error: unknown) => void
}

/** See the head of this file. */
export class ReviveQueue {
  readonly queueId: number
  readonly #parts: ReviveQueueParts
  /** In the order in which they were read. */
  readonly #points = new Map<string, OpenPoint>()
  #position: number

  constructor(parts: ReviveQueueParts) {
    const { store, offsets, topic, queueId } = parts
    this.#parts = parts
    this.queueId = queueId
    const settled = offsets.find(topic, REVIVE_GROUP, queueId) ?? -1
    // Power loss may have taken records that the offset was behind.
    this.#position = Math.min(settled + 1, store.bounds(topic, queueId).maxOffset)
  }

  /** Check points that are not settled, in order. */
  get points(): IterableIterator<OpenPoint> {
    return this.#points.values()
  }

  /** How many they are. */
  get size(): number {
    return this.#points.size
  }

  /** Whether other open check points stand before one. */
  isBehindOthers(key: string): boolean {
    const [first] = this.#points.keys()
    return first !== key
  }

  /** The check point is settled. */
  settle(key: string): void {
    this.#points.delete(key)
  }

  /** Reads to the end of the queue. */
  async read(): Promise<void> {
    const { store, topic, queueId, onProblem } = this.#parts
    while (this.#position < store.bounds(topic, queueId).maxOffset) {
      const offset = this.#position
      try {
        const result = await store.get({ topic, queueId, offset, maxMessages: BATCH_MESSAGES, maxBytes: BATCH_BYTES })
        for (const message of result.messages) this.#take(message)
        this.#position = result.nextOffset
      } catch (error) {
        const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
        if (typeof next !== 'number') throw error
        // A check point that cannot be read cannot be kept: that is told.
        onProblem(error)
        this.#position = next
      }
      if (this.#position <= offset) return
    }
  }

  /** Notes how far everything is settled. */
  commit(): void {
    const { offsets, topic, queueId } = this.#parts
    const [first] = this.#points.values()
    const settled = (first === undefined ? this.#position : first.reviveOffset) - 1
    if (settled >= 0 && settled !== offsets.find(topic, REVIVE_GROUP, queueId))
      offsets.commit(topic, REVIVE_GROUP, queueId, settled)
  }

  #take({ tags, body, queueOffset, storeTimestamp }: StoredMessage): void {
    const read = readReviveRecord(tags, body, this.#parts.brokerName)
    if (read === undefined) return
    const key = popKey(read)
    if (isCheckPoint(read)) this.#open(key, read, queueOffset, storeTimestamp)
    else this.#acknowledge(key, read)
  }

  #open(key: string, point: CheckPoint, reviveOffset: number, storedAt: number): void {
    const before = this.#points.get(key)
    if (before === undefined) this.#points.set(key, { key, point, reviveOffset, storedAt, open: new Set(point.offsets) })
    // RocketMQ puts a check point a second time when it could not revive a message of it.
    else for (const offset of point.offsets) before.open.add(offset)
  }

  #acknowledge(key: string, { offsets }: Acks): void {
    const found = this.#points.get(key)
    if (found === undefined) return
    for (const offset of offsets) found.open.delete(offset)
    if (found.open.size === 0) this.#points.delete(key)
  }
}

function isCheckPoint(read: CheckPoint | Acks): read is CheckPoint {
  return 'invisibleMs' in read
}
