/**
 * The last part of `verify`: RocketMQ's `checkpoint` and our own files under `ext/`. They are hints, so what
 * is wrong with them costs time at the next opening, not data.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Disk } from '../../disk/disk.js'
import { readWhole } from '../../disk/replace.js'
import { type CheckpointTimes, decodeMark, type Mark, type MarkKind } from '../../log/marks.js'
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

/** What the small files hold at one moment. */
interface MarkFiles {
  readonly checkpoint: Buffer | undefined
  readonly durable: Buffer | undefined
  readonly clean: Buffer | undefined
  readonly ranges: Buffer | undefined
  readonly lockMs: number
}

type Marks = Readonly<Record<MarkKind, Mark | 'damaged' | undefined>>

/** A writer changes its marks with each flush; between two of those there is time to read them. */
const MOST_READS = 100

/** What was read when the check began; the log is known only at its end. */
export class MarkCheck {
  readonly #options: MarkCheckOptions
  readonly #files: MarkFiles | undefined

  constructor(options: MarkCheckOptions) {
    this.#options = options
    this.#files = readTogether(options)
  }

  /**
   * Judges what was read.
   *
   * @param logEnd - where the log ended, or further on, when it was read
   * @param newestMs - the newest store timestamp in the log, 0 without records; `undefined` when it is not known
   */
  finish(logEnd: number, newestMs: number | undefined): void {
    // A writer that never rests can be judged when it does.
    if (this.#files === undefined) return
    const { ranges } = this.#files
    const marks = { clean: markIn('clean', this.#files.clean), durable: markIn('durable', this.#files.durable) }
    this.#checkCheckpoint(this.#files, marks, logEnd, newestMs)
    this.#checkMark('durable', marks.durable, logEnd)
    this.#checkMark('clean', marks.clean, logEnd)
    if (ranges !== undefined && !encodeRanges(decodeRanges(ranges)).equals(ranges)) {
      this.#options.findings.add('markDamaged', { file: 'ext/ranges' }, 'lines that do not match their CRC', 'ranges of the log')
    }
  }

  #checkCheckpoint({ checkpoint: bytes, lockMs }: MarkFiles, marks: Marks, logEnd: number, newestMs: number | undefined): void {
    const { findings, origin } = this.#options
    const place = { file: 'checkpoint' }
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
    const contradicting = contradictingMark(marks, times, lockMs)
    if (contradicting !== undefined) {
      const found = `the times ${times.join(', ')}`
      findings.add('checkpointWrong', place, found, `${timesOf(contradicting.checkpoint).join(', ')}, as the marks say`)
      return
    }
    const names = ['physicMsgTimestamp', 'logicsMsgTimestamp', 'indexMsgTimestamp']
    names.forEach((name, i) => {
      const value = times[i]!
      const most = newestMs === undefined || newestMs === 0 ? undefined : BigInt(newestMs)
      if (value < 0n || (most !== undefined && value > most)) {
        const expected = most === undefined ? 'a time from 0 on' : `a time from 0 to ${most}, of the newest record`
        findings.add('checkpointWrong', place, `${name} ${value}`, expected)
      }
    })
  }

  #checkMark(kind: MarkKind, mark: Mark | 'damaged' | undefined, logEnd: number): void {
    const { findings, origin } = this.#options
    const place = { file: `ext/${kind}` }
    if (mark === undefined) return
    if (mark === 'damaged') {
      findings.add('markDamaged', place, 'bytes that do not match their CRC', 'a mark')
      return
    }
    if (mark.viewsEnd > mark.logEnd)
      findings.add('markWrong', place, `viewsEnd ${mark.viewsEnd}`, `at most logEnd ${mark.logEnd}`)
    if (origin !== 'clean' && origin !== 'crash') return
    if (mark.logEnd > logEnd) findings.add('markWrong', place, `logEnd ${mark.logEnd}`, `at most ${logEnd}, the end of the log`)
  }
}

/** A mark that repeats other times, although no Java store, which writes `lock` when it starts, has run since. */
function contradictingMark({ clean, durable }: Marks, times: readonly bigint[], lockMs: number): Mark | undefined {
  const mark = [clean, durable].find((one) => one !== undefined && one !== 'damaged')
  if (mark === undefined || mark.lockMs !== lockMs) return undefined
  const isEqual = (known: CheckpointTimes): boolean => timesOf(known).every((time, i) => BigInt(time) === times[i])
  return isEqual(mark.checkpoint) || isEqual(mark.nextCheckpoint) ? undefined : mark
}

/** Reads the files so that they belong together: a writer in another process may change them between two reads. */
function readTogether({ disk, layout }: MarkCheckOptions): MarkFiles | undefined {
  let before = readFiles(disk, layout)
  for (let reads = 1; reads < MOST_READS; reads++) {
    const now = readFiles(disk, layout)
    if (isDeepStrictEqual(before, now)) return now
    before = now
  }
  return undefined
}

function readFiles(disk: Disk, layout: StoreLayout): MarkFiles {
  return {
    checkpoint: readWhole(disk, layout.checkpoint),
    durable: readMarkFile(disk, layout.durable),
    clean: readMarkFile(disk, layout.clean),
    ranges: readWhole(disk, layout.ranges),
    lockMs: lockTime(disk, layout),
  }
}

/** What stands in the place of a mark and is no file holds none. */
function readMarkFile(disk: Disk, path: string): Buffer | undefined {
  const kind = disk.stat(path)?.kind ?? 'file'
  return kind === 'file' ? readWhole(disk, path) : Buffer.alloc(0)
}

function markIn(kind: MarkKind, bytes: Buffer | undefined): Mark | 'damaged' | undefined {
  return bytes === undefined ? undefined : (decodeMark(kind, bytes) ?? 'damaged')
}

function timesOf({ physicMs, logicsMs, indexMs }: CheckpointTimes): number[] {
  return [physicMs, logicsMs, indexMs]
}
