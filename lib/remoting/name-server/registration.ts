/**
 * What a broker says of itself when it registers: ext fields for the server, a body for its topics.
 *
 * The body is JSON, or one zlib stream with the same in rows:
 *
 * ```
 *  length 4, data version as JSON
 *  count 4, then for each topic   length 4, "name readQueues writeQueues perm filterType[ attributes]"
 *  length 4, list of filter servers as JSON
 *  count 4, then for each mapping length 4, JSON          from release 5.0 on
 * ```
 */
import { crc32, inflateSync } from 'node:zlib'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { CRC_MASK } from '../../format/crc.js'
import { parseBody, printBody } from '../body-json.js'
import { nameServerRequests, responseCodes } from '../codes.js'
import { type Command, request } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, optionalInt, optionalLong, requiredLong, requiredText } from '../ext-fields.js'
import type { DataVersion, QueueData } from './route-state.js'
import type { Registration } from './route-table.js'

/** What is known of a topic where it is made. */
export interface TopicEntry extends QueueData {
  readonly topic: string
  /** Whether its messages are kept in one order over all queues. @default false */
  readonly order?: boolean
}

/** What a broker tells of all its topics may have so many bytes: those of 20,000 topics. */
const MAX_TABLE_BYTES = 4 * 1024 * 1024
/** A compressed body inflates to so many bytes at most. */
const MAX_INFLATED_BYTES = 16 * 1024 * 1024
/** Up to which release the body was the topics alone. */
const V3_0_11 = 37
const V5_0_0 = 413
const NO_VERSION: DataVersion = { stateVersion: 0, timestamp: 0, counter: 0 }

/**
 * Reads a registration.
 *
 * @throws {Refusal} when something that must be there is not, or the body is not what its check sum says
 */
export function decodeRegistration(command: Command): Registration {
  const { extFields, body } = command
  const sum = optionalInt(command, 'bodyCrc32', 0)
  if (sum !== 0 && (crc32(body) & CRC_MASK) !== sum) throw new Refusal(responseCodes.SYSTEM_ERROR, 'crc32 not match')
  const timeoutMs = optionalLong(command, 'heartbeatTimeoutMillis', 0)
  return {
    brokerName: requiredText(command, 'brokerName'),
    address: requiredText(command, 'brokerAddr'),
    cluster: requiredText(command, 'clusterName'),
    haAddress: requiredText(command, 'haServerAddr'),
    brokerId: requiredLong(command, 'brokerId'),
    zoneName: extFields['__ZONE_NAME'],
    enableActingMaster: extFields['enableActingMaster'] === undefined ? undefined : optionalFlag(command, 'enableActingMaster'),
    ...(timeoutMs > 0 ? { timeoutMs } : {}),
    ...(optionalFlag(command, 'compressed') ? inflated(command) : plain(command)),
  }
}

type Topics = Pick<Registration, 'dataVersion' | 'topics' | 'mappings'>

function plain({ body, version }: Command): Topics {
  if (body.length === 0) return { dataVersion: NO_VERSION, topics: new Map() }
  const whole = parseBody(body, MAX_TABLE_BYTES)
  const wrapper = memberOf(version >= V3_0_11 ? memberOf(whole, 'topicConfigSerializeWrapper') : whole)
  const topics = new Map<string, QueueData>()
  for (const [topic, entry] of Object.entries(memberOf(wrapper['topicConfigTable']))) topics.set(topic, queueDataOf(entry))
  return {
    dataVersion: dataVersionOf(wrapper['dataVersion']),
    topics,
    mappings: new Map(Object.entries(memberOf(wrapper['topicQueueMappingInfoMap'])) as [string, ConfigValue][]),
  }
}

