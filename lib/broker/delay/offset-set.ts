/**
 * A set of queue offsets: a bit for each, in chunks that are there while they have one. Its first member, and the ones
 * behind it, are found without a look at all the others.
 */

const CHUNK_OFFSETS = 1 << 15

interface Chunk {
  readonly words: Int32Array
  count: number
}

/** See the head of this file. */
export class OffsetSet {
  /** By the number of the chunk: its first offset divided by {@link CHUNK_OFFSETS}. */
  readonly #chunks = new Map<number, Chunk>()
  /** No chunk lies before the one or behind the other. */
  #lowest = Number.POSITIVE_INFINITY
  #highest = -1
  #size = 0

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  /** Whether an offset is in it. */
  has(offset: number): boolean {
    const number = Math.floor(offset / CHUNK_OFFSETS)
    const bit = offset - number * CHUNK_OFFSETS
    const words = this.#chunks.get(number)?.words
    return words !== undefined && (words[bit >> 5]! & (1 << (bit & 31))) !== 0
  }

  /** Adds an offset, from 0. */
  add(offset: number): void {
    const number = Math.floor(offset / CHUNK_OFFSETS)
    const bit = offset - number * CHUNK_OFFSETS
    const chunk = this.#chunks.get(number) ?? this.#addChunk(number)
    const before = chunk.words[bit >> 5]!
    const after = before | (1 << (bit & 31))
    if (after === before) return
    chunk.words[bit >> 5] = after
    chunk.count++
    this.#size++
  }

  /** Takes an offset out. */
  delete(offset: number): void {
    const number = Math.floor(offset / CHUNK_OFFSETS)
    const bit = offset - number * CHUNK_OFFSETS
    const chunk = this.#chunks.get(number)
    if (chunk === undefined) return
    const before = chunk.words[bit >> 5]!
    const after = before & ~(1 << (bit & 31))
    if (after === before) return
    chunk.words[bit >> 5] = after
    this.#size--
    if (--chunk.count === 0) this.#removeChunk(number)
  }

  /** The first that is at an offset or behind it; `Infinity` when there is none. */
  firstFrom(offset: number): number {
    const wanted = Math.floor(offset / CHUNK_OFFSETS)
    let number = Math.max(wanted, this.#lowest)
    let bit = number === wanted ? offset - number * CHUNK_OFFSETS : 0
    for (; number <= this.#highest; number++) {
      const words = this.#chunks.get(number)?.words
      const found = words === undefined ? -1 : firstBit(words, bit)
      if (found >= 0) return number * CHUNK_OFFSETS + found
      bit = 0
    }
    return Number.POSITIVE_INFINITY
  }

  #addChunk(number: number): Chunk {
    const chunk = { words: new Int32Array(CHUNK_OFFSETS / 32), count: 0 }
    this.#chunks.set(number, chunk)
    this.#lowest = Math.min(this.#lowest, number)
    this.#highest = Math.max(this.#highest, number)
    return chunk
  }

  #removeChunk(number: number): void {
    const chunks = this.#chunks
    chunks.delete(number)
    if (chunks.size === 0) {
      this.#lowest = Number.POSITIVE_INFINITY
      this.#highest = -1
      return
    }
    while (!chunks.has(this.#lowest)) this.#lowest++
    while (!chunks.has(this.#highest)) this.#highest--
  }
}

/** The first bit that is set, from one on; -1 without one. */
function firstBit(words: Int32Array, from: number): number {
  let at = from >> 5
  let word = words[at]! & (-1 << (from & 31))
  while (word === 0) {
    if (++at === words.length) return -1
    word = words[at]!
  }
  return at * 32 + 31 - Math.clz32(word & -word)
}
