/**
 * How old the segments of the log are, though clocks may have been wrong.
 *
 * A segment's newest record is no newer than the first of the segment behind it. Store timestamps never go back, so one
 * moment in which the clock was years ahead puts everything stored later in the future too. Such a time tells nothing;
 * then the file's own does, and if that lies in the future as well, the segment is as old as the one behind it at most.
 * And what became full while the store was open is no older than that, on a clock that nobody sets.
 */
import type { Clock } from '../../base/system.js'
import { readRecord } from '../../format/record.js'
import type { CommitLog } from '../../log/commit-log.js'
import type { SegmentAge } from '../../log/retention.js'

/** See the head of this file. */
export class SegmentAges {
  readonly #log: CommitLog
  readonly #clock: Pick<Clock, 'monotonic'>
  /** Segments from here on were not full when the store was opened. */
  readonly #firstOpen: number
  /** When they were first seen to be full, on the monotonic clock. */
  readonly #fullSince = new Map<number, number>()

  constructor(log: CommitLog, clock: Pick<Clock, 'monotonic'>) {
    this.#log = log
    this.#clock = clock
    this.#firstOpen = log.end - (log.end % log.segmentBytes)
  }

  /** All segments but the last, oldest first, as far as they are full and durable. @param now - milliseconds since 1970 */
  list(now: number): SegmentAge[] {
    const { chain } = this.#log
    const full = this.#full()
    const monotonic = this.#clock.monotonic()
    const last = chain.starts[full.length]
    let lastWriteMs = last === undefined ? Number.POSITIVE_INFINITY : fileTime(chain.modifiedMs(last), now)
    const ages: SegmentAge[] = []
    for (const { start, newestMs } of full.reverse()) {
      if (newestMs <= now) lastWriteMs = newestMs
      else lastWriteMs = Math.min(lastWriteMs, fileTime(chain.modifiedMs(start), now))
      const openMs = start < this.#firstOpen ? Number.POSITIVE_INFINITY : monotonic - this.#noteFull(start, monotonic)
      ages.unshift({ start, newestMs, lastWriteMs, openMs })
    }
    return ages
  }

  #noteFull(start: number, monotonic: number): number {
    const since = this.#fullSince.get(start) ?? monotonic
    this.#fullSince.set(start, since)
    return since
  }

  /** Forgets a segment that was deleted. */
  forget(start: number): void {
    this.#fullSince.delete(start)
  }

  #full(): { start: number; newestMs: number }[] {
    const { chain, durableEnd } = this.#log
    const head = Buffer.alloc(128)
    const view = new DataView(head.buffer, head.byteOffset, head.length)
    const full: { start: number; newestMs: number }[] = []
    const { starts } = chain
    for (let i = 0; i + 1 < starts.length; i++) {
      const next = starts[i + 1]!
      if (next >= durableEnd || chain.readAt(head, next) < 91 || view.getInt32(0) < 91) break
      full.push({ start: starts[i]!, newestMs: readRecord.storeTimestamp(view, 0) })
    }
    return full
  }
}

/** When a file was last written, `Infinity` where its time cannot be. */
function fileTime(modifiedMs: number, now: number): number {
  return modifiedMs > 0 && modifiedMs <= now ? modifiedMs : Number.POSITIVE_INFINITY
}
