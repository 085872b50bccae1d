/**
 * A digest of a range of the log: primary and replica compare theirs before bytes flow, because logs of equal
 * length need not be equal, and splicing two of them together would destroy both.
 *
 * XXH64 with seed 0, in 16 hexadecimal digits: it finds what diverged, it does not keep out who wants to deceive.
 */
import { checkWhole } from '../base/arguments.js'
import { loadXxh64 } from '../base/xxh64.js'

/** Reads bytes of the log; fewer only at the end of a segment, 0 where there is none. */
export type LogRead = (target: Uint8Array, address: number) => number

/** A range and what it digests to. */
export interface RangeDigest {
  /** Address of its first byte. */
  readonly from: number
  /** Address behind its last byte. */
  readonly to: number
  /** XXH64 of its bytes, 16 hexadecimal digits. */
  readonly digest: string
}

const STEP_BYTES = 256 * 1024

/**
 * The digest of `[from, to)`.
 *
 * @param pause - called between steps, to let the event loop turn
 * @throws {RangeError} when the bounds are no range, or the log does not hold the whole of it
 */
export async function digestRange(read: LogRead, from: number, to: number, pause: () => Promise<void>): Promise<RangeDigest> {
  checkWhole('from', from)
  checkWhole('to', to)
  if (from > to) throw new RangeError(`from must not be above to, got ${from} and ${to}`)
  const hash = (await loadXxh64()).create64()
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(STEP_BYTES, to - from)))
  for (let at = from; at < to; ) {
    const got = read(buffer.subarray(0, Math.min(buffer.length, to - at)), at)
    if (got === 0) throw new RangeError(`the log has no byte at ${at}, so no digest of ${from} to ${to}`)
    hash.update(buffer.subarray(0, got))
    at += got
    await pause()
  }
  return { from, to, digest: hash.digest().toString(16).padStart(16, '0') }
}
