/**
 * Goes through a large JSON text member by member, so that it need not be read at once: whoever drives the generators may
 * look at something else whenever they yield, which is after some microseconds.
 *
 * Only where members begin and end is looked at here. What a member holds is for the caller to parse, or to pass over.
 */
import { responseCodes } from '../codes.js'
import { Refusal } from '../errors.js'

/** Work that can be interrupted where it yields. */
export type Steps<Result> = Generator<void, Result>

/** Takes the value of a member, and says where it ends. @param at - where the value begins */
export type OnMember = (name: string, at: number) => Steps<number>

/** Longest name of a member, characters. */
const MOST_NAME = 4096
/** Characters that decide something, between two looks at something else. */
const STEPS_AT_ONCE = 1024

const BLANKS = /[ \t\r\n]*/y
const STRUCTURE = /["[\]{},]/g
const IN_STRING = /["\\]/g

/** Goes through an object. @returns where it ends @throws {Refusal} when it is none */
export function* membersOf(text: string, at: number, onMember: OnMember): Steps<number> {
  if (text[at] !== '{') throw noJson()
  let next = skipBlanks(text, at + 1)
  if (text[next] === '}') return next + 1
  for (;;) {
    if (text[next] !== '"') throw noJson()
    const nameEnd = yield* endOfValue(text, next, MOST_NAME)
    const name = parsed(text.slice(next, nameEnd))
    const colon = skipBlanks(text, nameEnd)
    if (text[colon] !== ':') throw noJson()
    const end = skipBlanks(text, yield* onMember(name, skipBlanks(text, colon + 1)))
    if (text[end] === '}') return end + 1
    if (text[end] !== ',') throw noJson()
    next = skipBlanks(text, end + 1)
  }
}

/** Where a value ends that begins here. @param most - its characters, at most; @throws {Refusal} when it has no end in them */
export function* endOfValue(text: string, at: number, most = Number.POSITIVE_INFINITY): Steps<number> {
  let depth = 0
  let inString = false
  let next = at
  for (let steps = 1; ; steps++) {
    if (steps % STEPS_AT_ONCE === 0) yield
    const found = nextOf(inString ? IN_STRING : STRUCTURE, text, next)
    if (found - at > most) throw new Refusal(responseCodes.SYSTEM_ERROR, `an entry of the body has more than ${most} characters`)
    const character = text[found]
    next = found + 1
    if (character === '\\') next++
    else if (character === '"') {
      inString = !inString
      if (!inString && depth === 0) return next
    } else if (character === '{' || character === '[') depth++
    else if (depth === 0) return found
    else if (character !== ',' && --depth === 0) return next
  }
}

/** Behind the blanks that are here. */
export function skipBlanks(text: string, at: number): number {
  BLANKS.lastIndex = at
  BLANKS.exec(text)
  return BLANKS.lastIndex
}

/** What is thrown for a text that is no JSON. */
export function noJson(): Refusal {
  return new Refusal(responseCodes.SYSTEM_ERROR, 'the body is no JSON')
}

function nextOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  const match = pattern.exec(text)
  if (match === null) throw noJson()
  return match.index
}

function parsed(name: string): string {
  try {
    return JSON.parse(name) as string
  } catch {
    throw noJson()
  }
}
