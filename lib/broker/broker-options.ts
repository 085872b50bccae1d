/** The options of a broker: checked once, completed with defaults. */
import { checkBoolean, checkChoice, checkObject, checkRequest, fieldNames, wholeBetween, wrongValue } from '../base/arguments.js'
import type { StoreOptions } from '../store/options.js'
import type { GroupSettings } from './config/group-config.js'
import { type QuotaOptions, type Quotas, resolveQuotas } from './config/quotas.js'
import type { TopicSettings } from './config/topic-config.js'

/** What happens when a topic has as many unread messages as it may. */
export interface BacklogOptions {
  /** Most messages of a topic that some group has still to read. @default none */
  readonly maxMessages?: number
  /** Whether `send` rejects with `BACKLOG_FULL`, or waits for room. @default 'reject' */
  readonly whenFull?: 'reject' | 'wait'
}

/** What becomes of transactions that nobody decides. */
export interface TransactionOptions {
  /** Milliseconds between two times that producers are asked. @default 30,000 */
  readonly checkIntervalMs?: number
  /** Milliseconds for which nobody is asked about a new message. @default 6000 */
  readonly timeoutMs?: number
  /** How often producers are asked about a message; then it goes to `TRANS_CHECK_MAX_TIME_TOPIC`. @default 15 */
  readonly maxChecks?: number
}

/** How messages with an `idempotencyKey` are kept from being sent twice. */
export interface IdempotenceOptions {
  /** Milliseconds for which a key is refused when it comes again; no longer than the store keeps messages. @default 600,000 */
  readonly windowMs?: number
  /** Most keys in memory. Those that do not fit are looked up in the store's index. @default 100,000 */
  readonly maxKeys?: number
}

/** Options of {@link Broker.open}. */
export interface BrokerOptions {
  /** Topics that are made, or changed, before the broker opens. */
  readonly topics?: Readonly<Record<string, TopicSettings>>
  /** Consumer groups that are made, or changed, before the broker opens. */
  readonly groups?: Readonly<Record<string, GroupSettings>>
  /** Whether a topic is made by the first message sent to it. @default false */
  readonly autoCreateTopics?: boolean
  /** Whether a group is made by its first consumer. @default true */
  readonly autoCreateGroups?: boolean
  /** Queues of a topic, where nobody says how many. @default 4 */
  readonly defaultQueues?: number
  /** Name of the cluster, part of some topics' names. @default 'DefaultCluster' */
  readonly clusterName?: string
  /** Milliseconds between two writes of the groups' offsets. @default 5000 */
  readonly offsetIntervalMs?: number
  /** Milliseconds between two writes of what has been delivered of delayed messages. @default 10,000 */
  readonly delayOffsetIntervalMs?: number
  /** How far ahead a message may be due, milliseconds. RocketMQ's `timerMaxDelaySec` allows 3 days. @default 40 days */
  readonly maxDelayMs?: number
  /** Bounds for unread messages. */
  readonly backlog?: BacklogOptions
  /** When producers are asked about their transactions. */
  readonly transactions?: TransactionOptions
  /** How many topics, queues and groups there may be. */
  readonly quotas?: QuotaOptions
  /** How messages with an `idempotencyKey` are kept from being sent twice. */
  readonly idempotence?: IdempotenceOptions
  /**
   * Bodies of at least so many bytes are compressed by ZLIB when they are sent, except in batches. RocketMQ's clients take 4096.
   *
   * @default none is
   */
  readonly compressOverBytes?: number
  /** Largest body after inflation. @default 16 MiB */
  readonly maxInflatedBytes?: number
  /** Options of the store, when the broker opens it. */
  readonly store?: StoreOptions
}

/** 40 days. */
const MAX_DELAY_MS = 40 * 86_400_000

/** Options with every default filled in. */
export type ResolvedBrokerOptions = Required<
  Omit<BrokerOptions, 'backlog' | 'transactions' | 'quotas' | 'idempotence' | 'store'>
> & {
  readonly quotas: Quotas
  readonly idempotence: Required<IdempotenceOptions>
  readonly backlog: Required<BacklogOptions> | undefined
  readonly transactions: Required<TransactionOptions>
}

/** What a broker may be told. */
export const brokerOptionFields = fieldNames<keyof BrokerOptions>({
  topics: true,
  groups: true,
  autoCreateTopics: true,
  autoCreateGroups: true,
  defaultQueues: true,
  clusterName: true,
  offsetIntervalMs: true,
  delayOffsetIntervalMs: true,
  maxDelayMs: true,
  backlog: true,
  transactions: true,
  quotas: true,
  idempotence: true,
  compressOverBytes: true,
  maxInflatedBytes: true,
  store: true,
})

