/**
 * What a setting can hold. A kind reads the text of a flag or a variable of the environment, and judges the value that
 * came of it or that stood in a configuration file.
 */
import { isTopic } from '../../format/names.js'
import { addressTest } from '../../remoting/auth/address-pattern.js'
import { parseEndpoint } from '../../remoting/endpoint.js'

/** One kind of settings. */
export interface Kind {
  /** Stands for the value in the help; empty for what is on or off. */
  readonly placeholder: string
  /** What is wanted, to stand behind `must be`. */
  readonly expected: string
  /** The same of a value in a file, where that differs. */
  readonly expectedInFile?: string
  /** The value that a text means; `undefined` when it means none. */
  readonly read: (text: string) => unknown
  /** Whether it can be one. */
  readonly fits: (value: unknown) => boolean
}

/** On or off. */
export const onOff: Kind = {
  placeholder: '',
  expected: 'true or false',
  read: (text) => (/^(?:true|1|yes|on)$/i.test(text) ? true : /^(?:false|0|no|off)$/i.test(text) ? false : undefined),
  fits: (value) => typeof value === 'boolean',
}

/** Some text. */
export function text(placeholder: string, pattern = /^[^\s]+$/, expected = 'a text without spaces'): Kind {
  return { placeholder, expected, read: (value) => value, fits: (value) => typeof value === 'string' && pattern.test(value) }
}

/** A file to be read, or a directory. */
export const path: Kind = text('FILE', /^[^\0]+$/, 'the path of a file')

/** One of some words. */
export function choice(...words: readonly string[]): Kind {
  const expected = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
  return { placeholder: words.join('|'), expected, read: (value) => value, fits: (value) => words.includes(value as string) }
}

/** A whole number. */
export function whole(placeholder: string, least: number, most: number): Kind {
  return {
    placeholder,
    expected: `a whole number from ${least} to ${most}`,
    read: (value) => (/^[0-9]{1,16}$/.test(value) ? Number(value) : undefined),
    fits: (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  }
}

const SIZES: Readonly<Record<string, number>> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 }

/** A number of bytes; texts may have a unit. */
export function bytes(least: number, most: number): Kind {
  const { fits } = whole('', least, most)
  const read = (value: string): unknown => {
    const [, digits, unit = ''] = /^([0-9]{1,16}) ?(kib|mib|gib)?$/i.exec(value) ?? []
    return digits === undefined ? undefined : Number(digits) * SIZES[unit.toLowerCase()]!
  }
  return { placeholder: 'BYTES', expected: `bytes from ${least} to ${most}, such as 65536 or 64KiB`, read, fits }
}

/** A number that need not be whole. */
export function number(placeholder: string, least: number, most: number): Kind {
  return {
    placeholder,
    expected: `a number from ${least} to ${most}`,
    read: (value) => (/^[0-9]{0,9}(?:\.[0-9]{1,9})?$/.test(value) && value !== '' ? Number(value) : undefined),
    fits: (value) => typeof value === 'number' && value >= least && value <= most,
  }
}

/** A part of a whole, 0 to 1. */
export const share = number('SHARE', 0, 1)

/** A port to listen at. */
export const port = whole('PORT', 0, 65_535)

/** Places elsewhere. */
export const endpoints: Kind = {
  placeholder: 'HOST:PORT;...',
  expected: 'host:port, several with ; between them',
  read: (value) =>
    value
      .split(/[;,]/)
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  fits: (value) => Array.isArray(value) && value.every(isEndpoint),
}

/** Hours of the day. */
export const hours: Kind = {
  placeholder: 'HOUR;...',
  expected: 'a whole number from 0 to 23, several with ; between them',
  expectedInFile: 'a whole number from 0 to 23, or a list of such',
  read(value) {
    const all = value.split(/[;,]/).map((one) => (/^\s*[0-9]{1,2}\s*$/.test(one) ? Number(one) : Number.NaN))
    if (all.some(Number.isNaN)) return undefined
    return all.length === 1 ? all[0] : all
  },
  fits: (value) => (Array.isArray(value) ? value.length > 0 && value.every(isHour) : isHour(value)),
}

/** Names of machines. */
export const names: Kind = {
  placeholder: 'NAME;...',
  expected: 'names of machines, several with ; between them',
  read: endpoints.read,
  fits: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string' && /^[\w.-]+$/.test(one)),
}

/** Patterns of addresses. */
export const addressPatterns: Kind = {
  placeholder: 'ADDRESS;...',
  expected: 'addresses such as 10.0.0.7 or 10.0.*.*, several with ; between them',
  read: (value) =>
    value
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  fits: (value) => Array.isArray(value) && value.every(isPattern),
}

/** Topics by name. The texts `name` and `name:queues` are read, several with a comma between them; no topic of 0 queues. */
export const topics: Kind = {
  placeholder: 'NAME[:QUEUES]',
  expected: 'a name of letters, digits, %, |, - and _, or name:queues with at least one queue',
  expectedInFile: 'an object by name, such as {"orders": {"queues": 4}}',
  read(value) {
    // Not an object before it is whole: a topic may be called `__proto__`.
    const found = new Map<string, object>()
    for (const one of value.split(',')) {
      const [, name, queues] = /^([^:]+)(?::([1-9][0-9]{0,4}))?$/.exec(one.trim()) ?? []
      if (name === undefined || !isTopic(name)) return undefined
      found.set(name, queues === undefined ? {} : { queues: Number(queues) })
    }
    return Object.fromEntries(found)
  },
  fits: isTable,
}

/** Things by name, which only a file can say. */
export const table: Kind = { placeholder: '', expected: 'an object', read: () => undefined, fits: isTable }

function isHour(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 23
}

function isTable(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isObject)
}

/** Whether a value is an object with fields. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPattern(value: unknown): boolean {
  try {
    return typeof value === 'string' && addressTest(value) !== undefined
  } catch {
    return false
  }
}

function isEndpoint(value: unknown): boolean {
  try {
    return typeof value === 'string' && parseEndpoint(value).host !== ''
  } catch {
    return false
  }
}
