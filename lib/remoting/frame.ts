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
 * Bytes come in pieces of any size. A frame that comes whole is read where it lies. One that does not is gathered: while
 * it is small, in a buffer that grows twofold each time; then its pieces are kept as they came, small ones put together,
 * and joined once, when it is whole. Nothing grows with what a length field promises: a byte costs the same whether
 * bytes come singly or by the thousand, and a peer that promises 16 MiB and sends ten bytes holds ten bytes.
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
/** What is waiting is moved into one buffer up to so many bytes; beyond, pieces are kept. */
const SMALL_BYTES = 64 * 1024
/** Pieces below are put together: each takes memory beside its bytes. */
const SMALL_PIECE_BYTES = 4 * 1024
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
  /** What has come and is not read yet lies in `#bytes` from `#start` to `#end`, and behind that in the pieces of `#rest`. */
  #bytes: Buffer = EMPTY
  #start = 0
  #end = 0
  #rest: Buffer[] = []
  #restBytes = 0
  /** Where small pieces are put together, and how much of it they have taken. */
  #block = EMPTY
  #blockUsed = 0
  /** Whether the last piece is the end of what that block has taken. */
  #endsInBlock = false
  /** Whether `#bytes` is ours to write behind `#end`, and not a piece of the stream. */
  #isOwn = false

  constructor(limits: FrameLimits) {
    this.#limits = limits
  }

  /** Bytes that have come and are not part of a command that was read. */
  get waitingBytes(): number {
    return this.#end - this.#start + this.#restBytes
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
    if (this.#restBytes > 0 || waiting + chunk.length > SMALL_BYTES) this.#keep(chunk)
    else this.#append(chunk)
  }

  /** Puts a piece behind what waits, in one buffer. */
  #append(chunk: Buffer): void {
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) {
      this.#moveTo(Buffer.allocUnsafeSlow(Math.max(SMALLEST_BUFFER, 2 * (this.waitingBytes + chunk.length))))
    }
    this.#end += chunk.copy(this.#bytes, this.#end)
  }

  /** Keeps a piece behind the others. */
  #keep(chunk: Buffer): void {
    this.#restBytes += chunk.length
    if (chunk.length >= SMALL_PIECE_BYTES) {
      this.#rest.push(chunk)
      this.#endsInBlock = false
      return
    }
    if (this.#blockUsed + chunk.length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(SMALL_BYTES)
      this.#blockUsed = 0
      this.#endsInBlock = false
    }
    const from = this.#blockUsed - (this.#endsInBlock ? this.#rest.pop()!.length : 0)
    this.#blockUsed += chunk.copy(this.#block, this.#blockUsed)
    this.#rest.push(this.#block.subarray(from, this.#blockUsed))
    this.#endsInBlock = true
  }

  /** Moves all that waits to the beginning of a buffer that is large enough. */
  #moveTo(buffer: Buffer): void {
    let end = this.#bytes.copy(buffer, 0, this.#start, this.#end)
    for (const piece of this.#rest) end += piece.copy(buffer, end)
    this.#bytes = buffer
    this.#start = 0
    this.#end = end
    this.#isOwn = true
    this.#rest = []
    this.#restBytes = 0
    this.#block = EMPTY
    this.#blockUsed = 0
    this.#endsInBlock = false
  }

  /**
   * The next whole command, `undefined` while more must come.
   *
   * @throws {MalformedFrame} as soon as what has come cannot be the start of one
   */
  next(): Frame | undefined {
    const waiting = this.waitingBytes
    if (waiting < 4) return undefined
    if (this.#end - this.#start < PREFIX_BYTES && this.#restBytes > 0) this.#moveTo(Buffer.allocUnsafeSlow(waiting))
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
    if (this.#end - this.#start < bytes) this.#moveTo(Buffer.allocUnsafeSlow(waiting))
    const headerAt = this.#start + PREFIX_BYTES
    const header = this.#bytes.subarray(headerAt, headerAt + headerBytes)
    const body = bytes === PREFIX_BYTES + headerBytes ? EMPTY : this.#bytes.subarray(headerAt + headerBytes, this.#start + bytes)
    const command = decodeHeader(word >>> 24, header, body, this.#limits)
    this.#start += bytes
    if (this.waitingBytes === 0) {
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
