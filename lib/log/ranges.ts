/**
 * Which addresses of the log mqlite wrote with a whole-record CRC: `ext/ranges`.
 *
 * Only there is a missing or wrong one proof of damage. RocketMQ copies a message's properties, stale CRC
 * included, when it puts the message again, so in its records a wrong one proves nothing.
 *
 * The file is text, replaced as a whole: a head, a line `from to` for each range, `-` for the end of the
 * one that is being written, and the CRC-32 of the lines before it.
 */
import { decodeLines, numberIn, sealText, unsealText } from '../format/sealed-text.js'

/** `[from, to)`; `to` is `Infinity` while the store that writes it is open. */
export interface LogRange {
  readonly from: number
  readonly to: number
}

const HEAD = 'mqlite ranges 1'

/** The file for given ranges. */
export function encodeRanges(ranges: readonly LogRange[]): Buffer {
  return sealText(
    HEAD,
    ranges.map(({ from, to }) => `${from} ${to === Number.POSITIVE_INFINITY ? '-' : to}`),
  )
}

/** The ranges in a file; none when it is absent or damaged, which only makes checks less strict. */
export function decodeRanges(bytes: Buffer | undefined): LogRange[] {
  return decodeLines(unsealText(HEAD, bytes), ([first, end, ...rest]) => {
    const from = numberIn(first)
    const to = end === '-' ? Number.POSITIVE_INFINITY : numberIn(end)
    return rest.length === 0 && from <= to ? { from, to } : undefined
  })
}

/** Closes an open range at `end`, drops what lies before `start` or is empty, and joins neighbours. */
export function settleRanges(ranges: readonly LogRange[], start: number, end: number): LogRange[] {
  const settled: LogRange[] = []
  for (const range of ranges) {
    const from = Math.max(range.from, start)
    const to = Math.min(range.to, end)
    if (to <= from) continue
    const last = settled[settled.length - 1]
    if (last !== undefined && last.to === from) settled[settled.length - 1] = { from: last.from, to }
    else settled.push({ from, to })
  }
  return settled
}

/** Whether an address lies in one of the ranges, which are few and ascending. */
export function inRanges(ranges: readonly LogRange[], address: number): boolean {
  for (let i = ranges.length - 1; i >= 0; i--) {
    const range = ranges[i]!
    if (address >= range.from) return address < range.to
  }
  return false
}

/** Whether an address lies in one of the ranges, and up to where that stays so. */
export function rangeFrom(ranges: readonly LogRange[], address: number): { inside: boolean; until: number } {
  for (const { from, to } of ranges) {
    if (address < from) return { inside: false, until: from }
    if (address < to) return { inside: true, until: to }
  }
  return { inside: false, until: Number.POSITIVE_INFINITY }
}
