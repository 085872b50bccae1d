/**
 * SQL filters, properties and outcomes.
 *
 * The first two lists say what RocketMQ 5.3.3's own tests of its filters say (`ParserTest`, `ExpressionTest`,
 * `FilterSpiTest`), where properties are strings as in messages. The others hold the rules that those leave
 * open. `test/interop/sql-filter.test.ts` asks RocketMQ itself about every case.
 */

/** `fault`: RocketMQ throws while it evaluates. `invalid`: it refuses the filter. */
export type Told = 'true' | 'false' | 'unknown' | 'fault' | 'invalid'

/** A filter, the properties of a message, and what comes of it. */
export type SqlCase = readonly [filter: string, properties: Readonly<Record<string, string>>, told: Told]

const and = 'a=3 and b<>4 And c>5 AND d<=4'
const or = 'a=3 or b<>4 Or c>5 OR d<=4'
const none = {}

/** Of `ParserTest`: what is a filter and what is not. */
export const parsed: readonly SqlCase[] = [
  [and, none, 'unknown'],
  ['a=3  and    b<>4 And c>5 AND d<=4', none, 'unknown'],
  [or, none, 'unknown'],
  ["a in ('3', '4', '5')", none, 'unknown'],
  ["(a not in ('6', '4', '5')) or (b in ('3', '4', '5'))", { a: '3' }, 'true'],
  ['(a between 2 and 10) AND (b not between 6 and 9)', { a: '2', b: '5' }, 'true'],
  ['a is null', none, 'true'],
  ['a is not null', none, 'false'],
  ['a <= now', { a: '1', now: '2' }, 'true'],
  ["a=3 and b contains 'xxx' and c not contains 'xxx'", { a: '3', b: 'axxx', c: 'axx' }, 'true'],
  ['a and between 2 and 10', none, 'invalid'],
  ['a > 100000000000000000000000', none, 'invalid'],
  [`a > 1${'1'.repeat(400)}.${'1'.repeat(400)}`, none, 'invalid'],
  [' a between 10 and 0', none, 'invalid'],
  ['a is not null and a > 0', none, 'false'],
]

/** Of `ExpressionTest`, from `CONTAINS` and its kin on: each for a text that is there, is not, or is none. */
function searches(): SqlCase[] {
  const found: readonly (readonly [
    operand: string,
    value: string | undefined,
    search: [string, string, string],
    isIn: boolean,
  ])[] = [
    ['value', 'axb', ['x', 'ax', 'xb'], true],
    ['value', 'abb', ['x', 'x', 'x'], false],
    ["'axb'", undefined, ['x', 'ax', 'xb'], true],
    ["'axb'", undefined, ['u', 'u', 'u'], false],
    ["' '", undefined, [' ', ' ', ' '], true],
    ["'axb'", undefined, ['.', '.', '.'], false],
    ["'s'", undefined, ['\\', '\\', '\\'], false],
  ]
  const cases: SqlCase[] = []
  for (const [operand, value, search, isIn] of found) {
    const properties: Readonly<Record<string, string>> = value === undefined ? { whatever: 'whatever' } : { value }
    for (const [i, word] of ['contains', 'startswith', 'endswith'].entries()) {
      cases.push([`${operand} ${word} '${search[i]}'`, properties, isIn ? 'true' : 'false'])
      cases.push([`${operand} not ${word} '${search[i]}'`, properties, isIn ? 'false' : 'true'])
    }
  }
  for (const word of ['contains', 'startswith', 'endswith', 'not contains', 'not startswith', 'not endswith']) {
    cases.push([`value ${word} ''`, { value: 'axb' }, 'false'], [`'axb' ${word} ''`, none, 'false'])
    cases.push([`value ${word} 'x'`, none, 'false'], [`value ${word} x`, { value: 'axb' }, 'invalid'])
    cases.push([`value ${word} 123`, { value: 'axb' }, 'invalid'], [`'axb' ${word} `, none, 'invalid'])
    cases.push([`1.23 ${word} 'x'`, none, 'false'], [`TRUE ${word} 'x'`, none, 'false'])
  }
  return cases
}

const all = (verb: string): string => `a not in ('4', '4', '5') and b between 3 and 10 and c not ${verb} 'axbc'`

