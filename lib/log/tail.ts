/**
 * The newest bytes of the log, in memory: where records are encoded, and where readers that keep up read.
 *
 * ```
 *   chunk      chunk           chunk (current)
 *  [written ][written | pending ][written | pending | room     ]
 *   ^ oldest kept                                    ^ end of the log
 * ```
 *
 * A chunk covers consecutive addresses of one segment. Its bytes are final once they are written, so a
 * reader may keep a view of them; a chunk that was shared with a reader is left to the garbage
 * collector, any other is used again, because fresh memory costs a page fault for each 4 KiB.
 */
import { allocateBlock, type Block } from '../format/block.js'
import { BLANK_BYTES } from '../format/record.js'

/** Consecutive bytes of the log in memory. */
export interface Chunk {
  readonly block: Block
  /** Address of the first byte. */
  base: number
  /** Bytes that belong to the log, from the first. */
  used: number
  /** Bytes that have been written to the segment. */
  written: number
  /** Whether a reader holds a view of it. */
  shared: boolean
}

/** The chunks, oldest first. */
export class Tail {
  readonly #chunkBytes: number
  readonly #keepBytes: number
  #chunks: Chunk[] = []
  #spare: Chunk | undefined
  #keptBytes = 0

  /** @param keepBytes - how much of what is written stays readable in memory */
  constructor(keepBytes: number, segmentBytes: number) {
    this.#keepBytes = keepBytes
    // A chunk never holds more than a segment and the record that did not fit behind it.
    this.#chunkBytes = Math.min(1024 * 1024, Math.max(64 * 1024, keepBytes), 2 * segmentBytes)
  }

  /** The chunk that is being filled, or `undefined` before the first append. */
  get current(): Chunk | undefined {
    return this.#chunks[this.#chunks.length - 1]
  }

  /** All chunks, oldest first. */
  get chunks(): readonly Chunk[] {
    return this.#chunks
  }

  /** Opens a chunk at `base` with room for `bytes` and a blank behind them. */
  open(base: number, bytes: number): Chunk {
    const need = bytes + BLANK_BYTES
    let chunk = this.#spare
    if (chunk !== undefined && chunk.block.bytes.length >= need) {
      this.#spare = undefined
      Object.assign(chunk, { base, used: 0, written: 0, shared: false })
    } else {
      chunk = { block: allocateBlock(Math.max(this.#chunkBytes, need)), base, used: 0, written: 0, shared: false }
    }
    this.#chunks.push(chunk)
    this.#keptBytes += chunk.block.bytes.length
    this.#release()
    return chunk
  }

  /** The chunk that holds `address`, or `undefined`. */
  find(address: number): Chunk | undefined {
    for (let i = this.#chunks.length - 1; i >= 0; i--) {
      const chunk = this.#chunks[i]!
      if (address >= chunk.base) return address < chunk.base + chunk.used ? chunk : undefined
    }
    return undefined
  }

  /** Forgets everything from `address` on: a write failed, or a replica was cut. */
  cut(address: number): void {
    while (this.#chunks.length > 0) {
      const last = this.current!
      if (last.base + last.used <= address) return
      if (last.base < address) {
        last.used = address - last.base
        last.written = Math.min(last.written, last.used)
        return
      }
      this.#chunks.pop()
      this.#keptBytes -= last.block.bytes.length
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#chunks = []
    this.#spare = undefined
    this.#keptBytes = 0
  }

  /** Lets the oldest chunks go, as far as they are written and more than asked for is kept. */
  #release(): void {
    while (this.#chunks.length > 1) {
      const oldest = this.#chunks[0]!
      if (oldest.written < oldest.used || this.#keptBytes - oldest.block.bytes.length < this.#keepBytes) return
      this.#chunks.shift()
      this.#keptBytes -= oldest.block.bytes.length
      if (!oldest.shared && oldest.block.bytes.length === this.#chunkBytes) this.#spare = oldest
    }
  }
}
