/** `mqlite inspect DIR log`: the records of the log, one after the other. */

import { nodeDisk } from '../disk/node-disk.js'
import { OpenFiles } from '../disk/open-files.js'
import { readWhole } from '../disk/replace.js'
import { SegmentChain } from '../disk/segment-chain.js'
import { findingWords } from '../format/finding-words.js'
import { CheckLevel, checkRecord, Finding } from '../format/record.js'
import { isStandIn } from '../format/stand-in.js'
import { decodeRanges } from '../log/ranges.js'
import { LogScanner } from '../log/scanner.js'
import { levelIn } from '../store/recovery/recover.js'
import { StoredMessage } from '../store/stored-message.js'
import { type CommandInput, directoryOf, type ExitName, numberOption, optionalNumber } from './command.js'
import { storeLayout } from './store-access.js'
import { timeText, writeTable } from './table.js'

/** Rows shown unless told otherwise, and at most. */
export const DEFAULT_ROWS = 20
/** More rows would have to be held in memory at once; `next` tells where to go on. */
export const MAX_ROWS = 100_000

interface LogRow {
  readonly kind: 'record' | 'stand-in' | 'blank' | 'damaged' | 'skipped'
  readonly commitLogOffset: number
  readonly size: number
  readonly message?: StoredMessage
  /** Which CRC was right. */
  readonly crc?: 'record' | 'body'
  readonly found?: string
}

/** Shows the log. */
export async function inspectLog(input: CommandInput): Promise<ExitName> {
  const { values, terminal } = input
  const layout = storeLayout(directoryOf(input))
  const files = new OpenFiles(nodeDisk, 16)
  try {
    const chain = SegmentChain.load({
      disk: nodeDisk,
      files,
      directory: layout.commitLog,
      segmentBytes: undefined,
      defaultSegmentBytes: 1,
      writable: false,
    })
    const scanner = new LogScanner({ chain, levelAt: levelIn(decodeRanges(readWhole(nodeDisk, layout.ranges))) })
    const from = optionalNumber(values, 'from')
    const limit = numberOption(values, 'limit', DEFAULT_ROWS, 1, MAX_ROWS)
    const { rows, next } = await readRows(chain, scanner, Math.max(from ?? 0, chain.start), from !== undefined, limit)
    const { start, end, segmentBytes, starts } = chain
    if (values['json'] === true) {
      const documents = rows.map(({ message, ...row }) => ({ ...row, ...(message === undefined ? {} : summaryOf(message)) }))
      await terminal.json({ start, segmentsEnd: end, segmentBytes, segments: starts, rows: documents, next })
    } else {
      await writeTable(
        terminal,
        ['address', 'size', 'what', 'queue', 'offset', 'stored', 'crc', 'tags and keys'],
        rows.map(cellsOf),
      )
      if (next !== undefined) await terminal.line(`go on with --from ${next}`)
    }
    return rows.some(({ kind }) => kind === 'damaged') ? 'findings' : 'ok'
  } finally {
    files.closeAll()
  }
}

/** Up to `limit` rows; `next` is where more are. */
async function readRows(
  chain: SegmentChain,
  scanner: LogScanner,
  from: number,
  isChosen: boolean,
  limit: number,
): Promise<{ rows: LogRow[]; next: number | undefined }> {
  const rows: LogRow[] = []
  let address = from
  while (rows.length < limit) {
    if (address >= chain.end) return { rows, next: undefined }
    const { size, block } = await scanner.checkOne(address)
    if (size > 0) {
      const copy = { bytes: block.bytes, view: block.view }
      const message = StoredMessage.fromRecord(copy, 0, address)
      const hasRecordCrc = checkRecord(block, 0, size + 8, size, address, CheckLevel.record) === size
      const kind = isStandIn(block, 0) ? 'stand-in' : 'record'
      rows.push({ kind, commitLogOffset: address, size, message, crc: hasRecordCrc ? 'record' : 'body' })
      address += size
      continue
    }
    const segmentEnd = address - (address % chain.segmentBytes) + chain.segmentBytes
    if (size === Finding.blank) {
      rows.push({ kind: 'blank', commitLogOffset: address, size: segmentEnd - address })
      address = segmentEnd
      continue
    }
    const next = await scanner.findRecord(address + 1, chain.end)
    if (next < 0) {
      // Zeros to the end of the last segment are where the log ends; anything else is worth a row.
      const last = await scanner.lastNonZero(address)
      if (last > address)
        rows.push({ kind: 'damaged', commitLogOffset: address, size: last - address, found: findingWords(size) })
      return { rows, next: undefined }
    }
    const kind = isChosen && address === from ? 'skipped' : 'damaged'
    rows.push({ kind, commitLogOffset: address, size: next - address, found: findingWords(size) })
    address = next
  }
  return { rows, next: address < chain.end ? address : undefined }
}

function summaryOf(message: StoredMessage): Record<string, unknown> {
  const { body, ...rest } = message.toJSON() as { body: string }
  return { ...rest, bodyBytes: message.body.length, ...(body.length <= 1400 ? { body } : {}) }
}

function cellsOf({ kind, commitLogOffset, size, message, crc, found }: LogRow): (string | number | undefined)[] {
  if (message === undefined) return [commitLogOffset, size, found === undefined ? kind : `${kind}: ${found}`]
  const { topic, queueId, queueOffset, storeTimestamp, tags, keys } = message
  const about = [...(tags === undefined ? [] : [tags]), ...keys].join(' ')
  return [commitLogOffset, size, kind, `${topic}/${queueId}`, queueOffset, timeText(storeTimestamp), crc, about]
}
