/** Requests of ours to one peer that wait for an answer: their numbers, and how long they wait. */
import type { Timer, Timers } from '../base/system.js'
import type { Command } from './command.js'
import { RemotingError } from './errors.js'

interface Invocation {
  readonly resolve: (response: Command) => void
  readonly reject: (error: RemotingError) => void
  readonly timer: Timer
}

/** See the head of this file. The numbers of the two directions have nothing to do with one another. */
export class Invocations {
  readonly #timers: Timers
  readonly #most: number
  readonly #waiting = new Map<number, Invocation>()
  #last = 0

  constructor(timers: Timers, most: number) {
    this.#timers = timers
    this.#most = most
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** A number that no waiting request has. */
  nextOpaque(): number {
    do this.#last = (this.#last + 1) | 0
    while (this.#waiting.has(this.#last))
    return this.#last
  }

  /**
   * Waits for the answer to a request under a number from {@link nextOpaque}.
   *
   * @throws {RemotingError} `REMOTING_BUSY` at once when too many wait
   */
  wait(opaque: number, timeoutMs: number): Promise<Command> {
    if (this.#waiting.size >= this.#most) throw new RemotingError('REMOTING_BUSY', `${this.#most} requests wait for an answer`)
    return new Promise((resolve, reject) => {
      const expire = (): void => {
        this.#waiting.delete(opaque)
        reject(new RemotingError('REMOTING_TIMEOUT', `no answer within ${timeoutMs} ms`))
      }
      this.#waiting.set(opaque, { resolve, reject, timer: this.#timers.after(timeoutMs, expire, true) })
    })
  }

  /** Hands an answer to who waits for it. Late ones and those that nobody asked for are dropped. */
  settle(response: Command): void {
    const invocation = this.#take(response.opaque)
    invocation?.resolve(response)
  }

  /** Gives one up. */
  fail(opaque: number, error: RemotingError): void {
    this.#take(opaque)?.reject(error)
  }

  /** Gives all up. */
  failAll(error: RemotingError): void {
    for (const opaque of [...this.#waiting.keys()]) this.fail(opaque, error)
  }

  #take(opaque: number): Invocation | undefined {
    const invocation = this.#waiting.get(opaque)
    this.#waiting.delete(opaque)
    invocation?.timer.cancel()
    return invocation
  }
}
