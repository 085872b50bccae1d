/** CRC-32 of short ranges: the tables in `lib/format/crc.ts` and zlib's native code. Nanoseconds for one. */
import { crc32 as zlibCrc32 } from 'node:zlib'
import { crc32 } from '../../lib/format/crc.js'
import { type Case, chance, repeated } from '../workload.js'

/** Ranges in one call of tinybench. */
const CALLS = 1000

/** Room to move: the same few bytes again and again would flatter both. */
const SPREAD = 64 * 1024

function caseOf(of: (bytes: Buffer, view: DataView, start: number, end: number) => number): Case {
  return async ({ plan, options: { bytes: length = 128 } }) => {
    const next = chance(256)
    const bytes = Buffer.from(Array.from({ length: SPREAD + length }, next))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let sum = 0
    const rates = await repeated(plan, CALLS, () => {
      for (let i = 0; i < CALLS; i++) {
        const start = (i * 269) % SPREAD
        sum ^= of(bytes, view, start, start + length)
      }
    })
    // The sum is told so that nobody may leave the work out.
    return { rounds: rates.map((rate) => Math.round(1e10 / rate) / 10), details: { sum } }
  }
}

export const crcHere: Case = caseOf((bytes, view, start, end) => crc32({ bytes, view }, start, end))
export const crcZlib: Case = caseOf((bytes, _view, start, end) => zlibCrc32(bytes.subarray(start, end)))
