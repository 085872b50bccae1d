/**
 * Message properties: `name 0x01 value 0x02`, repeated.
 *
 * Versions up to 4.9.0 and from 5.2.0 on write 0x02 after every pair, those between leave the last one
 * out; both are read. A piece counts only if the name and the value are not empty, and the last of two
 * equal names wins. (`MessageDecoder.messageProperties2String` and `string2messageProperties`.)
 */
import { emptyTexts } from '../base/texts.js'
import type { Block } from './block.js'
import { crc32 } from './crc.js'
import { isText } from './text.js'

/** Ends a name. */
export const NAME_END = 1
/** Ends a value. */
export const VALUE_END = 2
const NAME_END_TEXT = String.fromCharCode(NAME_END)
const VALUE_END_TEXT = String.fromCharCode(VALUE_END)
/** Most bytes that the properties of a record may take: the length field is a signed 16-bit number. */
export const MAX_PROPERTIES_BYTES = 32_767

/** Names that the store itself reads or writes. Persistent: never rename. */
export const PropertyName = {
  keys: 'KEYS',
  tags: 'TAGS',
  uniqueKey: 'UNIQ_KEY',
  wait: 'WAIT',
  delayLevel: 'DELAY',
  crc32: '__CRC32#',
  multiDispatch: 'INNER_MULTI_DISPATCH',
  multiQueueOffset: 'INNER_MULTI_QUEUE_OFFSET',
  innerNumber: 'INNER_NUM',
  innerBase: 'INNER_BASE',
  transientPrefix: '__RMQ.TRANSIENT.',
} as const

/** Longer values are mostly keys, each another one. */
const MOST_REMEMBERED = 24
/** Bytes of the whole-record CRC property: name, 0x01, ten digits, 0x02. */
export const CRC_PROPERTY_BYTES = 20
/** `__CR` and `C32#`. */
const CRC_NAME_FIRST = 0x5f5f4352
const CRC_NAME_REST = 0x43333223
/** The two bytes for each number below 100, the last digit first. */
const DIGIT_PAIRS = Uint16Array.from({ length: 100 }, (_, pair) => (48 + (pair % 10)) * 256 + 48 + Math.floor(pair / 10))

/**
 * Parses properties from bytes. Malformed pieces are dropped, as RocketMQ drops them; nothing throws.
 * The whole-record CRC is left out: it describes the record, not the message.
 *
 * @param properties - to which they are added
 */
export function parseProperties(
  bytes: Buffer,
  start: number,
  end: number,
  properties: Record<string, string> = emptyTexts(),
): Record<string, string> {
  let at = start
  let split = start - 1
  while (at < end) {
    let stop = bytes.indexOf(VALUE_END, at)
    if (stop < 0 || stop > end) stop = end
    // Found once, a separator far behind is not searched for again from each of many empty pieces.
    if (split < at) split = bytes.indexOf(NAME_END, at)
    if (split < 0) break
    if (split > at && split < stop - 1) {
      const name = bytes.toString('utf8', at, split)
      if (name !== PropertyName.crc32) properties[name] = bytes.toString('utf8', split + 1, stop)
    }
    at = stop + 1
  }
  return properties
}

/**
 * {@link parseProperties} of a text, as requests bring it. Half surrogates, which no bytes can say, are replaced as bytes would
 * have it.
 */
export function parsePropertiesText(given: string): Record<string, string> {
  const properties = emptyTexts()
  const text = given.toWellFormed()
  let split = -1
  for (let at = 0; at < text.length; ) {
    let stop = text.indexOf(VALUE_END_TEXT, at)
    if (stop < 0) stop = text.length
    if (split < at) split = text.indexOf(NAME_END_TEXT, at)
    if (split < 0) break
    if (split > at && split < stop - 1) {
      const name = text.slice(at, split)
      if (name !== PropertyName.crc32) properties[name] = text.slice(split + 1, stop)
    }
    at = stop + 1
  }
  return properties
}

