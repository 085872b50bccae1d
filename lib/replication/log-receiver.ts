/**
 * Puts the pieces that a primary sends together again, and lets only whole, checked records through.
 *
 * What has arrived of a record is kept in memory until the rest is there. So a replica's log ends at a
 * record at any time, and damage on the way is met before it is written.
 */
import { MessageStoreError } from '../base/errors.js'
import { type Block, blockOf } from '../format/block.js'
import { CheckLevel, checkRecord, Finding, findingName, RecordAt } from '../format/record.js'
import type { LogChunk } from './log-feed.js'

/** Takes what has been checked. */
export interface RecordSink {
  /** A whole record, at `at` of a block that stays as it is. */
  record(block: Block, at: number, size: number, commitLogOffset: number): void
  /** The segment that holds `commitLogOffset` is full; its rest, from there on, is unused. */
  blank(commitLogOffset: number, rest: number): void
}

/** See the head of this file. */
export class LogReceiver {
  readonly #segmentBytes: number
  #pending: Buffer = Buffer.alloc(0)
  /** Address of the first pending byte. */
  #at: number
  /** Bytes of a segment's unused rest that are still to come. */
  #skip = 0

  /** @param end - where the replica's log ends */
  constructor(segmentBytes: number, end: number) {
    this.#segmentBytes = segmentBytes
    this.#at = end
  }

  /** Where the next chunk has to begin. */
  get receivedTo(): number {
    return this.#at + this.#pending.length
  }

  /**
   * Takes a chunk and hands the records that it completes to the sink.
   *
   * @throws {MessageStoreError} `REPLICA_DIVERGED` when it does not continue what is here, or holds no intact record; nothing of
   *   the bad record was taken, and the next chunk has to begin with it
   */
  take({ commitLogOffset, bytes, hasRecordCrc }: LogChunk, sink: RecordSink): void {
    if (commitLogOffset !== this.receivedTo) {
      throw new MessageStoreError('REPLICA_DIVERGED', `the chunk begins at ${commitLogOffset}, ${this.receivedTo} expected`)
    }
    const skipped = Math.min(this.#skip, bytes.length)
    this.#skip -= skipped
    this.#at += skipped
    const fresh = bytes.subarray(skipped)
    const block = blockOf(this.#pending.length === 0 ? fresh : Buffer.concat([this.#pending, fresh]))
    // Should a record be refused, what has arrived of it is not kept.
    this.#pending = Buffer.alloc(0)
    const taken = this.#takeRecords(block, hasRecordCrc ? CheckLevel.record : CheckLevel.body, sink)
    this.#pending = Buffer.from(block.bytes.subarray(taken))
  }

  /** Takes the whole records at the front of a block. @returns the bytes that are done with */
  #takeRecords(block: Block, level: CheckLevel, sink: RecordSink): number {
    const { length } = block.bytes
    let at = 0
    while (length - at >= 8) {
      const size = block.view.getInt32(at + RecordAt.totalSize)
      const room = this.#segmentBytes - (this.#at % this.#segmentBytes)
      const isWhole = size > 0 && at + size <= length
      const found = checkRecord(block, at, at + room, length, this.#at, level)
      if (found > 0) {
        sink.record(block, at, found, this.#at)
        at += found
        this.#at += found
      } else if (found === Finding.blank) {
        sink.blank(this.#at, room)
        at += this.#endSegment(room, length - at)
      } else if (isWhole || size <= 0 || size > room) {
        throw new MessageStoreError('REPLICA_DIVERGED', `no intact record arrived for ${this.#at}: ${findingName(found)}`)
      } else break
    }
    return at
  }

  #endSegment(room: number, available: number): number {
    const here = Math.min(room, available)
    this.#at += here
    this.#skip = room - here
    return here
  }
}
