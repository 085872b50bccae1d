/**
 * Watches how long the event loop of this process stands still: for how long a timer is late, and for how much of that the
 * main thread was at work. What other processes and other threads take from it is in the first, and not in the second.
 */
import { openSync, readSync } from 'node:fs'

/** The longest times for which something was done without looking at anything else, milliseconds. */
export interface Busyness {
  /** Of the main thread's processor time. */
  readonly longestBusyMs: number
  /** By the clock, with all that others took from it: a busy machine makes it long. */
  readonly longestLateMs: number
}

/**
 * The processor time of this process's main thread, milliseconds. Threads that collect garbage beside it are not in it, nor
 * is the time for which it waited for a processor; the collector's own work on it is. Where the system does not tell, that
 * of all threads.
 */
export function mainThreadClock(): () => number {
  const text = Buffer.alloc(100)
  let file: number
  try {
    file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r')
  } catch {
    return allThreadsMs
  }
  return () => {
    // Asked for its usage the system brings the thread's account up to date, which it else does at each tick of its own.
    process.cpuUsage()
    const length = readSync(file, text, 0, text.length, 0)
    return Number(text.toString('latin1', 0, length).split(' ')[0]) / 1e6
  }
}

function allThreadsMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** See the head of this file. */
export class BusyWatch {
  readonly #busyMs = mainThreadClock()
  readonly #tickMs: number
  readonly #asking: ((seen: Busyness) => void)[] = []
  #longestBusyMs = 0
  #longestLateMs = 0
  #at = performance.now()
  #busyAt = this.#busyMs()

  /** @param tickMs - how often it looks: what takes less is not seen */
  constructor(tickMs: number) {
    this.#tickMs = tickMs
    setInterval(() => this.#look(), tickMs).unref()
  }

  /** What it has seen since it was asked last, when it has looked once more: what goes on now belongs to it. */
  take(): Promise<Busyness> {
    return new Promise((resolve) => this.#asking.push(resolve))
  }

  #look(): void {
    const late = performance.now() - this.#at - this.#tickMs
    const busyAt = this.#busyMs()
    this.#longestLateMs = Math.max(this.#longestLateMs, late)
    this.#longestBusyMs = Math.max(this.#longestBusyMs, Math.min(late, busyAt - this.#busyAt))
    for (const resolve of this.#asking.splice(0)) {
      resolve({ longestBusyMs: this.#longestBusyMs, longestLateMs: this.#longestLateMs })
      this.#longestBusyMs = this.#longestLateMs = 0
    }
    this.#at = performance.now()
    this.#busyAt = busyAt
  }
}