/** Of `ExpressionTest`: what comes of filters. */
export const evaluated: readonly SqlCase[] = [
  ...searches(),
  ...['contains', 'startswith', 'endswith'].map((verb): SqlCase => [all(verb), { a: '3', b: '3', c: 'axbdc' }, 'true']),
  ["TAGS is not null and TAGS='''''tag'''''", { TAGS: "''tag''" }, 'true'],
  ['a between up and low', { a: '3.14' }, 'unknown'],
  ['a between up and low', { a: '3.14', up: 'up', low: 'low' }, 'fault'],
  ['key is not null and key between 0 and 100', { key: 'con' }, 'fault'],
  ['a between 0 and 100', { a: 'abc' }, 'fault'],
  ['a=b', { a: '3.14', b: '3.14' }, 'true'],
  ['a<>b', { a: '3.14', b: '3.14' }, 'false'],
  ['a<>b', { a: '3.14', b: '3.141' }, 'true'],
  ['a > 3.1E10', { a: '3.1415E10' }, 'true'],
  ['a > 3.14', { a: '3.1415' }, 'true'],
  ['a > b', { a: '10', b: '20' }, 'false'],
  ['a > b', { a: '20', b: '10' }, 'true'],
  ["a is null OR a='hello'", none, 'true'],
  ["a is null OR a='hello'", { a: 'hello' }, 'true'],
  ["a is null OR a='hello'", { a: 'abc' }, 'false'],
  ['a=TRUE OR b=FALSE', { a: 'true', b: 'false' }, 'true'],
  ['a=TRUE OR b=FALSE', { a: 'false', b: 'true' }, 'false'],
  ["a is not null and a='hello'", { a: 'hello' }, 'true'],
  ["a is not null and a='hello'", none, 'false'],
  [and, { a: '3', b: '5', c: '6', d: '1' }, 'true'],
  [and, { a: '4', b: '5', c: '6', d: '1' }, 'false'],
  [or, { a: '3' }, 'true'],
  [or, { a: '4', b: '5' }, 'true'],
  [or, { a: '4', b: '4', c: '6' }, 'true'],
  [or, { a: '4', b: '4', c: '3', d: '2' }, 'true'],
  [or, { a: '4', b: '4', c: '3', d: '10' }, 'false'],
  ...['3', '4', '5'].map((a): SqlCase => ["a in ('3', '4', '5')", { a }, 'true']),
  ["a in ('3', '4', '5')", { a: '8' }, 'false'],
  ["a not in ('3', '4', '5')", { a: '8' }, 'true'],
  ...['3', '4', '5'].map((a): SqlCase => ["a not in ('3', '4', '5')", { a }, 'false']),
  ...['2', '10', '3'].map((a): SqlCase => ['a between 2 and 10', { a }, 'true']),
  ...['1', '11'].map((a): SqlCase => ['a between 2 and 10', { a }, 'false']),
  ...['1', '11'].map((a): SqlCase => ['a not between 2 and 10', { a }, 'true']),
  ...['2', '10', '3'].map((a): SqlCase => ['a not between 2 and 10', { a }, 'false']),
  ['a is null', { abc: '2' }, 'true'],
  ['a is null', { a: '2' }, 'false'],
  ['a is not null', { a: '2' }, 'true'],
  ['a is not null', { abc: '2' }, 'false'],
]

