/** From the settings that are in force to the options of store, broker and server, checked before anything is opened. */
import { type BrokerOptions, resolveBrokerOptions } from '../broker/broker-options.js'
import { newGroup, withGroupSettings } from '../broker/config/group-config.js'
import { newTopic, withSettings } from '../broker/config/topic-config.js'
import { type BrokerServerOptions, checkServing } from '../remoting/broker-server.js'
import { isLoopback } from '../remoting/endpoint.js'
import { resolveOptions } from '../store/options.js'
import { UsageError } from './command.js'
import { readAclFile, readCredentialsFile } from './serve-auth.js'
import { contentsOf } from './serve-files.js'
import type { Given, GivenSettings } from './settings/given.js'
import { flagOf, type Part } from './settings/setting.js'
import { settingsByName } from './settings/table.js'

/** What the command itself is told. */
export interface CommandSettings {
  readonly directory?: string
  readonly log: { readonly format: 'auto' | 'text' | 'json'; readonly level: LogLevel }
  /** Where `/metrics` and `/health` are answered; no port, no answers. */
  readonly http: { readonly host: string; readonly port?: number; readonly names?: readonly string[] }
}

/** How much the log tells. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/** What to open and how to listen. */
export interface ServeSettings {
  readonly broker: BrokerOptions
  readonly server: BrokerServerOptions
  readonly command: CommandSettings
  /** The file of `server.auth`, if there is one. */
  readonly aclFile: string | undefined
}

/** Files that are read for their settings: what they hold is the option. */
const CONTENTS = /^(?:tls|nameServerTls)\.(?:key|cert|ca)$/
/** Settings of what is off unless another one is on. */
const OFF_WITHOUT: Readonly<Record<string, string>> = { 'backlog.whenFull': 'backlog.maxMessages' }

/** What the server asks for, as it is given here. */
const FLAGS: Readonly<Record<string, string>> = {
  advertisedHost: '--advertised-host',
  'tls, or insecure: true': '--tls-key and --tls-cert, or --insecure',
  'auth, tls.requireClientCertificate, or insecure: true': '--acl, --tls-require-client-certificate, or --insecure',
}

/** Makes options of settings. @throws {UsageError} naming the setting that cannot be, and where it came from */
export function serveSettings({ settings }: Pick<GivenSettings, 'settings'>): ServeSettings {
  checkTls(settings)
  const parts: Record<Part, Record<string, unknown>> = { store: {}, broker: {}, server: {}, command: {} }
  for (const [name, { value }] of settings) {
    if (value === undefined || value === null) continue
    if ((settings.get(OFF_WITHOUT[name] ?? name)?.value ?? null) === null) continue
    place(parts[settingsByName.get(name)!.part], name, readFor(name, value))
  }
  const broker = { ...parts.broker, store: parts.store } as BrokerOptions
  const server = parts.server as BrokerServerOptions
  const command = parts.command as unknown as CommandSettings
  named(settings, () => {
    resolveOptions(parts.store)
    resolveBrokerOptions(broker)
    checkServing(server)
  })
  checkHttp(command, server)
  for (const [topic, one] of Object.entries(broker.topics ?? {}))
    named(settings, () => withSettings(newTopic(topic, 1), one, true), 'topics', topic)
  for (const [group, one] of Object.entries(broker.groups ?? {}))
    named(settings, () => withGroupSettings(newGroup(group), one), 'groups', group)
  return { broker, server, command, aclFile: (settings.get('auth')?.value ?? undefined) as string | undefined }
}

/** What a setting comes to: for the path of a file, what the file holds. */
function readFor(name: string, value: unknown): unknown {
  if (name === 'auth') return readAclFile(value as string)
  if (name === 'nameServerCredentials') return readCredentialsFile(value as string)
  return CONTENTS.test(name) ? contentsOf(value as string) : value
}

/** Puts a value where its name says: `disk.forceAt` into the object `disk`. */
function place(into: Record<string, unknown>, name: string, value: unknown): void {
  const dot = name.indexOf('.')
  if (dot < 0) into[name] = value
  else {
    const group = name.slice(0, dot)
    into[group] ??= {}
    ;(into[group] as Record<string, unknown>)[name.slice(dot + 1)] = value
  }
}

/** Mistakes in options are mistakes of whoever set them: says where that was. */
function named(settings: ReadonlyMap<string, Given>, action: () => void, setting?: string, entry?: string): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof RangeError)) throw error
    const word = /^(?:option )?([\w.]+) /.exec(error.message)?.[1] ?? ''
    const name = setting ?? [word, `limits.${word}`].find((one) => settingsByName.has(one))
    const from = name === undefined ? undefined : settings.get(name)?.from
    const which = entry === undefined ? '' : `${entry}: `
    const what = error.message.replace(
      /\b(?:advertisedHost|(?:auth, tls\.requireClientCertificate|tls), or insecure: true)\b/,
      (words) => FLAGS[words] ?? words,
    )
    throw new UsageError(`${from === undefined || from === 'default' ? '' : `${from}: `}${which}${what}`)
  }
}

function checkHttp({ http }: CommandSettings, { insecure }: BrokerServerOptions): void {
  if (http.port === undefined || insecure === true || isLoopback(http.host)) return
  throw new UsageError(`/metrics and /health at ${http.host} can be read by everybody who can connect; that needs --insecure`)
}

function checkTls(settings: ReadonlyMap<string, Given>): void {
  for (const group of ['tls', 'nameServerTls']) {
    const [key, cert] = ['key', 'cert'].map((name) => settings.get(`${group}.${name}`))
    if ((key?.value === undefined) !== (cert?.value === undefined)) {
      const [there, missing] = key?.value === undefined ? [cert, 'key'] : [key, 'cert']
      throw new UsageError(`${there?.from} needs ${wordFor(`${group}.${missing}`, there?.from)}: they belong together`)
    }
  }
  const alone = ['tls.ca', 'tls.requireClientCertificate'].map((name) => settings.get(name)).find((one) => one?.value)
  if (alone !== undefined && settings.get('tls.key')?.value === undefined)
    throw new UsageError(`${alone.from} needs ${wordFor('tls.key', alone.from)} and ${wordFor('tls.cert', alone.from)}`)
  const require = settings.get('tls.requireClientCertificate')
  if (require?.value === true && settings.get('tls.ca')?.value === undefined)
    throw new UsageError(`${require.from} needs ${wordFor('tls.ca', require.from)}`)
}

/** A setting as it is called where another one was given: its flag on the line, else its name. */
function wordFor(name: string, from = ''): string {
  return from.startsWith('--') ? `--${flagOf({ name })}` : name
}
