/**
 * Lets requests through, or refuses them: who sends it, is it signed by them, may they do that.
 *
 * 1. Nothing is done that no row speaks of: a request whose code has none is refused to everybody who is not trusted by
 *    address, unless nobody handles it either; then it is answered as unknown, to those who are known.
 * 2. Whether an access key is unknown or a signature wrong cannot be told from the answer.
 * 3. Refusals are answers like any others: they have code 16 and close nothing.
 */
import { shown } from '../../base/errors.js'
import { responseCodes } from '../codes.js'
import type { Command } from '../command.js'
import { refusalOf } from '../commands/outcome.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'
import type { Need, Needs } from './needs.js'
import type { Principal } from './principal.js'
import type { Principals } from './principals.js'
import { isSignedWith, signatureFields } from './signature.js'

const NO_KEY = 'No accessKey is configured'

/** What a request needs; it may have to be looked up. Throws what handlers throw when the request cannot be read. */
export type Row = (command: Command) => Promise<Needs> | Needs

/** Rows with their request codes, as tables list them. */
export type RowList = readonly (readonly [number, Row])[]

/** Rows by request code. */
export type Rows = ReadonlyMap<number, Row>

/** What is asked of a guard. */
export type GuardedConnection = Pick<Connection, 'remote'>

/** Who spoke over a connection. */
interface Speaker {
  /** `undefined`: whoever is trusted by address did without. */
  readonly accessKey: string | undefined
  readonly principal: Principal | undefined
}

/** See the head of this file. */
export class Guard {
  readonly #principals: Principals
  readonly #rows: Rows
  readonly #handled: ReadonlySet<number>
  /** Who spoke last over each connection. */
  readonly #admitted = new WeakMap<GuardedConnection, Speaker>()

  /** @param handled - the codes that are handled */
  constructor(principals: Principals, rows: Rows, handled: Iterable<number>) {
    this.#principals = principals
    this.#rows = rows
    this.#handled = new Set(handled)
  }

  /** Returns, or resolves, when the request may be done. @throws {Refusal} when it may not */
  admit(command: Command, connection: GuardedConnection): Promise<void> | void {
    const { host } = connection.remote
    const accessKey = command.extFields[signatureFields.accessKey]
    if (this.#principals.trusts(host)) {
      this.#admitted.set(connection, { accessKey: undefined, principal: undefined })
      return
    }
    if (accessKey === undefined) throw refused(NO_KEY)
    const found = this.#principals.find(accessKey)
    if (found instanceof Promise) return found.then((principal) => this.#check(command, connection, { accessKey, principal }))
    return this.#check(command, connection, { accessKey, principal: found })
  }

  /** Whether a connection has ever brought a request of somebody who is known. */
  hasAdmitted(connection: GuardedConnection): boolean {
    return this.#admitted.has(connection)
  }

  /** The access key of who spoke last over a connection; `undefined` for whoever is trusted by address. */
  speaker(connection: GuardedConnection): string | undefined {
    const speaker = this.#admitted.get(connection)
    return speaker?.principal?.trusts(connection.remote.host) === true ? undefined : speaker?.accessKey
  }

  /** Whether who spoke last over a connection may be told, unasked, what needs this. What they may now counts. */
  mayHear(connection: GuardedConnection, need: Need): boolean {
    const { host } = connection.remote
    const speaker = this.#admitted.get(connection)
    if (speaker === undefined) return false
    if (this.#principals.trusts(host)) return true
    const { accessKey } = speaker
    const principal = accessKey === undefined ? undefined : this.#principals.still(accessKey, speaker.principal)
    return principal !== undefined && (principal.trusts(host) || principal.refusal(need, 0, host) === undefined)
  }

  /** Why a request that was let through would be refused now; `undefined` when it would not, or that must be looked up. */
  refusalNow(command: Command, connection: GuardedConnection): Refusal | undefined {
    const { host } = connection.remote
    const accessKey = command.extFields[signatureFields.accessKey]
    try {
      if (this.#principals.trusts(host)) return undefined
      if (accessKey === undefined) throw refused(NO_KEY)
      const principal = this.#principals.still(accessKey, undefined)
      if (principal?.trusts(host) === true) return undefined
      checkSigned(principal, command)
      this.#allow(command, principal, host)?.catch(() => {})
      return undefined
    } catch (error) {
      return error instanceof Refusal ? error : refused('what it needs cannot be told')
    }
  }

  #check(command: Command, connection: GuardedConnection, speaker: Speaker): Promise<void> | void {
    const { host } = connection.remote
    const { principal } = speaker
    if (principal?.trusts(host) === true) {
      this.#admitted.set(connection, speaker)
      return
    }
    checkSigned(principal, command)
    this.#admitted.set(connection, speaker)
    return this.#allow(command, principal, host)
  }

  #allow(command: Command, principal: Principal, host: string): Promise<void> | void {
    const row = this.#rows.get(command.code)
    if (row === undefined) {
      if (this.#handled.has(command.code)) throw refused(`nobody may send request code=${command.code}`)
      return
    }
    const needs = rowNeeds(row, command)
    if (needs instanceof Promise) return needs.then((all) => checkNeeds(all, principal, command.code, host))
    checkNeeds(needs, principal, command.code, host)
  }
}

/** @throws {Refusal} when nobody has the access key, or the signature is not theirs */
function checkSigned(principal: Principal | undefined, command: Command): asserts principal is Principal {
  const isSigned = principal === undefined ? isSignedWith(undefined, command) : principal.signed(command)
  if (principal === undefined || !isSigned)
    throw refused(`Check signature failed for accessKey=${shown(command.extFields[signatureFields.accessKey])}`)
}

/** What cannot be read is told to the sender as the handler would tell it. */
function rowNeeds(row: Row, command: Command): ReturnType<Row> {
  const fail = (error: unknown): never => {
    throw refusalOf(error)
  }
  try {
    const needs = row(command)
    return needs instanceof Promise ? needs.catch(fail) : needs
  } catch (error) {
    return fail(error)
  }
}

function checkNeeds(needs: Needs, principal: Principal, code: number, host: string): void {
  for (const need of needs) {
    const refusal = principal.refusal(need, code, host)
    if (refusal !== undefined) throw refused(refusal)
  }
}

function refused(remark: string): Refusal {
  return new Refusal(responseCodes.NO_PERMISSION, remark)
}
