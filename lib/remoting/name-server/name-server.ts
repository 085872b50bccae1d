/**
 * A name server: tells clients which brokers have a topic, out of what brokers tell it.
 *
 * It has no port of its own: its handlers go into the table of a `RemotingServer`, alone or together with a broker's.
 * Brokers in this process register through `routes`, without a connection.
 */
import { type Clock, systemClock, systemTimers, type Timer, type Timers } from '../../base/system.js'
import { TurnShare } from '../../base/turn-share.js'
import type { Connection } from '../connection.js'
import type { HandlerTable } from '../handling.js'
import { nameServerHandlers } from './handlers.js'
import { type KvFile, KvTable } from './kv-table.js'
import { RouteTable } from './route-table.js'

/** How often servers that have gone silent are looked for. */
const SCAN_MS = 5000

/** How a name server behaves. */
export interface NameServerOptions {
  /** Where settings are kept. @default nowhere */
  readonly file?: KvFile
  /** Whether routes tell the order of topics. @default false, as in RocketMQ */
  readonly ordersTopics?: boolean
  /** @default this machine's */
  readonly clock?: Clock
  /** @default this process's */
  readonly timers?: Timers
}

/** See the head of this file. */
export class NameServer {
  /** What it knows of brokers and topics. */
  readonly routes = new RouteTable()
  /** What clients and administrators keep here. */
  readonly settings: KvTable
  /** Its requests. */
  readonly handlers: HandlerTable
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #connections = new WeakSet<object>()
  #scan: Timer

  /** @throws {ConfigSyntaxError} when the file of settings is none */
  constructor(options: NameServerOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#timers = options.timers ?? systemTimers
    this.settings = new KvTable(options.file)
    this.handlers = nameServerHandlers({
      routes: this.routes,
      settings: this.settings,
      ordersTopics: options.ordersTopics ?? false,
      now: () => this.now(),
      reading: new TurnShare(this.#clock, this.#timers),
      onRegistered: (connection) => this.#onRegistered(connection as Connection),
    })
    this.#scan = this.#nextScan()
  }

  /** The time that `routes` wants to be told. */
  now(): number {
    return this.#clock.monotonic()
  }

  /** Ends the search for silent servers. What it knows stays. */
  close(): void {
    this.#scan.cancel()
  }

  #onRegistered(connection: Connection): void {
    // What it said may have waited until it was gone.
    if (!connection.isOpen) this.routes.forgetConnection(connection)
    if (this.#connections.has(connection)) return
    this.#connections.add(connection)
    connection.onClose(() => this.routes.forgetConnection(connection))
  }

  #nextScan(): Timer {
    return this.#timers.after(SCAN_MS, () => {
      for (const connection of this.routes.expire(this.now())) (connection as Connection).destroy()
      this.#scan = this.#nextScan()
    })
  }
}
