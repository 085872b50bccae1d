/** Long polls: who waits for a message in which queue. Costs nothing while nobody waits, and next to nothing while others do. */
import { FewAtOnce } from '../../base/few-at-once.js'
import type { Clock, Timer, Timers } from '../../base/system.js'
import { TurnShare } from '../../base/turn-share.js'

/** Stands for all topics; no topic has this name. */
const ANY = ''

/** Waits for messages. */
export class Arrivals {
  readonly #timers: Timers
  /** By topic and queue: texts that name both would have to be made for every put. */
  readonly #topics = new Map<string, Map<number, Set<Waiter>>>()
  /** Who has gone meanwhile wakes to nothing. */
  readonly #waking: FewAtOnce<Waiter>

  constructor(clock: Pick<Clock, 'monotonic'>, timers: Timers) {
    this.#timers = timers
    this.#waking = new FewAtOnce(new TurnShare(clock, timers), (waiter) => waiter.wake())
  }

  /** Whether anybody waits at all. */
  get isIdle(): boolean {
    return this.#topics.size === 0
  }

  /** Resolves when a message came into the queue, when `waitMs` passed, when `signal` fired, or when all are woken. */
  wait(topic: string, queueId: number, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const waiter = new Waiter(signal, () => {
        this.#remove(topic, queueId, waiter)
        resolve()
      })
      // A program that only waits for messages must not end while it does.
      waiter.timer = this.#timers.after(waitMs, () => waiter.wake(), true)
      this.#add(topic, queueId, waiter)
      if (signal?.aborted) waiter.wake()
    })
  }

  /** Wakes those who wait for that queue. @returns whether others wait for the topic */
  arrived(topic: string, queueId: number): boolean {
    const queues = this.#topics.get(topic)
    if (queues === undefined) return false
    const set = queues.get(queueId)
    if (set === undefined) return true
    // Who waits from now on waits for the next message.
    queues.delete(queueId)
    if (queues.size === 0) this.#topics.delete(topic)
    this.#waking.add(set)
    return queues.size > 0
  }

  /** Resolves when the visible end of the log moved, or as {@link wait} does. */
  anyMove(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return this.wait(ANY, 0, waitMs, signal)
  }

  /** Wakes those who wait for the log. */
  moved(): void {
    if (!this.isIdle) this.arrived(ANY, 0)
  }

  /** Wakes everybody: the store closes. */
  wakeAll(): void {
    const topics = [...this.#topics.values()]
    this.#topics.clear()
    for (const queues of topics) for (const set of queues.values()) this.#waking.add(set)
  }

  #add(topic: string, queueId: number, waiter: Waiter): void {
    let queues = this.#topics.get(topic)
    if (queues === undefined) this.#topics.set(topic, (queues = new Map()))
    const set = queues.get(queueId)
    if (set === undefined) queues.set(queueId, new Set([waiter]))
    else set.add(waiter)
  }

  #remove(topic: string, queueId: number, waiter: Waiter): void {
    const queues = this.#topics.get(topic)
    const set = queues?.get(queueId)
    set?.delete(waiter)
    if (set?.size === 0) queues!.delete(queueId)
    if (queues?.size === 0) this.#topics.delete(topic)
  }
}

/** One who waits. It is itself what listens to its signal. */
class Waiter {
  timer: Timer | undefined
  readonly #signal: AbortSignal | undefined
  readonly #woken: () => void

  constructor(signal: AbortSignal | undefined, woken: () => void) {
    this.#signal = signal
    this.#woken = woken
    signal?.addEventListener('abort', this, { once: true })
  }

  wake(): void {
    this.timer?.cancel()
    this.#signal?.removeEventListener('abort', this)
    this.#woken()
  }

  handleEvent(): void {
    this.wake()
  }
}
