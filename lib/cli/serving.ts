/**
 * A server from its start to its end. A signal may come at any time:
 *
 * ```
 *  while the log is read     opening is called off, as a crash would; the next start reads it again
 *  later, before it listens  what is open is closed; name servers are not waited for
 *  while it serves           it leaves the name servers, answers what is in work, closes
 * ```
 */
import { fired } from '../base/signals.js'
import { systemTimers } from '../base/system.js'
import { Broker } from '../broker/broker.js'
import { noDecoders } from '../broker/compression/optional-decoders.js'
import { isSystemTopic } from '../broker/config/system-topics.js'
import type { AuthSettings } from '../remoting/auth/settings.js'
import { BrokerServer } from '../remoting/broker-server.js'
import { type Endpoint, endpointText } from '../remoting/endpoint.js'
import { AclWatch } from './acl-watch.js'
import { UsageError } from './command.js'
import type { Log } from './log.js'
import { logBroker, logServer } from './serve-log.js'
import type { Watched } from './serve-pages.js'
import { portFault } from './serve-ports.js'
import type { ServeSettings } from './serve-settings.js'
import type { Terminal } from './terminal.js'

/** What a server runs with. */
export interface ServingOptions {
  readonly terminal: Terminal
  readonly log: Log
  readonly watched: Watched
  readonly settings: ServeSettings
  readonly directory: string
  /** How it says that it listens and that it ends. */
  readonly says: 'text' | 'document' | 'log'
  /** Where `/metrics` and `/health` are. */
  readonly pages: Endpoint | undefined
}

/** Topics that the start-up names; there may be thousands. */
const MOST_NAMED = 8
/** How often the log tells of a recovery that goes on. */
const PROGRESS_MS = 5000

/** See the head of this file. */
export class Serving {
  readonly #options: ServingOptions
  #toldAt: number

  constructor(options: ServingOptions) {
    this.#options = options
    this.#toldAt = options.terminal.clock.monotonic()
  }

  /** Serves until the signal. @throws what kept it from beginning, or from closing in order */
  async run(): Promise<void> {
    const { terminal, log, watched } = this.#options
    const { signal } = terminal
    const broker = await this.#open()
    if (broker !== undefined) {
      try {
        logBroker(log, broker)
        watched.opened(broker)
        if (!signal.aborted) await this.#serve(broker)
      } finally {
        watched.stopping()
        await broker.close()
      }
    }
    await this.#say('stopped')
  }

  async #open(): Promise<Broker | undefined> {
    const { settings, directory, terminal, watched } = this.#options
    const { signal } = terminal
    const bar = terminal.progress()
    const onProgress = (progress: { doneBytes: number; totalBytes: number }): void => {
      signal.throwIfAborted()
      watched.progress(progress)
      bar.show('opening', progress.doneBytes, progress.totalBytes)
      this.#tellProgress(progress)
    }
    try {
      const { store } = settings.broker
      if (signal.aborted) return undefined
      const options = { ...settings.broker, store: { ...store, onProgress } }
      // All who consume are elsewhere, and inflate what they get themselves.
      return await Broker.open(directory, options, { loadDecoders: () => Promise.resolve(noDecoders) })
    } catch (error) {
      if (signal.aborted && error === signal.reason) return undefined
      throw error
    } finally {
      bar.end()
    }
  }

  #tellProgress({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): void {
    const { log, terminal } = this.#options
    const now = terminal.clock.monotonic()
    if (now - this.#toldAt < PROGRESS_MS) return
    this.#toldAt = now
    log.tell('info', 'reading the log', { doneBytes, totalBytes })
  }

  async #serve(broker: Broker): Promise<void> {
    const { terminal, watched } = this.#options
    const server = await this.#listen(broker)
    const acl = this.#watchAcl(server)
    try {
      if (terminal.signal.aborted) return
      await this.#greet(server, broker)
      await fired(terminal.signal)
      watched.stopping()
      await this.#say('stopping: what is in work is answered')
    } finally {
      acl?.stop()
      await server.close()
    }
  }

  /** Whoever changes the ACL file need not start the server anew. */
  #watchAcl(server: BrokerServer): AclWatch | undefined {
    const { log, settings } = this.#options
    const { aclFile: path } = settings
    const { auth } = settings.server
    if (path === undefined || typeof auth !== 'object') return undefined
    const apply = (changed: AuthSettings): void => server.changeAuth(changed)
    return new AclWatch({ path, first: auth, apply, log, timers: systemTimers })
  }

  async #listen(broker: Broker): Promise<BrokerServer> {
    const { settings, log, terminal } = this.#options
    try {
      return await BrokerServer.listen(broker, { ...settings.server, ...logServer(log), signal: terminal.signal })
    } catch (error) {
      if (error instanceof RangeError) throw new UsageError(error.message)
      throw portFault(error, settings.server.port)
    }
  }

  async #say(what: string): Promise<void> {
    const { terminal, log, says } = this.#options
    if (says === 'text') await terminal.line(what)
    else log.tell('info', what)
  }

  async #greet(server: BrokerServer, broker: Broker): Promise<void> {
    const { terminal, log, says, pages } = this.#options
    const document = documentOf(server, broker, pages)
    const { status } = broker.store
    if (says === 'document') await terminal.json(document)
    else if (says === 'text') await this.#greetPeople(document, broker)
    else log.tell('info', 'listening', { ...document, topics: document.topics.length })
    if (status !== 'open') log.tell('error', 'messages are read, none is taken: see mqlite verify', { status })
  }

  async #greetPeople(document: ReturnType<typeof documentOf>, broker: Broker): Promise<void> {
    const { terminal, directory } = this.#options
    const { broker: at, nameServer, http, cluster, brokerName, topics } = document
    const more = topics.length > MOST_NAMED ? `, and ${topics.length - MOST_NAMED} more` : ''
    const named = topics.slice(0, MOST_NAMED).map(({ topic, queues }) => `${topic} (${queues})`)
    const unknown = broker.served.base.options.autoCreateTopics ? 'others are made on first use' : 'others are refused'
    await terminal.line(`${terminal.paint('bold', 'mqlite')} serves ${directory}`)
    await terminal.line(`  broker       ${at}  (${brokerName} of ${cluster})`)
    if (nameServer !== undefined) await terminal.line(`  name server  ${nameServer}  (clients: NAMESRV_ADDR=${nameServer})`)
    if (http !== undefined) await terminal.line(`  watched at   http://${http}/health and /metrics`)
    await terminal.line(`  topics       ${named.length === 0 ? 'none' : named.join(', ')}${more}; ${unknown}`)
    await terminal.line(terminal.paint('dim', '  Ctrl+C stops it'))
  }
}

/** What it is and where it listens, for programs. */
function documentOf(
  { nameServerEndpoint, advertisedEndpoint }: BrokerServer,
  { served, topics }: Broker,
  pages: Endpoint | undefined,
) {
  return {
    broker: endpointText(advertisedEndpoint),
    ...(nameServerEndpoint === undefined ? {} : { nameServer: endpointText(nameServerEndpoint) }),
    ...(pages === undefined ? {} : { http: endpointText(pages) }),
    brokerName: served.store.brokerName,
    cluster: served.base.options.clusterName,
    topics: topics
      .list()
      .filter(({ topic }) => !isSystemTopic(topic))
      .map(({ topic, writeQueues }) => ({ topic, queues: writeQueues })),
  }
}
