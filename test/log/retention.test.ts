/** Which segments expire when: the rules of retention, without a disk. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { expiredSegments, MAX_DELETED_PER_ROUND, type RetentionFacts, type RetentionRules } from '../../lib/log/retention.js'

const HOUR = 3_600_000
const now = 1000 * HOUR
const rules: RetentionRules = { hours: 72, deleteHour: 4, cleanAt: 0.75, forceAt: undefined }
const calm: RetentionFacts = { now, hour: 4, usedShare: 0.1 }

/** Segments whose newest records have these ages, in hours. */
function aged(...hours: number[]): { start: number; newestMs: number }[] {
  return hours.map((age, i) => ({ start: i * 1000, newestMs: now - age * HOUR }))
}

function deleted(given: Partial<RetentionRules>, facts: Partial<RetentionFacts>, ...hours: number[]): string[] {
  return expiredSegments({ ...rules, ...given }, { ...calm, ...facts }, aged(...hours)).map(
    ({ segment, reason }) => `${segment.start} ${reason}`,
  )
}

describe('retention', () => {
  test('deletes what is as old as the retention time, to the millisecond, and nothing younger', () => {
    assert.deepEqual(deleted({}, {}, 100, 72, 71), ['0 expired', '1000 expired'])
    assert.deepEqual(expiredSegments(rules, calm, [{ start: 0, newestMs: now - 72 * HOUR + 1 }]), [])
  })

  test('waits for its hour, unless the disk is filling', () => {
    assert.deepEqual(deleted({}, { hour: 5 }, 100), [])
    assert.deepEqual(deleted({}, { hour: 5, usedShare: 0.74 }, 100), [])
    assert.deepEqual(deleted({}, { hour: 5, usedShare: 0.75 }, 100, 1), ['0 expired'])
  })

  test('never deletes what has not expired, however full the disk, unless forceAt is set', () => {
    assert.deepEqual(deleted({}, { usedShare: 1 }, 1, 1), [])
    assert.deepEqual(deleted({ forceAt: 0.85 }, { usedShare: 0.84 }, 1), [])
    assert.deepEqual(deleted({ forceAt: 0.85 }, { usedShare: 0.85, hour: 5 }, 100, 1), ['0 expired', '1000 disk'])
  })

  test('goes from the oldest on and leaves no gap', () => {
    assert.deepEqual(deleted({}, {}, 1, 100), [])
  })

  test('deletes a bounded number at a time', () => {
    assert.equal(deleted({}, {}, ...Array.from({ length: 50 }, () => 100)).length, MAX_DELETED_PER_ROUND)
  })
})
