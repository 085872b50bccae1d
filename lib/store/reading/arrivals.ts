/** Long polls: who waits for a message in which queue. Costs nothing while nobody waits. */
import type { Timers } from '../../base/system.js'

interface Waiter {
  readonly key: string
  wake: () => void
}

/** So many who wait for one queue are woken in a turn of the event loop: each of them reads. */
const WOKEN_AT_ONCE = 128

/** Stands for all topics; no topic has this name. */
const ANY = ''

/** Waits for messages. */
export class Arrivals {
  readonly #timers: Timers
  readonly #waiters = new Map<string, Set<Waiter>>()

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** Whether anybody waits at all. */
  get isIdle(): boolean {
    return this.#waiters.size === 0
  }

  /** Resolves when a message came into the queue, when `waitMs` passed, when `signal` fired, or when all are woken. */
  wait(topic: string, queueId: number, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = { key: keyOf(topic, queueId), wake: () => {} }
      // A program that only waits for messages must not end while it does.
      const timer = this.#timers.after(waitMs, () => waiter.wake(), true)
      const onAbort = (): void => waiter.wake()
      waiter.wake = () => {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#remove(waiter)
        resolve()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const set = this.#waiters.get(waiter.key)
      if (set === undefined) this.#waiters.set(waiter.key, new Set([waiter]))
      else set.add(waiter)
      if (signal?.aborted) waiter.wake()
    })
  }

  /** Wakes those who wait for that queue. */
  arrived(topic: string, queueId: number): void {
    const key = keyOf(topic, queueId)
    const set = this.#waiters.get(key)
    if (set === undefined) return
    // Who waits from now on waits for the next message.
    this.#waiters.delete(key)
    this.#wake([...set], 0)
  }

  #wake(waiters: readonly Waiter[], from: number): void {
    const end = Math.min(waiters.length, from + WOKEN_AT_ONCE)
    // Who has gone meanwhile wakes to nothing.
    for (let i = from; i < end; i++) waiters[i]!.wake()
    if (end < waiters.length) this.#timers.endOfTurn(() => this.#wake(waiters, end))
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
    for (const set of [...this.#waiters.values()]) for (const waiter of [...set]) waiter.wake()
  }

  #remove(waiter: Waiter): void {
    const set = this.#waiters.get(waiter.key)
    set?.delete(waiter)
    if (set?.size === 0) this.#waiters.delete(waiter.key)
  }
}

function keyOf(topic: string, queueId: number): string {
  return `${topic}/${queueId}`
}