/** Of words: which texts are one, and where it ends. */
export const words: readonly SqlCase[] = [
  ['A = 1', { a: '1' }, 'unknown'],
  ['_a$1 = 1', { _a$1: '1' }, 'true'],
  ['$ IS NULL', none, 'true'],
  ["KEYS = 'k1 k2' AND TAGS = 't'", { KEYS: 'k1 k2', TAGS: 't' }, 'true'],
  ['é = 1', none, 'invalid'],
  ['a = é', none, 'invalid'],
  ["a = 'é\u{1f600}\n'", { a: 'é\u{1f600}\n' }, 'true'],
  ["a = '\ud83d'", { a: '\ud83d' }, 'true'],
  ["a = 'it''s'", { a: "it's" }, 'true'],
  ["a = ''", { a: '' }, 'true'],
  ["a = 'x", none, 'invalid'],
  ["a = 'x''", none, 'invalid'],
  ["a = '", none, 'invalid'],
  ['a\t=\n1\r\f', { a: '1' }, 'true'],
  ['a\u00a0= 1', none, 'invalid'],
  ['a = 1 -- the end\n', { a: '1' }, 'true'],
  ['a = 1 -- the end', { a: '1' }, 'true'],
  ['a = -- what\r\n 1', { a: '1' }, 'true'],
  ['a = --1', { a: '1' }, 'true'],
  ['a/**/=/* x **/1/***/', { a: '1' }, 'true'],
  ['a = 1 /*/', none, 'invalid'],
  ['a = 1 /* x', none, 'invalid'],
  ['a = 1 @', none, 'invalid'],
  ['a = 10L', { a: '10' }, 'true'],
  ['a = 10l', { a: '10' }, 'true'],
  ['a = 5.', { a: '5' }, 'true'],
  ['a = .5', { a: '0.50' }, 'true'],
  ['a = 5.e1', { a: '50' }, 'true'],
  ['a = 5E1', { a: '50' }, 'true'],
  ['a = 00.5', { a: '.5' }, 'true'],
  ['a = 0.0', none, 'invalid'],
  ['a = 0e5', none, 'invalid'],
  ['a = 1e-400', none, 'invalid'],
  ['a = 1e400', none, 'invalid'],
  ['a > 4.9E-324', { a: '1' }, 'true'],
  ['a = 9223372036854775807', { a: '9223372036854775807' }, 'true'],
  ['a = 9223372036854775808', none, 'invalid'],
  ['a = -9223372036854775808', none, 'invalid'],
  ["a like 'x'", none, 'unknown'],
  ['a != 1', none, 'invalid'],
  ['a == 1', none, 'invalid'],
  ['a + 1 = 2', none, 'unknown'],
  ['', none, 'invalid'],
  [' -- nothing\n', none, 'invalid'],
]

