/**
 * Messages for any time ahead: they wait in queue 0 of `rmq_sys_wheel_timer` and are put into their own topic when their
 * second comes. (`TimerMessageStore`.)
 *
 * ```
 *  queue     a b c d e f g ...   read from the first that may wait: {@link TimerReader}
 *                |
 *  heap      (second, offset), 12 bytes a message
 *                |  the clock reaches the second: cancellations first
 *  own topic a copy of each, many at once
 * ```
 *
 * What is older than the roll age is put again at the end of the queue, so that it never stands in a segment that expires.
 * Progress is written now and then, after the copies are durable: after a crash some come again, none is lost.
 */
import { checkObject, checkString, checkWhole } from '../../base/arguments.js'
import { MessageStoreError } from '../../base/errors.js'
import type { Clock, Timers } from '../../base/system.js'
import type { Disk } from '../../disk/disk.js'
import type { Message, PutReceipt } from '../../store/message.js'
import type { MessageStore } from '../../store/message-store.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import { failedPuts } from './failed-puts.js'
import { Pause } from './pause.js'
import { fetchWaiting } from './timer-fetch.js'
import { TimerFiles, type TimerStart, type TimerState } from './timer-files.js'
import { writeTimerLog } from './timer-handover.js'
import { cancelMessage, dueMessage, isCancelled, outMsOf, waitOf } from './timer-messages.js'
import { TimerReader } from './timer-reader.js'
import { TimerRoll } from './timer-roll.js'
import { TimerWaits, type Waiting } from './timer-waits.js'

/** Most messages that are delivered at once. */
const BATCH_MESSAGES = 512
/** After an error, such as a full disk. */
const AGAIN_MS = 1000
/** Longest sleep: a clock that jumps is noticed. */
const LONGEST_SLEEP_MS = 1000
/** So far behind a timer may be that keeps up. */
const LATE_SECONDS = 2
/** RocketMQ rolls after two days; a third of the retention time is left at least. */
const ROLL_AGE_MS = 2 * 86_400_000

/** What a timer needs. */
export interface TimerParts {
  readonly store: Pick<MessageStore, 'get' | 'put' | 'putBatch' | 'bounds' | 'offsetByTime' | 'flush' | 'status'>
  readonly disk: Disk
  /** The store's directory. */
  readonly directory: string
  readonly retentionMs: number
  readonly clock: Clock
  readonly timers: Timers
  readonly onProblem: (error: unknown) => void
}

/** The cancellations of a second, and where the first of them stands. */
interface Cancelled {
  readonly names: Set<string>
  firstOffset: number
}

/** What a waiting message is known by. */
export interface TimedReceipt {
  readonly topic: string
  readonly uniqueKey: string
  /** When it is due, milliseconds since 1970; `undefined` for one that does not wait for a time. */
  readonly deliverAt?: number | undefined
}

/** See the head of this file. */
export class Timer {
  readonly #parts: TimerParts
  readonly #files: TimerFiles
  readonly #waits = new TimerWaits()
  readonly #reader: TimerReader
  readonly #roll: TimerRoll
  readonly #pause: Pause
  /** Taken from the heap, and not yet put. */
  #held: readonly Waiting[] = []
  readonly #cancelled = new Map<number, Cancelled>()
  /** Everything before this second has been delivered at some time. */
  #doneSecond = 0
  /** Where the topic ended when it was opened. */
  readonly #endAtOpen: number
  #written: TimerState = { second: 0, queueOffset: 0, firstOffset: 0 }
  #isChanged = false
  #isBegun = false
  #isClosed = false
  #running: Promise<unknown> = Promise.resolve()

  /** Reads how far the timer had come. @throws {DiskError} */
  static async open(parts: TimerParts): Promise<Timer> {
    const files = new TimerFiles(parts.disk, parts.directory)
    return new Timer(parts, files, await files.load(parts.timers))
  }

  private constructor(parts: TimerParts, files: TimerFiles, start: TimerStart) {
    this.#parts = parts
    this.#pause = new Pause(parts.timers)
    this.#files = files
    const { store, timers, clock, retentionMs, onProblem } = parts
    this.#reader = new TimerReader({ store, timers, onProblem, start, waits: (one) => this.#add(one) })
    this.#endAtOpen = store.bounds(TIMER_TOPIC, 0).maxOffset
    const ageMs = Math.min(ROLL_AGE_MS, (retentionMs * 2) / 3)
    this.#roll = new TimerRoll({ store, clock, timers, ageMs, onProblem, waits: this.#waits })
  }

