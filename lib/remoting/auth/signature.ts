/**
 * Signatures of requests, as RocketMQ's clients make them.
 *
 * ```
 *  Base64(HMAC-SHA1(secret key, values of all ext fields but `Signature` in the order of their names, then the body))
 * ```
 *
 * What they do not do: the values stand one behind the other without separators, and neither the code of the request nor
 * its number nor a time is signed. Who overhears a request can send it again, as a request of another code too, and can
 * cut the values elsewhere. So signatures say who speaks only where nobody overhears: on this machine, or over TLS.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Command, type ExtFields, emptyExtFields } from '../command.js'

/** Who signs, and with what. */
export interface Credentials {
  /** Name of the account, sent along. */
  readonly accessKey: string
  /** What is signed with; never sent. */
  readonly secretKey: string
  /** A further text that is sent along and signed. */
  readonly securityToken?: string
}

/** Names of the ext fields that a signature adds. */
export const signatureFields = { accessKey: 'AccessKey', securityToken: 'SecurityToken', signature: 'Signature' } as const

/** Clients up to 4.9.3, and brokers of 4.9, leave this field out of what is signed; later ones do not. */
const SIGNED_OR_NOT = '_UNIQUE_KEY_QUERY'

/** Signs requests for which no secret is known: whether it is known shall not show in the time that the answer takes. */
const NO_SECRET = 'there is no such key'

/** The request with the fields that say who sends it. Its ext fields and body must not change afterwards. */
export function signed(command: Command, { accessKey, secretKey, securityToken }: Credentials): Command {
  const extFields = Object.assign(emptyExtFields(), command.extFields, { [signatureFields.accessKey]: accessKey })
  if (securityToken !== undefined) extFields[signatureFields.securityToken] = securityToken
  extFields[signatureFields.signature] = signatureOf(extFields, command.body, secretKey, false)
  return { ...command, extFields }
}

/** Whether a request has the signature that its sender's secret key gives it; never, when there is none. */
export function isSignedWith(secretKey: string | undefined, { extFields, body }: Command): boolean {
  const given = Buffer.from(extFields[signatureFields.signature] ?? '')
  const secret = secretKey ?? NO_SECRET
  const isMatch = isSame(given, signatureOf(extFields, body, secret, false))
  const isOther = extFields[SIGNED_OR_NOT] !== undefined && isSame(given, signatureOf(extFields, body, secret, true))
  return (isMatch || isOther) && secretKey !== undefined
}

/** The request without the fields by which its sender is known: what is passed on to somebody else says nothing of them. */
export function unsigned(command: Command): Command {
  const extFields = Object.assign(emptyExtFields(), command.extFields)
  for (const name of Object.values(signatureFields)) delete extFields[name]
  return { ...command, extFields }
}

function signatureOf(extFields: ExtFields, body: Buffer, secretKey: string, withoutFlag: boolean): string {
  const names = Object.keys(extFields).filter((name) => name !== signatureFields.signature)
  const counted = withoutFlag ? names.filter((name) => name !== SIGNED_OR_NOT) : names
  const text = counted
    .sort()
    .map((name) => extFields[name])
    .join('')
  return createHmac('sha1', secretKey).update(text, 'utf8').update(body).digest('base64')
}

function isSame(given: Buffer, expected: string): boolean {
  const bytes = Buffer.from(expected)
  return given.length === bytes.length && timingSafeEqual(given, bytes)
}
