/**
 * What brokers tell a name server is taken peer by peer in turn, and of each peer in the order in which it came, though some
 * of it is read for long. One is read at a time: what a compressed one becomes is held in memory. So a peer that tells very
 * much waits for itself, and another with little to say for one thing of each of the others at most.
 *
 * What a peer has told and nobody has read is let go when its connection is closed: nobody counts its bytes then.
 */
import type { TurnShare } from '../../base/turn-share.js'
import { responseCodes } from '../codes.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'

/** What is asked of a connection. */
export type Peer = Pick<Connection, 'onClose'>

/** How something is taken. */
export interface Taking<Result> {
  /** @param checkOpen - throws once the peer has gone: for what goes on for long */
  readonly take: (checkOpen: () => void) => Promise<Result> | Result
  /** Done instead when the peer has gone before its turn. @default nothing */
  readonly whenGone?: () => Result
}

/** Something that was told. */
interface Told {
  /** Never throws. */
  readonly take: () => Promise<void>
  readonly letGo: () => void
}

/** What one peer has told that is not done; the first is in work when it is the peer's turn. */
interface Row {
  readonly told: Told[]
  isOpen: boolean
  /** Ends listening for the peer's end. */
  callOff: () => void
}

/** See the head of this file. */
export class TellingTurns {
  readonly #share: TurnShare
  /** Whose turn it is comes first. */
  readonly #rows = new Map<Peer, Row>()
  /** Of which something is taken now. */
  #inWork: Row | undefined
  #isGoing = false

  /** @param share - the time that taking what brokers tell may take in a turn of the event loop */
  constructor(share: TurnShare) {
    this.#share = share
  }

  /** Takes something short: at once, unless something that the peer told before is not done. */
  runShort<Result>(peer: Peer, taking: Taking<Result>): Promise<Result | undefined> | Result | undefined {
    return this.#rows.has(peer) ? this.run(peer, taking) : taking.take(() => {})
  }

  /** Takes something when it is the peer's turn. */
  run<Result>(peer: Peer, { take, whenGone }: Taking<Result>): Promise<Result | undefined> {
    const row = this.#rowOf(peer)
    const checkOpen = (): void => {
      if (!row.isOpen) throw new Refusal(responseCodes.SYSTEM_ERROR, 'the connection was closed')
    }
    return new Promise((resolve, reject) => {
      const told = {
        take: () => new Promise<Result>((taken) => taken(take(checkOpen))).then(resolve, reject),
        letGo: () => new Promise<Result | undefined>((done) => done(whenGone?.())).then(resolve, reject),
      }
      if (row.isOpen) row.told.push(told)
      else told.letGo()
      if (!this.#isGoing) void this.#goOn()
    })
  }

  #rowOf(peer: Peer): Row {
    const known = this.#rows.get(peer)
    if (known !== undefined) return known
    const row: Row = { told: [], isOpen: true, callOff: () => {} }
    this.#rows.set(peer, row)
    // It calls at once when the peer has gone already.
    row.callOff = peer.onClose(() => this.#gone(peer, row))
    return row
  }

  #gone(peer: Peer, row: Row): void {
    row.isOpen = false
    if (row !== this.#inWork) this.#rows.delete(peer)
    for (const told of row.told.splice(0)) told.letGo()
  }

  async #goOn(): Promise<void> {
    this.#isGoing = true
    for (;;) {
      await this.#share.pause()
      const [first] = this.#rows
      if (first === undefined) break
      const [peer, row] = first
      this.#inWork = row
      await row.told[0]?.take()
      this.#inWork = undefined
      // Behind the others. Once the peer has gone there is nothing more.
      row.told.shift()
      this.#rows.delete(peer)
      if (row.told.length > 0) this.#rows.set(peer, row)
      else row.callOff()
    }
    this.#isGoing = false
  }
}
