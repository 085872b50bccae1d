/**
 * Time and chance: the only file that asks the process for either.
 *
 * Everything else receives these ports, so that a whole store can run in a test on a clock that the
 * test moves and from one seed.
 */

/** Tells the time. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump either way. */
  now(): number
  /** Milliseconds since some fixed moment. Never goes back. */
  monotonic(): number
}

/** A timer that can be called off. */
export interface Timer {
  /** Calls it off; does nothing once it has run. */
  cancel(): void
}

/** Runs things later. */
export interface Timers {
  /**
   * Runs `action` after at least `ms` milliseconds.
   *
   * @param keepsAlive - whether the process must not end before: somebody waits for it. @default false
   */
  after(ms: number, action: () => void, keepsAlive?: boolean): Timer
  /** Runs `action` once the current turn of the event loop has handled its events. Keeps the process alive. */
  endOfTurn(action: () => void): void
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/** The timers of this process. */
export const systemTimers: Timers = {
  after(ms, action, keepsAlive = false) {
    const handle = setTimeout(action, ms)
    if (!keepsAlive) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  endOfTurn(action) {
    setImmediate(action)
  },
}

/** Resolves once the current turn of the event loop has handled its events: between the steps of long work. */
export function nextTurn(timers: Pick<Timers, 'endOfTurn'>): Promise<void> {
  return new Promise((resolve) => timers.endOfTurn(resolve))
}

/** Runs `action` once an event, and all that follows of it without waiting for another, has been handled. */
export function afterEvent(action: () => void): void {
  process.nextTick(action)
}

/** A number from 0, inclusive, to 1. */
export const systemRandom = (): number => Math.random()

/** Resolves after at least `ms` milliseconds, or as soon as the signal fires. Keeps the process alive, for programs that wait. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(handle)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const handle = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
