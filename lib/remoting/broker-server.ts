/**
 * A broker behind RocketMQ's protocol, and a name server beside it: programs written for RocketMQ run against it
 * unchanged.
 *
 * Thin: a table from request code to one call of the broker. Rules about messages are in `lib/broker`.
 */
import { fired } from '../base/signals.js'
import type { Broker } from '../broker/broker.js'
import { parseHost } from '../format/host.js'
import { Announcing } from './announcing.js'
import { administerHandlers } from './commands/administer.js'
import { consumeHandlers } from './commands/consume.js'
import type { ServedBroker } from './commands/entries.js'
import { tableOf } from './commands/entries.js'
import { produceHandlers } from './commands/produce.js'
import { transactionHandlers } from './commands/transactions.js'
import type { Connection } from './connection.js'
import { type Endpoint, endpointText, parseEndpoint } from './endpoint.js'
import { resolveLimits, type ServerLimits } from './limits.js'
import { NameServer } from './name-server/name-server.js'
import type { ClientTls, ServerTls } from './net.js'
import { checkListening, type Refused, RemotingServer } from './server.js'

/** Options of {@link BrokerServer.listen}. */
export interface BrokerServerOptions {
  /** Address to listen at. @default '127.0.0.1' */
  readonly host?: string
  /** Port of the broker; 0 takes a free one. @default 10911 */
  readonly port?: number
  /** A name server beside the broker, on a port of its own; 0 takes a free one. @default none */
  readonly nameServer?: { readonly port: number }
  /** Name servers elsewhere, `host:port`, that the broker registers with. @default none */
  readonly nameServers?: readonly string[]
  /** Talk to those over TLS. */
  readonly nameServerTls?: ClientTls
  /** The address that clients are told, if not the one listened at: `host`, without a port. */
  readonly advertisedHost?: string
  /** All connections must use TLS. */
  readonly tls?: ServerTls
  /** Listen without TLS where other machines can connect. @default false */
  readonly insecure?: boolean
  /** When it fires, `listen` waits no longer for name servers elsewhere. The server goes on until it is closed. */
  readonly signal?: AbortSignal
  /** Limits other than the standard ones. */
  readonly limits?: Partial<ServerLimits>
  /** Whether clients may filter with SQL. @default true */
  readonly sqlFilters?: boolean
  /** Told of each connection of a client, before its first request. */
  readonly onConnection?: (connection: Connection) => void
  /** Told of each request and each connection that was refused. May be called often when clients are hostile. */
  readonly onRefused?: (refused: Refused) => void
  /** Told what came of registering with each of `nameServers`, again and again. Failures are problems of the broker as well. */
  readonly onRegistration?: (result: { readonly server: string; readonly error?: Error }) => void
  /** Told of what went wrong with a client. */
  readonly onFault?: (error: Error, connection: Connection) => void
}

/** How long a close waits for requests in work. */
const GRACE_MS = 5000

const LOCALHOST = '127.0.0.1'
/** Addresses to listen at that nobody can connect to. */
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** What a server consists of. */
interface Parts {
  readonly server: RemotingServer
  readonly names: { readonly server: RemotingServer; readonly table: NameServer } | undefined
  readonly announcing: Announcing
  readonly served: ServedBroker
}

/**
 * Listens for RocketMQ's clients and serves them a broker.
 *
 * @example
 * const broker = await Broker.open('./data', { autoCreateTopics: true })
 * const server = await BrokerServer.listen(broker, { nameServer: { port: 9876 } })
 * // Clients find it with namesrvAddr=127.0.0.1:9876
 * await server.close()
 * await broker.close()
 */
