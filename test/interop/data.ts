/** Messages for the suite: made from a seed, in a form that JSON can carry to either store. */
import { createHash } from 'node:crypto'
import { parseHost } from '../../lib/format/host.js'
import type { Message, StoredMessage } from '../../lib/index.js'
import type { Random } from '../support/random.js'
import type { Generation } from './java-build.js'

/** A message to put. Its body is in base64, or `bodySize` bytes that `bodySeed` determines. */
export interface Spec {
  readonly topic: string
  readonly queueId: number
  readonly flag: number
  readonly sysFlag: number
  readonly bornTimestamp: number
  readonly bornHost: string
  readonly storeHost: string
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: number
  readonly body?: string
  readonly bodySize?: number
  readonly bodySeed?: number
  readonly tags?: string
  readonly keys?: readonly string[]
  readonly properties: Readonly<Record<string, string>>
  /** The properties with keys and tags as the record shall hold them, instead of a side's own encoding. */
  readonly encoded?: string
}

/** Where a message was put. */
export interface Receipt {
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly messageId: string
  readonly storeTimestamp: number
  readonly size: number
}

/** Every field of a stored message. Hosts are hexadecimal address and port; long bodies length and digest. */
export interface Described {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly commitLogOffset: number
  readonly size: number
  readonly messageId: string
  readonly tags: string | null
  readonly keys: string | null
  readonly properties: Readonly<Record<string, string>>
  readonly bornTimestamp: number
  readonly storeTimestamp: number
  readonly bornHost: string
  readonly storeHost: string
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: number
  readonly sysFlag: number
  readonly flag: number
  readonly bodyCrc: number
  readonly body: string
}

const SMALL_BODY = 64
/** Longer than one byte can tell: a record of version 2, which only 5.x knows. */
const LONG_TOPIC = `%RETRY%${'group-with-a-long-name-'.repeat(10)}`
const SYS_FLAGS = [0, 0, 0, 1, 0x101, 0x201, 0x301, 2, 4, 8, 12, 0x40]
const HOSTS = ['10.1.2.3:40001', '192.168.0.9:10911', '[2001:db8::1:0:0:7]:10911', '[fe80::1]:65535', '255.255.255.255:0']
const TOPICS = ['orders', 'orders', 'payments', '%RETRY%billing', 'a', `t-${'x'.repeat(125)}`]

/** What varies between data sets. */
export interface DataOptions {
  /** Also records of version 2. */
  readonly longTopics?: boolean
  /** Largest ordinary body. @default 3000 */
  readonly bodyBytes?: number
}

/** Messages of every kind: empty bodies, all system flags, hosts of both families, keys, tags, properties in many scripts. */
export function manySpecs(random: Random, count: number, options: DataOptions = {}): Spec[] {
  return Array.from({ length: count }, (_, i) => oneSpec(random, i, options))
}

/** Ordinary messages of one queue, alike but for body and keys: what a batch may hold. */
export function batchSpecs(random: Random, count: number, topic = 'batches'): Spec[] {
  const first = { ...oneSpec(random, 0, {}), topic, queueId: random.int(2), sysFlag: 0, preparedTransactionOffset: 0 }
  return Array.from({ length: count }, (_, i) => {
    const { body, bodySize, bodySeed, flag, tags, keys, properties, ...shared } = { ...oneSpec(random, i, {}) }
    const own = { flag, properties, ...present({ body, bodySize, bodySeed, tags, keys }) }
    const { topic, queueId, sysFlag, bornTimestamp, bornHost, storeHost, reconsumeTimes, preparedTransactionOffset } = first
    const common = { topic, queueId, sysFlag, bornTimestamp, bornHost, storeHost, reconsumeTimes, preparedTransactionOffset }
    return { ...shared, ...common, ...own } as Spec
  })
}

