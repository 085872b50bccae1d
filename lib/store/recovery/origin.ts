/**
 * Judges, before anything is read from the log, how the store was left and by whom: from RocketMQ's
 * `checkpoint` and `abort`, and from our own marks, which count only if no Java store has run since.
 */
import type { Disk } from '../../disk/disk.js'
import type { CheckpointTimes, Mark } from '../../log/marks.js'
import type { StoreLayout } from '../layout.js'

/** How the store was left. */
export type Origin =
  /** There is no log. */
  | 'new'
  /** mqlite closed it. */
  | 'clean'
  /** mqlite had it open. */
  | 'crash'
  /** A Java store closed it. */
  | 'java-clean'
  /** A Java store had it open. */
  | 'java-crash'

/** What the judgement rests on. */
export interface OriginFacts {
  readonly hasSegments: boolean
  readonly hasAbort: boolean
  readonly checkpoint: CheckpointTimes
  /** When `lock` was last written; a Java store writes it whenever it starts. */
  readonly lockMs: number
  readonly clean: Mark | undefined
  readonly durable: Mark | undefined
  /**
   * Whether the log ends where `clean` says, and the manifest of the views was written for that end and all its queues are there.
   */
  readonly isAsClosed: () => boolean
}

/** How the store was left. */
export function judgeOrigin(facts: OriginFacts): Origin {
  // Marks of a log that had something in it, and no log: that is a loss, not a new store.
  const hadLog = [facts.clean, facts.durable].some((mark) => mark !== undefined && mark.logEnd > 0 && isCurrent(mark, facts))
  if (!facts.hasSegments) return hadLog ? 'crash' : 'new'
  if (!facts.hasAbort && (isCurrent(facts.clean, facts) || isCopied(facts))) return 'clean'
  if (isCurrent(facts.durable, facts)) return 'crash'
  return facts.hasAbort ? 'java-crash' : 'java-clean'
}

/** Whether a mark still holds: nothing that a Java store changes when it runs has changed since. */
function isCurrent(mark: Mark | undefined, facts: OriginFacts): boolean {
  if (mark === undefined || mark.lockMs !== facts.lockMs) return false
  return areEqual(mark.checkpoint, facts.checkpoint) || areEqual(mark.nextCheckpoint, facts.checkpoint)
}

/**
 * Whether the mark of a clean close holds though `lock` was written since, as it is by copying the directory. A Java
 * store may have run as well, but then it stored nothing: its first record would stand where the log ended, be it a
 * blank, and its checkpoint would tell. A topic that it deleted is missing, and what else it may have done to queue and
 * index files their sums in the manifest tell.
 */
function isCopied({ clean, checkpoint, isAsClosed }: OriginFacts): boolean {
  return clean !== undefined && areEqual(clean.checkpoint, checkpoint) && isAsClosed()
}

function areEqual(a: CheckpointTimes, b: CheckpointTimes): boolean {
  return a.physicMs === b.physicMs && a.logicsMs === b.logicsMs && a.indexMs === b.indexMs
}

/** When `lock` was last written, 0 when there is none. */
export function lockTime(disk: Disk, layout: StoreLayout): number {
  return Math.floor(disk.stat(layout.lock)?.modifiedMs ?? 0)
}
