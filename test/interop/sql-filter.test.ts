/**
 * SQL filters here and in RocketMQ 5.3.3: what is a filter, and what comes of it for a message, must be the same.
 *
 * One difference is meant: RocketMQ ignores what stands behind a complete filter, and here it is refused. So
 * where only RocketMQ takes a text, its beginning up to the fault must be a filter with RocketMQ's outcome.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseJavaDouble } from '../../lib/broker/filter/java-number.js'
import { type SqlCase, sqlCases, withTrailingText } from '../broker/filter/sql-cases.js'
import { numberTexts, sqlFilters, sqlProperties, wordSoup } from '../broker/filter/sql-generator.js'
import { positionOfFault, told } from '../broker/filter/told.js'
import { seedOf } from '../support/tier.js'
import { cannotRun, filterClassPath } from './java-build.js'

const GENERATED = 6000

/** What RocketMQ says of each filter and properties. */
function askRocketMQ(asked: readonly (readonly [filter: string, properties: Readonly<Record<string, string>>])[]): string[] {
  const classPath = filterClassPath()
  const home = mkdtempSync(join(tmpdir(), 'mqlite-java-'))
  try {
    // Escaped, so that halves of surrogate pairs get there too.
    const ascii = (text: string): string => text.replace(/[\u007f-\uffff]/g, (char) => `\\u${hex(char)}`)
    const input = asked.map(([filter, properties]) => `${ascii(JSON.stringify({ filter, properties }))}\n`).join('')
    const flags = ['-Xmx256m', '-XX:-UsePerfData', `-Duser.home=${home}`, `-Djava.io.tmpdir=${home}`]
    const { error, status, stdout, stderr } = spawnSync('java', [...flags, '-cp', classPath, 'Filters'], {
      input,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    })
    if (error !== undefined) throw new Error(cannotRun('java'), { cause: error })
    assert.equal(status, 0, stderr)
    return stdout.trim().split('\n')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

function hex(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(4, '0')
}

/** How many filters RocketMQ took for their beginning only. All others must agree. */
function assertAgree(asked: readonly (readonly [filter: string, properties: Readonly<Record<string, string>>])[]): number {
  const theirs = askRocketMQ(asked)
  assert.equal(theirs.length, asked.length)
  let longer = 0
  for (const [i, [filter, properties]] of asked.entries()) {
    const ours = told(filter, properties)
    if (ours === theirs[i]) continue
    const hint = `RocketMQ: ${theirs[i]}, mqlite: ${ours}, for ${JSON.stringify(filter)} with ${JSON.stringify(properties)}`
    assert.equal(ours, 'invalid', hint)
    const beginning = filter.slice(0, positionOfFault(filter))
    assert.equal(told(beginning, properties), theirs[i], `${hint}; its beginning is ${JSON.stringify(beginning)}`)
    longer++
  }
  return longer
}

/** Generated values, the same ones for the same seed. */
function sampled<T>(arbitrary: fc.Arbitrary<T>, count: number, seed: number): T[] {
  return fc.sample(arbitrary, { numRuns: count, seed })
}

describe('RocketMQ 5.3.3 and mqlite', () => {
  test('say the same of every case in the table, RocketMQ what the table says', () => {
    const theirs = askRocketMQ(sqlCases.map(([filter, properties]) => [filter, properties]))
    const differing = sqlCases.filter(([, , expected], i) => theirs[i] !== expected)
    assert.deepEqual(
      differing.map((differs): SqlCase => [differs[0], differs[1], theirs[sqlCases.indexOf(differs)] as SqlCase[2]]),
      [],
    )
    assert.equal(assertAgree(sqlCases.map(([filter, properties]) => [filter, properties])), withTrailingText.size)
  })

  test(`say the same of ${GENERATED} generated filters and messages`, (t) => {
    const seed = seedOf(1)
    t.diagnostic(`seed ${seed}`)
    const asked = sampled(fc.tuple(sqlFilters, sqlProperties), GENERATED, seed)
    assert.equal(assertAgree(asked), 0)
  })

  test(`say the same of ${GENERATED} rows of words without sense, but for text behind the end`, (t) => {
    const seed = seedOf(2)
    t.diagnostic(`seed ${seed}`)
    const asked = sampled(fc.tuple(wordSoup, sqlProperties), GENERATED, seed)
    const longer = assertAgree(asked)
    t.diagnostic(`${longer} were longer than a filter`)
    assert.ok(longer < GENERATED / 2, `${longer} of ${GENERATED}`)
  })

  test('read the same numbers from texts, to the last bit', (t) => {
    const seed = seedOf(3)
    t.diagnostic(`seed ${seed}`)
    const filters = ['a = 5', 'a < 3000000000', 'a > 4.9E-324', 'a >= b AND a <= b']
    const asked = sampled(numberTexts, GENERATED, seed).flatMap((a) => {
      const value = parseJavaDouble(a)
      // What Java reads must be neither above nor below what is read here, written out.
      const b = Object.is(value, -0) ? '-0' : String(value)
      return filters.map((filter) => [filter, { a, b }] as const)
    })
    assert.equal(assertAgree(asked), 0)
    const same = asked.filter(([filter, properties]) => filter === filters[3] && told(filter, properties) === 'true')
    assert.ok(same.length > GENERATED / 3, `${same.length} were numbers`)
    assert.deepEqual(
      asked.filter(([filter, { a, b }]) => filter === filters[3] && b !== 'undefined' && told(filter, { a, b }) !== 'true'),
      [],
    )
  })
})
