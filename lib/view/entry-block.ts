/** Queue entries in memory, reused from read to read. */
import { allocateBlock, type Block } from '../format/block.js'
import { QUEUE_ENTRY_BYTES } from '../format/queue-entry.js'

/** A growing block of entries. */
export class EntryBlock {
  #block: Block = allocateBlock(64 * QUEUE_ENTRY_BYTES)

  /** The entries' bytes. */
  get bytes(): Buffer {
    return this.#block.bytes
  }

  /** The same bytes, to decode. */
  get view(): DataView {
    return this.#block.view
  }

  /** Makes room for `count` entries; what was there is lost. */
  reserve(count: number): void {
    if (this.#block.bytes.length < count * QUEUE_ENTRY_BYTES)
      this.#block = allocateBlock(Math.max(count, 256) * QUEUE_ENTRY_BYTES)
  }
}
