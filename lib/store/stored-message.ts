/**
 * A message as it stands in the log. Fields are decoded when they are asked for.
 *
 * The record's bytes stay where they were read to, usually a block shared with its neighbours. The body is
 * copied out on first access, so that changing it harms nobody.
 */
import { inspect } from 'node:util'
import type { Block } from '../format/block.js'
import { hostText } from '../format/host.js'
import { encodeOffsetMessageId } from '../format/message-id.js'
import {
  findProperties,
  findProperty,
  PropertyName,
  type PropertyNames,
  parseProperties,
  propertyKey,
} from '../format/properties.js'
import { bodyAt, propertiesRange, RecordAt, readRecord, SysFlag, storeTimestampAt, topicRange } from '../format/record.js'
import type { QueueName } from './message.js'

const TAGS = propertyKey(PropertyName.tags)
const KEYS = propertyKey(PropertyName.keys)
const UNIQUE_KEY = propertyKey(PropertyName.uniqueKey)

/** Names of properties that somebody asked for, made ready. */
const knownKeys = new Map<string, Buffer>()
const MOST_KEYS = 100

/** A message read from a store. */
export class StoredMessage {
  /** Topic that the message was put to. */
  readonly topic: string
  /** Queue of the topic. */
  readonly queueId: number
  /** Ordinal in the queue. */
  readonly queueOffset: number
  /** Address of the record in the log. */
  readonly commitLogOffset: number
  /** Bytes of the record. */
  readonly size: number
  readonly #block: Block
  readonly #at: number
  #body: Buffer | undefined
  #properties: Readonly<Record<string, string>> | undefined

  /**
   * @param size - of the record, or of the batch that the message was in
   * @param record - where its record, already checked, starts in memory
   */
  constructor(
    queue: QueueName,
    queueOffset: number,
    commitLogOffset: number,
    size: number,
    record: { readonly block: Block; readonly at: number },
  ) {
    this.topic = queue.topic
    this.queueId = queue.queueId
    this.queueOffset = queueOffset
    this.commitLogOffset = commitLogOffset
    this.size = size
    this.#block = record.block
    this.#at = record.at
  }

  /** The message whose checked record starts at `at`, with queue and topic, unless it is known, as the record says. */
  static fromRecord(block: Block, at: number, commitLogOffset: number, topic = topicOf(block, at)): StoredMessage {
    const { view } = block
    const queue = { topic, queueId: view.getInt32(at + RecordAt.queueId) }
    return new StoredMessage(queue, readRecord.queueOffset(view, at), commitLogOffset, view.getInt32(at), { block, at })
  }

