/** The store's replication hooks: what a primary gives to replicas, and how a replica takes it. */
import { checkBoolean, checkObject, checkWhole } from '../base/arguments.js'
import { MessageStoreError, shown } from '../base/errors.js'
import type { Block } from '../format/block.js'
import { readRecord } from '../format/record.js'
import { rangeFrom } from '../log/ranges.js'
import { type FeedRequest, feed, type LogChunk } from '../replication/log-feed.js'
import { LogReceiver } from '../replication/log-receiver.js'
import { digestRange, type RangeDigest } from '../replication/range-digest.js'
import type { ReplicaLink, ReplicaProgress } from '../replication/replica-acks.js'
import { storeErrorOf } from './disk-failure.js'
import type { Foundation } from './foundation.js'
import type { WritingSide } from './writing-side.js'

/** How often a feed that waits looks whether it was told to end. */
const FEED_WAIT_MS = 5000

interface ReceivedRecord {
  readonly block: Block
  readonly at: number
  readonly size: number
  readonly address: number
}

/** @throws {TypeError} {@link RangeError} naming what is wrong about a chunk */
function checkedChunk(chunk: LogChunk): LogChunk {
  checkObject('a chunk', chunk)
  const { commitLogOffset, bytes, hasRecordCrc } = chunk
  checkWhole('commitLogOffset', commitLogOffset)
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`bytes must be a Uint8Array, got ${shown(bytes)}`)
  checkBoolean('hasRecordCrc', hasRecordCrc)
  return chunk
}

/** Hooks for replication. They move bytes and acknowledgements; connections are the caller's. */
export class Replication {
  readonly #base: Foundation
  readonly #writing: WritingSide
  #receiver: LogReceiver | undefined
  #applying: Promise<unknown> = Promise.resolve()

  constructor(base: Foundation, writing: WritingSide) {
    this.#base = base
    this.#writing = writing
  }

  /** Everything below has been acknowledged by as many replicas as the option `replication.replicas` asks for. */
  get replicatedEnd(): number {
    return this.#writing.acks.replicatedEnd
  }

  /** The connected replicas and how far each got. */
  get replicas(): readonly ReplicaLink[] {
    return this.#writing.acks.links
  }

  /** Where a replica's log ends: what it asks its primary to continue from. */
  get end(): number {
    return this.#receiver?.receivedTo ?? this.#base.log.end
  }

  /** On a primary: connects a replica, which then acknowledges through the link. */
  connect(name: string): ReplicaLink {
    this.#base.state.checkOpen()
    return this.#writing.acks.connect(name)
  }

  /**
   * On a primary: the raw bytes of the log from an address on, without end, waiting for what comes.
   *
   * Only what readers may see is given, so under `flush: 'sync'` no replica gets ahead of what its primary
   * would still have after power loss.
   *
   * @throws {MessageStoreError} `REPLICA_DIVERGED` when the log does not hold the address
   */
  follow(request: FeedRequest): AsyncIterableIterator<LogChunk> {
    const { log, visible, ranges, state, arrivals } = this.#base
    state.checkOpen()
    return feed(
      {
        start: () => log.start,
        end: () => visible.end,
        segmentBytes: log.segmentBytes,
        readAt: (target, address) => log.chain.readAt(target, address),
        crcFrom: (address) => {
          const { inside, until } = rangeFrom(ranges, address)
          return { hasRecordCrc: inside, until }
        },
        moved: (signal) => arrivals.anyMove(FEED_WAIT_MS, signal),
        pause: this.#base.pause,
        isOpen: () => state.status !== 'closing' && state.status !== 'closed',
      },
      request,
    )
  }

