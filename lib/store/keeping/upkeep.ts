/**
 * What a store does by itself every ten seconds: deletes what has expired, looks at the space that is left,
 * and has the next segment ready.
 */

import type { Emitter } from '../../base/signals.js'
import { SteadyClock } from '../../base/steady-clock.js'
import type { Clock, Timer, Timers } from '../../base/system.js'
import { type Disk, DiskError, type DiskSpace } from '../../disk/disk.js'
import type { CommitLog } from '../../log/commit-log.js'
import { type DeleteReason, expiredSegments, type RetentionRules, type SegmentAge } from '../../log/retention.js'
import type { Seals } from '../../log/seals.js'
import type { StoreEvents, StoreState } from '../state.js'
import { SegmentAges } from './segment-ages.js'

/** RocketMQ's interval. */
const ROUND_MS = 10_000
/** In so many rounds after somebody asked for it, expired segments are deleted at any hour. RocketMQ's number. */
const ASKED_ROUNDS = 20
/** While puts are refused, space is looked at this often. */
const PROBE_MS = 200
/** A file system this empty is never too full to write, whatever share of it is used. */
const ENOUGH_BYTES = 1024 * 1024 * 1024
/** After the system itself said that there is no space, this much must be free before puts go on. */
const RESUME_BYTES = 4 * 1024 * 1024

/** Address in the log of the first record that somebody needs; `Infinity` for none. When it rejects, all are kept. */
export type LogFloor = () => Promise<number>

/** What upkeep needs. */
export interface UpkeepOptions {
  readonly root: string
  readonly disk: Disk
  readonly log: CommitLog
  readonly clock: Clock
  readonly timers: Timers
  readonly rules: RetentionRules & { readonly refuseAt: number }
  readonly state: StoreState
  readonly events: Emitter<StoreEvents>
  readonly onFailure: (error: unknown) => void
  readonly seals: Seals
  /** Whether what others need is kept: on a replica the primary's log decides. */
  readonly keepsNeeded: boolean
  /** Makes it known durably that the log is durable up to `end`: a log that starts behind that place counts as cut. */
  readonly beforeDelete: (end: number) => Promise<void>
  /** Writes marks that there was no space for. Returns whether all are written; until then puts are refused. */
  readonly catchUpMarks: () => boolean
  /** Moves the views' minimum offsets up to the start of the log. */
  readonly trimViews: (logStart: number) => void
}

