/**
 * Finds out how an index file is divided. Its length alone does not tell how many slots it has:
 * `40 + 4 slots + 20 entries` has many solutions. Its content does: the entries begin where one with the
 * header's first address stands, at the right distance from one with its last, and the last one's slot
 * points to it.
 */

import type { Disk, DiskFile } from '../disk/disk.js'
import { type Block, zeroBlock } from '../format/block.js'
import { getI64 } from '../format/i64.js'
import {
  decodeIndexHeader,
  entryPosition,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_SLOT_BYTES,
  type IndexHeader,
  slotPosition,
} from '../format/index-layout.js'
import { IndexEntry } from '../format/tables.js'

/** How an index file is divided. */
export interface IndexSizes {
  readonly slots: number
  readonly entries: number
}

const AT = IndexEntry.at
const READ_BYTES = 1024 * 1024
/** Slots whose tables end at the same remainder lie this far apart. */
const SLOT_STEP = INDEX_ENTRY_BYTES / INDEX_SLOT_BYTES

/** The division with a given number of slots, or `undefined` when the length does not allow it. */
export function indexSizesOf(bytes: number, slots: number): IndexSizes | undefined {
  const entries = (bytes - slotPosition(slots)) / INDEX_ENTRY_BYTES
  return Number.isInteger(entries) && entries >= 2 && slots >= 1 ? { slots, entries } : undefined
}

/** The division of a file, or `undefined` when its content does not tell: it is empty, or damaged. */
export function inferIndexSizes(disk: Disk, path: string): IndexSizes | undefined {
  const file = disk.open(path, {})
  try {
    const bytes = file.size()
    const head = Buffer.alloc(INDEX_HEADER_BYTES)
    if (file.readAt(head, 0) < head.length) return undefined
    const header = decodeIndexHeader(head)
    const entriesAtLeast = header.indexCount
    if (entriesAtLeast <= 1) return undefined
    const first = [1, 2, 3, 4, 5].find((slots) => indexSizesOf(bytes, slots) !== undefined)
    if (first === undefined) return undefined
    const block = zeroBlock(READ_BYTES)
    for (let slots = first; slotPosition(slots) + entriesAtLeast * INDEX_ENTRY_BYTES <= bytes; ) {
      const from = entryPosition(slots, 1)
      const got = file.readAt(block.bytes, from)
      const steps = Math.floor(got / INDEX_ENTRY_BYTES)
      if (steps === 0) return undefined
      for (let i = 0; i < steps; i++) {
        const candidate = slots + i * SLOT_STEP
        if (offsetIn(block, i * INDEX_ENTRY_BYTES) !== header.beginCommitLogOffset) continue
        if (isDivided(file, header, candidate)) return indexSizesOf(bytes, candidate)
      }
      slots += steps * SLOT_STEP
    }
    return undefined
  } finally {
    file.close()
  }
}

/** Whether first entry, last entry and the last one's slot are where this many slots would have them. */
function isDivided(file: DiskFile, header: IndexHeader, slots: number): boolean {
  const entry = zeroBlock(INDEX_ENTRY_BYTES)
  const last = header.indexCount - 1
  if (file.readAt(entry.bytes, entryPosition(slots, 1)) < INDEX_ENTRY_BYTES) return false
  if (entry.view.getInt32(AT.previous) !== 0 || entry.view.getInt32(AT.keyHash) < 0) return false
  if (file.readAt(entry.bytes, entryPosition(slots, last)) < INDEX_ENTRY_BYTES) return false
  if (offsetIn(entry, 0) !== header.endCommitLogOffset || entry.view.getInt32(AT.previous) >= last) return false
  const hash = entry.view.getInt32(AT.keyHash)
  if (hash < 0) return false
  const slot = Buffer.alloc(INDEX_SLOT_BYTES)
  return file.readAt(slot, slotPosition(hash % slots)) === slot.length && slot.readInt32BE(0) === last
}

function offsetIn({ view }: Block, at: number): number {
  return getI64(view, at + AT.commitLogOffset)
}
