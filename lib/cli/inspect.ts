/** `mqlite inspect DIR [log|queue|index|checkpoint]`: shows what the files hold, decoded. */

import { shown } from '../base/errors.js'
import { findingWords } from '../format/finding-words.js'
import { type Command, type CommandInput, commonOptions, directoryOf, type ExitName, refuseMore, UsageError } from './command.js'
import { inspectCheckpoint } from './inspect-checkpoint.js'
import { inspectIndex } from './inspect-index.js'
import { inspectLog } from './inspect-log.js'
import { inspectQueue } from './inspect-queue.js'
import { INDEX_SLOTS_HELP, indexFiles, indexSizes, indexSlotsOption, openToRead, storeLayout } from './store-access.js'
import { counted, plain, timeText, writeFields, writeTable } from './table.js'

interface Part {
  readonly show: (input: CommandInput) => Promise<ExitName>
  /** The options that mean something to it, beside those of every command. */
  readonly takes: readonly string[]
}

const parts: Readonly<Record<string, Part>> = {
  log: { show: inspectLog, takes: ['from', 'limit'] },
  queue: { show: inspectQueue, takes: ['topic', 'queue', 'from', 'limit'] },
  index: { show: inspectIndex, takes: ['file', 'from', 'limit', 'index-slots'] },
  checkpoint: { show: inspectCheckpoint, takes: [] },
}

/** The command. */
export const inspectCommand: Command = {
  summary: 'show what the files hold',
  help: `usage: mqlite inspect DIR [log|queue|index|checkpoint] [options] [--json]

Without a part: an overview of the store, as opening it would find it.
With a part: its files as they are, decoded; entries that a writer still has in memory
do not show. Changes nothing, takes no lock; the store may be in use.

  log [--from ADDRESS] [--limit N]
                     records from an address on; damaged places are shown and stepped over
  queue [--topic T [--queue N]] [--from OFFSET] [--limit N]
                     all queues, or the entries of one
  index [--file NAME] [--from ENTRY] [--limit N] [--index-slots N]
                     all index files, or the entries of one
  checkpoint         checkpoint, abort, and the marks under ext/

  --limit N          at most so many records or entries; 20 unless told otherwise
${INDEX_SLOTS_HELP}
  --json             one JSON document; next is the value of --from that goes on

Ends with 1 when it meets a damaged record.`,
  options: {
    ...commonOptions,
    ...indexSlotsOption,
    from: { type: 'string' },
    limit: { type: 'string' },
    topic: { type: 'string' },
    queue: { type: 'string' },
    file: { type: 'string' },
  },
  run: inspect,
}

async function inspect(input: CommandInput): Promise<ExitName> {
  directoryOf(input)
  refuseMore(input, 2)
  const [, name] = input.positionals
  if (name === undefined) {
    refuseOptions(input, 'the overview', ['index-slots'])
    return overview(input)
  }
  const part = Object.hasOwn(parts, name) ? parts[name] : undefined
  if (part === undefined) throw new UsageError(`no part ${shown(name)}; there are ${Object.keys(parts).join(', ')}`)
  refuseOptions(input, name, part.takes)
  return part.show(input)
}

/** An option that is passed over in silence would have somebody believe that it was followed. */
function refuseOptions({ values }: CommandInput, part: string, taken: readonly string[]): void {
  const known = [...taken, ...Object.keys(commonOptions)]
  const other = Object.keys(values).find((name) => !known.includes(name))
  if (other !== undefined) throw new UsageError(`--${other} is no option of ${part}`)
}

async function overview(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const layout = storeLayout(directoryOf(input))
  const store = await openToRead(layout.root, values, terminal)
  try {
    const { commitLogStart, commitLogEnd } = store.metrics.snapshot() as { commitLogStart: number; commitLogEnd: number }
    const { origin, corruption, cut } = store.recovery
    const queues = store.queues()
    const index = { files: indexFiles(layout).length, ...indexSizes(layout, values) }
    if (values['json'] === true) {
      const log = { start: commitLogStart, end: commitLogEnd, origin, corruption, cut }
      await terminal.json({ directory: layout.root, log, queues, index })
      return corruption.length > 0 ? 'findings' : 'ok'
    }
    const newest = await newestTime(store, queues)
    await writeFields(terminal, [
      ['directory', layout.root],
      ['left', leftBy[origin]],
      ['log', `${commitLogStart} to ${commitLogEnd}, ${counted(commitLogEnd - commitLogStart)} bytes`],
      ['newest message', timeText(newest)],
      ['index', `${counted(index.files)} files${index.slots === undefined ? '' : ` of ${counted(index.slots)} slots`}`],
      ['not finished', cut === undefined ? undefined : `${cut.to - cut.from} bytes at ${cut.from}, which opening cuts off`],
    ])
    for (const { from, to, finding } of corruption)
      await terminal.line(
        `  ${terminal.paint('red', 'damaged')}  log ${from} to ${to}: ${findingWords(finding)}; mqlite repair mends it`,
      )
    await terminal.line()
    const rows = queues.map((row) => [plain(row.topic), row.queueId, row.minOffset, row.maxOffset, row.maxOffset - row.minOffset])
    await writeTable(terminal, ['topic', 'queue', 'first', 'end', 'messages'], rows)
    return corruption.length > 0 ? 'findings' : 'ok'
  } finally {
    await store.close()
  }
}

const leftBy = {
  new: 'empty',
  clean: 'closed by mqlite',
  crash: 'in use by mqlite, or its process died',
  'java-clean': 'closed by RocketMQ',
  'java-crash': 'in use by RocketMQ, or its process died',
} as const

/** The store time of the newest message that can be read. */
async function newestTime(
  store: Awaited<ReturnType<typeof openToRead>>,
  queues: readonly { topic: string; queueId: number; minOffset: number; maxOffset: number }[],
): Promise<number> {
  let newest = 0
  for (const { topic, queueId, minOffset, maxOffset } of queues.slice(0, 1000)) {
    if (maxOffset === minOffset) continue
    const got = await store.get({ topic, queueId, offset: maxOffset - 1, maxMessages: 1 }).catch(() => undefined)
    newest = Math.max(newest, got?.messages[0]?.storeTimestamp ?? 0)
  }
  return newest
}
