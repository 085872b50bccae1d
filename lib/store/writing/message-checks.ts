/** What is refused about a message before any of it is encoded, and the most room that it can need. */
import { checkObject, checkWhole, refuseUnknown, wholeBetween, wrongValue } from '../../base/arguments.js'
import { MessageStoreError, shown } from '../../base/errors.js'
import { CRC_PROPERTY_BYTES, PropertyName, propertyKey } from '../../format/properties.js'
import { type Message, messageFields } from '../message.js'

/** RocketMQ numbers queues with 32 bits. */
const MAX_QUEUE_ID = 0x7fffffff
/** A name of a further queue takes two bytes at least, its offset seventeen at most. */
const OFFSET_ROOM = 40

const MULTI_DISPATCH = propertyKey(PropertyName.multiDispatch)

/**
 * Refuses what is no message, or has a field that nothing reads. The names are in a switch because every put is
 * checked: asking a set for each name takes a twentieth of a put, this a fiftieth.
 *
 * @throws {TypeError} naming the field
 */
export function checkMessage(message: Message): void {
  checkObject('a message', message)
  for (const name in message) {
    const field = name as keyof Message
    switch (field) {
      case 'topic':
      case 'body':
      case 'tags':
      case 'keys':
      case 'uniqueKey':
      case 'queueId':
      case 'properties':
      case 'encodedProperties':
      case 'flag':
      case 'sysFlag':
      case 'bornTimestamp':
      case 'bornHost':
      case 'storeHost':
      case 'reconsumeTimes':
      case 'preparedTransactionOffset':
        continue
      default:
        field satisfies never
        refuseUnknown('the message', message, messageFields)
    }
  }
}

/**
 * At most how many bytes the record of a message takes. Cheap, and checks types on the way.
 *
 * @throws {TypeError} for a wrong type, {@link MessageStoreError} `MESSAGE_TOO_LARGE` or `MESSAGE_ILLEGAL`
 */
export function roomFor(message: Message, maxBodyBytes: number): number {
  const { body, tags, keys, properties, encodedProperties, uniqueKey } = message
  let room = 200 + 255 + CRC_PROPERTY_BYTES + 20
  if (typeof body === 'string') room += body.length * 3
  else if (body instanceof Uint8Array) room += body.length
  else throw new TypeError(`body must be a Uint8Array or a string, got ${shown(body)}`)
  // A string has at least as many bytes as units, so that what is surely too large takes no memory.
  if (body.length > maxBodyBytes) throw tooLarge('the body', Buffer.byteLength(body), maxBodyBytes)
  if (typeof tags === 'string') room += 8 + tags.length * 3
  else if (tags !== undefined) throw new TypeError(`tags must be a string, got ${shown(tags)}`)
  if (keys !== undefined) room += keysRoom(keys)
  if (properties !== undefined) room += propertiesRoom(properties)
  if (typeof uniqueKey === 'string') room += 12 + uniqueKey.length * 3
  else if (uniqueKey !== undefined) throw new TypeError(`uniqueKey must be a string, got ${shown(uniqueKey)}`)
  if (encodedProperties === undefined) return room
  if (!(encodedProperties instanceof Uint8Array))
    throw new TypeError(`encodedProperties must be a Uint8Array, got ${shown(encodedProperties)}`)
  if (tags !== undefined || keys !== undefined || uniqueKey !== undefined || properties !== undefined)
    throw illegal('encodedProperties stand for tags, keys, uniqueKey and properties: give one or the other')
  return room + encodedProperties.length + roomForOffsets(encodedProperties)
}

/** Room for the offsets in further queues that encoded properties may name. */
function roomForOffsets(encoded: Uint8Array): number {
  const { buffer, byteOffset, length } = encoded
  const bytes = Buffer.isBuffer(encoded) ? encoded : Buffer.from(buffer, byteOffset, length)
  return bytes.includes(MULTI_DISPATCH) ? length * OFFSET_ROOM : 0
}

function keysRoom(keys: unknown): number {
  if (typeof keys === 'string') return 8 + keys.length * 3
  if (!Array.isArray(keys)) throw new TypeError(`keys must be a string or an array of strings, got ${shown(keys)}`)
  let room = 8
  for (const key of keys as readonly unknown[]) {
    if (typeof key !== 'string') throw new TypeError(`keys must be strings, got ${shown(key)}`)
    room += 1 + key.length * 3
  }
  return room
}

function propertiesRoom(properties: Readonly<Record<string, unknown>>): number {
  if (typeof properties !== 'object' || properties === null || Symbol.iterator in properties)
    throw new TypeError(`properties must be an object of strings, got ${shown(properties)}`)
  let room = 0
  for (const name of Object.keys(properties)) {
    const value = properties[name]
    if (name === PropertyName.multiDispatch) room += String(value).length * OFFSET_ROOM
    if (typeof value !== 'string') throw new TypeError(`property ${shown(name)} must be a string, got ${shown(value)}`)
    room += 2 + (name.length + value.length) * 3
  }
  return room
}

/** The queue of a message, 0 unless it says. @throws {TypeError} or {@link RangeError} */
export function queueIdOf({ queueId }: Message): number {
  if (queueId === undefined) return 0
  if (!Number.isInteger(queueId) || queueId < 0 || queueId > MAX_QUEUE_ID) wholeBetween('queueId', queueId, 0, MAX_QUEUE_ID)
  return queueId
}

/** @throws {MessageStoreError} `MESSAGE_ILLEGAL` for a text that properties cannot hold */
export function checkText(text: string, name: string): void {
  if (text.includes('\u0001') || text.includes('\u0002'))
    throw illegal(`property ${shown(name)} holds 0x01 or 0x02, which separate properties`)
  if (!text.isWellFormed()) throw illegal(`property ${shown(name)} holds half of a surrogate pair, which UTF-8 cannot represent`)
}

/** A number that takes 32 bits, 0 unless there is one. @throws {TypeError} or {@link RangeError} */
export function int32(name: string, value: number | undefined): number {
  if (value === undefined) return 0
  if (typeof value !== 'number' || (value | 0) !== value) throw wrongValue('number', name, 'a 32-bit integer', value)
  return value
}

/** A number that takes 64 bits and that JavaScript can hold. @throws {TypeError} or {@link RangeError} */
export function safeInteger(name: string, value: number): number {
  checkWhole(name, value)
  return value
}

/** The error for what is over a limit. */
export function tooLarge(what: string, bytes: number, limit: number): MessageStoreError {
  return new MessageStoreError('MESSAGE_TOO_LARGE', `${what} takes ${bytes} bytes, at most ${limit} are allowed`)
}

/** The error for what the format cannot represent. */
export function illegal(what: string): MessageStoreError {
  return new MessageStoreError('MESSAGE_ILLEGAL', what)
}
