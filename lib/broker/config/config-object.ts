/** Reading the fields of a configuration file that somebody else may have written: what is wrong counts as absent. */
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'

/** The named fields of a value; none when it is no object. A table that is empty is read as a map. */
export function fieldsOf(value: ConfigValue | undefined): ConfigObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  if (!(value instanceof Map)) return value as ConfigObject
  const fields: Record<string, ConfigValue> = Object.create(null) as Record<string, ConfigValue>
  for (const [key, one] of value as ReadonlyMap<number, ConfigValue>) fields[String(key)] = one
  return fields
}

/** The entries of a table with integer keys, whichever way it was written. */
export function integerEntriesOf(value: ConfigValue | undefined): [number, number][] {
  const pairs: [string | number, ConfigValue | undefined][] =
    value instanceof Map ? [...value] : Object.entries(fieldsOf(value)).map(([key, one]) => [key, one])
  return pairs
    .map(([key, one]) => [Number(key), Number(one)] as [number, number])
    .filter((pair) => pair.every(Number.isSafeInteger))
}

/** A number, or what stands in for it. */
export function numberOf(value: ConfigValue | undefined, otherwise: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : otherwise
}

/** A boolean, or what stands in for it. */
export function booleanOf(value: ConfigValue | undefined, otherwise: boolean): boolean {
  return typeof value === 'boolean' ? value : otherwise
}
