/** A member of a group that pops: as many as you like may share one queue. */

import { checkRequest, checkSignal, fieldNames, wholeBetween } from '../../base/arguments.js'
import { MessageStoreError } from '../../base/errors.js'
import { Emitter } from '../../base/signals.js'
import { retryTopicOf } from '../config/system-topics.js'
import type { ConsumerEvents, RunOptions } from '../consuming/consumer.js'
import { concurrencyOf } from '../consuming/consumer-arguments.js'
import { type ReceivedMessage, receivedMessage } from '../consuming/received-message.js'
import { BrokerError } from '../errors.js'
import { checkOwnFilter, type MessageFilter } from '../filter/message-filter.js'
import { SystemProperty, withProperties } from '../system-property.js'
import { MAX_POPPED } from './check-point.js'
import { PopDelivery } from './pop-delivery.js'
import type { ResolvedPopOptions } from './pop-options.js'
import type { PopParts, PoppedMessage } from './pop-parts.js'
import type { Popping } from './popping.js'
import type { Settling } from './settling.js'

/** How long `run` waits at once. */
const WAIT_MS = 20_000

/** What a pop consumer tells. */
export type PopEvents = Pick<ConsumerEvents, 'failed' | 'problem'>

/** What is asked for. */
export interface PopOptions {
  /** 1 to 32. @default 32 */
  readonly maxMessages?: number
  /** Milliseconds to wait when there is nothing. @default 0 */
  readonly waitMs?: number
  /** Ends the wait; what was popped is returned. */
  readonly signal?: AbortSignal
}

const popFields = fieldNames<keyof PopOptions>({ maxMessages: true, waitMs: true, signal: true })

/** What a pop consumer needs. */
export interface PopConsumerParts extends PopParts {
  readonly popping: Popping
  readonly settling: Settling
  /** Makes it a member of its group, which wants these. @throws {BrokerError} `SUBSCRIPTION_CONFLICT` */
  readonly join: (subscriptions: ReadonlyMap<string, MessageFilter>) => void
  readonly leave: (consumer: PopConsumer) => void
}

/** See the head of this file. */
export class PopConsumer implements AsyncDisposable {
  readonly #parts: PopConsumerParts
  readonly #options: ResolvedPopOptions
  readonly #filters = new Map<string, MessageFilter>()
  readonly #events = new Emitter<PopEvents>({ failed: true, problem: true })
  readonly #stop = new AbortController()
  readonly #ready: Promise<unknown>
  #turn = 0
  #handling = 0
  /** Called whenever a function that `run` called is over. */
  readonly #waiting = new Set<() => void>()
  #closing: Promise<void> | undefined

