/** Makes one input from others: flipped bits, numbers at their bounds, pieces moved, doubled, cut and spliced, known words. */
import type { Random } from '../support/random.js'

/** Longest input that is made. */
export const MOST_INPUT_BYTES = 2048

/** Numbers at which code goes another way. */
const BOUNDS = [
  0,
  1,
  2,
  7,
  8,
  16,
  19,
  20,
  21,
  31,
  32,
  64,
  91,
  100,
  127,
  128,
  255,
  256,
  1000,
  4095,
  4096,
  32_767,
  32_768,
  65_535,
  65_536,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
]

/** One change; `input` may be written to. */
type Change = (input: Buffer, random: Random, others: readonly Buffer[], words: readonly Buffer[]) => Buffer

/** A place in an input, its end included, and how much follows from there, at most `most`. */
function piece(input: Buffer, random: Random, most: number): { at: number; length: number } {
  const at = random.int(input.length + 1)
  return { at, length: random.int(Math.min(most, input.length - at) + 1) }
}

function replace(input: Buffer, at: number, length: number, by: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, at), by, input.subarray(at + length)])
}

function encoded(value: number, width: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)))
  return bytes.subarray(8 - width)
}

const changes: readonly Change[] = [
  function flipBit(input, random) {
    if (input.length > 0) input[random.int(input.length)]! ^= 1 << random.int(8)
    return input
  },
  function setByte(input, random) {
    if (input.length > 0) input[random.int(input.length)] = random.int(256)
    return input
  },
  function setNumber(input, random) {
    const bytes = encoded(random.pick(BOUNDS) * (random.chance(0.2) ? -1 : 1), random.pick([1, 2, 4, 4, 8]))
    if (input.length >= bytes.length) input.set(bytes, random.int(input.length - bytes.length + 1))
    return input
  },
  function addToNumber(input, random) {
    const width = random.pick([1, 2, 4])
    if (input.length < width) return input
    const at = random.int(input.length - width + 1)
    const sum = input.readUIntBE(at, width) + random.between(-20, 20)
    input.set(encoded(sum, width), at)
    return input
  },
  function setToLength(input, random) {
    // What a field at one place would say, were the input to end where it does.
    const width = random.pick([1, 2, 4])
    if (input.length < width) return input
    const at = random.int(input.length - width + 1)
    input.set(encoded(input.length - random.int(Math.min(input.length, 130) + 1), width), at)
    return input
  },
  function cut(input, random) {
    return input.subarray(0, random.int(input.length + 1))
  },
  function remove(input, random) {
    const { at, length } = piece(input, random, 64)
    return replace(input, at, length, Buffer.alloc(0))
  },
  function double(input, random) {
    const { at, length } = piece(input, random, 200)
    return replace(input, at, 0, input.subarray(at, at + length))
  },
  function repeat(input, random) {
    const { at, length } = piece(input, random, 4)
    const times = random.between(2, 80)
    return replace(input, at, 0, Buffer.concat(new Array<Buffer>(times).fill(input.subarray(at, at + length))))
  },
  function insert(input, random) {
    return replace(input, random.int(input.length + 1), 0, random.bytes(random.between(1, 16)))
  },
  function word(input, random, _, words) {
    if (words.length === 0) return input
    const found = random.pick(words)
    const at = random.int(input.length + 1)
    return replace(input, at, random.chance(0.5) ? Math.min(found.length, input.length - at) : 0, found)
  },
  function digits(input, random) {
    const text = String(random.pick(BOUNDS) * (random.chance(0.2) ? -1 : 1))
    const { at, length } = piece(input, random, 4)
    return replace(input, at, length, Buffer.from(text))
  },
  function splice(input, random, others) {
    const other = random.pick(others)
    const from = piece(other, random, other.length)
    const { at, length } = piece(input, random, input.length)
    return replace(input, at, length, other.subarray(from.at, from.at + from.length))
  },
]

/** A new input made from one of `pool` by some changes. `words` are pieces that mean something to the decoder. */
export function mutate(pool: readonly Buffer[], random: Random, words: readonly Buffer[]): Buffer {
  let input = Buffer.from(random.pick(pool))
  const times = 1 + random.int(random.chance(0.3) ? 8 : 2)
  for (let i = 0; i < times; i++) {
    // Some changes hand a view of their input on, which the next may write to.
    input = Buffer.from(random.pick(changes)(input, random, pool, words)).subarray(0, MOST_INPUT_BYTES)
  }
  return Buffer.from(input)
}
