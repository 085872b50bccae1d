/**
 * The part of a queue that a consumer has taken: from the smallest offset that is not settled to the next one to take.
 *
 * ```
 *   committed        taken, not settled, in any order       next
 *       |--- o --- x --- x --- o --- x --- o -------------- |
 * ```
 *
 * 1. `committed` is what may be told to the group's offsets: everything below it is settled.
 * 2. Offsets that were never taken (filtered out, gone) count as settled.
 *
 * A ring over the offsets, so that taking and settling cost neither a search nor an allocation.
 */
import { invariant } from '../../base/errors.js'

/** A power of two, as all that follow. */
const FIRST_CAPACITY = 64

/** See the head of this file. */
export class Window<Item> {
  #slots: (Item | undefined)[] = new Array<Item | undefined>(FIRST_CAPACITY)
  /** Picks the slot of an offset; a division would cost every message two. */
  #mask = FIRST_CAPACITY - 1
  #committed: number
  #next: number
  #count = 0

  constructor(offset: number) {
    this.#committed = offset
    this.#next = offset
  }

  /** Everything below is settled. */
  get committed(): number {
    return this.#committed
  }

  /** The first offset that was not passed yet. */
  get next(): number {
    return this.#next
  }

  /** How many are taken and not settled. */
  get count(): number {
    return this.#count
  }

  /** Takes the item at an offset, at or behind `next`; offsets between are settled. */
  take(offset: number, item: Item): void {
    // Asked before the text is made, which would cost as much as all the rest.
    if (offset < this.#next) invariant(false, `an offset of at least ${this.#next}, got ${offset}`)
    if (this.#count === 0) this.#committed = offset
    while (offset - this.#committed >= this.#slots.length) this.#grow()
    this.#slots[offset & this.#mask] = item
    this.#next = offset + 1
    this.#count++
  }

  /** Passes over offsets below `offset` that hold nothing for this consumer. */
  skipTo(offset: number): void {
    if (offset <= this.#next) return
    this.#next = offset
    if (this.#count === 0) this.#committed = offset
  }

  /** The item at an offset, unless it is settled. */
  find(offset: number): Item | undefined {
    if (offset < this.#committed || offset >= this.#next) return undefined
    return offset - this.#committed < this.#slots.length ? this.#slots[offset & this.#mask] : undefined
  }

  /** Puts another item in the place of one that is not settled. */
  replace(offset: number, item: Item): void {
    invariant(this.find(offset) !== undefined, `something to be out at ${offset}`)
    this.#slots[offset & this.#mask] = item
  }

  /** Settles an item. @returns whether it was there */
  settle(offset: number): boolean {
    if (this.find(offset) === undefined) return false
    const slots = this.#slots
    const mask = this.#mask
    slots[offset & mask] = undefined
    this.#count--
    if (this.#count === 0) this.#committed = this.#next
    else if (offset === this.#committed) {
      let at = offset + 1
      while (slots[at & mask] === undefined) at++
      this.#committed = at
    }
    return true
  }

  /** What is settled beyond `committed`, as bounds: from, to, from, to ... */
  settledAhead(): number[] {
    const bounds: number[] = []
    if (this.#count === 0) return bounds
    const slots = this.#slots
    const mask = this.#mask
    for (let offset = this.#committed; offset < this.#next; offset++) {
      const isSettled = offset - this.#committed >= slots.length || slots[offset & mask] === undefined
      if (isSettled !== (bounds.length % 2 === 1)) bounds.push(offset)
    }
    if (bounds.length % 2 === 1) bounds.push(this.#next)
    return bounds
  }

  /** What is not settled, in order. */
  *items(): IterableIterator<Item> {
    if (this.#count === 0) return
    const end = Math.min(this.#next, this.#committed + this.#slots.length)
    for (let offset = this.#committed; offset < end; offset++) {
      const item = this.#slots[offset & this.#mask]
      if (item !== undefined) yield item
    }
  }

  #grow(): void {
    const before = this.#slots
    const after = new Array<Item | undefined>(before.length * 2)
    const mask = after.length - 1
    const end = this.#committed + before.length
    for (let offset = this.#committed; offset < end; offset++) after[offset & mask] = before[offset & this.#mask]
    this.#slots = after
    this.#mask = mask
  }
}
