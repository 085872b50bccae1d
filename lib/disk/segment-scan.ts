/** What a directory of segments holds, read strictly: RocketMQ would refuse to start on anything else. */

import { MessageStoreError, shown } from '../base/errors.js'
import { segmentName } from '../format/names.js'
import type { Disk } from './disk.js'

/** A stretch of addresses, `to` excluded. */
export interface Gap {
  readonly from: number
  readonly to: number
}

/**
 * Checks that [address, address + length) lies within 0 .. 2^53 - 1.
 *
 * @throws {MessageStoreError} `OFFSET_OVERFLOW`
 */
export function byteRange(address: number, length: number, directory: string): void {
  if (Number.isSafeInteger(address) && address >= 0 && address <= Number.MAX_SAFE_INTEGER - length) return
  throw new MessageStoreError(
    'OFFSET_OVERFLOW',
    `${length} bytes at ${shown(address)} in ${directory} do not lie within 0 .. 2^53 - 1`,
  )
}

/** Lists the segments of a directory. @throws {MessageStoreError} `STORE_INCOMPATIBLE`, `OFFSET_OVERFLOW` */
export function scanSegments(options: {
  readonly disk: Disk
  readonly directory: string
  readonly segmentBytes: number | undefined
  readonly defaultSegmentBytes?: number
  readonly option?: string
}): { starts: number[]; segmentBytes: number; leftovers: string[] } {
  const { disk, directory } = options
  const leftovers: string[] = []
  const found: { start: number; bytes: number; path: string }[] = []
  if (disk.stat(directory)?.kind === 'link') throw incompatible(`${directory} is a link`)
  for (const { name, kind } of disk.list(directory)) {
    const path = `${directory}/${name}`
    if (kind === 'directory') continue
    if (kind !== 'file') throw incompatible(`${path} is ${kind === 'link' ? 'a link' : 'no regular file'}, not a segment`)
    if (!/^\d{20}$/.test(name)) throw incompatible(`${path} is not a segment: its name is not 20 digits`)
    const bytes = disk.stat(path)?.bytes
    if (bytes === undefined) continue
    if (bytes === 0) leftovers.push(path)
    else found.push({ start: Number(name), bytes, path })
  }
  const segmentBytes = commonLength(found, options)
  const starts: number[] = []
  for (const { start } of found) {
    byteRange(start, segmentBytes, directory)
    const last = starts.at(-1)
    if (last !== undefined && start < last + segmentBytes) {
      throw incompatible(
        `segments of ${segmentBytes} bytes overlap in ${directory}: ${segmentName(last)} and ${segmentName(start)}`,
      )
    }
    starts.push(start)
  }
  return { starts, segmentBytes, leftovers }
}

/** The length that all files have, which must be the one asked for, if any was. */
function commonLength(
  found: readonly { bytes: number; path: string }[],
  options: { readonly segmentBytes: number | undefined; readonly defaultSegmentBytes?: number; readonly option?: string },
): number {
  const first = found[0]
  if (first === undefined) return options.segmentBytes ?? options.defaultSegmentBytes ?? 0
  const expected = options.segmentBytes ?? first.bytes
  const other = found.find(({ bytes }) => bytes !== expected)
  if (other === undefined) return expected
  const agreed = found.every(({ bytes }) => bytes === first.bytes)
  const advice = agreed ? `; every file has that length: open with ${options.option ?? 'segmentBytes'} ${first.bytes}` : ''
  throw incompatible(`${other.path} has ${other.bytes} bytes, expected ${expected}${advice}`, {
    path: other.path,
    bytes: other.bytes,
    expectedBytes: expected,
  })
}

function incompatible(what: string, details?: Record<string, unknown>): MessageStoreError {
  return new MessageStoreError('STORE_INCOMPATIBLE', what, details === undefined ? {} : { details })
}
