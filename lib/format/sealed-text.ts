/**
 * Our own small files under `ext/`: text, replaced as a whole.
 *
 * ```
 *   HEAD
 *   line ...
 *   crc CRC-32 of everything before, in decimal
 * ```
 *
 * The head names the kind of file and its version. A file that is not whole reads as none, and so does one with
 * a number in it that cannot be: its checksum says that it is what somebody wrote, not that it was this code.
 */
import { blockOf } from './block.js'
import { crc32 } from './crc.js'

/** The file for lines without line ends, in ASCII. */
export function sealText(head: string, lines: readonly string[]): Buffer {
  const text = [head, ...lines, ''].join('\n')
  return Buffer.from(`${text}crc ${crcOf(text)}\n`, 'latin1')
}

/** The lines of a file; `undefined` when it is absent, of another kind, or not whole. */
export function unsealText(head: string, bytes: Buffer | undefined): string[] | undefined {
  const text = bytes?.toString('latin1') ?? ''
  const tail = text.lastIndexOf('crc ')
  if (!text.startsWith(`${head}\n`) || tail < 0 || text.slice(tail) !== `crc ${crcOf(text.slice(0, tail))}\n`) return undefined
  return text
    .slice(head.length + 1, tail)
    .split('\n')
    .slice(0, -1)
}

/** A number in a line: whole, in plain decimal digits, at least `least` and safe; NaN for anything else. */
export function numberIn(text: string | undefined, least = 0): number {
  const value = text !== undefined && /^(?:0|-?[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) && value >= least ? value : Number.NaN
}

/** The lines that `decode` makes of a file's; none unless all of them can be what this code writes. */
export function decodeLines<Row>(lines: readonly string[] | undefined, decode: (fields: string[]) => Row | undefined): Row[] {
  const rows: Row[] = []
  for (const line of lines ?? []) {
    const row = decode(line.split(' '))
    if (row === undefined) return []
    rows.push(row)
  }
  return rows
}

function crcOf(text: string): number {
  const block = blockOf(Buffer.from(text, 'latin1'))
  return crc32(block, 0, block.bytes.length)
}
