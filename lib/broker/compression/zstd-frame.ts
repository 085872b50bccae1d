/**
 * How much a frame of ZSTD holds, told from its bytes without inflating it. (RFC 8878.)
 *
 * ```
 *  magic 4 | descriptor 1 | [window 1] | [dictionary id 1-4] | [content bytes 1-8] | blocks ... | [checksum 4]
 *  block:  3 bytes: bit 0 last, bits 1-2 kind, then size | bytes; one byte where it is repeated
 * ```
 */

const MAGIC = 0xfd2fb528
const BlockKind = { stored: 0, repeated: 1, compressed: 2 } as const
/** No block holds more. */
const MAX_BLOCK_BYTES = 128 * 1024

/** What a frame holds. */
export interface ZstdBytes {
  /** As it says itself, if it does. RocketMQ's clients do not. */
  readonly told: number | undefined
  /** At most. */
  readonly most: number
}

/** @throws {RangeError} when the bytes are not one whole frame */
export function zstdFrameBytes(frame: Buffer): ZstdBytes {
  if (frame.length < 9 || frame.readUInt32LE(0) !== MAGIC) throw new RangeError('not a frame of ZSTD')
  const descriptor = frame[4]!
  if (descriptor & 0x03) throw new RangeError('a frame of ZSTD that needs a dictionary')
  const isOneSegment = (descriptor & 0x20) !== 0
  const sizeKind = descriptor >> 6
  const sizeAt = isOneSegment ? 5 : 6
  const sizeBytes = sizeKind === 0 ? (isOneSegment ? 1 : 0) : 1 << sizeKind
  const told = sizeBytes === 0 ? undefined : contentBytes(frame, sizeAt, sizeBytes)
  const { end, most } = readBlocks(frame, sizeAt + sizeBytes)
  if (end + (descriptor & 0x04 ? 4 : 0) !== frame.length) throw new RangeError('bytes after a frame of ZSTD')
  return { told, most: told ?? most }
}

/** @throws {RangeError} when what came out of a frame cannot be all of it */
export function checkZstdBytes({ told, most }: ZstdBytes, bytes: number): void {
  const isRight = told === undefined ? bytes > 0 || most === 0 : bytes === told
  if (!isRight) throw new RangeError('a frame of ZSTD that is damaged, or holds too much')
}

function contentBytes(frame: Buffer, at: number, width: number): number {
  if (width === 1) return frame.readUInt8(at)
  if (width === 2) return frame.readUInt16LE(at) + 256
  return width === 4 ? frame.readUInt32LE(at) : Number(frame.readBigUInt64LE(at))
}

/** Where the blocks end, and how much they can hold. */
function readBlocks(frame: Buffer, start: number): { end: number; most: number } {
  let at = start
  let most = 0
  for (let isLast = false; !isLast; ) {
    const word = frame.readUIntLE(at, 3)
    isLast = (word & 1) === 1
    const kind = (word >> 1) & 3
    const size = word >> 3
    if (size > MAX_BLOCK_BYTES) throw new RangeError('a block of ZSTD that is too large')
    most += kind === BlockKind.compressed ? MAX_BLOCK_BYTES : size
    at += 3 + (kind === BlockKind.repeated ? 1 : size)
    if (kind > BlockKind.compressed || at > frame.length) throw new RangeError('a block of ZSTD that is damaged, or cut off')
  }
  return { end: at, most }
}
