/**
 * A broker behind RocketMQ's protocol, and a name server beside it: programs written for RocketMQ run against it
 * unchanged.
 *
 * Thin: a table from request code to one call of the broker. Rules about messages are in `lib/broker`.
 */
import {
  checkBoolean,
  checkCallback,
  checkRequest,
  checkSignal,
  checkString,
  fieldNames,
  wholeBetween,
} from '../base/arguments.js'
import { shown } from '../base/errors.js'
import { fired } from '../base/signals.js'
import { TurnShare } from '../base/turn-share.js'
import { Broker } from '../broker/broker.js'
import { parseHost } from '../format/host.js'
import { Announcing } from './announcing.js'
import { addressTest } from './auth/address-pattern.js'
import { brokerRows } from './auth/broker-rows.js'
import { Guard, type Rows } from './auth/guard.js'
import { nameServerRows } from './auth/name-server-rows.js'
import { topicNeed } from './auth/needs.js'
import { CurrentPrincipals, type Principals, principalsOf } from './auth/principals.js'
import { type AccountLookup, type AuthSettings, readCredentials } from './auth/settings.js'
import type { Credentials } from './auth/signature.js'
import { administerHandlers } from './commands/administer.js'
import { consumeHandlers } from './commands/consume.js'
import type { ServedBroker } from './commands/entries.js'
import { tableOf } from './commands/entries.js'
import { produceHandlers } from './commands/produce.js'
import { ReadingTurns } from './commands/reading-turns.js'
import { transactionHandlers } from './commands/transactions.js'
import type { Connection } from './connection.js'
import { type Endpoint, endpointText, parseEndpoint } from './endpoint.js'
import type { HandlerTable } from './handling.js'
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
  /** Sign what those are told. */
  readonly nameServerCredentials?: Credentials
  /** The address that clients are told, if not the one listened at: `host`, without a port. */
  readonly advertisedHost?: string
  /** All connections must use TLS. */
  readonly tls?: ServerTls
  /**
   * Who may do what, or a function that finds the account of an access key: requests must then be signed, those to the
   * name server too, and what nobody allows is refused. @default everybody may do everything
   */
  readonly auth?: AuthSettings | AccountLookup
  /** Listen without TLS, or without `auth`, where other machines can connect. @default false */
  readonly insecure?: boolean
  /** When it fires, `listen` waits no longer for name servers elsewhere. The server goes on until it is closed. */
  readonly signal?: AbortSignal
  /** Limits other than the standard ones. */
  readonly limits?: Partial<ServerLimits>
  /**
   * Addresses behind which there are many clients, such as a proxy's or that of a NAT: one of them may have more connections
   * than `limits.maxConnectionsPerAddress`. As in RocketMQ's lists, such as `10.0.0.7`, `10.0.*.*` or `10.0.0.1-9`. @default none
   */
  readonly sharedAddresses?: readonly string[]
  /** Whether clients may filter with SQL. @default true */
  readonly sqlFilters?: boolean
  /**
   * Most messages in one answer to a pull, 1 to 4,096, and never more than 256 KiB of records.
   * (`maxTransferCountOnMessageInMemory`.) @default 32
   */
  readonly pullMessages?: number
  /** Told of each connection of a client, before its first request. */
  readonly onConnection?: (connection: Connection) => void
  /** Told of each request and each connection that was refused. May be called often when clients are hostile. */
  readonly onRefused?: (refused: Refused) => void
  /** Told what came of registering with each of `nameServers`, again and again. Failures are problems of the broker as well. */
  readonly onRegistration?: (result: { readonly server: string; readonly error?: Error }) => void
  /** Told of what went wrong with a client. */
  readonly onFault?: (error: Error, connection: Connection) => void
}

const known = fieldNames<keyof BrokerServerOptions>({
  host: true,
  port: true,
  nameServer: true,
  nameServers: true,
  nameServerTls: true,
  nameServerCredentials: true,
  advertisedHost: true,
  tls: true,
  auth: true,
  insecure: true,
  signal: true,
  limits: true,
  sharedAddresses: true,
  sqlFilters: true,
  pullMessages: true,
  onConnection: true,
  onRefused: true,
  onRegistration: true,
  onFault: true,
})

const nameServerFields = fieldNames<'port'>({ port: true })
const tlsFiles = { key: true, cert: true, ca: true } as const
const serverTlsFields = fieldNames<keyof ServerTls>({ ...tlsFiles, requireClientCertificate: true })
const clientTlsFields = fieldNames<keyof ClientTls>({ ...tlsFiles, serverName: true })

