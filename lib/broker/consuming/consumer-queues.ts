/**
 * The queues of one consumer: where its group stands in each, how one is opened, and what becomes of what it gives back.
 *
 * A clustering consumer shares its group's offsets with the others. A broadcasting one has offsets of its own, kept
 * under its name if it has one.
 */
import { shown } from '../../base/errors.js'
import type { Clock, Timers } from '../../base/system.js'
import type { QueueName } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { InflateBody } from '../compression/inflate.js'
import type { ConsumerOffsets, QueuePlace } from '../config/offsets.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { MessageFilter } from '../filter/message-filter.js'
import type { Handled } from '../idempotence/handled.js'
import { onceKeyOf } from '../idempotence/once-options.js'
import type { Numbers } from '../numbers/numbers.js'
import type { ReadPort } from '../store-port.js'
import type { HoldingHooks, SeekTarget } from './consumer.js'
import type { ResolvedConsumerOptions } from './consumer-options.js'
import type { RetryOptions } from './delivery.js'
import { HeldQueue, type OnceFilter } from './held-queue.js'
import { Holding } from './holding.js'
import { OffsetRanges } from './offset-ranges.js'
import { QueueFetch } from './queue-fetch.js'
import type { QueueHolds } from './queue-holds.js'
import { type ReceivedMessage, receivedMessage } from './received-message.js'
import type { SendBack } from './send-back.js'
import { placeOf, startOffset } from './start-offset.js'

/** Locks of queues for ordered consumption. */
export interface QueueLockPort {
  lock(group: string, clientId: string, name: QueueName): boolean
  unlock(group: string, clientId: string, name: QueueName): void
}

/** What the queues of consumers need. */
export interface ConsumerQueuesParts {
  readonly store: ReadPort
  readonly topics: Pick<Topics, 'find'>
  readonly offsets: ConsumerOffsets
  /** Offsets of broadcasting members, each under its own name. */
  readonly ownOffsets: ConsumerOffsets
  readonly holds: QueueHolds
  /** Changes the place of a group in a queue while nobody of this process holds it. */
  readonly moved: (group: string, queue: QueueName, change: () => void) => Promise<void>
  readonly locks: QueueLockPort
  readonly sendBack: SendBack
  readonly numbers: Pick<Numbers, 'queue'>
  readonly handled: Pick<Handled, 'of'>
  readonly inflate: InflateBody
  readonly delayLevels: number
  readonly clock: Clock
  readonly timers: Timers
}

/** The place of a member whose offsets end with it. */
const NOT_KEPT: QueuePlace = { commit: () => true, keepAhead: () => {} }

/** See the head of this file. */
export class ConsumerQueues {
  readonly #parts: ConsumerQueuesParts
  readonly #options: ResolvedConsumerOptions
  readonly #clientId: string
  readonly #filters: ReadonlyMap<string, MessageFilter>
  readonly #offsets: ConsumerOffsets
  /** The name under which offsets are kept: the group's, or the member's own. */
  readonly #owner: string
  /** Where queues ended when the consumer came; those that are made later begin with 0. */
  readonly #ends = new Map<string, number>()

  /** @param filters - for each topic that the consumer wants */
  constructor(
    parts: ConsumerQueuesParts,
    options: ResolvedConsumerOptions,
    clientId: string,
    filters: ReadonlyMap<string, MessageFilter>,
  ) {
    const isShared = options.model === 'clustering'
    this.#parts = parts
    this.#options = options
    this.#clientId = clientId
    this.#filters = filters
    this.#offsets = isShared ? parts.offsets : parts.ownOffsets
    this.#owner = isShared ? options.group : `${options.group}@${clientId}`
    for (const topic of filters.keys()) {
      const queues = parts.topics.find(topic)?.readQueues ?? 0
      for (let queueId = 0; queueId < queues; queueId++)
        this.#ends.set(`${topic}/${queueId}`, parts.store.bounds(topic, queueId).maxOffset)
    }
  }

