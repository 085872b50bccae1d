/**
 * Everything that `mqlite serve` can be told. A setting more is a row more: its flag, its variable, its place in the
 * configuration file and its line of help come of the row. Ports and shares have RocketMQ's defaults.
 */
import {
  addressPatterns,
  bytes,
  choice,
  endpoints,
  hours,
  names,
  number,
  onOff,
  path,
  port,
  share,
  table,
  text,
  topics,
  whole,
} from './kinds.js'
import { limitSettings } from './limits-table.js'
import type { Section, Setting } from './setting.js'

const GIB = 2 ** 30
const MIB = 2 ** 20
/** A day more than any timer can wait. */
const MOST_MS = 0x7fffffff
const ms = whole('MS', 1, MOST_MS)
const count = whole('N', 0, Number.MAX_SAFE_INTEGER)
const host = text('HOST')

const sources: readonly Setting[] = [
  { name: 'config', part: 'command', kind: path, only: 'line', meaning: 'read settings from this file, an object of JSON' },
  { name: 'brokerConf', part: 'command', kind: path, only: 'line', meaning: "read RocketMQ's broker.conf" },
  { name: 'directory', part: 'command', kind: path, meaning: 'the directory, where it is not given as DIR' },
]

const served: readonly Setting[] = [
  { name: 'topics', flag: 'topic', part: 'broker', kind: topics, preset: {}, repeats: true, meaning: 'make these topics' },
  { name: 'groups', part: 'broker', kind: table, preset: {}, only: 'file', meaning: 'make these consumer groups' },
  { name: 'autoCreateTopics', part: 'broker', kind: onOff, preset: false, meaning: 'make a topic when it is first sent to' },
  { name: 'autoCreateGroups', part: 'broker', kind: onOff, preset: true, meaning: 'make a group when it first consumes' },
  { name: 'defaultQueues', part: 'broker', kind: whole('N', 1, 65_536), preset: 4, meaning: 'queues of a topic' },
  { name: 'sqlFilters', part: 'server', kind: onOff, preset: true, meaning: 'clients may filter with SQL' },
  {
    name: 'pullMessages',
    part: 'server',
    kind: whole('N', 1, 4096),
    preset: 32,
    meaning: 'most messages in one answer to a pull',
  },
  { name: 'brokerName', part: 'store', kind: text('NAME'), preset: 'mqlite', meaning: 'name of the broker' },
  { name: 'clusterName', flag: 'cluster', part: 'broker', kind: text('NAME'), preset: 'DefaultCluster', meaning: 'its cluster' },
]

const addresses: readonly Setting[] = [
  { name: 'host', part: 'server', kind: host, preset: '127.0.0.1', meaning: 'listen here' },
  { name: 'port', part: 'server', kind: port, preset: 10911, meaning: 'port of the broker; 0 takes a free one' },
  {
    ...{ name: 'nameServer.port', part: 'server', kind: port, preset: 9876, mayBeOff: true, offFlag: 'no-name-server' },
    meaning: 'port of the name server; 0 takes a free one',
  },
  { name: 'nameServers', part: 'server', kind: endpoints, preset: [], meaning: 'register with these name servers as well' },
  { name: 'advertisedHost', part: 'server', kind: host, presetText: 'the host', meaning: 'the address that clients are told' },
  { name: 'storeHost', part: 'store', kind: text('IP:PORT'), preset: '127.0.0.1:10911', meaning: 'the address in message ids' },
]

