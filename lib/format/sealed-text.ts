/**
 * Our own small files under `ext/`: text, replaced as a whole.
 *
 * ```
 *   HEAD
 *   line ...
 *   crc CRC-32 of everything before, in decimal
 * ```
 *
 * The head names the kind of file and its version. A file that is not whole reads as none.
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

function crcOf(text: string): number {
  const block = blockOf(Buffer.from(text, 'latin1'))
  return crc32(block, 0, block.bytes.length)
}
