import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseProperties, parsePropertiesText } from '../../lib/format/properties.js'
import { check } from '../support/cases.js'

/** Texts in which separators are frequent, and half surrogates and the name that is left out happen. */
const texts = fc
  .array(
    fc.oneof(fc.constantFrom('\u0001', '\u0002', '__CRC32#', 'KEYS', 'ä', '\u{1f600}', '\ud800'), fc.string({ maxLength: 3 })),
  )
  .map((pieces) => pieces.join(''))

test('properties of a text are those of its bytes, whatever the text', () => {
  check(
    1000,
    fc.property(texts, (text) => {
      const bytes = Buffer.from(text)
      const ofBytes = parseProperties(bytes, 0, bytes.length)
      assert.deepEqual(Object.entries(parsePropertiesText(text)), Object.entries(ofBytes))
    }),
  )
})
