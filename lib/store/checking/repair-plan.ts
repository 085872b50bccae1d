/**
 * Decides what `repair` writes into a damaged range of the log: records and blanks that fill it exactly.
 *
 * ```
 *   before   [ good ][ damaged ............................ ][ good ]
 *   entries          | a, 180 bytes | b, 210 bytes |
 *   after    [ good ][ stand-in a   ][ stand-in b   ][ stand-in ][ good ]
 * ```
 *
 * Queue entries tell where the lost records began, how long they were and which messages they held; each
 * gets a stand-in of its own, so that its queue entry goes on pointing to a whole record. What no entry
 * tells of is filled with stand-ins for nobody. A range that reaches the end of its segment ends with a
 * blank. A range between two records is never too short for a stand-in, because every record is at least as
 * long as the smallest one; should it be so all the same, nothing is written: no intact record may move.
 */
import { MessageStoreError } from '../../base/errors.js'
import { BLANK_BYTES } from '../../format/record.js'
import type { LostMessage } from '../../format/stand-in.js'

/** A queue entry that points into a damaged range. */
export interface LostEntry extends LostMessage {
  readonly commitLogOffset: number
  readonly size: number
  /** How many messages the record held, if it was a batch. */
  readonly batchSize?: number
}

/** What is written, in the order of the log. */
export interface RepairPiece {
  readonly kind: 'standIn' | 'blank'
  readonly address: number
  readonly size: number
  /** The message that was there, if an entry tells. */
  readonly lost?: LostEntry
}

/** A damaged range to fill. */
export interface RangeToFill {
  readonly from: number
  readonly to: number
  readonly segmentBytes: number
  /** Whether an intact record starts at `to`; if not, the log ends there. */
  readonly isFollowed: boolean
  /** Bytes of the smallest stand-in there. */
  readonly minBytes: number
  /** Entries that point into the range, in any order. */
  readonly lost: readonly LostEntry[]
}

/** Stand-ins for nobody are no longer than the largest message of default size. */
const MAX_FILL_BYTES = 1024 * 1024
/** At the end of a segment one short stand-in marks the place, a blank takes the rest. */
const MARKER_BYTES = 256

/**
 * The pieces that fill a range.
 *
 * @throws {MessageStoreError} `STORE_CORRUPT` when it is too short to hold a record
 */
export function planRepair(range: RangeToFill): RepairPiece[] {
  const { segmentBytes, lost, from } = range
  const sorted = [...lost].sort((a, b) => a.commitLogOffset - b.commitLogOffset || rank(a) - rank(b))
  const pieces: RepairPiece[] = []
  for (let start = from; start < range.to; ) {
    const segmentEnd = start - (start % segmentBytes) + segmentBytes
    const isLast = range.to > segmentEnd - BLANK_BYTES
    const end = isLast ? segmentEnd : range.to
    pieces.push(...fillPart({ ...range, lost: sorted }, start, end, isLast))
    start = end
  }
  return pieces
}

/** A message's own queue tells more of it than the queues that it was dispatched to beside. */
function rank({ topic }: LostEntry): number {
  return topic.startsWith('%LMQ%') ? 1 : 0
}

/** Fills `[start, end)`, which lies in one segment. @param isLast - whether the segment ends at `end` */
function fillPart(range: RangeToFill, start: number, end: number, isLast: boolean): RepairPiece[] {
  const { minBytes, lost, isFollowed, segmentBytes } = range
  const pieces: RepairPiece[] = []
  let at = start
  for (const entry of lost) {
    const { commitLogOffset: address, size } = entry
    if (address < at || address >= end || size < minBytes || !isRoom(address - at, minBytes)) continue
    const rest = end - address - size
    if (isLast ? rest < BLANK_BYTES : rest < 0 || (isFollowed && !isRoom(rest, minBytes))) continue
    fill(pieces, at, address, minBytes)
    pieces.push({ kind: 'standIn', address, size, lost: entry })
    at = address + size
  }
  if (isLast) return [...pieces, ...closeSegment(at, end, pieces.length === 0 ? minBytes : end)]
  if (!isRoom(end - at, minBytes)) {
    if (isFollowed) throw tooShort(at, end, minBytes)
    // Nothing stands behind it, so it may take what it needs, or the rest of the segment.
    const segmentEnd = end - (end % segmentBytes) + segmentBytes
    if (at + minBytes > segmentEnd - BLANK_BYTES) return [...pieces, ...closeSegment(at, segmentEnd, segmentEnd)]
    return [...pieces, { kind: 'standIn', address: at, size: minBytes }]
  }
  fill(pieces, at, end, minBytes)
  return pieces
}

/**
 * The blank of a segment, behind a stand-in if there is room for one: a segment should not begin with a blank,
 * because retention and RocketMQ look at its first record for its age.
 *
 * @param minBytes - bytes of the smallest stand-in, or more than there are to have none
 */
function closeSegment(from: number, end: number, minBytes: number): RepairPiece[] {
  const pieces: RepairPiece[] = []
  let at = from
  if (end - at >= minBytes + BLANK_BYTES) {
    const size = Math.min(end - at - BLANK_BYTES, Math.max(minBytes, MARKER_BYTES))
    pieces.push({ kind: 'standIn', address: at, size })
    at += size
  }
  if (end - at < BLANK_BYTES) throw tooShort(at, end, BLANK_BYTES)
  return [...pieces, { kind: 'blank', address: at, size: end - at }]
}

function isRoom(bytes: number, minBytes: number): boolean {
  return bytes === 0 || bytes >= minBytes
}

function fill(pieces: RepairPiece[], from: number, to: number, minBytes: number): void {
  for (let at = from; at < to; ) {
    const rest = to - at
    // The last piece must not be too short for a record.
    const size = rest <= MAX_FILL_BYTES + minBytes ? rest : MAX_FILL_BYTES
    pieces.push({ kind: 'standIn', address: at, size })
    at += size
  }
}

function tooShort(from: number, to: number, least: number): MessageStoreError {
  const what = `the range from ${from} to ${to} cannot be repaired: it has ${to - from} bytes, a record needs ${least}`
  return new MessageStoreError('STORE_CORRUPT', what, { details: { from, to } })
}
