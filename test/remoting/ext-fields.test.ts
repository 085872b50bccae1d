/** Ext fields as numbers and flags: what Java writes is read, and nothing is rounded or guessed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Command, request } from '../../lib/remoting/command.js'
import { Refusal } from '../../lib/remoting/errors.js'
import {
  optionalFlag,
  optionalInt,
  optionalLong,
  requiredInt,
  requiredLong,
  requiredText,
} from '../../lib/remoting/ext-fields.js'
import { check, ints, signedLongs } from '../support/cases.js'

const withField = (x: string | number | bigint | boolean | undefined): Command => request(1, { ext: { x } })
const refuses = (read: () => unknown, why: RegExp): void =>
  assert.throws(read, (error) => error instanceof Refusal && error.code === 1 && why.test(error.message))

describe('an ext field', () => {
  test('that must be there is asked for by its name, as in RocketMQ', () => {
    for (const read of [requiredText, requiredInt, requiredLong]) {
      refuses(() => read(withField(undefined), 'x'), /^the custom field <x> is null$/)
      refuses(() => read(withField('1'), 'toString'), /<toString>/)
    }
    assert.equal(requiredText(withField(''), 'x'), '')
  })

  test('is the integer that it says', () => {
    check(
      200,
      fc.property(ints, (n) => assert.equal(requiredInt(withField(n), 'x'), n === 0 ? 0 : n)),
    )
    check(
      200,
      fc.property(signedLongs, (n) => assert.equal(requiredLong(withField(n), 'x'), n === 0 ? 0 : n)),
    )
    assert.ok(Object.is(optionalInt(withField('-0'), 'x', 1), 0) && Object.is(optionalLong(withField('-0'), 'x', 1), 0))
    assert.deepEqual([optionalInt(withField(undefined), 'x', 7), optionalLong(withField(undefined), 'x', -1)], [7, -1])
  })

  test('beyond 2^53 is brought to it, and beyond 64 bits is refused', () => {
    const most = Number.MAX_SAFE_INTEGER
    assert.equal(requiredLong(withField(2n ** 63n - 1n), 'x'), most)
    assert.equal(requiredLong(withField(-(2n ** 63n)), 'x'), -most)
    refuses(() => requiredLong(withField(2n ** 63n), 'x'), /no number/)
    refuses(() => requiredInt(withField(2 ** 31), 'x'), /no number/)
  })

  test('that is no integer is refused', () => {
    for (const text of ['', ' ', 'x', '1.5', '1e3', '0x10', '1 ', 'NaN', '--1', '9'.repeat(1000)]) {
      refuses(() => requiredInt(withField(text), 'x'), /no number/)
      refuses(() => requiredLong(withField(text), 'x'), /no number/)
    }
  })

  test('is true only when it says so, in any case', () => {
    const read = (text: string | undefined): boolean => optionalFlag(withField(text), 'x')
    assert.deepEqual(['true', 'TRUE', 'false', '1', ''].map(read), [true, true, false, false, false])
    assert.deepEqual([read(undefined), optionalFlag(withField(undefined), 'x', true)], [false, true])
  })
})
