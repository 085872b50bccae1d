/** How the requests to a broker are written down: a code with what is done for it, in groups. */

import type { TurnShare } from '../../base/turn-share.js'
import type { Broker } from '../../broker/broker.js'
import type { MessageQueue } from '../../broker/group/message-queue.js'
import type { ServedParts } from '../../broker/serving/served.js'
import type { AuthSettings } from '../auth/settings.js'
import type { Connection } from '../connection.js'
import type { Endpoint } from '../endpoint.js'
import type { Handler, HandlerTable } from '../handling.js'
import type { HeldRights } from './held-pulls.js'
import { withOutcomes } from './outcome.js'
import type { ReadingTurns } from './reading-turns.js'

/** What handlers work on. */
export interface ServedBroker {
  readonly broker: Broker
  readonly served: ServedParts
  /** Where clients reach it; `undefined` while it does not listen. */
  endpoint: Endpoint | undefined
  /** The same as it stands in message ids, `ip:port`; `undefined` while it does not listen, and when clients are told a name. */
  storeHost: string | undefined
  /** The connections of clients, by where these are: `ip:port`. */
  readonly connections: Map<string, Connection>
  /** Who may do what, where that is listed; `undefined` where nobody is asked, or somebody else is. */
  listedAuth: () => AuthSettings | undefined
  /** Whether a client may be told of messages of a topic that it did not ask for. */
  mayHear: (connection: Connection, topic: string) => boolean
  /** Who spoke last over a connection; `undefined` where nobody is asked who sends, and for who is trusted by address. */
  speaker: (connection: Connection) => string | undefined
  /** Why a request that waits would be refused now; `undefined` when it would not, or where nobody is asked who sends. */
  refusalNow: HeldRights['refusalNow']
  /** The queues of a topic on other brokers of the cluster, as name servers know them. Never rejects. */
  queuesElsewhere: (topic: string) => Promise<readonly MessageQueue[]>
  /** Called once it was said anew who may do what. */
  readonly whenAuthChanges: (() => void)[]
  /** The time in a turn for looking anew at what waits. */
  readonly looking: TurnShare
  /** Whose messages are read when. */
  readonly turns: ReadingTurns
  /** Ends what handlers hear of the broker, which stays when they go; for the server to call once when it closes. */
  readonly endListening: (() => void)[]
}

/** Some requests, by code. */
export type Entries = readonly (readonly [code: number, handler: Handler])[]

/**
 * The groups as one table; what the broker throws becomes RocketMQ's answer.
 *
 * @throws {RangeError} when a code has two handlers
 */
export function tableOf(groups: readonly Entries[]): HandlerTable {
  const table = new Map<number, Handler>()
  for (const [code, handler] of groups.flat()) {
    if (table.has(code)) throw new RangeError(`request ${code} has two handlers`)
    table.set(code, withOutcomes(handler))
  }
  return table
}
