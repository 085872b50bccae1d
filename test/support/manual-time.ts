/** A clock that the test moves. */
import type { Clock, Timer, Timers } from '../../lib/base/system.js'

/** Clock and timers in one. The end of a turn stays the real one. */
export class ManualTime implements Clock, Timers {
  #wall: number
  #monotonic = 0
  #waiting: { at: number; action: () => void }[] = []

  /** @param wall - milliseconds since 1970 */
  constructor(wall = Date.UTC(2024, 0, 2, 3, 4, 5)) {
    this.#wall = wall
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, action: () => void): Timer {
    const entry = { at: this.#monotonic + ms, action }
    this.#waiting.push(entry)
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry)
      },
    }
  }

  endOfTurn(action: () => void): void {
    setImmediate(action)
  }

  /** Timers that have not run. */
  get pendingTimers(): number {
    return this.#waiting.length
  }

  /** Lets time pass, running what falls due in order. */
  advance(ms: number): void {
    const end = this.#monotonic + ms
    for (;;) {
      const next = this.#waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#waiting = this.#waiting.filter((other) => other !== next)
      this.#wall += next.at - this.#monotonic
      this.#monotonic = next.at
      next.action()
    }
    this.#wall += end - this.#monotonic
    this.#monotonic = end
  }

  /** Sets the wall clock alone, as an administrator does. */
  setWall(ms: number): void {
    this.#wall = ms
  }
}

/** Lets everything that is ready run: microtasks and the ends of a few turns. */
export async function settled(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets half a day pass, and the round of upkeep that comes then. */
export async function letExpire(time: ManualTime): Promise<void> {
  time.advance(12 * 3_600_000)
  await settled(20)
  time.advance(10_000)
  await settled(50)
}
