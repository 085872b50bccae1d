/**
 * Headers in RocketMQ's binary form.
 *
 * ```
 *  code 2 | language 1 | version 2 | opaque 4 | flag 4 | remark length 4, remark | ext length 4, ext
 *  ext: repeated  name length 2, name | value length 4, value
 * ```
 *
 * All big endian and signed. A length of 0 stands for nothing: an empty remark or value cannot be told from none.
 */
import { type Command, type ExtFields, emptyExtFields, languages } from './command.js'
import { MalformedFrame } from './errors.js'
import { addExtField, type Header } from './json-header.js'
import type { FrameLimits } from './limits.js'

/** Bytes of a header without remark and ext fields. */
const FIXED_BYTES = 21
const REMARK_AT = 13
const OTHER = languages.indexOf('OTHER')

/**
 * Reads a header.
 *
 * @throws {MalformedFrame} when it is none, or goes beyond a limit
 */
export function decodeBinaryHeader(bytes: Buffer, limits: FrameLimits): Header {
  if (bytes.length < FIXED_BYTES) throw new MalformedFrame(`a binary header of ${bytes.length} bytes`)
  const remarkBytes = lengthAt(bytes, REMARK_AT)
  const extAt = REMARK_AT + 4 + remarkBytes
  if (extAt + 4 > bytes.length) throw new MalformedFrame('a binary header whose remark passes its end')
  const extBytes = lengthAt(bytes, extAt)
  if (extAt + 4 + extBytes !== bytes.length) throw new MalformedFrame('a binary header whose ext fields do not end with it')
  return {
    code: bytes.readInt16BE(0),
    language: languages[bytes.readUInt8(2)],
    version: bytes.readInt16BE(3),
    opaque: bytes.readInt32BE(5),
    flag: bytes.readInt32BE(9),
    remark: remarkBytes === 0 ? undefined : bytes.toString('utf8', REMARK_AT + 4, extAt),
    extFields: decodeExtFields(bytes, extAt + 4, limits),
  }
}

/**
 * Writes a header.
 *
 * @throws {RangeError} for a code or version that 16 bits cannot hold
 */
export function encodeBinaryHeader({ code, language, version, opaque, flag, remark = '', extFields }: Command): Buffer {
  const names = Object.keys(extFields)
  const remarkBytes = Buffer.byteLength(remark)
  let extBytes = 0
  for (const name of names) extBytes += 6 + Buffer.byteLength(name) + Buffer.byteLength(extFields[name]!)
  const bytes = Buffer.alloc(FIXED_BYTES + remarkBytes + extBytes)
  bytes.writeInt16BE(code, 0)
  bytes.writeUInt8(language === undefined ? OTHER : languages.indexOf(language), 2)
  bytes.writeInt16BE(version, 3)
  bytes.writeInt32BE(opaque, 5)
  bytes.writeInt32BE(flag, 9)
  let at = bytes.writeInt32BE(remarkBytes, REMARK_AT)
  at += bytes.write(remark, at)
  at = bytes.writeInt32BE(extBytes, at)
  for (const name of names) {
    const nameBytes = bytes.write(name, at + 2)
    bytes.writeInt16BE(nameBytes, at)
    at += 2 + nameBytes
    const textBytes = bytes.write(extFields[name]!, at + 4)
    bytes.writeInt32BE(textBytes, at)
    at += 4 + textBytes
  }
  return bytes
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readInt32BE(at)
  if (length < 0) throw new MalformedFrame(`a binary header with a length of ${length}`)
  return length
}

function decodeExtFields(bytes: Buffer, from: number, limits: FrameLimits): ExtFields {
  const texts = emptyExtFields()
  let count = 0
  for (let at = from; at < bytes.length; ) {
    if (++count > limits.maxExtFields) throw new MalformedFrame(`a header with more than ${limits.maxExtFields} ext fields`)
    const nameEnd = at + 2 + (at + 2 <= bytes.length ? bytes.readInt16BE(at) : 0)
    if (nameEnd < at + 2 || nameEnd + 4 > bytes.length) throw new MalformedFrame('an ext field whose name passes the end')
    const end = nameEnd + 4 + lengthAt(bytes, nameEnd)
    if (end > bytes.length) throw new MalformedFrame('an ext field whose value passes the end')
    // An empty value is no value, as in Java.
    if (end > nameEnd + 4) {
      addExtField(texts, bytes.toString('utf8', at + 2, nameEnd), bytes.toString('utf8', nameEnd + 4, end), limits)
    }
    at = end
  }
  return texts
}
