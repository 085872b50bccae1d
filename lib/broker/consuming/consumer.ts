/** A member of a consumer group in this process: deliveries in a loop, or a function that is called with each message. */
import { Emitter } from '../../base/signals.js'
import type { Clock, Timer, Timers } from '../../base/system.js'
import type { QueueName } from '../../store/message.js'
import { BrokerError } from '../errors.js'
import { batchSizeOf, checkSeek, concurrencyOf } from './consumer-arguments.js'
import type { ResolvedConsumerOptions } from './consumer-options.js'
import type { Delivery } from './delivery.js'
import type { Holding } from './holding.js'
import type { ReceivedMessage } from './received-message.js'

/** What a consumer tells. */
export interface ConsumerEvents {
  /** The queues that it may take from have changed. */
  assigned: { queues: readonly QueueName[] }
  /** A handler threw, or a delivery was out for too long; the message is tried again, or given up. */
  failed: { message: ReceivedMessage; attempt: number; error: unknown }
  /** Something that consuming goes on after: a damaged record, a disk that cannot be read. */
  problem: { error: unknown }
}

/** How {@link Consumer.run} calls its handler. */
export interface RunOptions {
  /** How many calls may be under way at once. @default 1 */
  readonly concurrency?: number
}

/** What the queues of a consumer tell it. */
export interface HoldingHooks {
  /** How many deliveries are out, over all queues. */
  readonly tally: { count: number }
  /** Queues came or went, something may be taken, or there is room. */
  readonly onChange: () => void
  readonly onProblem: (error: unknown) => void
}

/** What a consumer is made of. */
export interface ConsumerParts {
  readonly options: ResolvedConsumerOptions
  /** Name of the member in its group. */
  readonly clientId: string
  readonly clock: Clock
  readonly timers: Timers
  /** Its queues, and where its group stands in them. */
  readonly queues: ConsumerQueuesPort
  /** Takes the member out of its group. */
  readonly leave: () => void
}

/** What a consumer does with its queues. */
export interface ConsumerQueuesPort {
  holding(hooks: HoldingHooks): Holding
  seek(holding: Holding, target: SeekTarget): Promise<void>
  flushOffsets(): Promise<void>
}

/** Where a consumer goes on. */
export interface SeekTarget {
  /** One of the topics that it subscribes to. */
  readonly topic: string
  /** One queue; all that the member has, when it is left out. */
  readonly queueId?: number
  /** An offset, one of the ends, or a time. */
  readonly to: { readonly offset: number } | 'first' | 'last' | Date
}

/**
 * A consumer. It joins its group at once, and takes its share of the queues as others come and go.
 *
 * Delivery is at least once: what is not acknowledged when a consumer closes, or a process dies, comes again.
 */
export class Consumer implements AsyncIterable<Delivery>, AsyncDisposable {
  /** Name of the member in its group. */
  readonly clientId: string
  readonly #parts: ConsumerParts
  readonly #holding: Holding
  readonly #events = new Emitter<ConsumerEvents>({ assigned: true, failed: true, problem: true })
  readonly #waiting: (() => void)[] = []
  #turn = 0
  /** How many functions are handling something, and who waits for none to. */
  #handling = 0
  #onHandled: (() => void) | undefined
  readonly #tally = { count: 0 }
  #isPaused = false
  #closing: Promise<void> | undefined
  #scan: Timer | undefined

