/** What a peer has asked for and not got yet: the budget that decides whether more is read from it. */
import type { Command } from './command.js'
import type { ConnectionLimits } from './limits.js'

/** See the head of this file. A request counts until it is answered or said to be held. */
export class Workload {
  readonly #limits: Pick<ConnectionLimits, 'maxRequests' | 'maxRequestBytes'>
  readonly #running = new Map<Command, number>()
  #bytes = 0

  constructor(limits: Pick<ConnectionLimits, 'maxRequests' | 'maxRequestBytes'>) {
    this.#limits = limits
  }

  /** Requests that count. */
  get size(): number {
    return this.#running.size
  }

  /** Whether nothing more should be read. */
  get isFull(): boolean {
    return this.#running.size >= this.#limits.maxRequests || this.#bytes >= this.#limits.maxRequestBytes
  }

  /** A request begins. */
  begin(request: Command, bytes: number): void {
    this.#running.set(request, bytes)
    this.#bytes += bytes
  }

  /** A request counts no longer. @returns whether it did */
  end(request: Command): boolean {
    const bytes = this.#running.get(request)
    if (bytes === undefined) return false
    this.#running.delete(request)
    this.#bytes -= bytes
    return true
  }
}
