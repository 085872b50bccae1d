/** Filters and messages by chance: such as mean something, and rows of words that mostly do not. */
import fc from 'fast-check'

const names = ['a', 'b', 'c', 'TAGS', 'KEYS', '$d_1']
const numbers = [
  '0',
  '1',
  '2',
  '5',
  '10',
  '10L',
  '2147483647',
  '2147483648',
  '9223372036854775807',
  '1.5',
  '.5',
  '2.',
  '1e1',
  '9007199254740993',
  '9007199254740992.0',
]
const texts = ['', 'x', 'ax', 'axb', '1', '10', '1.5', 'true', 'FALSE', "it's", ' ', '\u00e9']
const values = [
  ...texts,
  ...['0', '2', '5', '-1', '+2', '007', '1.0', '1.50', '.5', '1e1', ' 5 ', '-0.0', '0.0', 'NaN', '-Infinity', '2f'],
  ...['2147483648', '-2147483649', '9223372036854775807', '9223372036854775808', '9007199254740992', 'True', 'null'],
]

/** Properties of a message; each name is there or not. */
export const sqlProperties: fc.Arbitrary<Readonly<Record<string, string>>> = fc
  .array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...values)), { maxLength: 8 })
  .map((pairs) => Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(pairs)))

const quoted = fc.constantFrom(...texts).map((text) => `'${text.replaceAll("'", "''")}'`)
const blank = fc.constantFrom(' ', ' ', ' ', '\n', ' /* or */ ', ' -- and\n')
const word = (text: string): fc.Arbitrary<string> =>
  fc.constantFrom(text, text, text.toLowerCase(), `${text[0]}${text.slice(1).toLowerCase()}`)
const row = (...parts: readonly (fc.Arbitrary<string> | string)[]): fc.Arbitrary<string> =>
  fc
    .tuple(blank, ...parts.map((part) => (typeof part === 'string' ? word(part) : part)))
    .map(([between, ...found]) => found.join(between))
