/** Overwriting with zeros what stands in a range of segments, and nothing else. */
import type { SegmentChain } from './segment-chain.js'

const STEP_BYTES = 256 * 1024
/** Half of the smallest unit in which a file system gives space. */
const PIECE_BYTES = 256

const zeros = Buffer.alloc(STEP_BYTES)

/**
 * Overwrites the non-zero bytes of `[from, to)` with zeros, without flushing. Holes stay holes, so that a full disk has
 * space enough: between two non-zero bytes of one write lie fewer zeros than the smallest hole has.
 *
 * @returns whether there were any
 * @throws {DiskError} when the disk fails
 */
export function zeroWhatIsThere(chain: SegmentChain, from: number, to: number): boolean {
  const block = Buffer.allocUnsafe(Math.min(STEP_BYTES, Math.max(0, to - from)))
  let found = false
  for (let at = from; at < to; ) {
    const got = chain.readAt(block.subarray(0, Math.min(block.length, to - at)), at)
    if (got === 0) break
    for (const run of nonZeroRuns(block, got)) {
      chain.writeAt(zeros.subarray(0, run.end - run.start), at + run.start)
      found = true
    }
    at += got
  }
  return found
}

/** The stretches of `[0, length)` that begin and end with a byte that is not zero. */
function* nonZeroRuns(bytes: Buffer, length: number): Generator<{ start: number; end: number }> {
  let run: { start: number; end: number } | undefined
  for (let piece = 0; piece < length; piece += PIECE_BYTES) {
    let end = Math.min(piece + PIECE_BYTES, length)
    if (areZeros(bytes, piece, end)) {
      if (run !== undefined) yield run
      run = undefined
      continue
    }
    let start = piece
    while (bytes[start] === 0) start++
    while (bytes[end - 1] === 0) end--
    run = { start: run?.start ?? start, end }
  }
  if (run !== undefined) yield run
}

/** For a few hundred bytes: a call of `compare` costs more than looking at them. */
function areZeros(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false
  return true
}
