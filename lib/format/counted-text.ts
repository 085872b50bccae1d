/**
 * Texts of a head that seldom changes and a number in four hexadecimal digits, as ids made one after the other are.
 *
 * Such a text is put together and not read again, unit by unit, when it is written to a record soon after: the bytes and the
 * hash of its head are known, and the last text that was made is remembered with them.
 */
import { type Block, blockOf } from './block.js'
import { hashPower, javaHash } from './hash.js'

/** How many digits the number has. */
const DIGITS = 4

/** Every byte as two digits: as text, as two bytes, and as what they add to a hash. */
const TEXTS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
const CODES = Uint16Array.from(TEXTS, (text) => text.charCodeAt(0) * 256 + text.charCodeAt(1))
const HASHES = Int32Array.from(TEXTS, javaHash)

/** What texts begin with. */
export interface TextHead {
  readonly text: string
  /** Its bytes, with zeros behind them up to a multiple of four. */
  readonly block: Block
  readonly hash: number
  /** By how much the hash of what stands before the whole text is multiplied. */
  readonly power: number
}

/** `undefined` before the first: no text is that one. */
let last: string | undefined
let lastHead = textHead('')
let lastNumber = 0
/** All but two digits of it, which the next one mostly begins with, too. */
let begin = TEXTS[0]!

/** Makes a head ready. @param text - ASCII */
export function textHead(text: string): TextHead {
  const bytes = Buffer.alloc(Math.ceil(text.length / 4) * 4)
  bytes.write(text, 'latin1')
  return { text, block: blockOf(bytes), hash: javaHash(text), power: hashPower(text.length + DIGITS) }
}

/** The text of a head and a number, 0 to 65,535. */
export function countedText(head: TextHead, number: number): string {
  const high = number >> 8
  if (head !== lastHead || high !== lastNumber >> 8) begin = head.text + TEXTS[high]!
  const text = begin + TEXTS[number & 0xff]!
  last = text
  lastHead = head
  lastNumber = number
  return text
}

/** Whether a text is the one that was made last. */
export function isLastCounted(text: string): boolean {
  return text === last
}

/** Writes the text that was made last, with room for three bytes more behind it. @returns its hash, behind that of another */
export function writeLastCounted({ view }: Block, at: number, hash: number): number {
  const { text, block, power } = lastHead
  for (let i = 0; i < text.length; i += 4) view.setInt32(at + i, block.view.getInt32(i))
  const high = lastNumber >> 8
  const low = lastNumber & 0xff
  view.setUint16(at + text.length, CODES[high]!)
  view.setUint16(at + text.length + 2, CODES[low]!)
  const hashed = Math.imul(lastHead.hash, 31 ** DIGITS) + Math.imul(HASHES[high]!, 31 ** 2) + HASHES[low]!
  return (Math.imul(hash, power) + hashed) | 0
}
