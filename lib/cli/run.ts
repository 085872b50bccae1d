/**
 * The command line without the process: finds the command, runs it, tells how it ended.
 *
 * Errors are told in one line on standard error; where a fault of ours came from is told to who sets `MQLITE_DEBUG`.
 */
import { MessageStoreError, shown } from '../base/errors.js'
import { BrokerError } from '../broker/errors.js'
import { DiskError } from '../disk/disk.js'
import { type Command, type ExitName, exitCodes, UsageError } from './command.js'
import { errorWords } from './disk-words.js'
import { inspectCommand } from './inspect.js'
import { parseLine } from './parse.js'
import { repairCommand } from './repair.js'
import { serveCommand } from './serve.js'
import { tailCommand } from './tail.js'
import type { Terminal } from './terminal.js'
import { verifyCommand } from './verify.js'
import { packageVersion } from './version.js'

const commands: Readonly<Record<string, Command>> = {
  inspect: inspectCommand,
  verify: verifyCommand,
  repair: repairCommand,
  tail: tailCommand,
  serve: serveCommand,
}

/** The overview. */
function overview(): string {
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`)
  const codes = Object.values(exitCodes).map(({ code, meaning }) => `  ${String(code).padEnd(5)}${meaning}`)
  return `usage: mqlite COMMAND DIR [options]

${list.join('\n')}

mqlite COMMAND --help tells more; --json gives output for programs; --version the version.
All but repair and serve only read, take no lock, and work on directories of RocketMQ brokers.

exit codes
${codes.join('\n')}`
}

/** Runs one command line. */
async function run(line: readonly string[], terminal: Terminal): Promise<ExitName> {
  const [name, ...rest] = line
  if (name === undefined) throw new UsageError('a command is missing')
  if (name === '--version' || name === '-V') {
    await terminal.line(packageVersion())
    return 'ok'
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    await terminal.line(helpOn(name, rest[0]))
    return 'ok'
  }
  const command = commandOf(name)
  if (command === undefined) throw noCommand(name)
  const { positionals, values } = parseLine(rest, command)
  if (values['help'] === true) {
    await terminal.line(command.help)
    return 'ok'
  }
  return command.run({ positionals, values, terminal })
}

/** The help on a command, or on all. @throws {UsageError} for `help` on one that there is not */
function helpOn(asked: string, name: string | undefined): string {
  const command = name === undefined ? undefined : commandOf(name)
  if (asked === 'help' && name !== undefined && command === undefined) throw noCommand(name)
  return command?.help ?? overview()
}

function commandOf(name: string): Command | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined
}

function noCommand(name: string): UsageError {
  return new UsageError(`no command ${shown(name)}; there are ${Object.keys(commands).join(', ')}`)
}

/** Tells why a command ended early. */
function explain(error: unknown, line: readonly string[], terminal: Terminal): ExitName {
  if (terminal.signal.aborted && (error === terminal.signal.reason || (error as Error)?.name === 'AbortError'))
    return terminal.isGone ? 'ok' : 'interrupted'
  const text = error instanceof Error ? errorWords(error) : String(error)
  if (error instanceof UsageError) {
    const name = line[0] !== undefined && Object.hasOwn(commands, line[0]) ? `${line[0]} ` : ''
    terminal.problem(`${text} (see mqlite ${name}--help)`)
    return 'usage'
  }
  const isKnown = error instanceof MessageStoreError || error instanceof DiskError || error instanceof BrokerError
  if (isKnown || isOfSystem(error)) {
    terminal.problem(text)
    return 'unusable'
  }
  terminal.fatal(error)
  return 'fault'
}

/** Whether the system refused something, such as `EACCES`. What Node itself refuses, `ERR_INVALID_ARG_TYPE`, is our mistake. */
function isOfSystem(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)
}

function runsUntilStopped([name = '']: readonly string[]): boolean {
  return Object.hasOwn(commands, name) && commands[name]!.runsUntilStopped === true
}

/** Runs a command line to its end. @returns the exit code */
export async function runLine(line: readonly string[], terminal: Terminal): Promise<number> {
  let end: ExitName
  try {
    end = await run(line, terminal)
    // A command whose reader has gone ends as it would have: what it found is no less true.
    if (terminal.signal.aborted && !terminal.isGone && !runsUntilStopped(line)) end = 'interrupted'
  } catch (error) {
    end = explain(error, line, terminal)
  }
  if (terminal.failure !== undefined) {
    terminal.problem(`the output cannot be written: ${terminal.failure.message}`)
    end = 'unusable'
  }
  return exitCodes[end].code
}
