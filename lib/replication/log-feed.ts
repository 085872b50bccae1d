/**
 * The log's bytes for a replica: raw, in order, from any address on, waiting for what comes.
 *
 * Pieces may cut records anywhere and never cross the end of a segment, as in RocketMQ's protocol; the
 * unused rest of a segment is sent like everything else. Only what readers may see is sent, so under
 * `flush: 'sync'` a replica never has what its primary could lose.
 */
import { checkObject, checkRequest, checkSignal, checkString, checkWhole, fieldNames } from '../base/arguments.js'
import { MessageStoreError } from '../base/errors.js'
import { digestRange, type RangeDigest } from './range-digest.js'

/** Consecutive bytes of the log. */
export interface LogChunk {
  /** Address of the first byte. */
  readonly commitLogOffset: number
  /** The bytes as they stand in the log; a piece may cut records anywhere. */
  readonly bytes: Uint8Array
  /** Whether the records in it carry whole-record CRCs that must be right. */
  readonly hasRecordCrc: boolean
}

/** The part of a store that a feed needs. */
export interface FeedSource {
  readonly start: () => number
  readonly end: () => number
  readonly segmentBytes: number
  /** Reads bytes of the log; fewer only at the end of a segment. */
  readonly readAt: (target: Uint8Array, address: number) => number
  /** Whether records from an address on carry whole-record CRCs, and up to where that holds. */
  readonly crcFrom: (address: number) => { hasRecordCrc: boolean; until: number }
  /** Resolves when the end has moved, or the store closes, or the signal fires. */
  readonly moved: (signal: AbortSignal | undefined) => Promise<void>
  readonly isOpen: () => boolean
  /** Lets the event loop turn. */
  readonly pause: () => Promise<void>
}

/** What to feed. */
export interface FeedRequest {
  /** Address to begin at: where the replica's log ends. */
  readonly from: number
  /** Most bytes of a chunk. @default 32,768 */
  readonly maxBytes?: number
  /** Ends the feed. */
  readonly signal?: AbortSignal
  /** Digest of what the replica has before `from`: nothing is sent when the primary's log differs there. */
  readonly tail?: RangeDigest
}

const feedFields = fieldNames<keyof FeedRequest>({ from: true, maxBytes: true, signal: true, tail: true })

/**
 * Feeds a replica until the signal fires or the store closes.
 *
 * @throws {MessageStoreError} `REPLICA_DIVERGED` when the log does not reach back, or not up, to `from`
 */
export function feed(source: FeedSource, request: FeedRequest): AsyncIterableIterator<LogChunk> {
  checkRequest(request, feedFields)
  return feeding(source, request)
}

async function* feeding(source: FeedSource, { from, maxBytes = 32_768, signal, tail }: FeedRequest): AsyncGenerator<LogChunk> {
  checkWhole('from', from)
  checkWhole('maxBytes', maxBytes, 1)
  checkSignal(signal)
  if (tail !== undefined) await checkTail(source, tail)
  let address = from
  while (!signal?.aborted && source.isOpen()) {
    const start = source.start()
    const end = source.end()
    if (address < start || address > end) {
      throw new MessageStoreError('REPLICA_DIVERGED', `the log holds ${start} to ${end}, the replica asks for ${address}`, {
        details: { start, end },
      })
    }
    if (address === end) {
      await source.moved(signal)
      continue
    }
    const segmentEnd = address - (address % source.segmentBytes) + source.segmentBytes
    const { hasRecordCrc, until } = source.crcFrom(address)
    const bytes = Buffer.allocUnsafeSlow(Math.min(maxBytes, end - address, segmentEnd - address, until - address))
    const got = source.readAt(bytes, address)
    if (got === 0) throw new MessageStoreError('STORE_CORRUPT', `the log cannot be read at ${address}`)
    yield { commitLogOffset: address, bytes: bytes.subarray(0, got), hasRecordCrc }
    address += got
  }
}

/** @throws {MessageStoreError} `REPLICA_DIVERGED` when the replica's log is not what the primary's is in that range */
async function checkTail({ start, end, readAt, pause }: FeedSource, tail: RangeDigest): Promise<void> {
  checkObject('tail', tail)
  const { from, to, digest } = tail
  checkWhole('tail.from', from)
  checkWhole('tail.to', to)
  checkString('tail.digest', digest)
  if (!(from >= start() && from <= to && to <= end())) {
    throw new MessageStoreError('REPLICA_DIVERGED', `the log holds ${start()} to ${end()}, the replica compares ${from} to ${to}`)
  }
  const own = await digestRange(readAt, from, to, pause)
  if (own.digest === digest) return
  const what = `from ${from} to ${to} the log digests to ${own.digest}, the replica's to ${digest}`
  throw new MessageStoreError('REPLICA_DIVERGED', what)
}
