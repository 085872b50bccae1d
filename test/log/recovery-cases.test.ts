/** The decision table of recovery: every combination of facts meets exactly one row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideRecovery, matches, type RecoveryFacts, recoveryCases } from '../../lib/log/recovery-cases.js'

const combinations: RecoveryFacts[] = (['end', 'hole', 'damage'] as const).flatMap((found) =>
  [true, false].flatMap((durable) => (['mqlite', 'java'] as const).map((writer) => ({ found, durable, writer }))),
)

test('every combination meets exactly one row', () => {
  for (const facts of combinations) {
    const rows = recoveryCases.filter((row) => matches(row, facts))
    assert.equal(rows.length, 1, JSON.stringify(facts))
    assert.equal(decideRecovery(facts), rows[0])
  }
})

test('every row is met by some combination', () => {
  for (const row of recoveryCases)
    assert.ok(
      combinations.some((facts) => matches(row, facts)),
      row.why,
    )
})

test('nothing durable is ever cut, and what was not durable is never called corruption', () => {
  for (const facts of combinations) {
    const { action } = decideRecovery(facts)
    if (facts.durable) assert.notEqual(action, 'cut')
    else assert.notEqual(action, 'refuse')
  }
})
