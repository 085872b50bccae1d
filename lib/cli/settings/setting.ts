/** One thing that an operator can set. The rows are in `table.ts` and `limits-table.ts`. */
import type { Kind } from './kinds.js'

/** Whom a setting is for: the options of `MessageStore`, `Broker` or `BrokerServer`, or the command itself. */
export type Part = 'store' | 'broker' | 'server' | 'command'

/** A row of the table. Flag, variable, entry of the configuration file and line of help all come of it. */
export interface Setting {
  /** As in the options and in the configuration file: `flush`, `disk.forceAt`. */
  readonly name: string
  readonly part: Part
  readonly kind: Kind
  /** What it does, in a line; `, MORE` may tell what else it does. */
  readonly meaning: string
  /** What holds when nobody says anything: `null` for off, `undefined` for what the store or the broker takes. */
  readonly preset?: unknown
  /** How the preset looks, where it is none or large. */
  readonly presetText?: string
  /** Whether it can be off: `off` for a flag and a variable, `null` or `false` in a file. */
  readonly mayBeOff?: boolean
  /** The flag, where it is not made of the name. */
  readonly flag?: string
  /** A flag that turns it off. */
  readonly offFlag?: string
  /** Where it can be set, if not everywhere: `file` for what flags cannot say, `line` for what a file cannot. */
  readonly only?: 'file' | 'line'
  /** May be given several times. */
  readonly repeats?: boolean
}

/** Settings that belong together, under a heading of the help. */
export interface Section {
  readonly heading: string
  readonly settings: readonly Setting[]
}

/** The flag of a setting, without dashes: `disk-force-at` for `disk.forceAt`. */
export function flagOf({ name, flag }: Pick<Setting, 'name' | 'flag'>): string {
  return flag ?? name.replaceAll('.', '-').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The variable of the environment that stands for a flag: `MQLITE_DISK_FORCE_AT`. */
export function variableOf(flag: string): string {
  return `MQLITE_${flag.toUpperCase().replaceAll('-', '_')}`
}

/** The flag that says no: of what is on or off, and of what has one of its own. */
export function offFlagOf(setting: Setting): string | undefined {
  return setting.offFlag ?? (setting.kind.placeholder === '' && setting.only !== 'file' ? `no-${flagOf(setting)}` : undefined)
}

/** What a value looks like to people. */
export function valueText({ presetText }: Pick<Setting, 'presetText'>, value: unknown): string {
  if (value === undefined) return presetText ?? '-'
  if (value === null) return 'off'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(';')
  if (typeof value !== 'object') return String(value)
  const parts = Object.entries(value).map(([name, fields]) => {
    const { queues, ...others } = fields as { queues?: number }
    const more = Object.keys(others).length === 0 ? '' : ` ${JSON.stringify(others)}`
    return `${name}${queues === undefined ? '' : `:${queues}`}${more}`
  })
  return parts.length === 0 ? 'none' : parts.join(',')
}
