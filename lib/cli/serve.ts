/** `mqlite serve DIR`: a broker and a name server for RocketMQ's clients, until it is told to stop. */
import { MessageStoreError } from '../base/errors.js'
import { BrokerError } from '../broker/errors.js'
import { DiskError } from '../disk/disk.js'
import { type Command, type CommandInput, commonOptions, directoryOf, type ExitName, refuseMore } from './command.js'
import { errorWords } from './disk-words.js'
import { errorFields, logOptions, openLog } from './log.js'
import { textOf } from './serve-files.js'
import { Watched } from './serve-pages.js'
import { listenPages, refuseTakenPorts } from './serve-ports.js'
import { type ServeSettings, serveSettings } from './serve-settings.js'
import { Serving } from './serving.js'
import { type GivenSettings, givenSettings } from './settings/given.js'
import { documentInForce, rowsInForce, settingFlags, settingsHelp } from './settings/help.js'
import { writeTable } from './table.js'
import { packageVersion } from './version.js'
import { boundYoungSpace } from './young-space.js'

/** For what is gone when a request is answered. With twice as much a server is as fast, with half as much slower. */
const YOUNG_BYTES = 16 * 1024 * 1024

/** The command. */
export const serveCommand: Command = {
  summary: "serve RocketMQ's clients: a broker and a name server",
  help: `usage: mqlite serve [DIR] [options]

Opens DIR, which is made if it is not there, and serves it to RocketMQ's clients and tools until it
gets SIGTERM, SIGINT (Ctrl+C) or SIGHUP (the terminal is closed). Clients find it by the address of its
name server.

  --print-config                      say which settings are in force and where they come from; serve nothing
  --json                              say where it listens, or what is in force, as one JSON document

${settingsHelp()}

A flag counts before its variable of the environment (MQLITE_FLUSH for --flush), that before the file of --config,
that before broker.conf. In the file, {"flush": "sync", "disk": {"forceAt": null}} is --flush sync --disk-force-at off;
"topics" and "groups" are objects by name there. docs/server.md has examples.`,
  options: { ...commonOptions, ...settingFlags, 'print-config': { type: 'boolean' } },
  runsUntilStopped: true,
  run: serve,
}

async function serve(input: CommandInput): Promise<ExitName> {
  const { terminal, values } = input
  refuseMore(input, 1)
  const given = givenSettings({ values, environment: terminal.environment, readText: textOf })
  const settings = serveSettings(given)
  const [said] = input.positionals
  if (values['print-config'] === true) return printConfig(input, said === undefined ? given : withDirectory(given, said))
  const directory = said === undefined ? (settings.command.directory ?? directoryOf(input)) : directoryOf(input)
  await refuseTakenPorts(settings)
  boundYoungSpace(YOUNG_BYTES)
  return serveDirectory(input, settings, given.warnings, directory)
}

/** An argument counts before everything else that names the directory. */
function withDirectory({ settings, warnings }: GivenSettings, directory: string): GivenSettings {
  return { settings: new Map(settings).set('directory', { value: directory, from: 'DIR' }), warnings }
}

async function printConfig({ terminal, values }: CommandInput, { settings, warnings }: GivenSettings): Promise<ExitName> {
  for (const warning of warnings) terminal.problem(warning)
  if (values['json'] === true) await terminal.json(documentInForce(settings))
  else await writeTable(terminal, ['SETTING', 'VALUE', 'FROM'], rowsInForce(settings))
  return 'ok'
}

async function serveDirectory(
  { terminal, values }: CommandInput,
  settings: ServeSettings,
  warnings: readonly string[],
  directory: string,
): Promise<ExitName> {
  const { command, broker } = settings
  const how = logOptions(terminal, command.log.format, command.log.level)
  const log = await openLog(how)
  terminal.tellFatalBy(log)
  const version = packageVersion()
  const watched = new Watched({ version, directory, cluster: broker.clusterName ?? '' }, terminal.clock)
  const pages = await listenPages(command, watched, log)
  try {
    log.tell('info', 'starting', { version, node: process.version, pid: process.pid, directory })
    for (const warning of warnings) log.tell('warn', warning)
    const says = values['json'] === true ? 'document' : how.format === 'text' ? 'text' : 'log'
    await new Serving({ terminal, log, watched, settings, directory, says, pages: pages?.endpoint }).run()
    return 'ok'
  } catch (error) {
    const isKnown = error instanceof MessageStoreError || error instanceof BrokerError || error instanceof DiskError
    if (!isKnown) throw error
    log.tell('error', 'ended', { ...errorFields(error), error: errorWords(error) })
    return 'unusable'
  } finally {
    await pages?.close()
  }
}
