/**
 * An entry of a ConsumeQueue: address, size and tags code of a record; `QueueEntry` in `tables.ts`.
 *
 * `tagsCode` is the Java hash of the tags, sign-extended; for delayed messages the time when they are due;
 * below -2^31 - 1 the address of an entry in a ConsumeQueue extension file. A filler (0, 2^31 - 1, 0) stands
 * before the first message of a queue that began late. (`ConsumeQueue`.)
 */

import { getI64, setI64 } from './i64.js'
import { QueueEntry } from './tables.js'

/** Bytes of an entry. */
export const QUEUE_ENTRY_BYTES = QueueEntry.bytes
/** The size of a filler. */
export const FILLER_SIZE = 0x7fffffff
const { commitLogOffset: OFFSET_AT, size: SIZE_AT, tagsCode: TAGS_AT } = QueueEntry.at

/** Writes an entry. `tagsCode` is a safe integer. */
export function writeQueueEntry(view: DataView, at: number, commitLogOffset: number, size: number, tagsCode: number): void {
  setI64(view, at + OFFSET_AT, commitLogOffset)
  view.setInt32(at + SIZE_AT, size)
  setI64(view, at + TAGS_AT, tagsCode)
}

/** Address of the record. */
export function entryOffset(view: DataView, at: number): number {
  return getI64(view, at + OFFSET_AT)
}

/** Size of the record. */
export function entrySize(view: DataView, at: number): number {
  return view.getInt32(at + SIZE_AT)
}

/** The tags code; not exact for addresses of extension entries. */
export function entryTagsCode(view: DataView, at: number): number {
  return getI64(view, at + TAGS_AT)
}

/** Whether an entry, or a filler, was written here. */
export function isEntry(view: DataView, at: number): boolean {
  return view.getInt32(at + OFFSET_AT) >= 0 && view.getInt32(at + SIZE_AT) > 0
}

/** Whether this fills the space before a queue's first message. */
export function isFiller(view: DataView, at: number): boolean {
  return view.getInt32(at + SIZE_AT) === FILLER_SIZE && entryOffset(view, at) === 0
}
