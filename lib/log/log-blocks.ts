/**
 * Reads the log: from the tail if it is there, else from a cached block, else with one positioned read.
 *
 * A reader that walks along asks for blocks, so that one read serves hundreds of records. A reader that
 * jumps asks for exactly the bytes of its record: reading a block for it would cost twenty times more. Only of
 * a log that the cache can hold as a whole each block is read once, whoever asks.
 */
import { LRUCache } from 'lru-cache'
import type { SegmentChain } from '../disk/segment-chain.js'
import { allocateBlock, type Block } from '../format/block.js'
import type { RecordPlace } from '../format/record.js'
import type { Chunk, Tail } from './tail.js'

/** Blocks are aligned to this. 256 KiB is read in about 40 us from the page cache. */
export const READ_BLOCK_BYTES = 256 * 1024

/** Reading this much takes no longer than reading a part of it, and is enough for most records. */
const MOST_RECORDS_BYTES = 1024

/** Whoever keeps one record that was read by itself keeps its neighbours here. */
const SHELF_BYTES = 16 * 1024

/** Records of the tail up to this length are copied for who keeps them. */
const MOST_COPIED_BYTES = 4096
const COPIES_BYTES = 64 * 1024

interface CachedBlock {
  readonly block: Block
  /** How many bytes were there when it was read. */
  readonly length: number
}

/** Where bytes of the log stand in memory. Reused from call to call. */
export class Cursor {
  /** The memory that holds them. */
  block: Block = EMPTY
  /** Index in `block` of the address asked for. */
  at = 0
  /** Index in `block` where the known bytes end. */
  available = 0
  /** Address of the block's first byte, as if it held the log from its start on. */
  base = 0
  /** Index in `block` where the known bytes begin. */
  first = 0
  /** The chunk of the tail that the block is of, when it is. */
  chunk: Chunk | undefined
  /** Whether what is to be kept is asked of {@link LogBlocks.kept}, so that the tail need not leave its memory to the reader. */
  readonly asksToKeep: boolean

  constructor(asksToKeep = false) {
    this.asksToKeep = asksToKeep
  }

  /** Whether `[address, address + bytes)` is already here; then moves `at` to it. */
  holds(address: number, bytes: number): boolean {
    // The tail may have used its memory for other addresses.
    if (this.chunk !== undefined && this.chunk.base !== this.base) return false
    const at = address - this.base
    if (at < this.first || at + bytes > this.available) return false
    this.at = at
    return true
  }
}

const EMPTY: Block = allocateBlock(0)

/** The reading side of the log. */
export class LogBlocks {
  readonly #chain: SegmentChain
  readonly #tail: Tail
  readonly #writtenEnd: () => number
  readonly #cache: LRUCache<number, CachedBlock>
  readonly #cacheBytes: number
  /** Where single records are read to, one behind the other: memory for each of them would cost as much as its read. */
  #shelf: Block = EMPTY
  #shelfUsed = SHELF_BYTES
  /** Where records of the tail are copied to, the last of them at `at`. */
  readonly #copies: { block: Block; at: number } = { block: EMPTY, at: 0 }
  #copiesUsed = COPIES_BYTES

  constructor(chain: SegmentChain, tail: Tail, writtenEnd: () => number, cacheBytes: number) {
    this.#chain = chain
    this.#tail = tail
    this.#writtenEnd = writtenEnd
    this.#cacheBytes = cacheBytes
    this.#cache = new LRUCache({ max: Math.max(2, Math.ceil(cacheBytes / READ_BLOCK_BYTES)) })
  }

