/** SQL filters: RocketMQ's cases, a naive evaluator beside ours, and texts that mean harm. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { MOST_FILTER_LENGTH } from '../../../lib/broker/filter/filter-fault.js'
import { MOST_FILTER_DEPTH, MOST_FILTER_NODES } from '../../../lib/broker/filter/parser.js'
import { sqlFilter } from '../../../lib/broker/filter/sql-filter.js'
import { casesSoFar, check } from '../../support/cases.js'
import { naive } from './naive-sql.js'
import { compared, evaluated, parsed, type SqlCase, shapes, withTrailingText, words } from './sql-cases.js'
import { sqlFilters, sqlProperties, wordSoup } from './sql-generator.js'
import { positionOfFault, told } from './told.js'

/** The cases whose outcome is not the one in the table, with the one that it is. */
function differing(cases: readonly SqlCase[]): SqlCase[] {
  const found = cases.map(([filter, properties]): SqlCase => [filter, properties, told(filter, properties)])
  return found.filter(([filter, , outcome], i) => outcome !== (withTrailingText.has(filter) ? 'invalid' : cases[i]![2]))
}

describe('SQL filters', () => {
  test("are parsed, and refused, as RocketMQ's tests of its parser say", () => assert.deepEqual(differing(parsed), []))
  test("come to what RocketMQ's tests of its expressions say", () => assert.deepEqual(differing(evaluated), []))
  test('are made of the words that RocketMQ knows', () => assert.deepEqual(differing(words), []))
  test('bind and refuse operands as in RocketMQ', () => assert.deepEqual(differing(shapes), []))
  test('compare properties as Java does', () => assert.deepEqual(differing(compared), []))

  test('are refused with the place of the fault, what could stand there and what does', () => {
    const expected: readonly (readonly [filter: string, position: number, got: string])[] = [
      ['a = 1 b = 2', 6, '"b"'],
      ['a = ', 4, 'the end of the filter'],
      ['a is 5', 5, '"5"'],
      ['a = 1 and (b = 2', 16, 'the end of the filter'],
      ["a = 1 and b = 'x", 14, 'the end of the filter'],
      ['a != 1', 2, '"!"'],
      ['a = 0.0', 4, '"0.0"'],
      ['a between 5 and 4', 16, '4'],
      ["b = 1 or 'x'", 9, 'a value'],
      ['a = 1 \u{1f600}', 6, '"\u{1f600}"'],
    ]
    for (const [filter, position, got] of expected) {
      assert.equal(positionOfFault(filter), position, filter)
      assert.throws(
        () => sqlFilter(filter),
        ({ message, details }) => message.endsWith(`got ${got}`) && details.got === got,
        filter,
      )
    }
  })

  test('let a message pass only when they are true of it', () => {
    const matches = (filter: string, properties: Record<string, string>): boolean =>
      sqlFilter(filter).matches({ tags: undefined, properties })
    assert.equal(matches('a > 1', { a: '2' }), true)
    assert.equal(matches('a > 1', { a: '1' }), false)
    assert.equal(matches('a > 1', {}), false)
    assert.equal(matches('a > 1', { a: 'x' }), false)
  })

  test('never read a name that the properties inherit', () => {
    const inherited = Object.create({ a: '1' }) as Record<string, string>
    for (const [filter, expected] of [
      ['a IS NULL', 'true'],
      ['a = 1', 'unknown'],
      ["a in ('1')", 'unknown'],
      ['a', 'unknown'],
      ["a contains '1'", 'false'],
    ] as const) {
      assert.equal(told(filter, inherited), expected)
      assert.equal(told(filter.replace('a', 'constructor'), {}), expected)
    }
  })
})

describe('SQL filters and a naive evaluator', () => {
  test('come to the same for generated filters and messages', () => {
    const seen = new Map<string, number>()
    const property = fc.property(sqlFilters, sqlProperties, (filter, properties) => {
      const outcome = told(filter, properties)
      assert.equal(outcome, naive(filter, properties))
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    })
    check(12_000, property)
    // A comparison in which one outcome never comes up would prove little.
    for (const outcome of ['true', 'false', 'unknown', 'fault', 'invalid']) assert.ok((seen.get(outcome) ?? 0) > 500, outcome)
  })

  test('come to the same of the table, where a naive one can', () => {
    const cases = [...parsed, ...evaluated, ...compared].filter(([filter, properties, outcome]) => {
      const isOdd = Object.values(properties).some((value) => /0x|[^\0-\u00ff]/i.test(value)) || filter.includes('0x')
      return outcome !== 'invalid' && !withTrailingText.has(filter) && !isOdd
    })
    assert.ok(cases.length > 150)
    assert.deepEqual(
      cases.filter(([filter, properties, outcome]) => naive(filter, properties) !== outcome),
      [],
    )
  })
})