  /** How many messages wait, cancellations included. */
  get waiting(): number {
    return this.#waits.size
  }

  /** Whether what was due has been delivered, but for the last seconds; not before the topic is read that was found. */
  get isCaughtUp(): boolean {
    const nowSecond = Math.floor(this.#parts.clock.now() / 1000)
    return this.#reader.nextOffset >= this.#endAtOpen && this.#firstSecond >= nowSecond - LATE_SECONDS
  }

  /** The first offset of the topic that waits, or may. */
  get waitingFrom(): number {
    return this.#state().firstOffset
  }

  /** Begins to deliver; a store that cannot be written to is left alone. */
  start(): void {
    if (this.#parts.store.status === 'open') this.#running = Promise.all([this.#reader.run(), this.#run()])
  }

  /**
   * Cancels a message that waits.
   *
   * @returns whether it is surely not delivered: `false` when its time has come
   * @throws what the store throws
   */
  async cancel(receipt: TimedReceipt): Promise<boolean> {
    checkObject('a receipt', receipt)
    const { topic, uniqueKey, deliverAt } = receipt
    checkString('topic', topic)
    checkString('uniqueKey', uniqueKey)
    if (deliverAt !== undefined) checkWhole('deliverAt', deliverAt)
    const { store, clock } = this.#parts
    const dueMs = deliverAt === undefined ? 0 : outMsOf(deliverAt) + 1000
    if (deliverAt === undefined || dueMs <= clock.now()) return false
    await store.put(cancelMessage(topic, uniqueKey, deliverAt))
    // What is put before the second comes is read before the second is delivered.
    return clock.now() < dueMs
  }

  /** Stops delivering; what waits is left to whoever opens the directory next. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#reader.stop()
    this.#pause.end()
    await this.#running
    if (!this.#isBegun || this.#parts.store.status !== 'open') return
    try {
      await this.#handOver()
    } catch (error) {
      // `timercheck` is as it was while we ran: nothing is lost, and RocketMQ would deliver some again.
      this.#parts.onProblem(error)
    }
  }

  async #handOver(): Promise<void> {
    const { store, disk, clock, timers } = this.#parts
    await store.flush()
    const state = this.#state()
    if (this.waiting === 0) {
      if (this.#isOther(state)) await this.#files.writeClosed(state, 0)
      return
    }
    const nowSecond = Math.floor(clock.now() / 1000)
    const place = { disk, directory: this.#files.logDirectory, fileBytes: this.#files.logFileBytes, nowSecond }
    const units = await writeTimerLog({ store, timers, place, state, waits: this.#waits })
    await this.#files.writeClosed(state, units)
  }

  /** Writes how far the timer has come. */
  async flush(): Promise<void> {
    if (!this.#isBegun || this.#isClosed) return
    const state = this.#state()
    if (!this.#isOther(state)) return
    this.#isChanged = false
    try {
      // A copy that is lost to power failure must be made again.
      await this.#parts.store.flush()
      await this.#files.writeRunning(state)
      this.#written = state
    } catch (error) {
      this.#isChanged = true
      throw error
    }
  }

  #isOther({ queueOffset, firstOffset }: TimerState): boolean {
    return this.#isChanged || queueOffset !== this.#written.queueOffset || firstOffset !== this.#written.firstOffset
  }

  #state(): TimerState {
    const queueOffset = this.#reader.nextOffset
    let firstOffset = Math.min(queueOffset, this.#waits.firstFrom(0))
    for (const one of this.#cancelled.values()) firstOffset = Math.min(firstOffset, one.firstOffset)
    const passed = Math.max(this.#doneSecond + 1, Math.floor(this.#parts.clock.now() / 1000))
    return { second: Math.min(this.#firstSecond, passed), queueOffset, firstOffset }
  }

  get #firstSecond(): number {
    return this.#held.reduce((least, { second }) => Math.min(least, second), this.#waits.firstSecond)
  }

  #add(one: Waiting): void {
    const isNext = one.second < this.#waits.firstSecond
    this.#waits.add(one)
    if (isNext) this.#pause.end()
  }

  async #run(): Promise<void> {
    await this.#reader.hasRead(this.#reader.startOffset)
    while (!this.#isClosed) {
      try {
        if (!this.#isBegun) await this.#begin()
        if ((await this.#deliverDue()) || (await this.#roll.step())) continue
        const untilDue = this.#waits.firstSecond * 1000 - this.#parts.clock.now()
        await this.#pause.for(Math.max(1, Math.min(LONGEST_SLEEP_MS, untilDue)))
      } catch (error) {
        if (this.#isClosed || (error instanceof MessageStoreError && error.code === 'STORE_CLOSED')) return
        // A replica may become a primary; until then its primary delivers.
        if (!(error instanceof MessageStoreError && error.code === 'STORE_READ_ONLY')) this.#parts.onProblem(error)
        await this.#pause.for(AGAIN_MS)
      }
    }
  }

  async #begin(): Promise<void> {
    const state = this.#state()
    await this.#files.begin(state)
    this.#written = state
    this.#isBegun = true
  }

  /** Delivers some of what is due. @returns whether there was any */
  async #deliverDue(): Promise<boolean> {
    const nowSecond = Math.floor(this.#parts.clock.now() / 1000)
    if (this.#waits.firstSecond > nowSecond) return false
    // Cancellations that were acknowledged before are known before.
    await this.#reader.hasRead(this.#parts.store.bounds(TIMER_TOPIC, 0).maxOffset)
    if (this.#isClosed) return false
    const batch: Waiting[] = []
    while (batch.length < BATCH_MESSAGES && this.#waits.firstSecond <= nowSecond) {
      const one = this.#waits.take()
      if (one !== undefined) batch.push(one)
    }
    this.#held = batch
    try {
      await this.#deliver(batch)
    } finally {
      // What could not be delivered stays.
      for (const one of this.#held) this.#waits.putBack(one)
      this.#held = []
    }
    this.#isChanged = true
    this.#doneSecond = Math.max(this.#doneSecond, batch.at(-1)?.second ?? 0)
    for (const second of this.#cancelled.keys()) if (second < this.#waits.firstSecond) this.#cancelled.delete(second)
    return true
  }

  async #deliver(batch: readonly Waiting[]): Promise<void> {
    const { clock, store, onProblem } = this.#parts
    const failed: Waiting[] = []
    let reason: unknown
    for (let at = 0; at < batch.length; ) {
      const rest = batch.slice(at)
      const offsets = rest.map(({ queueOffset }) => queueOffset)
      const messages = await fetchWaiting(store, offsets, (offset, error) => this.#tellLost(offset, error))
      const now = clock.now()
      const puts = messages.map((message, i) => (message === undefined ? undefined : this.#put(rest[i]!, message, now)))
      const left = await failedPuts(puts, onProblem)
      reason ??= left[0]?.error
      const isLeft = new Set(left.map((one) => one.at))
      for (let i = 0; i < messages.length; i++) {
        if (isLeft.has(i)) failed.push(rest[i]!)
        else this.#waits.settle(rest[i]!.queueOffset)
      }
      at += messages.length
      this.#held = [...failed, ...batch.slice(at)]
    }
    if (failed.length > 0) throw reason
  }

  /** Puts the copy of a message. One that cannot be made is tried again, as what cannot be stored is; the others do not wait. */
  #put(one: Waiting, message: StoredMessage, now: number): Promise<PutReceipt> | undefined {
    try {
      const copy = this.#copyOf(one, message, now)
      return copy === undefined ? undefined : this.#parts.store.put(copy)
    } catch (cause) {
      return Promise.reject(new Error(`message ${one.queueOffset} of ${TIMER_TOPIC} cannot be delivered now`, { cause }))
    }
  }

  /** What is put for a message that is due; nothing for a cancellation, and for what is cancelled. */
  #copyOf({ second, queueOffset, isCancel }: Waiting, message: StoredMessage, now: number): Message | undefined {
    const cancels = isCancel ? waitOf(message)?.cancels : undefined
    const known = this.#cancelled.get(second)
    if (cancels === undefined)
      return known !== undefined && isCancelled(message, known.names) ? undefined : dueMessage(message, now)
    if (known === undefined) this.#cancelled.set(second, { names: new Set([cancels]), firstOffset: queueOffset })
    else {
      known.names.add(cancels)
      known.firstOffset = Math.min(known.firstOffset, queueOffset)
    }
    return undefined
  }

  #tellLost(queueOffset: number, error: unknown): void {
    const what = `message ${queueOffset} of ${TIMER_TOPIC} can no longer be read and is not delivered`
    this.#parts.onProblem(new Error(what, { cause: error }))
  }
}
