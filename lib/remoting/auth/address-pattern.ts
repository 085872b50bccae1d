/**
 * Patterns of IP addresses, as RocketMQ's lists of trusted addresses have them.
 *
 * ```
 *  *                          every address
 *  192.168.1.7                this one
 *  192.168.*.*   10.0.0.1-9   a part may be anything, or lie between two numbers
 *  10.0.0.{1,5}               or be one of several
 *  2001:db8:0:0:0:0:0:1-ff    of IPv6 all eight groups are written, unless it is one address: ::1
 *  a,b                        several patterns
 * ```
 */
import { shown } from '../../base/errors.js'
import { hostText, parseHost } from '../../format/host.js'

/** Whether a pattern fits an address. */
export type AddressTest = (address: string) => boolean

type Part = (value: number) => boolean

const never: AddressTest = () => false

/** Reads a pattern; an empty one fits nothing. @throws {RangeError} when it is none */
export function addressTest(pattern: string): AddressTest {
  const tests = pattern
    .split(/,(?![^{]*\})/)
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map(singleTest)
  return tests.length === 0 ? never : (address) => tests.some((test) => test(address))
}

function singleTest(pattern: string): AddressTest {
  if (pattern === '*') return () => true
  const isV6 = pattern.includes(':')
  if (!/[*{}-]/.test(pattern)) {
    const wanted = canonical(pattern)
    if (wanted === undefined) throw wrong(pattern)
    return (address) => canonical(address) === wanted
  }
  const texts = pattern.split(isV6 ? ':' : '.')
  if (texts.length !== (isV6 ? 8 : 4)) throw wrong(pattern)
  const parts = texts.map((text) => partOf(text, isV6, pattern))
  return (address) => {
    const values = valuesOf(address, isV6)
    return values !== undefined && parts.every((part, i) => part(values[i]!))
  }
}

function partOf(text: string, isV6: boolean, pattern: string): Part {
  if (text === '*') return () => true
  const set = /^\{([^{}]+)\}$/.exec(text)?.[1]
  if (set !== undefined) {
    const some = set.split(',').map((one) => numberOf(one.trim(), isV6, pattern))
    return (value) => some.includes(value)
  }
  const [from = '', to = from, ...more] = text.split('-')
  if (more.length > 0) throw wrong(pattern)
  const [least, most] = [numberOf(from, isV6, pattern), numberOf(to, isV6, pattern)]
  return (value) => value >= least && value <= most
}

function numberOf(text: string, isV6: boolean, pattern: string): number {
  const value = Number.parseInt(text, isV6 ? 16 : 10)
  const isNumber = isV6 ? /^[0-9a-fA-F]{1,4}$/.test(text) : /^[0-9]{1,3}$/.test(text) && value < 256
  if (!isNumber) throw wrong(pattern)
  return value
}

/** The parts of an address of the family that is asked for. IPv4 within IPv6 is IPv4. */
function valuesOf(address: string, isV6: boolean): readonly number[] | undefined {
  const bytes = bytesOf(address)
  if (bytes === undefined || (bytes.length === 16) !== isV6) return undefined
  return isV6 ? Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2)) : [...bytes]
}

function bytesOf(address: string): Buffer | undefined {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '')
  try {
    return parseHost(plain.includes(':') ? `[${plain}]:0` : `${plain}:0`).subarray(0, -4)
  } catch {
    return undefined
  }
}

function canonical(address: string): string | undefined {
  const bytes = bytesOf(address)
  return bytes === undefined ? undefined : hostText(Buffer.concat([bytes, Buffer.alloc(4)]))
}

function wrong(pattern: string): RangeError {
  return new RangeError(`an address pattern is such as 10.0.0.7, 10.0.*.*, 10.0.0.1-9 or 10.0.0.{1,5}, got ${shown(pattern)}`)
}
