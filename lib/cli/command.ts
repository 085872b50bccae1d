/** What the commands of `mqlite` have in common: how one is declared, its exit codes, its arguments. */
import type { ParseArgsConfig } from 'node:util'
import { shown } from '../base/errors.js'
import type { Terminal } from './terminal.js'

/** How a command ends, for scripts. The help prints this table. */
export const exitCodes = {
  ok: { code: 0, meaning: 'all is well' },
  findings: { code: 1, meaning: 'damage was found' },
  usage: { code: 2, meaning: 'wrong usage' },
  unusable: { code: 3, meaning: 'the store cannot be opened or read: it is locked, no store, of other sizes' },
  fault: { code: 70, meaning: 'a fault of mqlite itself; what was under way is as after a crash' },
  interrupted: { code: 130, meaning: 'interrupted' },
} as const

/** One of {@link exitCodes}. */
export type ExitName = keyof typeof exitCodes

/** The values of options as `parseArgs` gives them. */
export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>

/** What a command is given. */
export interface CommandInput {
  /** Arguments that are not options. */
  readonly positionals: readonly string[]
  readonly values: OptionValues
  readonly terminal: Terminal
}

/** A command, as the table in `main.ts` lists it. */
export interface Command {
  /** One line for the overview. */
  readonly summary: string
  /** The full help. */
  readonly help: string
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** A signal is how it is meant to end. @default false */
  readonly runsUntilStopped?: boolean
  run(input: CommandInput): Promise<ExitName>
}

/** Wrong usage: told in one line, with a pointer to the help. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The options that every command has. */
export const commonOptions = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
} as const satisfies NonNullable<ParseArgsConfig['options']>

/** The directory, which every command begins with. */
export function directoryOf({ positionals }: CommandInput): string {
  const [directory] = positionals
  if (directory === undefined || directory === '') throw new UsageError('the directory of a store is missing')
  return directory
}

/** Refuses arguments beyond the ones that a command takes. */
export function refuseMore({ positionals }: CommandInput, most: number): void {
  if (positionals.length > most) throw new UsageError(`unexpected argument ${shown(positionals[most])}`)
}

/** A whole number given as an option, `preset` without one. */
export function numberOption(
  values: OptionValues,
  name: string,
  preset: number,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number {
  return optionalNumber(values, name, least, most) ?? preset
}

/** A whole number given as an option, or `undefined`. */
export function optionalNumber(
  values: OptionValues,
  name: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const text = values[name]
  if (text === undefined) return undefined
  const value = typeof text === 'string' && /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
    throw new UsageError(`--${name} must be a whole number ${range}, got ${shown(text)}`)
  }
  return value
}

/** A text given as an option, or `undefined`. */
export function textOption(values: OptionValues, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}
