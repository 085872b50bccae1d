/**
 * Bodies that a client compressed. The store keeps them as they came; consumers of this process get them inflated,
 * under a cap: a few bytes can claim to be gigabytes.
 *
 * `sysFlag` bit 0 says that the body is compressed, bits 8 to 10 how (RocketMQ's `CompressionType`). ZLIB is Node's
 * own, ZSTD is from Node 22.15 on; what is missing is read by optional packages. These know no cap, so what a body
 * grows to is told from its bytes before they get it.
 */
import { inflateSync } from 'node:zlib'
import type { StoredMessage } from '../../store/stored-message.js'
import { BrokerError } from '../errors.js'
import { lz4FrameBytes } from './lz4-frame.js'
import { type Decoders, loadDecoders } from './optional-decoders.js'
import { CompressionType, compressionTypeOf } from './sys-flag.js'
import { checkZstdBytes, zstdFrameBytes } from './zstd-frame.js'

/**
 * The body of a compressed message, inflated.
 *
 * @throws {BrokerError} `BODY_UNREADABLE` when it is not what its flags say, grows beyond the cap, or the package that
 *   reads it is not installed
 */
export type InflateBody = (message: Pick<StoredMessage, 'messageId' | 'body' | 'sysFlag'>) => Buffer

/** Makes ready what inflates. @param maxBytes - bodies that grow beyond are refused */
export async function loadInflater(maxBytes: number, load: () => Promise<Decoders> = loadDecoders): Promise<InflateBody> {
  return inflaterOf(await load(), maxBytes)
}

/** As {@link loadInflater}, with what reads the kinds of compression that Node does not. */
export function inflaterOf(decoders: Decoders, maxBytes: number): InflateBody {
  const inflaters: Readonly<Record<number, (body: Buffer) => Buffer>> = {
    [CompressionType.zlibOfOld]: (body) => inflateSync(body, { maxOutputLength: maxBytes }),
    [CompressionType.zlib]: (body) => inflateSync(body, { maxOutputLength: maxBytes }),
    [CompressionType.lz4]: (body) => inflateLz4(body, maxBytes, decoders),
    [CompressionType.zstd]: (body) => inflateZstd(body, maxBytes, decoders),
  }
  return ({ messageId, body, sysFlag }) => {
    const inflate = inflaters[compressionTypeOf(sysFlag)]
    const which = `the body of message ${messageId}`
    if (inflate === undefined) throw unreadable(`${which} is compressed in an unknown way (${compressionTypeOf(sysFlag)})`)
    try {
      return inflate(body)
    } catch (error) {
      if (error instanceof BrokerError) throw error
      throw unreadable(`${which} cannot be inflated to at most ${maxBytes} bytes`, error)
    }
  }
}

function inflateLz4(body: Buffer, maxBytes: number, { lz4 }: Decoders): Buffer {
  const bytes = lz4FrameBytes(body)
  if (bytes > maxBytes) throw new RangeError(`the frame holds ${bytes} bytes`)
  if (lz4 === undefined) throw missing('LZ4', 'lz4-napi')
  const inflated = lz4(body)
  if (inflated.length !== bytes) throw new RangeError(`the frame holds ${bytes} bytes, ${inflated.length} came out`)
  return inflated
}

function inflateZstd(body: Buffer, maxBytes: number, { zstd }: Decoders): Buffer {
  const bytes = zstdFrameBytes(body)
  if (bytes.told !== undefined && bytes.told > maxBytes) throw new RangeError(`the frame says that it holds ${bytes.told} bytes`)
  if (zstd === undefined) throw missing('ZSTD', 'zstddec')
  const inflated = zstd(body, Math.min(bytes.most, maxBytes))
  checkZstdBytes(bytes, inflated.length)
  return inflated
}

function missing(kind: string, name: string): BrokerError {
  return unreadable(`a body compressed by ${kind} is read by the package ${name}, which is not there: npm install ${name}`)
}

function unreadable(what: string, cause?: unknown): BrokerError {
  return new BrokerError('BODY_UNREADABLE', what, cause === undefined ? undefined : { cause })
}
