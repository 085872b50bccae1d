/**
 * Commands on a stream of bytes.
 *
 * ```
 *  0  4        L, the bytes that follow this field
 *  4  1        how the header is written: 0 JSON, 1 binary
 *  5  3        H, the bytes of the header
 *  8  H        header
 *  8+H  L-4-H  body
 * ```
 *
 * Bytes come in pieces of any size. A frame that comes whole is read where it lies. One that does not is gathered in
 * a buffer that grows with what has come, twofold each time, and never with what its length field promises: a byte
 * costs the same whether bytes come singly or by the thousand, and a peer that promises 16 MiB and sends ten bytes
 * holds ten bytes.
 */
import { decodeBinaryHeader, encodeBinaryHeader } from './binary-header.js'
import type { Command } from './command.js'
import { MalformedFrame } from './errors.js'
import { decodeJsonHeader, encodeJsonHeader } from './json-header.js'
import { type FrameLimits, MAX_FRAME_BYTES } from './limits.js'

const PREFIX_BYTES = 8
const JSON_HEADER = 0
const BINARY_HEADER = 1
const SMALLEST_BUFFER = 256
const EMPTY = Buffer.alloc(0)

/** A command that was read, and how much it weighs. */
export interface Frame {
  readonly command: Command
  /** All bytes of the frame. */
  readonly bytes: number
}

/** Turns pieces of a stream into commands. After a {@link MalformedFrame} the stream cannot be read any further. */
export class FrameDecoder {
  readonly #limits: FrameLimits
  /** What has come and is not read yet lies in `#bytes` from `#start` to `#end`. */
  #bytes: Buffer = EMPTY
  #start = 0
  #end = 0
  /** Whether `#bytes` is ours to write behind `#end`, and not a piece of the stream. */
  #isOwn = false

  constructor(limits: FrameLimits) {
    this.#limits = limits
  }

  /** Bytes that have come and are not part of a command that was read. */
  get waitingBytes(): number {
    return this.#end - this.#start
  }

  /** Takes the next piece of the stream, which must not change afterwards. */
  add(chunk: Buffer): void {
    const waiting = this.waitingBytes
    if (waiting === 0) {
      this.#bytes = chunk
      this.#start = 0
      this.#end = chunk.length
      this.#isOwn = false
      return
    }
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(SMALLEST_BUFFER, 2 * (waiting + chunk.length)))
      this.#bytes.copy(grown, 0, this.#start, this.#end)
      this.#bytes = grown
      this.#start = 0
      this.#end = waiting
      this.#isOwn = true
    }
    this.#end += chunk.copy(this.#bytes, this.#end)
  }

  /**
   * The next whole command, `undefined` while more must come.
   *
   * @throws {MalformedFrame} as soon as what has come cannot be the start of one
   */
  next(): Frame | undefined {
    const waiting = this.waitingBytes
    if (waiting < 4) return undefined
    const bytes = this.#bytes.readInt32BE(this.#start) + 4
    if (bytes < PREFIX_BYTES || bytes > this.#limits.maxFrameBytes) throw new MalformedFrame(`a frame of ${bytes} bytes`)
    if (waiting < PREFIX_BYTES) return undefined
    const word = this.#bytes.readUInt32BE(this.#start + 4)
    const headerBytes = word & 0xffffff
    if (word >>> 24 > BINARY_HEADER) throw new MalformedFrame(`a header of kind ${word >>> 24}`)
    if (headerBytes > bytes - PREFIX_BYTES || headerBytes > this.#limits.maxHeaderBytes) {
      throw new MalformedFrame(`a header of ${headerBytes} bytes in a frame of ${bytes}`)
    }
    if (waiting < bytes) return undefined
    const headerAt = this.#start + PREFIX_BYTES
    const header = this.#bytes.subarray(headerAt, headerAt + headerBytes)
    const body = bytes === PREFIX_BYTES + headerBytes ? EMPTY : this.#bytes.subarray(headerAt + headerBytes, this.#start + bytes)
    const command = decodeHeader(word >>> 24, header, body, this.#limits)
    this.#start += bytes
    if (this.#start === this.#end) {
      // What was read lives in the commands; the buffer goes with them.
      this.#bytes = EMPTY
      this.#start = this.#end = 0
    }
    return { command, bytes }
  }
}

function decodeHeader(kind: number, header: Buffer, body: Buffer, limits: FrameLimits): Command {
  const isJson = kind === JSON_HEADER
  const parts = isJson ? decodeJsonHeader(header, limits) : decodeBinaryHeader(header, limits)
  const { code, language, version, opaque, flag, remark, extFields } = parts
  // All commands have one shape, and each is made once.
  return { code, language, version, opaque, flag, remark, extFields, body, encoding: isJson ? 'json' : 'binary' }
}

/**
 * A command as the pieces of its frame. The body is not copied.
 *
 * @throws {RangeError} when it does not fit a frame, or its header cannot be written in its encoding
 */
export function encodeFrame(command: Command): Buffer[] {
  const head = command.encoding === 'json' ? jsonHead(command) : binaryHead(command)
  const { body } = command
  const bytes = head.length + body.length
  if (bytes > MAX_FRAME_BYTES) throw new RangeError(`a frame has at most ${MAX_FRAME_BYTES} bytes, got ${bytes}`)
  head.writeInt32BE(bytes - 4, 0)
  return body.length === 0 ? [head] : [head, body]
}

function jsonHead(command: Command): Buffer {
  const text = encodeJsonHeader(command)
  const headerBytes = Buffer.byteLength(text)
  checkHeader(headerBytes)
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes)
  head.writeUInt32BE(headerBytes, 4)
  head.write(text, PREFIX_BYTES)
  return head
}

function binaryHead(command: Command): Buffer {
  const header = encodeBinaryHeader(command)
  checkHeader(header.length)
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(((BINARY_HEADER << 24) | header.length) >>> 0, 4)
  return Buffer.concat([prefix, header])
}

/** The length has 24 bits; what is longer would be read as another kind of header. */
function checkHeader(bytes: number): void {
  if (bytes > 0xffffff) throw new RangeError(`a header has at most ${0xffffff} bytes, got ${bytes}`)
}
