/**
 * Finds the end of the log after whatever happened, and makes what is kept durable.
 *
 * 1. Walk from a place that is known to be good; every good record is handed on (views are rebuilt from it).
 * 2. Where the good records stop, gather the facts and look the action up in `recovery-cases.ts`.
 * 3. `cut`: keep the cut bytes as evidence under `ext/`, then overwrite them with zeros and flush, so that
 *    no stale record can come back. `refuse`: change nothing, go on behind the damage.
 * 4. Write what is kept above the watermark again in place and flush: after a failed flush the page cache
 *    may show bytes that the disk never got.
 *
 * Running it twice gives the same bytes: a crash inside recovery is one more crash.
 */
import type { Disk } from '../disk/disk.js'
import { DiskError } from '../disk/disk.js'
import type { SegmentChain } from '../disk/segment-chain.js'
import { zeroWhatIsThere } from '../disk/zeroing.js'
import type { Block } from '../format/block.js'
import { Finding, findingName, readRecord } from '../format/record.js'
import { keepEvidence } from './evidence.js'
import { decideRecovery, type FoundKind, type Writer } from './recovery-cases.js'
import type { LogScanner, RecordVisitor, ScanStop } from './scanner.js'

/** What is known before the walk. */
export interface RecoveryPlan {
  /** Who wrote last. */
  readonly writer: Writer
  /** Where to start; a record boundary. */
  readonly scanFrom: number
  /** Everything below is known to have been durable. For a Java store it is found on the way. */
  readonly watermark: number
  /** A good record further than this behind a bad one proves that the bad one had been durable. */
  readonly unflushedBound: number
  /** For a Java store: records stored by then had been flushed. Milliseconds. */
  readonly physicMs: number
  /** Whether anything may be changed. */
  readonly writable: boolean
}

/** What the views on the disk can tell. */
export interface ViewEvidence {
  /** The furthest record end that an entry on the disk points to. mqlite writes no entry before its record is durable. */
  readonly evidenceEnd: number
  /** Whether a queue entry on the disk points to this record. */
  confirms(block: Block, at: number, address: number): boolean
}

/** What recovery works on. */
export interface RecoveryPorts {
  readonly disk: Disk
  readonly chain: SegmentChain
  readonly scanner: LogScanner
  readonly evidence: ViewEvidence
  /** Directory for kept evidence. */
  readonly extDirectory: string
  readonly visit: RecordVisitor
}

/** A range of the log that is damaged and was durable. */
export interface CorruptRange {
  readonly from: number
  /** Where the next good record starts, or the end of what is known to have been there. */
  readonly to: number
  /** What the check found at `from`. */
  readonly finding: string
  /** Why it must have been durable. */
  readonly evidence: string
}

/** What was cut. */
export interface CutRange {
  readonly from: number
  readonly to: number
  readonly finding: string
  /** File under `ext/` that holds the cut bytes; empty when the store was opened to be read. */
  readonly keptAs: string
}

/** What recovery found and did. */
export interface LogRecovery {
  /** Where the log ends. */
  readonly end: number
  readonly records: number
  readonly scannedBytes: number
  readonly cut: CutRange | undefined
  readonly corruption: readonly CorruptRange[]
  /** Bytes written again in place. */
  readonly rewrittenBytes: number
  /** Set when there was no space to keep the evidence: nothing was cut, nothing may be written. */
  readonly noSpace: boolean
}

/** Recovers the log. @throws {DiskError} when the disk fails for another reason than space */
export async function recoverLog(plan: RecoveryPlan, ports: RecoveryPorts): Promise<LogRecovery> {
  return new Recovery(plan, ports).run()
}

class Recovery {
  readonly #plan: RecoveryPlan
  readonly #ports: RecoveryPorts
  readonly #corruption: CorruptRange[] = []
  #watermark: number
  #records = 0
  readonly #isJava: boolean
  /** Store timestamp of the last good record, of a Java store. */
  #lastMs = 0

  constructor(plan: RecoveryPlan, ports: RecoveryPorts) {
    this.#plan = plan
    this.#ports = ports
    this.#watermark = plan.watermark
    this.#isJava = plan.writer === 'java'
  }

  async run(): Promise<LogRecovery> {
    const { scanFrom, writable } = this.#plan
    this.#noteGaps(scanFrom)
    const stop = await this.#walk(scanFrom)
    const base = {
      end: stop.address,
      records: this.#records,
      scannedBytes: stop.address - scanFrom,
      corruption: this.#corruption,
    }
    if (this.#corruption.length > 0 || !writable) {
      const cut = stop.cutTo > stop.address ? this.#cutReport(stop, '') : undefined
      return { ...base, cut, rewrittenBytes: 0, noSpace: false }
    }
    try {
      const cut = stop.cutTo > stop.address ? await this.#cut(stop) : undefined
      await this.#dropUnreachable(stop.address)
      const rewrittenBytes = await this.#rewrite(stop.address)
      return { ...base, cut, rewrittenBytes, noSpace: false }
    } catch (error) {
      if (!(error instanceof DiskError && error.isSpace)) throw error
      return { ...base, cut: undefined, rewrittenBytes: 0, noSpace: true }
    }
  }

