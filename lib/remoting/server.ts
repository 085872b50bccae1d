/**
 * Listens for peers and answers their requests out of one table.
 *
 * A place that others can reach must have TLS, and must know who they are, unless that is refused in so many words:
 * signatures of requests can be sent again by who overhears them, and who is not asked for one is believed.
 */
import { type Clock, systemClock, systemTimers, type Timers } from '../base/system.js'
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

/** Room for connections that are refused only after a look at the others. */
const SPARE_SOCKETS = 64

/** See the head of this file. */
export class RemotingServer {
  readonly #options: RemotingServerOptions
  readonly #limits: ServerLimits
  readonly #load: SharedLoad
  readonly #clock: Clock
  readonly #timers: Timers
  /** Every connection with the time since which it is there, oldest first. */
  readonly #connections = new Map<Connection, number>()
  #listener: Listener | undefined
  #grownSinceLook = 0
  #isClosing = false

  private constructor(options: RemotingServerOptions) {
    this.#options = options
    this.#limits = resolveLimits(options.limits)
    this.#load = { bytes: 0, mostBytes: this.#limits.maxTotalBytes / 2 }
    this.#clock = options.clock ?? systemClock
    this.#timers = options.timers ?? systemTimers
  }

  /**
   * Begins to listen. Rejects when the endpoint cannot be had.
   *
   * @throws {RangeError} when other machines could connect without TLS or without being known, and for a limit that cannot be
   */
  static async listen(options: RemotingServerOptions): Promise<RemotingServer> {
    const { host = '127.0.0.1', port, tls, net = nodeNet } = options
    checkListening({ ...options, host, isGuarded: options.guard !== undefined })
    const server = new RemotingServer(options)
    const maxSockets = server.#limits.maxConnections + SPARE_SOCKETS
    server.#listener = await net.listen({ host, port, tls, maxSockets }, (socket) => server.#accept(socket))
    return server
  }

  /** Where it listens, with the port that was taken. */
  get endpoint(): Endpoint {
    return this.#listener!.endpoint
  }

  /** The connections that there are. */
  get connections(): readonly Connection[] {
    return [...this.#connections.keys()]
  }

  /** Takes no further connections, answers requests in work, and closes; after `graceMs` at once. */
  async close(graceMs = 5000): Promise<void> {
    this.#isClosing = true
    await this.#listener!.close()
    await Promise.all(this.connections.map((connection) => connection.close(graceMs)))
  }

  #accept(socket: Socket): void {
    const { onConnection, onRefused } = this.#options
    if (this.#isClosing || !this.#hasRoomFor(socket.remote.host)) {
      if (!this.#isClosing) onRefused?.({ remote: socket.remote, reason: 'too many connections' })
      socket.destroy()
      return
    }
    const connection = new Connection(socket, {
      clock: this.#clock,
      timers: this.#timers,
      limits: this.#limits,
      handler: (command, from) => this.#answer(command, from),
      shared: this.#load,
      onGrowth: (bytes) => this.#onGrowth(bytes),
      onRefused: ({ code: request }, { code, message: reason }, { remote }) => onRefused?.({ remote, reason, request, code }),
      onFault: (error, from) => this.#options.onFault?.(error, from),
    })
    this.#connections.set(connection, this.#clock.monotonic())
    connection.onClose(() => this.#connections.delete(connection))
    onConnection?.(connection)
  }

  #answer(command: Command, from: Connection): ReturnType<Handler> {
    const { guard, handlers } = this.#options
    const admitted = guard?.admit(command, from)
    return admitted instanceof Promise ? admitted.then(() => handle(handlers, command, from)) : handle(handlers, command, from)
  }

  #hasRoomFor(host: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits
    if (!isLoopback(host)) {
      const same = this.connections.filter(({ remote }) => remote.host === host).length
      if (same >= maxConnectionsPerAddress) return false
    }
    return this.#connections.size < maxConnections || this.#makeRoom()
  }

  /** Closes the connection that has said nothing for longest; where senders are asked who they are, nothing that counted. */
  #makeRoom(): boolean {
    const now = this.#clock.monotonic()
    const { guard } = this.#options
    for (const [connection, since] of this.#connections) {
      if (now - since < this.#limits.silentMs) return false
      if (guard === undefined ? connection.hasSpoken : guard.hasAdmitted(connection)) continue
      this.#connections.delete(connection)
      connection.destroy()
      return true
    }
    return false
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
