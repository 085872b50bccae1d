/**
 * Tells clients of a reset that no pull of theirs learns of: they let go of the queues and go on where these were reset to.
 *
 * Clients that pull are told by the answer, which costs them nothing. But one that has enough to do does not pull, and where
 * each member keeps offsets of its own the answer would reach one of them. RocketMQ's clients rest for ten seconds with all
 * their queues once they are told this way, so that it is done only a second later, for what is still unknown then.
 */

import type { Timer } from '../../base/system.js'
import type { GroupPlace } from '../../broker/config/offsets.js'
import type { ClientOffsets } from '../../broker/serving/client-offsets.js'
import { printBody } from '../body-json.js'
import { type Command, oneWayRequest } from '../command.js'
import type { Connection } from '../connection.js'
import { consumerNews } from './consume-codes.js'
import type { ServedBroker } from './entries.js'
import { queueKeyedBody } from './queue-keys.js'

/** Time that clients have to pull, milliseconds. */
const PULL_MS = 1000
/** Clients from this version on know what they are told: V3_0_7_SNAPSHOT. */
const KNOWS_RESETS = 28

/** The resets of a group in a topic that are to be told. */
interface Gathered {
  readonly places: Map<number, GroupPlace>
  readonly timer: Timer
}

/** See the head of this file. */
export class ResetPush {
  readonly #served: ServedBroker
  readonly #offsets: ClientOffsets
  readonly #gathered = new Map<string, Gathered>()
  readonly #stopListening: () => void

  constructor(served: ServedBroker, offsets: ClientOffsets) {
    this.#served = served
    this.#offsets = offsets
    this.#stopListening = offsets.onReset((place) => this.#gather(place))
  }

  /** Tells nobody anything any more. */
  close(): void {
    this.#stopListening()
    for (const { timer } of this.#gathered.values()) timer.cancel()
    this.#gathered.clear()
  }

  #gather(place: GroupPlace): void {
    const { topic, group, queueId } = place
    const key = `${topic}@${group}`
    const gathered = this.#gathered.get(key)
    if (gathered !== undefined) {
      gathered.places.set(queueId, place)
      return
    }
    const tell = (): void => {
      const { places } = this.#gathered.get(key)!
      this.#gathered.delete(key)
      this.#tell(topic, group, [...places.values()])
    }
    const timer = this.#served.served.base.ports.timers.after(PULL_MS, tell)
    this.#gathered.set(key, { places: new Map([[queueId, place]]), timer })
  }

  #tell(topic: string, group: string, places: readonly GroupPlace[]): void {
    const { registry, requestModes } = this.#served.served
    // Who pops gets what comes next from here.
    if (requestModes.get(topic, group).mode === 'POP') return
    const clients = this.#clientsOf(group, topic)
    if (clients.size === 0) return
    const isEach = registry.facts(group)?.model === 'BROADCASTING'
    const untold = places.filter((place) => isEach || this.#offsets.push(place))
    if (untold.length === 0) return
    for (const [connection, isCpp] of clients) connection.sendOneWay(this.#news(topic, group, untold, isCpp))
  }

  /**
   * The clients that are told, and whether each is written in C++: all that know what they are told and consume the topic as it
   * comes, whoever of the group was heard of last. Whoever pulls as it likes knows nothing of this.
   */
  #clientsOf(group: string, topic: string): Map<Connection, boolean> {
    const clients = new Map<Connection, boolean>()
    for (const [{ isLocal, address, language, version }, facts] of this.#served.served.registry.told(group)) {
      if (isLocal || version < KNOWS_RESETS) continue
      if (facts.consumeType !== 'CONSUME_PASSIVELY' || !facts.subscriptions.has(topic)) continue
      const connection = this.#served.connections.get(address)
      if (connection !== undefined) clients.set(connection, language === 'CPP')
    }
    return clients
  }

  #news(topic: string, group: string, places: readonly GroupPlace[], isCpp: boolean): Command {
    const { store, base } = this.#served.served
    const { brokerName } = store
    const ext = { topic, group, timestamp: base.ports.clock.now(), isForce: true }
    const list = places.map(({ queueId, offset }) => ({ brokerName, offset, queueId, topic }))
    const body = isCpp
      ? printBody({ offsetTable: list })
      : queueKeyedBody(
          'offsetTable',
          list.map(({ offset, ...queue }) => [queue, offset] as const),
        )
    return oneWayRequest(consumerNews.RESET_CONSUMER_CLIENT_OFFSET, { ext, body })
  }
}