const backlogFields = fieldNames<keyof BacklogOptions>({ maxMessages: true, whenFull: true })
const transactionsFields = fieldNames<keyof TransactionOptions>({ checkIntervalMs: true, timeoutMs: true, maxChecks: true })
const idempotenceFields = fieldNames<keyof IdempotenceOptions>({ windowMs: true, maxKeys: true })

/** Checks options and fills in defaults. @throws {TypeError} {@link RangeError} naming option, value and what was expected */
export function resolveBrokerOptions(options: BrokerOptions = {}): ResolvedBrokerOptions {
  checkRequest(options, brokerOptionFields, 'the options object of a broker')
  const { autoCreateTopics = false, autoCreateGroups = true, clusterName = 'DefaultCluster', topics = {}, groups = {} } = options
  const { defaultQueues = 4, offsetIntervalMs = 5000, delayOffsetIntervalMs = 10_000 } = options
  const { maxDelayMs = MAX_DELAY_MS, maxInflatedBytes = 16 * 1024 * 1024 } = options
  for (const [name, value] of Object.entries({ autoCreateTopics, autoCreateGroups })) {
    checkBoolean(name, value)
  }
  for (const [name, value] of Object.entries({ topics, groups })) {
    checkObject(name, value)
  }
  if (typeof clusterName !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(clusterName))
    throw wrongValue('string', 'clusterName', '1 to 64 letters, digits, _ and -', clusterName)
  return {
    topics,
    groups,
    autoCreateTopics,
    autoCreateGroups,
    clusterName,
    defaultQueues: wholeBetween('defaultQueues', defaultQueues, 1, 65_536),
    offsetIntervalMs: wholeBetween('offsetIntervalMs', offsetIntervalMs, 10, 0x7fffffff),
    delayOffsetIntervalMs: wholeBetween('delayOffsetIntervalMs', delayOffsetIntervalMs, 10, 0x7fffffff),
    maxDelayMs: wholeBetween('maxDelayMs', maxDelayMs, 1, MAX_DELAY_MS),
    maxInflatedBytes: wholeBetween('maxInflatedBytes', maxInflatedBytes, 1, 0x7fffffff),
    compressOverBytes:
      options.compressOverBytes === undefined
        ? Infinity
        : wholeBetween('compressOverBytes', options.compressOverBytes, 1, 0x7fffffff),
    backlog: resolveBacklog(options.backlog),
    transactions: resolveTransactions(options.transactions),
    quotas: resolveQuotas(options.quotas),
    idempotence: resolveIdempotence(options.idempotence),
  }
}

function resolveBacklog(backlog: BacklogOptions | undefined): Required<BacklogOptions> | undefined {
  if (backlog === undefined) return undefined
  checkRequest(backlog, backlogFields, 'backlog')
  const { maxMessages = Number.MAX_SAFE_INTEGER, whenFull = 'reject' } = backlog
  checkChoice('backlog.whenFull', whenFull, ['reject', 'wait'])
  return { maxMessages: wholeBetween('backlog.maxMessages', maxMessages, 1, Number.MAX_SAFE_INTEGER), whenFull }
}

function resolveTransactions(given: TransactionOptions = {}): Required<TransactionOptions> {
  checkRequest(given, transactionsFields, 'transactions')
  const { checkIntervalMs = 30_000, timeoutMs = 6000, maxChecks = 15 } = given
  return {
    checkIntervalMs: wholeBetween('transactions.checkIntervalMs', checkIntervalMs, 10, 0x7fffffff),
    timeoutMs: wholeBetween('transactions.timeoutMs', timeoutMs, 0, 0x7fffffff),
    maxChecks: wholeBetween('transactions.maxChecks', maxChecks, 1, 1000),
  }
}

function resolveIdempotence(given: IdempotenceOptions = {}): Required<IdempotenceOptions> {
  checkRequest(given, idempotenceFields, 'idempotence')
  const { windowMs = 600_000, maxKeys = 100_000 } = given
  return {
    windowMs: wholeBetween('idempotence.windowMs', windowMs, 1, Number.MAX_SAFE_INTEGER),
    maxKeys: wholeBetween('idempotence.maxKeys', maxKeys, 1, 10_000_000),
  }
}
