/**
 * The CommitLog: all records of all topics, one after the other.
 *
 * ```
 *   start            durableEnd     writtenEnd      end
 *     |  on the disk     | page cache    | memory    |
 * ```
 *
 * 1. `start <= durableEnd <= writtenEnd <= end`; each is a boundary between records.
 * 2. A record never straddles two segments. A segment that is full ends with a blank.
 * 3. Bytes below `writtenEnd` never change while the log is open, except by `cut`.
 * 4. From `end` on, the last segment holds zeros.
 *
 * Appends go to memory. `writeTail` carries all of them to the page cache with one positioned write, and
 * `flush` makes them durable. Who calls them, and who is told, is the business of the layers above.
 */
import { invariant } from '../base/errors.js'
import { DiskError } from '../disk/disk.js'
import type { SegmentChain } from '../disk/segment-chain.js'
import { zeroWhatIsThere } from '../disk/zeroing.js'
import { BLANK_BYTES, writeBlank } from '../format/record.js'
import { LogBlocks } from './log-blocks.js'
import { type Chunk, Tail } from './tail.js'

/** Sizes of a log. */
export interface CommitLogOptions {
  /** How much of what is written stays readable in memory. */
  readonly tailBytes: number
  /** How many bytes of blocks read from the disk are kept. */
  readonly readCacheBytes: number
  /**
   * Zeros are written ahead of the end, for a log that is flushed after each write, as long as no more than so many bytes
   * are not durable, zeros included: recovery counts on that bound. 0 for none. @default 0
   */
  readonly zerosWithin?: number
}

/**
 * How far ahead. A flush of bytes that the file already has needs no new space, and so no commit of the file
 * system's journal: two thirds of the time. More would make the flush that carries the zeros longer.
 */
const ZEROS = Buffer.alloc(256 * 1024)

/** The log. See the head of this file for what holds. */
export class CommitLog {
  readonly chain: SegmentChain
  readonly blocks: LogBlocks
  readonly #tail: Tail
  #end: number
  #writtenEnd: number
  #durableEnd: number
  #segmentEnd: number
  readonly #zerosWithin: number
  /** Up to here zeros were written ahead. */
  #zeroedEnd = 0

