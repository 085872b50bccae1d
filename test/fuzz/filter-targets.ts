/** Targets that read filters, which clients send. */
import assert from 'node:assert/strict'
import { BrokerError } from '../../lib/broker/errors.js'
import { compileFilter } from '../../lib/broker/filter/compile.js'
import { MOST_FILTER_LENGTH } from '../../lib/broker/filter/filter-fault.js'
import { parseSqlFilter } from '../../lib/broker/filter/parser.js'
import { tagFilter } from '../../lib/broker/filter/tag-filter.js'
import type { Target } from './fuzzer.js'

const texts = (...found: readonly string[]): Buffer[] => found.map((text) => Buffer.from(text))

/** What a reader of filters makes of a text; `undefined` when it is refused as a filter may be. */
function readOf<T>(text: string, read: (text: string) => T): T | undefined {
  try {
    return read(text)
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'FILTER_INVALID') throw error
    const position = error.details['position'] as number
    assert.ok(Number.isInteger(position) && position >= 0 && position <= Math.min(text.length, MOST_FILTER_LENGTH))
    return undefined
  }
}

/** The text of an input is the filter up to the first zero, and behind it a value for the property `a`. */
const sqlFilter: Target = {
  name: 'sql-filter',
  seeds: texts(
    'a=3 and b<>4 Or not (c>5 AND d<=-4.5e1)\x001.5',
    "a in ('3', 'it''s') or a not in ('x') and a is not null\x003",
    'a between 2 and 10L or a not between .5 and 6.\x009223372036854775808',
    "a contains 'x' or a not startswith 'y' /* c */ or a endswith '' -- d\n\x00ax",
    'a >= a or a = TRUE or TRUE = a or a = - b or a > 3000000000\x000x1.8p3',
  ),
  words: texts(
    'and',
    ' or ',
    'not ',
    'between',
    ' in ',
    "('",
    "'",
    '--',
    '\n',
    '/*',
    '*/',
    '<>',
    '(',
    ')',
    'null',
    'is ',
    '\x00',
    '0x1p',
  ),
  run(input) {
    const [filter = '', a = ''] = input.toString('utf8').split('\0')
    const tree = readOf(filter, parseSqlFilter)
    if (tree === undefined) return
    const condition = compileFilter(tree)
    for (const properties of [{ a }, { a: '1', b: a }, {}]) {
      const outcome = condition(properties)
      assert.equal(condition(properties), outcome)
      assert.ok(['boolean', 'undefined', 'symbol'].includes(typeof outcome))
    }
    // Blanks and comments around a filter change nothing.
    const again = readOf(`/**/ ${filter} \n`, parseSqlFilter)
    const hasRoom = filter.length + 7 <= MOST_FILTER_LENGTH && !filter.includes('--')
    if (hasRoom) assert.equal(compileFilter(again!)({ a }), condition({ a }))
  },
}

const tags: Target = {
  name: 'tag-filter',
  seeds: texts('*', 'a || b', 'TagA||TagB||', '| || ||'),
  words: texts('||', '|', '*', ' '),
  run(input) {
    const filter = readOf(input.toString('utf8'), tagFilter)
    if (filter === undefined) return
    const { tags } = filter
    const again = tagFilter(tags === '*' ? tags : `${tags.join(' || ')} ||`)
    assert.deepEqual(again.tags, tags)
    for (const tag of [...tags, 'a', undefined]) {
      const message = { tags: tag, properties: {} }
      assert.equal(again.matches(message), filter.matches(message))
    }
  },
}

/** The targets of this file. */
export const filterTargets: readonly Target[] = [sqlFilter, tags]
