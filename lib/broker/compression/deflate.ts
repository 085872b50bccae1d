/** Compresses bodies as RocketMQ's clients do: by ZLIB, which every client can read, and only large ones. */
import { deflateSync } from 'node:zlib'
import type { Message } from '../../store/message.js'
import { isCompressed, ZLIB_COMPRESSED } from './sys-flag.js'

/** RocketMQ's `compressLevel`. */
const LEVEL = 5

/** The message with its body compressed, or as it is when that is smaller than `overBytes`, or compressed. */
export function deflatedMessage(message: Message, overBytes: number): Message {
  const { body, sysFlag = 0 } = message
  // The store refuses what is no body.
  if (overBytes === Infinity || !(typeof body === 'string' || body instanceof Uint8Array)) return message
  // A character is three bytes at most.
  if (body.length * 3 < overBytes || isCompressed(sysFlag)) return message
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes.length < overBytes) return message
  return { ...message, body: deflateSync(bytes, { level: LEVEL }), sysFlag: sysFlag | ZLIB_COMPRESSED }
}
