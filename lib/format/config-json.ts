/**
 * RocketMQ's configuration files: JSON as fastjson 1.2 reads and writes it.
 *
 * ```
 *  {                                   one TAB a level, no blank behind the colon
 *  	"dataVersion":{                   names of fields in alphabetical order, fields that are null left out
 *  		"counter":1
 *  	},
 *  	"offsetTable":{3:5,12:7           integer keys bare and on one line: not JSON
 *  	}
 *  }
 * ```
 *
 * 1. An object whose keys are all bare integers is read as a `Map`, and a `Map` is written as such an
 *    object. Every other object has no prototype, so `__proto__` is a name like any other.
 * 2. An integer beyond 2^53 - 1 is read as a bigint. No integer is ever rounded: one that a `long` cannot
 *    hold is an error in both directions. Fractions are doubles, as in Java.
 * 3. What is written here is read back equal, but for fields that are null.
 *
 * fastjson puts each element of a list on a line of its own, and those of a set or a Java array on one; which
 * of these a field is, the text does not tell. Arrays are written on one line.
 */
import { shown } from '../base/errors.js'

/** A value in a configuration file. */
export type ConfigValue = null | boolean | number | bigint | string | readonly ConfigValue[] | ConfigObject | IntegerMap

/** An object with names. Those that were read have no prototype. */
export interface ConfigObject {
  readonly [name: string]: ConfigValue | undefined
}

/** An object with integer keys. */
export type IntegerMap = ReadonlyMap<number, ConfigValue>

/** Bounds for text from outside. */
export interface ConfigLimits {
  /** Longest text, bytes. @default 64 MiB */
  readonly maxBytes?: number
  /** Deepest nesting of objects and arrays. @default 64 */
  readonly maxDepth?: number
}

/** A text that is no configuration file, and where it stops being one. */
export class ConfigSyntaxError extends SyntaxError {
  override readonly name = 'ConfigSyntaxError'
  /** Index of the offending character in the text. */
  readonly offset: number
  /** Its line, from 1. */
  readonly line: number
  /** Its column, from 1, in UTF-16 units. */
  readonly column: number

  constructor(what: string, text: string, offset: number) {
    const before = text.slice(0, offset)
    const line = before.split('\n').length
    const column = offset - before.lastIndexOf('\n')
    super(`${what} at line ${line}, column ${column}`)
    this.offset = offset
    this.line = line
    this.column = column
  }
}

const MAX_BYTES = 64 * 1024 * 1024
const MAX_DEPTH = 64
const MIN_LONG = -(2n ** 63n)
const MAX_LONG = 2n ** 63n - 1n

/**
 * Reads a configuration file.
 *
 * @throws {ConfigSyntaxError} when the text is not one, or goes beyond a limit
 */
export function parseConfig(source: Uint8Array | string, limits: ConfigLimits = {}): ConfigValue {
  const { maxBytes = MAX_BYTES, maxDepth = MAX_DEPTH } = limits
  const bytes = typeof source === 'string' ? Buffer.byteLength(source) : source.length
  if (bytes > maxBytes) throw new ConfigSyntaxError(`${bytes} bytes are more than ${maxBytes}`, '', 0)
  return new Parser(typeof source === 'string' ? source : decodeText(source), maxDepth).document()
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const text = new TextDecoder('utf-8').decode(bytes)
    throw new ConfigSyntaxError('bytes that are not UTF-8', text, Math.max(0, text.indexOf('\ufffd')))
  }
}

