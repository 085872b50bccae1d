/** Tag filters, the filters of RocketMQ's protocol, and the cache of filters. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BrokerError } from '../../../lib/broker/errors.js'
import { FilterCache } from '../../../lib/broker/filter/filter-cache.js'
import { MOST_FILTER_LENGTH } from '../../../lib/broker/filter/filter-fault.js'
import { type FilterExpression, filterExpressionOf } from '../../../lib/broker/filter/message-filter.js'
import { tagFilter } from '../../../lib/broker/filter/tag-filter.js'
import { compileTags } from '../../../lib/store/reading/tag-filter.js'

/** Whether a message with a tag, or with none, passes. */
function passes(filter: string, tags: string | undefined): boolean {
  return tagFilter(filter).matches({ tags, properties: Object.create(null) })
}

function faultOf(run: () => unknown): BrokerError {
  try {
    run()
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'FILTER_INVALID') return error
    throw error
  }
  return assert.fail('nothing was refused')
}

describe('tag filters', () => {
  test('let everything pass when they are a star or empty', () => {
    for (const filter of ['*', ' * ', '']) {
      assert.equal(tagFilter(filter).tags, '*')
      for (const tags of ['a', '', undefined]) assert.equal(passes(filter, tags), true)
    }
  })

  test('let exactly the messages pass whose tag is one of theirs', () => {
    const filter = tagFilter(' a||b c || || |||a')
    assert.deepEqual(
      { ...filter, matches: undefined },
      { text: ' a||b c || || |||a', kind: 'TAG', tags: ['a', 'b c', '|a'], matches: undefined },
    )
    for (const tags of ['a', 'b c', '|a']) assert.equal(passes(filter.text, tags), true)
    for (const tags of ['', 'A', 'b', 'c', 'a || b c', '*', undefined]) assert.equal(passes(filter.text, tags), false)
  })

  test('do not confuse tags of equal hash, and know no wildcard', () => {
    assert.equal(passes('Aa', 'BB'), false)
    assert.equal(passes('a* || b', 'ab'), false)
    assert.equal(passes('a || *', 'x'), false)
  })

  test('hand the store tags that choose the same messages', () => {
    for (const filter of ['a', 'a||b', ' a| || |b', '|', 'x||||y', '*||', 'a || *']) {
      const compiled = compileTags(tagFilter(filter).tags)
      for (const tag of ['a', 'b', '*', 'a|', '|b', '|', 'x', 'y'])
        assert.equal(compiled === undefined || compiled.tags.has(tag), passes(filter, tag), `${filter} ${tag}`)
    }
  })

  test('are refused when they name no tag or are too long', () => {
    for (const filter of [' ', '||', ' || || ']) assert.equal(faultOf(() => tagFilter(filter)).details['position'], 0)
    assert.equal(tagFilter('a'.repeat(MOST_FILTER_LENGTH)).kind, 'TAG')
    assert.equal(faultOf(() => tagFilter('a'.repeat(2 ** 20))).details['position'], MOST_FILTER_LENGTH)
  })
})

describe('filters of the protocol', () => {
  test('are tags unless they say SQL92', () => {
    const told = (text: string | undefined, type: string | undefined): FilterExpression =>
      filterExpressionOf({ text, type, isClassFilter: false })
    assert.equal(told('a || b', undefined), 'a || b')
    assert.equal(told('a', 'TAG'), 'a')
    assert.equal(told('a', ''), 'a')
    assert.equal(told(undefined, undefined), '*')
    assert.deepEqual(told('a = 1', 'SQL92'), { sql: 'a = 1' })
  })

  test('that run a class of the client are refused with the reason, and so is a type that there is not', () => {
    const { message } = faultOf(() => filterExpressionOf({ text: 'org.example.Mine', type: 'TAG', isClassFilter: true }))
    assert.match(message, /org\.example\.Mine.*class filters would run code of the client in the broker/)
    assert.match(faultOf(() => filterExpressionOf({ text: 'a', type: 'XPATH', isClassFilter: false })).message, /"XPATH"/)
  })
})

describe('the cache of filters', () => {
  test('reads a filter once, keeps tags and SQL apart, and forgets those not used for longest', () => {
    const cache = new FilterCache(2)
    const first = cache.get('a')
    assert.equal(cache.get('a'), first)
    const sql = cache.get({ sql: 'a' })
    assert.deepEqual([first.kind, first.tags, sql.kind, sql.tags, sql.text], ['TAG', ['a'], 'SQL92', '*', 'a'])
    assert.equal(cache.get({ sql: 'a' }), sql)
    cache.get('b')
    assert.equal(cache.get('a'), first)
    cache.get('c')
    cache.get('b')
    assert.notEqual(cache.get('a'), first)
  })

  test('keeps failures too, and throws an error of its own each time', () => {
    const cache = new FilterCache()
    const faults = [1, 2].map(() => faultOf(() => cache.get({ sql: 'a = ' })))
    assert.notEqual(faults[0], faults[1])
    assert.equal(faults[0]!.message, faults[1]!.message)
    assert.deepEqual(faults[0]!.details, faults[1]!.details)
    assert.equal(faults[0]!.details['position'], 4)
  })

  test('refuses what is neither a string nor SQL as a wrong argument, and long texts before it would keep them', () => {
    const cache = new FilterCache()
    for (const wrong of [undefined, null, 5, {}, { sql: 5 }, ['a']]) {
      assert.throws(() => cache.get(wrong as unknown as FilterExpression), TypeError)
    }
    for (const long of ['a'.repeat(2 ** 20), { sql: 'a'.repeat(2 ** 20) }]) {
      assert.equal(faultOf(() => cache.get(long)).details['position'], MOST_FILTER_LENGTH)
    }
  })
})