  /** @param end - where recovery found the end; everything below it is durable */
  constructor(chain: SegmentChain, end: number, options: CommitLogOptions) {
    this.chain = chain
    this.#tail = new Tail(options.tailBytes, chain.segmentBytes)
    this.#zerosWithin = options.zerosWithin ?? 0
    this.#end = end
    this.#writtenEnd = end
    this.#durableEnd = end
    this.#segmentEnd = this.#segmentEndOf(end)
    this.blocks = new LogBlocks(chain, this.#tail, () => this.#writtenEnd, options.readCacheBytes)
  }

  /** Address of the oldest byte. */
  get start(): number {
    // A crash may leave a later segment without the first, which a store that is only read cannot remove.
    return Math.min(this.chain.start, this.#end)
  }

  /** Where the next record goes. */
  get end(): number {
    return this.#end
  }

  /** Everything below is in the page cache at least: it survives the death of the process. */
  get writtenEnd(): number {
    return this.#writtenEnd
  }

  /** Everything below survives power loss. */
  get durableEnd(): number {
    return this.#durableEnd
  }

  /** Length of a segment in bytes. */
  get segmentBytes(): number {
    return this.chain.segmentBytes
  }

  /** Largest record, or batch, that a segment can hold beside the blank. */
  get maxRecordBytes(): number {
    return this.chain.segmentBytes - BLANK_BYTES
  }

  /** A chunk with room for `maxBytes`; encode from `chunk.used` on, then call {@link append}. */
  reserve(maxBytes: number): Chunk {
    const chunk = this.#tail.current
    if (
      chunk !== undefined &&
      chunk.base + chunk.used === this.#end &&
      chunk.used + maxBytes + BLANK_BYTES <= chunk.block.bytes.length
    ) {
      return chunk
    }
    return this.#tail.open(this.#end, maxBytes)
  }

  /**
   * Makes the bytes `[chunk.used, encodedEnd)` the next of the log. If the segment has no room for them
   * and a blank, they move to the next segment.
   *
   * @returns the chunk that now holds them; their address is `end - length`, the end of `chunk.used`
   */
  append(chunk: Chunk, encodedEnd: number): Chunk {
    const bytes = encodedEnd - chunk.used
    if (this.#end + bytes + BLANK_BYTES <= this.#segmentEnd) {
      chunk.used = encodedEnd
      this.#end += bytes
      return chunk
    }
    return this.#appendToNextSegment(chunk, encodedEnd)
  }

  #appendToNextSegment(chunk: Chunk, encodedEnd: number): Chunk {
    const bytes = encodedEnd - chunk.used
    invariant(bytes <= this.maxRecordBytes, `${bytes} bytes to fit a segment of ${this.segmentBytes}`)
    const next = this.#segmentEnd
    const from = chunk.used
    const rest = next - this.#end
    // Counted before another chunk is opened, which lets go of chunks that have nothing left to write.
    if (rest > 0) chunk.used += BLANK_BYTES
    const target = this.#tail.open(next, bytes)
    chunk.block.bytes.copy(target.block.bytes, 0, from, encodedEnd)
    // At the very end of an empty log there is no segment to fill.
    if (rest > 0) writeBlank(chunk.block, from, rest)
    target.used = bytes
    this.#end = next + bytes
    this.#segmentEnd = next + this.segmentBytes
    return target
  }

  /** Appends a record as a primary sent it; it stays within the segment. */
  appendRecord(bytes: Uint8Array): void {
    invariant(this.#end + bytes.length + BLANK_BYTES <= this.#segmentEnd, 'a replicated record to fit its segment')
    const chunk = this.reserve(bytes.length)
    chunk.block.bytes.set(bytes, chunk.used)
    chunk.used += bytes.length
    this.#end += bytes.length
  }

  /** Ends the segment with a blank: the next record goes to the next one. */
  appendBlank(): void {
    const rest = this.#segmentEnd - this.#end
    const chunk = this.reserve(BLANK_BYTES)
    writeBlank(chunk.block, chunk.used, rest)
    chunk.used += BLANK_BYTES
    this.#end = this.#segmentEnd
    this.#segmentEnd += this.segmentBytes
  }

  /** Begins an empty log at the start of a segment other than the first: a replica whose primary has deleted older ones. */
  startAt(address: number): void {
    const isEmpty = this.chain.starts.length === 0 && this.#end === 0
    invariant(isEmpty && address % this.segmentBytes === 0, `an empty log to begin at the start of a segment, got ${address}`)
    this.#end = address
    this.#writtenEnd = address
    this.#durableEnd = address
    this.#segmentEnd = this.#segmentEndOf(address)
  }

  /** Takes note that another process has written up to `end`. Only for a log that is read. */
  followTo(end: number): void {
    this.#end = end
    this.#writtenEnd = end
    this.#durableEnd = end
    this.#segmentEnd = this.#segmentEndOf(end)
  }

  /**
   * Writes everything appended to the page cache.
   *
   * @throws {DiskError} when it could not; the caller then calls {@link undoUnwritten}
   */
  writeTail(): void {
    if (this.#writtenEnd === this.#end) return
    const chunks = this.#tail.chunks
    let first = chunks.length - 1
    // An empty chunk, reserved for a record that was then refused, may stand between two that hold something.
    while (first > 0 && chunks[first - 1]!.base + chunks[first - 1]!.used > this.#writtenEnd) first--
    for (let i = first; i < chunks.length; i++) {
      const chunk = chunks[i]!
      if (chunk.written === chunk.used) continue
      this.chain.writeAt(chunk.block.bytes.subarray(chunk.written, chunk.used), chunk.base + chunk.written)
    }
    for (let i = first; i < chunks.length; i++) chunks[i]!.written = chunks[i]!.used
    this.#writtenEnd = this.#end
    if (this.#zerosWithin > 0 && this.#end > this.#zeroedEnd) this.#writeZeros()
  }

  /** Writes zeros where zeros stand. Nothing depends on it, so a disk that cannot is left to tell by the next record. */
  #writeZeros(): void {
    const room = this.#durableEnd + this.#zerosWithin - this.#end
    const length = Math.min(ZEROS.length, this.#segmentEnd - this.#end, room)
    if (length <= 0) return
    this.#zeroedEnd = this.#end + length
    try {
      this.chain.writeAt(ZEROS.subarray(0, length), this.#end)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#zeroedEnd = this.#segmentEnd
    }
  }

  /**
   * Takes back what was appended and not written, after a failed write: zeroes what a part of the write
   * left behind, so that no torn record and no stale one can come to light later.
   *
   * @returns what has to be flushed before anybody may rely on it; `undefined` when nothing was left behind
   * @throws {DiskError} when even that failed
   */
  undoUnwritten(): { from: number; to: number } | undefined {
    const torn = this.#tail.chunks.filter((chunk) => chunk.written < chunk.used)
    let zeroed = false
    for (const chunk of torn) {
      const from = chunk.base + chunk.written
      if (this.chain.has(from)) zeroed = zeroWhatIsThere(this.chain, from, chunk.base + chunk.used) || zeroed
    }
    const range = zeroed ? { from: this.#writtenEnd, to: this.#end } : undefined
    this.#tail.cut(this.#writtenEnd)
    this.#end = this.#writtenEnd
    this.#segmentEnd = this.#segmentEndOf(this.#end)
    this.blocks.forget()
    return range
  }

  /** Makes everything written by now durable. After a rejection nothing more may be written. */
  async flush(): Promise<void> {
    const target = this.#writtenEnd
    if (target === this.#durableEnd) return
    await this.chain.flush(this.#durableEnd, target)
    this.#durableEnd = Math.max(this.#durableEnd, target)
  }

  /** Creates the next segment before it is needed. Called when the current one is more than half full. */
  prepareNextSegment(): void {
    if (this.chain.end <= this.#segmentEnd) this.chain.create(this.#segmentEnd)
  }

  /** Deletes the oldest segment, which is not the last. The caller flushes the directory. */
  removeFirstSegment(): { start: number; path: string } {
    invariant(this.chain.starts.length > 1, 'a segment behind the one to delete')
    this.blocks.forget()
    return this.chain.removeFirst()
  }

  /** Bytes left in the current segment. */
  get segmentRoom(): number {
    return this.#segmentEnd - this.#end
  }

  /** Frees memory; the chain belongs to the caller. */
  close(): void {
    this.#tail.clear()
    this.blocks.forget()
  }

  #segmentEndOf(address: number): number {
    return address - (address % this.segmentBytes) + this.segmentBytes
  }
}