  /**
   * A digest of a range of the log. A replica sends that of its last bytes along when it asks to be fed.
   *
   * @throws {RangeError} when `from` is above `to`, or the log does not hold the range
   */
  digest(from: number, to: number): Promise<RangeDigest> {
    const { log, state } = this.#base
    state.checkOpen()
    return digestRange((target, address) => log.chain.readAt(target, address), from, to, this.#base.pause)
  }

  /**
   * On a replica: takes the next bytes of the primary's log. Records become readable once they are whole,
   * checked and written.
   *
   * @returns how far the replica is now, to be acknowledged; with `flush: 'sync'` after a flush
   * @throws {RangeError} for a chunk of more than half of `maxUnflushedBytes`
   * @throws {MessageStoreError} `REPLICA_DIVERGED` when the chunk does not continue the log or is damaged, `STORE_READ_ONLY` on a
   *   store that is no replica
   */
  apply(chunk: LogChunk): Promise<ReplicaProgress> {
    const applied = this.#applying
      .then(() => this.#apply(checkedChunk(chunk)))
      .catch((error: unknown) => {
        throw storeErrorOf(error)
      })
    this.#applying = applied.catch(() => {})
    return applied
  }

  /** Waits for the chunks that were given. */
  async idle(): Promise<void> {
    await this.#applying
  }

  async #apply(chunk: LogChunk): Promise<ReplicaProgress> {
    const { log, state, options } = this.#base
    const { flusher } = this.#writing
    state.checkOpen()
    if (options.replication.role !== 'replica')
      throw new MessageStoreError('STORE_READ_ONLY', 'only a store with the role replica takes a log')
    state.checkSound()
    const most = Math.floor(options.flush.maxUnflushedBytes / 2)
    if (chunk.bytes.length > most) {
      throw new RangeError(`a chunk may have ${most} bytes, half of maxUnflushedBytes, got ${chunk.bytes.length}`)
    }
    if (flusher.isBehind) await flusher.durable(log.writtenEnd)
    state.checkSound()
    if (this.end === 0 && chunk.commitLogOffset > 0) this.#startAt(chunk.commitLogOffset)
    const records: ReceivedRecord[] = []
    this.#receiver ??= new LogReceiver(log.segmentBytes, log.end)
    let refusal: unknown
    try {
      this.#receiver.take(chunk, {
        record: (block, at, size, address) => {
          log.appendRecord(block.bytes.subarray(at, at + size))
          records.push({ block, at, size, address })
        },
        blank: () => log.appendBlank(),
      })
    } catch (error) {
      // What came before a bad record is good; the primary is asked again for what follows it.
      this.#receiver = undefined
      refusal = error
    }
    this.#write(records)
    if (options.flush.policy === 'sync') await flusher.durable(log.writtenEnd)
    this.#show(records)
    if (refusal !== undefined) throw refusal
    return { receivedEnd: log.writtenEnd, flushedEnd: log.durableEnd }
  }

  /** The primary has deleted its first segments: the log begins where it says, at the start of a segment. */
  #startAt(address: number): void {
    const { log } = this.#base
    if (address % log.segmentBytes !== 0) {
      throw new MessageStoreError(
        'REPLICA_DIVERGED',
        `an empty replica must begin at the start of a segment of ${log.segmentBytes} bytes, got ${address}`,
      )
    }
    log.startAt(address)
  }

  #write(records: readonly ReceivedRecord[]): void {
    const { log } = this.#base
    const { flusher, books } = this.#writing
    try {
      log.writeTail()
    } catch (error) {
      log.undoUnwritten()
      this.#receiver = undefined
      throw error
    }
    for (const { block, at, size, address } of records) books.wrote(address + size, readRecord.storeTimestamp(block.view, at))
    flusher.written()
  }

  #show(records: readonly ReceivedRecord[]): void {
    const { log, recovered, arrivals } = this.#base
    try {
      for (const { block, at, size, address } of records) recovered.views.dispatchRecord(block, at, size, address)
    } catch (error) {
      this.#writing.fail(error)
      throw error
    }
    if (records.length > 0) arrivals.wakeAll()
    this.#writing.show(log.writtenEnd)
  }
}
