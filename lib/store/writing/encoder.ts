/**
 * Turns a message into a record, straight in the log's tail: checks, encodes, and works out what the
 * views need (tags code, key hashes) while the strings are at hand.
 *
 * Everything is checked before anything counts: bytes behind the end of the log are scratch.
 */
import { shown } from '../../base/errors.js'
import { type Block, zeroBlock } from '../../format/block.js'
import { isLastCounted, writeLastCounted } from '../../format/counted-text.js'
import { javaHash, javaHashContinue, unsigned } from '../../format/hash.js'
import { parseHost } from '../../format/host.js'
import { isTopic } from '../../format/names.js'
import {
  CRC_PROPERTY_BYTES,
  crcPropertyAt,
  findProperties,
  findProperty,
  MAX_PROPERTIES_BYTES,
  NAME_END,
  PropertyName,
  propertyKey,
  propertyNames,
  VALUE_END,
  writeKeysName,
  writeTagsName,
  writeUniqueKeyName,
} from '../../format/properties.js'
import { closeRecord, propertiesRange, type RecordFields, writeRecordHead, writeRecordTopic } from '../../format/record.js'
import { SCHEDULE_TOPIC, tagsCodeOf } from '../../format/tags.js'
import type { Message } from '../message.js'
import { checkText, illegal, int32, queueIdOf, roomFor, safeInteger, tooLarge } from './message-checks.js'

/** RocketMQ allows a record this much more than a body. */
export const RECORD_OVER_BODY_BYTES = 65_536
/** Most keys of a message: each makes an index entry. */
export const MAX_KEYS = 32
const SPACE = 0x20
const NO_HASHES: readonly number[] = []

const CRC = propertyKey(PropertyName.crc32)
const MULTI_QUEUE_OFFSET = propertyKey(PropertyName.multiQueueOffset)
/** What is looked at in properties that the caller encoded. */
const COPIED = propertyNames([
  ...[PropertyName.tags, PropertyName.uniqueKey, PropertyName.keys],
  ...[PropertyName.wait, PropertyName.delayLevel, PropertyName.multiDispatch],
  PropertyName.crc32,
])
const CRC_OF_COPIED = COPIED.names.length - 1

/** What a topic contributes to each of its records. */
export interface TopicBytes {
  readonly topic: string
  readonly bytes: Uint8Array
  /** Java hash of `topic#`, which every key's hash continues. */
  readonly keySeed: number
}

/** What every record of a store has in common. */
export interface EncoderOptions {
  readonly maxBodyBytes: number
  readonly recordCrc: boolean
  readonly storeHost: string
  /** Milliseconds of the delay levels. */
  readonly delayLevelsMs?: readonly number[]
  /** The next offsets of the further queues that a message goes to. */
  readonly nextOffsets: (queues: readonly string[], queueId: number) => readonly number[]
}

/** See the head of this file. One encoder serves one store; its results are read before the next call. */
export class MessageEncoder {
  readonly #options: EncoderOptions
  readonly #fields: RecordFields
  readonly #hosts = new Map<string, Uint8Array>()
  #storeHost: Uint8Array
  #block: Block | undefined
  #at = 0

  /** Hash of the tags, for the queue entry; 0 without tags. */
  tagsCode = 0
  /** Hashes of the keys for the index, the unique key first. */
  keyHashes: readonly number[] = NO_HASHES
  /** Whether the put is answered only when what the store promises has happened. Off by the property `WAIT`. */
  waits = true
  /** Further queues that the message is dispatched to, and its offsets there; mostly none. */
  further: { readonly queues: readonly string[]; readonly offsets: readonly number[] } | undefined
  /** Bytes of the record. */
  size = 0
  #delayLevel: string | undefined