const protection: readonly Setting[] = [
  { name: 'tls.key', part: 'server', kind: path, meaning: 'private key, PEM: all connections use TLS' },
  { name: 'tls.cert', part: 'server', kind: path, meaning: 'its certificate, with the chain behind it' },
  { name: 'tls.ca', part: 'server', kind: path, meaning: "authorities of clients' certificates" },
  {
    ...{ name: 'tls.requireClientCertificate', part: 'server', kind: onOff, presetText: 'false' },
    meaning: 'refuse clients without a certificate that those signed',
  },
  { name: 'nameServerTls.ca', part: 'server', kind: path, meaning: 'use TLS with name servers elsewhere; their authority' },
  { name: 'nameServerTls.key', part: 'server', kind: path, meaning: 'key of the certificate that they are shown' },
  { name: 'nameServerTls.cert', part: 'server', kind: path, meaning: 'the certificate that they are shown' },
  { name: 'nameServerTls.serverName', part: 'server', kind: text('NAME'), meaning: 'the name that their certificate has' },
  { name: 'nameServerCredentials', part: 'server', kind: path, meaning: 'sign what they are told, JSON: an access key' },
  { name: 'auth', flag: 'acl', part: 'server', kind: path, meaning: 'who may do what, as JSON; requests must then be signed' },
  {
    name: 'insecure',
    part: 'server',
    kind: onOff,
    preset: false,
    meaning: 'listen without TLS, or without knowing who sends, where other machines can connect',
  },
  {
    name: 'sharedAddresses',
    part: 'server',
    kind: addressPatterns,
    preset: [],
    meaning: 'many clients are behind these: no limit of connections per address',
  },
]

const durability: readonly Setting[] = [
  {
    ...{ name: 'flush', part: 'store', kind: choice('sync', 'async'), preset: 'async' },
    meaning: 'acknowledge a message when it is on the disk, or before',
  },
  { name: 'flushIntervalMs', part: 'store', kind: ms, preset: 500, meaning: 'async: how much a power failure may cost' },
  { name: 'flushTimeoutMs', part: 'store', kind: ms, preset: 5000, meaning: 'sync: FLUSH_DISK_TIMEOUT after so long' },
  { name: 'checksum', part: 'store', kind: choice('record', 'body'), preset: 'record', meaning: 'what CRCs cover' },
  { name: 'verifyReads', part: 'store', kind: onOff, preset: true, meaning: 'check what is read' },
]

const sizes: readonly Setting[] = [
  { name: 'segmentBytes', part: 'store', kind: bytes(1024, 2 ** 31 - 1), presetText: '1 GiB', meaning: 'a file of the log' },
  { name: 'queueSegmentEntries', part: 'store', kind: count, presetText: '300000', meaning: 'entries of a file of a queue' },
  { name: 'index.enabled', part: 'store', kind: onOff, preset: true, meaning: 'messages are found by key' },
  { name: 'index.slots', part: 'store', kind: count, presetText: '5000000', meaning: 'slots of an index file' },
  { name: 'index.entries', part: 'store', kind: count, presetText: '20000000', meaning: 'entries of an index file' },
  { name: 'maxMessageBytes', part: 'store', kind: bytes(1, GIB), preset: 4 * MIB, meaning: 'largest body' },
  { name: 'maxInflatedBytes', part: 'broker', kind: bytes(1, 2 ** 31 - 1), preset: 16 * MIB, meaning: 'the same inflated' },
  { name: 'maxUnflushedBytes', part: 'store', kind: bytes(4096, 16 * GIB), preset: 128 * MIB, meaning: 'most not on the disk' },
  { name: 'maxPendingBytes', part: 'store', kind: bytes(4096, 16 * GIB), preset: 64 * MIB, meaning: 'most not acknowledged' },
  { name: 'readCacheBytes', part: 'store', kind: bytes(0, 16 * GIB), preset: 16 * MIB, meaning: 'memory for what was read' },
  { name: 'tailBytes', part: 'store', kind: bytes(0, GIB), preset: 4 * MIB, meaning: 'memory for the newest bytes' },
  { name: 'openFiles', part: 'store', kind: whole('N', 16, 1_000_000), preset: 512, meaning: 'most files open at once' },
]

const retention: readonly Setting[] = [
  { name: 'retentionHours', part: 'store', kind: number('HOURS', 0, 876_000), preset: 72, meaning: 'segments are kept so long' },
  { name: 'deleteHour', part: 'store', kind: hours, preset: 4, meaning: 'local hour in which they are deleted' },
  { name: 'disk.cleanAt', part: 'store', kind: share, preset: 0.75, meaning: 'full so far: expired ones go at any hour' },
  {
    ...{ name: 'disk.forceAt', part: 'store', kind: share, preset: 0.85, mayBeOff: true },
    meaning: 'full so far: the oldest go though they have not expired',
  },
  { name: 'disk.refuseAt', part: 'store', kind: share, preset: 0.9, meaning: 'full so far: messages are refused' },
]

