/** Pops that found nothing, and wait until their topic has something: they share one look at each of its queues. */
import { MessageStoreError } from '../../base/errors.js'
import { FewAtOnce } from '../../base/few-at-once.js'
import type { Clock, Timers } from '../../base/system.js'
import { TurnShare } from '../../base/turn-share.js'
import type { ReadPort } from '../store-port.js'

/** Longest that the store is asked to wait at once. */
const WAIT_MS = 20_000

interface Watch {
  readonly waiting: Set<() => void>
  /** One for each queue: many listeners on one signal look like a leak to Node. */
  readonly stops: AbortController[]
}

/** See the head of this file. */
export class ArrivalWatch {
  readonly #store: Pick<ReadPort, 'get' | 'bounds'>
  readonly #timers: Timers
  readonly #watches = new Map<string, Watch>()
  /** Who has gone meanwhile wakes to nothing. */
  readonly #waking: FewAtOnce<() => void>

  constructor(store: Pick<ReadPort, 'get' | 'bounds'>, clock: Pick<Clock, 'monotonic'>, timers: Timers) {
    this.#store = store
    this.#timers = timers
    this.#waking = new FewAtOnce(new TurnShare(clock, timers), (done) => done())
  }

  /** Resolves when a message came into the topic, when it is woken, when the time is over, or when the signal fires. */
  wait(topic: string, queues: number, ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const watch = this.#watchOf(topic, queues)
      const done = (): void => {
        timer.cancel()
        signal?.removeEventListener('abort', done)
        watch.waiting.delete(done)
        if (watch.waiting.size === 0) this.#end(topic, watch)
        resolve()
      }
      // A program that only waits for messages must not end while it does.
      const timer = this.#timers.after(ms, done, true)
      signal?.addEventListener('abort', done, { once: true })
      watch.waiting.add(done)
    })
  }

  /** Wakes those who wait for a topic. */
  wake(topic: string): void {
    const watch = this.#watches.get(topic)
    if (watch === undefined) return
    // Who waits from now on waits for the next message.
    this.#watches.delete(topic)
    this.#waking.add(watch.waiting)
  }

  /** Wakes everybody. */
  wakeAll(): void {
    for (const { waiting } of [...this.#watches.values()]) this.#waking.add(waiting)
  }

  #watchOf(topic: string, queues: number): Watch {
    const found = this.#watches.get(topic)
    if (found !== undefined) return found
    const watch: Watch = { waiting: new Set(), stops: [] }
    this.#watches.set(topic, watch)
    for (let queueId = 0; queueId < queues; queueId++) {
      const { maxOffset } = this.#store.bounds(topic, queueId)
      const request = { topic, queueId, offset: maxOffset, maxMessages: 1, waitMs: WAIT_MS }
      const stop = new AbortController()
      watch.stops.push(stop)
      this.#store.get({ ...request, signal: stop.signal }).then(
        () => this.wake(topic),
        (error: unknown) => {
          // The pop itself meets a damaged message, and tells of it.
          if (error instanceof MessageStoreError && error.code !== 'STORE_CLOSED') this.wake(topic)
        },
      )
    }
    return watch
  }

  #end(topic: string, watch: Watch): void {
    if (this.#watches.get(topic) === watch) this.#watches.delete(topic)
    for (const stop of watch.stops) stop.abort()
  }
}
