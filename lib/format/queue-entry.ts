/**
 * An entry of a ConsumeQueue.
 *
 * ```
 *  0 i64 commitLogOffset    8 i32 size    12 i64 tagsCode
 * ```
 *
 * `tagsCode` is the Java hash of the tags, sign-extended; for delayed messages the time when they are due;
 * below -2^31 - 1 the address of an entry in a ConsumeQueue extension file. A filler (0, 2^31 - 1, 0) stands
 * before the first message of a queue that began late. (`ConsumeQueue`.)
 */

/** Bytes of an entry. */
export const QUEUE_ENTRY_BYTES = 20
/** The size of a filler. */
export const FILLER_SIZE = 0x7fffffff
const TWO_32 = 0x1_0000_0000

/** Writes an entry. `tagsCode` is a safe integer. */
export function writeQueueEntry(view: DataView, at: number, commitLogOffset: number, size: number, tagsCode: number): void {
  const high = Math.floor(commitLogOffset / TWO_32)
  view.setInt32(at, high)
  view.setUint32(at + 4, commitLogOffset - high * TWO_32)
  view.setInt32(at + 8, size)
  const tagsHigh = Math.floor(tagsCode / TWO_32)
  view.setInt32(at + 12, tagsHigh)
  view.setUint32(at + 16, tagsCode - tagsHigh * TWO_32)
}

/** Address of the record. */
export function entryOffset(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_32 + view.getUint32(at + 4)
}

/** Size of the record. */
export function entrySize(view: DataView, at: number): number {
  return view.getInt32(at + 8)
}

/** The tags code; not exact for addresses of extension entries. */
export function entryTagsCode(view: DataView, at: number): number {
  return view.getInt32(at + 12) * TWO_32 + view.getUint32(at + 16)
}

/** Whether an entry, or a filler, was written here. */
export function isEntry(view: DataView, at: number): boolean {
  return view.getInt32(at) >= 0 && view.getInt32(at + 8) > 0
}

/** Whether this fills the space before a queue's first message. */
export function isFiller(view: DataView, at: number): boolean {
  return view.getInt32(at + 8) === FILLER_SIZE && entryOffset(view, at) === 0
}
