/**
 * The body in which a client sends a batch: messages one behind the other, each
 *
 * ```
 *  ClientBatchHead    20 bytes, in `tables.ts`
 *  body
 *  propertiesLength   i16
 *  properties
 * ```
 *
 * The store gives each message a record of its own; an inner batch is stored as it is, as the body of one
 * record. (`MessageDecoder.encodeMessages`, `MessageExtEncoder.encode`.)
 */
import { MessageStoreError } from '../base/errors.js'
import { blockOf } from './block.js'
import { MAX_PROPERTIES_BYTES } from './properties.js'
import { ClientBatchHead } from './tables.js'

const HEAD_BYTES = ClientBatchHead.bytes
const { totalSize: SIZE_AT, flag: FLAG_AT, bodyLength: BODY_LENGTH_AT } = ClientBatchHead.at
/** Fewest bytes of a message in a batch: no body, no properties. */
const MIN_BYTES = HEAD_BYTES + 2

/** A message in a batch. */
export interface BatchedMessage {
  /** The sender's, any 32-bit integer. */
  readonly flag: number
  readonly body: Uint8Array
  /** Properties as they stand in a record; see `properties.ts`. */
  readonly properties: Uint8Array
}

/** A message that was read from a batch. */
export interface UnbatchedMessage extends BatchedMessage {
  readonly properties: Buffer
}

/**
 * The body that carries messages.
 *
 * @throws {MessageStoreError} `MESSAGE_TOO_LARGE` for properties beyond 32,767 bytes or a batch beyond 2 GiB
 */
export function encodeClientBatch(messages: readonly BatchedMessage[]): Buffer {
  let length = 0
  for (const { body, properties } of messages) {
    if (properties.length > MAX_PROPERTIES_BYTES) {
      throw new MessageStoreError(
        'MESSAGE_TOO_LARGE',
        `properties take ${properties.length} bytes, at most ${MAX_PROPERTIES_BYTES} are allowed`,
      )
    }
    length += MIN_BYTES + body.length + properties.length
  }
  if (length > 0x7fffffff) throw new MessageStoreError('MESSAGE_TOO_LARGE', `a batch takes ${length} bytes, at most 2^31 - 1`)
  const { bytes, view } = blockOf(Buffer.alloc(length))
  let at = 0
  for (const { flag, body, properties } of messages) {
    const propertiesAt = at + MIN_BYTES + body.length
    view.setInt32(at + SIZE_AT, propertiesAt + properties.length - at)
    view.setInt32(at + FLAG_AT, flag)
    view.setInt32(at + BODY_LENGTH_AT, body.length)
    bytes.set(body, at + HEAD_BYTES)
    view.setInt16(propertiesAt - 2, properties.length)
    bytes.set(properties, propertiesAt)
    at = propertiesAt + properties.length
  }
  return bytes
}

/**
 * The messages in a batch. Bodies and properties share the memory of `batch`. Magic and CRC are not looked
 * at, as in RocketMQ; every length is.
 *
 * @param most - messages that it may have at most @default any number
 * @throws {MessageStoreError} `MESSAGE_ILLEGAL` when it has more, and when it is not whole, naming the message and its place
 */
export function decodeClientBatch(batch: Uint8Array, most = Number.POSITIVE_INFINITY): UnbatchedMessage[] {
  const { bytes, view } = blockOf(batch)
  const messages: UnbatchedMessage[] = []
  let at = 0
  while (at < bytes.length) {
    const left = bytes.length - at
    if (messages.length === most) throw new MessageStoreError('MESSAGE_ILLEGAL', `a batch may have ${most} messages at most`)
    if (left < MIN_BYTES) throw illegal(messages.length, at, `has only ${left} bytes`)
    const size = view.getInt32(at + SIZE_AT)
    if (size < MIN_BYTES || size > left) throw illegal(messages.length, at, `claims ${size} bytes, there are ${left}`)
    const bodyLength = view.getInt32(at + BODY_LENGTH_AT)
    if (bodyLength < 0 || bodyLength > size - MIN_BYTES) {
      throw illegal(messages.length, at, `claims a body of ${bodyLength} bytes in ${size}`)
    }
    const bodyEnd = at + HEAD_BYTES + bodyLength
    const propertiesLength = view.getInt16(bodyEnd)
    if (propertiesLength !== size - MIN_BYTES - bodyLength) {
      const follow = size - MIN_BYTES - bodyLength
      throw illegal(messages.length, at, `claims properties of ${propertiesLength} bytes, ${follow} follow`)
    }
    messages.push({
      flag: view.getInt32(at + FLAG_AT),
      body: bytes.subarray(at + HEAD_BYTES, bodyEnd),
      properties: bytes.subarray(bodyEnd + 2, at + size),
    })
    at += size
  }
  return messages
}

function illegal(index: number, at: number, what: string): MessageStoreError {
  return new MessageStoreError('MESSAGE_ILLEGAL', `message ${index} of a batch, at ${at}, ${what}`)
}
