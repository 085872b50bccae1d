/**
 * Time that passes only when a test lets it: a clock and timers for one simulated process.
 *
 * Nothing here asks the real clock, and what is due at one moment runs in the order in which it was asked
 * for, so a run can be repeated from its seed.
 */

import type { Clock, Timer, Timers } from '../../lib/base/system.js'

interface Entry {
  readonly due: number
  readonly sequence: number
  readonly action: () => void
}

/** Thrown when a promise waits for something that nothing will ever bring about. */
export class HangError extends Error {
  override readonly name = 'HangError'
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A clock with its timers. */
export class SimTime implements Clock, Timers {
  /** Added to the wall clock: a step of it, either way. */
  wallStepMs = 0
  readonly #startMs: number
  #elapsedMs = 0
  #sequence = 0
  #timers: Entry[] = []
  #turn: (() => void)[] = []

  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs
  }

  now(): number {
    return this.#startMs + this.#elapsedMs + this.wallStepMs
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  after(ms: number, action: () => void): Timer {
    const entry = { due: this.#elapsedMs + ms, sequence: this.#sequence++, action }
    const at = this.#timers.findIndex((other) => other.due > entry.due)
    this.#timers.splice(at < 0 ? this.#timers.length : at, 0, entry)
    return { cancel: () => this.#drop(entry) }
  }

  endOfTurn(action: () => void): void {
    this.#turn.push(action)
  }

  /** Waits in virtual time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve))
  }

  /** How many actions are still to run. */
  get pendingCount(): number {
    return this.#timers.length + this.#turn.length
  }

  /** Drops every action: the process has ended. */
  stop(): void {
    this.#timers = []
    this.#turn = []
  }

  /**
   * Runs everything until a promise settles; lets time pass only when nothing else can happen.
   *
   * @throws {HangError} when nothing can happen any more, or after `limitMs` of virtual time
   */
  async run<Value>(promise: Promise<Value>, limitMs = 3_600_000): Promise<Value> {
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    promise.then(settle, settle)
    const limit = this.#elapsedMs + limitMs
    for (let idle = 0; ; ) {
      await turn()
      if (isSettled) return promise
      if (this.#step(limit)) idle = 0
      else if (++idle > 10) throw new HangError('a promise that nothing will settle')
    }
  }

  /** Lets time pass in which nothing runs, as when the process is stopped. */
  skip(ms: number): void {
    this.#elapsedMs += ms
  }

  /** Lets time pass, with everything that happens in it. */
  async pass(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms
    for (let idle = 0; idle < 3; ) {
      await turn()
      idle = this.#step(end) ? 0 : idle + 1
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, end)
  }

  /** Runs what is next, if it is due by `limit`. */
  #step(limit: number): boolean {
    const action = this.#turn.shift()
    if (action !== undefined) {
      action()
      return true
    }
    const next = this.#timers[0]
    if (next === undefined || next.due > limit) return false
    this.#timers.shift()
    this.#elapsedMs = Math.max(this.#elapsedMs, next.due)
    next.action()
    return true
  }

  #drop(entry: Entry): void {
    const at = this.#timers.indexOf(entry)
    if (at >= 0) this.#timers.splice(at, 1)
  }
}
