/**
 * Pulls that found nothing and wait for a message. The store keeps the wait; here is only who waits, so that a wait ends
 * when its connection does, when the offset it stands at is reset, or when who waits may no longer have what comes.
 */
import { FewAtOnce } from '../../base/few-at-once.js'
import type { TurnShare } from '../../base/turn-share.js'
import type { Command } from '../command.js'
import type { Connection } from '../connection.js'
import type { Refusal } from '../errors.js'

/** Pulls that wait, of one connection and of all. Beyond, a pull is answered at once, and the client asks again. */
const MOST_OF_ONE = 4096
const MOST_OF_ALL = 32_768
/** What they hold in memory, of one connection and of all: no limit of the connection counts a request that waits. */
const MOST_BYTES_OF_ONE = 4 * 1024 * 1024
const MOST_BYTES_OF_ALL = 32 * 1024 * 1024

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
  readonly bytes: number
  wasWoken: boolean
  /** Those that were last applied to it, and what came of that. */
  rules: number
  refusal: Refusal | undefined
}

/** Those of one connection. */
interface HeldByOne {
  readonly all: Set<Held>
  bytes: number
}

/** See the head of this file. */
export class HeldPulls {
  readonly #byConnection = new Map<HeldConnection, HeldByOne>()
  readonly #rights: HeldRights
  readonly #ending: FewAtOnce<Held>
  #rules = 0
  #size = 0
  #bytes = 0

  constructor(rights: HeldRights) {
    this.#rights = rights
    this.#ending = new FewAtOnce(rights.looking, (held) => held.stop.abort(ended))
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
  hasRoomFor(connection: HeldConnection, command: Command): boolean {
    const { all, bytes } = this.#byConnection.get(connection) ?? nobody
    const more = bytesOf(command)
    return (
      this.#size < MOST_OF_ALL &&
      this.#bytes + more <= MOST_BYTES_OF_ALL &&
      all.size < MOST_OF_ONE &&
      bytes + more <= MOST_BYTES_OF_ONE
    )
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
    const bytes = bytesOf(asked.command)
    const held: Held = { ...asked, stop: new AbortController(), bytes, wasWoken: false, refusal: undefined }
    // It may have become so before it began to wait.
    if (this.#refusal(held, connection) !== undefined) throw held.refusal
    this.#add(connection, held)
    const outcome = await this.#outcome(held, wait).finally(() => this.#remove(connection, held))
    // What it waited for may have come before it was looked at anew.
    if (!connection.isOpen) return { kind: 'closed' }
    const refusal = this.#refusal(held, connection)
    if (refusal !== undefined) throw refusal
    return held.wasWoken ? { kind: 'woken' } : outcome
  }

  /** How many wait at one queue of a group. */
  count(key: string): number {
    let count = 0
    for (const { all } of this.#byConnection.values()) for (const held of all) if (held.key === key) count++
    return count
  }

  /** Ends the waits of one queue of a group. */
  wake(key: string): void {
    const woken: Held[] = []
    for (const { all } of this.#byConnection.values()) {
      for (const held of all) {
        if (held.key !== key) continue
        held.wasWoken = true
        woken.push(held)
      }
    }
    this.#ending.add(woken)
  }

  async #outcome<Result>(held: Held, wait: (signal: AbortSignal) => Promise<Result>): Promise<HeldOutcome<Result>> {
    const { signal } = held.stop
    try {
      return { kind: 'done', result: await wait(signal) }
    } catch (error) {
      if (!signal.aborted) throw error
      return { kind: 'closed' }
    }
  }

  /** Ends the waits of those who may not any more. */
  async #lookAnew(): Promise<void> {
    const rules = ++this.#rules
    for (const [connection, { all }] of [...this.#byConnection]) {
      for (const held of [...all]) {
        await this.#rights.looking.pause()
        // Another change looks at all of them itself.
        if (rules !== this.#rules) return
        if (this.#refusal(held, connection) !== undefined) held.stop.abort(ended)
      }
    }
  }

  /** Why what waits is refused by now. One that was refused stays so: its wait is being ended, and it must be told why. */
  #refusal(held: Held, connection: HeldConnection): Refusal | undefined {
    if (held.rules !== this.#rules && held.refusal === undefined) {
      held.rules = this.#rules
      held.refusal = this.#rights.refusalNow(held.command, connection)
    }
    return held.refusal
  }

  #add(connection: HeldConnection, held: Held): void {
    const its = this.#byConnection.get(connection)
    this.#size++
    this.#bytes += held.bytes
    if (its !== undefined) {
      its.all.add(held)
      its.bytes += held.bytes
      return
    }
    this.#byConnection.set(connection, { all: new Set([held]), bytes: held.bytes })
    connection.onClose(() => {
      const left = this.#byConnection.get(connection)
      this.#byConnection.delete(connection)
      if (left !== undefined) this.#ending.add(left.all)
    })
  }

  /** The set of a connection stays while it is open: one that pulls will pull again. */
  #remove(connection: HeldConnection, held: Held): void {
    this.#size--
    this.#bytes -= held.bytes
    const its = this.#byConnection.get(connection)
    if (its?.all.delete(held) === true) its.bytes -= held.bytes
  }
}

/** Why a wait is ended; nobody is told. One for all, since thousands may end at once. */
const ended = new Error('the wait is over')

const nobody: HeldByOne = { all: new Set(), bytes: 0 }

/** About how much memory a request holds: its texts and its body, which may be a piece of a larger one that came with it. */
function bytesOf({ body, extFields, remark }: Command): number {
  let bytes = body.length === 0 ? 0 : Math.max(body.length, body.buffer.byteLength)
  for (const [name, value] of Object.entries(extFields)) bytes += name.length + (value?.length ?? 0)
  return bytes + (remark?.length ?? 0)
}
