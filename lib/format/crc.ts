/**
 * CRC-32 (IEEE 802.3, as zlib), over ranges of a block.
 *
 * Records are short, and a call into zlib costs about 130 ns before it reads a byte. Slicing by sixteen in
 * JavaScript through a `DataView` takes 72 ns for 128 bytes and 145 ns for 250; zlib takes 202 and 218
 * (`npm run bench -- crc`). So short ranges stay here and long ones go to zlib.
 *
 * Source of the method: Kounavis and Berry, "A systematic approach to building high performance
 * software-based CRC generators", 2005.
 */
import { crc32 as zlibCrc32 } from 'node:zlib'
import type { Block } from './block.js'

/** RocketMQ keeps 31 bits of every CRC. */
export const CRC_MASK = 0x7fffffff

/** From this length on the call into zlib pays. */
const NATIVE_FROM = 512

type Table = Int32Array
type EightTables = [Table, Table, Table, Table, Table, Table, Table, Table]
const tables: Table[] = makeTables()
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables.slice(0, 8) as EightTables
const [t8, t9, t10, t11, t12, t13, t14, t15] = tables.slice(8) as EightTables

function makeTables(): Int32Array[] {
  const made = Array.from({ length: 16 }, () => new Int32Array(256))
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    made[0]![byte] = crc
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let k = 1; k < 16; k++) {
      const previous = made[k - 1]![byte]!
      made[k]![byte] = (previous >>> 8) ^ made[0]![previous & 255]!
    }
  }
  return made
}

/** For each power of two what becomes of a CRC, byte by byte, when so many zeros follow; made when they are needed. */
const shifts: Int32Array[] = []

function shiftTable(power: number): Int32Array {
  const known = shifts[power]
  if (known !== undefined) return known
  const half = power === 0 ? undefined : shiftTable(power - 1)
  const table = new Int32Array(4 * 256)
  for (let i = 0; i < table.length; i++) {
    const crc = (i & 255) << (8 * (i >> 8))
    table[i] = half === undefined ? (crc >>> 8) ^ t0[crc & 255]! : shifted(half, shifted(half, crc))
  }
  shifts[power] = table
  return table
}

function shifted(table: Int32Array, crc: number): number {
  return table[crc & 255]! ^ table[256 + ((crc >>> 8) & 255)]! ^ table[512 + ((crc >>> 16) & 255)]! ^ table[768 + (crc >>> 24)]!
}

/**
 * The CRC-32 of one range followed by another, from theirs. Takes a few nanoseconds for each bit of the length.
 *
 * @param bytes - length of the second, below 2^31
 */
export function crc32OfBoth(first: number, second: number, bytes: number): number {
  let crc = first
  for (let power = 0, rest = bytes; rest > 0; power++, rest >>= 1) {
    if ((rest & 1) !== 0) crc = shifted(shifts[power] ?? shiftTable(power), crc)
  }
  return (crc ^ second) >>> 0
}

/**
 * The CRC-32 of `[start, end)` of a block.
 *
 * @param seed - the CRC of what came before, to continue it
 * @returns an unsigned 32-bit number
 */
export function crc32(block: Block, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_FROM) return zlibCrc32(block.bytes.subarray(start, end), seed)
  const { view } = block
  let crc = ~seed
  let at = start
  for (; end - at >= 16; at += 16)
    crc = sixteen(
      crc ^ view.getInt32(at, true),
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
    )
  if (end - at >= 8) {
    crc = eight(crc ^ view.getInt32(at, true), view.getInt32(at + 4, true))
    at += 8
  }
  if (end - at >= 4) {
    crc = four(crc ^ view.getInt32(at, true))
    at += 4
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t0[(crc ^ view.getUint8(at)) & 255]!
  return ~crc >>> 0
}

/**
 * {@link crc32} of a range that is copied on the way: to go through it twice costs a third more.
 *
 * @param to - where its first byte goes; another block
 */
export function crc32Copied(block: Block, start: number, end: number, to: Block, toAt: number): number {
  if (end - start >= NATIVE_FROM) {
    block.bytes.copy(to.bytes, toAt, start, end)
    return crc32(to, toAt, toAt + end - start)
  }
  const { view } = block
  const copy = to.view
  let crc = -1
  let at = start
  let next = toAt
  for (; end - at >= 4; at += 4, next += 4) {
    const a = view.getInt32(at, true)
    copy.setInt32(next, a, true)
    if (end - at < 16) {
      crc = four(crc ^ a)
      continue
    }
    const b = view.getInt32(at + 4, true)
    const c = view.getInt32(at + 8, true)
    const d = view.getInt32(at + 12, true)
    copy.setInt32(next + 4, b, true)
    copy.setInt32(next + 8, c, true)
    copy.setInt32(next + 12, d, true)
    crc = sixteen(crc ^ a, b, c, d)
    at += 12
    next += 12
  }
  for (; at < end; at++, next++) {
    const byte = view.getUint8(at)
    copy.setUint8(next, byte)
    crc = (crc >>> 8) ^ t0[(crc ^ byte) & 255]!
  }
  return ~crc >>> 0
}

/** Four words, the first with the CRC so far. What does not need that comes first, so that it need not wait for it. */
function sixteen(a: number, b: number, c: number, d: number): number {
  const rest = t11[b & 255]! ^ t10[(b >>> 8) & 255]! ^ t9[(b >>> 16) & 255]! ^ t8[b >>> 24]! ^ eight(c, d)
  return rest ^ (t15[a & 255]! ^ t14[(a >>> 8) & 255]! ^ (t13[(a >>> 16) & 255]! ^ t12[a >>> 24]!))
}

function eight(a: number, b: number): number {
  return four(b) ^ (t7[a & 255]! ^ t6[(a >>> 8) & 255]! ^ (t5[(a >>> 16) & 255]! ^ t4[a >>> 24]!))
}

function four(a: number): number {
  return t3[a & 255]! ^ t2[(a >>> 8) & 255]! ^ (t1[(a >>> 16) & 255]! ^ t0[a >>> 24]!)
}