  /** The stored body, compressed if `sysFlag` says so. A copy of its own. */
  get body(): Buffer {
    if (this.#body === undefined) {
      const start = bodyAt(this.#block.view, this.#at)
      this.#body = Buffer.from(this.#block.bytes.subarray(start, start + this.#block.view.getInt32(start - 4)))
    }
    return this.#body
  }

  /** The tags, or `undefined`. */
  get tags(): string | undefined {
    return this.#property(TAGS)
  }

  /** The keys; empty when there are none. */
  get keys(): string[] {
    const keys = this.#property(KEYS)
    return keys === undefined ? [] : keys.split(' ').filter((key) => key !== '')
  }

  /** The id that the producing client gave the message, or `undefined`. */
  get uniqueKey(): string | undefined {
    return this.#property(UNIQUE_KEY)
  }

  /** All properties but the whole-record CRC. */
  get properties(): Readonly<Record<string, string>> {
    if (this.#properties === undefined) {
      const { start, end } = propertiesRange(this.#block.view, this.#at)
      this.#properties = Object.freeze(parseProperties(this.#block.bytes, start, end))
    }
    return this.#properties
  }

  /** The value of one property; cheaper than {@link properties} for a few of them. */
  property(name: string): string | undefined {
    if (this.#properties !== undefined) return this.#properties[name]
    let key = knownKeys.get(name)
    if (key === undefined) {
      key = propertyKey(name)
      if (knownKeys.size < MOST_KEYS) knownKeys.set(name, key)
    }
    return this.#property(key)
  }

  /** The values of several properties, `undefined` where there is none. @param names - as {@link propertyNames} makes them */
  values(names: PropertyNames): (string | undefined)[] {
    const { start, end } = propertiesRange(this.#block.view, this.#at)
    return findProperties(this.#block, start, end, names)
  }

  /** When the message was made, milliseconds since 1970. */
  get bornTimestamp(): number {
    return readRecord.bornTimestamp(this.#block.view, this.#at)
  }

  /** When the message was stored, milliseconds since 1970. */
  get storeTimestamp(): number {
    return readRecord.storeTimestamp(this.#block.view, this.#at)
  }

  /** Where the message was made, `ip:port`. */
  get bornHost(): string {
    const start = this.#at + RecordAt.bornHost
    return hostText(this.#block.bytes.subarray(start, storeTimestampAt(this.#block.view, this.#at)))
  }

  /** Where the message was stored, `ip:port`. */
  get storeHost(): string {
    return hostText(this.#storeHostBytes)
  }

  /** How often a consumer group has failed to handle it. */
  get reconsumeTimes(): number {
    return this.#block.view.getInt32(bodyAt(this.#block.view, this.#at) - 16)
  }

  /** Of a commit or rollback record: where its half message stands. */
  get preparedTransactionOffset(): number {
    return readRecord.preparedTransactionOffset(this.#block.view, this.#at)
  }

  /** RocketMQ's system flags. */
  get sysFlag(): number {
    return this.#block.view.getInt32(this.#at + RecordAt.sysFlag)
  }

  /** The user's number. */
  get flag(): number {
    return this.#block.view.getInt32(this.#at + RecordAt.flag)
  }

  /** CRC-32 of the stored body, 31 bits. */
  get bodyCrc(): number {
    return this.#block.view.getInt32(this.#at + RecordAt.bodyCrc)
  }

  /** RocketMQ's offset message id: store host and address in the log, in hexadecimal. */
  get messageId(): string {
    return encodeOffsetMessageId(this.#storeHostBytes, this.commitLogOffset)
  }

  /**
   * Its record as RocketMQ's clients read it; a message of a batch has one of its own. The memory is shared: do not write to it.
   */
  get record(): Buffer {
    return this.#block.bytes.subarray(this.#at, this.#at + this.#block.view.getInt32(this.#at))
  }

  /** The properties as they are encoded in the record, whole-record CRC included. For brokers that pass messages on. */
  get encodedProperties(): Buffer {
    const { start, end } = propertiesRange(this.#block.view, this.#at)
    return Buffer.from(this.#block.bytes.subarray(start, end))
  }

  /** Body and encoded properties where they stand, for who puts the message again. The memory is shared: do not write to it. */
  get shared(): { body: Buffer; encodedProperties: Buffer } {
    const { view, bytes } = this.#block
    const body = bodyAt(view, this.#at)
    const { start, end } = propertiesRange(view, this.#at)
    return { body: bytes.subarray(body, body + view.getInt32(body - 4)), encodedProperties: bytes.subarray(start, end) }
  }

  get #storeHostBytes(): Buffer {
    const { view, bytes } = this.#block
    const start = storeTimestampAt(view, this.#at) + 8
    return bytes.subarray(start, start + (this.sysFlag & SysFlag.storeHostV6 ? 20 : 8))
  }

  #property(name: Buffer): string | undefined {
    const { start, end } = propertiesRange(this.#block.view, this.#at)
    return findProperty(this.#block, start, end, name)
  }

  /** A plain object with every field decoded; the body in base64. */
  toJSON(): Record<string, unknown> {
    const { topic, queueId, queueOffset, commitLogOffset, size, tags, keys, properties, bornTimestamp, storeTimestamp } = this
    const { bornHost, storeHost, reconsumeTimes, sysFlag, flag, messageId, bodyCrc } = this
    const place = { topic, queueId, queueOffset, commitLogOffset, size, messageId }
    const times = { bornTimestamp, storeTimestamp, bornHost, storeHost, reconsumeTimes, sysFlag, flag, bodyCrc }
    return { ...place, tags, keys, properties: { ...properties }, ...times, body: this.body.toString('base64') }
  }

  /** One line for people. */
  [inspect.custom](): string {
    return `StoredMessage ${this.topic}/${this.queueId}@${this.queueOffset} (${this.size} bytes at ${this.commitLogOffset})`
  }
}

function topicOf({ view, bytes }: Block, at: number): string {
  const { start, end } = topicRange(view, at)
  return bytes.toString('utf8', start, end)
}