  /**
   * Points the cursor at `[address, address + bytes)`.
   *
   * @param walking - whether the caller will want what follows
   * @returns whether the bytes are there; `false` past the end or before the start of the log
   */
  locate(cursor: Cursor, address: number, bytes: number, walking: boolean): boolean {
    if (cursor.holds(address, bytes)) return true
    const end = address + bytes
    if (end > this.#writtenEnd() || address < this.#chain.start) return false
    const chunk = this.#tail.find(address)
    if (chunk !== undefined && end <= chunk.base + chunk.written) {
      if (!cursor.asksToKeep) chunk.shared = true
      return point(cursor, chunk.block, chunk.base, chunk.written, address, 0, chunk)
    }
    const blockBase = address - (address % READ_BLOCK_BYTES)
    if (end <= blockBase + READ_BLOCK_BYTES) {
      const cached = this.#cache.get(blockBase)
      if (cached !== undefined && end <= blockBase + cached.length)
        return point(cursor, cached.block, blockBase, cached.length, address)
      if (walking || this.#isWorthKeeping(blockBase)) return this.#readBlock(cursor, blockBase, address, end)
    }
    return this.#readExactly(cursor, address, bytes)
  }

  /**
   * Where a copy of the record under a cursor belongs that is to be kept; `undefined` when it can be kept where it is, or copied
   * by nobody. The chunks of the tail are large and grow old, and a collection of all garbage for every few of them would cost a
   * message more than its copy.
   */
  roomForCopy({ chunk }: Cursor, bytes: number): RecordPlace | undefined {
    if (chunk === undefined || chunk.shared || bytes > MOST_COPIED_BYTES) return undefined
    if (this.#copiesUsed + bytes > COPIES_BYTES) {
      this.#copies.block = allocateBlock(COPIES_BYTES)
      this.#copiesUsed = 0
    }
    this.#copies.at = this.#copiesUsed
    return this.#copies
  }

  /**
   * Where the record under a cursor may be kept, until the next call: where it is, or in its copy.
   *
   * @param copy - the room for it, from {@link roomForCopy}, if it was copied there
   */
  kept(cursor: Cursor, bytes: number, copy: RecordPlace | undefined): RecordPlace {
    if (copy !== undefined) {
      this.#copiesUsed += bytes
      return copy
    }
    if (cursor.chunk !== undefined) cursor.chunk.shared = true
    return cursor
  }

  /** Whether a block will not change and no other will drive it out. */
  #isWorthKeeping(blockBase: number): boolean {
    const end = this.#writtenEnd()
    return end - this.#chain.start <= this.#cacheBytes && blockBase + READ_BLOCK_BYTES <= end
  }

  /**
   * Points the cursor at an address whose record has an unknown size: with as many bytes as most records have.
   *
   * @returns whether at least `bytes` are there
   */
  locateSome(cursor: Cursor, address: number, bytes: number): boolean {
    const some = Math.min(MOST_RECORDS_BYTES, this.#writtenEnd() - address, this.#segmentRest(address))
    return this.locate(cursor, address, Math.max(bytes, some), false) || this.locate(cursor, address, bytes, false)
  }

  #segmentRest(address: number): number {
    const { segmentBytes } = this.#chain
    return segmentBytes - (address % segmentBytes)
  }

  /** Forgets all blocks: bytes on the disk were cut or removed. */
  forget(): void {
    this.#cache.clear()
  }

  #readBlock(cursor: Cursor, blockBase: number, address: number, end: number): boolean {
    // The log may begin inside the block; what was there before is gone.
    if (blockBase < this.#chain.start) return this.#readExactly(cursor, address, end - address)
    // Segments need not be multiples of the block, so a block may hold bytes of two.
    const to = Math.min(blockBase + READ_BLOCK_BYTES, this.#writtenEnd())
    const block = allocateBlock(to - blockBase)
    for (let at = blockBase; at < to; ) {
      const got = this.#chain.readAt(block.bytes.subarray(at - blockBase, to - blockBase), at)
      // A segment is missing; what stands behind it in the block is read by itself.
      if (got === 0)
        return end <= at
          ? point(cursor, block, blockBase, at - blockBase, address)
          : this.#readExactly(cursor, address, end - address)
      at += got
    }
    this.#cache.set(blockBase, { block, length: to - blockBase })
    return point(cursor, block, blockBase, to - blockBase, address)
  }

  #readExactly(cursor: Cursor, address: number, bytes: number): boolean {
    if (bytes > MOST_RECORDS_BYTES) {
      const block = allocateBlock(bytes)
      if (this.#chain.readAt(block.bytes, address) < bytes) return false
      return point(cursor, block, address, bytes, address)
    }
    if (this.#shelfUsed + bytes > SHELF_BYTES) {
      this.#shelf = allocateBlock(SHELF_BYTES)
      this.#shelfUsed = 0
    }
    const first = this.#shelfUsed
    if (this.#chain.readAt(this.#shelf.bytes.subarray(first, first + bytes), address) < bytes) return false
    this.#shelfUsed += bytes
    return point(cursor, this.#shelf, address - first, first + bytes, address, first)
  }
}

function point(
  cursor: Cursor,
  block: Block,
  base: number,
  available: number,
  address: number,
  first = 0,
  chunk: Chunk | undefined = undefined,
): true {
  cursor.block = block
  cursor.base = base
  cursor.first = first
  cursor.available = available
  cursor.at = address - base
  cursor.chunk = chunk
  return true
}
