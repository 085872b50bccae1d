/**
 * The check points of this process whose messages are not all settled, so that a second or late acknowledgement is
 * refused, and the reviver knows what was acknowledged before the records say so.
 *
 * What stood here when a process ended is not brought back: the records on disk are enough to revive, and handles of
 * an earlier process are taken at their word, as RocketMQ takes all of them.
 */
import { BrokerError } from '../errors.js'
import type { QueueNumbers } from '../numbers/numbers.js'
import { type CheckPoint, popKey } from './check-point.js'

/** Where messages are counted as popped. */
type PoppedCount = Pick<QueueNumbers, 'popped'>

/** Bits of a check point: those that are settled, and those whose record is being written. */
interface Entry {
  readonly point: CheckPoint
  readonly settled: Set<number>
  readonly settling: Set<number>
  readonly count: PoppedCount
  readonly isGivenBack: boolean
}

/** A check point whose time is over. */
export interface ExpiredPoint {
  /** What of it is not settled: it counts as popped until {@link countDown} says so. */
  readonly open: readonly number[]
  /** Whether a consumer gave its message back; else nobody said anything. */
  readonly isGivenBack: boolean
  /** So many messages of it do not count as popped any more. */
  readonly countDown: (messages: number) => void
}

/** See the head of this file. */
export class Outstanding {
  readonly #most: number
  readonly #entries = new Map<string, Entry>()

  /** @param most - check points that may be outstanding at once */
  constructor(most: number) {
    this.#most = most
  }

  /** How many check points are outstanding. */
  get size(): number {
    return this.#entries.size
  }

  /** Whether nothing more may be popped. */
  get isFull(): boolean {
    return this.#entries.size >= this.#most
  }

  /** Notes what was handed out, or given back, and counts it until it is settled or comes again. */
  add(point: CheckPoint, count: PoppedCount, isGivenBack = false): void {
    const key = popKey(point)
    const before = this.#entries.get(key)
    // Popped twice in a millisecond, as after a reset: one check point for both.
    if (before !== undefined) countDown(before, openOf(before).length)
    this.#entries.set(key, { point, settled: new Set(), settling: new Set(), count, isGivenBack })
    count.popped(point.offsets.length, isGivenBack)
  }

  /** Whether a check point is one of these. */
  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /**
   * Begins to settle messages: until {@link end} nobody else can, and they are not revived.
   *
   * @throws {BrokerError} `DELIVERY_UNKNOWN`, `DELIVERY_SETTLED`; then nothing was begun
   */
  begin(key: string, offsets: readonly number[]): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) throw unknownDelivery(key)
    for (const offset of offsets) {
      if (!entry.point.offsets.includes(offset)) throw unknownDelivery(`${key}, offset ${offset}`)
      if (entry.settled.has(offset) || entry.settling.has(offset))
        throw new BrokerError('DELIVERY_SETTLED', `${key}, offset ${offset} was settled before`)
    }
    for (const offset of offsets) entry.settling.add(offset)
  }

  /** Ends what {@link begin} began. An entry of which everything is settled goes. */
  end(key: string, offsets: readonly number[], isSettled: boolean): void {
    const entry = this.#entries.get(key)
    // Of a topic that was deleted nothing is left to settle; see forgetTopic.
    if (entry === undefined || entry.point.offsets.length === 0) return
    for (const offset of offsets) {
      entry.settling.delete(offset)
      if (isSettled) entry.settled.add(offset)
    }
    if (isSettled) countDown(entry, offsets.length)
    if (entry.settled.size === entry.point.offsets.length) this.#entries.delete(key)
  }

  /**
   * The messages of a topic that was deleted can no longer be settled. Their check points stay until their time is over,
   * without messages: what stands at those offsets in a new topic of that name is not to come again.
   */
  forgetTopic(topic: string): void {
    for (const { point } of this.#entries.values()) if (point.topic === topic) this.forget(point)
  }

  /** The same for one check point. */
  forget(point: CheckPoint): void {
    const key = popKey(point)
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    countDown(entry, openOf(entry).length)
    this.#entries.set(key, { ...entry, point: { ...point, offsets: [] }, settled: new Set(), settling: new Set() })
  }

  /**
   * Takes a check point whose time is over out: its messages can no longer be settled.
   *
   * @returns what is left of it; `undefined` when something of it is being settled just now
   */
  expire(key: string): ExpiredPoint | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.settling.size > 0) return undefined
    this.#entries.delete(key)
    const { isGivenBack } = entry
    return { open: openOf(entry), isGivenBack, countDown: (messages) => countDown(entry, messages) }
  }
}

function openOf({ point, settled }: Entry): number[] {
  return point.offsets.filter((offset) => !settled.has(offset))
}

function countDown({ count, isGivenBack }: Entry, messages: number): void {
  count.popped(-messages, isGivenBack)
}

/** The error for a handle that nobody has. */
export function unknownDelivery(what: string): BrokerError {
  return new BrokerError(
    'DELIVERY_UNKNOWN',
    `${what} must name a message that is out: it was settled, its time is over, or its topic was deleted`,
  )
}