describe('any text', () => {
  test('is a filter, or is refused with a place inside of it', () => {
    const any = fc.oneof(wordSoup, fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 60 }))
    const property = fc.property(any, sqlProperties, (text, properties) => {
      if (told(text, properties) === 'invalid') positionOfFault(text)
    })
    check(10_000, property)
  })

  test('that is refused for what follows a complete filter is one up to there', () => {
    const property = fc.property(sqlFilters, wordSoup, sqlProperties, (filter, rest, properties) => {
      const whole = told(filter, properties)
      fc.pre(whole !== 'invalid')
      const text = `${filter} ) ${rest}`
      assert.equal(told(text, properties), 'invalid')
      assert.equal(told(text.slice(0, positionOfFault(text)), properties), whole)
    })
    check(1000, property)
  })

  test('of hostile depth is refused before it costs stack', () => {
    const deep = 8000
    for (const text of [
      '('.repeat(deep),
      `${'('.repeat(deep)}a${')'.repeat(deep)}`,
      `${'NOT '.repeat(4000)}a`,
      `a = ${'- '.repeat(deep)}1`,
      `a = ${'+'.repeat(deep)}1`,
      '-'.repeat(deep),
      `a${' IS NULL'.repeat(2000)}`,
      `a${' = b'.repeat(4000)}`,
      `a${" CONTAINS ''".repeat(1300)}`,
      `${'NOT ('.repeat(3000)}a${')'.repeat(1000)}`,
    ]) {
      assert.equal(told(text, {}), 'invalid')
      assert.ok(positionOfFault(text) < 2000)
    }
  })

  test('of the depth and size that are allowed is a filter, and evaluated', () => {
    const nested = `${'('.repeat(MOST_FILTER_DEPTH)}a = 1${')'.repeat(MOST_FILTER_DEPTH)}`
    assert.equal(told(nested, { a: '1' }), 'true')
    assert.equal(told(`(${nested})`, { a: '1' }), 'invalid')
    const nots = `${'NOT ('.repeat(MOST_FILTER_DEPTH - 2)}a = 1${')'.repeat(MOST_FILTER_DEPTH - 2)}`
    assert.equal(told(nots, { a: '1' }), 'true')
    const terms = Math.floor((MOST_FILTER_NODES - 1) / 3)
    assert.equal(told(Array(terms).fill('a=1').join(' OR '), { a: '2' }), 'false')
    assert.equal(
      told(
        Array(terms + 1)
          .fill('a=1')
          .join(' OR '),
        { a: '2' },
      ),
      'invalid',
    )
    const strings = `a IN (${Array.from({ length: 1500 }, (_, i) => `'${i}'`).join(',')})`
    assert.equal(told(strings, { a: '1499' }), 'true')
  })

  test('of a megabyte is refused, whatever it is, and one of the most length is read', () => {
    const most = MOST_FILTER_LENGTH
    for (const text of ['a', '(', "'", '-', '/*', 'a = 1 OR ', '\u{1f600}', ' ', '--', '0', '9', "''"]) {
      const long = text.repeat(2 ** 20 / text.length)
      assert.equal(positionOfFault(long), most)
      const fitting = long.slice(0, most)
      if (told(fitting, {}) === 'invalid') positionOfFault(fitting)
    }
    assert.equal(told(`a = '${'x'.repeat(most - 6)}'`, { a: 'x'.repeat(most - 6) }), 'true')
    assert.equal(told(`a = 1${' '.repeat(most - 5)}`, { a: '1' }), 'true')
    assert.equal(told(`a = 1 --${'x'.repeat(most - 8)}`, { a: '1' }), 'true')
  })

  test('as a property of any length is compared without running away', () => {
    const long = 2 ** 20
    for (const value of ['9', '0', '.', '1.', ' ', '٥', '+', '0x', 'e', '1e']) {
      const a = value.repeat(long / value.length)
      for (const filter of ['a > 5', 'a > 3000000000', 'a > 5.5', 'a >= a', 'a = TRUE']) told(filter, { a })
    }
    assert.equal(told('a < 0.5', { a: `0.${'0'.repeat(long)}1` }), 'true')
    assert.equal(told('a = 5', { a: `${'0'.repeat(long)}5` }), 'true')
  })
})

after(() => console.log(`SQL filters: ${casesSoFar()} generated cases`))
