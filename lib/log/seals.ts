/**
 * A CRC for each segment of the log that is full: `ext/seals`.
 *
 * Records that a Java store wrote have no checksum over all their bytes, so rot in their headers and
 * properties would go unnoticed. A segment that is full and durable is read once, in the background, and its
 * CRC kept; `verify` compares. Sealed text with a line `START CRC` for each segment.
 */
import type { Disk } from '../disk/disk.js'
import { readWhole, replaceFile } from '../disk/replace.js'
import type { SegmentChain } from '../disk/segment-chain.js'
import { allocateBlock } from '../format/block.js'
import { crc32 } from '../format/crc.js'
import { decodeLines, numberIn, sealText, unsealText } from '../format/sealed-text.js'

const HEAD = 'mqlite seals 1'
const MAX_CRC = 0xffffffff
/** Read in one go: about a millisecond. */
const STEP_BYTES = 1024 * 1024

/** What seals are made of. */
export interface SealsOptions {
  readonly disk: Disk
  readonly path: string
  readonly chain: SegmentChain
  /** Lets the event loop turn. */
  readonly pause: () => Promise<void>
}

/** The seals of a log. */
export class Seals {
  readonly #options: SealsOptions
  readonly #sums: Map<number, number>

  constructor(options: SealsOptions) {
    this.#options = options
    this.#sums = decodeSeals(readWhole(options.disk, options.path))
  }

  /** The CRC of the segment that starts there, if it is sealed. */
  sumOf(start: number): number | undefined {
    return this.#sums.get(start)
  }

  /** Seals the oldest segment that ends at or below `durableEnd` and has no seal. @returns whether there was one */
  async sealNext(durableEnd: number): Promise<boolean> {
    const { chain } = this.#options
    const start = chain.starts.find((candidate) => candidate + chain.segmentBytes <= durableEnd && !this.#sums.has(candidate))
    if (start === undefined) return false
    const crc = await this.read(start)
    if (crc === undefined) return false
    this.#sums.set(start, crc)
    await this.#save()
    return true
  }

  /**
   * The CRC of a segment as it is on the disk now; `undefined` when it went away meanwhile.
   *
   * @param pause - may throw, to end it
   */
  async read(start: number, pause = this.#options.pause): Promise<number | undefined> {
    const { chain } = this.#options
    const block = allocateBlock(Math.min(STEP_BYTES, chain.segmentBytes))
    let crc = 0
    for (let at = start; at < start + chain.segmentBytes; ) {
      const wanted = Math.min(STEP_BYTES, start + chain.segmentBytes - at)
      const got = chain.readAt(block.bytes.subarray(0, wanted), at)
      if (got === 0) return undefined
      crc = crc32(block, 0, got, crc)
      at += got
      await pause()
    }
    return crc
  }

  async #save(): Promise<void> {
    const { disk, path, chain } = this.#options
    for (const start of [...this.#sums.keys()]) if (!chain.starts.includes(start)) this.#sums.delete(start)
    await replaceFile(disk, path, encodeSeals(this.#sums))
  }
}

/** Breaks the seals of the segments that a change in `[from, to)` touches. */
export async function breakSeals(disk: Disk, path: string, segmentBytes: number, from: number, to: number): Promise<void> {
  const sums = decodeSeals(readWhole(disk, path))
  const touched = [...sums.keys()].filter((start) => start < to && start + segmentBytes > from)
  if (touched.length === 0) return
  for (const start of touched) sums.delete(start)
  await replaceFile(disk, path, encodeSeals(sums))
}

/** The file for sums by the segment's start. */
export function encodeSeals(sums: ReadonlyMap<number, number>): Buffer {
  return sealText(
    HEAD,
    [...sums].sort(([a], [b]) => a - b).map(([start, crc]) => `${start} ${crc}`),
  )
}

/** The sums in a file; none when it is absent, not whole, or no file of seals. */
export function decodeSeals(bytes: Buffer | undefined): Map<number, number> {
  const sums = decodeLines(unsealText(HEAD, bytes), ([start, crc, ...rest]): [number, number] | undefined => {
    const sum: [number, number] = [numberIn(start), numberIn(crc)]
    return rest.length === 0 && sum[0] >= 0 && sum[1] <= MAX_CRC ? sum : undefined
  })
  return new Map(sums)
}
