/**
 * RocketMQ's `checkpoint`: five timestamps and offsets; `Checkpoint` in `lib/format/tables.ts`. It has no
 * checksum, so it is only ever a hint. (`StoreCheckpoint`.)
 */
import type { Disk } from '../disk/disk.js'
import { readWhole, replaceFile } from '../disk/replace.js'
import { Checkpoint } from '../format/tables.js'

/** Bytes of the file. */
export const CHECKPOINT_BYTES = Checkpoint.bytes

const AT = Checkpoint.at

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
    if (bytes === undefined || bytes.length < AT.masterFlushedOffset) return 0
    const value = Number(bytes.readBigInt64BE(position))
    return Number.isSafeInteger(value) && value > 0 ? value : 0
  }
  return {
    physicMsgTimestamp: at(AT.physicMsgTimestamp),
    logicsMsgTimestamp: at(AT.logicsMsgTimestamp),
    indexMsgTimestamp: at(AT.indexMsgTimestamp),
  }
}

/** Replaces the checkpoint atomically; what else the old one holds is kept. */
export async function saveCheckpoint(disk: Disk, root: string, checkpoint: StoreCheckpoint): Promise<void> {
  const path = `${root}/checkpoint`
  const bytes = Buffer.alloc(CHECKPOINT_BYTES)
  readWhole(disk, path)?.copy(bytes)
  bytes.writeBigInt64BE(BigInt(checkpoint.physicMsgTimestamp), AT.physicMsgTimestamp)
  bytes.writeBigInt64BE(BigInt(checkpoint.logicsMsgTimestamp), AT.logicsMsgTimestamp)
  bytes.writeBigInt64BE(BigInt(checkpoint.indexMsgTimestamp), AT.indexMsgTimestamp)
  await replaceFile(disk, path, bytes)
}
