/** `mqlite inspect DIR queue`: the queues, or the entries of one, as they stand in the files. */
import { nodeDisk } from '../disk/node-disk.js'
import { OpenFiles } from '../disk/open-files.js'
import { entryOffset, entrySize, entryTagsCode, FILLER_SIZE, isEntry, QUEUE_ENTRY_BYTES } from '../format/queue-entry.js'
import { defaultSizes } from '../store/options.js'
import { ConsumeQueue } from '../view/consume-queue.js'
import { EntryBlock } from '../view/entry-block.js'
import { QueueTable } from '../view/queue-table.js'
import { type CommandInput, directoryOf, type ExitName, numberOption, optionalNumber, textOption, UsageError } from './command.js'
import { DEFAULT_ROWS, MAX_ROWS } from './inspect-log.js'
import { noSuchQueue, noSuchTopic, storeLayout } from './store-access.js'
import { writeTable } from './table.js'

interface EntryRow {
  readonly queueOffset: number
  readonly kind: 'entry' | 'filler' | 'empty'
  readonly commitLogOffset: number
  readonly size: number
  readonly tagsCode: number
}

/** Shows queues. */
export async function inspectQueue(input: CommandInput): Promise<ExitName> {
  const { values } = input
  const layout = storeLayout(directoryOf(input))
  const files = new OpenFiles(nodeDisk, 256)
  try {
    const table = QueueTable.load({
      disk: nodeDisk,
      files,
      directory: layout.consumeQueue,
      entriesPerSegment: defaultSizes.queueSegmentEntries,
      writable: false,
      tmpDirectory: layout.temporary,
      trustedEnd: Number.POSITIVE_INFINITY,
      load: (queue) => new ConsumeQueue(queue),
    })
    const topic = textOption(values, 'topic')
    const queueId = optionalNumber(values, 'queue')
    if (topic === undefined && queueId !== undefined) throw new UsageError('--queue needs --topic')
    const topics = table.topics()
    if (topic !== undefined && !topics.includes(topic)) throw noSuchTopic(topic, topics)
    const queues = topic === undefined ? [...table] : table.queuesOf(topic)
    const chosen = queueId ?? (topic !== undefined && queues.length === 1 ? queues[0]!.queueId : undefined)
    if (topic === undefined || chosen === undefined) return await listQueues(input, queues)
    const queue = queues.find((candidate) => candidate.queueId === chosen)
    if (queue === undefined)
      throw noSuchQueue(
        topic,
        chosen,
        queues.map((one) => one.queueId),
      )
    return await showEntries(input, queue)
  } finally {
    files.closeAll()
  }
}

async function listQueues({ terminal, values }: CommandInput, queues: readonly ConsumeQueue[]): Promise<ExitName> {
  const rows = queues
    .map(({ topic, queueId, minOffset, maxOffset, lastCommitLogEnd }) => ({
      topic,
      queueId,
      minOffset,
      maxOffset,
      lastCommitLogEnd,
    }))
    .sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.queueId - b.queueId))
  if (values['json'] === true) await terminal.json({ queues: rows })
  else {
    const cells = rows.map((row) => [row.topic, row.queueId, row.minOffset, row.maxOffset, row.lastCommitLogEnd])
    await writeTable(terminal, ['topic', 'queue', 'first', 'end', 'log up to'], cells)
  }
  return 'ok'
}

async function showEntries({ terminal, values }: CommandInput, queue: ConsumeQueue): Promise<ExitName> {
  const limit = numberOption(values, 'limit', DEFAULT_ROWS, 1, MAX_ROWS)
  const { topic, queueId, minOffset, maxOffset } = queue
  const rows: EntryRow[] = []
  const block = new EntryBlock()
  let offset = Math.max(numberOption(values, 'from', minOffset), minOffset)
  while (rows.length < limit && offset < maxOffset) {
    const got = queue.read(offset, Math.min(4096, limit - rows.length), block)
    for (let i = 0; i < got; i++) rows.push(rowOf(block.view, i * QUEUE_ENTRY_BYTES, offset + i))
    offset = got === 0 ? queue.nextFileStart(offset) : offset + got
  }
  const next = offset < maxOffset ? offset : undefined
  if (values['json'] === true) await terminal.json({ topic, queueId, minOffset, maxOffset, entries: rows, next })
  else {
    const cells = rows.map((row) => [row.queueOffset, row.commitLogOffset, row.size, row.tagsCode, row.kind])
    await writeTable(terminal, ['offset', 'address', 'size', 'tags code', 'what'], cells)
    if (next !== undefined) await terminal.line(`go on with --from ${next}`)
  }
  return 'ok'
}

function rowOf(view: DataView, at: number, queueOffset: number): EntryRow {
  const size = entrySize(view, at)
  const kind = !isEntry(view, at) ? 'empty' : size === FILLER_SIZE ? 'filler' : 'entry'
  return { queueOffset, kind, commitLogOffset: entryOffset(view, at), size, tagsCode: entryTagsCode(view, at) }
}