/** See the head of this file. */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #steady: SteadyClock
  readonly #ages: SegmentAges
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #isFull = false
  #sawNoSpace = false
  /** Rounds that delete expired segments at any hour. */
  #askedRounds = 0
  readonly #floors = new Set<LogFloor>()

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#steady = new SteadyClock(options.clock)
    this.#ages = new SegmentAges(options.log, options.clock)
  }

  /** Begins the rounds. */
  start(): void {
    this.#timer = this.#options.timers.after(this.#isFull ? PROBE_MS : ROUND_MS, () => {
      this.#running = this.#roundSafely().then(() => {
        this.#running = undefined
        if (this.#timer !== undefined) this.start()
      })
    })
  }

  /** Ends the rounds, after the one that runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#running
  }

  /** From now on nothing expires that stands at or behind a place. @returns a function that ends it */
  keepFrom(floor: LogFloor): () => void {
    this.#floors.add(floor)
    return () => this.#floors.delete(floor)
  }

  /** What has expired, or does soon, is deleted in the next rounds, whatever hour it is. */
  deleteExpired(): void {
    this.#askedRounds = ASKED_ROUNDS
  }

  /** The system refused a write for want of space: refuse puts until there is some. */
  sawNoSpace(): void {
    this.#sawNoSpace = true
    this.#setFull(true, this.#spaceIfKnown())
    if (this.#timer === undefined || this.#running !== undefined) return
    this.#timer.cancel()
    this.start()
  }

  /** What the disk refuses in a round is tried again in the next one. */
  async #roundSafely(): Promise<void> {
    try {
      await this.round()
    } catch (error) {
      if (!(error instanceof DiskError) || error.code === 'EIO') this.#options.onFailure(error)
    }
  }

  /** One round. */
  async round(): Promise<void> {
    const { log, state } = this.#options
    if (state.status !== 'open') return
    const space = this.#space()
    await this.#deleteExpired(space)
    this.#judgeSpace(space)
    if (log.segmentRoom < log.segmentBytes / 2 && !this.#isFull) this.#prepareSegment()
    if (!this.#isFull) await this.#options.seals.sealNext(log.durableEnd)
  }

  async #deleteExpired(space: DiskSpace): Promise<void> {
    const { rules } = this.#options
    const now = this.#steady.now()
    const hour = this.#askedRounds > 0 ? rules.deleteHours[0]! : new Date(now).getHours()
    this.#askedRounds = Math.max(0, this.#askedRounds - 1)
    const facts = { now, hour, usedShare: usedShare(space), neededFrom: Number.POSITIVE_INFINITY }
    const ages = this.#ages.list(now)
    // Whoever needs something is asked only when something would go.
    if (expiredSegments(rules, facts, ages).length > 0) {
      const neededFrom = await this.#neededFrom()
      await this.#deleteAll(expiredSegments(rules, { ...facts, neededFrom }, ages))
    }
    // Also when nothing was deleted: the last time may have failed on the way.
    this.#options.trimViews(this.#options.log.start)
  }

  async #deleteAll(segments: readonly { segment: SegmentAge; reason: DeleteReason }[]): Promise<void> {
    if (segments.length === 0) return
    const { log, events, beforeDelete, trimViews } = this.#options
    await beforeDelete(segments[segments.length - 1]!.segment.start + log.segmentBytes)
    for (const { segment, reason } of segments) {
      const { path } = log.removeFirstSegment()
      // One by one: if names came to the disk in another order, a crash would leave a gap.
      await log.chain.flushDirectory()
      const { start: commitLogOffset, newestMs: newestStoreTimestamp, lastWriteMs } = segment
      this.#ages.forget(commitLogOffset)
      const facts = { commitLogOffset, bytes: log.segmentBytes, newestStoreTimestamp, lastWriteMs }
      events.emit('segmentDeleted', { ...facts, path, reason })
    }
    trimViews(log.start)
  }

  /** Start of the first segment that somebody needs something of. */
  async #neededFrom(): Promise<number> {
    const { keepsNeeded, log } = this.#options
    let first = Number.POSITIVE_INFINITY
    if (!keepsNeeded) return first
    for (const floor of this.#floors) {
      try {
        first = Math.min(first, await floor())
      } catch {
        return 0
      }
    }
    return first - (first % log.segmentBytes || 0)
  }

  #judgeSpace(space: DiskSpace): void {
    const { rules, catchUpMarks } = this.#options
    if (this.#sawNoSpace && space.freeBytes >= RESUME_BYTES && catchUpMarks()) this.#sawNoSpace = false
    const isLow = usedShare(space) >= rules.refuseAt && space.freeBytes < ENOUGH_BYTES && space.freeBytes < this.#reserve()
    this.#setFull(this.#sawNoSpace || isLow, space)
  }

  /** What must stay free for views and marks: a tenth of the file system, at most 1 GiB. */
  #reserve(): number {
    const { totalBytes } = this.#space()
    return Math.min(ENOUGH_BYTES, totalBytes * (1 - this.#options.rules.refuseAt))
  }

  #setFull(full: boolean, space: DiskSpace): void {
    if (full === this.#isFull) return
    this.#isFull = full
    const { state, events, root } = this.#options
    state.setDiskFull(full ? `${space.freeBytes} bytes are free at ${root}; puts resume when there is space` : undefined)
    events.emit('diskFull', { full, freeBytes: space.freeBytes, usedShare: usedShare(space) })
  }

  #prepareSegment(): void {
    try {
      this.#options.log.prepareNextSegment()
    } catch {
      // It is only a head start: the put that needs the segment meets the error, and tells it.
    }
  }

  /** Asked while an answer to a put is due: that the space is not known must not get in its way. */
  #spaceIfKnown(): DiskSpace {
    try {
      return this.#space()
    } catch {
      return { totalBytes: 0, freeBytes: 0 }
    }
  }

  #space(): DiskSpace {
    return this.#options.disk.space(this.#options.root)
  }
}

function usedShare({ totalBytes, freeBytes }: DiskSpace): number {
  return totalBytes === 0 ? 0 : (totalBytes - freeBytes) / totalBytes
}
