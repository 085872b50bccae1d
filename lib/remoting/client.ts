/**
 * Talks to servers by address: one connection each, made when it is first needed and again after it was lost.
 *
 * A connection that was lost is not made again by itself: the next request does that, so that a server that is away
 * costs nothing until somebody wants something from it.
 */
import { type Clock, systemClock, systemTimers, type Timers } from '../base/system.js'
import { type Credentials, signed } from './auth/signature.js'
import type { Command } from './command.js'
import { Connection } from './connection.js'
import { parseEndpoint } from './endpoint.js'
import { RemotingError } from './errors.js'
import { type HandlerTable, handle } from './handling.js'
import { type ConnectionLimits, resolveLimits } from './limits.js'
import { type ClientTls, type Net, nodeNet } from './net.js'

/** How to talk. */
export interface RemotingClientOptions {
  /** Answers requests that servers send. @default none is known */
  readonly handlers?: HandlerTable
  /** Use TLS with every server. @default none */
  readonly tls?: ClientTls
  /** Sign all requests. @default none is signed */
  readonly credentials?: Credentials
  /** Time to connect. @default 3 s */
  readonly connectMs?: number
  /** Limits other than the standard ones. */
  readonly limits?: Partial<ConnectionLimits>
  /** Told that the connection with a server is gone, for whatever reason. */
  readonly onClose?: (address: string) => void
  /** Told what handlers threw and why servers were cut off. */
  readonly onFault?: (error: Error, connection: Connection) => void
  /** The network. @default this machine's */
  readonly net?: Net
  /** @default this machine's */
  readonly clock?: Clock
  /** @default this process's */
  readonly timers?: Timers
}

/** See the head of this file. */
export class RemotingClient {
  readonly #options: RemotingClientOptions
  readonly #limits: ConnectionLimits
  readonly #timers: Timers
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #whenClosing = new AbortController()

  /** @throws {RangeError} for a limit that cannot be */
  constructor(options: RemotingClientOptions = {}) {
    this.#options = options
    this.#limits = resolveLimits(options.limits)
    this.#timers = options.timers ?? systemTimers
  }

  /**
   * Sends a request to `host:port` and waits for its answer, whatever code that has. Connecting has its own time.
   *
   * Rejects with a `RemotingError`: `REMOTING_UNREACHABLE`, `REMOTING_TIMEOUT`, `REMOTING_CLOSED` or `REMOTING_BUSY`.
   *
   * @throws {RangeError} when the address is none, or the command does not fit a frame
   */
  async invoke(address: string, request: Command, timeoutMs = 3000): Promise<Command> {
    const connection = await this.connect(address)
    return connection.invoke(this.#signed(request), timeoutMs)
  }

  /** Sends a one-way request; rejects with `REMOTING_UNREACHABLE` when there is no way to do so. */
  async sendOneWay(address: string, request: Command): Promise<void> {
    const connection = await this.connect(address)
    connection.sendOneWay(this.#signed(request))
  }

  #signed(request: Command): Command {
    const { credentials } = this.#options
    return credentials === undefined ? request : signed(request, credentials)
  }

  /** The connection with a server, made if there is none. Rejects with `REMOTING_UNREACHABLE`. */
  async connect(address: string): Promise<Connection> {
    const known = this.#connections.get(address)
    if (known !== undefined) {
      const connection = await known
      if (connection.isOpen) return connection
      if (this.#connections.get(address) === known) this.#connections.delete(address)
      return this.connect(address)
    }
    const connecting = this.#connect(address)
    this.#connections.set(address, connecting)
    connecting.catch(() => this.#forget(address, connecting))
    // Not returned as a promise, which takes longer to arrive: the first request would be sent after those that wait.
    const connection = await connecting
    return connection
  }

  /** Closes all connections in order; after `graceMs` at once. No further ones are made. */
  async close(graceMs = 1000): Promise<void> {
    this.#whenClosing.abort(new Error('the client is closed'))
    const connections = await Promise.allSettled(this.#connections.values())
    await Promise.all(connections.map((known) => (known.status === 'fulfilled' ? known.value.close(graceMs) : undefined)))
  }

  async #connect(address: string): Promise<Connection> {
    const endpoint = parseEndpoint(address)
    const { net = nodeNet, tls, connectMs = 3000, clock = systemClock, handlers = new Map(), onFault, onClose } = this.#options
    const late = new AbortController()
    const timer = this.#timers.after(connectMs, () => late.abort(new Error(`no connection within ${connectMs} ms`)), true)
    try {
      const socket = await net.connect(endpoint, tls, AbortSignal.any([late.signal, this.#whenClosing.signal]))
      const connection = new Connection(socket, {
        clock,
        timers: this.#timers,
        limits: this.#limits,
        handler: (command, from) => handle(handlers, command, from),
        onFault: (error, from) => onFault?.(error, from),
      })
      connection.onClose(() => onClose?.(address))
      return connection
    } catch (error) {
      throw new RemotingError('REMOTING_UNREACHABLE', `${address} cannot be reached: ${(error as Error).message}`, {
        cause: error,
      })
    } finally {
      timer.cancel()
    }
  }

  #forget(address: string, connecting: Promise<Connection>): void {
    if (this.#connections.get(address) === connecting) this.#connections.delete(address)
  }
}