/** How long a close waits for requests in work. */
const GRACE_MS = 5000

const LOCALHOST = '127.0.0.1'
/** Addresses to listen at that nobody can connect to. */
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

const MOST_PULL_MESSAGES = 4096
const MOST_PORT = 65_535

/** What a server consists of. */
interface Parts {
  readonly server: RemotingServer
  readonly names: { readonly server: RemotingServer; readonly table: NameServer } | undefined
  readonly announcing: Announcing
  readonly served: ServedBroker
  readonly principals: Principals | undefined
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
   * @throws {RangeError} when other machines could connect without TLS or without being known, when clients could not be
   *   told an address, for a port or `pullMessages` out of range, and naming what cannot be in `auth`; {@link TypeError}
   *   likewise, and for an option that there is not; {@link BrokerError} `BROKER_CLOSED`
   */
  static async listen(broker: Broker, options: BrokerServerOptions = {}): Promise<BrokerServer> {
    checkServing(options)
    const { port = 10911, nameServer, auth } = options
    if (!(broker instanceof Broker)) throw new TypeError(`broker must be a Broker, got ${shown(broker)}`)
    const principals = typeof auth === 'object' ? new CurrentPrincipals(auth) : auth && principalsOf(auth)
    broker.served.base.checkOpen()
    const served = servedBroker(broker, principals)
    try {
      const server = await listenForClients(served, { ...options, port }, principals)
      try {
        const names = nameServer === undefined ? undefined : await listenForNames(options, nameServer.port, principals)
        const { endpoint = server.endpoint } = served
        const announcing = new Announcing({ served: broker.served, endpoint, own: names?.table, ...elsewhere(options) })
        served.queuesElsewhere = (topic) => announcing.elsewhere.of(topic)
        const started = announcing.start()
        await (options.signal === undefined ? started : Promise.race([started, fired(options.signal)]))
        return new BrokerServer({ server, names, announcing, served, principals })
      } catch (error) {
        await server.close(0)
        throw error
      }
    } catch (error) {
      endListening(served)
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

  /**
   * Says anew who may do what; it counts for each request that comes from now on, and for those that wait for a message.
   *
   * @throws {TypeError} when the server did not begin with an object `auth`; {@link TypeError} {@link RangeError} naming what
   *   cannot be, and then nothing changes
   */
  changeAuth(auth: AuthSettings): void {
    const { principals, served } = this.#parts
    if (!(principals instanceof CurrentPrincipals))
      throw new TypeError('auth can be changed only where it was given as an object')
    principals.become(auth)
    for (const tell of served.whenAuthChanges) tell()
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
    endListening(served)
    const { status } = served.broker.store
    if (status !== 'closing' && status !== 'closed') served.broker.store.standAt()
    served.endpoint = undefined
    served.storeHost = undefined
  }
}

/** Looks at what can be known to be wrong before anything is opened. @throws {RangeError} as {@link BrokerServer.listen} */
export function checkServing(options: BrokerServerOptions): void {
  checkRequest(options, known, 'the options object of a server')
  const { host = LOCALHOST, port = 0, nameServer, advertisedHost, limits, nameServers = [], pullMessages } = options
  wholeBetween('port', port, 0, MOST_PORT)
  checkTypes(options)
  if (nameServer !== undefined) {
    checkRequest(nameServer, nameServerFields, 'nameServer')
    wholeBetween('nameServer.port', nameServer.port, 0, MOST_PORT)
  }
  checkString('host', host)
  if (advertisedHost === undefined && ANYWHERE.has(host))
    throw new RangeError(`clients cannot connect to ${host}: give advertisedHost, the address that they are told`)
  for (const address of nameServers) parseEndpoint(address)
  checkListening({ ...options, host, isGuarded: options.auth !== undefined })
  resolveLimits(limits)
  if (pullMessages !== undefined) wholeBetween('pullMessages', pullMessages, 1, MOST_PULL_MESSAGES)
  for (const pattern of options.sharedAddresses ?? []) addressTest(pattern)
  if (options.auth !== undefined) principalsOf(options.auth)
  if (options.nameServerCredentials !== undefined) readCredentials(options.nameServerCredentials, 'nameServerCredentials')
}

/** @throws {TypeError} naming the option whose type is wrong */
function checkTypes(options: BrokerServerOptions): void {
  const { nameServers = [], sharedAddresses = [], advertisedHost, insecure, sqlFilters, signal, tls, nameServerTls } = options
  if (advertisedHost !== undefined) checkString('advertisedHost', advertisedHost)
  if (insecure !== undefined) checkBoolean('insecure', insecure)
  if (sqlFilters !== undefined) checkBoolean('sqlFilters', sqlFilters)
  checkSignal(signal)
  for (const name of ['onConnection', 'onRefused', 'onRegistration', 'onFault'] as const) checkCallback(name, options[name])
  for (const [name, value] of Object.entries({ nameServers, sharedAddresses })) {
    if (!Array.isArray(value)) throw new TypeError(`${name} must be an array, got ${shown(value)}`)
  }
  if (tls !== undefined) checkRequest(tls, serverTlsFields, 'tls')
  if (nameServerTls !== undefined) checkRequest(nameServerTls, clientTlsFields, 'nameServerTls')
}

/** The name servers that others run, as those who register want them. */
function elsewhere({ nameServers: servers = [], nameServerTls: tls, ...rest }: BrokerServerOptions) {
  return { servers, tls, credentials: rest.nameServerCredentials, onRegistration: rest.onRegistration }
}

/** What the port of the broker and that of the name server have in common. */
function shared({ host, tls, insecure, limits, sharedAddresses, onFault, onRefused }: BrokerServerOptions) {
  return {
    ...(host === undefined ? {} : { host }),
    ...(tls === undefined ? {} : { tls }),
    ...(insecure === undefined ? {} : { insecure }),
    ...(limits === undefined ? {} : { limits }),
    ...(sharedAddresses === undefined ? {} : { sharedAddresses }),
    ...(onFault === undefined ? {} : { onFault }),
    ...(onRefused === undefined ? {} : { onRefused }),
  }
}

function servedBroker(broker: Broker, principals: Principals | undefined): ServedBroker {
  const { served } = broker
  const { clock, timers } = served.base.ports
  const turns = new ReadingTurns(clock, timers)
  const listedAuth = () => (principals instanceof CurrentPrincipals ? principals.settings : undefined)
  const unasked = { mayHear: () => true, speaker: () => undefined, refusalNow: () => undefined, whenAuthChanges: [], listedAuth }
  const queuesElsewhere = () => Promise.resolve([])
  const unknown = { endpoint: undefined, storeHost: undefined, queuesElsewhere, connections: new Map(), endListening: [] }
  return { broker, served, turns, looking: new TurnShare(clock, timers), ...unasked, ...unknown }
}

function endListening({ endListening: all }: ServedBroker): void {
  for (const end of all.splice(0)) end()
}

/** Listens at the port of the broker, and notes where clients are told that it does. */
async function listenForClients(
  served: ServedBroker,
  options: BrokerServerOptions & { readonly port: number },
  principals: Principals | undefined,
): Promise<RemotingServer> {
  const { port, advertisedHost, sqlFilters, pullMessages } = options
  const { connections, broker } = served
  const handlers = tableOf([
    produceHandlers(served),
    transactionHandlers(served),
    consumeHandlers(served, sqlFilters, pullMessages),
    administerHandlers(served),
  ])
  const onConnection = (connection: Connection): void => {
    const address = endpointText(connection.remote)
    connections.set(address, connection)
    connection.onClose(() => {
      // Of two to different addresses of this machine, the other one may have it now.
      if (connections.get(address) === connection) connections.delete(address)
    })
    options.onConnection?.(connection)
  }
  const guard = guardOf(principals, brokerRows(broker.served.store), handlers)
  // Whose group it is, everybody may say: only who may send to the topic sees what was sent.
  served.refusalNow = (command, from) => guard.guard?.refusalNow(command, from)
  served.speaker = (from) => guard.guard?.speaker(from)
  served.mayHear = (to, topic) => guard.guard?.mayHear(to, topicNeed(topic, 'Pub')) ?? true
  const server = await RemotingServer.listen({ ...shared(options), ...guard, port, handlers, onConnection })
  served.endpoint = { ...server.endpoint, host: advertisedHost ?? server.endpoint.host }
  served.storeHost = addressOnly(served.endpoint)
  // What this process sends, retries and delays comes from here too: clients give messages back to where they came from.
  broker.store.standAt(served.storeHost)
  return server
}

function guardOf(principals: Principals | undefined, rows: Rows, handlers: HandlerTable): { guard?: Guard } {
  return principals === undefined ? {} : { guard: new Guard(principals, rows, handlers.keys()) }
}

async function listenForNames(options: BrokerServerOptions, port: number, principals: Principals | undefined) {
  const table = new NameServer()
  try {
    const guard = guardOf(principals, nameServerRows, table.handlers)
    const server = await RemotingServer.listen({ ...shared(options), ...guard, port, handlers: table.handlers })
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
