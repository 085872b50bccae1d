/**
 * A broker behind RocketMQ's protocol, and a name server beside it: programs written for RocketMQ run against it
 * unchanged.
 *
 * Thin: a table from request code to one call of the broker. Rules about messages are in `lib/broker`.
 */
import type { Broker } from '../broker/broker.js'
import { consumeHandlers } from './commands/consume.js'
import type { ServedBroker } from './commands/entries.js'
import { tableOf } from './commands/entries.js'
import { produceHandlers } from './commands/produce.js'
import type { Connection } from './connection.js'
import type { Endpoint } from './endpoint.js'
import type { ServerLimits } from './limits.js'
import { NameServer } from './name-server/name-server.js'
import type { ServerTls } from './net.js'
import { RemotingServer } from './server.js'

/** Options of {@link BrokerServer.listen}. */
export interface BrokerServerOptions {
  /** Address to listen at. @default '127.0.0.1' */
  readonly host?: string
  /** Port of the broker; 0 takes a free one. @default 10911 */
  readonly port?: number
  /** A name server beside the broker, on a port of its own; 0 takes a free one. @default none */
  readonly nameServer?: { readonly port: number }
  /** The address that clients are told, if not the one listened at: `host`, without a port. */
  readonly advertisedHost?: string
  /** All connections must use TLS. */
  readonly tls?: ServerTls
  /** Listen without TLS where other machines can connect. @default false */
  readonly insecure?: boolean
  /** Limits other than the standard ones. */
  readonly limits?: Partial<ServerLimits>
  /** Told of what went wrong with a client. */
  readonly onFault?: (error: Error, connection: Connection) => void
}

/** How long a close waits for requests in work. */
const GRACE_MS = 5000

/** See the head of this file. */
export class BrokerServer implements AsyncDisposable {
  readonly #server: RemotingServer
  readonly #served: ServedBroker
  readonly #names: { readonly server: RemotingServer; readonly table: NameServer } | undefined

  private constructor(
    server: RemotingServer,
    served: ServedBroker,
    names: { readonly server: RemotingServer; readonly table: NameServer } | undefined,
  ) {
    this.#server = server
    this.#served = served
    this.#names = names
  }

  /**
   * Begins to listen for clients of a broker. Rejects when the port cannot be had.
   *
   * @throws {RangeError} when other machines could connect without TLS
   */
  static async listen(broker: Broker, options: BrokerServerOptions = {}): Promise<BrokerServer> {
    const { port = 10911, nameServer, host, tls, insecure, limits, onFault } = options
    const shared = {
      ...(host === undefined ? {} : { host }),
      ...(tls === undefined ? {} : { tls }),
      ...(insecure === undefined ? {} : { insecure }),
      ...(limits === undefined ? {} : { limits }),
      ...(onFault === undefined ? {} : { onFault }),
    }
    const served: ServedBroker = { broker, served: broker.served, endpoint: undefined }
    const handlers = tableOf([produceHandlers(served), consumeHandlers(served)])
    const server = await RemotingServer.listen({ ...shared, port, handlers })
    const { endpoint } = server
    served.endpoint = { ...endpoint, host: options.advertisedHost ?? endpoint.host }
    if (nameServer === undefined) return new BrokerServer(server, served, undefined)
    const table = new NameServer()
    const names = await RemotingServer.listen({ ...shared, port: nameServer.port, handlers: table.handlers })
    return new BrokerServer(server, served, { server: names, table })
  }

  /** Where the broker listens, with the port that was taken. */
  get endpoint(): Endpoint {
    return this.#server.endpoint
  }

  /** Where the name server listens, if there is one. */
  get nameServerEndpoint(): Endpoint | undefined {
    return this.#names?.server.endpoint
  }

  /** Answers what is in work, and closes. The broker stays open. */
  async close(): Promise<void> {
    await this.#server.close(GRACE_MS)
    await this.#names?.server.close(GRACE_MS)
    this.#names?.table.close()
    this.#served.endpoint = undefined
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
