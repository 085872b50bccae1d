/** Follows the timer's queue, from the first message that may wait to the end and on as messages come. */
import { MessageStoreError } from '../../base/errors.js'
import { nextTurn, type Timers } from '../../base/system.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import type { ReadPort } from '../store-port.js'
import { Pause } from './pause.js'
import { nextOffsetOf } from './timer-fetch.js'
import type { TimerStart } from './timer-files.js'
import { waitOf } from './timer-messages.js'

const BATCH_MESSAGES = 512
const BATCH_BYTES = 1024 * 1024
const WAIT_MS = 20_000
/** After an error, such as a disk that cannot be read. */
const AGAIN_MS = 1000

/** What a reader needs. */
export interface TimerReaderOptions {
  readonly store: Pick<ReadPort, 'get' | 'bounds'>
  readonly timers: Timers
  readonly start: TimerStart
  /** Told of each message that waits. */
  readonly waits: (one: { second: number; queueOffset: number; isCancel: boolean }) => void
  readonly onProblem: (error: unknown) => void
}

/** See the head of this file. */
export class TimerReader {
  readonly #options: TimerReaderOptions
  readonly #stop = new AbortController()
  readonly #pause: Pause
  readonly #second: number
  /** What stands before it was read by somebody before us. */
  readonly #startOffset: number
  #waiting: Float64Array | undefined
  /** How many of `#waiting` lie behind us. */
  #passed = 0
  #next: number
  #waiters: { offset: number; resolve: () => void }[] = []

  constructor(options: TimerReaderOptions) {
    this.#options = options
    this.#pause = new Pause(options.timers)
    const { second, queueOffset, firstOffset, waiting } = options.start
    const { minOffset, maxOffset } = options.store.bounds(TIMER_TOPIC, 0)
    this.#second = second
    this.#waiting = waiting
    // Power loss may have taken the end of the queue.
    this.#startOffset = Math.max(minOffset, Math.min(queueOffset, maxOffset))
    this.#next = waiting?.length === 0 ? this.#startOffset : Math.max(minOffset, Math.min(firstOffset, this.#startOffset))
  }

  /** Up to here the queue was read before us. */
  get startOffset(): number {
    return this.#startOffset
  }

  /** Up to here it is read now. */
  get nextOffset(): number {
    return this.#next
  }

  /** Resolves when the queue is read up to an offset, or the reader has stopped. */
  hasRead(offset: number): Promise<void> {
    if (this.#next >= offset || this.#stop.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ offset, resolve }))
  }

  /** Stops reading. */
  stop(): void {
    this.#stop.abort()
    this.#pause.end()
    this.#tell()
  }

  /** Reads until {@link stop}. */
  async run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#read(signal)
      } catch (error) {
        if (signal.aborted || (error instanceof MessageStoreError && error.code === 'STORE_CLOSED')) return
        this.#options.onProblem(error)
        const next = nextOffsetOf(error)
        // A damaged message is passed over: it can be delivered to nobody.
        if (next !== undefined) this.#moveTo(next)
        else await this.#pause.for(AGAIN_MS)
      }
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { store, timers } = this.#options
    const place = { topic: TIMER_TOPIC, queueId: 0, offset: this.#next }
    const { messages, nextOffset } = await store.get({
      ...place,
      maxMessages: BATCH_MESSAGES,
      maxBytes: BATCH_BYTES,
      waitMs: WAIT_MS,
      signal,
    })
    for (const message of messages) this.#take(message)
    this.#moveTo(nextOffset)
    // A long queue must not keep others from their turn.
    if (messages.length > 0) await nextTurn(timers)
  }

  #take(message: StoredMessage): void {
    const wait = waitOf(message)
    if (wait === undefined) {
      const what = `message ${message.queueOffset} of ${TIMER_TOPIC} does not say when it is due and is not delivered`
      this.#options.onProblem(new Error(what))
      return
    }
    const { queueOffset } = message
    if (queueOffset < this.#startOffset && !this.#didWait(message, wait.second)) return
    this.#options.waits({ second: wait.second, queueOffset, isCancel: wait.cancels !== undefined })
  }

  /** Whether a message that was read before us waits still. */
  #didWait({ commitLogOffset }: StoredMessage, second: number): boolean {
    const waiting = this.#waiting
    if (waiting === undefined) return second >= this.#second
    while (this.#passed < waiting.length && waiting[this.#passed]! < commitLogOffset) this.#passed++
    return waiting[this.#passed] === commitLogOffset
  }

  #moveTo(offset: number): void {
    this.#next = offset
    if (offset >= this.#startOffset) this.#waiting = undefined
    this.#tell()
  }

  #tell(): void {
    if (this.#waiters.length === 0) return
    const isOver = this.#stop.signal.aborted
    const ready = this.#waiters.filter(({ offset }) => isOver || this.#next >= offset)
    this.#waiters = this.#waiters.filter((one) => !ready.includes(one))
    for (const { resolve } of ready) resolve()
  }
}
