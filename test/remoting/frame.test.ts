/** Frames on a stream: however it is cut, the same commands come out; what is no frame is refused as soon as it shows. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Command, request } from '../../lib/remoting/command.js'
import { MalformedFrame } from '../../lib/remoting/errors.js'
import { encodeFrame, FrameDecoder } from '../../lib/remoting/frame.js'
import { MAX_FRAME_BYTES, standardLimits } from '../../lib/remoting/limits.js'
import { bytesUpTo, check } from '../support/cases.js'
import { commands } from '../support/commands.js'
import { Random } from '../support/random.js'
import { runSeed, sized } from '../support/tier.js'

const anyCommand = fc.oneof(commands('json'), commands('binary'))

function streamOf(list: readonly Command[]): Buffer {
  return Buffer.concat(list.flatMap(encodeFrame))
}

/** Every command of a stream that comes in pieces. */
function readAll(pieces: Iterable<Buffer>, decoder = new FrameDecoder(standardLimits)): Command[] {
  const found: Command[] = []
  for (const piece of pieces) {
    decoder.add(piece)
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) found.push(frame.command)
  }
  return found
}

function prefix(length: number, word: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32BE(length)
  bytes.writeUInt32BE(word, 4)
  return bytes
}

const sample = streamOf([
  request(10, { ext: { a: 'group', b: 'topic' }, body: Buffer.from('body') }),
  { ...request(105, { ext: { topic: 'T' } }), encoding: 'binary' },
  request(34, { body: Buffer.alloc(300, 7) }),
])

describe('a stream of frames', () => {
  test('gives the commands that were written, wherever it is cut', () => {
    check(
      200,
      fc.property(fc.array(anyCommand, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 6 }), (list, cuts) => {
        const stream = streamOf(list)
        const at = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b)
        assert.deepEqual(readAll(at.slice(1).map((end, i) => stream.subarray(at[i], end))), list)
      }),
    )
  })

  test('gives the same commands when cut in two at any byte', () => {
    const whole = readAll([sample])
    assert.equal(whole.length, 3)
    for (let cut = 0; cut <= sample.length; cut++) {
      assert.deepEqual(readAll([sample.subarray(0, cut), sample.subarray(cut)]), whole)
    }
  })

  test('gives the same commands when its bytes come one by one', () => {
    assert.deepEqual(readAll(Array.from(sample, (byte) => Buffer.of(byte))), readAll([sample]))
  })

  test('gives no command of a frame that lacks its last byte', () => {
    const one = streamOf([request(10, { body: Buffer.alloc(1000) })])
    const decoder = new FrameDecoder(standardLimits)
    assert.deepEqual(readAll([one.subarray(0, -1)], decoder), [])
    assert.equal(decoder.waitingBytes, one.length - 1)
    assert.equal(readAll([one.subarray(-1)], decoder).length, 1)
    assert.equal(decoder.waitingBytes, 0)
  })

  test('keeps the bodies that it gave when more comes', () => {
    const bodies = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i, i))
    const stream = streamOf(bodies.map((body) => request(10, { body })))
    const random = new Random(runSeed())
    const pieces: Buffer[] = []
    for (let at = 0; at < stream.length; ) {
      const size = random.between(1, 90)
      pieces.push(Buffer.from(stream.subarray(at, at + size)))
      at += size
    }
    assert.deepEqual(
      readAll(pieces).map(({ body }) => body),
      bodies,
      `seed ${random.seed}`,
    )
  })

  test('gives the same commands of large and small frames, whatever the sizes of pieces and whenever it is asked', () => {
    const random = new Random(runSeed())
    const bodies = Array.from({ length: sized(60, 600) }, (_, i) =>
      Buffer.alloc(random.between(0, i % 3 === 0 ? 400_000 : 2000), i),
    )
    const stream = streamOf(bodies.map((body) => request(10, { body })))
    const decoder = new FrameDecoder(standardLimits)
    const found: Command[] = []
    const read = (): void => {
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) found.push(frame.command)
    }
    const sizes = [
      [1, 30],
      [4000, 5000],
      [60_000, 70_000],
    ] as const
    for (let at = 0, kind = 0; at < stream.length; ) {
      if (random.between(0, 20) === 0) kind = random.between(0, sizes.length - 1)
      const [least, most] = sizes[kind]!
      const size = random.between(least, most)
      decoder.add(Buffer.from(stream.subarray(at, at + size)))
      at += size
      // While a peer has too much in work nothing is asked for.
      if (random.between(0, 3) > 0) read()
    }
    read()
    assert.equal(decoder.waitingBytes, 0)
    assert.deepEqual(
      found.map(({ body }) => body),
      bodies,
      `seed ${random.seed}`,
    )
  })

  test('copies each byte a bounded number of times, though they come one by one', () => {
    const body = Buffer.alloc(sized(1, 4) * 1024 * 1024, 1)
    const stream = streamOf([request(10, { body })])
    let copied = 0
    const copy = Buffer.prototype.copy
    Buffer.prototype.copy = function (this: Buffer, ...given: Parameters<typeof copy>) {
      const moved = copy.apply(this, given)
      copied += moved
      return moved
    }
    try {
      const decoder = new FrameDecoder(standardLimits)
      let found = 0
      for (let at = 0; at < stream.length; at++) {
        decoder.add(stream.subarray(at, at + 1))
        if (decoder.next() !== undefined) found++
      }
      assert.equal(found, 1)
    } finally {
      Buffer.prototype.copy = copy
    }
    assert.ok(copied < 4 * stream.length, `${copied} bytes copied for ${stream.length}`)
  })
})

