/**
 * Compares the view files of a store that is only read with the CRCs in `ext/views`.
 *
 * Opening has done the same, and what was not what was written it has made anew from the log, in memory. So
 * a damaged file harms nobody; but whoever asks for a check wants to know of it.
 */
import type { Disk } from '../../disk/disk.js'
import { openIfThere, readWhole } from '../../disk/replace.js'
import { entryPosition } from '../../format/index-layout.js'
import { segmentName } from '../../format/names.js'
import { QUEUE_ENTRY_BYTES } from '../../format/queue-entry.js'
import { sumOfRange } from '../../view/index-parts.js'
import { decodeManifest, type IndexRow, type QueueRow } from '../../view/manifest.js'
import type { StoreLayout } from '../layout.js'
import type { Findings } from './verify-report.js'

const BATCH_ENTRY_BYTES = 46

/** What the check needs. */
export interface FileCheckOptions {
  readonly disk: Disk
  readonly layout: StoreLayout
  readonly findings: Findings
  /** Whether the store is closed, so that nothing can have changed since the manifest was written. */
  readonly isClosed: () => boolean
  /** Slots of an index file, 0 when there is none. */
  readonly indexSlots: number
  readonly pause: () => Promise<void>
}

/** Compares all files that the manifest names. */
export async function checkViewFiles(options: FileCheckOptions): Promise<void> {
  const { disk, layout, findings, pause, indexSlots } = options
  const bytes = readWhole(disk, layout.views)
  const manifest = decodeManifest(bytes)
  if (bytes !== undefined && manifest === undefined) {
    findings.add(
      'markDamaged',
      { file: 'ext/views' },
      'lines that do not match their CRC',
      'the bounds and CRCs of the view files',
    )
  }
  for (const row of manifest?.queues ?? []) {
    checkQueue(options, row)
    await pause()
  }
  for (const row of indexSlots > 0 ? (manifest?.index ?? []) : []) {
    checkIndex(options, row)
    await pause()
  }
}

function checkQueue({ disk, layout, findings, isClosed }: FileCheckOptions, row: QueueRow): void {
  const { topic, queueId, sums } = row
  const root = row.rows === undefined ? layout.consumeQueue : layout.batchConsumeQueue
  const rowBytes = row.rows === undefined ? QUEUE_ENTRY_BYTES : BATCH_ENTRY_BYTES
  const directory = `${root}/${topic}/${queueId}`
  for (const { first, crc } of sums) {
    const path = `${directory}/${segmentName(first * rowBytes)}`
    const place = { file: path.slice(layout.root.length + 1), topic, queueId, queueOffset: first }
    const rows = Math.min((disk.stat(path)?.bytes ?? 0) / rowBytes, (row.rows ?? row.max) - first)
    const found = sumOf(disk, path, 0, rows * rowBytes)
    if (found === undefined) {
      // Retention deletes files before the manifest says so.
      if (isClosed()) findings.add('viewFileDamaged', place, 'no file', `the entries from ${first} on`)
    } else if (found !== crc) findings.add('viewFileDamaged', place, `CRC ${found} of ${rows} entries`, `CRC ${crc}`)
  }
}

function checkIndex({ disk, layout, findings, isClosed, indexSlots }: FileCheckOptions, row: IndexRow): void {
  const path = `${layout.index}/${row.name}`
  const place = { file: `index/${row.name}` }
  const entries = sumOf(disk, path, entryPosition(indexSlots, 1), entryPosition(indexSlots, row.count))
  if (entries === undefined) {
    if (isClosed()) findings.add('viewFileDamaged', place, 'no file', `${row.count - 1} entries`)
    return
  }
  if (entries !== row.entriesCrc) {
    findings.add('viewFileDamaged', place, `CRC ${entries} of ${row.count - 1} entries`, `CRC ${row.entriesCrc}`)
    return
  }
  if (!isClosed() || row.slotsCrc === undefined) return
  const slots = sumOf(disk, path, 0, entryPosition(indexSlots, 0))
  // Slots of a file that is being filled may be written at any time.
  if (slots !== row.slotsCrc && isClosed())
    findings.add('viewFileDamaged', place, `CRC ${slots} of header and slots`, `CRC ${row.slotsCrc}`)
}

/** `undefined` when there is no such file. */
function sumOf(disk: Disk, path: string, from: number, to: number): number | undefined {
  const file = openIfThere(disk, path)
  if (file === undefined) return undefined
  try {
    return sumOfRange(file, from, to)
  } finally {
    file.close()
  }
}
