/**
 * Rows of a view that are not written yet: fixed-width, appended at the end, written from the front.
 *
 * Memory is allocated with the first row and let go when the last one is written, so that an idle view
 * costs next to nothing.
 */
import { allocateBlock, type Block } from '../format/block.js'

const FIRST_ROWS = 32
const KEEP_BYTES = 64 * 1024

/** See the head of this file. */
export class EntryTail {
  readonly #rowBytes: number
  #block: Block | undefined
  #capacity = 0
  /** Rows in memory. */
  count = 0

  constructor(rowBytes: number) {
    this.#rowBytes = rowBytes
  }

  /** The bytes of the rows in memory, oldest first. */
  get bytes(): Buffer {
    return this.#block!.bytes
  }

  /** The memory itself. */
  get block(): Block {
    return this.#block!
  }

  /** The same, to decode and to encode. */
  get view(): DataView {
    return this.#block!.view
  }

  /** Adds a row and returns where it is to be encoded. */
  add(): number {
    if (this.count === this.#capacity) this.#grow()
    return this.count++ * this.#rowBytes
  }

  /** Lets the oldest `count` rows go. */
  drop(count: number): void {
    this.count -= count
    if (this.count === 0 && this.bytes.length > KEEP_BYTES) this.clear()
    else if (this.count > 0) this.bytes.copyWithin(0, count * this.#rowBytes, (count + this.count) * this.#rowBytes)
  }

  /** Takes the newest rows back, keeping `count`. */
  cut(count: number): void {
    this.count = count
  }

  /** Lets everything go, memory too. */
  clear(): void {
    this.count = 0
    this.#block = undefined
    this.#capacity = 0
  }

  #grow(): void {
    this.#capacity = this.#capacity === 0 ? FIRST_ROWS : this.#capacity * 2
    const grown = allocateBlock(this.#capacity * this.#rowBytes)
    if (this.#block !== undefined) this.#block.bytes.copy(grown.bytes, 0, 0, this.count * this.#rowBytes)
    this.#block = grown
  }
}
