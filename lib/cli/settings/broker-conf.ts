/**
 * RocketMQ's `broker.conf`: a properties file of Java. Properties that have a counterpart become settings; those that
 * have none are named in a warning.
 */
import { shown } from '../../base/errors.js'
import { UsageError } from '../command.js'
import type { Given } from './given.js'
import { endpoints, hours } from './kinds.js'

/** Reads the text of a property; `undefined` when it means nothing here. */
type Reading = (text: string) => unknown

const asText: Reading = (text) => text
const asNumber: Reading = (text) => (/^-?[0-9]+$/.test(text) ? Number(text) : undefined)
const asFlag: Reading = (text) => (text === 'true' ? true : text === 'false' ? false : undefined)

function times(factor: number): Reading {
  return (text) => {
    const value = asNumber(text) as number | undefined
    return value === undefined ? undefined : value * factor
  }
}

function partOf(whole: number): Reading {
  return (text) => {
    const value = asNumber(text) as number | undefined
    return value === undefined ? undefined : value / whole
  }
}

function words(table: Readonly<Record<string, unknown>>): Reading {
  return (text) => (Object.hasOwn(table, text) ? table[text] : undefined)
}

/** Properties with the settings that they become. `docs/server.md` has them too. */
export const counterparts: Readonly<Record<string, readonly [name: string, read: Reading]>> = {
  brokerClusterName: ['clusterName', asText],
  brokerName: ['brokerName', asText],
  brokerIP1: ['advertisedHost', asText],
  listenPort: ['port', asNumber],
  bindAddress: ['host', asText],
  namesrvAddr: ['nameServers', endpoints.read],
  storePathRootDir: ['directory', asText],
  mappedFileSizeCommitLog: ['segmentBytes', asNumber],
  mappedFileSizeConsumeQueue: ['queueSegmentEntries', partOf(20)],
  maxHashSlotNum: ['index.slots', asNumber],
  maxIndexNum: ['index.entries', asNumber],
  messageIndexEnable: ['index.enabled', asFlag],
  maxMessageSize: ['maxMessageBytes', asNumber],
  flushDiskType: ['flush', words({ SYNC_FLUSH: 'sync', ASYNC_FLUSH: 'async' })],
  flushIntervalCommitLog: ['flushIntervalMs', asNumber],
  syncFlushTimeout: ['flushTimeoutMs', asNumber],
  fileReservedTime: ['retentionHours', asNumber],
  deleteWhen: ['deleteHour', hours.read],
  diskMaxUsedSpaceRatio: ['disk.cleanAt', partOf(100)],
  autoCreateTopicEnable: ['autoCreateTopics', asFlag],
  autoCreateSubscriptionGroup: ['autoCreateGroups', asFlag],
  defaultTopicQueueNums: ['defaultQueues', asNumber],
  enablePropertyFilter: ['sqlFilters', asFlag],
  maxTransferCountOnMessageInMemory: ['pullMessages', asNumber],
  messageDelayLevel: ['delayLevels', asText],
  timerMaxDelaySec: ['maxDelayMs', times(1000)],
  flushConsumerOffsetInterval: ['offsetIntervalMs', asNumber],
  flushDelayOffsetInterval: ['delayOffsetIntervalMs', asNumber],
  transactionCheckInterval: ['transactions.checkIntervalMs', asNumber],
  transactionTimeOut: ['transactions.timeoutMs', asNumber],
  transactionCheckMax: ['transactions.maxChecks', asNumber],
  serverChannelMaxIdleTimeSeconds: ['limits.idleMs', times(1000)],
  metricsPromExporterHost: ['http.host', asText],
}

/** Properties that mean what holds here in any case, if they have one of these values. */
const holding: Readonly<Record<string, RegExp>> = {
  brokerId: /^0$/,
  brokerRole: /^ASYNC_MASTER$/,
  transientStorePoolEnable: /^false$/,
  enableDLegerCommitLog: /^false$/,
  storeType: /^default$/,
}

