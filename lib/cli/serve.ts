/** `mqlite serve DIR`: a broker and a name server for RocketMQ's clients, until it is told to stop. */
import { Broker } from '../broker/broker.js'
import { isSystemTopic } from '../broker/config/system-topics.js'
import { BrokerServer } from '../remoting/broker-server.js'
import { endpointText } from '../remoting/endpoint.js'
import { RemotingError } from '../remoting/errors.js'
import { type Command, type CommandInput, commonOptions, directoryOf, type ExitName, refuseMore, UsageError } from './command.js'
import { serveOptions, serveSettings } from './serve-settings.js'
import type { Terminal } from './terminal.js'

/** What the system refuses about a port, in words. */
const PORT_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'that needs more rights',
}
/** Topics that the start-up names; there may be thousands. */
const MOST_NAMED = 8

/** The command. */
export const serveCommand: Command = {
  summary: "serve RocketMQ's clients: a broker and a name server",
  help: `usage: mqlite serve DIR [options]

Opens DIR, which is made if it is not there, and serves it to RocketMQ's clients and tools until it
gets SIGTERM or SIGINT (Ctrl+C). Clients find it by the address of its name server. From 85 % of a
full disk on, the oldest segments are deleted though they have not expired.

  --topic NAME[:QUEUES]   make this topic; may be given several times
  --auto-create-topics    make a topic when the first message is sent to it
  --port N                port of the broker; 0 takes a free one (10911)
  --name-server-port N    port of the name server; 0 takes a free one (9876)
  --no-name-server        none of its own
  --name-servers A;B      register with these as well, host:port each
  --host ADDRESS          listen here (127.0.0.1)
  --advertised-host NAME  the address that clients are told, where it is another one
  --broker-name NAME      (mqlite)
  --cluster NAME          (DefaultCluster)
  --flush sync|async      acknowledge a message after it is on the disk, or before (async)
  --segment-bytes N       length of the files of the log, for a new directory (1 GiB)
  --pull-messages N       most messages in one answer to a consumer (32)
  --tls-key FILE --tls-cert FILE
                          all connections use TLS
  --insecure              listen without TLS where other machines can connect
  --json                  say where it listens as one JSON document

Each option may stand in the environment instead: MQLITE_PORT, MQLITE_TOPIC=a:4,b, and so on.`,
  options: { ...commonOptions, ...serveOptions },
  runsUntilStopped: true,
  run: serve,
}

async function serve(input: CommandInput): Promise<ExitName> {
  const directory = directoryOf(input)
  refuseMore(input, 1)
  const { terminal, values } = input
  const settings = serveSettings(input)
  const broker = await Broker.open(directory, settings.broker)
  try {
    broker.on('problem', ({ error, during }) =>
      terminal.problem(`${during}: ${error instanceof Error ? error.message : String(error)}`),
    )
    const server = await listen(broker, { ...settings.server, onFault: (error) => tellFault(terminal, error) })
    try {
      await (values['json'] === true ? terminal.json(documentOf(server, broker)) : greet(terminal, server, broker, directory))
      await stopped(terminal.signal)
      if (values['json'] !== true) await terminal.line('stopping: what is in work is answered')
    } finally {
      await server.close()
    }
  } finally {
    await broker.close()
  }
  if (values['json'] !== true) await terminal.line('stopped')
  return 'ok'
}

async function listen(broker: Broker, options: Parameters<typeof BrokerServer.listen>[1]): Promise<BrokerServer> {
  try {
    return await BrokerServer.listen(broker, options)
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    const { code, port } = error as { code?: string; port?: number }
    const why = PORT_FAULTS[code ?? '']
    if (why === undefined) throw error
    throw new UsageError(`port ${port ?? options?.port} cannot be had: ${why}`)
  }
}

/** Peers that send nonsense or go away are their own affair. */
function tellFault(terminal: Terminal, error: Error): void {
  if (!(error instanceof RemotingError)) terminal.problem(`a request failed: ${error.message}`)
}

function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

async function greet(terminal: Terminal, server: BrokerServer, broker: Broker, directory: string): Promise<void> {
  const { broker: at, nameServer, cluster, brokerName, topics } = documentOf(server, broker)
  const more = topics.length > MOST_NAMED ? `, and ${topics.length - MOST_NAMED} more` : ''
  const named = topics.slice(0, MOST_NAMED).map(({ topic, queues }) => `${topic} (${queues})`)
  const unknown = broker.served.base.options.autoCreateTopics ? 'others are made on first use' : 'others are refused'
  const { status } = broker.store
  await terminal.line(`${terminal.paint('bold', 'mqlite')} serves ${directory}`)
  await terminal.line(`  broker       ${at}  (${brokerName} of ${cluster})`)
  if (nameServer !== undefined) await terminal.line(`  name server  ${nameServer}  (clients: NAMESRV_ADDR=${nameServer})`)
  await terminal.line(`  topics       ${named.length === 0 ? 'none' : named.join(', ')}${more}; ${unknown}`)
  if (status !== 'open') terminal.problem(`the store is ${status}: messages are read, none is taken; see mqlite verify`)
  await terminal.line(terminal.paint('dim', '  Ctrl+C stops it'))
}

/** What it is and where it listens, for programs. */
function documentOf(server: BrokerServer, broker: Broker) {
  const { nameServerEndpoint, advertisedEndpoint } = server
  const { base, store } = broker.served
  return {
    broker: endpointText(advertisedEndpoint),
    ...(nameServerEndpoint === undefined ? {} : { nameServer: endpointText(nameServerEndpoint) }),
    brokerName: store.brokerName,
    cluster: base.options.clusterName,
    topics: broker.topics
      .list()
      .filter(({ topic }) => !isSystemTopic(topic))
      .map(({ topic, writeQueues }) => ({ topic, queues: writeQueues })),
  }
}
