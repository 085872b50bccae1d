/** Reads the entries of an index file from the front, as far as they are whole, and makes the slots from them. */
import type { DiskFile } from '../disk/disk.js'
import { zeroBlock } from '../format/block.js'
import { getI64 } from '../format/i64.js'
import { entryPosition, INDEX_ENTRY_BYTES } from '../format/index-layout.js'
import { IndexEntry } from '../format/tables.js'

const { keyHash: HASH_AT, commitLogOffset: OFFSET_AT, seconds: SECONDS_AT, previous: PREVIOUS_AT } = IndexEntry.at
const LOAD_ENTRIES = 50_000

/** Address of the record of the entry at `at`. */
export function indexedOffset(view: DataView, at: number): number {
  return getI64(view, at + OFFSET_AT)
}

/** What to read. */
export interface IndexScanPlan {
  readonly file: DiskFile
  readonly slotCount: number
  /** Look at no entry from this number on. */
  readonly most: number
  /** Keep entries of records below this. */
  readonly logEnd: number
  /** How many there are, by the header or by a manifest, entry 0 included. */
  readonly known: number
  /** Whether a manifest tells how many there are, so that none of them is a place never written. */
  readonly isNoted: boolean
}

/** What was read. */
export interface IndexScan {
  readonly slots: Int32Array
  /** Slots in use. */
  readonly used: number
  /** Entries that are kept, entry 0 included. */
  readonly count: number
  /** Address of the last one's record, -1 without any. */
  readonly last: number
  /** Seconds of the last one; the first counts its own from the file before. */
  readonly seconds: number
  /** Whether all known entries were whole. */
  readonly isWhole: boolean
}

/** See the head of this file. */
export function scanIndexEntries({ file, slotCount, most, logEnd, known, isNoted }: IndexScanPlan): IndexScan {
  const slots = new Int32Array(slotCount)
  const { bytes, view } = zeroBlock(Math.min(LOAD_ENTRIES, Math.max(1, most - 1)) * INDEX_ENTRY_BYTES)
  let count = 1
  let last = -1
  let used = 0
  let seconds = 0
  const result = (isWhole: boolean): IndexScan => ({ slots, used, count, last, seconds, isWhole })
  // Without a header the entries have no time to count from, and what is not there has to come from the log.
  const end = known > 1 ? most : 1
  for (let first = 1; first < end; first += LOAD_ENTRIES) {
    const wanted = Math.min(LOAD_ENTRIES, end - first)
    file.readAt(bytes.subarray(0, wanted * INDEX_ENTRY_BYTES), entryPosition(slotCount, first))
    for (let at = 0; at < wanted * INDEX_ENTRY_BYTES; at += INDEX_ENTRY_BYTES) {
      const hash = view.getInt32(at + HASH_AT)
      const offset = indexedOffset(view, at)
      if (offset >= logEnd) return result(true)
      const slot = hash % slotCount
      // A key of hash 0 in the very first record looks the same; without a manifest it only costs a scan.
      const isUnwritten = hash === 0 && offset === 0 && !isNoted
      if (hash < 0 || offset < last || isUnwritten || view.getInt32(at + PREVIOUS_AT) !== slots[slot])
        return result(count >= known)
      if (slots[slot] === 0) used++
      seconds = count === 1 ? 0 : view.getInt32(at + SECONDS_AT)
      slots[slot] = count++
      last = offset
    }
  }
  return result(true)
}