const delivery: readonly Setting[] = [
  { name: 'delayLevels', part: 'store', kind: text('LEVELS', /\S/, 'levels such as 1s 5s 10m'), meaning: 'the delay levels' },
  { name: 'maxDelayMs', part: 'broker', kind: whole('MS', 1, 3_456_000_000), preset: 3_456_000_000, meaning: 'longest delay' },
  { name: 'offsetIntervalMs', part: 'broker', kind: ms, preset: 5000, meaning: "time between writes of groups' offsets" },
  { name: 'delayOffsetIntervalMs', part: 'broker', kind: ms, preset: 10_000, meaning: 'the same of delays' },
  { name: 'backlog.maxMessages', part: 'broker', kind: count, preset: null, mayBeOff: true, meaning: 'most unread in a topic' },
  {
    ...{ name: 'backlog.whenFull', part: 'broker', kind: choice('reject', 'wait'), presetText: 'reject' },
    meaning: 'what a send does then',
  },
  { name: 'transactions.checkIntervalMs', part: 'broker', kind: ms, preset: 30_000, meaning: 'time between questions' },
  { name: 'transactions.timeoutMs', part: 'broker', kind: ms, preset: 6000, meaning: 'nobody is asked before' },
  { name: 'transactions.maxChecks', part: 'broker', kind: whole('N', 1, 1000), preset: 15, meaning: 'most questions' },
  { name: 'idempotence.windowMs', part: 'broker', kind: count, preset: 600_000, meaning: 'a key is refused for so long' },
  { name: 'idempotence.maxKeys', part: 'broker', kind: count, preset: 100_000, meaning: 'most keys in memory' },
  { name: 'quotas.maxTopics', part: 'broker', kind: count, preset: null, mayBeOff: true, meaning: 'most topics' },
  { name: 'quotas.maxQueues', part: 'broker', kind: count, preset: null, mayBeOff: true, meaning: 'most queues of all topics' },
  { name: 'quotas.maxGroups', part: 'broker', kind: count, preset: null, mayBeOff: true, meaning: 'most consumer groups' },
]

const watching: readonly Setting[] = [
  {
    ...{ name: 'log.format', flag: 'log', part: 'command', kind: choice('auto', 'text', 'json'), preset: 'auto' },
    meaning: 'lines of the log, on standard error; auto: text on a terminal, else json',
  },
  {
    ...{ name: 'log.level', part: 'command', kind: choice('error', 'warn', 'info', 'debug'), preset: 'info' },
    meaning: 'the least that is told',
  },
  { name: 'http.port', part: 'command', kind: port, preset: null, mayBeOff: true, meaning: 'answer /metrics and /health here' },
  { name: 'http.host', part: 'command', kind: host, preset: '127.0.0.1', meaning: 'listen here for them' },
  { name: 'http.names', part: 'command', kind: names, preset: [], meaning: 'they are asked for by these names as well' },
]

/** The table. */
export const sections: readonly Section[] = [
  { heading: 'where settings come from', settings: sources },
  { heading: 'what is served', settings: served },
  { heading: 'addresses', settings: addresses },
  { heading: 'protection', settings: protection },
  { heading: 'logs and numbers', settings: watching },
  { heading: 'durability', settings: durability },
  { heading: 'how long messages are kept; shares of the file system', settings: retention },
  { heading: 'sizes; those of files are for a new directory', settings: sizes },
  { heading: 'delivery', settings: delivery },
  { heading: 'limits for clients', settings: limitSettings },
]

/** All rows by name. */
export const settingsByName: ReadonlyMap<string, Setting> = new Map(
  sections.flatMap(({ settings }) => settings.map((setting) => [setting.name, setting])),
)
