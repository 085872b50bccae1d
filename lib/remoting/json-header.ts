/**
 * Headers as JSON.
 *
 * Peers differ in how they write them: some put bare numbers and booleans among the ext fields, some bare names and
 * integer keys, all of them fields that nobody here knows. What is written here is the strictest form, which all of
 * them read: every ext field is a string.
 */
import { ConfigSyntaxError, parseConfig } from '../format/config-json.js'
import { type Command, type ExtFields, emptyExtFields, isResponse, type Language, languages } from './command.js'
import { MalformedFrame } from './errors.js'
import type { FrameLimits } from './limits.js'

/** A command without its body. */
export type Header = Omit<Command, 'body' | 'encoding'>

/** Deepest nesting of a header that is read; one level is in use below the header itself. */
const MAX_DEPTH = 4

/** Names that mean something to every ordinary object. Nobody needs them as ext fields. */
const DROPPED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Longest header whose bare numbers are read digit by digit: who writes such numbers writes short headers. */
const MAX_EXACT_CHARACTERS = 4096

/** Most commas between members. */
const MAX_COMMAS = 1024

/** A bare number with so many digits may be one that doubles cannot hold. */
const LONG_DIGITS = 16

/**
 * Reads a header.
 *
 * @throws {MalformedFrame} when it is none, or goes beyond a limit
 */
export function decodeJsonHeader(bytes: Buffer, limits: FrameLimits): Header {
  const fields = parse(bytes.toString('utf8'))
  if (!isObject(fields)) throw new MalformedFrame('a header that is no JSON object')
  const { code, language, version, opaque, flag, remark, extFields } = fields
  return {
    code: integer('code', code),
    language: languages.find((name) => name === language),
    version: integer('version', version ?? 0),
    opaque: integer('opaque', opaque),
    flag: integer('flag', flag ?? 0),
    remark: remark === undefined || remark === null ? undefined : scalar('remark', remark),
    extFields: extFieldsOf(extFields, limits),
  }
}

/** Writes a header. Answers always have ext fields, even none: Java's clients do not ask whether they are there. */
export function encodeJsonHeader(command: Command): string {
  const { code, language, version, opaque, flag, remark, extFields } = command
  const isBare = !isResponse(command) && Object.keys(extFields).length === 0
  return JSON.stringify({
    code,
    extFields: isBare ? undefined : extFields,
    flag,
    language: language ?? ('OTHER' satisfies Language),
    opaque,
    remark,
    serializeTypeCurrentRPC: 'JSON',
    version,
  })
}

function parse(text: string): unknown {
  const isExact = lookOver(text) && text.length <= MAX_EXACT_CHARACTERS
  try {
    return isExact ? parseConfig(text, { maxDepth: MAX_DEPTH }) : JSON.parse(text)
  } catch (error) {
    if (error instanceof ConfigSyntaxError || error instanceof SyntaxError) throw new MalformedFrame('a header that is no JSON')
    throw error
  }
}

/** Refuses what would take long to parse, deep nesting and members by the thousand. @returns whether a number is long */
function lookOver(text: string): boolean {
  let depth = 0
  let commas = 0
  let digits = 0
  let isLong = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character >= 0x30 && character <= 0x39) {
      if (++digits >= LONG_DIGITS) isLong = true
      continue
    }
    digits = 0
    if (character === 0x22) at = endOfString(text, at)
    else if (character === 0x7b || character === 0x5b) depth++
    else if (character === 0x7d || character === 0x5d) depth--
    else if (character === 0x2c) commas++
    if (depth > MAX_DEPTH) throw new MalformedFrame(`a header with more than ${MAX_DEPTH} levels`)
    if (commas > MAX_COMMAS) throw new MalformedFrame(`a header with more than ${MAX_COMMAS} members`)
  }
  return isLong
}

/** Where the quote is that ends a string; behind the text when none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === 0x5c) before--
    // Backslashes escape in pairs; an odd one takes the quote.
    if ((end - before) % 2 === 1) return end
  }
  return text.length
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)
}

function integer(name: string, value: unknown): number {
  if (typeof value !== 'number' || value !== (value | 0)) throw new MalformedFrame(`a header whose ${name} is no 32-bit integer`)
  return value | 0
}

function scalar(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  const isRounded = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
  if (isRounded) throw new MalformedFrame(`a header whose ${name} is a number beyond 2^53`)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  throw new MalformedFrame(`a header whose ${name} is no text`)
}

function extFieldsOf(value: unknown, limits: FrameLimits): ExtFields {
  const texts = emptyExtFields()
  if (value === undefined || value === null) return texts
  if (!isObject(value)) throw new MalformedFrame('a header whose extFields is no object')
  const names = Object.keys(value)
  if (names.length > limits.maxExtFields) throw new MalformedFrame(`a header with ${names.length} ext fields`)
  for (const name of names) {
    const inner = value[name]
    if (inner !== null) addExtField(texts, name, scalar('ext field', inner), limits)
  }
  return texts
}

/** Adds an ext field that was read. @throws {MalformedFrame} when it goes beyond a limit */
export function addExtField(texts: Record<string, string>, name: string, text: string, limits: FrameLimits): void {
  if (isLonger(name, limits.maxExtNameBytes)) throw new MalformedFrame('an ext field with too long a name')
  if (isLonger(text, limits.maxExtValueBytes)) throw new MalformedFrame(`an ext field with a value of ${text.length} characters`)
  if (!DROPPED.has(name)) texts[name] = text
}

/** Short texts, which are nearly all, need not be measured: a UTF-16 unit becomes at most three bytes. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes
}
