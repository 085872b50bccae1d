/**
 * Ext fields as what they mean. On the wire every one is text.
 *
 * What a request lacks is answered as RocketMQ answers it: code 1, and which field it is.
 */
import { shown } from '../base/errors.js'
import { responseCodes } from './codes.js'
import type { Command } from './command.js'
import { Refusal } from './errors.js'

/** A text that must be there. @throws {Refusal} when it is not */
export function requiredText({ extFields }: Command, name: string): string {
  const text = extFields[name]
  if (text === undefined) throw new Refusal(responseCodes.SYSTEM_ERROR, `the custom field <${name}> is null`)
  return text
}

/** A 32-bit integer that must be there. @throws {Refusal} when it is not, or is none */
export function requiredInt(command: Command, name: string): number {
  return intOf(name, requiredText(command, name))
}

/** A 32-bit integer, or what stands in for it. @throws {Refusal} when the text is none */
export function optionalInt({ extFields }: Command, name: string, absent: number): number {
  const text = extFields[name]
  return text === undefined ? absent : intOf(name, text)
}

/** A 64-bit integer that must be there; see {@link optionalLong}. @throws {Refusal} when it is not, or is none */
export function requiredLong(command: Command, name: string): number {
  return longOf(name, requiredText(command, name))
}

/**
 * A 64-bit integer, or what stands in for it. What lies beyond 2^53 - 1 is brought there: peers send the largest
 * `long` where they mean "no end", and nothing here is ever so large.
 *
 * @throws {Refusal} when the text is no 64-bit integer
 */
export function optionalLong({ extFields }: Command, name: string, absent: number): number {
  const text = extFields[name]
  return text === undefined ? absent : longOf(name, text)
}

/** Whether a field says `true`. Every other text is false, as in Java. */
export function optionalFlag({ extFields }: Command, name: string, absent = false): boolean {
  const text = extFields[name]
  return text === undefined ? absent : text.toLowerCase() === 'true'
}

function intOf(name: string, text: string): number {
  const value = Number(text)
  if (!/^[+-]?[0-9]{1,11}$/.test(text) || value !== (value | 0)) throw notNumber(name, text)
  // Minus zero, which an int does not have, becomes zero.
  return value | 0
}

function longOf(name: string, text: string): number {
  if (!/^[+-]?[0-9]{1,20}$/.test(text)) throw notNumber(name, text)
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value
  if (BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) throw notNumber(name, text)
  return value < 0 ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER
}

function notNumber(name: string, text: string): Refusal {
  return new Refusal(responseCodes.SYSTEM_ERROR, `the custom field <${name}> is no number of its kind: ${shown(text)}`)
}
