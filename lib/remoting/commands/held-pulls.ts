/**
 * Pulls that found nothing and wait for a message. The store keeps the wait; here is only who waits, so that a wait ends
 * when its connection does, or when the offset it stands at is reset.
 */
import type { Connection } from '../connection.js'

/** Pulls that wait, of one connection and of all. Beyond, a pull is answered at once, and the client asks again. */
const MOST_OF_ONE = 4096
const MOST_OF_ALL = 32_768

/** What is known of a connection. */
export type HeldConnection = Pick<Connection, 'isOpen' | 'onClose'>

/** How a wait ended. */
export type HeldOutcome<Result> = { readonly kind: 'done'; readonly result: Result } | { readonly kind: 'woken' | 'closed' }

interface Held {
  readonly key: string
  readonly stop: AbortController
  wasWoken: boolean
}

/** See the head of this file. */
export class HeldPulls {
  readonly #byConnection = new Map<HeldConnection, Set<Held>>()
  #size = 0

  /** Pulls that wait. */
  get size(): number {
    return this.#size
  }

  /** Whether one more may wait. */
  hasRoomFor(connection: HeldConnection): boolean {
    return this.#size < MOST_OF_ALL && (this.#byConnection.get(connection)?.size ?? 0) < MOST_OF_ONE
  }

  /**
   * Waits until `wait` is done, the queue is woken, or the connection closes.
   *
   * @param wait - must end soon after its signal fired, by throwing
   */
  async hold<Result>(
    connection: HeldConnection,
    key: string,
    wait: (signal: AbortSignal) => Promise<Result>,
  ): Promise<HeldOutcome<Result>> {
    if (!connection.isOpen) return { kind: 'closed' }
    const held: Held = { key, stop: new AbortController(), wasWoken: false }
    this.#add(connection, held)
    try {
      return { kind: 'done', result: await wait(held.stop.signal) }
    } catch (error) {
      if (!held.stop.signal.aborted) throw error
      return { kind: held.wasWoken ? 'woken' : 'closed' }
    } finally {
      this.#remove(connection, held)
    }
  }

  /** How many wait at one queue of a group. */
  count(key: string): number {
    let count = 0
    for (const all of this.#byConnection.values()) for (const held of all) if (held.key === key) count++
    return count
  }

  /** Ends the waits of one queue of a group. */
  wake(key: string): void {
    for (const all of this.#byConnection.values()) {
      for (const held of all) {
        if (held.key !== key) continue
        held.wasWoken = true
        held.stop.abort()
      }
    }
  }

  #add(connection: HeldConnection, held: Held): void {
    const all = this.#byConnection.get(connection)
    this.#size++
    if (all !== undefined) {
      all.add(held)
      return
    }
    this.#byConnection.set(connection, new Set([held]))
    connection.onClose(() => {
      const left = this.#byConnection.get(connection)
      this.#byConnection.delete(connection)
      for (const one of left ?? []) one.stop.abort()
    })
  }

  /** The set of a connection stays while it is open: one that pulls will pull again. */
  #remove(connection: HeldConnection, held: Held): void {
    this.#size--
    this.#byConnection.get(connection)?.delete(held)
  }
}