describe('what is no frame', () => {
  const refuses = (bytes: Buffer): void => assert.throws(() => readAll([bytes]), MalformedFrame)

  test('is refused by its first four bytes when it is too long or too short', () => {
    for (const length of [-1, -(2 ** 31), 0, 3, MAX_FRAME_BYTES - 3, 2 ** 31 - 1]) refuses(prefix(length, 0).subarray(0, 4))
    assert.deepEqual(readAll([prefix(MAX_FRAME_BYTES - 4, 0).subarray(0, 4)]), [])
  })

  test('is refused by its first eight bytes when its header is of no known kind or passes its end or the limit', () => {
    for (const kind of [2, 0x7f, 0xff]) refuses(prefix(100, (kind << 24) >>> 0))
    refuses(prefix(100, 97))
    refuses(prefix(1_000_000, 192 * 1024 + 1))
    assert.deepEqual(readAll([prefix(100, 96), prefix(1_000_000, 192 * 1024)].slice(0, 1)), [])
  })

  test('takes no memory for what it only promises', () => {
    const before = process.memoryUsage().arrayBuffers
    const decoders = Array.from({ length: 200 }, () => new FrameDecoder(standardLimits))
    for (const decoder of decoders) {
      for (const byte of prefix(MAX_FRAME_BYTES - 4, 10)) readAll([Buffer.of(byte)], decoder)
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024)
    assert.ok(decoders.every(({ waitingBytes }) => waitingBytes === 8))
  })

  test('of random bytes is read or refused', () => {
    check(
      500,
      fc.property(bytesUpTo(100), fc.nat(120), fc.boolean(), (bytes, headerBytes, isBinary) => {
        const framed = Buffer.concat([prefix(bytes.length + 4, ((isBinary ? 1 << 24 : 0) | headerBytes) >>> 0), bytes])
        try {
          readAll([framed])
        } catch (error) {
          assert.ok(error instanceof MalformedFrame)
        }
      }),
    )
  })

  test('is not written: a command beyond the limit throws', () => {
    assert.throws(() => encodeFrame(request(10, { body: Buffer.alloc(MAX_FRAME_BYTES) })), RangeError)
    assert.throws(() => encodeFrame(request(10, { remark: 'x'.repeat(2 ** 24) })), RangeError)
  })
})
