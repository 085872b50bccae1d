/** Message ids. (`MessageDecoder.createMessageId`, `MessageClientIDSetter`.) */
import { hostText } from './host.js'

/** The offset message id: host and address of the record, in upper case hexadecimal; 32 digits, 56 with IPv6. */
export function encodeOffsetMessageId(storeHost: Uint8Array, commitLogOffset: number): string {
  const bytes = Buffer.alloc(storeHost.length + 8)
  bytes.set(storeHost)
  bytes.writeBigInt64BE(BigInt(commitLogOffset), storeHost.length)
  return bytes.toString('hex').toUpperCase()
}

/** What an offset message id says, or `undefined` when it is none. */
export function decodeOffsetMessageId(id: string): { storeHost: string; commitLogOffset: number } | undefined {
  if (!/^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{56})$/.test(id)) return undefined
  const bytes = Buffer.from(id, 'hex')
  const commitLogOffset = Number(bytes.readBigInt64BE(bytes.length - 8))
  if (!Number.isSafeInteger(commitLogOffset) || commitLogOffset < 0) return undefined
  return { storeHost: hostText(bytes.subarray(0, bytes.length - 8)), commitLogOffset }
}
