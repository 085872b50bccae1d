/**
 * Puts messages that have waited long again, at the end of the timer's queue, before the segment that they stand in may
 * expire. The oldest come first. A step is short, however many wait.
 */
import { MessageStoreError } from '../../base/errors.js'
import { type Clock, nextTurn, type Timers } from '../../base/system.js'
import type { Message } from '../../store/message.js'
import type { MessageStore } from '../../store/message-store.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import { fetchWaiting } from './timer-fetch.js'
import { rolledMessage } from './timer-messages.js'
import type { TimerWaits } from './timer-waits.js'

const BATCH_MESSAGES = 512
/** So many are looked at in a few milliseconds. */
const SWEPT = 8192
const EVERY_MS = 60_000

/** What rolling needs. */
export interface TimerRollOptions {
  readonly store: Pick<MessageStore, 'get' | 'putBatch' | 'offsetByTime'>
  readonly clock: Clock
  readonly timers: Pick<Timers, 'endOfTurn'>
  /** Messages that were stored so long ago are put again, milliseconds. */
  readonly ageMs: number
  readonly waits: TimerWaits
  readonly onProblem: (error: unknown) => void
}

/** See the head of this file. */
export class TimerRoll {
  readonly #options: TimerRollOptions
  #nextMs = Number.NEGATIVE_INFINITY
  /** What stands before this offset is put again now; 0 between two rounds. */
  #bound = 0
  #isSweeping = false

  constructor(options: TimerRollOptions) {
    this.#options = options
  }

  /** Puts some messages again, if any are old enough. Not while messages are delivered. @returns whether there is more to do */
  async step(): Promise<boolean> {
    const { clock, timers, waits } = this.#options
    if (this.#isSweeping) {
      this.#isSweeping = waits.sweep(SWEPT)
      await nextTurn(timers)
      return true
    }
    if (this.#bound === 0) {
      if (clock.monotonic() < this.#nextMs) return false
      this.#nextMs = clock.monotonic() + EVERY_MS
      this.#bound = await this.#oldEnd()
    }
    const offsets = this.#oldest()
    if (offsets.length > 0) {
      await this.#putAgain(offsets)
      return true
    }
    this.#bound = 0
    this.#isSweeping = waits.sweep(SWEPT)
    return this.#isSweeping
  }

  /** Where what is not old yet begins. */
  #oldEnd(): Promise<number> | number {
    const { store, clock, ageMs, waits } = this.#options
    return waits.size === 0 ? 0 : store.offsetByTime(TIMER_TOPIC, 0, clock.now() - ageMs)
  }

  #oldest(): number[] {
    const { waits } = this.#options
    const offsets: number[] = []
    for (let next = waits.firstFrom(0); next < this.#bound && offsets.length < BATCH_MESSAGES; next = waits.firstFrom(next + 1))
      offsets.push(next)
    return offsets
  }

  async #putAgain(offsets: readonly number[]): Promise<void> {
    const { store, onProblem, waits } = this.#options
    const messages = await fetchWaiting(store, offsets, (offset, error) =>
      onProblem(new Error(`message ${offset} of ${TIMER_TOPIC} can no longer be read and is not delivered`, { cause: error })),
    )
    await this.#putAll(messages.filter((message) => message !== undefined).map(rolledMessage))
    for (let i = 0; i < messages.length; i++) waits.settle(offsets[i]!)
  }
  /** Small segments, or a small bound on what is not flushed, take no batch of many: then in halves. */
  async #putAll(messages: readonly Message[]): Promise<void> {
    if (messages.length === 0) return
    try {
      await this.#options.store.putBatch(messages)
    } catch (error) {
      const isTooLarge = error instanceof MessageStoreError && error.code === 'MESSAGE_TOO_LARGE'
      if (!isTooLarge || messages.length === 1) throw error
      const half = Math.ceil(messages.length / 2)
      await this.#putAll(messages.slice(0, half))
      await this.#putAll(messages.slice(half))
    }
  }
}
