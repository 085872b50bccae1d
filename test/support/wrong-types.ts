/**
 * Gives each place of the public interface values of every type but its own. One rule holds for all of it: a value of a
 * wrong type is a TypeError, one of the right type that cannot be is a RangeError or a coded error (NaN is a number), and
 * both say what is wrong, what was expected and what came.
 */
import assert from 'node:assert/strict'
import { CodedError } from '../../lib/base/errors.js'

const wrong = {
  undefined: [undefined],
  null: [null],
  boolean: [true],
  number: [Number.NaN, -1.5, Number.NEGATIVE_INFINITY],
  string: ['no\u0001such: thing'],
  bigint: [5n],
  symbol: [Symbol('s')],
  function: [() => assert.fail('it was called')],
  array: [[], [[]]],
  object: [{}],
  date: [new Date(Number.NaN)],
} as const

/** Types of values. A place for objects of a class, such as signals, has none of these. */
export type Sort = keyof typeof wrong

/** A place where a value is given: one of the words that tell it, joined by `|`; what may stand there; and the call. */
export type Place = readonly [name: string, may: readonly Sort[], call: (value: never) => unknown]

/** Values of some types are refused for what they are, not for their type: these are tried as well. */
const refused: ReadonlySet<Sort> = new Set(['number', 'string'])

/** Tries all places. @param free - names of places where any string, or any number but NaN, may stand */
export async function checkPlaces(places: readonly Place[], free: ReadonlySet<string> = new Set()): Promise<void> {
  const faults: string[] = []
  for (const [name, may, call] of places) {
    for (const sort of Object.keys(wrong) as Sort[]) {
      const isOwn = may.includes(sort)
      if (isOwn && !refused.has(sort)) continue
      for (const value of wrong[sort]) {
        if (isOwn && free.has(name) && !Number.isNaN(value)) continue
        const fault = faultOf(name, isOwn, await outcome(call, value))
        if (fault !== undefined) faults.push(`${name} = ${String(typeof value === 'object' ? sort : String(value))}: ${fault}`)
      }
    }
  }
  assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.join('\n')}`)
}

/** What a call throws, or rejects with; `undefined` when it does neither. */
async function outcome(call: (value: never) => unknown, value: unknown): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  // Far longer than a refusal takes: what waits for ever is told by name.
  const hung = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), 1000)
  })
  try {
    await Promise.race([call(value as never), hung])
    return undefined
  } catch (error) {
    return error
  } finally {
    clearTimeout(timer)
  }
}

function faultOf(name: string, isOwn: boolean, error: unknown): string | undefined {
  if (error === undefined) return 'it was taken'
  const { message } = error as Error
  if (isOwn && error instanceof CodedError) return undefined
  const Kind = isOwn ? RangeError : TypeError
  if (!(error instanceof Kind)) return `a ${Kind.name} is due, got ${String(error)}`
  const isNamed = name.split('|').some((word) => message.includes(word))
  return isNamed && / got |there is no /.test(message) ? undefined : `it does not say what is wrong: ${message}`
}