/**
 * Where the value of one property stands, or `undefined`; nothing else is parsed.
 *
 * @param name - the name as latin1 bytes, as {@link propertyKey} makes it
 */
export function propertyValue(
  block: Block,
  start: number,
  end: number,
  name: Buffer,
): { start: number; end: number } | undefined {
  const { bytes } = block
  let from = -1
  let to = -1
  for (let at = start; at < end; ) {
    let stop = nextLow(block, at, end)
    while (stop < end && bytes[stop] !== VALUE_END) stop = nextLow(block, stop + 1, end)
    const value = at + name.length + 1
    if (value < stop && bytes[value - 1] === NAME_END && startsWith(bytes, at, name)) {
      from = value
      to = stop
    }
    at = stop + 1
  }
  return from < 0 ? undefined : { start: from, end: to }
}

/** The value of one property without parsing the others, or `undefined`; as {@link propertyValue}. */
export function findProperty(block: Block, start: number, end: number, name: Buffer): string | undefined {
  const value = propertyValue(block, start, end, name)
  return value === undefined ? undefined : block.bytes.toString('utf8', value.start, value.end)
}

/** Names of properties that are looked for together, made ready by {@link propertyNames}. */
export interface PropertyNames {
  readonly names: readonly Buffer[]
  /** Length and first byte of each: most others differ in one of them. */
  readonly marks: Int32Array
  /** Where values were found, from and to; -1 for none. */
  readonly places: Int32Array
  /** The last value of each: many messages have the same. */
  readonly last: (string | undefined)[]
}

/** Makes names ready for {@link findProperties}. */
export function propertyNames(texts: readonly string[]): PropertyNames {
  const names = texts.map(propertyKey)
  const marks = Int32Array.from(names, (name) => markOf(name.length, name[0]!))
  return { names, marks, places: new Int32Array(2 * names.length), last: names.map(() => undefined) }
}

function markOf(length: number, first: number): number {
  return length * 256 + first
}

/** The values of several properties in one pass, `undefined` where there is none; as {@link propertyValue}. */
export function findProperties(block: Block, start: number, end: number, wanted: PropertyNames): (string | undefined)[] {
  const { bytes } = block
  const { names, marks, places, last } = wanted
  // A call of `fill` would cost as much as the search.
  for (let i = 0; i < places.length; i++) places[i] = -1
  for (let at = start; at < end; ) {
    let stop = nextLow(block, at, end)
    let split = -1
    for (; stop < end; stop = nextLow(block, stop + 1, end)) {
      const byte = bytes[stop]
      if (byte === VALUE_END) break
      if (byte === NAME_END && split < 0) split = stop
    }
    if (split > at && split + 1 < stop) {
      const mark = markOf(split - at, bytes[at]!)
      for (let i = 0; i < marks.length; i++) {
        if (marks[i] !== mark || !startsWith(bytes, at, names[i]!)) continue
        places[2 * i] = split + 1
        places[2 * i + 1] = stop
      }
    }
    at = stop + 1
  }
  const found: (string | undefined)[] = []
  for (let i = 0; i < names.length; i++) {
    const from = places[2 * i]!
    if (from < 0) {
      found.push(undefined)
      continue
    }
    const to = places[2 * i + 1]!
    const known = last[i]
    if (known !== undefined && isText(bytes, from, to, known)) found.push(known)
    else {
      const text = bytes.toString('utf8', from, to)
      if (to - from <= MOST_REMEMBERED) last[i] = text
      found.push(text)
    }
  }
  return found
}

/**
 * The first byte from `at` on that is not above 0x02, or `end`: what separates is among them. Four are looked at together,
 * since properties are too short for a call of `indexOf`.
 */
function nextLow({ view }: Block, at: number, end: number): number {
  let next = at
  for (; next + 4 <= end; next += 4) {
    const four = view.getInt32(next)
    // A byte below 0x03 borrows from its highest bit.
    if (((four - 0x03030303) & ~four & 0x80808080) !== 0) break
  }
  while (next < end && view.getUint8(next) > VALUE_END) next++
  return next
}

