/** What is undecided, and the way out of it: each half message is dealt with by one at a time. */
import type { OpLog } from './op-log.js'
import type { Pending, Undecided } from './undecided.js'

/** See the head of this file. */
export class Settling {
  /** What is undecided. */
  readonly undecided: Undecided
  readonly #ops: Pick<OpLog, 'note'>
  readonly #running = new Set<Promise<unknown>>()

  constructor(undecided: Undecided, ops: Pick<OpLog, 'note'>) {
    this.undecided = undecided
    this.#ops = ops
  }

  /** Does something to a half message after what is being done to it. */
  inTurn<Result>(pending: Pending, action: () => Promise<Result>): Promise<Result> {
    const done = pending.busy === undefined ? action() : pending.busy.then(action)
    const quiet = done
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        this.#running.delete(quiet)
        if (pending.busy === quiet) pending.busy = undefined
      })
    pending.busy = quiet
    this.#running.add(quiet)
    return done
  }

  /** Writes that a half message is decided, and forgets it. */
  async settle(pending: Pending): Promise<void> {
    await this.#ops.note(pending.queueOffset)
    this.undecided.settle(pending)
  }

  /** Writes that the half message at an offset has a copy further on. */
  noteMoved(queueOffset: number): Promise<void> {
    return this.#ops.note(queueOffset)
  }

  /** Waits for everything that is under way. */
  async finished(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
