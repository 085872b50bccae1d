/**
 * Walks the log record by record, as recovery, `verify` and a read-only follower do.
 *
 * It reads ahead in large blocks and lets the event loop turn between them. It judges nothing: where the
 * good records stop it says what it found, and the caller decides.
 */
import type { SegmentChain } from '../disk/segment-chain.js'
import { allocateBlock, type Block } from '../format/block.js'
import { type CheckLevel, checkRecord, Finding, MAGIC_V1, MAGIC_V2, RecordAt } from '../format/record.js'

/** 4 MiB holds the largest record of default size and keeps each step of a scan near 10 ms. */
const SCAN_BLOCK_BYTES = 4 * 1024 * 1024
const PAGE_BYTES = 4096

/** Called for each good record, in order. `block` is only valid during the call. */
export type RecordVisitor = (block: Block, at: number, size: number, address: number) => void

/** Where and why a scan stopped. */
export interface ScanStop {
  /** The first address that does not hold a good record; a segment's start when the one before it was whole. */
  readonly address: number
  /** What stands there; `unwritten` also when there is no such segment. */
  readonly finding: Finding
}

/** What a scanner needs to know. */
export interface ScannerOptions {
  readonly chain: SegmentChain
  /** How closely the record at an address is checked. */
  readonly levelAt: (address: number) => CheckLevel
  /** Called between blocks with the address reached. */
  readonly onProgress?: (address: number) => void
  /** Lets the event loop turn. */
  readonly pause?: () => Promise<void>
}

/** See the head of this file. */
export class LogScanner {
  readonly #options: ScannerOptions
  #block: Block = allocateBlock(0)

  constructor(options: ScannerOptions) {
    this.#options = options
  }

  /** Visits the records from `from`, a record boundary, up to `to` or the first place without a good record. */
  async scan(from: number, to: number, visit: RecordVisitor): Promise<ScanStop> {
    const { chain, onProgress, pause } = this.#options
    let address = from
    let need = 0
    while (address < to) {
      if (!chain.has(address)) return { address, finding: Finding.unwritten }
      const segmentEnd = address - (address % chain.segmentBytes) + chain.segmentBytes
      const length = this.#load(address, segmentEnd, need)
      const step = this.#walk(address, segmentEnd, length, to, visit)
      if (step.finding !== undefined) return { address: step.address, finding: step.finding }
      need = step.address === address ? this.#block.bytes.length * 2 : 0
      address = step.address
      onProgress?.(address)
      if (pause !== undefined) await pause()
    }
    return { address, finding: Finding.unwritten }
  }

