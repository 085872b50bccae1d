/**
 * The slots of one index file: in each the number of the newest entry of its hashes.
 *
 * They stand in memory once they are needed: always for the file that is being filled. In a store that is only read,
 * and whose writer fills the file, only those do that have entries in memory, until many of them were wanted: to read
 * all of them takes as long as to read some thousands one by one. The rest is in the file, or in pages of it.
 */
import type { DiskFile } from '../disk/disk.js'
import { zeroBlock } from '../format/block.js'
import { slotPosition } from '../format/index-layout.js'
import { DirtyPages } from './dirty-pages.js'
import type { IndexPages } from './index-pages.js'
import { readIndexSlot, readIndexSlots } from './index-parts.js'

const PAGE_SLOTS = 1024
/** Pages that are written at once, if they stand together. */
const PAGES_WRITTEN = 64
/** So many are written in a few milliseconds; keys are spread over all of them, and all are twenty megabytes. */
const PAGES_AT_ONCE = 512
/** Single slots that are read in the time that all of them take. */
const MOST_FEW = 4096

/** See the head of this file. */
export class IndexSlots {
  /** How many there are. */
  readonly count: number
  readonly #pages: IndexPages
  readonly #dirty: DirtyPages
  /** Without it another process may go on filling the file. */
  readonly #writable: boolean
  #all: Int32Array | undefined
  readonly #few = new Map<number, number>()
  /** How many were read one by one. */
  #reads = 0

  constructor(count: number, pages: IndexPages, writable: boolean) {
    this.count = count
    this.#pages = pages
    this.#dirty = new DirtyPages(Math.ceil(count / PAGE_SLOTS))
    this.#writable = writable
  }

  /** Whether some have changed since they were written. */
  get isDirty(): boolean {
    return this.#dirty.count > 0
  }

  /** Puts others in their place: those of a new file, or made anew from the entries. */
  replace(slots: Int32Array): void {
    this.#all = slots
    this.#few.clear()
  }

  /** Notes that none is in the file as it is here. */
  noteAll(): void {
    this.#dirty.noteAll()
  }

  /** All of them as queries see them. Not a copy where they are in memory. @param written - entries below are in the file */
  table(file: DiskFile, written: number): Int32Array {
    if (this.#all !== undefined) return this.#all
    const slots = readIndexSlots(file, this.count, this.#writable ? Number.POSITIVE_INFINITY : written)
    for (const [slot, entry] of this.#few) slots[slot] = entry
    return slots
  }

  /** Holds all of them in memory. */
  keep(file: DiskFile, written: number): void {
    if (this.#all === undefined) this.replace(this.table(file, written))
  }

  /** Whether queries of a file that is being filled are to hold all of them in memory, as the first put would. */
  get areWorthKeeping(): boolean {
    return this.#writable
  }

  /** Gives the memory back. Only when nothing is dirty. */
  release(): void {
    this.#all = undefined
  }

  /** The newest entry of a slot, for a query. @param isFull - whether nobody fills the file any more */
  newest(file: DiskFile, slot: number, written: number, isFull: boolean): number {
    if (this.#all !== undefined) return this.#all[slot]!
    // Only of a file that nobody fills any more what was read once may be kept.
    if (this.#writable || isFull) return this.#few.get(slot) ?? this.#pages.slot(file, slot)
    return this.#few.get(slot) ?? this.#readOne(file, slot, written)
  }

  #readOne(file: DiskFile, slot: number, written: number): number {
    if (++this.#reads < MOST_FEW) return readIndexSlot(file, this.count, slot, written)
    this.keep(file, written)
    return this.#all![slot]!
  }

  /** Puts a new entry into its slot. @returns the one that was there */
  exchange(file: DiskFile, slot: number, entry: number, written: number): number {
    if (this.#all === undefined && this.#writable) this.keep(file, written)
    const before = this.#all === undefined ? (this.#few.get(slot) ?? this.#readOne(file, slot, written)) : this.#all[slot]!
    // Reading one of them may have been the end of reading one by one.
    if (this.#all === undefined) this.#few.set(slot, entry)
    else this.#all[slot] = entry
    this.#dirty.note((slot / PAGE_SLOTS) | 0)
    return before
  }

  /**
   * Writes dirty pages, those that stand together at once, and not all of them if they are many.
   *
   * @param first - from this page on
   * @param written - entries below are in the file; a slot whose newest entry is not gets its newest one that is
   * @param previous - the entry before one that is not in the file
   * @returns the page to go on with, or -1 when the last one is written
   */
  write(file: DiskFile, written: number, previous: (entry: number) => number, first = 0): number {
    if (this.#all === undefined || !this.isDirty) return -1
    let count = 0
    for (const { from, to } of this.#dirty.runs(PAGES_WRITTEN, first)) {
      if (count >= PAGES_AT_ONCE) return from
      this.#writePages(file, from, to, written, previous)
      count += to - from
    }
    return -1
  }

  #writePages(file: DiskFile, from: number, to: number, written: number, previous: (entry: number) => number): void {
    const all = this.#all!
    const first = from * PAGE_SLOTS
    const end = Math.min(to * PAGE_SLOTS, this.count)
    const block = zeroBlock((end - first) * 4)
    const unfinished = new Set<number>()
    if (isBelow(all, first, end, written)) {
      new Int32Array(block.bytes.buffer, block.bytes.byteOffset, end - first).set(all.subarray(first, end))
      block.bytes.swap32()
    } else
      for (let at = 0; at < block.bytes.length; at += 4) {
        let entry = all[first + at / 4]!
        if (entry >= written) unfinished.add(from + Math.floor(at / (PAGE_SLOTS * 4)))
        while (entry >= written) entry = previous(entry)
        block.view.setInt32(at, entry)
      }
    file.writeAt(block.bytes, slotPosition(first))
    for (let page = from; page < to; page++) if (!unfinished.has(page)) this.#dirty.clear(page)
  }
}

/** Whether all newest entries of some slots are in the file. */
function isBelow(slots: Int32Array, first: number, end: number, written: number): boolean {
  for (let slot = first; slot < end; slot++) if (slots[slot]! >= written) return false
  return true
}
