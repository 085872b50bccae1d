/**
 * Whose client ids are where senders are asked who they are: those of who named them first, for as long as a connection
 * of theirs lives. What is meant for a client, such as the reply that it waits for, is found by its id, which everybody
 * may know.
 */
import { shown } from '../../base/errors.js'
import { responseCodes } from '../codes.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'

/** See the head of this file. */
export class ClientOwners {
  /** Over which connections a client speaks, and who spoke for it there last. */
  readonly #byId = new Map<string, Map<Connection, string | undefined>>()

  /** @param who - who sends; all for whom it is `undefined` count as one. @throws {Refusal} when the id is somebody else's */
  check(clientId: string, who: string | undefined, connection: Connection): void {
    const owners = this.#byId.get(clientId)
    if (owners === undefined) return
    // Whose the connection is stays so: what has changed is who is asked for a signature.
    if (owners.has(connection)) owners.set(connection, who)
    for (const its of owners.values()) {
      if (its !== who)
        throw new Refusal(responseCodes.NO_PERMISSION, `the client id ${shown(clientId)} is in use by another account`)
    }
  }

  /** Notes that a client, whose id was checked, speaks over a connection, which is open. */
  claim(clientId: string, who: string | undefined, connection: Connection): void {
    const owners = this.#byId.get(clientId)
    if (owners === undefined) this.#byId.set(clientId, new Map([[connection, who]]))
    else owners.set(connection, who)
  }

  /** A connection is closed: its clients are gone. */
  release(clientIds: Iterable<string>, connection: Connection): void {
    for (const clientId of clientIds) {
      const owners = this.#byId.get(clientId)
      owners?.delete(connection)
      if (owners?.size === 0) this.#byId.delete(clientId)
    }
  }
}
