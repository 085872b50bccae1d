/** What the table of settings gives the command: its options and the lines of its help, and a list of what is in force. */
import type { ParseArgsConfig } from 'node:util'
import type { Given } from './given.js'
import { flagOf, offFlagOf, type Setting, valueText } from './setting.js'
import { sections, settingsByName } from './table.js'

const COLUMN = 38

/** The flags, as `parseArgs` wants them. */
export const settingFlags: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(
  [...settingsByName.values()].filter(({ only }) => only !== 'file').flatMap(flagsOf),
)

function flagsOf(setting: Setting): [string, { type: 'string' | 'boolean'; multiple?: boolean }][] {
  const isFlag = setting.kind.placeholder === ''
  const offFlag = offFlagOf(setting)
  return [
    [flagOf(setting), { type: isFlag ? 'boolean' : 'string', ...(setting.repeats === true ? { multiple: true } : {}) }],
    ...(offFlag === undefined ? [] : [[offFlag, { type: 'boolean' as const }] as [string, { type: 'boolean' }]]),
  ]
}

/** The lines of the help, in sections. */
export function settingsHelp(): string {
  const parts = sections.map(({ heading, settings }) => {
    const lines = settings.filter(({ only }) => only !== 'file').map(lineOf)
    return `${heading}\n${lines.join('\n')}`
  })
  return parts.join('\n\n')
}

function lineOf(setting: Setting): string {
  const { kind, meaning, mayBeOff, offFlag } = setting
  const name = kind.placeholder === '' ? `--[no-]${flagOf(setting)}` : `--${flagOf(setting)} ${kind.placeholder}`
  const head = `  ${name}`
  const preset = presetOf(setting)
  const off = offFlag !== undefined ? `; none: --${offFlag}` : mayBeOff === true && setting.preset !== null ? '; may be off' : ''
  const line = `${meaning}${off}${preset === undefined ? '' : ` (${preset})`}`
  return head.length < COLUMN ? `${head.padEnd(COLUMN)}${line}` : `${head}\n${' '.repeat(COLUMN)}${line}`
}

function presetOf(setting: Setting): string | undefined {
  if (setting.preset === undefined) return setting.presetText
  if (setting.kind.placeholder === '' && setting.preset === false) return undefined
  const isEmpty = typeof setting.preset === 'object' && setting.preset !== null && Object.keys(setting.preset).length === 0
  return isEmpty ? undefined : valueText(setting, setting.preset)
}

/** What is in force, as rows of a table: name, value, where it came from. */
export function rowsInForce(settings: ReadonlyMap<string, Given>): (readonly [string, string, string])[] {
  return [...settings].map(([name, { value, from }]) => [name, valueText(settingsByName.get(name)!, value), from])
}

/** What is in force, for programs. */
export function documentInForce(settings: ReadonlyMap<string, Given>): Record<string, { value: unknown; from: string }> {
  return Object.fromEntries([...settings].map(([name, { value = null, from }]) => [name, { value, from }]))
}
