/** Something that is done again and again, never twice at once. */
import type { Timer, Timers } from '../base/system.js'

/** See the head of this file. */
export class Periodic {
  readonly #timers: Timers
  readonly #everyMs: number
  readonly #action: () => Promise<void>
  readonly #onProblem: (error: unknown) => void
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  #isStopped = false

  /** Begins to count at once; the first time comes after `everyMs`. */
  constructor(timers: Timers, everyMs: number, action: () => Promise<void>, onProblem: (error: unknown) => void) {
    this.#timers = timers
    this.#everyMs = everyMs
    this.#action = action
    this.#onProblem = onProblem
    this.#later()
  }

  /** Ends it, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#running
  }

  #later(): void {
    this.#timer = this.#timers.after(this.#everyMs, () => {
      this.#running = this.#action()
        .catch(this.#onProblem)
        .finally(() => {
          if (!this.#isStopped) this.#later()
        })
    })
  }
}
