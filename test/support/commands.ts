/** Generated commands. */
import fc from 'fast-check'
import { type Command, type Encoding, emptyExtFields, languages } from '../../lib/remoting/command.js'
import { bytesUpTo, ints, objects } from './cases.js'

/** Text as UTF-8 can hold it, with what JSON escapes and what separates properties. */
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom('\u0001', '\u0002', '"', '\\', '\n', 'ü', '€', '😀', '1', '{', ':'), maxLength: 12 }),
)
const filled = texts.filter((text) => text.length > 0)
const names = fc
  .oneof(fc.constantFrom('topic', 'a', 'queueId', 'toString', '0', '7'), fc.string({ minLength: 1, maxLength: 20 }))
  .filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name))
const shorts = fc.oneof(fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }), fc.constantFrom(0, 10, 310, 32_767))

/** Commands that can be written in an encoding and read back equal. */
export function commands(encoding: Encoding): fc.Arbitrary<Command> {
  const isJson = encoding === 'json'
  return objects<Command>({
    code: isJson ? ints : shorts,
    language: fc.constantFrom(...languages),
    version: isJson ? ints : shorts,
    opaque: ints,
    flag: fc.constantFrom(0, 1, 2, 3, -1),
    remark: fc.option(isJson ? texts : filled, { nil: undefined }),
    extFields: fc
      .array(fc.tuple(names, isJson ? texts : filled), { maxLength: 8 })
      .map((entries) => Object.assign(emptyExtFields(), Object.fromEntries(entries))),
    body: bytesUpTo(40),
    encoding: fc.constant(encoding),
  })
}
