/**
 * How the values of an SQL filter compare, which is how Java objects of five classes do in RocketMQ.
 *
 * Of a string and a number the string is read as a number of the same type; of a string and a truth to its
 * right the string is read as one. What cannot be read is a fault, and so is a truth to the left of a string:
 * RocketMQ throws there, and a message on which a filter throws does not pass.
 */
import { compareDoubles, parseJavaDouble, parseJavaInt, parseJavaLong } from './java-number.js'
import type { FilterNumber, OrderOperator } from './syntax.js'

/** What RocketMQ cannot evaluate: it throws. Whatever has to look at a fault is one. */
export const FAULT: unique symbol = Symbol('fault')

/** What a condition comes to; `undefined` is unknown. */
export type Outcome = boolean | undefined | typeof FAULT

/** What an operand comes to when it is no fault; `undefined` is null. */
export type Value = string | FilterNumber | boolean | undefined

/** The order of two numbers: negative, 0 or positive. */
export function compareNumbers(left: FilterNumber, right: FilterNumber): number {
  if (left.type === 'double' || right.type === 'double') return compareDoubles(Number(left.value), Number(right.value))
  return left.value < right.value ? -1 : left.value > right.value ? 1 : 0
}

/** Whether two values are the same. Nothing on the left is unknown, nothing on the right is false. */
export function equalOutcome(left: Value, right: Value): Outcome {
  if (left === undefined) return right === undefined ? true : undefined
  if (right === undefined) return false
  if (typeof left === 'string' && typeof right === 'string') return left === right
  if (typeof left === 'boolean') return typeof right === 'string' ? FAULT : left === right
  if (typeof right === 'boolean') return typeof left === 'string' && (left.toLowerCase() === 'true') === right
  const order = compareAsNumbers(left, right)
  return order === undefined ? FAULT : order === 0
}

/** Whether two values stand in an order. Two strings are both read as doubles. */
export function orderOutcome(operator: OrderOperator, left: Value, right: Value): Outcome {
  if (left === undefined || right === undefined) return undefined
  if (typeof left === 'boolean' || typeof right === 'boolean') return FAULT
  const order = compareAsNumbers(left, right)
  if (order === undefined) return FAULT
  if (order === 0) return operator === '<=' || operator === '>='
  return order < 0 === operator.startsWith('<')
}

function compareAsNumbers(left: string | FilterNumber, right: string | FilterNumber): number | undefined {
  const leftNumber = typeof left === 'string' ? readAs(typeOf(right), left) : left
  if (leftNumber === undefined) return undefined
  const rightNumber = typeof right === 'string' ? readAs(typeOf(left), right) : right
  return rightNumber === undefined ? undefined : compareNumbers(leftNumber, rightNumber)
}

function typeOf(value: string | FilterNumber): FilterNumber['type'] {
  return typeof value === 'string' ? 'double' : value.type
}

function readAs(type: FilterNumber['type'], text: string): FilterNumber | undefined {
  if (type === 'long') {
    const value = parseJavaLong(text)
    return value === undefined ? undefined : { type, value }
  }
  const value = type === 'int' ? parseJavaInt(text) : parseJavaDouble(text)
  return value === undefined ? undefined : { type, value }
}
