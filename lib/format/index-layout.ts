/**
 * The IndexFile: a hash table from keys to addresses of records, chained newest first.
 *
 * ```
 *  header   0 i64 beginTimestamp   8 i64 endTimestamp   16 i64 beginCommitLogOffset   24 i64 endCommitLogOffset
 *          32 i32 hashSlotCount   36 i32 indexCount     (starts at 1: entry 0 is never used)
 *  slots   40 + 4 s               i32 number of the slot's newest entry, 0 for none
 *  entries 40 + 4 slots + 20 n    i32 keyHash, i64 commitLogOffset, i32 seconds since beginTimestamp, i32 previous entry
 * ```
 *
 * (`IndexHeader`, `IndexFile`.)
 */

/** Bytes of the header. */
export const INDEX_HEADER_BYTES = 40
/** Bytes of a slot. */
export const INDEX_SLOT_BYTES = 4
/** Bytes of an entry. */
export const INDEX_ENTRY_BYTES = 20

/** The header. */
export interface IndexHeader {
  beginTimestamp: number
  endTimestamp: number
  beginCommitLogOffset: number
  endCommitLogOffset: number
  hashSlotCount: number
  indexCount: number
}

/** Length of a file. */
export function indexFileBytes(slots: number, entries: number): number {
  return INDEX_HEADER_BYTES + slots * INDEX_SLOT_BYTES + entries * INDEX_ENTRY_BYTES
}

/** Position of a slot. */
export function slotPosition(slot: number): number {
  return INDEX_HEADER_BYTES + slot * INDEX_SLOT_BYTES
}

/** Position of an entry. */
export function entryPosition(slots: number, entry: number): number {
  return INDEX_HEADER_BYTES + slots * INDEX_SLOT_BYTES + entry * INDEX_ENTRY_BYTES
}

/** Encodes a header. */
export function encodeIndexHeader(header: IndexHeader): Buffer {
  const bytes = Buffer.alloc(INDEX_HEADER_BYTES)
  bytes.writeBigInt64BE(BigInt(header.beginTimestamp), 0)
  bytes.writeBigInt64BE(BigInt(header.endTimestamp), 8)
  bytes.writeBigInt64BE(BigInt(header.beginCommitLogOffset), 16)
  bytes.writeBigInt64BE(BigInt(header.endCommitLogOffset), 24)
  bytes.writeInt32BE(header.hashSlotCount, 32)
  bytes.writeInt32BE(header.indexCount, 36)
  return bytes
}

/** Decodes a header. */
export function decodeIndexHeader(bytes: Buffer): IndexHeader {
  return {
    beginTimestamp: Number(bytes.readBigInt64BE(0)),
    endTimestamp: Number(bytes.readBigInt64BE(8)),
    beginCommitLogOffset: Number(bytes.readBigInt64BE(16)),
    endCommitLogOffset: Number(bytes.readBigInt64BE(24)),
    hashSlotCount: bytes.readInt32BE(32),
    indexCount: bytes.readInt32BE(36),
  }
}
