/**
 * Notices an input that never comes to an end. The loop cannot: it runs in the same thread. So the input is
 * copied into shared memory first, where a thread of its own saves it and ends the process.
 */
import { Worker } from 'node:worker_threads'
import { MOST_INPUT_BYTES } from './mutate.js'

/** Seconds after which an input counts as endless. */
export const ENDLESS_SECONDS = 20

/** What both threads share. */
export interface WatchedMemory {
  /** How many inputs began; length of the one that runs, -1 between them. */
  readonly state: Int32Array
  readonly input: Uint8Array
  /** Where to save it. */
  readonly path: string
}

/** Watches over the inputs of one target. */
export class Watchdog {
  readonly #memory: WatchedMemory
  readonly #worker: Worker

  constructor(path: string) {
    const state = new Int32Array(new SharedArrayBuffer(8))
    const input = new Uint8Array(new SharedArrayBuffer(MOST_INPUT_BYTES))
    this.#memory = { state, input, path }
    this.end()
    this.#worker = new Worker(new URL('./watchdog-thread.js', import.meta.url), { workerData: this.#memory })
    this.#worker.unref()
  }

  /** An input is about to run. */
  begin(input: Buffer): void {
    const { state, input: memory } = this.#memory
    memory.set(input.subarray(0, memory.length))
    Atomics.add(state, 0, 1)
    Atomics.store(state, 1, Math.min(input.length, memory.length))
  }

  /** It came to an end. */
  end(): void {
    Atomics.store(this.#memory.state, 1, -1)
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
