/** `mqlite verify DIR`: checks everything and changes nothing. */
import { findingKinds, type VerifyFinding, type VerifyReport } from '../store/checking/verify-report.js'
import { type Command, type CommandInput, commonOptions, directoryOf, type ExitName, refuseMore } from './command.js'
import { INDEX_SLOTS_HELP, indexSlotsOption, openToRead } from './store-access.js'
import { counted, plain } from './table.js'
import type { Terminal } from './terminal.js'

/** The command. */
export const verifyCommand: Command = {
  summary: 'check every record, queue entry and index entry',
  help: `usage: mqlite verify DIR [--json] [--index-slots N]

Checks a store: each record of the log, each queue entry, each index entry and the
marks, one against the other. Changes nothing, takes no lock; the store may be in use.
Ends with 1 when it finds something worse than a note.

${INDEX_SLOTS_HELP}
  --json             the report as one JSON document`,
  options: { ...commonOptions, ...indexSlotsOption },
  run: verify,
}

async function verify(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  const directory = directoryOf(input)
  refuseMore(input, 1)
  const store = await openToRead(directory, values, terminal)
  const progress = terminal.progress()
  try {
    const report = await store.verify({
      signal: terminal.signal,
      onProgress: ({ phase, done, total }) => progress.show(phase, done, total),
    })
    progress.end()
    if (values['json'] === true) await terminal.json(report)
    else await writeReport(terminal, report)
    return report.ok ? 'ok' : 'findings'
  } finally {
    progress.end()
    await store.close()
  }
}

/** A report for people. */
export async function writeReport(terminal: Terminal, report: VerifyReport): Promise<void> {
  const { log, queues, index } = report
  await terminal.line(`log     ${counted(log.records)} records from ${log.start} to ${log.end} in ${log.segments} segments`)
  await terminal.line(`queues  ${counted(queues.queues)} with ${counted(queues.entries)} entries`)
  const indexed =
    index === undefined
      ? 'not checked: give --index-slots'
      : `${counted(index.files)} files with ${counted(index.entries)} entries`
  await terminal.line(`index   ${indexed}`)
  for (const finding of report.findings) await writeFinding(terminal, finding)
  if (report.omitted > 0) await terminal.line(`and ${counted(report.omitted)} findings more`)
  const { length } = report.findings
  const verdict = report.ok ? terminal.paint('green', 'ok') : terminal.paint('red', report.worst ?? 'damage')
  const seconds = (report.durationMs / 1000).toFixed(2)
  const nothing = log.records === 0 ? 'no messages, nothing wrong' : 'nothing wrong'
  await terminal.line(`${verdict}: ${length === 0 ? nothing : `${counted(length + report.omitted)} findings`} in ${seconds} s`)
  if (report.findings.some(({ remedy }) => remedy !== 'nothing')) await terminal.line('mqlite repair DIR mends this')
}

async function writeFinding(terminal: Terminal, finding: VerifyFinding): Promise<void> {
  const { kind, severity, count, found, expected } = finding
  const colour = severity === 'damage' ? 'red' : severity === 'warning' ? 'yellow' : 'dim'
  const times = count > 1 ? ` (${counted(count)} in a row)` : ''
  await terminal.line()
  await terminal.line(`${terminal.paint(colour, severity)}  ${kind}: ${findingKinds[kind].meaning}${times}`)
  await terminal.line(`  where     ${placeText(finding)}`)
  await terminal.line(`  found     ${plain(found)}`)
  await terminal.line(`  expected  ${plain(expected)}`)
}

function placeText({ place }: VerifyFinding): string {
  const { file, commitLogOffset, to, topic, queueId, queueOffset, entry, slot } = place
  const parts: (string | undefined)[] = [
    file,
    topic !== undefined && queueId !== undefined ? `queue ${plain(topic)}/${queueId}` : topic,
    queueOffset === undefined ? undefined : `offset ${queueOffset}`,
    entry === undefined ? undefined : `entry ${entry}`,
    slot === undefined ? undefined : `slot ${slot}`,
    commitLogOffset === undefined ? undefined : `log ${commitLogOffset}${to === undefined ? '' : ` to ${to}`}`,
  ]
  return parts.filter((part) => part !== undefined).join(', ')
}
