/**
 * Makes a broker known: to the name server beside it at once with every change of a topic, and to name servers
 * elsewhere at the start, with every change, and every 30 s.
 */
import { TEMPLATE_TOPIC } from '../broker/config/system-topics.js'
import type { TopicConfig } from '../broker/config/topic-config.js'
import type { ServedParts } from '../broker/serving/served.js'
import type { Credentials } from './auth/signature.js'
import { RemotingClient } from './client.js'
import { type Endpoint, endpointText } from './endpoint.js'
import { ClusterQueues } from './name-server/cluster-queues.js'
import type { NameServer } from './name-server/name-server.js'
import { NameServerClient, type RegistrationResult } from './name-server/name-server-client.js'
import type { DataVersion, QueueData } from './name-server/route-state.js'
import type { ClientTls } from './net.js'

/** What there is to announce, and to whom. */
export interface AnnouncingOptions {
  readonly served: ServedParts
  /** Where clients reach the broker. */
  readonly endpoint: Endpoint
  /** The name server of this process. */
  readonly own?: NameServer | undefined
  /** Name servers elsewhere, `host:port`. */
  readonly servers: readonly string[]
  /** Told what came of each registration. */
  readonly onRegistration?: ((result: Pick<RegistrationResult, 'server' | 'error'>) => void) | undefined
  /** Talk to those over TLS. */
  readonly tls?: ClientTls | undefined
  /** Sign what those are told. */
  readonly credentials?: Credentials | undefined
}

const PRIMARY = 0

/** See the head of this file. */
export class Announcing {
  /** Where else in the cluster topics are, as the name servers say that this broker is known to. */
  readonly elsewhere: ClusterQueues
  readonly #options: AnnouncingOptions
  readonly #startedAt: number
  readonly #client: RemotingClient
  readonly #nameServers: NameServerClient | undefined
  #stopListening: (() => void) | undefined
  /** Whether name servers elsewhere are being told, and whether there is news since. */
  #isTelling = false
  #hasNews = false

  constructor(options: AnnouncingOptions) {
    this.#options = options
    const { served, servers, tls, credentials } = options
    const { clock, timers } = served.base.ports
    this.#startedAt = clock.now()
    this.#client = new RemotingClient({
      ...(tls === undefined ? {} : { tls }),
      ...(credentials === undefined ? {} : { credentials }),
    })
    this.elsewhere = new ClusterQueues({
      brokerName: served.store.brokerName,
      own: options.own?.routes.state,
      servers,
      client: this.#client,
      clock,
      onProblem: served.base.onProblem,
    })
    if (servers.length === 0) return
    this.#nameServers = new NameServerClient({
      client: this.#client,
      servers,
      broker: this.#name,
      topics: () => ({ dataVersion: this.#version, topics: this.#topics.map((one) => ({ ...entryOf(one), topic: one.topic })) }),
      onResult: ({ server, error }) => {
        options.onRegistration?.(error === undefined ? { server } : { server, error })
        if (error !== undefined) served.base.onProblem(error, `registering with the name server ${server}`)
      },
      timers,
    })
  }

  /** Makes the broker known. Resolves when each name server elsewhere has answered, or failed to. */
  async start(): Promise<void> {
    this.#tellOwn(this.#topics)
    this.#stopListening = this.#options.served.topics.onChange((topic) => this.#onChange(topic))
    await this.#nameServers?.start()
  }

  /** Takes the broker out of all name servers. */
  async close(): Promise<void> {
    this.#stopListening?.()
    this.#options.own?.routes.unregister(this.#name)
    await this.#nameServers?.close()
    await this.#client.close()
  }

  get #name() {
    const { endpoint, served } = this.#options
    const { host, port } = endpoint
    return {
      cluster: served.base.options.clusterName,
      brokerName: served.store.brokerName,
      brokerId: PRIMARY,
      address: endpointText(endpoint),
      haAddress: endpointText({ host, port: port + 1 }),
    }
  }

  get #topics(): readonly TopicConfig[] {
    const { base, topics } = this.#options.served
    const all = topics.list({ system: true })
    // Clients believe that every topic can be made whose template is known.
    return base.options.autoCreateTopics ? all : all.filter(({ topic }) => topic !== TEMPLATE_TOPIC)
  }

  /** A broker that starts anew may have other topics of the system, though no topic was changed. */
  get #version(): DataVersion {
    const { version } = this.#options.served.topics
    return { ...version, timestamp: Math.max(version.timestamp, this.#startedAt) }
  }

  #onChange(topic: string): void {
    const config = this.#options.served.topics.find(topic)
    if (config === undefined) this.#options.own?.routes.dropTopic(topic, this.#name.brokerName)
    this.#tellOwn(config === undefined ? [] : [config])
    this.#hasNews = true
    if (!this.#isTelling) void this.#tellElsewhere()
  }

  /** What is not among the topics stays as it was. */
  #tellOwn(topics: readonly TopicConfig[]): void {
    const { own } = this.#options
    own?.routes.register(
      {
        ...this.#name,
        dataVersion: this.#version,
        timeoutMs: Number.POSITIVE_INFINITY,
        topics: new Map(topics.map((one) => [one.topic, entryOf(one)])),
      },
      own.now(),
    )
  }

  /** However many topics change meanwhile, they are told together. */
  async #tellElsewhere(): Promise<void> {
    this.#isTelling = true
    while (this.#hasNews) {
      this.#hasNews = false
      await this.#nameServers?.register()
    }
    this.#isTelling = false
  }
}

function entryOf({ readQueues, writeQueues, permission, sysFlag }: TopicConfig): QueueData {
  return { readQueueNums: readQueues, writeQueueNums: writeQueues, perm: permission, topicSysFlag: sysFlag }
}
