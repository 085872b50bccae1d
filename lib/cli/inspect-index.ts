/** `mqlite inspect DIR index`: the index files, or the entries of one. */
import { MessageStoreError } from '../base/errors.js'
import { nodeDisk } from '../disk/node-disk.js'
import { OpenFiles } from '../disk/open-files.js'
import { zeroBlock } from '../format/block.js'
import { decodeIndexHeader, INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES } from '../format/index-layout.js'
import { IndexEntry } from '../format/tables.js'
import { IndexFile } from '../view/index-file.js'
import { type CommandInput, directoryOf, type ExitName, numberOption, textOption, UsageError } from './command.js'
import { DEFAULT_ROWS, MAX_ROWS } from './inspect-log.js'
import { indexFiles, indexSizes, storeLayout } from './store-access.js'
import { timeText, writeTable } from './table.js'

const AT = IndexEntry.at
const TWO_32 = 0x1_0000_0000

/** Shows the index. */
export async function inspectIndex(input: CommandInput): Promise<ExitName> {
  const { values } = input
  return textOption(values, 'file') === undefined ? listFiles(input) : showEntries(input)
}

async function listFiles(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const layout = storeLayout(directoryOf(input))
  const sizes = indexSizes(layout, values)
  const rows = indexFiles(layout)
    .reverse()
    .map(({ name, path, bytes }) => ({ name, bytes, ...sizes, ...headerOf(path) }))
  if (values['json'] === true) await terminal.json({ files: rows })
  else {
    const headings = ['file', 'entries', 'slots used', 'slots', 'first address', 'last address', 'first stored', 'last stored']
    const cells = rows.map((row) => [
      row.name,
      row.indexCount - 1,
      row.hashSlotCount,
      row.slots ?? '?',
      row.beginCommitLogOffset,
      row.endCommitLogOffset,
      timeText(row.beginTimestamp),
      timeText(row.endTimestamp),
    ])
    await writeTable(terminal, headings, cells)
  }
  return 'ok'
}

function headerOf(path: string) {
  const file = nodeDisk.open(path, {})
  try {
    const head = Buffer.alloc(INDEX_HEADER_BYTES)
    file.readAt(head, 0)
    return decodeIndexHeader(head)
  } finally {
    file.close()
  }
}

async function showEntries(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const layout = storeLayout(directoryOf(input))
  const name = textOption(values, 'file')!
  const known = indexFiles(layout)
  const found = known.find((file) => file.name === name)
  if (found === undefined) {
    throw new UsageError(`no index file ${name}; there are ${known.map((file) => file.name).join(', ') || 'none'}`)
  }
  const sizes = indexSizes(layout, values)
  if (sizes === undefined) {
    throw new MessageStoreError('STORE_INCOMPATIBLE', `${found.path} does not tell how it is divided: give --index-slots`)
  }
  const limit = numberOption(values, 'limit', DEFAULT_ROWS, 1, MAX_ROWS)
  const files = new OpenFiles(nodeDisk, 4)
  try {
    const file = new IndexFile({ ...sizes, files, path: found.path, writable: false })
    const block = zeroBlock(limit * INDEX_ENTRY_BYTES)
    const from = numberOption(values, 'from', 1, 1)
    const got = Math.max(0, file.readEntries(from, limit, block))
    const rows = Array.from({ length: got }, (_, i) => rowOf(block.view, i * INDEX_ENTRY_BYTES, from + i, sizes.slots, file))
    const next = from + got < file.header.indexCount ? from + got : undefined
    if (values['json'] === true) await terminal.json({ file: name, ...sizes, header: file.header, entries: rows, next })
    else {
      const cells = rows.map((row) => [row.entry, row.keyHash, row.slot, row.commitLogOffset, timeText(row.timeMs), row.previous])
      await writeTable(terminal, ['entry', 'hash', 'slot', 'address', 'stored, to the second', 'previous'], cells)
      if (next !== undefined) await terminal.line(`go on with --from ${next}`)
    }
    return 'ok'
  } finally {
    files.closeAll()
  }
}

function rowOf(view: DataView, at: number, entry: number, slots: number, { header }: IndexFile) {
  const keyHash = view.getInt32(at + AT.keyHash)
  const commitLogOffset = view.getInt32(at + AT.commitLogOffset) * TWO_32 + view.getUint32(at + AT.commitLogOffset + 4)
  // The first entry counts its seconds from the file before.
  const seconds = entry === 1 ? 0 : view.getInt32(at + AT.seconds)
  const timeMs = header.beginTimestamp + seconds * 1000
  return { entry, keyHash, slot: keyHash % slots, commitLogOffset, timeMs, previous: view.getInt32(at + AT.previous) }
}
