/**
 * How far the log may run ahead of what is durable. Recovery concludes from it: a good record further than
 * that behind a bad one shows that the bad one had been durable.
 *
 * ```
 *   durableEnd          end                              start of a record
 *      |<-- < allowed -->|<- rest of a segment ->|<-- batch -->|
 *      |<---------------------- bound ------------------------>|
 * ```
 *
 * A put is let in while less than `allowed` is not durable. It may skip the rest of a segment, which is
 * shorter than the put itself and a blank.
 */
import { BLANK_BYTES } from '../format/record.js'

/** The limits of a log. */
export interface UnflushedLimits {
  /** Puts wait while as much as this is not durable. */
  readonly allowed: number
  /** Largest batch, and largest record. */
  readonly maxBatchBytes: number
  /** No record begins this far behind what is durable. */
  readonly bound: number
}

/**
 * The limits for a bound that the user gave.
 *
 * @param maxRecordBytes - largest record of one message
 * @param segmentRoom - most bytes of records that a segment can hold
 */
export function unflushedLimits(maxUnflushedBytes: number, maxRecordBytes: number, segmentRoom: number): UnflushedLimits {
  const maxBatchBytes = Math.min(segmentRoom, Math.max(maxRecordBytes, Math.floor(maxUnflushedBytes / 2)))
  return { allowed: maxUnflushedBytes, maxBatchBytes, bound: maxUnflushedBytes + 2 * maxBatchBytes + BLANK_BYTES }
}
