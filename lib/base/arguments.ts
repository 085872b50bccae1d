/** What callers give, looked at before it is used: each refusal names what is wrong, what was expected and what came. */
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
  if (typeof request !== 'object' || request === null) throw new TypeError(`${what} must be an object, got ${shown(request)}`)
  refuseUnknown(what, request, known)
}

/** @throws {TypeError} {@link RangeError} when a queue's name or number cannot be one */
export function checkQueue(topic: unknown, queueId: unknown): void {
  if (typeof topic !== 'string') throw new TypeError(`topic must be a string, got ${shown(topic)}`)
  if (!Number.isSafeInteger(queueId) || (queueId as number) < 0) {
    throw new RangeError(`queueId must be a whole number of at least 0, got ${shown(queueId)}`)
  }
}

/** @throws {TypeError} when a signal is there and is none */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  throw new TypeError(`signal must be an AbortSignal, got ${shown(signal)}`)
}

/** @throws {TypeError} when a callback is there and cannot be called */
export function checkCallback(name: string, callback: unknown): void {
  if (callback === undefined || typeof callback === 'function') return
  throw new TypeError(`${name} must be a function, got ${shown(callback)}`)
}

/** @throws {RangeError} when a number is not whole, or is less than `least` */
export function checkWhole(name: string, value: unknown, least = 0): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return
  throw new RangeError(`${name} must be a whole number of at least ${least}, got ${shown(value)}`)
}

/** The number itself. @throws {RangeError} when it is not whole, or lies outside the bounds */
export function wholeBetween(name: string, value: unknown, least: number, most: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, got ${shown(value)}`)
}