export class BrokerServer implements AsyncDisposable {
  readonly #parts: Parts
  #closing: Promise<void> | undefined

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Begins to listen for clients of a broker. Rejects when a port cannot be had. Name servers elsewhere that cannot be
   * reached are told to the broker's event `problem`, and tried again.
   *
   * @throws {RangeError} when other machines could connect without TLS, or clients could not be told an address
   */
  static async listen(broker: Broker, options: BrokerServerOptions = {}): Promise<BrokerServer> {
    const { port = 10911, nameServer, nameServers = [], nameServerTls, advertisedHost } = options
    checkServing(options)
    const connections = new Map<string, Connection>()
    const served: ServedBroker = { broker, served: broker.served, endpoint: undefined, storeHost: undefined, connections }
    const handlers = tableOf([
      produceHandlers(served),
      transactionHandlers(served),
      consumeHandlers(served, options.sqlFilters),
      administerHandlers(served),
    ])
    const onConnection = (connection: Connection): void => {
      const address = endpointText(connection.remote)
      connections.set(address, connection)
      connection.onClose(() => connections.delete(address))
      options.onConnection?.(connection)
    }
    const server = await RemotingServer.listen({ ...shared(options), port, handlers, onConnection })
    served.endpoint = { ...server.endpoint, host: advertisedHost ?? server.endpoint.host }
    served.storeHost = addressOnly(served.endpoint)
    try {
      const names = nameServer === undefined ? undefined : await listenForNames(options, nameServer.port)
      const own = names?.table
      const elsewhere = { servers: nameServers, tls: nameServerTls, onRegistration: options.onRegistration }
      const announcing = new Announcing({ served: broker.served, endpoint: served.endpoint, own, ...elsewhere })
      const started = announcing.start()
      await (options.signal === undefined ? started : Promise.race([started, fired(options.signal)]))
      return new BrokerServer({ server, names, announcing, served })
    } catch (error) {
      await server.close(0)
      throw error
    }
  }

  /** Where the broker listens, with the port that was taken. */
  get endpoint(): Endpoint {
    return this.#parts.server.endpoint
  }

  /** Where clients are told that the broker listens. */
  get advertisedEndpoint(): Endpoint {
    return this.#parts.served.endpoint ?? this.endpoint
  }

  /** Where the name server listens, if there is one. */
  get nameServerEndpoint(): Endpoint | undefined {
    return this.#parts.names?.server.endpoint
  }

  /** Leaves the name servers, answers what is in work, and closes. The broker stays open. May be called again. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { server, names, announcing, served } = this.#parts
    // First nobody is sent here any more.
    await announcing.close()
    await Promise.all([server.close(GRACE_MS), names?.server.close(GRACE_MS)])
    names?.table.close()
    served.endpoint = undefined
    served.storeHost = undefined
  }
}

/** Looks at what can be known to be wrong before anything is opened. @throws {RangeError} as {@link BrokerServer.listen} */
export function checkServing(options: BrokerServerOptions): void {
  const { host = LOCALHOST, advertisedHost, limits, nameServers = [] } = options
  if (advertisedHost === undefined && ANYWHERE.has(host))
    throw new RangeError(`clients cannot connect to ${host}: give advertisedHost, the address that they are told`)
  for (const address of nameServers) parseEndpoint(address)
  checkListening({ ...options, host })
  resolveLimits(limits)
}

/** What the port of the broker and that of the name server have in common. */
function shared({ host, tls, insecure, limits, onFault, onRefused }: BrokerServerOptions) {
  return {
    ...(host === undefined ? {} : { host }),
    ...(tls === undefined ? {} : { tls }),
    ...(insecure === undefined ? {} : { insecure }),
    ...(limits === undefined ? {} : { limits }),
    ...(onFault === undefined ? {} : { onFault }),
    ...(onRefused === undefined ? {} : { onRefused }),
  }
}

async function listenForNames(options: BrokerServerOptions, port: number) {
  const table = new NameServer()
  try {
    const server = await RemotingServer.listen({ ...shared(options), port, handlers: table.handlers })
    return { server, table }
  } catch (error) {
    table.close()
    throw error
  }
}

/** An endpoint as it stands in message ids, `undefined` when its host is a name. */
function addressOnly(endpoint: Endpoint): string | undefined {
  const text = endpointText(endpoint)
  try {
    parseHost(text)
    return text
  } catch {
    return undefined
  }
}
