/**
 * An entry of a ConsumeQueue: address, size and tags code of a record; `QueueEntry` in `tables.ts`.
 *
 * `tagsCode` is the Java hash of the tags, sign-extended; for delayed messages the time when they are due;
 * below -2^31 - 1 the address of an entry in a ConsumeQueue extension file. A filler (0, 2^31 - 1, 0) stands
 * before the first message of a queue that began late. (`ConsumeQueue`.)
 */

import { QueueEntry } from './tables.js'

/** Bytes of an entry. */
export const QUEUE_ENTRY_BYTES = QueueEntry.bytes
/** The size of a filler. */
export const FILLER_SIZE = 0x7fffffff
const TWO_32 = 0x1_0000_0000
const { commitLogOffset: OFFSET_AT, size: SIZE_AT, tagsCode: TAGS_AT } = QueueEntry.at
const OFFSET_LOW_AT = OFFSET_AT + 4
const TAGS_LOW_AT = TAGS_AT + 4

/** Writes an entry. `tagsCode` is a safe integer. */
export function writeQueueEntry(view: DataView, at: number, commitLogOffset: number, size: number, tagsCode: number): void {
  const high = Math.floor(commitLogOffset / TWO_32)
  view.setInt32(at + OFFSET_AT, high)
  view.setUint32(at + OFFSET_LOW_AT, commitLogOffset - high * TWO_32)
  view.setInt32(at + SIZE_AT, size)
  const tagsHigh = Math.floor(tagsCode / TWO_32)
  view.setInt32(at + TAGS_AT, tagsHigh)
  view.setUint32(at + TAGS_LOW_AT, tagsCode - tagsHigh * TWO_32)
}

/** Address of the record. */
export function entryOffset(view: DataView, at: number): number {
  return view.getInt32(at + OFFSET_AT) * TWO_32 + view.getUint32(at + OFFSET_LOW_AT)
}

/** Size of the record. */
export function entrySize(view: DataView, at: number): number {
  return view.getInt32(at + SIZE_AT)
}

/** The tags code; not exact for addresses of extension entries. */
export function entryTagsCode(view: DataView, at: number): number {
  return view.getInt32(at + TAGS_AT) * TWO_32 + view.getUint32(at + TAGS_LOW_AT)
}

/** Whether an entry, or a filler, was written here. */
export function isEntry(view: DataView, at: number): boolean {
  return view.getInt32(at + OFFSET_AT) >= 0 && view.getInt32(at + SIZE_AT) > 0
}

/** Whether this fills the space before a queue's first message. */
export function isFiller(view: DataView, at: number): boolean {
  return view.getInt32(at + SIZE_AT) === FILLER_SIZE && entryOffset(view, at) === 0
}