function inflated({ body, version }: Command): Topics {
  const rows = new Rows(inflate(body))
  const dataVersion = dataVersionOf(parseBody(rows.next()))
  const topics = new Map<string, QueueData>()
  for (let left = rows.count(); left > 0; left--) {
    const [topic = '', ...numbers] = rows.next().toString('utf8').split(' ')
    const [readQueueNums, writeQueueNums, perm] = numbers.map(Number)
    topics.set(topic, queueDataOf({ readQueueNums, writeQueueNums, perm } as ConfigObject))
  }
  rows.next()
  const mappings = new Map<string, ConfigValue>()
  if (version >= V5_0_0 && !rows.isAtEnd) {
    for (let left = rows.count(); left > 0; left--) {
      const mapping = parseBody(rows.next())
      mappings.set(String(memberOf(mapping)['topic']), mapping)
    }
  }
  return { dataVersion, topics, mappings }
}

function inflate(body: Buffer): Buffer {
  try {
    return inflateSync(body, { maxOutputLength: MAX_INFLATED_BYTES })
  } catch {
    throw malformed('a compressed body that cannot be inflated')
  }
}

/** Rows with their lengths in front. */
class Rows {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  count(): number {
    if (this.#at + 4 > this.#bytes.length) throw malformed('a compressed body that ends too early')
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  next(): Buffer {
    const length = this.count()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw malformed('a compressed body with a row that passes its end')
    const row = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return row
  }
}

function malformed(what: string): Refusal {
  return new Refusal(responseCodes.SYSTEM_ERROR, what)
}

/** A member that is an object, or an empty object. */
function memberOf(value: ConfigValue | undefined, name?: string): ConfigObject {
  if (name !== undefined) return memberOf(memberOf(value)[name])
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)
    ? (value as ConfigObject)
    : {}
}

function numberIn(object: ConfigObject, name: string): number {
  const value = object[name] ?? 0
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed(`a ${name} that is no whole number`)
  return value
}

/** Reads the edition of topics; what is missing is 0. @throws {Refusal} when something in it is no number */
export function dataVersionOf(value: ConfigValue | undefined): DataVersion {
  const object = memberOf(value)
  return {
    stateVersion: numberIn(object, 'stateVersion'),
    timestamp: numberIn(object, 'timestamp'),
    counter: numberIn(object, 'counter'),
  }
}

/** Reads the queues of a topic, under either name of its flags. @throws {Refusal} when something in it is no number */
export function queueDataOf(value: ConfigValue | undefined): QueueData {
  const object = memberOf(value)
  return {
    readQueueNums: numberIn(object, 'readQueueNums'),
    writeQueueNums: numberIn(object, 'writeQueueNums'),
    perm: numberIn(object, 'perm'),
    topicSysFlag: numberIn(object, object['topicSysFlag'] === undefined ? 'topicSynFlag' : 'topicSysFlag'),
  }
}

/** Reads a route, as far as its queues go: by broker. @throws {Refusal} when it is no JSON */
export function queuesOfRoute(body: Buffer): ReadonlyMap<string, QueueData> {
  const list = memberOf(parseBody(body))['queueDatas']
  const queues = new Map<string, QueueData>()
  for (const entry of Array.isArray(list) ? (list as ConfigValue[]) : []) {
    const name = memberOf(entry)['brokerName']
    if (typeof name === 'string') queues.set(name, queueDataOf(entry))
  }
  return queues
}

/** A request that registers a broker. */
export function encodeRegistration(given: Omit<Registration, 'topics'> & { readonly topics: readonly TopicEntry[] }): Command {
  const { brokerName, address, cluster, haAddress, brokerId, enableActingMaster = false, timeoutMs, dataVersion, topics } = given
  const table = Object.create(null) as Record<string, ConfigValue>
  for (const { topic, order = false, ...queues } of topics) {
    table[topic] = { attributes: {}, order, topicFilterType: 'SINGLE_TAG', topicName: topic, ...queues }
  }
  const body = printBody({
    filterServerList: [],
    topicConfigSerializeWrapper: { dataVersion: { ...dataVersion }, topicConfigTable: table },
  })
  return request(nameServerRequests.REGISTER_BROKER, {
    ext: {
      brokerName,
      brokerAddr: address,
      clusterName: cluster,
      haServerAddr: haAddress,
      brokerId,
      enableActingMaster,
      compressed: false,
      heartbeatTimeoutMillis: timeoutMs,
      bodyCrc32: crc32(body) & CRC_MASK,
    },
    body,
  })
}
