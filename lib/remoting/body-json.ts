/**
 * Bodies as JSON, in the two forms that peers write and read.
 *
 * The old form has bare integer keys, which only fastjson and its kin read; the standard one quotes every key, sorts
 * them, and writes what is not ASCII as `\uXXXX`. A `Map` stands for an object with integer keys.
 */
import { ConfigSyntaxError, type ConfigValue, parseConfig } from '../format/config-json.js'
import { responseCodes } from './codes.js'
import { Refusal } from './errors.js'

/** The form of a body. */
export type BodyForm = 'fastjson' | 'standard'

const MAX_DEPTH = 32
/** Longest body, bytes: nothing else is done while it is read. A heartbeat with a thousand topics has 200 KiB. */
const MAX_BYTES = 256 * 1024
/** The same in the old form, which is read far more slowly, and in which only maps of a few queues come. */
const MAX_OLD_BYTES = 32 * 1024

/**
 * Reads a body in either form. Objects with integer keys come as a `Map` or as an object; `asIntegerMap` of the
 * configuration files reads both.
 *
 * @throws {Refusal} when it is no JSON, or too long
 */
export function parseBody(body: Buffer, maxBytes = MAX_BYTES): ConfigValue {
  if (body.length > maxBytes)
    throw new Refusal(responseCodes.SYSTEM_ERROR, `the body has ${body.length} bytes, JSON may have ${maxBytes}`)
  const text = body.toString('utf8')
  if (needsExactReader(text)) return parseOld(text)
  try {
    // Nearly all bodies are plain JSON, which the engine reads many times faster.
    return JSON.parse(text) as ConfigValue
  } catch {
    return parseOld(text)
  }
}

const LONG = /(?:^|[:,[\s])-?(\d{16,})/g
/** What may be beyond a double, which the engine takes for infinite. */
const HUGE = /(?:^|[:,[\s])-?(\d+(?:\.\d+)?[eE]\+?\d{3,})/g
/** A string that does not end takes all that is left, so that none is looked for again within it. */
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)/gs

/** Whether there may be an integer beyond 2^53, which the engine would round, or a number that no double holds. */
function needsExactReader(text: string): boolean {
  return holdsUnsafe(text) && holdsUnsafe(text.replace(STRINGS, '""'))
}

function holdsUnsafe(text: string): boolean {
  for (const [, digits] of text.matchAll(LONG)) if (!Number.isSafeInteger(Number(digits))) return true
  for (const [, number] of text.matchAll(HUGE)) if (!Number.isFinite(Number(number))) return true
  return false
}

function parseOld(text: string): ConfigValue {
  if (text.length > MAX_OLD_BYTES)
    throw new Refusal(
      responseCodes.SYSTEM_ERROR,
      `the body is no JSON, or has integers beyond 2^53 or keys without quotes and more than ${MAX_OLD_BYTES} bytes`,
    )
  try {
    return parseConfig(text, { maxDepth: MAX_DEPTH, maxBytes: MAX_OLD_BYTES })
  } catch (error) {
    if (error instanceof ConfigSyntaxError) throw new Refusal(responseCodes.SYSTEM_ERROR, 'the body is no JSON')
    throw error
  }
}

/** Writes a body. Members that are null or undefined are left out. */
export function printBody(value: ConfigValue, form: BodyForm = 'fastjson'): Buffer {
  const text = print(value, form)
  return Buffer.from(form === 'fastjson' ? text : text.replace(/[\u007f-\uffff]/g, escaped))
}

/** A value as it stands in a body of the old form. */
export function bodyText(value: ConfigValue): string {
  return print(value, 'fastjson')
}

function print(value: ConfigValue | undefined, form: BodyForm): string {
  if (typeof value === 'bigint') return String(value)
  // A double of that size, written in digits, would be read as a long.
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return (value as number).toExponential()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  // Lists of tens of thousands of names, which the engine writes many times faster.
  if (Array.isArray(value) && value.every((element) => typeof element === 'string')) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((element: ConfigValue) => print(element, form)).join(',')}]`
  if (value instanceof Map) {
    const keys = [...(value.keys() as Iterable<number>)].sort((a, b) => a - b)
    return join(
      keys,
      (key) => (form === 'fastjson' ? String(key) : `"${key}"`),
      (key) => value.get(key) as ConfigValue,
      form,
    )
  }
  const object = value as { readonly [name: string]: ConfigValue | undefined }
  return join(
    Object.keys(object).sort(),
    (name) => JSON.stringify(name),
    (name) => object[name],
    form,
  )
}

function join<Key>(
  keys: readonly Key[],
  name: (key: Key) => string,
  at: (key: Key) => ConfigValue | undefined,
  form: BodyForm,
): string {
  const members = keys.flatMap((key) => {
    const value = at(key)
    return value === undefined || value === null ? [] : [`${name(key)}:${print(value, form)}`]
  })
  return `{${members.join(',')}}`
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
