/**
 * Listens for peers and answers their requests out of one table.
 *
 * A place that others can reach must have TLS, and must know who they are, unless that is refused in so many words:
 * signatures of requests can be sent again by who overhears them, and who is not asked for one is believed.
 */
import { type Clock, systemClock, systemTimers, type Timer, type Timers } from '../base/system.js'
import { TurnShare } from '../base/turn-share.js'
import { type AddressTest, addressTest } from './auth/address-pattern.js'
import type { Guard } from './auth/guard.js'
import type { Command } from './command.js'
import { Connection } from './connection.js'
import { type Endpoint, isLoopback } from './endpoint.js'
import { type Handler, type HandlerTable, handle } from './handling.js'
import { resolveLimits, type ServerLimits } from './limits.js'
import { type Listener, type Net, nodeNet, type ServerTls, type Socket } from './net.js'
import type { SharedLoad } from './workload.js'

/** What was refused to whom. */
export interface Refused {
  /** The peer. */
  readonly remote: Endpoint
  /** Why, as the peer was told. */
  readonly reason: string
  /** The code of the request; `undefined` when it was a connection. */
  readonly request?: number
  /** The code of the answer. */
  readonly code?: number
}

/** How to listen. */
export interface RemotingServerOptions {
  /** Address to listen at. @default 127.0.0.1 */
  readonly host?: string
  /** Port; 0 takes a free one. */
  readonly port: number
  /** What to do with which request. */
  readonly handlers: HandlerTable
  /** All connections must use TLS. @default none on this machine's own addresses; elsewhere it must be given */
  readonly tls?: ServerTls
  /** Lets requests through or refuses them. @default all are let through */
  readonly guard?: Guard
  /** Listen without TLS, or for everybody, where other machines can connect. @default false */
  readonly insecure?: boolean
  /** Limits other than the standard ones. */
  readonly limits?: Partial<ServerLimits>
  /** Addresses behind which there are many clients: patterns as the list of trusted addresses has them. @default none */
  readonly sharedAddresses?: readonly string[]
  /** Told of each new connection, before its first request. */
  readonly onConnection?: (connection: Connection) => void
  /** Told of each request and each connection that was refused. May be called often when peers are hostile. */
  readonly onRefused?: (refused: Refused) => void
  /** Told what handlers threw and why peers were cut off. May be called often when peers are hostile. */
  readonly onFault?: (error: Error, connection: Connection) => void
  /** The network. @default this machine's */
  readonly net?: Net
  /** @default this machine's */
  readonly clock?: Clock
  /** @default this process's */
  readonly timers?: Timers
}

/** Who could connect to a server. */
interface Exposure extends Pick<RemotingServerOptions, 'tls' | 'insecure'> {
  readonly host: string
  /** Whether senders are asked who they are. */
  readonly isGuarded: boolean
}

/** @throws {RangeError} when other machines could connect without TLS or without being known, and nobody has allowed it */
export function checkListening({ host, tls, insecure = false, isGuarded }: Exposure): void {
  if (insecure || isLoopback(host)) return
  if (tls === undefined) throw new RangeError(`listening at ${host} without TLS lets everybody in; give tls, or insecure: true`)
  if (!isGuarded && tls.requireClientCertificate !== true)
    throw new RangeError(
      `listening at ${host} without asking who sends lets everybody in; give auth, tls.requireClientCertificate, or insecure: true`,
    )
}

/**
 * How long a stranger stays though others want its place, milliseconds. What comes with the connection is read in a turn
 * of the event loop behind it: of clients that all come at once, as after a restart, none may go before that.
 */
const STRANGER_MS = 250

/** So many times `silentMs` a stranger has that has spoken, while something of it is on its way. */
const MOST_LOOKUPS = 4

/** Room for connections that are refused only after a look at the others. */
const SPARE_SOCKETS = 64

