/** Hosts as records hold them: address bytes, then an i32 port. 8 bytes for IPv4, 20 for IPv6. */

import { isIPv4, isIPv6 } from 'node:net'
import { checkString } from '../base/arguments.js'
import { shown } from '../base/errors.js'

const PATTERN = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/

/**
 * The bytes of `1.2.3.4:5` or `[2001:db8::1]:5`.
 *
 * @throws {TypeError} or {@link RangeError} naming the text and what was expected
 */
export function parseHost(text: string): Buffer {
  checkString('a host', text)
  const match = PATTERN.exec(text)
  const port = Number(match?.[3])
  const [, v6, v4] = match ?? []
  const isValid = port <= 65_535 && ((v6 !== undefined && isIPv6(v6)) || (v4 !== undefined && isIPv4(v4)))
  if (!isValid) throw new RangeError(`a host must be ip:port or [ipv6]:port, got ${shown(text)}`)
  const address = v4 === undefined ? ipv6Bytes(v6!) : Buffer.from(v4.split('.').map(Number))
  const bytes = Buffer.alloc(address.length + 4)
  address.copy(bytes)
  bytes.writeInt32BE(port, address.length)
  return bytes
}

/** The last IPv4 host that was asked for: neighbours in a log mostly have the same. */
const lastV4 = { bytes: new Uint8Array(8), text: '0.0.0.0:0' }

/** The text of 8 or 20 bytes. IPv6 in the form of RFC 5952. */
export function hostText(bytes: Uint8Array): string {
  if (bytes.length !== 8) return textOf(bytes)
  for (let i = 0; i < 8; i++) {
    if (bytes[i] === lastV4.bytes[i]) continue
    lastV4.text = textOf(bytes)
    lastV4.bytes.set(bytes)
    break
  }
  return lastV4.text
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const port = buffer.readInt32BE(buffer.length - 4)
  const address = addressText(buffer.subarray(0, -4))
  return buffer.length === 8 ? `${address}:${port}` : `[${address}]:${port}`
}

/** The text of the 4 or 16 bytes of an address. IPv6 in the form of RFC 5952. */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` : ipv6Text(bytes)
}

function ipv6Bytes(text: string): Buffer {
  let address = text
  const lastColon = address.lastIndexOf(':')
  if (address.includes('.')) {
    const [a, b, c, d] = address
      .slice(lastColon + 1)
      .split('.')
      .map(Number) as [number, number, number, number]
    address = `${address.slice(0, lastColon + 1)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  }
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill('0')
  const bytes = Buffer.alloc(16)
  ;[...left, ...middle, ...right].forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2)
  })
  return bytes
}

function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[i * 2]! * 256 + bytes[i * 2 + 1]!).toString(16))
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === '0') length++
    if (length > best.length) best = { at, length }
  }
  if (best.at < 0) return groups.join(':')
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}