  constructor(parts: ConsumerParts) {
    this.#parts = parts
    this.clientId = parts.clientId
    this.#holding = parts.queues.holding({
      tally: this.#tally,
      onChange: () => this.#wake(),
      onProblem: (error) => this.#events.emit('problem', { error }),
    })
    this.#scanLater()
    const { signal } = parts.options
    if (signal?.aborted) void this.close()
    else signal?.addEventListener('abort', () => void this.close(), { once: true })
  }

  /** The queues that it may take from now. */
  get queues(): QueueName[] {
    return this.#holding.queues.map(({ topic, queueId }) => ({ topic, queueId }))
  }

  /** How many deliveries are out. */
  get inFlight(): number {
    return this.#tally.count
  }

  /**
   * Calls a listener at each event of a name. What it throws keeps nothing here from going on: it comes to the process as
   * an uncaught exception, like one thrown in a timer, and so does a rejection of what it returns.
   *
   * @returns a function that ends it
   * @throws {TypeError} for an event that there is not, or a listener that is no function
   */
  on<Name extends keyof ConsumerEvents>(name: Name, listener: (event: ConsumerEvents[Name]) => void): () => void {
    return this.#events.on(name, listener)
  }

  /** Its share of the queues; whoever rebalances the group calls this. */
  assign(queues: readonly QueueName[]): void {
    if (this.#closing !== undefined) return
    this.#holding.want(queues)
    this.#events.emit('assigned', { queues })
  }

  /** Deliveries without end. Leaving the loop closes the consumer and returns what is not acknowledged. */
  async *[Symbol.asyncIterator](): AsyncIterator<Delivery> {
    try {
      for (;;) {
        const delivery = await this.next()
        if (delivery === undefined) return
        yield delivery
      }
    } finally {
      this.#cutOff()
      await this.close()
    }
  }

  /** The next delivery, waiting for it; `undefined` once the consumer is closed. */
  async next(): Promise<Delivery | undefined> {
    return this.#timed(this.#take() ?? (await this.#next()))
  }

  /**
   * Calls a function with each message until the consumer closes. When it returns, the message is handled; when it
   * throws, the message is tried again.
   *
   * @throws {TypeError} {@link RangeError} for what is no function, or a concurrency that is not 1 to 65,536
   */
  async run(handler: (message: ReceivedMessage, delivery: Delivery) => unknown, options: RunOptions = {}): Promise<void> {
    const concurrency = concurrencyOf(handler, options)
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(handler)))
  }

  /** As {@link run}, with up to `maxMessages` at a time; when the function throws, all of them are tried again. */
  async runBatches(
    handler: (messages: readonly ReceivedMessage[]) => unknown,
    options: { readonly maxMessages?: number } = {},
  ): Promise<void> {
    await this.#workInBatches(handler, batchSizeOf(handler, options))
  }

  /** Hands out nothing more until {@link resume}; what is out may be settled. */
  pause(): void {
    this.#isPaused = true
  }

  /** Ends {@link pause}. */
  resume(): void {
    this.#isPaused = false
    this.#wake()
  }

  /**
   * Goes on elsewhere, for the whole group: forward passes messages over, back delivers them again. What is out of
   * those queues can no longer be settled.
   *
   * @throws {TypeError} {@link RangeError} for a topic that it does not subscribe to, or an offset that is neither in the
   *   queue nor its end; {@link BrokerError} `BROKER_CLOSED`, `QUEUE_UNKNOWN`. Then nothing has moved.
   */
  async seek(target: SeekTarget): Promise<void> {
    if (this.#closing !== undefined) throw new BrokerError('BROKER_CLOSED', 'the consumer is closed')
    checkSeek(target)
    await this.#parts.queues.seek(this.#holding, target)
  }

  /** Takes a queue anew, at the place that its group has then; whoever moves the group calls this. */
  restart(queue: QueueName): Promise<void> {
    return this.#holding.again(queue, () => {})
  }

  /** What is out of a topic can no longer be settled; whoever deletes the topic calls this. */
  cutOff(topic: string): void {
    for (const queue of this.#holding.all()) if (queue.topic === topic) queue.cutOff()
  }

  /**
   * Leaves the group. Waits for the functions that {@link run} and {@link runBatches} have called, for at most
   * `handOverMs`; what is not settled then comes again. May be called again.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#scan?.cancel()
    this.#wake()
    await this.#handled()
    this.#cutOff()
    await this.#holding.end()
    this.#parts.leave()
    await this.#parts.queues.flushOffsets()
  }

  /** What is out can no longer be settled: the group gets it again. */
  #cutOff(): void {
    for (const queue of this.#holding.all()) queue.cutOff()
  }

  /** Resolves when no function is handling anything, or after `handOverMs`. */
  #handled(): Promise<void> {
    if (this.#handling === 0) return Promise.resolve()
    const { timers, options } = this.#parts
    return new Promise((resolve) => {
      const timer = timers.after(options.handOverMs, resolve, true)
      this.#onHandled = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  /** Runs a function, so that a close waits for it. */
  async #handle(action: () => Promise<void>): Promise<void> {
    this.#handling++
    try {
      await action()
    } finally {
      if (--this.#handling === 0) this.#onHandled?.()
    }
  }

  async #work(handler: (message: ReceivedMessage, delivery: Delivery) => unknown): Promise<void> {
    const isNoted = this.#parts.options.once !== undefined
    for (;;) {
      const delivery = this.#take() ?? (await this.#next())
      if (delivery === undefined) return
      // What a handler has settled when it returns is never late: most spare the look at the clock.
      if (isNoted) this.#timed(delivery)
      let result: unknown
      try {
        result = handler(delivery.message, delivery)
      } catch (error) {
        this.#timed(delivery)
        await this.#handle(() => this.#failed(delivery, error))
        continue
      }
      if (!isThenable(result)) delivery.handled()
      else {
        this.#timed(delivery)
        await this.#handle(() => this.#settled(delivery, result as PromiseLike<unknown>))
      }
    }
  }

  /** Waits for a handler. A close waits for this, and what was handled by then does not come again. */
  async #settled(delivery: Delivery, result: PromiseLike<unknown>): Promise<void> {
    try {
      await result
    } catch (error) {
      await this.#failed(delivery, error)
      return
    }
    delivery.handled()
  }

  async #workInBatches(handler: (messages: readonly ReceivedMessage[]) => unknown, maxMessages: number): Promise<void> {
    for (;;) {
      const first = this.#take() ?? (await this.#next())
      if (first === undefined) return
      const batch = [first]
      while (batch.length < maxMessages) {
        const more = this.#take()
        if (more === undefined) break
        batch.push(more)
      }
      for (const delivery of batch) this.#timed(delivery)
      await this.#handle(async () => {
        try {
          await handler(batch.map(({ message }) => message))
          for (const delivery of batch) delivery.handled()
        } catch (error) {
          await Promise.all(batch.map((delivery) => this.#failed(delivery, error)))
        }
      })
    }
  }

  async #failed(delivery: Delivery, error: unknown): Promise<void> {
    const { message, attempt } = delivery
    this.#events.emit('failed', { message, attempt, error })
    try {
      await delivery.retry()
    } catch (problem) {
      if (problem instanceof BrokerError && problem.code === 'DELIVERY_SETTLED') return
      // It stays out until its time is over, and is given back then.
      this.#events.emit('problem', { error: problem })
    }
  }

  /** From now on its time runs. */
  #timed<Given extends Delivery | undefined>(delivery: Given): Given {
    if (delivery !== undefined) delivery.takenAt = this.#parts.clock.monotonic()
    return delivery
  }

  #take(): Delivery | undefined {
    if (this.#isPaused || this.#closing !== undefined) return undefined
    if (this.#tally.count >= this.#parts.options.maxInFlight) return undefined
    const { queues } = this.#holding
    for (let i = 0; i < queues.length; i++) {
      const delivery = queues[(this.#turn + i) % queues.length]!.take()
      if (delivery !== undefined) {
        this.#turn = (this.#turn + i) % queues.length
        return delivery
      }
    }
    return undefined
  }

  async #next(): Promise<Delivery | undefined> {
    while (this.#closing === undefined) {
      const delivery = this.#take()
      if (delivery !== undefined) return delivery
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return undefined
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #scanLater(): void {
    const { options, timers } = this.#parts
    const every = Math.max(10, Math.min(1000, options.consumeTimeoutMs / 4))
    this.#scan = timers.after(every, () => {
      this.#giveBackExpired()
      if (this.#closing === undefined) this.#scanLater()
    })
  }

  #giveBackExpired(): void {
    const { options, clock } = this.#parts
    const deadline = clock.monotonic() - options.consumeTimeoutMs
    for (const queue of this.#holding.all()) {
      for (const delivery of queue.expired(deadline)) {
        void this.#failed(delivery, new Error(`not settled within ${options.consumeTimeoutMs} ms`))
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value
}
