/**
 * The log's part of `verify`: every record from start to end, the blanks between, and what stands behind the end.
 */
import type { SegmentChain } from '../../disk/segment-chain.js'
import { findingWords } from '../../format/finding-words.js'
import { BLANK_BYTES, type CheckLevel, Finding } from '../../format/record.js'
import { LogScanner, type RecordVisitor } from '../../log/scanner.js'
import type { Findings } from './verify-report.js'

/** `[from, to)` of the log. */
export interface DamagedRange {
  readonly from: number
  readonly to: number
}

/** What the walk needs. */
export interface LogCheckOptions {
  readonly chain: SegmentChain
  readonly levelAt: (address: number) => CheckLevel
  readonly findings: Findings
  /** Called for each intact record. */
  readonly visit: RecordVisitor
  readonly onProgress: (address: number) => void
  /** Lets the event loop turn; throws when the check was called off. */
  readonly pause: () => Promise<void>
}

/** See the head of this file. */
export class LogCheck {
  readonly #options: LogCheckOptions
  readonly #scanner: LogScanner
  /** The damaged ranges met so far, ascending. */
  readonly damaged: DamagedRange[] = []
  records = 0
  bytes = 0
  #expected: number

  constructor(options: LogCheckOptions) {
    this.#options = options
    this.#expected = options.chain.start
    this.#scanner = new LogScanner({ ...options, onProgress: options.onProgress, pause: options.pause })
  }

  /** Whether an address lies in a damaged range. */
  isDamaged(address: number): boolean {
    return this.damaged.some(({ from, to }) => address >= from && address < to)
  }

  /** Walks from the start to `end`. */
  async walk(end: number): Promise<void> {
    const { chain } = this.#options
    let address = chain.start
    while (address < end) {
      // Retention may have taken segments away while the event loop turned.
      address = Math.max(address, chain.start)
      this.#expected = address
      const stop = await this.#scanner.scan(address, end, this.#visit)
      if (stop.address >= end) return
      if (stop.address < chain.start) {
        address = chain.start
        continue
      }
      const next = await this.#scanner.findRecord(stop.address + 1, end)
      const to = next < 0 ? end : next
      this.damaged.push({ from: stop.address, to })
      await this.#tellDamage(stop.address, to, stop.finding)
      address = to
    }
  }

  /** The last address from `end()` on whose byte is not zero, -1 without any. What is written meanwhile moves the end. */
  async behind(end: () => number): Promise<number> {
    const last = (await this.#scanner.lastNonZero(end())) - 1
    return last >= end() ? last : -1
  }

  /** Walks on behind the end, for a store that another process may be writing to. @returns where good records stop */
  async newerEnd(end: number): Promise<number> {
    const stop = await this.#scanner.scan(end, this.#options.chain.end, () => {})
    return stop.address
  }

  readonly #visit: RecordVisitor = (block, at, size, address) => {
    if (address !== this.#expected) this.#checkBlank(this.#expected, address)
    this.#expected = address + size
    this.records++
    this.bytes += size
    this.#options.visit(block, at, size, address)
  }

  /** The rest of a segment behind its blank should be zeros. */
  #checkBlank(from: number, to: number): void {
    const { chain, findings } = this.#options
    for (let address = from + BLANK_BYTES; address < to; ) {
      if (!chain.has(address) || chain.isHoleFrom(address)) return
      const bytes = Buffer.alloc(Math.min(256 * 1024, to - address))
      const got = chain.readAt(bytes, address)
      if (got === 0) return
      if (lastNonZero(bytes, got) >= 0) {
        const place = { file: fileOf(chain, address), commitLogOffset: from, to }
        findings.add('blankDirty', place, 'bytes that are not zero behind the blank', 'zeros to the end of the segment')
        return
      }
      address += got
    }
  }

  async #tellDamage(from: number, to: number, finding: Finding): Promise<void> {
    const { chain, findings } = this.#options
    const place = { file: fileOf(chain, from), commitLogOffset: from, to }
    if (!chain.has(from)) {
      findings.add('segmentMissing', place, `no segment holds the addresses ${from} to ${to}`, 'segments without a gap')
      return
    }
    const kind = finding === Finding.unwritten ? 'recordsMissing' : 'recordDamaged'
    findings.add(kind, place, `${findingWords(finding)} in ${to - from} bytes at ${from}`, 'an intact record')
  }
}

/** The segment of an address, relative to the store. */
export function fileOf(chain: SegmentChain, address: number): string {
  const path = chain.pathOf(chain.startOf(address))
  return path.slice(chain.directory.lastIndexOf('/') + 1)
}

function lastNonZero(bytes: Buffer, length: number): number {
  for (let at = length - 1; at >= 0; at--) if (bytes[at] !== 0) return at
  return -1
}
