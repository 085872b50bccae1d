/**
 * Puts settings together: flags before variables of the environment before the configuration file before RocketMQ's
 * `broker.conf` before the presets of the table. Each value knows where it came from, and what is wrong is told with it.
 */
import { shown } from '../../base/errors.js'
import { type OptionValues, UsageError } from '../command.js'
import { nearest } from '../nearest.js'
import { type BrokerConf, readBrokerConf } from './broker-conf.js'
import { isObject } from './kinds.js'
import { flagOf, offFlagOf, type Setting, variableOf } from './setting.js'
import { settingsByName } from './table.js'

/** A value that is in force, and where it came from: `--flush`, `MQLITE_FLUSH`, a file, `default`. */
export interface Given {
  readonly value: unknown
  readonly from: string
}

/** Where settings are looked for. */
export interface SettingSources {
  /** The flags, as `parseArgs` gives them. */
  readonly values: OptionValues
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The text of a file. @throws {UsageError} when it cannot be read */
  readonly readText: (path: string) => string
}

/** What was found. */
export interface GivenSettings {
  /** For each row of the table what is in force. */
  readonly settings: ReadonlyMap<string, Given>
  /** What was passed over, in words. */
  readonly warnings: readonly string[]
}

/** Reads all sources. @throws {UsageError} naming place, value and what was expected */
export function givenSettings(sources: SettingSources): GivenSettings {
  refuseMisspelt(sources.environment)
  const line = new Map<string, Given>()
  for (const setting of settingsByName.values()) {
    const given = fromFlag(setting, sources.values) ?? fromVariable(setting, sources.environment)
    if (given !== undefined) line.set(setting.name, given)
  }
  const [config, conf] = ['config', 'brokerConf'].map((name) => line.get(name)?.value as string | undefined)
  const file = config === undefined ? new Map<string, Given>() : fromFile(config, sources.readText(config))
  const nothing: BrokerConf = { settings: new Map(), warnings: [], wantsAcl: undefined }
  const { settings: translated, warnings, wantsAcl } = conf === undefined ? nothing : readBrokerConf(conf, sources.readText(conf))
  for (const [name, { value, from }] of translated) check(settingsByName.get(name)!, value, from)
  const settings = new Map<string, Given>()
  for (const { name, preset } of settingsByName.values()) {
    settings.set(name, line.get(name) ?? file.get(name) ?? translated.get(name) ?? { value: preset, from: 'default' })
  }
  // Without a word everybody would be let in where an operator had decided otherwise.
  if (wantsAcl !== undefined && settings.get('auth')?.value === undefined)
    throw new UsageError(`${wantsAcl} is true: say with --acl FILE who may do what, or take the property away`)
  return { settings, warnings }
}

function fromFlag(setting: Setting, values: OptionValues): Given | undefined {
  if (setting.only === 'file') return undefined
  const [flag, offFlag] = [flagOf(setting), offFlagOf(setting)]
  const value = values[flag]
  if (offFlag !== undefined && values[offFlag] === true) {
    if (value !== undefined) throw new UsageError(`--${flag} and --${offFlag} exclude each other`)
    return { value: setting.mayBeOff === true ? null : false, from: `--${offFlag}` }
  }
  if (value === undefined) return undefined
  const text = Array.isArray(value) ? value.join(',') : value
  return { value: typeof text === 'string' ? read(setting, text, `--${flag}`) : text, from: `--${flag}` }
}

function fromVariable(setting: Setting, environment: SettingSources['environment']): Given | undefined {
  if (setting.only === 'file') return undefined
  const from = variableOf(flagOf(setting))
  const text = environment[from]
  if (text !== undefined && text !== '') return { value: read(setting, text, from), from }
  if (setting.offFlag === undefined) return undefined
  const off = variableOf(setting.offFlag)
  const said = environment[off]
  if (said === undefined || said === '' || /^(?:false|0|no|off)$/i.test(said)) return undefined
  if (!/^(?:true|1|yes|on)$/i.test(said)) throw new UsageError(`${off} must be true or false, got ${shown(said)}`)
  return { value: null, from: off }
}

function read(setting: Setting, text: string, from: string): unknown {
  if (setting.mayBeOff === true && text.toLowerCase() === 'off') return null
  const value = setting.kind.read(text)
  if (value === undefined || !setting.kind.fits(value)) throw wrong(setting, text, from)
  return value
}

function check(setting: Setting, value: unknown, from: string): unknown {
  if (setting.mayBeOff === true && (value === null || value === false)) return null
  if (!setting.kind.fits(value)) throw wrong(setting, value, from, setting.kind.expectedInFile)
  return value
}

function wrong({ kind, mayBeOff }: Setting, value: unknown, from: string, expected = kind.expected): UsageError {
  return new UsageError(`${from} must be ${expected}${mayBeOff === true ? ', or off' : ''}, got ${shown(value)}`)
}

/** Reads a configuration file: an object of JSON, with the settings by name, a dot in a name being a level. */
function fromFile(path: string, text: string): Map<string, Given> {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${(error as Error).message}`)
  }
  if (!isObject(content)) throw new UsageError(`${path} must be an object of JSON, got ${shown(content)}`)
  const found = new Map<string, Given>()
  take(content, '')
  return found

  function take(values: Readonly<Record<string, unknown>>, prefix: string): void {
    for (const [key, value] of Object.entries(values)) {
      const name = prefix + key
      const port = settingsByName.get(`${name}.port`)
      const setting = settingsByName.get(name) ?? (value === false || value === null ? port : undefined)
      if (setting !== undefined && setting.only !== 'line') {
        found.set(setting.name, { value: check(setting, value, `${name} in ${path}`), from: path })
      } else if (isGroup(name) && isObject(value)) take(value, `${name}.`)
      else if (isGroup(name)) throw new UsageError(`${name} in ${path} must be an object, got ${shown(value)}`)
      else throw unknownIn(path, name)
    }
  }
}

function isGroup(name: string): boolean {
  return [...settingsByName.keys()].some((known) => known.startsWith(`${name}.`))
}

function unknownIn(path: string, name: string): UsageError {
  const known = [...settingsByName.values()].filter(({ only }) => only !== 'line').map((setting) => setting.name)
  const meant = nearest(name, known)
  return new UsageError(`${path} has an unknown setting ${shown(name)}${meant === undefined ? '' : `; did you mean ${meant}?`}`)
}

/** Variables of others may begin the same; one that is nearly ours is a mistake. */
function refuseMisspelt(environment: SettingSources['environment']): void {
  const all = [...settingsByName.values()]
  const inFiles = all.filter(({ only }) => only === 'file').map((setting) => variableOf(flagOf(setting)))
  const flags = all.filter(({ only }) => only !== 'file')
  const known = flags.flatMap((setting) => [flagOf(setting), ...(setting.offFlag === undefined ? [] : [setting.offFlag])])
  const variables = known.map(variableOf)
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('MQLITE_') || text === '' || variables.includes(name)) continue
    if (inFiles.includes(name)) throw new UsageError(`${name} can only be set in the file of --config`)
    const denied = name.replace(/^MQLITE_NO_/, 'MQLITE_')
    const meant = denied !== name && variables.includes(denied) ? `${denied}=false` : nearest(name, variables, 2)
    if (meant !== undefined) throw new UsageError(`there is no variable ${name}; did you mean ${meant}?`)
  }
}
