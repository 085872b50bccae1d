/**
 * Whose client ids are where senders are asked who they are: those of who named them first, for as long as a connection
 * of theirs lives. What is meant for a client, such as the reply that it waits for, is found by its id, which everybody
 * may know.
 */
import { shown } from '../../base/errors.js'
import { responseCodes } from '../codes.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'

interface Owned {
  readonly who: string | undefined
  readonly connections: Set<Connection>
}

/** See the head of this file. */
export class ClientOwners {
  readonly #byId = new Map<string, Owned>()

  /** @param who - who sends; all for whom it is `undefined` count as one. @throws {Refusal} when the id is somebody else's */
  check(clientId: string, who: string | undefined): void {
    const owned = this.#byId.get(clientId)
    if (owned === undefined || owned.who === who) return
    throw new Refusal(responseCodes.NO_PERMISSION, `the client id ${shown(clientId)} is in use by another account`)
  }

  /** Notes that a client, whose id was checked, speaks over a connection, which is open. */
  claim(clientId: string, who: string | undefined, connection: Connection): void {
    const owned = this.#byId.get(clientId)
    if (owned === undefined) this.#byId.set(clientId, { who, connections: new Set([connection]) })
    else owned.connections.add(connection)
  }

  /** A connection is closed: its clients are gone. */
  release(clientIds: Iterable<string>, connection: Connection): void {
    for (const clientId of clientIds) {
      const owned = this.#byId.get(clientId)
      owned?.connections.delete(connection)
      if (owned?.connections.size === 0) this.#byId.delete(clientId)
    }
  }
}
