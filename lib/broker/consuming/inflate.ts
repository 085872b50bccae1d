/**
 * Bodies that a client compressed. The store keeps them as they came; consumers of this process get them inflated,
 * under a cap: a few bytes can claim to be gigabytes.
 *
 * `sysFlag` bit 0 says that the body is compressed, bits 8 to 10 how (RocketMQ's `CompressionType`).
 */
import { inflateSync } from 'node:zlib'
import type { StoredMessage } from '../../store/stored-message.js'
import { BrokerError } from '../errors.js'

/** Kinds of compression. Persistent. Never renumber. */
const Compression = { zlibOfOld: 0, lz4: 1, zstd: 2, zlib: 3 } as const

/**
 * The body of a message, inflated.
 *
 * @throws {BrokerError} `BODY_UNREADABLE` when it is not what its flags say, or grows beyond the cap
 */
export function inflatedBody(message: StoredMessage, maxBytes: number): Buffer {
  const kind = (message.sysFlag >> 8) & 0x7
  if (kind !== Compression.zlib && kind !== Compression.zlibOfOld) {
    const name = kind === Compression.lz4 ? 'LZ4' : kind === Compression.zstd ? 'ZSTD' : `unknown (${kind})`
    throw new BrokerError(
      'BODY_UNREADABLE',
      `message ${message.messageId} is compressed by ${name}, which this broker cannot read`,
    )
  }
  try {
    return inflateSync(message.body, { maxOutputLength: maxBytes })
  } catch (error) {
    const what = `the body of message ${message.messageId} cannot be inflated to at most ${maxBytes} bytes`
    throw new BrokerError('BODY_UNREADABLE', what, { cause: error })
  }
}
