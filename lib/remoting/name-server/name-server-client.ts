/**
 * Keeps a broker known to name servers, so that clients of the cluster find it.
 *
 * Every server is told at the start, then every 30 s, and whenever the caller says that topics have changed. Each is
 * told on its own: one that is away costs the others nothing. The connections stay open, because a name server takes
 * the end of one for the end of the broker.
 */
import { systemTimers, type Timer, type Timers } from '../../base/system.js'
import type { RemotingClient } from '../client.js'
import { nameServerRequests, responseCodes } from '../codes.js'
import { type Command, request } from '../command.js'
import { RemotingError } from '../errors.js'
import { encodeRegistration, type TopicEntry } from './registration.js'
import type { DataVersion } from './route-state.js'
import type { Registered, ServerName } from './route-table.js'

/** Who is registered. */
export interface RegisteredBroker extends ServerName {
  /** Where replicas connect. */
  readonly haAddress: string
}

/** The topics of a broker at one moment. */
export interface BrokerTopics {
  /** Another one than last time whenever a topic has changed, and after each start of the broker. */
  readonly dataVersion: DataVersion
  /** A name server of release 5 refuses a broker that first comes with a single topic. */
  readonly topics: readonly TopicEntry[]
}

/** What came of telling one name server. */
export interface RegistrationResult extends Registered {
  readonly server: string
  /** `undefined` when it was told. */
  readonly error?: Error
}

/** Whom to tell what. */
export interface NameServerClientOptions {
  /** Carries the requests; it stays open when this is closed. */
  readonly client: RemotingClient
  /** Addresses, `host:port`. */
  readonly servers: readonly string[]
  readonly broker: RegisteredBroker
  /** Asked each time. */
  readonly topics: () => BrokerTopics
  /** Time between two registrations. @default 30 s */
  readonly intervalMs?: number
  /** How long a name server may take. @default 6 s */
  readonly timeoutMs?: number
  /** Told what came of each registration. */
  readonly onResult?: (result: RegistrationResult) => void
  /** @default this process's */
  readonly timers?: Timers
}

/** Whoever closes waits no longer: a name server that is not told sees the connection end. */
const LEAVE_MS = 2000

/** See the head of this file. */
export class NameServerClient {
  readonly #options: NameServerClientOptions
  readonly #timers: Timers
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: NameServerClientOptions) {
    this.#options = options
    this.#timers = options.timers ?? systemTimers
  }

  /** Tells all name servers now, and again from now on. Resolves when each has answered or failed. */
  async start(): Promise<readonly RegistrationResult[]> {
    this.#again()
    return this.register()
  }

  /** Tells all name servers now, since topics have changed. Resolves when each has answered or failed. */
  register(): Promise<readonly RegistrationResult[]> {
    return Promise.all(this.#options.servers.map((server) => this.#tell(server)))
  }

  /** Stops telling, and takes the broker out of all name servers that can be reached. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    const { servers, broker } = this.#options
    const { brokerName, address, cluster, brokerId } = broker
    const ext = { brokerName, brokerAddr: address, clusterName: cluster, brokerId }
    const command = request(nameServerRequests.UNREGISTER_BROKER, { ext })
    await Promise.allSettled(servers.map((server) => this.#ask(server, command, LEAVE_MS)))
  }

  #again(): void {
    const { intervalMs = 30_000 } = this.#options
    this.#timer = this.#timers.after(intervalMs, () => {
      this.#again()
      void this.register()
    })
  }

  async #tell(server: string): Promise<RegistrationResult> {
    const { broker, topics, onResult } = this.#options
    let result: RegistrationResult
    try {
      const { extFields } = await this.#ask(server, encodeRegistration({ ...broker, ...topics() }))
      const { masterAddr: primaryAddress, haServerAddr: haAddress } = extFields as { masterAddr?: string; haServerAddr?: string }
      result = {
        server,
        ...(primaryAddress === undefined ? {} : { primaryAddress }),
        ...(haAddress === undefined ? {} : { haAddress }),
      }
    } catch (error) {
      result = { server, error: error instanceof Error ? error : new Error(String(error)) }
    }
    onResult?.(result)
    return result
  }

  async #ask(server: string, command: Command, mostMs = Number.POSITIVE_INFINITY): Promise<Command> {
    const { client } = this.#options
    const timeoutMs = Math.min(mostMs, this.#options.timeoutMs ?? 6000)
    const response = await client.invoke(server, command, timeoutMs)
    const { code, remark } = response
    if (code === responseCodes.SUCCESS) return response
    throw new RemotingError('REMOTING_REFUSED', `${server} answered ${code}: ${remark ?? ''}`, { details: { code, remark } })
  }
}
