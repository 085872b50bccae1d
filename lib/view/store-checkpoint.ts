/**
 * RocketMQ's `checkpoint`: five timestamps and offsets in a file of 4096 bytes.
 *
 * ```
 *  0 i64 physicMsgTimestamp   8 i64 logicsMsgTimestamp   16 i64 indexMsgTimestamp
 * 24 i64 masterFlushedOffset 32 i64 confirmPhyOffset     40 zeros
 * ```
 *
 * (`StoreCheckpoint`; the last two since 5.0.) It has no checksum, so it is only ever a hint.
 */
import type { Disk } from '../disk/disk.js'
import { readWhole, replaceFile } from '../disk/replace.js'

/** Bytes of the file. */
export const CHECKPOINT_BYTES = 4096

/** The timestamps, milliseconds since 1970; 0 when unknown. */
export interface StoreCheckpoint {
  readonly physicMsgTimestamp: number
  readonly logicsMsgTimestamp: number
  readonly indexMsgTimestamp: number
}

/** Reads the checkpoint; zeros when it is absent, short, or holds what no clock ever showed. */
export function loadCheckpoint(disk: Disk, root: string): StoreCheckpoint {
  const bytes = readWhole(disk, `${root}/checkpoint`)
  const at = (position: number): number => {
    if (bytes === undefined || bytes.length < 24) return 0
    const value = Number(bytes.readBigInt64BE(position))
    return Number.isSafeInteger(value) && value > 0 ? value : 0
  }
  return { physicMsgTimestamp: at(0), logicsMsgTimestamp: at(8), indexMsgTimestamp: at(16) }
}

/** Replaces the checkpoint atomically; what else the old one holds is kept. */
export async function saveCheckpoint(disk: Disk, root: string, checkpoint: StoreCheckpoint): Promise<void> {
  const path = `${root}/checkpoint`
  const bytes = Buffer.alloc(CHECKPOINT_BYTES)
  readWhole(disk, path)?.copy(bytes)
  bytes.writeBigInt64BE(BigInt(checkpoint.physicMsgTimestamp), 0)
  bytes.writeBigInt64BE(BigInt(checkpoint.logicsMsgTimestamp), 8)
  bytes.writeBigInt64BE(BigInt(checkpoint.indexMsgTimestamp), 16)
  await replaceFile(disk, path, bytes)
}
