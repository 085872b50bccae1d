/**
 * How much a frame of LZ4 holds, told from its bytes without inflating it: a block of a few bytes can stand for
 * megabytes. (LZ4 Frame Format 1.6.)
 *
 * ```
 *  magic 4 | FLG 1 | BD 1 | [content bytes 8] | [dictionary id 4] | HC 1 | blocks ... | 0 4 | [checksum 4]
 *  block:  size 4, bit 31 = stored as it is | bytes | [checksum 4]
 * ```
 */

const MAGIC = 0x184d2204
const Flag = { dictionaryId: 0x01, contentChecksum: 0x04, contentBytes: 0x08, blockChecksum: 0x10 } as const
const STORED = 0x80000000
/** A match copies at least so many bytes. */
const LEAST_MATCH = 4

/** The number of bytes in a frame. @throws {RangeError} when the bytes are not one whole frame */
export function lz4FrameBytes(frame: Buffer): number {
  if (frame.length < 11 || frame.readUInt32LE(0) !== MAGIC) throw new RangeError('not a frame of LZ4')
  const flags = frame[4]!
  if (flags & Flag.dictionaryId) throw new RangeError('a frame of LZ4 that needs a dictionary')
  const blockTail = flags & Flag.blockChecksum ? 4 : 0
  let at = 7 + (flags & Flag.contentBytes ? 8 : 0)
  let bytes = 0
  for (;;) {
    const word = frame.readUInt32LE(at)
    at += 4
    if (word === 0) break
    const size = word % STORED
    if (size + blockTail > frame.length - at) throw new RangeError('a frame of LZ4 that is cut off')
    bytes += word >= STORED ? size : blockBytes(frame.subarray(at, at + size))
    at += size + blockTail
  }
  if (at + (flags & Flag.contentChecksum ? 4 : 0) !== frame.length) throw new RangeError('bytes after a frame of LZ4')
  return bytes
}

/** Sequences of literals and matches; the last has no match. */
function blockBytes(block: Buffer): number {
  let bytes = 0
  let at = 0
  /** What a length of 15 is continued by: bytes of 255, and a last one that is less. */
  const more = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    let next: number
    do {
      if (at >= block.length) throw new RangeError('a block of LZ4 that is cut off')
      next = block[at++]!
      length += next
    } while (next === 255)
    return length
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = more(token >> 4)
    bytes += literals
    at += literals
    if (at >= block.length) break
    at += 2
    bytes += more(token & 15) + LEAST_MATCH
  }
  if (at > block.length) throw new RangeError('a block of LZ4 that is cut off')
  return bytes
}