/** Of precedence and of what is refused for what it would compare. */
export const shapes: readonly SqlCase[] = [
  ['a', { a: 'true' }, 'false'],
  ['a', none, 'unknown'],
  ['NOT a', { a: 'true' }, 'true'],
  ['NOT a', none, 'unknown'],
  ['NOT a = b', { a: 'x', b: 'y' }, 'fault'],
  ['NOT a = b', { a: 'x' }, 'false'],
  ['NOT (a = b)', { a: 'x', b: 'y' }, 'true'],
  ['NOT NOT TRUE', none, 'true'],
  ['NOT NULL', none, 'unknown'],
  ['TRUE', none, 'true'],
  ['NULL', none, 'unknown'],
  ['1', none, 'invalid'],
  ["'x'", none, 'invalid'],
  ['-a', { a: '1' }, 'invalid'],
  ['+a', { a: '1' }, 'false'],
  ['NOT 1', none, 'invalid'],
  ['a AND 1', none, 'invalid'],
  ['a = 1 OR b', { a: '2' }, 'unknown'],
  ['TRUE OR FALSE AND FALSE', none, 'true'],
  ['(TRUE OR FALSE) AND FALSE', none, 'false'],
  ['a = 1 = b', { a: '1', b: 'true' }, 'fault'],
  ['a = 1 = TRUE', { a: '1' }, 'true'],
  ['(a = 1) = (b = 2)', { a: '0', b: '0' }, 'true'],
  ['a = 1 IS NULL', none, 'true'],
  ['a = 1 IS NULL', { a: 'x' }, 'fault'],
  ['a IS NULL IS NOT NULL IS NULL', none, 'false'],
  ['1 IS NULL', none, 'false'],
  ['NULL IS NULL', none, 'true'],
  ['a IS NOT 1', none, 'invalid'],
  ['a IS 1', none, 'invalid'],
  ['a NOT 1', none, 'invalid'],
  ['a = NULL', none, 'invalid'],
  ['NULL <> a', none, 'invalid'],
  ["TRUE = 'true'", none, 'invalid'],
  ["'true' = TRUE", none, 'true'],
  ['1 = TRUE', none, 'false'],
  ['TRUE = a', { a: 'true' }, 'fault'],
  ['TRUE = a', none, 'false'],
  ['a > TRUE', none, 'invalid'],
  ["a > 'x'", none, 'invalid'],
  ['a > NULL', none, 'invalid'],
  ['a > 1 > 2', none, 'invalid'],
  ['(a > 1) < 2', none, 'invalid'],
  ['NOT a > 1', none, 'invalid'],
  ["a > -'x'", { a: '1' }, 'unknown'],
  ['a > -b', { a: '1', b: '1' }, 'unknown'],
  ['a > -(b > 1)', { a: '1', b: 'x' }, 'fault'],
  ['a > -(b > 1)', { b: 'x' }, 'unknown'],
  ['a = -(b > 1)', { b: 'x' }, 'fault'],
  ["(a > 1) contains 'x' contains 'y'", { a: '2' }, 'false'],
  ["(a > 1) contains 'x'", { a: 'x' }, 'fault'],
  ["(a > 1) contains ''", { a: 'x' }, 'false'],
  ["((+a)) in ('x')", { a: 'x' }, 'true'],
  ["'a' in ('a')", none, 'invalid'],
  ["-a in ('a')", none, 'invalid'],
  ["a in ('a', 1)", none, 'invalid'],
  ['a in ()', none, 'invalid'],
  ["a in 'a'", none, 'invalid'],
  ["a in ('a'", none, 'invalid'],
  ['a between 1', none, 'invalid'],
  ['a between 1 or 2', none, 'invalid'],
  ['a between 1 and 1', { a: '1' }, 'true'],
  ['a between -1 and -2', { a: '1' }, 'false'],
  ['a between 1.5 and 1', none, 'invalid'],
  ['a between NULL and 1', none, 'invalid'],
  ["a between 'a' and 'b'", none, 'invalid'],
  ['a not between 10 and 1', { a: '5' }, 'true'],
  ['5 between a and b', { a: '1', b: '9' }, 'true'],
  ['a between 1 and b', { a: '0', b: 'x' }, 'false'],
  ['a between 1 and 2 and b = 1', { a: '1', b: '1' }, 'true'],
  ['(a = 1', none, 'invalid'],
  ['a = 1)', { a: '1' }, 'true'],
  ['()', none, 'invalid'],
  ['a = 1 b', { a: '1' }, 'true'],
  ['a = 007', { a: '0' }, 'true'],
  ['a = 1.5f', { a: '1.5' }, 'true'],
  ["a = 'x' 'y''", { a: 'x' }, 'true'],
]

