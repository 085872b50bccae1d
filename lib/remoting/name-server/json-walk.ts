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
/** Blanks in a row, at most. */
const MOST_BLANKS = 64 * 1024
/** Characters between two looks at something else. */
const CHARACTERS_AT_ONCE = 16 * 1024

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
  for (let next = at, pauseAt = at + CHARACTERS_AT_ONCE; next < text.length; next++) {
    if (next >= pauseAt) {
      pauseAt = next + CHARACTERS_AT_ONCE
      yield
    }
    if (next - at > most) throw new Refusal(responseCodes.SYSTEM_ERROR, `an entry of the body has more than ${most} characters`)
    const character = text[next]
    if (inString) {
      if (character === '\\') next++
      else if (character === '"') {
        inString = false
        if (depth === 0) return next + 1
      }
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') {
      if (depth === 0) return next
      if (--depth === 0) return next + 1
    } else if (character === ',' && depth === 0) return next
  }
  throw noJson()
}

/** Behind the blanks that are here. @throws {Refusal} when there are more than anybody writes */
export function skipBlanks(text: string, at: number): number {
  let next = at
  while (isBlank(text[next])) if (++next - at > MOST_BLANKS) throw noJson()
  return next
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t'
}

/** What is thrown for a text that is no JSON. */
export function noJson(): Refusal {
  return new Refusal(responseCodes.SYSTEM_ERROR, 'the body is no JSON')
}

function parsed(name: string): string {
  try {
    return JSON.parse(name) as string
  } catch {
    throw noJson()
  }
}