  constructor(options: EncoderOptions) {
    this.#options = options
    this.#storeHost = parseHost(options.storeHost)
    const host = this.#storeHost
    this.#fields = {
      queueId: 0,
      flag: 0,
      sysFlag: 0,
      bornTimestamp: 0,
      bornHost: host,
      storeHost: host,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
    }
  }

  /** Where messages that do not say so are stored, from now on. @throws {RangeError} when it is no `ip:port` */
  standAt(storeHost: string): void {
    this.#storeHost = parseHost(storeHost)
  }

  /** Raw bytes of the host that the record just encoded carries. */
  get storeHost(): Uint8Array {
    return this.#fields.storeHost
  }

  /** System flags of the record just encoded. */
  get sysFlag(): number {
    return this.#fields.sysFlag
  }

  /** At most how many bytes the record of a message takes. Cheap, and checks types on the way. */
  roomFor(message: Message): number {
    return roomFor(message, this.#options.maxBodyBytes)
  }

  /**
   * Encodes the record of a message at `at` of a block that has room for it.
   *
   * @returns where the record ends; its place and time are still to be filled in
   * @throws {TypeError} {@link RangeError} or {@link MessageStoreError} `MESSAGE_TOO_LARGE`, `MESSAGE_ILLEGAL`
   */
  encode(block: Block, at: number, message: Message, topic: TopicBytes, now: number): number {
    this.#block = block
    this.keyHashes = NO_HASHES
    this.tagsCode = 0
    this.waits = true
    this.further = undefined
    this.#delayLevel = undefined
    this.#fill(message, now)
    const bodyStart = writeRecordHead(block, at, this.#fields)
    const bodyEnd = this.#writeBody(block, bodyStart, message.body)
    const propertiesAt = writeRecordTopic(block, at, bodyStart, bodyEnd, topic.bytes)
    this.#at = propertiesAt
    if (message.encodedProperties === undefined) this.#writeProperties(message, topic)
    else this.#copyProperties(message.encodedProperties, topic)
    if (this.#delayLevel !== undefined)
      this.tagsCode = tagsCodeOf(topic.topic, { [PropertyName.delayLevel]: this.#delayLevel }, now, this.#options.delayLevelsMs)
    const propertiesBytes = this.#at - propertiesAt
    const limit = MAX_PROPERTIES_BYTES - (this.#options.recordCrc ? CRC_PROPERTY_BYTES + 1 : 0)
    if (propertiesBytes > limit) throw tooLarge('the properties', propertiesBytes, limit)
    const end = closeRecord(block, at, bodyStart, propertiesAt, this.#at, this.#options.recordCrc)
    const recordLimit = this.#options.maxBodyBytes + RECORD_OVER_BODY_BYTES
    if (end - at > recordLimit) throw tooLarge('the record', end - at, recordLimit)
    this.size = end - at
    return end
  }

  /**
   * The properties of a message that becomes part of a batch record; `keyHashes` has its keys. Checks the message as
   * {@link encode} does.
   */
  encodeInner(message: Message, topic: TopicBytes, now: number): Uint8Array {
    const scratch = zeroBlock(this.roomFor(message))
    this.encode(scratch, 0, message, topic, now)
    const { start, end } = propertiesRange(scratch.view, 0)
    return scratch.bytes.subarray(start, this.#options.recordCrc ? end - CRC_PROPERTY_BYTES : end)
  }

  #fill(message: Message, now: number): void {
    const fields = this.#fields
    fields.queueId = queueIdOf(message)
    fields.flag = int32('flag', message.flag)
    fields.sysFlag = int32('sysFlag', message.sysFlag)
    fields.bornTimestamp = message.bornTimestamp === undefined ? now : safeInteger('bornTimestamp', message.bornTimestamp)
    fields.storeHost = message.storeHost === undefined ? this.#storeHost : this.#host(message.storeHost)
    fields.bornHost = message.bornHost === undefined ? fields.storeHost : this.#host(message.bornHost)
    fields.reconsumeTimes = int32('reconsumeTimes', message.reconsumeTimes)
    const prepared = message.preparedTransactionOffset
    fields.preparedTransactionOffset = prepared === undefined ? 0 : safeInteger('preparedTransactionOffset', prepared)
  }

  #host(text: string): Uint8Array {
    const known = this.#hosts.get(text)
    if (known !== undefined) return known
    const host = parseHost(text)
    // Hosts are few; a flood of them must not grow the map for ever.
    if (this.#hosts.size > 1000) this.#hosts.clear()
    this.#hosts.set(text, host)
    return host
  }

  #writeBody(block: Block, at: number, body: Uint8Array | string): number {
    if (typeof body === 'string' && !body.isWellFormed()) {
      throw illegal('the body holds half of a surrogate pair, which UTF-8 cannot represent')
    }
    const bytes = typeof body === 'string' ? block.bytes.write(body, at) : body.length
    if (bytes > this.#options.maxBodyBytes) throw tooLarge('the body', bytes, this.#options.maxBodyBytes)
    if (typeof body !== 'string') block.bytes.set(body, at)
    return at + bytes
  }

  #writeProperties(message: Message, topic: TopicBytes): void {
    const { keys, properties, tags, uniqueKey } = message
    if (keys !== undefined) this.#writeKeys(typeof keys === 'string' ? [keys] : keys, topic)
    if (properties !== undefined) this.#writeOthers(properties, topic, message)
    if (uniqueKey !== undefined) {
      const hash = unsigned(this.#writeUniqueKey(uniqueKey, topic.keySeed))
      // The unique key goes first, as in RocketMQ.
      this.keyHashes = this.keyHashes.length === 0 ? [hash] : [hash, ...this.keyHashes]
    }
    if (tags !== undefined) {
      if (tags === '') throw emptyProperty(PropertyName.tags, tags)
      this.#at = writeTagsName(this.#block!, this.#at)
      this.tagsCode = this.#writeText(tags, PropertyName.tags)
      this.#block!.view.setUint8(this.#at++, VALUE_END)
    }
  }

  /** @returns the hash of the key, behind that of a text */
  #writeUniqueKey(uniqueKey: string, hash: number): number {
    if (!isLastCounted(uniqueKey)) return this.#writePair(PropertyName.uniqueKey, uniqueKey, hash)
    const block = this.#block!
    const at = writeUniqueKeyName(block, this.#at)
    const hashed = writeLastCounted(block, at, hash)
    this.#at = at + uniqueKey.length + 1
    block.view.setUint8(this.#at - 1, VALUE_END)
    return hashed
  }

  #writeKeys(keys: readonly string[], topic: TopicBytes): void {
    const { view } = this.#block!
    const hashes: number[] = []
    for (const key of keys) {
      if (key === '' || hasSpace(key)) throw illegal(`key ${shown(key)} must not be empty and must hold no space`)
      const isFirst = hashes.length === 0
      if (isFirst) this.#at = writeKeysName(this.#block!, this.#at)
      // In the place of what ended the value.
      else view.setUint8(this.#at - 1, SPACE)
      hashes.push(unsigned(this.#writeText(key, isFirst ? PropertyName.keys : 'keys', topic.keySeed)))
      view.setUint8(this.#at++, VALUE_END)
    }
    if (hashes.length > MAX_KEYS)
      throw illegal(`${hashes.length} keys, at most ${MAX_KEYS} are allowed: each makes an index entry`)
    this.keyHashes = hashes
  }

  #writeOthers(properties: Readonly<Record<string, string>>, topic: TopicBytes, message: Message): void {
    const hasKeys = message.keys !== undefined
    const hasTags = message.tags !== undefined
    const hasUniqueKey = message.uniqueKey !== undefined
    for (const name of Object.keys(properties)) {
      const value = properties[name]!
      if (name === PropertyName.crc32 || name.startsWith(PropertyName.transientPrefix)) continue
      if ((name === PropertyName.keys && hasKeys) || (name === PropertyName.tags && hasTags)) {
        throw illegal(`${name} is given twice: as a property and as ${name.toLowerCase()}`)
      }
      if (name === PropertyName.uniqueKey && hasUniqueKey) throw illegal(`${name} is given twice: as a property and as uniqueKey`)
      if (name === PropertyName.multiQueueOffset && properties[PropertyName.multiDispatch] !== undefined) continue
      this.#writePair(name, value)
      if (name === PropertyName.tags) this.tagsCode = javaHash(value)
      else if (name === PropertyName.keys || name === PropertyName.uniqueKey) this.#indexValue(name, value, topic)
      else this.#noteSpecial(name, value, topic)
    }
  }

  /** Properties that change what the store does with the message. */
  #noteSpecial(name: string, value: string, topic: TopicBytes): void {
    if (name === PropertyName.wait) this.waits = value !== 'false'
    else if (name === PropertyName.delayLevel && topic.topic === SCHEDULE_TOPIC) this.#delayLevel = value
    else if (name === PropertyName.multiDispatch && mayDispatchFurther(topic.topic)) this.#writeFurther(value, topic.topic)
  }

  /** The offsets in further queues become part of the record. (`MultiDispatchUtils`, 5.3.) */
  #writeFurther(value: string, topic: string): void {
    const queues = value.split(',')
    const wrong = queues.find(
      (name, i) => !isTopic(name) || !name.startsWith('%LMQ%') || queues.indexOf(name) !== i || name === topic,
    )
    if (wrong !== undefined) {
      throw illegal(
        `${PropertyName.multiDispatch} names ${shown(wrong)}; it must name %LMQ% queues, each once, and not the message's own`,
      )
    }
    const offsets = this.#options.nextOffsets(queues, this.#fields.queueId)
    this.#writePair(PropertyName.multiQueueOffset, offsets.join(','))
    this.further = { queues, offsets }
  }

  /** Hashes the keys in a property that the caller encoded; the unique key goes first, as in RocketMQ. */
  #indexValue(name: string, value: string, topic: TopicBytes): void {
    const known = this.keyHashes
    if (name === PropertyName.uniqueKey) this.keyHashes = [keyHash(topic, value), ...known]
    else if (!value.includes(' ')) this.keyHashes = [...known, keyHash(topic, value)]
    else {
      const keys = value.split(' ').filter((key) => key !== '')
      this.keyHashes = [...known, ...keys.map((key) => keyHash(topic, key))]
    }
    if (this.keyHashes.length > MAX_KEYS + 1) throw illegal(`${this.keyHashes.length} keys, at most ${MAX_KEYS} are allowed`)
  }

  #copyProperties(encoded: Uint8Array, topic: TopicBytes): void {
    const block = this.#block!
    const start = this.#at
    if (encoded.length > MAX_PROPERTIES_BYTES) throw tooLarge('the properties', encoded.length, MAX_PROPERTIES_BYTES)
    block.bytes.set(encoded, start)
    let end = start + encoded.length
    // It stands last, as a rule.
    const crcAt = crcPropertyAt(block, start, end)
    if (crcAt >= 0) end = crcAt
    let found = findProperties(block, start, end, COPIED)
    if (found[CRC_OF_COPIED] !== undefined) {
      end = dropProperty(block, start, end, CRC)
      found = findProperties(block, start, end, COPIED)
    }
    this.#at = end
    const [tags, unique, keys, wait, delayLevel, multiDispatch] = found
    if (tags !== undefined) this.tagsCode = javaHash(tags)
    if (unique !== undefined) this.#indexValue(PropertyName.uniqueKey, unique, topic)
    if (keys !== undefined) this.#indexValue(PropertyName.keys, keys, topic)
    if (wait !== undefined) this.#noteSpecial(PropertyName.wait, wait, topic)
    if (delayLevel !== undefined) this.#noteSpecial(PropertyName.delayLevel, delayLevel, topic)
    if (multiDispatch !== undefined && mayDispatchFurther(topic.topic)) {
      this.#at = dropProperty(block, start, end, MULTI_QUEUE_OFFSET)
      if (this.#at > start && block.bytes[this.#at - 1] !== VALUE_END) block.view.setUint8(this.#at++, VALUE_END)
      this.#noteSpecial(PropertyName.multiDispatch, multiDispatch, topic)
    }
  }

  /** @returns the hash of the value, behind that of a text */
  #writePair(name: string, value: string, hash = 0): number {
    if (name === '' || value === '') throw emptyProperty(name, value)
    const { view } = this.#block!
    this.#writeText(name, name)
    view.setUint8(this.#at++, NAME_END)
    const hashed = this.#writeText(value, name, hash)
    view.setUint8(this.#at++, VALUE_END)
    return hashed
  }

  /** Writes text; short ASCII, which is nearly all, without leaving JavaScript. @returns its hash, behind that of another */
  #writeText(text: string, name: string, hash = 0): number {
    const { view, bytes } = this.#block!
    const length = text.length
    const at = this.#at
    let hashed = hash
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127 || code === NAME_END || code === VALUE_END) {
        checkText(text, name)
        this.#at = at + bytes.write(text, at)
        return javaHashContinue(hash, text)
      }
      view.setUint8(at + i, code)
      hashed = (Math.imul(31, hashed) + code) | 0
    }
    this.#at = at + length
    return hashed
  }
}

/** Sooner told than by `includes`, for keys are short. */
function hasSpace(key: string): boolean {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) === SPACE) return true
  return false
}

function emptyProperty(name: string, value: string): Error {
  return illegal(`property ${shown(name)} with value ${shown(value)}: neither may be empty`)
}

/** `|hash(topic#key)|` as RocketMQ's index takes it; the smallest integer has no absolute value and counts as 0. */
function keyHash(topic: TopicBytes, key: string): number {
  return unsigned(javaHashContinue(topic.keySeed, key))
}

/** RocketMQ dispatches neither retried, nor delayed, nor its own messages to further queues. */
function mayDispatchFurther(topic: string): boolean {
  return topic !== SCHEDULE_TOPIC && !topic.startsWith('%RETRY%') && !topic.startsWith('rmq_sys_')
}

/** Removes a property from encoded ones in place and returns the new end. */
function dropProperty(block: Block, start: number, end: number, name: Buffer): number {
  if (findProperty(block, start, end, name) === undefined) return end
  const pieces = block.bytes.toString('latin1', start, end).split('\u0002')
  const prefix = `${name.toString('latin1')}\u0001`
  const kept = pieces.filter((piece) => !piece.startsWith(prefix)).join('\u0002')
  return start + block.bytes.write(kept, start, 'latin1')
}
