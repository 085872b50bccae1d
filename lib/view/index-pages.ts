/** Single slots and entries of one index file, read through pages that stay in memory. */
import type { DiskFile } from '../disk/disk.js'
import { CACHE_PAGE_BYTES, newPageOwner, type PageCache } from '../disk/page-cache.js'
import { entryPosition, INDEX_ENTRY_BYTES, INDEX_SLOT_BYTES, slotPosition } from '../format/index-layout.js'

const PAGE_ENTRIES = CACHE_PAGE_BYTES / INDEX_ENTRY_BYTES
const PAGE_SLOTS = CACHE_PAGE_BYTES / INDEX_SLOT_BYTES

/** See the head of this file. */
export class IndexPages {
  readonly #pages: PageCache
  readonly #slotCount: number
  readonly #slotsOwner = newPageOwner()
  #entriesOwner = newPageOwner()

  constructor(pages: PageCache, slotCount: number) {
    this.#pages = pages
    this.#slotCount = slotCount
  }

  /** Where `entryAt` finds entries. */
  get view(): DataView {
    return this.#pages.view
  }

  /** The newest entry of a slot, in a file whose slots do not change any more. */
  slot(file: DiskFile, slot: number): number {
    const within = slot % PAGE_SLOTS
    const end = slotPosition(this.#slotCount)
    const needed = (within + 1) * INDEX_SLOT_BYTES
    const at = this.#pages.locate(this.#slotsOwner, (slot - within) / PAGE_SLOTS, needed, file, slotPosition(0), end)
    return at < 0 ? 0 : this.#pages.view.getInt32(at + within * INDEX_SLOT_BYTES)
  }

  /** Where an entry below `written` stands in `view`, until the next call; -1 when the file is too short. */
  entryAt(file: DiskFile, entry: number, written: number): number {
    const within = entry % PAGE_ENTRIES
    const start = entryPosition(this.#slotCount, 0)
    // Behind what is written the file has room for more, which is no content yet.
    const end = start + written * INDEX_ENTRY_BYTES
    const needed = (within + 1) * INDEX_ENTRY_BYTES
    const at = this.#pages.locate(this.#entriesOwner, (entry - within) / PAGE_ENTRIES, needed, file, start, end)
    return at < 0 ? -1 : at + within * INDEX_ENTRY_BYTES
  }

  /** Some entries will be others. */
  forgetEntries(): void {
    this.#entriesOwner = newPageOwner()
  }
}