/** Of how properties compare. */
export const compared: readonly SqlCase[] = [
  ['a = b', none, 'true'],
  ['a <> b', none, 'false'],
  ['a = b', { a: '1' }, 'false'],
  ['a = b', { b: '1' }, 'unknown'],
  ["'x' <> a", none, 'true'],
  ["a <> 'x'", none, 'unknown'],
  ['a = b', { a: '1', b: '1.0' }, 'false'],
  ['a >= b', { a: '1', b: '1.0' }, 'true'],
  ['a > b', { a: 'x', b: '1' }, 'fault'],
  ['a > b', { b: 'x' }, 'unknown'],
  ['a > 1 AND b = 1', { a: 'x', b: '2' }, 'fault'],
  ['b = 1 AND a > 1', { a: 'x', b: '2' }, 'false'],
  ['b = 1 OR a > 1', { a: 'x', b: '1' }, 'true'],
  ['b = 1 OR a > 1', { a: 'x' }, 'fault'],
  ['b = 1 OR a = 1', { a: '2' }, 'unknown'],
  ['a = 5', { a: '5.0' }, 'fault'],
  ['a = 5', { a: ' 5' }, 'fault'],
  ['a = 5', { a: '+5' }, 'true'],
  ['a = 5', { a: '0005' }, 'true'],
  ['a = 5', { a: '' }, 'fault'],
  ['a = 5', { a: '-' }, 'fault'],
  ['a = 5', { a: '٥' }, 'true'],
  ['a = 15', { a: '１５' }, 'true'],
  ['a = 5', { a: '᧕' }, 'true'],
  ['a = 5', { a: '\u{1d7d3}' }, 'fault'],
  ['a = 0', { a: '-0' }, 'true'],
  ['a > 5', { a: '3000000000' }, 'fault'],
  ['a > 2147483647', { a: '2147483648' }, 'fault'],
  ['a > -2147483648', { a: '3000000000' }, 'true'],
  ['a > 3000000000', { a: '3000000001' }, 'true'],
  ['a > 3000000000', { a: '9223372036854775808' }, 'fault'],
  ['a < 3000000000', { a: '-9223372036854775808' }, 'true'],
  ['a = 9007199254740993', { a: '9007199254740992' }, 'false'],
  ['9007199254740993 = 9007199254740992.0', none, 'true'],
  ['9007199254740993 between 9007199254740992.0 and 9007199254740992.0', none, 'true'],
  ['1 = 1.0', none, 'true'],
  ['3000000000 > 1', none, 'true'],
  ['a > 0.5', { a: ' 1\t' }, 'true'],
  ['a > 0.5', { a: '\u00a01' }, 'fault'],
  ['a > 0.5', { a: '1f' }, 'true'],
  ['a > 0.5', { a: '1.D' }, 'true'],
  ['a > 0.5', { a: '1e' }, 'fault'],
  ['a > 0.5', { a: 'NaN' }, 'true'],
  ['a > 0.5', { a: '-NaN' }, 'true'],
  ['a > 0.5', { a: 'NaNf' }, 'fault'],
  ['a > 0.5', { a: 'Infinity' }, 'true'],
  ['a > 0.5', { a: '-Infinity' }, 'false'],
  ['a > 0.5', { a: 'infinity' }, 'fault'],
  ['a > 0.5', { a: '1e999' }, 'true'],
  ['a > 0.5', { a: '٥' }, 'fault'],
  ['a > 0.5', { a: '0x10' }, 'fault'],
  ['a = 24.5', { a: '0x18.8p0' }, 'true'],
  ['a = 24.5', { a: '0X.31P7d' }, 'true'],
  ['a = 24.5', { a: '0x.p1' }, 'fault'],
  ['a = 4.9E-324', { a: '0x1p-1074' }, 'true'],
  ['a = 4.9E-324', { a: '0x0.8p-1074' }, 'false'],
  ['a = 4.9E-324', { a: '0x0.80000000000000000000001p-1074' }, 'true'],
  ['a = 4.9E-324', { a: '0x1.8p-1074' }, 'false'],
  ['a = 1.7976931348623157E308', { a: '0x1.fffffffffffff7ffffp1023' }, 'true'],
  ['a > 1.7976931348623157E308', { a: '0x1.fffffffffffff8p1023' }, 'true'],
  ['a = 9007199254740994.0', { a: '0x20000000000003p0' }, 'false'],
  ['a = 9007199254740996.0', { a: '0x20000000000003p0' }, 'true'],
  ['a > b', { a: '0.0', b: '-0.0' }, 'true'],
  ['a >= b', { a: 'NaN', b: 'Infinity' }, 'true'],
  ['a <= b', { a: 'NaN', b: 'NaN' }, 'true'],
  ['a = TRUE', { a: 'TrUe' }, 'true'],
  ['a = TRUE', { a: ' true' }, 'false'],
  ['a = FALSE', { a: 'anything' }, 'true'],
  ['a <> FALSE', none, 'unknown'],
  ["a = '5'", { a: '5.0' }, 'false'],
  ["5 = '5'", none, 'true'],
  ["'5.0' = 5", none, 'fault'],
  ["a in ('x', 'x', 'y')", none, 'unknown'],
  ['constructor IS NULL AND toString IS NULL AND __proto__ IS NULL AND hasOwnProperty IS NULL', none, 'true'],
]

/** All of them. */
export const sqlCases: readonly SqlCase[] = [...parsed, ...evaluated, ...words, ...shapes, ...compared]

/** Of these RocketMQ reads the beginning and ignores the rest; here they are refused. */
export const withTrailingText: ReadonlySet<string> = new Set([
  'a + 1 = 2',
  "a like 'x'",
  'a = 1)',
  'a = 1 b',
  'a = 007',
  'a = 1.5f',
  "a = 'x' 'y''",
])