const BLANKS = /[ \t\r\n]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
const INTEGER_KEY = /-?(?:0|[1-9][0-9]*)/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a string may not hold as they are
const PLAIN = /[^"\\\u0000-\u001f]*/y
const HEX = /[0-9a-fA-F]{4}/y
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/** Reads one text from left to right. */
class Parser {
  readonly #text: string
  readonly #maxDepth: number
  #at = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  document(): ConfigValue {
    const value = this.#value(0)
    if (this.#at < this.#text.length) this.#wrong('the end')
    return value
  }

  #wrong(expected: string, at = this.#at): never {
    const found = at < this.#text.length ? shown(String.fromCodePoint(this.#text.codePointAt(at)!)) : 'the end of the text'
    throw new ConfigSyntaxError(`expected ${expected}, found ${found}`, this.#text, at)
  }

  /** What a sticky expression matches here; moves behind it. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at = pattern.lastIndex
    return match
  }

  #skip(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  /** The character after blanks, '' at the end. */
  #peek(): string {
    this.#take(BLANKS)
    return this.#text.charAt(this.#at)
  }

  #value(depth: number): ConfigValue {
    const next = this.#peek()
    const value = this.#valueAt(next, depth)
    this.#take(BLANKS)
    return value
  }

  #valueAt(next: string, depth: number): ConfigValue {
    if (next === '{' || next === '[') {
      if (depth >= this.#maxDepth) this.#wrong(`no more than ${this.#maxDepth} levels`)
      this.#at++
      return next === '{' ? this.#object(depth) : this.#array(depth)
    }
    if (next === '"') return this.#string()
    if (this.#skip('true')) return true
    if (this.#skip('false')) return false
    if (this.#skip('null')) return null
    return this.#number()
  }

  #array(depth: number): ConfigValue[] {
    const values: ConfigValue[] = []
    if (this.#peek() !== ']') {
      do values.push(this.#value(depth + 1))
      while (this.#skip(','))
    }
    if (!this.#skip(']')) this.#wrong("',' or ']'")
    return values
  }

  #object(depth: number): ConfigObject | IntegerMap {
    const entries: [string | number, ConfigValue][] = []
    let isIntegerMap = true
    if (this.#peek() !== '}') {
      do {
        const key = this.#key()
        if (typeof key === 'string') isIntegerMap = false
        if (this.#peek() !== ':') this.#wrong("':'")
        this.#at++
        entries.push([key, this.#value(depth + 1)])
      } while (this.#skip(','))
    }
    if (!this.#skip('}')) this.#wrong("',' or '}'")
    if (isIntegerMap && entries.length > 0) return new Map(entries as [number, ConfigValue][])
    const object = Object.create(null) as Record<string, ConfigValue>
    for (const [key, value] of entries) object[key] = value
    return object
  }

  #key(): string | number {
    if (this.#peek() === '"') return this.#string()
    const start = this.#at
    const digits = this.#take(INTEGER_KEY)?.[0]
    if (digits === undefined) this.#wrong('a name in double quotes or an integer')
    const key = Number(digits)
    if (!Number.isSafeInteger(key)) this.#wrong('a key within 2^53', start)
    return key
  }

  #number(): number | bigint {
    const start = this.#at
    const match = this.#take(NUMBER)
    if (match === undefined) this.#wrong('a value')
    const [digits, fraction, exponent] = match
    const value = Number(digits)
    if (fraction !== undefined || exponent !== undefined) {
      if (!isExact(value)) this.#wrong('a number within 2^53', start)
      return withoutSign(value)
    }
    if (Number.isSafeInteger(value)) return withoutSign(value)
    // A long has 19 digits; more would only cost time.
    const long = digits.length <= 20 ? BigInt(digits) : undefined
    if (long === undefined || long < MIN_LONG || long > MAX_LONG) this.#wrong('a number that fits 64 bits', start)
    return long
  }

  #string(): string {
    this.#at++
    let value = ''
    for (;;) {
      value += this.#take(PLAIN)![0]
      if (this.#skip('"')) return value
      if (!this.#skip('\\')) this.#wrong('a character of a string or its end')
      const start = this.#at
      if (this.#skip('u')) {
        const hex = this.#take(HEX)?.[0]
        if (hex === undefined) this.#wrong('four hexadecimal digits')
        value += String.fromCharCode(Number.parseInt(hex, 16))
        continue
      }
      const escaped = ESCAPES[this.#text.charAt(this.#at++)]
      if (escaped === undefined) this.#wrong('an escape', start)
      value += escaped
    }
  }
}

/** Minus zero, which `long` does not have, as zero. */
function withoutSign(value: number): number {
  return value === 0 ? 0 : value
}

/** Whether a number is neither rounded nor infinite. */
function isExact(value: number): boolean {
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value)
}

/**
 * The integer map that a value stands for: a map, an empty object, or an object whose names are all
 * integers, since a writer may put them in quotes. `undefined` when it is anything else.
 */
export function asIntegerMap(value: ConfigValue | undefined): IntegerMap | undefined {
  if (value instanceof Map) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const map = new Map<number, ConfigValue>()
  for (const [name, entry] of Object.entries(value as ConfigObject)) {
    const key = Number(name)
    if (!/^(?:0|-?[1-9][0-9]*)$/.test(name) || !Number.isSafeInteger(key)) return undefined
    if (entry !== undefined) map.set(key, entry)
  }
  return map
}

/**
 * Writes a configuration file. Integer maps are written in ascending order; fields that are null or
 * undefined are left out.
 *
 * @throws {RangeError} for a number that is not exact or does not fit 64 bits, and for nesting beyond 64 levels
 * @throws {TypeError} for what is no configuration value
 */
export function printConfig(value: ConfigValue): string {
  return print(value, 0)
}

function print(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'boolean':
      return String(value)
    case 'number':
      if (!isExact(value))
        throw new RangeError(`a number in a configuration must be exact, got ${value}; use a bigint for a long`)
      return String(value)
    case 'bigint':
      if (value < MIN_LONG || value > MAX_LONG) throw new RangeError(`a number must fit 64 bits, got ${shown(value)}`)
      return String(value)
  }
  if (value === null) return 'null'
  if (typeof value !== 'object') throw new TypeError(`a configuration cannot hold ${shown(value)}`)
  if (depth >= MAX_DEPTH) throw new RangeError(`a configuration may have at most ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) return `[${value.map((element) => print(element, depth + 1)).join(',')}]`
  return value instanceof Map ? printMap(value, depth) : printObject(value as ConfigObject, depth)
}

function printMap(map: Map<unknown, unknown>, depth: number): string {
  const entries: [number, unknown][] = []
  for (const [key, entry] of map) {
    if (!Number.isSafeInteger(key)) throw new TypeError(`a key of an integer map must be an integer, got ${shown(key)}`)
    if (entry !== null && entry !== undefined) entries.push([key as number, entry])
  }
  if (entries.length === 0) return '{}'
  entries.sort(([a], [b]) => a - b)
  return `{${entries.map(([key, entry]) => `${key}:${print(entry, depth + 1)}`).join(',')}\n${'\t'.repeat(depth)}}`
}

function printObject(object: ConfigObject, depth: number): string {
  const indent = `\n${'\t'.repeat(depth + 1)}`
  const fields: string[] = []
  for (const name of Object.keys(object).sort()) {
    const entry = object[name]
    if (entry !== null && entry !== undefined) fields.push(`${indent}${quote(name)}:${print(entry, depth + 1)}`)
  }
  return fields.length === 0 ? '{}' : `{${fields.join(',')}\n${'\t'.repeat(depth)}}`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: fastjson escapes control characters
const TO_ESCAPE = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** Quotes as fastjson does. Half a surrogate pair, which UTF-8 cannot hold, is escaped as well. */
function quote(text: string): string {
  if (!TO_ESCAPE.test(text)) return `"${text}"`
  let quoted = ''
  for (const character of text) {
    const isPlain = character.length === 2 || !TO_ESCAPE.test(character)
    quoted += isPlain
      ? character
      : (SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`)
  }
  return `"${quoted}"`
}
