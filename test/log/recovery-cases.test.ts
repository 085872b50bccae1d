/** The decision table of recovery, over every combination of facts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decideRecovery, matches, type RecoveryFacts, recoveryCases } from '../../lib/log/recovery-cases.js'

const combinations: RecoveryFacts[] = []
for (const found of ['end', 'hole', 'damage'] as const)
  for (const durable of [false, true])
    for (const writer of ['mqlite', 'java'] as const) combinations.push({ found, durable, writer })

describe('the decision table of recovery', () => {
  test('has exactly one row for every combination of facts, and no row for none', () => {
    for (const facts of combinations) {
      const rows = recoveryCases.filter((row) => matches(row, facts))
      assert.equal(rows.length, 1, JSON.stringify(facts))
      assert.equal(decideRecovery(facts), rows[0])
    }
    for (const row of recoveryCases)
      assert.ok(
        combinations.some((facts) => matches(row, facts)),
        row.why,
      )
  })

  test('never cuts what had been durable, and never refuses what had not', () => {
    for (const facts of combinations) {
      const { action } = decideRecovery(facts)
      if (facts.durable) assert.notEqual(action, 'cut', JSON.stringify(facts))
      else assert.notEqual(action, 'refuse', JSON.stringify(facts))
    }
  })

  test('keeps a log as it is only where nothing stands behind it', () => {
    for (const facts of combinations) if (decideRecovery(facts).action === 'keep') assert.equal(facts.found, 'end')
  })
})
