/** Errors: one table, stable codes, messages with facts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { shown } from '../../lib/base/errors.js'
import { type ErrorCode, errorCodes, MessageStoreError } from '../../lib/index.js'

describe('the table', () => {
  test('every code has a meaning and one of the four reactions', () => {
    for (const [code, { meaning, reaction }] of Object.entries(errorCodes)) {
      assert.match(code, /^[A-Z]+(_[A-Z]+)+$/)
      assert.ok(meaning.length > 10, code)
      assert.ok(['retry', 'reject', 'repair', 'fatal'].includes(reaction), code)
    }
  })

  test('the codes of the contract are there', () => {
    for (const code of [
      'STORE_CLOSED',
      'STORE_LOCKED',
      'STORE_CORRUPT',
      'STORE_FAILED',
      'DISK_FULL',
      'MESSAGE_TOO_LARGE',
      'TOPIC_INVALID',
    ])
      assert.ok(code in errorCodes, code)
  })
})

describe('an error', () => {
  test('it carries code, reaction, cause and details, and its message begins with the code', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      const cause = new Error('why')
      const error = new MessageStoreError(code, 'what', { cause, details: { nextOffset: 5 } })
      assert.ok(error instanceof Error)
      assert.deepEqual([error.name, error.message, error.code], ['MessageStoreError', `${code}: what`, code])
      assert.equal(error.reaction, errorCodes[code].reaction)
      assert.equal(error.cause, cause)
      assert.deepEqual({ ...error.details }, { nextOffset: 5 })
      assert.ok(Object.isFrozen(error.details))
    }
    assert.ok(!('cause' in new MessageStoreError('DISK_FULL', 'x')))
  })

  test('values are shown short and on one line', () => {
    const cases: [unknown, string][] = [
      ['a\nb', '"a\\nb"'],
      [5, '5'],
      [5n, '5n'],
      [undefined, 'undefined'],
      [null, 'null'],
      [[1, 2], 'an array of 2'],
      [Buffer.alloc(3), '3 bytes'],
      [() => 1, 'a function'],
      [{}, 'an object (Object)'],
      [Object.create(null), 'an object (no prototype)'],
      [Symbol('s'), 'Symbol(s)'],
    ]
    for (const [value, text] of cases) assert.equal(shown(value), text)
    assert.ok(shown('x'.repeat(1000)).length < 90)
  })
})
