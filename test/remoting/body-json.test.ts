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

test('sixteen digits below 2^53 are no reason to read a long body slowly', () => {
  const text = JSON.stringify({ filler: 'x'.repeat(100_000), id: 1234567890123456 })
  assert.ok(printBody(parseBody(Buffer.from(text))).equals(Buffer.from(text)))
})

test('a body whose strings do not end costs no more than others of its length', () => {
  for (const filler of ['\\"', '"\\\n', '\\', '"'])
    for (const end of ['', '"', '\\'])
      assert.throws(() => parseBody(Buffer.from(`[9234567890123456,"${filler.repeat(100_000)}${end}`)), Refusal)
})

test('a number beyond a double is refused, not taken for infinite', () => {
  for (const text of ['{"":9e920}', '[1E+400]', '[1.1e0309]', `[${'9'.repeat(400)}]`])
    assert.throws(() => parseBody(Buffer.from(text)), Refusal)
})