/** Properties by which a broker lets in only whom it knows, in 4.9 and in 5.3. */
const PROTECTING: readonly string[] = ['aclEnable', 'authenticationEnabled', 'authorizationEnabled']

/** Where things are under the root in any case. */
const places: Readonly<Record<string, string>> = {
  storePathCommitLog: 'commitlog',
  storePathConsumeQueue: 'consumequeue',
  storePathIndex: 'index',
  storeCheckpoint: 'checkpoint',
  abortFile: 'abort',
}

/** RocketMQ's port for its metrics. */
const METRICS_PORT = '5557'

/** What a file says. */
export interface BrokerConf {
  readonly settings: ReadonlyMap<string, Given>
  readonly warnings: readonly string[]
  /** The property that wants an ACL, with its place. */
  readonly wantsAcl: string | undefined
}

/** Reads a `broker.conf`. @throws {UsageError} for a value that is none, and for a replica, which is not served */
export function readBrokerConf(path: string, text: string): BrokerConf {
  const settings = new Map<string, Given>()
  const properties = readProperties(text)
  const unused: string[] = []
  for (const [property, value] of properties) {
    const known = Object.hasOwn(counterparts, property) ? counterparts[property] : undefined
    if (known !== undefined) {
      const read = value === '' ? null : known[1](value)
      if (read === undefined) throw new UsageError(`${property} in ${path} cannot be ${shown(value)}`)
      if (read !== null) settings.set(known[0], { value: read, from: `${property} in ${path}` })
    } else if (!holds(property, value, properties)) unused.push(property)
  }
  if (properties.get('brokerRole') === 'SLAVE') throw new UsageError(`brokerRole in ${path} is SLAVE: replicas are not served`)
  // A broker of RocketMQ has no name server of its own.
  const names = settings.get('nameServers')
  if (names !== undefined) settings.set('nameServer.port', { value: null, from: names.from })
  if (properties.get('metricsExporterType') === 'PROM') {
    const port = asNumber(properties.get('metricsPromExporterPort') ?? METRICS_PORT)
    settings.set('http.port', { value: port, from: `metricsExporterType in ${path}` })
  }
  // Java reads `True` as true; whom an operator shuts out must not come in by a capital letter.
  const protecting = PROTECTING.find((property) => properties.get(property)?.toLowerCase() === 'true')
  const used = [...PROTECTING, 'metricsExporterType', 'metricsPromExporterPort']
  const named = unused.filter((property) => !used.includes(property)).sort()
  const warnings = named.length === 0 ? [] : [`${path}: these properties are not used: ${named.join(', ')}`]
  return { settings, warnings, wantsAcl: protecting === undefined ? undefined : `${protecting} in ${path}` }
}

/** Whether a property says what is so here in any case. */
function holds(property: string, value: string, properties: ReadonlyMap<string, string>): boolean {
  const root = properties.get('storePathRootDir')
  if (Object.hasOwn(places, property) && root !== undefined) return value === `${root.replace(/\/+$/, '')}/${places[property]}`
  return Object.hasOwn(holding, property) && holding[property]!.test(value)
}

/** Properties as `java.util.Properties` reads them. Of one that stands there twice the last counts. */
export function readProperties(text: string): Map<string, string> {
  const found = new Map<string, string>()
  const lines = text.split(/\r\n|[\r\n]/)
  for (let i = 0; i < lines.length; i++) {
    let line = lines[i]!.trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (/(?:^|[^\\])(?:\\\\)*\\$/.test(line)) line = line.slice(0, -1) + (lines[++i] ?? '').trimStart()
    const [, key = '', value = ''] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/.exec(line) ?? []
    // Java keeps spaces at the end; RocketMQ trims them.
    found.set(unescaped(key), unescaped(value).trim())
  }
  return found
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code: string | undefined, letter: string) =>
    code === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