const maybeNot = (operator: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(operator, row('NOT', operator))
const name = fc.constantFrom(...names)
const sign = fc.constantFrom('+', '-')
const list = fc.array(quoted, { minLength: 1, maxLength: 6 }).map((found) => `(${found.join(', ')})`)
const searching = maybeNot(fc.oneof(word('CONTAINS'), word('STARTSWITH'), word('ENDSWITH')))
const ordering = fc.constantFrom('<', '<=', '>', '>=')
const bracketed = (inner: fc.Arbitrary<string>): fc.Arbitrary<string> => inner.map((text) => `(${text})`)

const grammar = fc.letrec<{ condition: string; simple: string; number: string; operand: string }>((tie) => ({
  number: fc.oneof(
    { depthSize: 'small' },
    { weight: 6, arbitrary: name },
    { weight: 4, arbitrary: fc.constantFrom(...numbers) },
    { weight: 1, arbitrary: row(sign, tie('number')) },
    { weight: 1, arbitrary: bracketed(tie('number')) },
  ),
  operand: fc.oneof(
    { depthSize: 'small' },
    { weight: 8, arbitrary: tie('number') },
    { weight: 4, arbitrary: quoted },
    { weight: 2, arbitrary: fc.oneof(word('TRUE'), word('FALSE')) },
    { weight: 1, arbitrary: bracketed(tie('condition')) },
    { weight: 1, arbitrary: row('NOT', tie('operand')) },
    { weight: 1, arbitrary: row(sign, tie('operand')) },
  ),
  simple: fc.oneof(
    { depthSize: 'small' },
    { weight: 4, arbitrary: row(tie('number'), ordering, tie('number')) },
    { weight: 6, arbitrary: row(tie('operand'), fc.constantFrom('=', '<>'), tie('operand')) },
    { weight: 2, arbitrary: row(tie('operand'), 'IS', maybeNot(word('NULL'))) },
    { weight: 3, arbitrary: row(name, maybeNot(word('IN')), list) },
    { weight: 3, arbitrary: row(tie('operand'), searching, quoted) },
    { weight: 3, arbitrary: row(tie('number'), maybeNot(word('BETWEEN')), tie('number'), 'AND', tie('number')) },
    { weight: 1, arbitrary: fc.oneof(name, word('TRUE'), word('FALSE'), word('NULL')) },
  ),
  condition: fc.oneof(
    { depthSize: 'small' },
    { weight: 4, arbitrary: tie('simple') },
    { weight: 3, arbitrary: row(tie('condition'), 'AND', tie('condition')) },
    { weight: 3, arbitrary: row(tie('condition'), 'OR', tie('condition')) },
    { weight: 1, arbitrary: row('NOT', bracketed(tie('condition'))) },
    { weight: 1, arbitrary: bracketed(tie('condition')) },
  ),
}))

/** Filters of sound grammar. Some are refused all the same, for what they would compare. */
export const sqlFilters: fc.Arbitrary<string> = grammar.condition

/** Words of filters in any order. */
export const wordSoup: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: name },
      { weight: 3, arbitrary: fc.constantFrom(...numbers, '0x1', '1.5f', '00', '1e', '.') },
      { weight: 2, arbitrary: quoted },
      { weight: 3, arbitrary: fc.constantFrom('=', '<>', '<', '<=', '>', '>=', '=<', '>>') },
      { weight: 3, arbitrary: fc.constantFrom('(', ')', ',', '+', '-', '--', '--\n', '/*', '*/', '/**/', "'", '!', '\u00e9') },
      { weight: 6, arbitrary: fc.constantFrom('NOT', 'and', 'Or', 'BETWEEN', 'in', 'TRUE', 'False', 'NULL', 'is') },
      { weight: 3, arbitrary: fc.constantFrom('contains', 'STARTSWITH', 'endsWith', "in ('x')", 'is null', '= 1', 'a = 1') },
    ),
    { minLength: 1, maxLength: 9 },
  )
  .chain((found) => fc.constantFrom(' ', ' ', ' ', '').map((between) => found.join(between)))

const hexDigits = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), maxLength: 24 })
const decimalDigits = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 24 }),
  fc.constantFrom('0', '1', '9'),
)
const signOrNone = fc.constantFrom('', '', '+', '-')
const ending = fc.constantFrom('', '', '', 'f', 'D', ' ', '\t', 'x')
const point = fc.constantFrom('', '.')
const hexExponent = fc.oneof(
  fc.integer({ min: -1100, max: 1050 }),
  fc.integer({ min: -1080, max: -1010 }),
  fc.constantFrom(0, -99999999999),
)
const exponent = fc.oneof(fc.integer({ min: -345, max: 320 }), fc.integer({ min: -9, max: 9 }))
const joined = (...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((found) => found.join(''))

/** Texts that Java reads as numbers, or that look as if it might. */
export const numberTexts: fc.Arbitrary<string> = fc.oneof(
  joined(
    signOrNone,
    fc.constantFrom('0x', '0X'),
    hexDigits,
    point,
    hexDigits,
    hexExponent.map((by) => `p${by}`),
    ending,
  ),
  joined(
    signOrNone,
    decimalDigits,
    point,
    decimalDigits,
    exponent.map((by) => `e${by}`),
    ending,
  ),
  joined(fc.constantFrom('', ' ', '\0'), signOrNone, decimalDigits, point, decimalDigits, ending),
  joined(signOrNone, decimalDigits),
  joined(signOrNone, fc.string({ unit: fc.constantFrom(...'019\u0665\u0e59\uff11\u19d4\u19da\u2460\ua8d9'), maxLength: 12 })),
  fc.double().map(String),
  fc.constantFrom(
    'NaN',
    '-NaN',
    'Infinity',
    '+Infinity',
    'NaNd',
    'nan',
    '1_0',
    '1,0',
    '0x',
    'p1',
    '.',
    '-',
    '+.e1',
    '1e+',
    '1e5.',
  ),
)
