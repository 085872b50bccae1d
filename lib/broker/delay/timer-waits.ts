/**
 * The messages that wait for a time: the next that is due, and where in the queue they stand.
 *
 * ```
 *  heap      (second, offset), 12 bytes a message: which is due next
 *  offsets   a bit a message: which wait still, and which stand longest in the queue
 * ```
 *
 * A message is taken from the heap before it is delivered, and settled behind that. One that waits no more though its
 * time has not come, because it was put again elsewhere, is settled first; the heap is rid of it by {@link TimerWaits.sweep}.
 */
import { OffsetSet } from './offset-set.js'
import { TimerHeap } from './timer-heap.js'

/** As many of the heap's entries may wait no more: one in so many. */
const DEAD_SHARE = 8

/** A message that waits, or a cancellation. */
export interface Waiting {
  /** When it is due, since 1970. */
  readonly second: number
  readonly queueOffset: number
  readonly isCancel: boolean
}

/** See the head of this file. */
export class TimerWaits {
  #heap = new TimerHeap()
  /** What is still to be looked through by a sweep. */
  #unswept: TimerHeap | undefined
  readonly #offsets = new OffsetSet()

  /** How many wait, cancellations and those that are being delivered included. */
  get size(): number {
    return this.#offsets.size
  }

  /** No message that can be taken is due before this second; `Infinity` when there is none. */
  get firstSecond(): number {
    return Math.min(this.#heap.firstSecond, this.#unswept?.firstSecond ?? Number.POSITIVE_INFINITY)
  }

  /** The first offset from one on whose message waits, `Infinity` without one. */
  firstFrom(queueOffset: number): number {
    return this.#offsets.firstFrom(queueOffset)
  }

  /** Whether the message at an offset waits, or is being delivered. */
  has(queueOffset: number): boolean {
    return this.#offsets.has(queueOffset)
  }

  /** Adds one. */
  add({ second, queueOffset, isCancel }: Waiting): void {
    this.#offsets.add(queueOffset)
    this.#heap.push(second, queueOffset, isCancel)
  }

  /** Takes the one that is due first, to deliver it; there must be one. `undefined` when it waits no more. */
  take(): Waiting | undefined {
    const unswept = this.#unswept
    const one = unswept?.isBefore(this.#heap) ? unswept.pop() : this.#heap.pop()
    return this.#offsets.has(one.queueOffset) ? one : undefined
  }

  /** Puts one back that was taken and could not be delivered. */
  putBack({ second, queueOffset, isCancel }: Waiting): void {
    this.#heap.push(second, queueOffset, isCancel)
  }

  /** The message at an offset was delivered, or put again elsewhere. */
  settle(queueOffset: number): void {
    this.#offsets.delete(queueOffset)
  }

  /**
   * Takes out of the heap what waits no more, if it is much, and a part at a time: a million would take a tenth of a
   * second. While nothing is being delivered.
   *
   * @param most - how many are looked at
   * @returns whether there is more to look at
   */
  sweep(most: number): boolean {
    if (this.#unswept === undefined) {
      if ((this.#heap.size - this.#offsets.size) * DEAD_SHARE <= this.#heap.size) return false
      this.#unswept = this.#heap
      this.#heap = new TimerHeap()
    }
    const unswept = this.#unswept
    for (let i = 0; i < most && unswept.size > 0; i++) {
      // The last of a heap can go without a change to the rest.
      const { second, queueOffset, isCancel } = unswept.popLast()
      if (this.#offsets.has(queueOffset)) this.#heap.push(second, queueOffset, isCancel)
    }
    if (unswept.size > 0) return true
    this.#unswept = undefined
    return false
  }
}
