/**
 * Which segments of the log may go, and why.
 *
 * A segment has expired when its newest record is older than the retention time, and not before the store has been
 * open for as long since the segment was full. RocketMQ asks the file's modification time instead, which copying or
 * touching changes; here it counts where the record's time lies in the future. Expired segments are deleted in some hours of
 * the day, or at any hour once the disk is filling. The last segment is never deleted, and what somebody still needs
 * only when the disk is too full for anything else.
 */

/** Why a segment was deleted. */
export type DeleteReason =
  /** It had expired. */
  | 'expired'
  /** The disk was too full to wait until it expired. */
  | 'disk'

/** At most this many segments go in one round, so that deleting does not stall the disk. */
export const MAX_DELETED_PER_ROUND = 10

/** The rules. Shares are of the file system, 0 to 1. */
export interface RetentionRules {
  readonly hours: number
  /** Local hours, 0 to 23; at least one. */
  readonly deleteHours: readonly number[]
  readonly cleanAt: number
  /** `undefined`: unexpired segments are never deleted. */
  readonly forceAt: number | undefined
}

/** The state that the rules are applied to. */
export interface RetentionFacts {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Local hour of `now`. */
  readonly hour: number
  /** Used share of the file system. */
  readonly usedShare: number
  /** Segments that start here or later have not expired, however old they are: they are needed. `Infinity` for none. */
  readonly neededFrom: number
}

/** What is known of a segment that is not the last. */
export interface SegmentAge {
  readonly start: number
  /** Store timestamp of its newest record at the latest, milliseconds. */
  readonly newestMs: number
  /** When it was last written, as far as any time of the past tells; `Infinity` where none does. */
  readonly lastWriteMs: number
  /** How long the store has been open since the segment was full; `Infinity` when it was full before. */
  readonly openMs: number
}

/** The segments to delete now, oldest first. @param segments - all but the last, oldest first */
export function expiredSegments(
  rules: RetentionRules,
  facts: RetentionFacts,
  segments: readonly SegmentAge[],
): { segment: SegmentAge; reason: DeleteReason }[] {
  const isForced = rules.forceAt !== undefined && facts.usedShare >= rules.forceAt
  if (!isForced && !rules.deleteHours.includes(facts.hour) && facts.usedShare < rules.cleanAt) return []
  const limit = facts.now - rules.hours * 3_600_000
  const deleted: { segment: SegmentAge; reason: DeleteReason }[] = []
  for (const segment of segments) {
    const isOld = segment.lastWriteMs <= limit && segment.openMs >= rules.hours * 3_600_000
    const isExpired = isOld && segment.start < facts.neededFrom
    if ((!isExpired && !isForced) || deleted.length === MAX_DELETED_PER_ROUND) break
    deleted.push({ segment, reason: isExpired ? 'expired' : 'disk' })
  }
  return deleted
}