  /**
   * The address of the first good record in `[from, to)` that stands on a place of its own, found by its
   * magic, or -1. A good record must carry its own address, so what looks like one rarely is not.
   */
  async findRecord(from: number, to: number, accept: RecordVisitorTest = () => true): Promise<number> {
    const { chain, levelAt, pause } = this.#options
    let address = from
    while (address < to) {
      if (!chain.has(address)) {
        const next = chain.starts.find((start) => start > address)
        if (next === undefined) return -1
        address = next
        continue
      }
      const segmentEnd = address - (address % chain.segmentBytes) + chain.segmentBytes
      const length = this.#load(address, segmentEnd, 0)
      for (const at of magicPlaces(this.#block.bytes, length)) {
        const candidate = address + at
        const size = await this.#checkAt(candidate, segmentEnd, levelAt(candidate))
        if (size > 0 && candidate < to && accept(candidate, size)) return candidate
        if (size > 0) this.#load(address, segmentEnd, 0)
      }
      // Two blocks overlap by less than a magic and its length, so that none is missed between them.
      address = address + length >= segmentEnd ? segmentEnd : address + length - 8
      if (pause !== undefined) await pause()
    }
    return -1
  }

  /** The last address in `[from, end of chain)` whose byte is not zero, plus one; `from` when all are zero. */
  async lastNonZero(from: number): Promise<number> {
    const { chain, pause } = this.#options
    let last = from
    for (let address = from; address < chain.end; ) {
      const segmentEnd = address - (address % chain.segmentBytes) + chain.segmentBytes
      if (!chain.has(address) || chain.isHoleFrom(address)) {
        address = segmentEnd
        continue
      }
      // The first step ends at a page, from which on the file system can tell holes.
      const stepEnd =
        address % PAGE_BYTES === 0 ? segmentEnd : Math.min(segmentEnd, address - (address % PAGE_BYTES) + PAGE_BYTES)
      const length = this.#load(address, stepEnd, 0)
      const found = lastNonZeroIndex(this.#block.bytes, length)
      if (found >= 0) last = address + found + 1
      address += length
      if (pause !== undefined) await pause()
    }
    return last
  }

  /** Reads one good record at `address`; the size, or a finding. The record then stands at 0 of `block`. */
  async checkOne(address: number): Promise<{ size: number; block: Block }> {
    if (!this.#options.chain.has(address)) return { size: Finding.unwritten, block: this.#block }
    const { segmentBytes } = this.#options.chain
    const segmentEnd = address - (address % segmentBytes) + segmentBytes
    const size = await this.#checkAt(address, segmentEnd, this.#options.levelAt(address))
    return { size, block: this.#single }
  }

  #single: Block = allocateBlock(0)

  async #checkAt(address: number, segmentEnd: number, level: CheckLevel): Promise<number> {
    const { chain } = this.#options
    const head = allocateBlock(8)
    if (chain.readAt(head.bytes, address) < 8) return Finding.size
    const size = Math.min(Math.max(head.view.getInt32(RecordAt.totalSize), 8), segmentEnd - address)
    this.#single = allocateBlock(size)
    const got = chain.readAt(this.#single.bytes, address)
    return checkRecord(this.#single, 0, segmentEnd - address, got, address, level)
  }

  /** Fills the block from `address`; returns how many bytes there are. */
  #load(address: number, segmentEnd: number, need: number): number {
    const wanted = Math.min(segmentEnd - address, Math.max(SCAN_BLOCK_BYTES, need))
    if (this.#block.bytes.length < wanted) this.#block = allocateBlock(wanted)
    return this.#options.chain.readAt(this.#block.bytes.subarray(0, wanted), address)
  }

  /** Visits the records in the block. Without a finding, `address` is where to go on. */
  #walk(
    base: number,
    segmentEnd: number,
    length: number,
    to: number,
    visit: RecordVisitor,
  ): { address: number; finding?: Finding } {
    const block = this.#block
    const { levelAt } = this.#options
    const limit = segmentEnd - base
    let at = 0
    while (base + at < to) {
      const address = base + at
      const size = checkRecord(block, at, limit, length, address, levelAt(address))
      if (size > 0) {
        visit(block, at, size, address)
        at += size
      } else if (size === Finding.blank) return { address: segmentEnd }
      else if (length < limit && needsMore(block, at, length, limit)) return { address }
      else return { address, finding: size as Finding }
    }
    return { address: base + at }
  }
}

/** Says whether a record found by search counts. */
export type RecordVisitorTest = (address: number, size: number) => boolean

/** Whether the record at `at` was only judged too short because the block ends inside it. */
function needsMore(block: Block, at: number, length: number, limit: number): boolean {
  if (at + 8 > length) return true
  const size = block.view.getInt32(at + RecordAt.totalSize)
  return size > 0 && at + size > length && at + size <= limit
}

/** Indexes, ascending, where a record may start because its magic follows four bytes later. */
function magicPlaces(bytes: Buffer, length: number): number[] {
  const places: number[] = []
  for (const magic of [MAGIC_V1, MAGIC_V2]) {
    const wanted = Buffer.alloc(4)
    wanted.writeInt32BE(magic)
    for (let at = bytes.indexOf(wanted, 4); at >= 0 && at + 4 <= length; at = bytes.indexOf(wanted, at + 1)) places.push(at - 4)
  }
  return places.sort((a, b) => a - b)
}

function lastNonZeroIndex(bytes: Buffer, length: number): number {
  const zeros = ZEROS
  let end = length
  while (end > 0) {
    const start = Math.max(0, end - zeros.length)
    if (bytes.compare(zeros, 0, end - start, start, end) !== 0) {
      let at = end - 1
      while (bytes[at] === 0) at--
      return at
    }
    end = start
  }
  return -1
}

const ZEROS = Buffer.alloc(64 * 1024)
