/** `mqlite inspect DIR checkpoint`: what is kept of times and ends: `checkpoint`, `abort`, and the files under `ext/`. */
import { nodeDisk } from '../disk/node-disk.js'
import { readWhole } from '../disk/replace.js'
import { type Mark, type MarkKind, readMark } from '../log/marks.js'
import { decodeRanges } from '../log/ranges.js'
import type { StoreLayout } from '../store/layout.js'
import { decodeManifest } from '../view/manifest.js'
import { type CommandInput, directoryOf, type ExitName } from './command.js'
import { storeLayout } from './store-access.js'
import { type Cell, timeText, writeFields } from './table.js'

const TIMES = ['physicMsgTimestamp', 'logicsMsgTimestamp', 'indexMsgTimestamp'] as const
const OFFSETS = ['masterFlushedOffset', 'confirmPhyOffset'] as const

/** Shows checkpoint and marks. */
export async function inspectCheckpoint(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const layout = storeLayout(directoryOf(input))
  const checkpoint = checkpointOf(layout)
  const abort = readWhole(nodeDisk, layout.abort)?.toString('latin1')
  const marks = { durable: markOf(layout, 'durable'), clean: markOf(layout, 'clean') }
  const rangesBytes = readWhole(nodeDisk, layout.ranges)
  const ranges = decodeRanges(rangesBytes).map(({ from, to }) => ({ from, to: Number.isFinite(to) ? to : null }))
  const manifestBytes = readWhole(nodeDisk, layout.views)
  const manifest = decodeManifest(manifestBytes)
  if (values['json'] === true) {
    const views = manifest === undefined ? (manifestBytes === undefined ? undefined : 'damaged') : manifest
    await terminal.json({ checkpoint, abort, marks, ranges, views })
    return 'ok'
  }
  const fields: [string, Cell][] = []
  for (const name of TIMES)
    fields.push([`checkpoint ${name}`, checkpoint === undefined ? undefined : timeText(checkpoint[name] ?? 0)])
  for (const name of OFFSETS) fields.push([`checkpoint ${name}`, checkpoint?.[name]])
  fields.push([
    'abort',
    abort === undefined ? 'absent: closed' : `present: in use, or died${abort === '' ? '' : `, process ${abort}`}`,
  ])
  for (const [kind, mark] of Object.entries(marks)) fields.push([`ext/${kind}`, markText(mark)])
  const rangeText = ranges.map(({ from, to }) => `${from} to ${to ?? 'now'}`).join(', ')
  fields.push(['ext/ranges', rangeText === '' ? undefined : `records with a CRC of their own: ${rangeText}`])
  const viewsText = `${manifest?.queues.length} queues and ${manifest?.index.length} index files up to ${manifest?.viewsEnd}`
  fields.push(['ext/views', manifest === undefined ? (manifestBytes === undefined ? undefined : 'damaged') : viewsText])
  await writeFields(terminal, fields)
  return 'ok'
}

type CheckpointFields = Record<(typeof TIMES)[number] | (typeof OFFSETS)[number], number>

function checkpointOf(layout: StoreLayout): CheckpointFields | undefined {
  const bytes = readWhole(nodeDisk, layout.checkpoint)
  if (bytes === undefined || bytes.length < 40) return undefined
  const names = [...TIMES, ...OFFSETS]
  return Object.fromEntries(names.map((name, i) => [name, Number(bytes.readBigInt64BE(8 * i))])) as CheckpointFields
}

function markOf(layout: StoreLayout, kind: MarkKind): Mark | 'damaged' | undefined {
  const path = layout[kind]
  return nodeDisk.stat(path) === undefined ? undefined : (readMark(nodeDisk, path, kind) ?? 'damaged')
}

function markText(mark: Mark | 'damaged' | undefined): string | undefined {
  if (mark === undefined || mark === 'damaged') return mark
  return `log up to ${mark.logEnd}, views up to ${mark.viewsEnd}`
}
