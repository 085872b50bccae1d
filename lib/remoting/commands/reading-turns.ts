/**
 * Who asks for messages gets them in turn: of what one connection asks, one reading begins in a turn of the event loop, a
 * few are under way at once, and none begins while what was read fills the memory that the connection may have. All
 * connections together have a part of each turn, for hundreds of them ask at once.
 *
 * A peer that asks for a thousand at once and takes none would otherwise have all of them read before the first answer
 * shows that it takes none. So what is read for a connection is what it has not taken and a few answers; and others,
 * who ask for little, are looked at between two of them.
 */
import type { Clock, Timers } from '../../base/system.js'
import { TurnShare } from '../../base/turn-share.js'
import { responseCodes } from '../codes.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'
import type { Handler } from '../handling.js'

/** A client that has not taken so many bytes gets no more messages, and is asked nothing. */
export const MOST_UNREAD_BYTES = 1024 * 1024
/** Readings of one connection that may be under way at once: a pop waits for the disk. */
const MOST_READINGS = 4
/** What a reading is taken to bring while it is under way, bytes: the limit of pulls and pops. */
const READING_BYTES = 256 * 1024

/** What is asked of a connection. */
type ReadFor = Pick<Connection, 'unreadBytes'>

interface Readings {
  running: number
  /** Whether one began or ended in this turn of the event loop: the next begins behind the end of it. */
  hasMoved: boolean
  readonly waiting: (() => void)[]
}

/** See the head of this file. */
export class ReadingTurns {
  readonly #timers: Pick<Timers, 'endOfTurn'>
  readonly #share: TurnShare
  readonly #readings = new Map<ReadFor, Readings>()

  constructor(clock: Pick<Clock, 'monotonic'>, timers: Pick<Timers, 'endOfTurn'>) {
    this.#timers = timers
    this.#share = new TurnShare(clock, timers)
  }

  /**
   * Reads for a connection when it is its turn. What is read must be sent in the turn of the event loop in which `read`
   * ends, so that the next one sees it.
   */
  async run<Result>(connection: ReadFor, read: () => Promise<Result> | Result): Promise<Result> {
    let readings = this.#readings.get(connection)
    if (readings === undefined) this.#readings.set(connection, (readings = { running: 0, hasMoved: false, waiting: [] }))
    const { waiting } = readings
    if (waiting.length === 0 && !readings.hasMoved && mayBegin(readings, connection)) this.#begin(connection, readings)
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await read()
    } finally {
      readings.running--
      this.#later(connection, readings)
    }
  }

  #begin(connection: ReadFor, readings: Readings): void {
    readings.running++
    this.#later(connection, readings)
  }

  #later(connection: ReadFor, readings: Readings): void {
    if (readings.hasMoved) return
    readings.hasMoved = true
    const goOn = (): void => {
      readings.hasMoved = false
      this.#next(connection, readings)
    }
    this.#timers.endOfTurn(() => {
      if (readings.waiting.length > 0 && (this.#share.isWanted || this.#share.isOver())) this.#share.later(goOn)
      else goOn()
    })
  }

  #next(connection: ReadFor, readings: Readings): void {
    const { running, waiting } = readings
    if (waiting.length === 0) {
      if (running === 0) this.#readings.delete(connection)
    } else if (mayBegin(readings, connection)) {
      this.#begin(connection, readings)
      waiting.shift()!()
    }
  }
}

/** The first may always: who takes nothing is told so. */
function mayBegin({ running }: Readings, { unreadBytes }: ReadFor): boolean {
  return running === 0 || (running < MOST_READINGS && unreadBytes + running * READING_BYTES < MOST_UNREAD_BYTES)
}

/** Whether a client may be sent more messages: it is there, and takes what it is sent. */
export function takesMore({ isOpen, unreadBytes }: Pick<Connection, 'isOpen' | 'unreadBytes'>): boolean {
  return isOpen && unreadBytes <= MOST_UNREAD_BYTES
}

/** A handler whose answers hold messages: it waits for its turn, and is refused while the client takes no answers. */
export function inTurn(turns: ReadingTurns, handler: Handler): Handler {
  return (command, connection: Connection) =>
    turns.run(connection, async () => {
      if (!takesMore(connection)) throw new Refusal(responseCodes.SYSTEM_BUSY, 'the client does not take its answers')
      const response = await handler(command, connection)
      // At once, so that what it adds to what the client has not taken is seen by the next one.
      if (response !== undefined) connection.send(command, response)
      return undefined
    })
}
