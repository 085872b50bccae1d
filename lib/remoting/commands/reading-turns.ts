/**
 * Who asks for messages gets them one answer after the other: one in a turn of the event loop for each connection.
 *
 * A peer that asks for a thousand at once and takes none would otherwise have all of them read before the first answer
 * shows that it takes none. So what a connection has read for it is one answer and what it has not taken; and others,
 * who ask for little, are looked at between two answers.
 */
import type { Timers } from '../../base/system.js'
import { responseCodes } from '../codes.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'
import type { Handler } from '../handling.js'

/** A client that has not taken so many bytes gets no more messages, and is asked nothing. */
export const MOST_UNREAD_BYTES = 1024 * 1024

/** See the head of this file. */
export class ReadingTurns {
  readonly #timers: Timers
  /** Those who wait, of each connection for which something was read in this turn. */
  readonly #waiting = new Map<object, (() => void)[]>()

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** Resolves when something may be read for a connection. `undefined`: it may be at once. */
  take(connection: object): Promise<void> | undefined {
    const waiting = this.#waiting.get(connection)
    if (waiting !== undefined) return new Promise((resolve) => waiting.push(resolve))
    this.#waiting.set(connection, [])
    this.#timers.endOfTurn(() => this.#next(connection))
    return undefined
  }

  #next(connection: object): void {
    const first = this.#waiting.get(connection)?.shift()
    if (first === undefined) {
      this.#waiting.delete(connection)
      return
    }
    first()
    this.#timers.endOfTurn(() => this.#next(connection))
  }
}

/** A handler whose answers hold messages: it waits for its turn, and is refused while the client takes no answers. */
export function inTurn(turns: ReadingTurns, handler: Handler): Handler {
  return async (command, connection: Connection) => {
    await turns.take(connection)
    if (connection.unreadBytes > MOST_UNREAD_BYTES)
      throw new Refusal(responseCodes.SYSTEM_BUSY, 'the client does not take its answers')
    const response = await handler(command, connection)
    // At once, so that what it adds to what the client has not taken is seen by the next one.
    if (response !== undefined) connection.send(command, response)
    return undefined
  }
}
