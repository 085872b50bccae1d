/**
 * The IndexFile: a hash table from keys to addresses of records, chained newest first.
 *
 * ```
 *  0                     header, `IndexHead` in `tables.ts`
 *  40 + 4 s              slot s
 *  40 + 4 slots + 20 n   entry n
 * ```
 *
 * (`IndexHeader`, `IndexFile`.)
 */
import { IndexEntry, IndexHead, IndexSlot } from './tables.js'

/** Bytes of the header. */
export const INDEX_HEADER_BYTES = IndexHead.bytes
/** Bytes of a slot. */
export const INDEX_SLOT_BYTES = IndexSlot.bytes
/** Bytes of an entry. */
export const INDEX_ENTRY_BYTES = IndexEntry.bytes

const AT = IndexHead.at

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
  bytes.writeBigInt64BE(BigInt(header.beginTimestamp), AT.beginTimestamp)
  bytes.writeBigInt64BE(BigInt(header.endTimestamp), AT.endTimestamp)
  bytes.writeBigInt64BE(BigInt(header.beginCommitLogOffset), AT.beginCommitLogOffset)
  bytes.writeBigInt64BE(BigInt(header.endCommitLogOffset), AT.endCommitLogOffset)
  bytes.writeInt32BE(header.hashSlotCount, AT.hashSlotCount)
  bytes.writeInt32BE(header.indexCount, AT.indexCount)
  return bytes
}

/** Decodes a header. */
export function decodeIndexHeader(bytes: Buffer): IndexHeader {
  return {
    beginTimestamp: Number(bytes.readBigInt64BE(AT.beginTimestamp)),
    endTimestamp: Number(bytes.readBigInt64BE(AT.endTimestamp)),
    beginCommitLogOffset: Number(bytes.readBigInt64BE(AT.beginCommitLogOffset)),
    endCommitLogOffset: Number(bytes.readBigInt64BE(AT.endCommitLogOffset)),
    hashSlotCount: bytes.readInt32BE(AT.hashSlotCount),
    indexCount: bytes.readInt32BE(AT.indexCount),
  }
}
