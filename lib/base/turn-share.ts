/**
 * How long some kind of work may go on before the event loop turns: timers, new connections, the disk and those who have
 * asked for little come between. Whoever is not done goes on in a later turn, in the order in which they were stopped.
 */
import { afterEvent, type Clock, type Timers } from './system.js'

/** Milliseconds in a turn. The step that is begun last is finished. */
const TURN_MS = 5

/** See the head of this file. */
export class TurnShare {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #timers: Pick<Timers, 'endOfTurn'>
  readonly #waiting: (() => void)[] = []
  /** When this turn's time began; `undefined` while nobody has used any of it. */
  #since: number | undefined

  constructor(clock: Pick<Clock, 'monotonic'>, timers: Pick<Timers, 'endOfTurn'>) {
    this.#clock = clock
    this.#timers = timers
  }

  /** Whether somebody waits for a later turn. */
  get isWanted(): boolean {
    return this.#waiting.length > 0
  }

  /** Whether this turn's time is over. */
  isOver(): boolean {
    const now = this.#clock.monotonic()
    if (this.#since !== undefined) return now - this.#since >= TURN_MS
    this.#begin(now)
    return false
  }

  /** Goes on in a later turn, when those who came before have had theirs. */
  later(goOn: () => void): void {
    this.#waiting.push(goOn)
    if (this.#since === undefined) this.#begin(this.#clock.monotonic())
  }

  /** Resolves in a later turn; `undefined` while there is time in this one. */
  pause(): Promise<void> | undefined {
    return this.isOver() ? new Promise((resolve) => this.later(resolve)) : undefined
  }

  #begin(now: number): void {
    this.#since = now
    this.#timers.endOfTurn(() => {
      this.#since = undefined
      if (!this.isWanted) return
      // Before anybody new, who would otherwise have all the time of every turn.
      this.#begin(this.#clock.monotonic())
      this.#goOn()
    })
  }

  /** Those who wait go on one behind the other while there is time, and in any case one. */
  #goOn(): void {
    this.#waiting.shift()?.()
    if (!this.isWanted) return
    const next = (): void => {
      if (this.isWanted && !this.isOver()) this.#goOn()
    }
    // What it began goes on behind it, and is over before the next: only then is it known how long it took.
    queueMicrotask(() => afterEvent(next))
  }
}
