/** `mqlite repair DIR`: mends what `verify` finds. */
import { MessageStoreError } from '../base/errors.js'
import { type RepairedRange, repairStore } from '../store/checking/repair.js'
import { type Command, type CommandInput, commonOptions, directoryOf, type ExitName, refuseMore } from './command.js'
import { INDEX_SLOTS_HELP, indexOption, indexSlotsOption, storeLayout } from './store-access.js'
import { counted, plain } from './table.js'
import type { Terminal } from './terminal.js'
import { writeReport } from './verify.js'

const MOST_LOST_SHOWN = 20

/** The command. */
export const repairCommand: Command = {
  summary: 'mend a damaged log, and views that disagree with it',
  help: `usage: mqlite repair DIR [--dry-run] [--json] [--index-slots N]

Copies each damaged range of the log into a file under DIR/ext, then fills it with
records of a system topic, so that no intact message moves and every reader gets past
it. The messages that were there are lost; their queue offsets stay used, and reading
steps over them. Queues and index that disagree with the log are made anew from it.
Nobody else may have the store open.

  --dry-run          say what would be done, change nothing
${INDEX_SLOTS_HELP}
  --json             the report as one JSON document

Ends with 0 when the store is sound afterwards, and with 1 when it is not, or when a
dry run finds something to mend.`,
  options: { ...commonOptions, ...indexSlotsOption, 'dry-run': { type: 'boolean' } },
  run: repair,
}

async function repair(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const directory = directoryOf(input)
  refuseMore(input, 1)
  const layout = storeLayout(directory)
  const index = indexOption(layout, values)
  if (index.enabled === false) {
    // Without the sizes the index could be neither kept nor made anew.
    const what = `the content of ${layout.index} does not tell how its files are divided: give --index-slots`
    throw new MessageStoreError('STORE_INCOMPATIBLE', what)
  }
  const progress = terminal.progress()
  const dryRun = values['dry-run'] === true
  const report = await repairStore(layout.root, {
    dryRun,
    index,
    signal: terminal.signal,
    onProgress: ({ phase, done, total }) => progress.show(phase, done, total),
  }).finally(() => progress.end())
  if (values['json'] === true) await terminal.json(report)
  else {
    for (const range of report.ranges) await writeRange(terminal, range, dryRun)
    if (report.rebuiltViews) await terminal.line(`queues and index ${dryRun ? 'would be' : 'were'} made anew from the log`)
    if (report.ranges.length === 0 && !report.rebuiltViews) await terminal.line('there is nothing to repair')
    await writeReport(terminal, report.verified)
  }
  if (dryRun) return report.ranges.length > 0 || report.rebuiltViews ? 'findings' : 'ok'
  return report.verified.ok ? 'ok' : 'findings'
}

async function writeRange(terminal: Terminal, range: RepairedRange, dryRun: boolean): Promise<void> {
  const { from, to, finding, evidence, lost, standIns, keptAs } = range
  await terminal.line(`${terminal.paint('red', 'damaged')}  log ${from} to ${to}: ${finding}; it had been durable: ${evidence}`)
  await terminal.line(
    `  ${dryRun ? 'would be' : 'was'} filled with ${counted(standIns)} stand-ins${dryRun ? '' : `, kept as ${keptAs}`}`,
  )
  for (const { topic, queueId, queueOffset, size } of lost.slice(0, MOST_LOST_SHOWN))
    await terminal.line(`  lost  ${plain(topic)}/${queueId} offset ${queueOffset}, ${size} bytes`)
  if (lost.length > MOST_LOST_SHOWN) await terminal.line(`  and ${counted(lost.length - MOST_LOST_SHOWN)} messages more`)
  if (lost.length === 0) await terminal.line('  no queue entry tells which messages were there')
}
