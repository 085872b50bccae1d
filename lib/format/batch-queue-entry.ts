/**
 * An entry of a BatchConsumeQueue: one record that holds a whole batch; `BatchQueueEntry` in `tables.ts`.
 *
 * Entries stand for as many queue offsets as their batch has messages, so one is found by searching for
 * `baseOffset`, not by its place. (`BatchConsumeQueue`, since 5.0.)
 */
import { getI64, setI64 } from './i64.js'
import { BatchQueueEntry } from './tables.js'

/** Bytes of an entry. */
export const BATCH_QUEUE_ENTRY_BYTES = BatchQueueEntry.bytes
/** What `compactedOffset` is outside compacted topics. */
export const NOT_COMPACTED = -1
/** Most messages in a batch. */
export const MAX_BATCH_SIZE = 0x7fff

const { commitLogOffset: OFFSET_AT, size: SIZE_AT, tagsCode: TAGS_AT, storeTimestamp: TIMESTAMP_AT } = BatchQueueEntry.at
const { baseOffset: BASE_AT, batchSize: COUNT_AT, compactedOffset: COMPACTED_AT, reserved: RESERVED_AT } = BatchQueueEntry.at

/** An entry. `tagsCode` is a safe integer of either sign, the other long numbers are safe integers of zero or more. */
export interface BatchEntry {
  /** Address of the record. */
  readonly commitLogOffset: number
  /** Size of the record. */
  readonly size: number
  /** As in a ConsumeQueue. */
  readonly tagsCode: number
  /** Milliseconds since 1970. */
  readonly storeTimestamp: number
  /** Queue offset of the first message. */
  readonly baseOffset: number
  /** Messages in the batch, at most {@link MAX_BATCH_SIZE}. */
  readonly batchSize: number
}

/** Writes an entry. */
export function writeBatchEntry(view: DataView, at: number, entry: BatchEntry): void {
  setI64(view, at + OFFSET_AT, entry.commitLogOffset)
  view.setInt32(at + SIZE_AT, entry.size)
  setI64(view, at + TAGS_AT, entry.tagsCode)
  setI64(view, at + TIMESTAMP_AT, entry.storeTimestamp)
  setI64(view, at + BASE_AT, entry.baseOffset)
  view.setInt16(at + COUNT_AT, entry.batchSize)
  view.setInt32(at + COMPACTED_AT, NOT_COMPACTED)
  view.setInt32(at + RESERVED_AT, 0)
}

/** Address of the record. */
export function batchEntryOffset(view: DataView, at: number): number {
  return getI64(view, at + OFFSET_AT)
}

/** Size of the record. */
export function batchEntrySize(view: DataView, at: number): number {
  return view.getInt32(at + SIZE_AT)
}

/** The tags code; not exact for addresses of extension entries. */
export function batchEntryTagsCode(view: DataView, at: number): number {
  return getI64(view, at + TAGS_AT)
}

/** When the batch was stored. */
export function batchEntryTimestamp(view: DataView, at: number): number {
  return getI64(view, at + TIMESTAMP_AT)
}

/** Queue offset of the first message. */
export function batchEntryBase(view: DataView, at: number): number {
  return getI64(view, at + BASE_AT)
}

/** Messages in the batch. */
export function batchEntryCount(view: DataView, at: number): number {
  return view.getInt16(at + COUNT_AT)
}

/** Whether an entry was written here. */
export function isBatchEntry(view: DataView, at: number): boolean {
  return (
    view.getInt32(at + OFFSET_AT) >= 0 &&
    view.getInt32(at + SIZE_AT) > 0 &&
    view.getInt32(at + BASE_AT) >= 0 &&
    view.getInt16(at + COUNT_AT) > 0
  )
}
