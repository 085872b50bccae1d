/**
 * What callers give, looked at before it is used: each refusal names what is wrong, what was expected and what came.
 * A value of a wrong type is a `TypeError`, and so are a field that nothing reads and fields that do not go together; a
 * value of the right type that cannot be is a `RangeError`. NaN is a number.
 */
import { shown } from './errors.js'

/** The names of the fields that an object may have. */
export type FieldNames = ReadonlySet<string>

/** The names in a table that a type says is complete, as in `fieldNames<keyof Request>({ topic: true })`. */
export function fieldNames<Name extends string>(table: Readonly<Record<Name, true>>): FieldNames {
  return new Set(Object.keys(table))
}

/** @throws {TypeError} naming a field that nothing reads, and those that are read: a misspelt one must not be passed over */
export function refuseUnknown(what: string, value: object, known: FieldNames): void {
  for (const name in value) {
    if (known.has(name) || !Object.hasOwn(value, name)) continue
    throw new TypeError(`${what} has an unknown field ${shown(name)}; the fields are ${[...known].join(', ')}`)
  }
}

/** @throws {TypeError} when a request, or what else callers give as an object, is none or has a field that nothing reads */
export function checkRequest(request: unknown, known: FieldNames, what = 'the request'): void {
  checkObject(what, request)
  refuseUnknown(what, request, known)
}

/** What `typeof` says of a value that may be right. */
type Sort = 'string' | 'number'

/** The one rule for what cannot be: a `RangeError` where a value has the type that is wanted, else a `TypeError`. */
export function wrongValue(sort: Sort, name: string, expected: string, value: unknown): TypeError | RangeError {
  const Kind = typeof value === sort ? RangeError : TypeError
  return new Kind(`${name} must be ${expected}, got ${shown(value)}`)
}

/** @throws {TypeError} when a value is no object; an array is none */
export function checkObject(name: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${name} must be an object, got ${shown(value)}`)
}

/** @throws {TypeError} when a value is no string */
export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, got ${shown(value)}`)
}

/** @throws {TypeError} {@link RangeError} when a value is no path, which no system allows to hold 0x00 */
export function checkDirectory(value: unknown): asserts value is string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return
  throw wrongValue('string', 'directory', 'a path', value)
}

/** @throws {TypeError} when a value is neither true nor false */
export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false, got ${shown(value)}`)
}

/** @throws {TypeError} when a value cannot be called */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, got ${shown(value)}`)
}

/** @throws {TypeError} {@link RangeError} when a value is none of some words */
export function checkChoice(name: string, value: unknown, words: readonly string[]): void {
  if (words.includes(value as string)) return
  throw wrongValue('string', name, words.map((word) => `'${word}'`).join(' or '), value)
}

/** @throws {TypeError} {@link RangeError} when a queue's name or number cannot be one */
export function checkQueue(topic: unknown, queueId: unknown): void {
  checkString('topic', topic)
  checkWhole('queueId', queueId)
}

/** @throws {TypeError} when a signal is there and is none */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  throw new TypeError(`signal must be an AbortSignal, got ${shown(signal)}`)
}

/** @throws {TypeError} when a callback is there and cannot be called */
export function checkCallback(name: string, callback: unknown): void {
  if (callback !== undefined) checkFunction(name, callback)
}

/** @throws {TypeError} {@link RangeError} when a number is not whole, or is less than `least` */
export function checkWhole(name: string, value: unknown, least = 0): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return
  throw wrongValue('number', name, `a whole number of at least ${least}`, value)
}

/** The number itself. @throws {TypeError} {@link RangeError} when it is not whole, or lies outside the bounds */
export function wholeBetween(name: string, value: unknown, least: number, most: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  throw wrongValue('number', name, `a whole number from ${least} to ${most}`, value)
}