/** A property name prepared for {@link findProperty}. */
export function propertyKey(name: string): Buffer {
  return Buffer.from(name, 'utf8')
}

function startsWith(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

/** Encodes properties in the order given, each pair closed by 0x02. Names and values must have been checked. */
export function encodeProperties(properties: Readonly<Record<string, string>>): Buffer {
  let text = ''
  for (const name of Object.keys(properties)) text += `${name}\u0001${properties[name]}\u0002`
  return Buffer.from(text, 'utf8')
}

/** Where the whole-record CRC property starts if the properties `[start, end)` close with one, else -1. */
export function crcPropertyAt(block: Block, start: number, end: number): number {
  const at = end - CRC_PROPERTY_BYTES
  if (at < start) return -1
  const { view } = block
  if (view.getInt32(at) !== CRC_NAME_FIRST || view.getInt32(at + 4) !== CRC_NAME_REST) return -1
  if (view.getUint8(at + 8) !== NAME_END || view.getUint8(end - 1) !== VALUE_END) return -1
  return at > start && view.getUint8(at - 1) !== VALUE_END ? -1 : at
}

/** Reads the ten digits of the CRC property at `at`, least significant first; -1 when they are not digits. */
export function readCrcProperty(block: Block, at: number): number {
  let value = 0
  for (let digit = 18; digit >= 9; digit--) {
    const code = block.view.getUint8(at + digit) - 48
    if (code < 0 || code > 9) return -1
    value = value * 10 + code
  }
  return value
}

/** Writes the name and separators of the CRC property; the digits follow with {@link sealCrcProperty}. */
export function writeCrcPropertyFrame(block: Block, at: number): void {
  block.view.setInt32(at, CRC_NAME_FIRST)
  block.view.setInt32(at + 4, CRC_NAME_REST)
  block.view.setUint8(at + 8, NAME_END)
  block.view.setUint8(at + 19, VALUE_END)
}

/** Writes `UNIQ_KEY` and the separator behind it. @returns where they end */
export function writeUniqueKeyName({ view }: Block, at: number): number {
  view.setInt32(at, 0x554e4951)
  view.setInt32(at + 4, 0x5f4b4559)
  view.setUint8(at + 8, NAME_END)
  return at + 9
}

/** Writes `KEYS` and the separator behind it. @returns where they end */
export function writeKeysName({ view }: Block, at: number): number {
  view.setInt32(at, 0x4b455953)
  view.setUint8(at + 4, NAME_END)
  return at + 5
}

/** Writes `TAGS` and the separator behind it. @returns where they end */
export function writeTagsName({ view }: Block, at: number): number {
  view.setInt32(at, 0x54414753)
  view.setUint8(at + 4, NAME_END)
  return at + 5
}

/**
 * Fills in the CRC of the record that starts at `recordAt` and whose CRC property starts at `at`.
 * It covers every byte of the record before the property, so the record must be final.
 */
export function sealCrcProperty(block: Block, recordAt: number, at: number): void {
  writeCrcDigits(block, at, crc32(block, recordAt, at))
}

/** Writes the digits of the CRC property at `at`. */
export function writeCrcDigits({ view }: Block, at: number, crc: number): void {
  let rest = crc & 0x7fffffff
  for (let digit = 9; digit <= 17; digit += 2) {
    const next = (rest / 100) | 0
    view.setUint16(at + digit, DIGIT_PAIRS[rest - next * 100]!)
    rest = next
  }
}

/** Whether the CRC property at `at` has the digits of a CRC: cheaper than to read them. */
export function hasCrcDigits({ view }: Block, at: number, crc: number): boolean {
  let rest = crc & 0x7fffffff
  for (let digit = 9; digit <= 17; digit += 2) {
    const next = (rest / 100) | 0
    if (view.getUint16(at + digit) !== DIGIT_PAIRS[rest - next * 100]!) return false
    rest = next
  }
  return true
}
