import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBody, printBody } from '../../lib/remoting/body-json.js'
import { Refusal } from '../../lib/remoting/errors.js'

test('an integer beyond 2^53 is read exactly, wherever it stands, in both forms', () => {
  for (const text of [
    '9223372036854775807',
    '-9223372036854775807',
    '{"a":9223372036854775775}',
    '{"a": [1,9007199254740993]}',
    '{"0":{"a":9007199254740993}}',
    '{0:9007199254740993}',
  ]) {
    const printed = printBody(parseBody(Buffer.from(text))).toString()
    assert.equal(printed, text.replaceAll(' ', ''))
  }
  assert.throws(() => parseBody(Buffer.from('{"a":9223372036854775808}')), Refusal)
})

test('a member that is left out does not make the rest of a body another', () => {
  const printed = printBody(parseBody(Buffer.from('{0:null,"a":9223372036854775775}')))
  assert.deepEqual(printBody(parseBody(printed)), printed)
})

test('digits within a string are no number: the body may have its full length', () => {
  const text = JSON.stringify({ expression: 'id = 1234567890123456789 and "b"', filler: 'x'.repeat(100_000) })
  assert.equal(printBody(parseBody(Buffer.from(text))).toString(), text)
})

test('a double that no long can hold stays one', () => {
  for (const text of ['3e+20', '[1e+300,-1e+16]', '{"a":9007199254740991}'])
    assert.equal(printBody(parseBody(Buffer.from(text))).toString(), text)
})
