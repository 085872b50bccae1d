/** Tells flags from arguments, with mistakes told in words of this program. */
import { parseArgs } from 'node:util'
import { shown } from '../base/errors.js'
import { type Command, type OptionValues, UsageError } from './command.js'
import { nearest } from './nearest.js'

/** A line of arguments, told apart. */
export interface ParsedLine {
  readonly positionals: readonly string[]
  readonly values: OptionValues
}

/** Reads what stands behind the name of a command. @throws {UsageError} naming the flag and what is wrong with it */
export function parseLine(args: readonly string[], { options }: Pick<Command, 'options'>): ParsedLine {
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true })
  const positionals: string[] = []
  const values: Record<string, string | boolean | (string | boolean)[]> = {}
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) throw unknownFlag(rawName, Object.keys(options))
    if (option.type === 'boolean' && value !== undefined) throw new UsageError(`${rawName} takes no value, got ${shown(value)}`)
    // What looks like a flag behind one that needs a value is more likely the next flag.
    if (option.type === 'string' && (value === undefined || (inlineValue === false && /^-./.test(value)))) {
      const hint = value === undefined ? '' : `; a value that begins with - is given as ${rawName}=${value}`
      throw new UsageError(`${rawName} needs a value${hint}`)
    }
    const said = value ?? true
    if (option.multiple === true) values[name] = [...((values[name] as (string | boolean)[] | undefined) ?? []), said]
    else values[name] = said
  }
  return { positionals, values }
}

function unknownFlag(flag: string, names: readonly string[]): UsageError {
  const meant = flag.startsWith('--') ? nearest(flag.slice(2), names) : undefined
  return new UsageError(`unknown option ${flag}${meant === undefined ? '' : `; did you mean --${meant}?`}`)
}
