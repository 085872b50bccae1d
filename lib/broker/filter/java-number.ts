/**
 * Texts read as numbers the way Java reads them, and doubles in Java's order.
 *
 * A property is a string; which strings are numbers decides which messages a filter passes, so `Number()` will
 * not do: `Integer.valueOf` takes no blanks but the digits of any script, `Double.valueOf` takes blanks,
 * `NaN`, `1f` and `0x1p3`.
 */

const MOST_INT_DIGITS = 10
const MOST_LONG_DIGITS = 19
const MOST_LONG = 2n ** 63n - 1n
const ASCII_INTEGER = /^[+-]?[0-9]+$/
const DECIMAL = /^([+-]?(?:NaN|Infinity|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?))$/
const HEXADECIMAL = /^([+-]?)0[xX](?:([0-9a-fA-F]+)\.?|([0-9a-fA-F]*)\.([0-9a-fA-F]+))[pP]([+-]?\d+)$/
const FRACTION_BITS = 52
const MIN_EXPONENT = -1022
const MAX_EXPONENT = 1023
/** Hexadecimal digits that matter; what follows them only says whether they are all. */
const HEX_DIGITS = 16

/** As `Integer.valueOf`; `undefined` where it throws. */
export function parseJavaInt(text: string): number | undefined {
  const digits = signedDigits(text)
  if (digits === undefined || digits.length > MOST_INT_DIGITS + 1) return undefined
  const value = Number(digits)
  return value === (value | 0) ? value | 0 : undefined
}

/** As `Long.valueOf`; `undefined` where it throws. */
export function parseJavaLong(text: string): bigint | undefined {
  const digits = signedDigits(text)
  if (digits === undefined || digits.length > MOST_LONG_DIGITS + 1) return undefined
  const value = BigInt(digits)
  return value > MOST_LONG || value < -MOST_LONG - 1n ? undefined : value
}

/** As `Double.valueOf`; `undefined` where it throws. */
export function parseJavaDouble(text: string): number | undefined {
  const trimmed = trimControls(text)
  const bare = /[fFdD]$/.test(trimmed) ? trimmed.slice(0, -1) : trimmed
  if (DECIMAL.test(bare)) return /[yN]/.test(bare) && bare !== trimmed ? undefined : Number(bare)
  const [isHex, sign, whole, before = '', after = '', exponent] = HEXADECIMAL.exec(bare) ?? []
  if (isHex === undefined) return undefined
  const value = hexadecimal(whole ?? before + after, Number(exponent) - 4 * after.length)
  return sign === '-' ? -value : value
}

/** Java's order of doubles: -0 is below 0, and NaN is above everything and equal to itself. */
export function compareDoubles(left: number, right: number): number {
  if (left < right) return -1
  if (left > right) return 1
  if (left === right && left !== 0) return 0
  return Object.is(left, right) ? 0 : rankOf(left) - rankOf(right)
}

function rankOf(value: number): number {
  if (Number.isNaN(value)) return 2
  return Object.is(value, -0) ? -1 : 0
}

/** The digits in ASCII behind a minus if there is one, without leading zeros. */
function signedDigits(text: string): string | undefined {
  const ascii = ASCII_INTEGER.test(text) ? text : asciiDigits(text)
  if (ascii === undefined) return undefined
  const digits = ascii.replace(/^[+-]/, '').replace(/^0+(?=.)/, '')
  return ascii.startsWith('-') ? `-${digits}` : digits
}

function asciiDigits(text: string): string | undefined {
  const start = text.startsWith('+') || text.startsWith('-') ? 1 : 0
  if (text.length === start) return undefined
  let digits = text.slice(0, start)
  for (let i = start; i < text.length; i++) {
    const digit = digitOf(text.charCodeAt(i))
    if (digit === undefined) return undefined
    digits += digit
  }
  return digits
}

/** The digits of a script stand in a row that begins at a code ending in 0 or 6, in hexadecimal. */
function digitOf(code: number): number | undefined {
  if (!isDigit(code)) return undefined
  const row = code & ~15
  return isDigit(row) ? code - row : code - row - 6
}

function isDigit(code: number): boolean {
  return /^\p{Nd}$/u.test(String.fromCharCode(code))
}

/** As Java's `trim`: everything up to the blank is one. */
function trimControls(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && text.charCodeAt(start) <= 0x20) start++
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--
  return text.slice(start, end)
}

/** `digits` times 2 to the `exponent`, rounded once, to even. */
function hexadecimal(digits: string, exponent: number): number {
  const significant = digits.replace(/^0+/, '')
  if (significant === '') return 0
  const rest = significant.slice(HEX_DIGITS)
  const isRestZero = /^0*$/.test(rest)
  const mantissa = BigInt(`0x${significant.slice(0, HEX_DIGITS)}`) * 2n + (isRestZero ? 0n : 1n)
  const scale = exponent + 4 * rest.length - 1
  const bits = mantissa.toString(2).length
  const top = bits - 1 + scale
  if (top > MAX_EXPONENT) return Number.POSITIVE_INFINITY
  if (top < MIN_EXPONENT - FRACTION_BITS - 1) return 0
  const shift = Math.max(top, MIN_EXPONENT) - FRACTION_BITS - scale
  if (shift <= 0) return Number(mantissa) * 2 ** scale
  const divisor = 1n << BigInt(shift)
  const quotient = mantissa / divisor
  const twice = 2n * (mantissa % divisor)
  const isUp = twice > divisor || (twice === divisor && quotient % 2n === 1n)
  return Number(quotient + (isUp ? 1n : 0n)) * 2 ** (shift + scale)
}