  /** Takes queues and lets them go as its share changes. */
  holding(hooks: HoldingHooks): Holding {
    const { locks, holds, timers } = this.#parts
    const { group, model, ordered, handOverMs } = this.#options
    return new Holding({
      group,
      holds: model === 'clustering' ? holds : undefined,
      timers,
      handOverMs,
      open: (name) => this.#open(name, hooks),
      lock: (name) => !ordered || model === 'broadcasting' || locks.lock(group, this.#clientId, name),
      unlock: (name) => locks.unlock(group, this.#clientId, name),
      onChange: hooks.onChange,
      onProblem: hooks.onProblem,
    })
  }

  /** Writes the offsets. */
  flushOffsets(): Promise<void> {
    return this.#offsets.flush()
  }

  /** Moves the group in the queues that the consumer holds. See {@link Consumer.seek}. */
  async seek(holding: Holding, { topic, queueId, to }: SeekTarget): Promise<void> {
    if (!this.#filters.has(topic)) throw new RangeError(`topic must be one that the consumer subscribes to, got ${shown(topic)}`)
    const held = holding.queues.filter((queue) => queue.topic === topic)
    const wanted = queueId === undefined ? held : held.filter((queue) => queue.queueId === queueId)
    if (queueId !== undefined && wanted.length === 0)
      throw new BrokerError('QUEUE_UNKNOWN', `this consumer does not have queue ${queueId} of ${topic}`)
    // First all places, then the moves: a place that cannot be leaves everything as it was.
    const { store } = this.#parts
    const places = await Promise.all(wanted.map((queue) => placeOf(store, topic, queue.queueId, to)))
    await Promise.all(wanted.map((queue, i) => this.#move(holding, queue, places[i]!)))
  }

  async #move(holding: Holding, { topic, queueId }: QueueName, offset: number): Promise<void> {
    const place = this.#offsets.place(topic, this.#owner, queueId)
    const change = (): void => {
      place.commit(offset)
      // Whoever goes back wants to see it all again.
      place.keepAhead([])
    }
    const { model, group } = this.#options
    // Other members of the group may have the queue by then.
    if (model === 'clustering') await this.#parts.moved(group, { topic, queueId }, change)
    else await holding.again({ topic, queueId }, change)
  }

  /** Whether the offsets outlive the consumer. */
  get #isKept(): boolean {
    return this.#options.model === 'clustering' || this.#options.name !== undefined
  }

  async #open({ topic, queueId }: QueueName, { tally, onChange, onProblem }: HoldingHooks): Promise<HeldQueue> {
    const { store, timers, inflate, numbers, delayLevels } = this.#parts
    // Before anything is waited for: the topic may be deleted meanwhile, and made again.
    const { commit, keepAhead } = this.#isKept ? this.#offsets.place(topic, this.#owner, queueId) : NOT_KEPT
    const once = await this.#once(onProblem)
    let offset = this.#offsets.find(topic, this.#owner, queueId)
    if (offset === undefined) {
      offset = await startOffset(store, { topic, queueId, end: this.#ends.get(`${topic}/${queueId}`) ?? 0 }, this.#options)
      // From here on the group has a place: a restart before the first acknowledgement begins there again.
      commit(offset)
    }
    const filter = this.#filters.get(topic)!
    const reading = { store, timers, topic, queueId, filter, onReady: onChange, onProblem }
    const parts = {
      topic,
      queueId,
      fetchFrom: (from: number) => new QueueFetch(reading, from),
      tally,
      numbers: numbers.queue(topic, this.#options.group, queueId),
      commit,
      isMoved: (committed: number) => this.#isKept && this.#offsets.find(topic, this.#owner, queueId) !== committed,
      once,
      keepAhead,
      ahead: new OffsetRanges(this.#offsets.ahead(topic, this.#owner, queueId)),
      isOrdered: this.#options.ordered,
      delayLevels,
      received: (stored: StoredMessage) => receivedMessage(stored, inflate),
      sendBack: (stored: StoredMessage, attempt: number, retry: RetryOptions) => this.#sendBack(stored, attempt, retry),
      tryAgain: (attempt: number, action: () => void) => this.#tryAgain(attempt, action),
      onReady: onChange,
    }
    return new HeldQueue(parts, offset)
  }

  async #once(onProblem: (error: unknown) => void): Promise<OnceFilter | undefined> {
    const { group, once } = this.#options
    if (once === undefined) return undefined
    const handled = await this.#parts.handled.of(group, once)
    const keyOf = (message: ReceivedMessage): string | undefined => {
      try {
        return onceKeyOf(once.by, message)
      } catch (error) {
        onProblem(error)
        return undefined
      }
    }
    return {
      handledKeyOf: (message) => {
        const key = keyOf(message)
        return key !== undefined && handled.has(key) ? key : undefined
      },
      note: (message) => {
        const key = keyOf(message)
        return key === undefined ? undefined : handled.note(key)
      },
    }
  }

  #tryAgain(attempt: number, action: () => void): boolean {
    const { maxRetries, suspendMs } = this.#options
    if (maxRetries !== undefined && attempt > maxRetries) return false
    this.#parts.timers.after(suspendMs, action)
    return true
  }

  /** A broadcasting member's failures are told, and no more; an ordered one sends back only what it has given up. */
  async #sendBack(stored: StoredMessage, attempt: number, retry: RetryOptions): Promise<void> {
    const { model, ordered, maxRetries, group } = this.#options
    if (model === 'broadcasting') return
    const isGivenUp = ordered && retry.delayLevel === undefined && attempt > (maxRetries ?? Number.MAX_SAFE_INTEGER)
    const delayLevel = isGivenUp ? -1 : retry.delayLevel
    await this.#parts.sendBack.put(stored, group, {
      ...(delayLevel === undefined ? {} : { delayLevel }),
      ...(maxRetries === undefined || ordered ? {} : { maxRetries }),
      ...(ordered ? { attempts: attempt } : {}),
    })
  }
}