  constructor(parts: PopConsumerParts, options: ResolvedPopOptions) {
    this.#parts = parts
    this.#options = options
    const { topics, groups, filters } = parts
    for (const [topic, expression] of Object.entries(options.subscribe)) {
      topics.get(topic)
      this.#filters.set(topic, filters.get(checkOwnFilter(expression)))
    }
    const { group, signal } = options
    // An unknown one is made, if that is allowed; if not, this says so at once.
    groups.checkForConsuming(group)
    parts.join(this.#filters)
    this.#ready = groups.forConsuming(group)
    this.#ready.catch(() => {})
    if (signal?.aborted) void this.close()
    else signal?.addEventListener('abort', () => void this.close(), { once: true })
  }

  /**
   * Calls a listener at each event of a name. What it throws keeps nothing here from going on: it comes to the process as
   * an uncaught exception, like one thrown in a timer, and so does a rejection of what it returns.
   *
   * @returns a function that ends it
   * @throws {TypeError} for an event that there is not, or a listener that is no function
   */
  on<Name extends keyof PopEvents>(name: Name, listener: (event: PopEvents[Name]) => void): () => void {
    return this.#events.on(name, listener)
  }

  /**
   * The next messages of the topics, waiting for them. Each is hidden from the others until it is acknowledged, or its
   * time is over.
   *
   * @returns none when there were none in time, or when the consumer or the broker is closed meanwhile
   * @throws {RangeError} for a number out of its range; {@link BrokerError} `TOPIC_UNKNOWN`, `NO_PERMISSION`,
   *   `BROKER_CLOSED` when it was closed before; what the store throws
   */
  async pop(options: PopOptions = {}): Promise<PopDelivery[]> {
    if (this.#closing !== undefined) throw new BrokerError('BROKER_CLOSED', 'the consumer is closed')
    this.#parts.checkOpen()
    checkRequest(options, popFields, 'the options object of pop')
    const { maxMessages = MAX_POPPED, waitMs = 0, signal } = options
    wholeBetween('maxMessages', maxMessages, 1, MAX_POPPED)
    wholeBetween('waitMs', waitMs, 0, 0x7fffffff)
    checkSignal(signal)
    try {
      return await this.#pop(maxMessages, waitMs, signal)
    } catch (error) {
      if (isClosed(error)) return []
      throw error
    }
  }

  async #pop(maxMessages: number, waitMs: number, signal: AbortSignal | undefined): Promise<PopDelivery[]> {
    await this.#ready
    const topics = this.#topics()
    const first = this.#turn++
    for (let i = 0; i < topics.length; i++) {
      const found = await this.#popTopic(topics[(first + i) % topics.length]!, maxMessages, 0, signal)
      if (found.length > 0 || signal?.aborted || this.#closing !== undefined) return found
    }
    return waitMs === 0 ? [] : this.#popFirst(topics, maxMessages, waitMs, signal)
  }

  /**
   * Calls a function with each message until the consumer closes. When it returns, the message is acknowledged; when it
   * throws, the message comes again. Messages that take longer than `invisibleMs` must be extended by the function.
   *
   * @throws {RangeError} for a concurrency below 1
   */
  async run(handler: (message: ReceivedMessage, delivery: PopDelivery) => unknown, options: RunOptions = {}): Promise<void> {
    const concurrency = concurrencyOf(handler, options)
    let busy = 0
    while (this.#closing === undefined) {
      if (busy >= concurrency) {
        await new Promise<void>((resolve) => this.#waiting.add(resolve))
        continue
      }
      const maxMessages = Math.min(MAX_POPPED, concurrency - busy)
      for (const delivery of await this.#next(maxMessages)) {
        // Popped while it closed: it comes again when its time is over.
        if (this.#closing !== undefined) return
        busy++
        this.#handling++
        void this.#handle(handler, delivery).finally(() => {
          busy--
          this.#handling--
          this.#wake()
        })
      }
    }
  }

  /**
   * Pops nothing more, and waits for the functions that {@link run} called, for at most `handOverMs`. What is out may
   * still be settled, and comes again when its time is over. May be called again.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { timers, leave } = this.#parts
    this.#stop.abort()
    this.#wake()
    let isOver = false
    const timer = timers.after(
      this.#options.handOverMs,
      () => {
        isOver = true
        this.#wake()
      },
      true,
    )
    while (this.#handling > 0 && !isOver) await new Promise<void>((resolve) => this.#waiting.add(resolve))
    timer.cancel()
    leave(this)
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  /**
   * What it takes from. Members that were assigned queues may have left something to be tried again: RocketMQ's clients
   * fetch that also while they pop, so it is theirs when there are any.
   */
  #topics(): string[] {
    const { hasRemote, topics } = this.#parts
    const own = [...this.#filters.keys()]
    const { group } = this.#options
    const left = retryTopicOf(group)
    return topics.find(left) === undefined || hasRemote(group) ? own : [...own, left]
  }

  /** What comes first of several topics. A pop of another one may have found something too: then all of it is returned. */
  async #popFirst(topics: string[], most: number, waitMs: number, signal: AbortSignal | undefined): Promise<PopDelivery[]> {
    const stop = new AbortController()
    const end = (): void => stop.abort()
    const signals = [this.#stop.signal, ...(signal === undefined ? [] : [signal])]
    for (const one of signals) {
      if (one.aborted) end()
      one.addEventListener('abort', end, { once: true })
    }
    try {
      const pops = topics.map(async (topic) => {
        const found = await this.#popTopic(topic, most, waitMs, stop.signal).finally(end)
        return found
      })
      const settled = await Promise.allSettled(pops)
      const found = settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
      for (const one of settled) if (one.status === 'rejected' && found.length === 0) throw one.reason
      return found
    } finally {
      for (const one of signals) one.removeEventListener('abort', end)
    }
  }

  async #popTopic(topic: string, most: number, pollMs: number, signal: AbortSignal | undefined): Promise<PopDelivery[]> {
    const { group, invisibleMs, ordered, startAt } = this.#options
    const filter = this.#filters.get(topic) ?? this.#parts.filters.get('*')
    const request = { group, topic, queueId: -1, maxMessages: most, invisibleMs, filter, pollMs, signal, startAt }
    const popped = await this.#parts.popping.pop({ ...request, isOrdered: ordered })
    return popped.map((one) => this.#delivery(topic, one))
  }

  #delivery(topic: string, popped: PoppedMessage): PopDelivery {
    const { settling, inflate } = this.#parts
    const { stored, point, handle } = popped
    const properties = withProperties(stored.properties, {
      [SystemProperty.popCheckPoint]: handle,
      [SystemProperty.firstPopTime]: stored.properties[SystemProperty.firstPopTime] ?? String(point.popTime),
    })
    const { group, ordered } = this.#options
    const sentTo = topic === retryTopicOf(group) ? (properties[SystemProperty.retryTopic] ?? topic) : topic
    const message = receivedMessage(stored, inflate, { topic: sentTo, properties })
    return new PopDelivery(settling, { group, topic }, popped, message, ordered)
  }

  /** What `run` takes next; after a problem nothing, a while later. */
  async #next(maxMessages: number): Promise<PopDelivery[]> {
    try {
      return await this.pop({ maxMessages, waitMs: WAIT_MS })
    } catch (error) {
      if (this.#closing !== undefined) return []
      if (isClosed(error)) {
        // The broker closes, and this consumer in its turn.
        await new Promise<void>((resolve) => this.#waiting.add(resolve))
        return []
      }
      this.#events.emit('problem', { error })
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve)
        this.#parts.timers.after(1000, resolve)
      })
      return []
    }
  }

  async #handle(handler: (message: ReceivedMessage, delivery: PopDelivery) => unknown, delivery: PopDelivery): Promise<void> {
    const { message, attempt } = delivery
    try {
      await handler(message, delivery)
    } catch (error) {
      this.#events.emit('failed', { message, attempt, error })
      await delivery.retry().catch((problem: unknown) => this.#unlessSettled(problem))
      return
    }
    await delivery.ack().catch((problem: unknown) => this.#unlessSettled(problem))
  }

  /** The handler may have settled it by itself; else it comes again. */
  #unlessSettled(error: unknown): void {
    if (error instanceof BrokerError && error.code === 'DELIVERY_SETTLED') return
    this.#events.emit('problem', { error })
  }
}

/** Whether the broker is closing, or its store. */
function isClosed(error: unknown): boolean {
  if (error instanceof BrokerError) return error.code === 'BROKER_CLOSED'
  return error instanceof MessageStoreError && error.code === 'STORE_CLOSED'
}
