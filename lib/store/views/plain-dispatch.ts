/**
 * Enters ordinary records into the views without making a string or an object of them: recovery does it for
 * every record that it walks over, and most of its time would go into parsing properties.
 *
 * What is not ordinary (transactions, batches, delayed messages, further queues, text that is not ASCII) is
 * left to `dispatch-record.ts`, which knows all the rules; a test holds the two together.
 */
import type { Block } from '../../format/block.js'
import { javaHash, unsigned } from '../../format/hash.js'
import { isTopic } from '../../format/names.js'
import { crcPropertyAt, NAME_END, PropertyName, propertyKey, readCrcProperty, VALUE_END } from '../../format/properties.js'
import { RecordAt, readRecord, SysFlag, topicRange } from '../../format/record.js'
import { SCHEDULE_TOPIC } from '../../format/tags.js'
import type { Dispatcher } from '../../view/dispatcher.js'

/** A record with one of these is not ordinary. */
const SPECIAL_FLAGS = SysFlag.transactionMask | SysFlag.innerBatch
const NAME_BYTES = 4
/** The two names of four bytes, as numbers. */
const TAGS = propertyKey(PropertyName.tags).readInt32BE()
const KEYS = propertyKey(PropertyName.keys).readInt32BE()
const UNIQUE_KEY = propertyKey(PropertyName.uniqueKey)
/** Properties whose names begin so change where a record goes. */
const SPECIAL_NAMES = Buffer.from('INNER_', 'latin1')
const SPACE = 0x20
const LAST_ASCII = 0x7f
const MOST_TOPICS = 64

interface PlainTopic {
  readonly name: string
  /** Java hash of `topic#`, which every key's hash continues. */
  readonly keySeed: number
}

/** See the head of this file. */
export class PlainDispatch {
  readonly #dispatcher: Dispatcher
  readonly #topics = new Map<string, PlainTopic>()
  #last: PlainTopic | undefined
  #isSpecial = false
  #tagsCode = 0
  #uniqueHash = -1
  readonly #keyHashes: number[] = []
  /** How many of them belong to the record at hand; setting an array's length is slow. */
  #keyCount = 0

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher
  }

  /** Enters a checked record, if it is ordinary. @returns whether it was */
  dispatch(block: Block, at: number, size: number, commitLogOffset: number, storeTimestamp: number): boolean {
    const { view, bytes } = block
    if ((view.getInt32(at + RecordAt.sysFlag) & SPECIAL_FLAGS) !== 0) return false
    const queueId = view.getInt32(at + RecordAt.queueId)
    const name = topicRange(view, at)
    const topic = this.#topicAt(bytes, name.start, name.end)
    if (topic === undefined || queueId < 0) return false
    // The length of the properties stands in between.
    if (!this.#scan(block, name.end + 2, at + size, topic.keySeed)) return false
    const queueOffset = readRecord.queueOffset(view, at)
    this.#dispatcher.enter(topic.name, queueId, queueOffset, commitLogOffset, size, this.#tagsCode, storeTimestamp)
    if (!this.#dispatcher.wantsKeys(commitLogOffset)) return true
    if (this.#uniqueHash >= 0) this.#dispatcher.list(this.#uniqueHash, commitLogOffset, storeTimestamp)
    for (let i = 0; i < this.#keyCount; i++) this.#dispatcher.list(this.#keyHashes[i]!, commitLogOffset, storeTimestamp)
    return true
  }

  #topicAt(bytes: Buffer, start: number, end: number): PlainTopic | undefined {
    const last = this.#last
    if (last !== undefined && isSame(bytes, start, end, last.name)) return last
    const name = bytes.toString('latin1', start, end)
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      if (!isTopic(name) || name === SCHEDULE_TOPIC) return undefined
      topic = { name, keySeed: javaHash(`${name}#`) }
      if (this.#topics.size === MOST_TOPICS) this.#topics.clear()
      this.#topics.set(name, topic)
    }
    this.#last = topic
    return topic
  }

  /** Looks through the properties; as in `parseProperties`, empty ones do not count and the last of two wins. */
  #scan(block: Block, start: number, end: number, keySeed: number): boolean {
    const { view, bytes } = block
    this.#isSpecial = false
    this.#tagsCode = 0
    this.#uniqueHash = -1
    this.#keyCount = 0
    // The checksum that closes the record says nothing to the views.
    const crcAt = crcPropertyAt(block, start, end)
    const last = crcAt >= 0 && readCrcProperty(block, crcAt) >= 0 ? crcAt : end
    for (let at = start; at < last; ) {
      const name = end - at > NAME_BYTES && bytes[at + NAME_BYTES] === NAME_END ? view.getInt32(at) : 0
      if (name === TAGS) at = this.#takeTags(bytes, at + NAME_BYTES + 1, end)
      else if (name === KEYS) at = this.#takeKeys(bytes, at + NAME_BYTES + 1, end, keySeed)
      else at = this.#takeOther(bytes, at, end, keySeed)
    }
    return !this.#isSpecial
  }

  /** Takes the value that starts here, as all that follow. @returns where the next property starts */
  #takeTags(bytes: Buffer, start: number, end: number): number {
    let hash = 0
    let bits = 0
    let at = start
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (byte === VALUE_END) break
      bits |= byte
      hash = (Math.imul(31, hash) + byte) | 0
    }
    if (at > start) this.#tagsCode = hash
    if (bits > LAST_ASCII) this.#isSpecial = true
    return at + 1
  }

  #takeKeys(bytes: Buffer, start: number, end: number, keySeed: number): number {
    let first = start
    let hash = keySeed
    let bits = 0
    let count = 0
    let at = start
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (byte === VALUE_END) break
      if (byte === SPACE) {
        if (at > first) this.#keyHashes[count++] = unsigned(hash)
        first = at + 1
        hash = keySeed
      } else {
        bits |= byte
        hash = (Math.imul(31, hash) + byte) | 0
      }
    }
    if (at > first) this.#keyHashes[count++] = unsigned(hash)
    if (at > start) this.#keyCount = count
    if (bits > LAST_ASCII) this.#isSpecial = true
    return at + 1
  }

  #takeOther(bytes: Buffer, start: number, end: number, keySeed: number): number {
    let split = -1
    let at = start
    for (; at < end; at++) {
      const byte = bytes[at]
      if (byte === VALUE_END) break
      if (byte === NAME_END && split < 0) split = at
    }
    if (split <= start || split >= at - 1) return at + 1
    if (split - start === UNIQUE_KEY.length && startsWith(bytes, start, UNIQUE_KEY)) {
      this.#uniqueHash = unsigned(this.#hash(bytes, split + 1, at, keySeed))
    } else if (startsWith(bytes, start, SPECIAL_NAMES)) this.#isSpecial = true
    return at + 1
  }

  /** `javaHashContinue` over ASCII bytes. */
  #hash(bytes: Buffer, start: number, end: number, seed: number): number {
    let value = seed
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte > LAST_ASCII) this.#isSpecial = true
      value = (Math.imul(31, value) + byte) | 0
    }
    return value
  }
}

function isSame(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false
  return true
}

function startsWith(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}
