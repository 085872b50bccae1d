/**
 * The last part of `verify`: RocketMQ's `checkpoint` and our own files under `ext/`. They are hints, so what
 * is wrong with them costs time at the next opening, not data.
 */
import type { Disk } from '../../disk/disk.js'
import { readWhole } from '../../disk/replace.js'
import { type CheckpointTimes, type Mark, type MarkKind, readMark } from '../../log/marks.js'
import { decodeRanges, encodeRanges } from '../../log/ranges.js'
import { CHECKPOINT_BYTES } from '../../view/store-checkpoint.js'
import type { StoreLayout } from '../layout.js'
import { lockTime, type Origin } from '../recovery/origin.js'
import type { Findings } from './verify-report.js'

/** What the check needs. */
export interface MarkCheckOptions {
  readonly disk: Disk
  readonly layout: StoreLayout
  readonly findings: Findings
  /** How the store had been left when it was opened. */
  readonly origin: Origin
}

/** What was read when the check began; the log is known only at its end. */
export class MarkCheck {
  readonly #options: MarkCheckOptions
  readonly #checkpoint: Buffer | undefined
  readonly #marks: Readonly<Record<MarkKind, { mark: Mark | undefined; isThere: boolean }>>
  readonly #ranges: Buffer | undefined
  readonly #lockMs: number

  constructor(options: MarkCheckOptions) {
    this.#options = options
    const { disk, layout } = options
    const markAt = (path: string, kind: MarkKind) => ({
      mark: readMark(disk, path, kind),
      isThere: disk.stat(path) !== undefined,
    })
    this.#checkpoint = readWhole(disk, layout.checkpoint)
    this.#marks = { durable: markAt(layout.durable, 'durable'), clean: markAt(layout.clean, 'clean') }
    this.#lockMs = lockTime(disk, layout)
    this.#ranges = readWhole(disk, layout.ranges)
  }

  /** Judges what was read. @param newestMs - the newest store timestamp in the log, 0 without records */
  finish(logEnd: number, newestMs: number): void {
    this.#checkCheckpoint(logEnd, newestMs)
    this.#checkMark('durable', logEnd)
    this.#checkMark('clean', logEnd)
    const ranges = this.#ranges
    if (ranges !== undefined && !encodeRanges(decodeRanges(ranges)).equals(ranges)) {
      this.#options.findings.add('markDamaged', { file: 'ext/ranges' }, 'lines that do not match their CRC', 'ranges of the log')
    }
  }

  #checkCheckpoint(logEnd: number, newestMs: number): void {
    const { findings, origin } = this.#options
    const place = { file: 'checkpoint' }
    const bytes = this.#checkpoint
    if (bytes === undefined) {
      if (logEnd > 0 && (origin === 'clean' || origin === 'java-clean'))
        findings.add('checkpointMissing', place, 'no file', 'the times of the last flushes')
      return
    }
    if (bytes.length < 24) {
      findings.add('checkpointWrong', place, `${bytes.length} bytes`, `${CHECKPOINT_BYTES} bytes`)
      return
    }
    const times = [0, 8, 16].map((at) => bytes.readBigInt64BE(at))
    const contradicting = this.#contradicting(times)
    if (contradicting !== undefined) {
      const found = `the times ${times.join(', ')}`
      findings.add('checkpointWrong', place, found, `${timesOf(contradicting.checkpoint).join(', ')}, as the marks say`)
      return
    }
    const names = ['physicMsgTimestamp', 'logicsMsgTimestamp', 'indexMsgTimestamp']
    names.forEach((name, i) => {
      const value = times[i]!
      // The newest record may be gone by retention only if others are newer still.
      if (value < 0n || (newestMs > 0 && value > BigInt(newestMs)))
        findings.add('checkpointWrong', place, `${name} ${value}`, `a time from 0 to ${newestMs}, of the newest record`)
    })
  }

  /** A mark that repeats other times, although no Java store, which writes `lock` when it starts, has run since. */
  #contradicting(times: readonly bigint[]): Mark | undefined {
    const { clean, durable } = this.#marks
    const mark = clean.mark ?? durable.mark
    if (mark === undefined || mark.lockMs !== this.#lockMs) return undefined
    const isEqual = (known: CheckpointTimes): boolean => timesOf(known).every((time, i) => BigInt(time) === times[i])
    return isEqual(mark.checkpoint) || isEqual(mark.nextCheckpoint) ? undefined : mark
  }

  #checkMark(kind: MarkKind, logEnd: number): void {
    const { findings, origin } = this.#options
    const place = { file: `ext/${kind}` }
    const { mark, isThere } = this.#marks[kind]
    if (!isThere) return
    if (mark === undefined) {
      findings.add('markDamaged', place, 'bytes that do not match their CRC', 'a mark')
      return
    }
    if (mark.viewsEnd > mark.logEnd)
      findings.add('markWrong', place, `viewsEnd ${mark.viewsEnd}`, `at most logEnd ${mark.logEnd}`)
    if (origin !== 'clean' && origin !== 'crash') return
    if (mark.logEnd > logEnd) findings.add('markWrong', place, `logEnd ${mark.logEnd}`, `at most ${logEnd}, the end of the log`)
  }
}

function timesOf({ physicMs, logicsMs, indexMs }: CheckpointTimes): number[] {
  return [physicMs, logicsMs, indexMs]
}
