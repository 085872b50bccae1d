/** What `mqlite serve` is told: by options, and where these are silent by variables of the environment. */
import { shown } from '../base/errors.js'
import type { BrokerOptions } from '../broker/broker-options.js'
import type { TopicSettings } from '../broker/config/topic-config.js'
import { nodeDisk } from '../disk/node-disk.js'
import { readWhole } from '../disk/replace.js'
import type { BrokerServerOptions } from '../remoting/broker-server.js'
import { type CommandInput, numberOption, type OptionValues, optionalNumber, textOption, UsageError } from './command.js'

/** The options, as `parseArgs` wants them. */
export const serveOptions = {
  host: { type: 'string' },
  port: { type: 'string' },
  'name-server-port': { type: 'string' },
  'no-name-server': { type: 'boolean' },
  'name-servers': { type: 'string' },
  'advertised-host': { type: 'string' },
  'broker-name': { type: 'string' },
  cluster: { type: 'string' },
  topic: { type: 'string', multiple: true },
  'auto-create-topics': { type: 'boolean' },
  flush: { type: 'string' },
  'segment-bytes': { type: 'string' },
  'pull-messages': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-cert': { type: 'string' },
  insecure: { type: 'boolean' },
} as const

/** From here on segments are deleted before they expire: a server is not watched. */
const FORCE_AT = 0.85
/** Ports of RocketMQ. */
const BROKER_PORT = 10911
const NAME_SERVER_PORT = 9876
const MAX_PORT = 65_535

/** What to open and how to listen. */
export interface ServeSettings {
  readonly broker: BrokerOptions
  readonly server: BrokerServerOptions
}

/** Options with those that are not given taken from the environment: `--name-server-port` from `MQLITE_NAME_SERVER_PORT`. */
export function withEnvironment(values: OptionValues, environment: Readonly<Record<string, string | undefined>>): OptionValues {
  const all: Record<string, OptionValues[string]> = { ...values }
  for (const [name, { type }] of Object.entries(serveOptions)) {
    const variable = variableOf(name)
    const text = environment[variable]
    if (values[name] !== undefined || text === undefined || text === '') continue
    if (type === 'boolean') all[name] = flagOf(variable, text)
    else all[name] = name === 'topic' ? text.split(',').map((one) => one.trim()) : text
  }
  return all
}

/** The variable that stands for an option. */
export function variableOf(option: string): string {
  return `MQLITE_${option.toUpperCase().replaceAll('-', '_')}`
}

function flagOf(variable: string, text: string): boolean {
  if (/^(?:true|1|yes)$/i.test(text)) return true
  if (/^(?:false|0|no)$/i.test(text)) return false
  throw new UsageError(`${variable} must be true or false, got ${shown(text)}`)
}

/** Reads the settings. @throws {UsageError} naming the option that cannot be */
export function serveSettings({ values: given, terminal }: Pick<CommandInput, 'values' | 'terminal'>): ServeSettings {
  const values = withEnvironment(given, terminal.environment)
  const port = numberOption(values, 'port', BROKER_PORT, 0, MAX_PORT)
  const namesPort = numberOption(values, 'name-server-port', NAME_SERVER_PORT, 0, MAX_PORT)
  const names = textOption(values, 'name-servers')?.split(/[;,]/)
  const texts = {
    host: textOption(values, 'host'),
    advertisedHost: textOption(values, 'advertised-host'),
    nameServers: names?.map((one) => one.trim()).filter((one) => one !== ''),
    tls: tlsOf(values),
    nameServer: values['no-name-server'] === true ? undefined : { port: namesPort },
    pullMessages: optionalNumber(values, 'pull-messages', 1),
  }
  return {
    broker: {
      topics: topicsOf(values),
      autoCreateTopics: values['auto-create-topics'] === true,
      ...defined({ clusterName: textOption(values, 'cluster') }),
      store: {
        disk: { forceAt: FORCE_AT },
        ...defined({
          brokerName: textOption(values, 'broker-name'),
          flush: flushOf(values),
          segmentBytes: optionalNumber(values, 'segment-bytes', 4096),
        }),
      },
    },
    server: { port, insecure: values['insecure'] === true, ...defined(texts) },
  }
}

type Defined<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> }

function defined<Fields extends object>(fields: Fields): Defined<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>
}

function topicsOf({ topic }: OptionValues): Record<string, TopicSettings> {
  const topics: Record<string, TopicSettings> = {}
  for (const text of Array.isArray(topic) ? topic : []) {
    const [, name, queues] = /^([^:]+)(?::([0-9]{1,5}))?$/.exec(String(text)) ?? []
    if (name === undefined) throw new UsageError(`--topic must be a name, or name:queues, got ${shown(text)}`)
    topics[name] = queues === undefined ? {} : { queues: Number(queues) }
  }
  return topics
}

function flushOf(values: OptionValues): 'sync' | 'async' | undefined {
  const flush = textOption(values, 'flush')
  if (flush === undefined || flush === 'sync' || flush === 'async') return flush
  throw new UsageError(`--flush must be sync or async, got ${shown(flush)}`)
}

function tlsOf(values: OptionValues): BrokerServerOptions['tls'] {
  const [key, cert] = [textOption(values, 'tls-key'), textOption(values, 'tls-cert')]
  if (key === undefined && cert === undefined) return undefined
  if (key === undefined || cert === undefined) throw new UsageError('--tls-key and --tls-cert belong together')
  return { key: fileAt(key), cert: fileAt(cert) }
}

function fileAt(path: string): Buffer {
  const bytes = readWhole(nodeDisk, path)
  if (bytes === undefined) throw new UsageError(`there is no file ${path}`)
  return bytes
}
