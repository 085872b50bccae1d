/** Retention: which segments may go, by a table of situations. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  expiredSegments,
  MAX_DELETED_PER_ROUND,
  type RetentionFacts,
  type RetentionRules,
  type SegmentAge,
} from '../../lib/log/retention.js'

const HOUR = 3_600_000
const NOW = 1_700_000_000_000
const rules: RetentionRules = { hours: 72, deleteHours: [4], cleanAt: 0.75, forceAt: undefined }
const quiet: RetentionFacts = { now: NOW, hour: 4, usedShare: 0.1, neededFrom: Number.POSITIVE_INFINITY }
const segment = (hours: number, i: number): SegmentAge => {
  const newestMs = NOW - hours * HOUR
  return { start: i * 1000, newestMs, lastWriteMs: newestMs, openMs: Number.POSITIVE_INFINITY }
}
const segments = (...ages: number[]) => ages.map(segment)

const cases: [string, RetentionRules, RetentionFacts, number[], string[]][] = [
  ['in its hour what has expired goes', rules, quiet, [100, 80, 72, 71], ['expired', 'expired', 'expired']],
  ['a millisecond before it expires a segment stays', rules, { ...quiet, now: NOW - 1 }, [72], []],
  ['of several hours each is one in which what has expired goes', { ...rules, deleteHours: [16, 4] }, quiet, [100], ['expired']],
  ['out of its hour nothing goes', rules, { ...quiet, hour: 5 }, [100], []],
  [
    'out of its hour what has expired goes once the disk fills',
    rules,
    { ...quiet, hour: 5, usedShare: 0.75 },
    [100, 10],
    ['expired'],
  ],
  ['a full disk alone deletes nothing that is wanted', rules, { ...quiet, hour: 5, usedShare: 0.999 }, [10, 5], []],
  ['what is needed stays, however old it is', rules, { ...quiet, neededFrom: 1000 }, [100, 99, 98], ['expired']],
  [
    'what is needed goes when the disk is too full for anything else, and the reason says so',
    { ...rules, forceAt: 0.85 },
    { ...quiet, usedShare: 0.9, neededFrom: 1000 },
    [100, 99],
    ['expired', 'disk'],
  ],
  ['behind one that has not expired, none goes', rules, quiet, [10, 100], []],
  [
    'forced, unexpired ones go too, and the reason says so',
    { ...rules, forceAt: 0.85 },
    { ...quiet, hour: 5, usedShare: 0.85 },
    [80, 10, 5],
    ['expired', 'disk', 'disk'],
  ],
  [
    'below the forced level they stay',
    { ...rules, forceAt: 0.85 },
    { ...quiet, hour: 5, usedShare: 0.849 },
    [80, 10],
    ['expired'],
  ],
  ['with a retention of 0 hours everything has expired', { ...rules, hours: 0 }, quiet, [0, 0], ['expired', 'expired']],
  [
    'one round deletes no more than its limit',
    rules,
    quiet,
    Array(30).fill(100) as number[],
    Array(MAX_DELETED_PER_ROUND).fill('expired') as string[],
  ],
  ['a clock set back deletes nothing', rules, { ...quiet, now: NOW - 1000 * HOUR }, [100], []],
  ['no segments, no deletions', rules, quiet, [], []],
]

describe('expiredSegments', () => {
  for (const [name, given, facts, ages, reasons] of cases) {
    test(name, () => {
      const deleted = expiredSegments(given, facts, segments(...ages))
      assert.deepEqual(
        deleted.map(({ reason }) => reason),
        reasons,
      )
      assert.deepEqual(
        deleted.map(({ segment }) => segment.start),
        reasons.map((_, i) => i * 1000),
      )
    })
  }
})