function present(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function oneSpec(random: Random, i: number, options: DataOptions): Spec {
  const topics = options.longTopics === true ? [...TOPICS, LONG_TOPIC] : TOPICS
  const sysFlag = random.pick(SYS_FLAGS)
  const isEnd = (sysFlag & 12) >= 8
  const bodySize = random.chance(0.1) ? 0 : random.chance(0.5) ? random.int(60) : random.int(options.bodyBytes ?? 3000)
  const properties: Record<string, string> = {}
  if (random.chance(0.5)) properties['UNIQ_KEY'] = `7F00000100002A9F18B4AAC2${String(random.int(1e9)).padStart(8, '0')}`
  if (random.chance(0.3)) properties['näme'] = 'Grüße, 你好, 🚀'
  if (random.chance(0.3)) properties['long'] = 'p'.repeat(random.between(1, 300))
  return {
    topic: random.pick(topics),
    queueId: random.int(3),
    flag: random.pick([0, 0, 7, -1, 0x7fffffff, -0x80000000]),
    sysFlag,
    bornTimestamp: 1_700_000_000_000 + random.int(1e9),
    bornHost: random.pick(HOSTS),
    storeHost: random.chance(0.7) ? '127.0.0.1:10911' : random.pick(HOSTS),
    reconsumeTimes: random.chance(0.2) ? random.int(17) : 0,
    preparedTransactionOffset: isEnd ? random.int(1e12) : 0,
    ...(bodySize > SMALL_BODY
      ? { bodySize, bodySeed: random.between(1, 0x7fffffff) }
      : { body: random.bytes(bodySize).toString('base64') }),
    ...(random.chance(0.6) ? { tags: random.pick(['TagA', 'TagB', 'größe', 'x || y']) } : {}),
    ...(random.chance(0.6) ? { keys: keysOf(random, i) } : {}),
    properties,
  }
}

function keysOf(random: Random, i: number): string[] {
  const keys = [`k${i}-${random.int(1000)}`]
  if (random.chance(0.3)) keys.push(`shared-${random.int(200)}`, `schlüssel-${random.int(50)}`)
  return keys
}

/** The properties as both stores write them: keys first, tags last. */
export function encodedProperties({ keys, properties, tags }: Spec, endsWithSeparator: boolean): string {
  const pairs: [string, string][] = Object.entries(properties)
  if (keys !== undefined) pairs.unshift(['KEYS', keys.join(' ')])
  if (tags !== undefined) pairs.push(['TAGS', tags])
  const encoded = pairs.map(([name, value]) => `${name}\u0001${value}`).join('\u0002')
  return encoded === '' || !endsWithSeparator ? encoded : `${encoded}\u0002`
}

/** A message as the Java shell takes it. The clients of 4.9 leave out the last separator of the properties. */
export function toJava(spec: Spec, generation: Generation): object {
  const { tags: _tags, keys: _keys, properties: _properties, encoded, bornHost, storeHost, ...rest } = spec
  const properties = encoded ?? encodedProperties(spec, generation !== '4.9.8')
  return { ...rest, bornHost: hexHost(bornHost), storeHost: hexHost(storeHost), properties }
}

/** A message as our `put` takes it. */
export function toMessage(spec: Spec): Message {
  const { body: _body, bodySize: _size, bodySeed: _seed, encoded, tags, keys, properties, ...rest } = spec
  const body = bodyOf(spec)
  if (encoded !== undefined) return { ...rest, body, encodedProperties: Buffer.from(encoded, 'utf8') }
  return { ...rest, body, properties, ...(tags === undefined ? {} : { tags }), ...(keys === undefined ? {} : { keys }) }
}

/** The body of a message. */
export function bodyOf({ body, bodySize = 0, bodySeed = 0 }: Spec): Buffer {
  if (body !== undefined) return Buffer.from(body, 'base64')
  const bytes = Buffer.alloc(bodySize)
  let state = bodySeed | 0
  for (let i = 0; i < bodySize; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
}

/** Hexadecimal address, a slash, the port. */
function hexHost(host: string): string {
  const bytes = parseHost(host)
  return `${bytes.toString('hex', 0, bytes.length - 4)}/${bytes.readInt32BE(bytes.length - 4)}`
}

function shownBody(body: Buffer): string {
  if (body.length <= SMALL_BODY) return body.toString('base64')
  return `${body.length} bytes, sha256 ${createHash('sha256').update(body).digest('hex')}`
}

/** What our store returned, in the form of the comparison. */
export function describeOurs(message: StoredMessage): Described {
  const { topic, queueId, queueOffset, commitLogOffset, size, messageId, tags, properties } = message
  const { bornTimestamp, storeTimestamp, reconsumeTimes, preparedTransactionOffset, sysFlag, flag, bodyCrc } = message
  return {
    ...{ topic, queueId, queueOffset, commitLogOffset, size, messageId, tags: tags ?? null, properties: { ...properties } },
    ...{ bornTimestamp, storeTimestamp, reconsumeTimes, preparedTransactionOffset, sysFlag, flag, bodyCrc },
    keys: message.keys.length === 0 ? null : message.keys.join(' '),
    bornHost: hexHost(message.bornHost),
    storeHost: hexHost(message.storeHost),
    body: shownBody(message.body),
  }
}

/** What Java returned, in the form of the comparison: our whole-record CRC is a property to it. */
export function describeJava(message: Described): Described {
  const { '__CRC32#': _crc, ...properties } = message.properties
  return { ...message, properties }
}

/** What the store must return for a message that was put. */
export function describeSpec(spec: Spec, receipt: Receipt): Omit<Described, 'bodyCrc' | 'storeTimestamp' | 'size'> {
  const { topic, queueId, flag, tags, keys, properties, bornTimestamp, reconsumeTimes, preparedTransactionOffset } = spec
  const { queueOffset, commitLogOffset, messageId } = receipt
  const all = { ...properties, ...(keys && { KEYS: keys.join(' ') }), ...(tags === undefined ? {} : { TAGS: tags }) }
  const v6 = (spec.bornHost.startsWith('[') ? 0x10 : 0) | (spec.storeHost.startsWith('[') ? 0x20 : 0)
  return {
    ...{ topic, queueId, queueOffset, commitLogOffset, messageId, tags: tags ?? null, properties: all },
    ...{ bornTimestamp, reconsumeTimes, preparedTransactionOffset, sysFlag: spec.sysFlag | v6, flag },
    keys: keys === undefined ? null : keys.join(' '),
    bornHost: hexHost(spec.bornHost),
    storeHost: hexHost(spec.storeHost),
    body: shownBody(bodyOf(spec)),
  }
}

/** Whether a message gets a place in its queue: prepared and rolled back ones do not. */
export function isQueued({ sysFlag }: { readonly sysFlag: number }): boolean {
  const state = sysFlag & 12
  return state === 0 || state === 8
}
