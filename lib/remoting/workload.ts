/** What a peer has asked for and not got yet: the budget that decides whether more is read from it. */
import type { Command } from './command.js'
import type { ConnectionLimits } from './limits.js'

/** What is made of a request while it is in work, beside its bytes, bytes: about so much for a pull that waits for its turn. */
const REQUEST_BYTES = 2048

/** Requests in work of several peers, with what is made of them, and at how many bytes each of them is read no further. */
export interface SharedLoad {
  bytes: number
  readonly mostBytes: number
}

/** See the head of this file. A request counts until it is answered or said to be held. */
export class Workload {
  readonly #limits: Pick<ConnectionLimits, 'maxRequests' | 'maxRequestBytes'>
  readonly #running = new Map<Command, number>()
  readonly #shared: SharedLoad
  readonly #alone = new Set<Command>()
  #bytes = 0

  constructor(limits: Pick<ConnectionLimits, 'maxRequests' | 'maxRequestBytes'>, shared: SharedLoad) {
    this.#limits = limits
    this.#shared = shared
  }

  /** Requests that count. */
  get size(): number {
    return this.#running.size
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether nothing more should be read. Something is in work then, and its end is when to look again. */
  get isFull(): boolean {
    if (this.#running.size === 0) return false
    if (this.#alone.size > 0) return true
    const { maxRequests, maxRequestBytes } = this.#limits
    return this.#running.size >= maxRequests || this.#bytes >= maxRequestBytes || this.#shared.bytes >= this.#shared.mostBytes
  }

  /** A request begins. */
  begin(request: Command, bytes: number): void {
    this.#running.set(request, bytes)
    this.#bytes += bytes
    this.#shared.bytes += bytes + REQUEST_BYTES
  }

  /** Nothing more is read while a request counts. */
  setAlone(request: Command): void {
    if (this.#running.has(request)) this.#alone.add(request)
  }

  /** A request counts no longer. @returns whether it did */
  end(request: Command): boolean {
    const bytes = this.#running.get(request)
    if (bytes === undefined) return false
    this.#running.delete(request)
    this.#alone.delete(request)
    this.#bytes -= bytes
    this.#shared.bytes -= bytes + REQUEST_BYTES
    return true
  }

  /** No request counts any longer. */
  clear(): void {
    for (const request of [...this.#running.keys()]) this.end(request)
  }
}