function allTaken(maxConnections: number): string {
  return `all ${maxConnections} connections are taken (limits.maxConnections)`
}

/** See the head of this file. */
export class RemotingServer {
  readonly #options: RemotingServerOptions
  readonly #limits: ServerLimits
  readonly #load: SharedLoad
  readonly #share: TurnShare
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #connections = new Set<Connection>()
  /** Those over which nobody had spoken when they were last looked at, with the time since which they are there, oldest first. */
  readonly #strangers = new Map<Connection, number>()
  #listener: Listener | undefined
  #grownSinceLook = 0
  #isClosing = false
  readonly #shared: readonly AddressTest[]

  private constructor(options: RemotingServerOptions) {
    this.#options = options
    this.#shared = (options.sharedAddresses ?? []).map(addressTest)
    this.#limits = resolveLimits(options.limits)
    this.#load = { bytes: 0, mostBytes: this.#limits.maxTotalBytes / 2 }
    this.#clock = options.clock ?? systemClock
    this.#timers = options.timers ?? systemTimers
    this.#share = new TurnShare(this.#clock, this.#timers)
  }

  /**
   * Begins to listen. Rejects when the endpoint cannot be had.
   *
   * @throws {RangeError} when other machines could connect without TLS or without being known, and for a limit or a pattern of
   *   addresses that cannot be
   */
  static async listen(options: RemotingServerOptions): Promise<RemotingServer> {
    const { host = '127.0.0.1', port, tls, net = nodeNet } = options
    checkListening({ ...options, host, isGuarded: options.guard !== undefined })
    const server = new RemotingServer(options)
    const maxSockets = server.#limits.maxConnections + SPARE_SOCKETS
    const onRefused = (remote: Endpoint, reason: string | undefined): void =>
      options.onRefused?.({ remote, reason: reason ?? allTaken(server.#limits.maxConnections) })
    server.#listener = await net.listen({ host, port, tls, maxSockets, onRefused }, (socket) => server.#accept(socket))
    return server
  }

  /** Where it listens, with the port that was taken. */
  get endpoint(): Endpoint {
    return this.#listener!.endpoint
  }

  /** The connections that there are. */
  get connections(): readonly Connection[] {
    return [...this.#connections]
  }

  /** Takes no further connections, answers requests in work, and closes; after `graceMs` at once. */
  async close(graceMs = 5000): Promise<void> {
    this.#isClosing = true
    await this.#listener!.close()
    await Promise.all(this.connections.map((connection) => connection.close(graceMs)))
  }

  #accept(socket: Socket): void {
    const { onConnection, onRefused } = this.#options
    const full = this.#isClosing ? undefined : this.#fullFor(socket.remote.host)
    if (this.#isClosing || full !== undefined) {
      if (full !== undefined) onRefused?.({ remote: socket.remote, reason: full })
      socket.destroy()
      return
    }
    const connection = new Connection(socket, {
      clock: this.#clock,
      timers: this.#timers,
      limits: this.#limits,
      handler: (command, from) => this.#answer(command, from),
      shared: this.#load,
      share: this.#share,
      onGrowth: (bytes) => this.#onGrowth(bytes),
      onRefused: ({ code: request }, { code, message: reason }, { remote }) => onRefused?.({ remote, reason, request, code }),
      onFault: (error, from) => this.#options.onFault?.(error, from),
    })
    this.#connections.add(connection)
    this.#strangers.set(connection, this.#clock.monotonic())
    connection.onClose(() => this.#forget(connection))
    this.#watchStranger(connection)
    onConnection?.(connection)
  }

  #answer(command: Command, from: Connection): ReturnType<Handler> {
    const { guard, handlers } = this.#options
    const admitted = guard?.admit(command, from)
    return admitted instanceof Promise ? admitted.then(() => handle(handlers, command, from)) : handle(handlers, command, from)
  }

  /** Which limit leaves no place for one more from an address, making a place if that can be. */
  #fullFor(host: string): string | undefined {
    const { maxConnections, maxConnectionsPerAddress, maxStrangers } = this.#limits
    if (!isLoopback(host) && !this.#shared.some((test) => test(host))) {
      const same = this.connections.filter(({ remote }) => remote.host === host).length
      if (same >= maxConnectionsPerAddress)
        return `${same} connections from this address (limits.maxConnectionsPerAddress; sharedAddresses excepts proxies)`
    }
    const isFull = this.#connections.size >= maxConnections
    if (isFull || (this.#options.guard !== undefined && this.#strangers.size >= maxStrangers)) this.#makeRoom(maxStrangers)
    return this.#connections.size < maxConnections ? undefined : allTaken(maxConnections)
  }

  /** Closes strangers, those that have been there for longest first, until there is a place for one more. */
  #makeRoom(maxStrangers: number): void {
    const now = this.#clock.monotonic()
    const { maxConnections, silentMs } = this.#limits
    for (const connection of this.#strangers.keys()) if (!this.#isStranger(connection)) this.#strangers.delete(connection)
    for (const [connection, since] of this.#strangers) {
      const areTooMany = this.#options.guard !== undefined && this.#strangers.size >= maxStrangers
      if (!areTooMany && this.#connections.size < maxConnections) return
      if (now - since < STRANGER_MS) return
      // Who has spoken and was not heard yet, because there is much to do, is no stranger for that.
      if (connection.waitsForTurn && now - since < silentMs) continue
      this.#dismiss(connection, 'silent, and others want its place')
    }
  }

  /** Whether nobody has spoken over a connection yet; where senders are asked who they are, nobody who is known. */
  #isStranger(connection: Connection): boolean {
    const { guard } = this.#options
    return guard === undefined ? !connection.hasSpoken : !guard.hasAdmitted(connection)
  }

  /**
   * Closes a connection that stays a stranger, unless the first thing that it says is on its way, which has bounds of its own,
   * or who it is is being looked up. Where nobody is asked who they are it may stay while there are places: clients keep
   * connections for later.
   */
  #watchStranger(connection: Connection): void {
    const { silentMs, maxConnections } = this.#limits
    const { guard } = this.#options
    let timer: Timer
    let looks = 0
    const look = (): void => {
      if (!this.#connections.has(connection) || !this.#isStranger(connection)) return
      const hasPlace = guard === undefined && this.#connections.size < maxConnections / 2
      // Who says one thing after the other that does not count always has something on its way.
      const isComing = connection.incomingBytes > 0 && (!connection.hasSpoken || ++looks < MOST_LOOKUPS)
      if (hasPlace || isComing) wait()
      else this.#dismiss(connection, `${connection.hasSpoken ? 'nobody who is known' : 'silent'} for ${silentMs} ms`)
    }
    const wait = (): void => {
      // What has come meanwhile is read before.
      timer = this.#timers.after(silentMs, () => this.#timers.endOfTurn(look))
    }
    wait()
    connection.onClose(() => timer.cancel())
  }

  #dismiss(connection: Connection, reason: string): void {
    this.#forget(connection)
    connection.destroy()
    this.#options.onRefused?.({ remote: connection.remote, reason })
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection)
    this.#strangers.delete(connection)
  }

  /** Looks at all connections whenever an eighth of the limit has come or was queued: what went is not told. */
  #onGrowth(bytes: number): void {
    const { maxTotalBytes } = this.#limits
    this.#grownSinceLook += bytes
    if (this.#grownSinceLook < maxTotalBytes / 8) return
    this.#grownSinceLook = 0
    const worstFirst = this.connections.toSorted((a, b) => b.heldBytes - a.heldBytes)
    let total = worstFirst.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
    for (const connection of worstFirst) {
      if (total <= maxTotalBytes) return
      total -= connection.heldBytes
      connection.destroy()
    }
  }
}
