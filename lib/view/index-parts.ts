/** Reads parts of an index file: its header, its slots, the sum of a range. */
import type { DiskFile } from '../disk/disk.js'
import { zeroBlock } from '../format/block.js'
import { crc32 } from '../format/crc.js'
import {
  decodeIndexHeader,
  entryPosition,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  type IndexHeader,
  slotPosition,
} from '../format/index-layout.js'
import { IndexEntry } from '../format/tables.js'

const STEP_BYTES = 1024 * 1024

/** The header; a number of entries that cannot be is put right. */
export function readIndexHeader(file: DiskFile, capacity: number): IndexHeader {
  const bytes = Buffer.alloc(INDEX_HEADER_BYTES)
  file.readAt(bytes, 0)
  const header = decodeIndexHeader(bytes)
  header.indexCount = Math.min(Math.max(1, header.indexCount), capacity)
  return header
}

/** All slots. @param known - the newest entries below this number: another process may have added those behind */
export function readIndexSlots(file: DiskFile, slotCount: number, known: number): Int32Array {
  const bytes = Buffer.alloc(slotCount * 4)
  file.readAt(bytes, slotPosition(0))
  bytes.swap32()
  const slots = new Int32Array(bytes.buffer, bytes.byteOffset, slotCount)
  for (let slot = 0; slot < slotCount; slot++) {
    if (slots[slot]! >= known) slots[slot] = entryBelow(file, slotCount, slots[slot]!, known)
  }
  return slots
}

/** Memory for one: a query reads one, and a new block for each would cost as much. */
const oneSlot = zeroBlock(4)

/** One slot. @param known - as for all */
export function readIndexSlot(file: DiskFile, slotCount: number, slot: number, known: number): number {
  oneSlot.view.setInt32(0, 0)
  file.readAt(oneSlot.bytes, slotPosition(slot))
  const newest = oneSlot.view.getInt32(0)
  return newest < known ? newest : entryBelow(file, slotCount, newest, known)
}

/** The first entry of a chain whose number is below `known`. */
function entryBelow(file: DiskFile, slotCount: number, newest: number, known: number): number {
  const { bytes, view } = zeroBlock(INDEX_ENTRY_BYTES)
  let entry = newest
  while (entry >= known) {
    const got = file.readAt(bytes, entryPosition(slotCount, entry))
    const previous = got === INDEX_ENTRY_BYTES ? view.getInt32(IndexEntry.at.previous) : 0
    entry = previous < entry ? previous : 0
  }
  return entry
}

/** The CRC-32 of `[from, to)`, read piece by piece, after that of what comes before; -1 when the file ends sooner. */
export function sumOfRange(file: DiskFile, from: number, to: number, seed = 0): number {
  const block = zeroBlock(Math.max(1, Math.min(STEP_BYTES, to - from)))
  let crc = seed
  for (let at = from; at < to; ) {
    const got = file.readAt(block.bytes.subarray(0, Math.min(STEP_BYTES, to - at)), at)
    if (got === 0) return -1
    crc = crc32(block, 0, got, crc)
    at += got
  }
  return crc
}
