/** How the flags of a message tell that its body is compressed, and how. */
import { SysFlag } from '../../format/record.js'

/** RocketMQ's `CompressionType`. Persistent. Never renumber. */
export const CompressionType = { zlibOfOld: 0, lz4: 1, zstd: 2, zlib: 3 } as const

/** Whether the flags of a message say that its body is compressed. */
export function isCompressed(sysFlag: number): boolean {
  return (sysFlag & SysFlag.compressed) !== 0
}

/** How a compressed body was compressed: one of {@link CompressionType}, or a number that stands for nothing yet. */
export function compressionTypeOf(sysFlag: number): number {
  return (sysFlag >> 8) & 0x7
}

/** The flags of a body that was compressed by ZLIB, as clients of 5.x set them; those of 4.x read them too. */
export const ZLIB_COMPRESSED = SysFlag.compressed | (CompressionType.zlib << 8)
