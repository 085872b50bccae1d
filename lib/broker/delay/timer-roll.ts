/**
 * Puts messages that have waited long again, at the end of the timer's queue, before the segment that they stand in may
 * expire. The oldest come first: what stands before {@link TimerRoll.doneBelow} waits no more.
 */
import type { Clock } from '../../base/system.js'
import type { MessageStore } from '../../store/message-store.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import { fetchWaiting } from './timer-fetch.js'
import type { TimerHeap } from './timer-heap.js'
import { rolledMessage } from './timer-messages.js'

const BATCH_MESSAGES = 512
const EVERY_MS = 60_000

/** What rolling needs. */
export interface TimerRollOptions {
  readonly store: Pick<MessageStore, 'get' | 'putBatch' | 'offsetByTime'>
  readonly clock: Clock
  /** Messages that were stored so long ago are put again, milliseconds. */
  readonly ageMs: number
  readonly heap: TimerHeap
  readonly onProblem: (error: unknown) => void
}

/** See the head of this file. */
export class TimerRoll {
  readonly #options: TimerRollOptions
  #nextMs = Number.NEGATIVE_INFINITY
  /** What is still to be put again, ascending. */
  #offsets: Float64Array | undefined
  #at = 0
  /** Of those, what was delivered since. */
  readonly #delivered = new Set<number>()
  #doneBelow = 0

  constructor(options: TimerRollOptions) {
    this.#options = options
  }

  /** Messages before this offset have been put again, or were delivered. */
  get doneBelow(): number {
    return this.#doneBelow
  }

  /** Notes that a message was delivered: it must not be put again. */
  noteDelivered(queueOffset: number): void {
    if (this.#offsets !== undefined) this.#delivered.add(queueOffset)
  }

  /** Puts some messages again, if any are old enough. @returns whether there were any */
  async step(): Promise<boolean> {
    const { clock, heap } = this.#options
    if (this.#offsets === undefined) {
      if (clock.monotonic() < this.#nextMs) return false
      this.#nextMs = clock.monotonic() + EVERY_MS
      this.#offsets = await this.#oldOffsets()
      this.#at = 0
    }
    if (this.#at < this.#offsets.length) {
      await this.#putAgain([...this.#offsets.subarray(this.#at, this.#at + BATCH_MESSAGES)])
      return true
    }
    if (this.#offsets.length > 0) heap.dropBelow(this.#doneBelow)
    this.#offsets = undefined
    this.#delivered.clear()
    return false
  }

  async #oldOffsets(): Promise<Float64Array> {
    const { store, clock, ageMs, heap } = this.#options
    if (heap.size === 0) return new Float64Array(0)
    const bound = await store.offsetByTime(TIMER_TOPIC, 0, clock.now() - ageMs)
    const old: number[] = []
    heap.forEachOffset((offset) => {
      if (offset < bound && offset >= this.#doneBelow) old.push(offset)
    })
    return Float64Array.from(old).sort()
  }

  async #putAgain(offsets: readonly number[]): Promise<void> {
    const { store, onProblem } = this.#options
    const messages = await fetchWaiting(store, offsets, (offset, error) => {
      if (!this.#delivered.has(offset))
        onProblem(new Error(`message ${offset} of ${TIMER_TOPIC} can no longer be read and is not delivered`, { cause: error }))
    })
    const kept = messages.filter((message) => message !== undefined && !this.#delivered.has(message.queueOffset))
    if (kept.length > 0) await store.putBatch(kept.map((message) => rolledMessage(message!)))
    this.#at += messages.length
    this.#doneBelow = offsets[messages.length - 1]! + 1
  }
}
