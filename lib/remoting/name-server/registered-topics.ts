/**
 * The topics that a broker registers. Its body is JSON, or one zlib stream with the same in rows:
 *
 * ```
 *  length 4, data version as JSON
 *  count 4, then for each topic   length 4, "name readQueues writeQueues perm filterType[ attributes]"
 *  length 4, list of filter servers as JSON
 *  count 4, then for each mapping length 4, JSON          from release 5.0 on
 * ```
 *
 * There may be tens of thousands, so they are read in steps. An entry is read at once, and bounded for that.
 */
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { parseBody } from '../body-json.js'
import { responseCodes } from '../codes.js'
import { Refusal } from '../errors.js'
import { endOfValue, membersOf, noJson, type Steps, skipBlanks } from './json-walk.js'
import type { DataVersion, QueueData } from './route-state.js'
import type { Registration } from './route-table.js'

/** What a registration says of topics. */
export type Topics = Pick<Registration, 'dataVersion' | 'topics' | 'mappings'>

/** Topics that one broker may have here. */
export const MOST_TOPICS = 50_000
/** One topic, or one mapping, bytes. */
const MOST_ENTRY_BYTES = 64 * 1024
/** Rows that are read at once. */
const ROWS_AT_ONCE = 64
/** Up to which release the body was the topics alone. */
const V3_0_11 = 37
const V5_0_0 = 413
const NO_VERSION: DataVersion = { stateVersion: 0, timestamp: 0, counter: 0 }

/** Gathers what a broker says of its topics. */
class Gathered {
  dataVersion = NO_VERSION
  readonly topics = new Map<string, QueueData>()
  readonly mappings = new Map<string, ConfigValue>()

  topic(name: string, entry: ConfigValue): void {
    this.topics.set(name, queueDataOf(entry))
    this.#check(this.topics)
  }

  mapping(name: string, mapping: ConfigValue): void {
    this.mappings.set(name, mapping)
    this.#check(this.mappings)
  }

  #check({ size }: ReadonlyMap<string, unknown>): void {
    if (size > MOST_TOPICS) throw tooMany()
  }
}

/** Reads topics out of JSON. @param version - release of the sender @throws {Refusal} when they cannot be read */
export function* topicsOfJson(body: Buffer, version: number): Steps<Topics> {
  const gathered = new Gathered()
  if (body.length === 0) return gathered
  const text = body.toString('utf8')
  const entry = function* (at: number, take: (value: ConfigValue) => void): Steps<number> {
    const end = yield* endOfValue(text, at, MOST_ENTRY_BYTES)
    take(parseBody(Buffer.from(text.slice(at, end)), MOST_ENTRY_BYTES))
    return end
  }
  const table = function* (at: number, take: (name: string, value: ConfigValue) => void): Steps<number> {
    if (text[at] !== '{') return yield* endOfValue(text, at)
    let count = 0
    return yield* membersOf(text, at, function* (name, from) {
      if (++count % ROWS_AT_ONCE === 0) yield
      return yield* entry(from, (value) => take(name, value))
    })
  }
  const wrapper = function* (at: number): Steps<number> {
    if (text[at] !== '{') return yield* endOfValue(text, at)
    return yield* membersOf(text, at, function* (name, from) {
      if (name === 'topicConfigTable') return yield* table(from, (topic, value) => gathered.topic(topic, value))
      if (name === 'topicQueueMappingInfoMap') return yield* table(from, (topic, value) => gathered.mapping(topic, value))
      if (name !== 'dataVersion') return yield* endOfValue(text, from)
      return yield* entry(from, (value) => {
        gathered.dataVersion = dataVersionOf(value)
      })
    })
  }
  const start = skipBlanks(text, 0)
  const end =
    version < V3_0_11
      ? yield* wrapper(start)
      : yield* membersOf(text, start, function* (name, at) {
          return yield* name === 'topicConfigSerializeWrapper' ? wrapper(at) : endOfValue(text, at)
        })
  if (skipBlanks(text, end) < text.length) throw noJson()
  return gathered
}

/** Reads topics out of rows. @param version - release of the sender @throws {Refusal} when they cannot be read */
export function* topicsOfRows(bytes: Buffer, version: number): Steps<Topics> {
  const rows = new Rows(bytes)
  const gathered = new Gathered()
  gathered.dataVersion = dataVersionOf(parseBody(rows.next(), MOST_ENTRY_BYTES))
  const count = rows.count()
  if (count > MOST_TOPICS) throw tooMany()
  for (let left = count; left > 0; left--) {
    if (left % ROWS_AT_ONCE === 0) yield
    const [topic = '', ...numbers] = rows.next(MOST_ENTRY_BYTES).toString('utf8').split(' ', 4)
    const [readQueueNums, writeQueueNums, perm] = numbers.map(Number)
    gathered.topic(topic, { readQueueNums, writeQueueNums, perm } as ConfigObject)
  }
  rows.next()
  if (version >= V5_0_0 && !rows.isAtEnd) {
    for (let left = rows.count(); left > 0; left--) {
      if (left % ROWS_AT_ONCE === 0) yield
      const mapping = parseBody(rows.next(), MOST_ENTRY_BYTES)
      gathered.mapping(String(memberOf(mapping)['topic']), mapping)
    }
  }
  return gathered
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

  next(most = this.#bytes.length): Buffer {
    const length = this.count()
    if (length > most) throw malformed(`a row of ${length} bytes, it may have ${most}`)
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw malformed('a compressed body with a row that passes its end')
    const row = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return row
  }
}

function tooMany(): Refusal {
  return malformed(`a broker may have ${MOST_TOPICS} topics here`)
}

/** What is thrown for a body that cannot be read. */
export function malformed(what: string): Refusal {
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
