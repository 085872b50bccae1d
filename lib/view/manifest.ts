/**
 * What the view files held when they were last flushed: `ext/views`.
 *
 * RocketMQ's queue and index files carry no checksum, so a flipped bit in them would hide a message or end
 * a queue too early. The manifest has the bounds and the CRCs. It is replaced as a whole after each flush of
 * the views; what the files hold beyond it counts for nothing and comes again from the log. Without a
 * manifest, or with a damaged one, all views are made anew.
 *
 * Text: a head, lines, and the CRC-32 of the lines before it:
 *
 * ```
 *   mqlite views 1
 *   log LOG_START VIEWS_END
 *   sizes INDEX_SLOTS INDEX_ENTRIES
 *   queue TOPIC QUEUE_ID MIN MAX LAST_END [FIRST:CRC ...]
 *   batch TOPIC QUEUE_ID MIN MAX LAST_END ROWS [FIRST:CRC ...]
 *   index NAME COUNT BEGIN_MS END_MS BEGIN_OFFSET END_OFFSET ENTRIES_CRC SLOTS_CRC|-
 *   crc CRC
 * ```
 */
import { isIndexFileName, isTopic } from '../format/names.js'
import { numberIn, sealText, unsealText } from '../format/sealed-text.js'
import type { SegmentSum } from './row-files.js'

/** What the manifest says of a queue. */
export interface QueueRow {
  readonly topic: string
  readonly queueId: number
  readonly min: number
  readonly max: number
  /** End of the record of the last entry, -1 without one. */
  readonly lastEnd: number
  /** Rows, where they are not one for each message: of BatchConsumeQueues. */
  readonly rows?: number
  readonly sums: readonly SegmentSum[]
}

/** What the manifest says of an index file. */
export interface IndexRow {
  readonly name: string
  /** `indexCount`: entries, with entry 0. */
  readonly count: number
  readonly beginTimestamp: number
  readonly endTimestamp: number
  readonly beginCommitLogOffset: number
  readonly endCommitLogOffset: number
  /** CRC of entries 1 to `count - 1`. */
  readonly entriesCrc: number
  /** CRC of header and slots; `undefined` while the file is being filled: they can be made from the entries. */
  readonly slotsCrc: number | undefined
}

/** All of it. */
export interface Manifest {
  /** Where the log began: minimum offsets and files follow it. */
  readonly logStart: number
  /** Every record below has its entries in the files. */
  readonly viewsEnd: number
  /** Sizes of index files, which their length alone does not tell. */
  readonly indexSizes: { readonly slots: number; readonly entries: number }
  readonly queues: readonly QueueRow[]
  readonly index: readonly IndexRow[]
}

const HEAD = 'mqlite views 1'

/** The file for a manifest. */
export function encodeManifest({ logStart, viewsEnd, indexSizes, queues, index }: Manifest): Buffer {
  const lines = [`log ${logStart} ${viewsEnd}`, `sizes ${indexSizes.slots} ${indexSizes.entries}`]
  for (const { topic, queueId, min, max, lastEnd, rows, sums } of queues) {
    const fields = [
      rows === undefined ? 'queue' : 'batch',
      topic,
      queueId,
      min,
      max,
      lastEnd,
      ...(rows === undefined ? [] : [rows]),
    ]
    lines.push([...fields, ...sums.map(({ first, crc }) => `${first}:${crc}`)].join(' '))
  }
  for (const row of index) {
    const { name, count, beginTimestamp, endTimestamp, beginCommitLogOffset, endCommitLogOffset, entriesCrc, slotsCrc } = row
    const bounds = [beginTimestamp, endTimestamp, beginCommitLogOffset, endCommitLogOffset]
    lines.push(['index', name, count, ...bounds, entriesCrc, slotsCrc ?? '-'].join(' '))
  }
  return sealText(HEAD, lines)
}

/** The manifest in a file, or `undefined` when the file is absent or not whole. */
export function decodeManifest(bytes: Buffer | undefined): Manifest | undefined {
  const lines = unsealText(HEAD, bytes)
  if (lines === undefined) return undefined
  const [log, sizes, ...rows] = lines.map((line) => line.split(' '))
  const queues = rows.filter(([kind]) => kind === 'queue' || kind === 'batch').map(queueRow)
  const index = rows.filter(([kind]) => kind === 'index').map(indexRow)
  const manifest = {
    logStart: whole(log?.[1]),
    viewsEnd: whole(log?.[2]),
    indexSizes: { slots: whole(sizes?.[1]), entries: whole(sizes?.[2]) },
    queues,
    index,
  }
  return isSane(manifest) ? manifest : undefined
}

/** A number of a line; -1 stands for the end of no record. */
function whole(text: string | undefined): number {
  return numberIn(text, -1)
}

function queueRow([kind, topic = '', queueId, min, max, lastEnd, ...rest]: string[]): QueueRow {
  const rows = kind === 'batch' ? whole(rest.shift()) : undefined
  const sums = rest.map((sum) => sum.split(':')).map(([first, crc]) => ({ first: whole(first), crc: whole(crc) }))
  const row = { topic, queueId: whole(queueId), min: whole(min), max: whole(max), lastEnd: whole(lastEnd), sums }
  return rows === undefined ? row : { ...row, rows }
}

function indexRow([, name = '', ...fields]: string[]): IndexRow {
  const [
    count = Number.NaN,
    beginTimestamp = Number.NaN,
    endTimestamp = Number.NaN,
    beginCommitLogOffset = Number.NaN,
    endCommitLogOffset = Number.NaN,
    entriesCrc = Number.NaN,
  ] = fields.map(whole)
  const slotsCrc = fields[6] === '-' ? undefined : whole(fields[6])
  return { name, count, beginTimestamp, endTimestamp, beginCommitLogOffset, endCommitLogOffset, entriesCrc, slotsCrc }
}

/** A manifest whose CRC is right was written by some version of this code; numbers must still be numbers. */
function isSane({ logStart, viewsEnd, indexSizes, queues, index }: Manifest): boolean {
  const areWhole = (...numbers: number[]): boolean => numbers.every((n) => Number.isSafeInteger(n))
  return (
    areWhole(logStart, viewsEnd, indexSizes.slots, indexSizes.entries) &&
    queues.every((row) => isTopic(row.topic) && areWhole(row.queueId, row.min, row.max, row.lastEnd, row.rows ?? 0)) &&
    queues.every(({ sums }) => sums.every(({ first, crc }) => areWhole(first, crc))) &&
    index.every(({ name, slotsCrc, ...row }) => isIndexFileName(name) && areWhole(slotsCrc ?? 0, ...Object.values(row)))
  )
}
