/**
 * Pulls that found nothing and wait for a message. The store keeps the wait; here is only who waits, so that a wait ends
 * when its connection does, when the offset it stands at is reset, or when who waits may no longer have what comes.
 */
import type { TurnShare } from '../../base/turn-share.js'
import type { Command } from '../command.js'
import type { Connection } from '../connection.js'
import type { Refusal } from '../errors.js'

/** Pulls that wait, of one connection and of all. Beyond, a pull is answered at once, and the client asks again. */
const MOST_OF_ONE = 4096
const MOST_OF_ALL = 32_768

/** What is known of a connection. */
export type HeldConnection = Pick<Connection, 'isOpen' | 'onClose' | 'remote'>

/** How a wait ended. */
export type HeldOutcome<Result> = { readonly kind: 'done'; readonly result: Result } | { readonly kind: 'woken' | 'closed' }

/** Who may wait, once it is said anew who may do what. */
export interface HeldRights {
  /** Why a request that waits would be refused now; `undefined` when it would not. */
  readonly refusalNow: (command: Command, connection: HeldConnection) => Refusal | undefined
  /** Those who want to know of it. */
  readonly whenAuthChanges: (() => void)[]
  /** The time that looking at all who wait may take in a turn. */
  readonly looking: TurnShare
}

/** What waits. */
export interface HeldRequest {
  readonly command: Command
  /** Of the queue and the group. */
  readonly key: string
  /** {@link HeldPulls.rules} as they were when it was let through. */
  readonly rules: number
}

interface Held extends HeldRequest {
  readonly stop: AbortController
  wasWoken: boolean
  /** Those that were last applied to it, and what came of that. */
  rules: number
  refusal: Refusal | undefined
}

/** See the head of this file. */
export class HeldPulls {
  readonly #byConnection = new Map<HeldConnection, Set<Held>>()
  readonly #rights: HeldRights
  #rules = 0
  #size = 0

  constructor(rights: HeldRights) {
    this.#rights = rights
    rights.whenAuthChanges.push(() => void this.#lookAnew())
  }

  /** How often it was said anew who may do what. */
  get rules(): number {
    return this.#rules
  }

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
   * @throws {Refusal} when who asked may no longer have what was asked for
   */
  async hold<Result>(
    connection: HeldConnection,
    asked: HeldRequest,
    wait: (signal: AbortSignal) => Promise<Result>,
  ): Promise<HeldOutcome<Result>> {
    if (!connection.isOpen) return { kind: 'closed' }
    const held: Held = { ...asked, stop: new AbortController(), wasWoken: false, refusal: undefined }
    // It may have become so before it began to wait.
    if (this.#refusal(held, connection) !== undefined) throw held.refusal
    this.#add(connection, held)
    const outcome = await this.#outcome(held, wait).finally(() => this.#remove(connection, held))
    // What it waited for may have come before it was looked at anew.
    const refusal = connection.isOpen ? this.#refusal(held, connection) : undefined
    if (refusal !== undefined) throw refusal
    return outcome
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

  async #outcome<Result>(held: Held, wait: (signal: AbortSignal) => Promise<Result>): Promise<HeldOutcome<Result>> {
    const { signal } = held.stop
    try {
      return { kind: 'done', result: await wait(signal) }
    } catch (error) {
      if (!signal.aborted) throw error
      return { kind: held.wasWoken ? 'woken' : 'closed' }
    }
  }

  /** Ends the waits of those who may not any more. */
  async #lookAnew(): Promise<void> {
    const rules = ++this.#rules
    for (const [connection, all] of [...this.#byConnection]) {
      for (const held of [...all]) {
        await this.#rights.looking.pause()
        // Another change looks at all of them itself.
        if (rules !== this.#rules) return
        if (this.#refusal(held, connection) !== undefined) held.stop.abort()
      }
    }
  }

  /** Why what waits is refused by now. */
  #refusal(held: Held, connection: HeldConnection): Refusal | undefined {
    if (held.rules !== this.#rules) {
      held.rules = this.#rules
      held.refusal = this.#rights.refusalNow(held.command, connection)
    }
    return held.refusal
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