  /** Segments that are missing where the log is not walked, because everything there had been durable. */
  #noteGaps(scanFrom: number): void {
    for (const { from, to } of this.#ports.chain.gaps) {
      if (from >= Math.min(scanFrom, this.#watermark)) return
      this.#corruption.push({ from, to, finding: findingName(Finding.unwritten), evidence: `flushed up to ${this.#watermark}` })
    }
  }

  /** Walks to where the log ends; damaged ranges that were durable are noted and stepped over. */
  async #walk(from: number): Promise<ScanStop & { cutTo: number }> {
    const { scanner, chain } = this.#ports
    let address = from
    for (;;) {
      const stop = await scanner.scan(address, chain.end, this.#visit)
      const facts = await this.#judge(stop)
      const { action } = decideRecovery({ found: facts.found, durable: facts.evidence !== '', writer: this.#plan.writer })
      if (action === 'keep') return { ...stop, cutTo: stop.address }
      if (action === 'cut') return { ...stop, cutTo: facts.lastNonZero }
      const next = await scanner.findRecord(stop.address + 1, chain.end)
      const to = next >= 0 ? next : Math.max(facts.lastNonZero, this.#watermark, stop.address)
      this.#corruption.push({ from: stop.address, to, finding: findingName(stop.finding), evidence: facts.evidence })
      if (next < 0) return { ...stop, address: to, cutTo: to }
      address = next
    }
  }

  readonly #visit: RecordVisitor = (block, at, size, address) => {
    this.#records++
    if (this.#isJava) {
      this.#lastMs = readRecord.storeTimestamp(block.view, at)
      if (this.#lastMs <= this.#plan.physicMs) this.#watermark = Math.max(this.#watermark, address + size)
    }
    this.#ports.visit(block, at, size, address)
  }

  /** The facts at a stop; `evidence` is empty when nothing shows that it had been durable. */
  async #judge(stop: ScanStop): Promise<{ found: FoundKind; lastNonZero: number; evidence: string }> {
    const { scanner, chain, evidence } = this.#ports
    const { writer } = this.#plan
    const lastNonZero = stop.address >= chain.end ? stop.address : await scanner.lastNonZero(stop.address)
    const found = stop.finding !== Finding.unwritten ? 'damage' : lastNonZero === stop.address ? 'end' : 'hole'
    if (stop.address < this.#watermark) return { found, lastNonZero, evidence: `flushed up to ${this.#watermark}` }
    if (writer === 'mqlite' && evidence.evidenceEnd > stop.address) {
      return { found, lastNonZero, evidence: `a queue entry points to a record that ends at ${evidence.evidenceEnd}` }
    }
    if (found === 'end') return { found, lastNonZero, evidence: '' }
    const later = await this.#laterDurableRecord(stop.address, lastNonZero)
    return { found, lastNonZero, evidence: later < 0 ? '' : `an intact record at ${later} that had been flushed` }
  }

  /** Address of an intact record behind `address` that can only be there if `address` had been durable, or -1. */
  async #laterDurableRecord(address: number, lastNonZero: number): Promise<number> {
    const { scanner } = this.#ports
    const { writer, unflushedBound } = this.#plan
    if (writer === 'mqlite') return scanner.findRecord(address + unflushedBound, lastNonZero)
    for (let from = address + 1; ; ) {
      const candidate = await scanner.findRecord(from, lastNonZero)
      if (candidate < 0) return -1
      const { block } = await scanner.checkOne(candidate)
      const stored = readRecord.storeTimestamp(block.view, 0)
      // RocketMQ cuts in memory only, so whole records may stand behind its end: they are older than the end.
      const flushed = stored <= this.#plan.physicMs && stored >= this.#lastMs
      if (flushed && this.#ports.evidence.confirms(block, 0, candidate)) return candidate
      from = candidate + 1
    }
  }

  #cutReport(stop: ScanStop & { cutTo: number }, keptAs: string): CutRange {
    return { from: stop.address, to: stop.cutTo, finding: findingName(stop.finding), keptAs }
  }

  async #cut(stop: ScanStop & { cutTo: number }): Promise<CutRange> {
    const { chain, disk, extDirectory } = this.#ports
    const keptAs = await keepEvidence(disk, extDirectory, chain, stop.address, stop.cutTo)
    const segmentEnd = stop.address - (stop.address % chain.segmentBytes) + chain.segmentBytes
    if (chain.has(stop.address)) {
      zeroWhatIsThere(chain, stop.address, Math.min(segmentEnd, stop.cutTo))
      await chain.flush(stop.address, Math.min(segmentEnd, stop.cutTo))
    }
    chain.removeFrom(chain.has(stop.address) ? segmentEnd : stop.address)
    await chain.flushDirectory()
    return this.#cutReport(stop, keptAs)
  }

  /** Removes blank segments behind one that is missing: the crash took the name of the one and left the others. */
  async #dropUnreachable(end: number): Promise<void> {
    const { chain } = this.#ports
    if (chain.has(end) || chain.end <= end) return
    chain.removeFrom(end)
    await chain.flushDirectory()
  }

  /** Writes `[watermark, end)` again in place and flushes it. */
  async #rewrite(end: number): Promise<number> {
    const { chain } = this.#ports
    const from = Math.max(this.#watermark, chain.start)
    if (from >= end) return 0
    const buffer = Buffer.alloc(Math.min(1024 * 1024, end - from))
    for (let at = from; at < end; ) {
      const got = chain.readAt(buffer.subarray(0, Math.min(buffer.length, end - at)), at)
      if (got === 0) break
      chain.writeAt(buffer.subarray(0, got), at)
      at += got
    }
    await chain.flush(from, end)
    return end - from
  }
}
