/** What a consumer says that wants nothing twice. */
import { checkRequest, checkWhole, fieldNames, wrongValue } from '../../base/arguments.js'
import type { ReceivedMessage } from '../consuming/received-message.js'

/** The option `once` of a consumer. */
export interface OnceOptions {
  /**
   * What makes two messages the same: their first key, the unique key that producers give them, or what a function
   * returns for them. A message without any is always delivered.
   */
  readonly by: 'key' | 'uniqueKey' | ((message: ReceivedMessage) => string | undefined)
  /** Milliseconds for which what was acknowledged is not delivered again; no longer than the store keeps messages. */
  readonly windowMs: number
  /** Most keys that are remembered of the group, the oldest forgotten first. @default 100,000 */
  readonly maxKeys?: number
}

/** Options with every default filled in. */
export type ResolvedOnceOptions = Required<OnceOptions>

const onceFields = fieldNames<keyof OnceOptions>({ by: true, windowMs: true, maxKeys: true })

/** @throws {TypeError} {@link RangeError} naming what is wrong */
export function resolveOnce(once: OnceOptions, model: 'clustering' | 'broadcasting'): ResolvedOnceOptions {
  checkRequest(once, onceFields, 'once')
  const { by, windowMs, maxKeys = 100_000 } = once
  if (by !== 'key' && by !== 'uniqueKey' && typeof by !== 'function')
    throw wrongValue('string', 'once.by', "'key', 'uniqueKey' or a function", by)
  for (const [name, value] of Object.entries({ windowMs, maxKeys })) {
    checkWhole(`once.${name}`, value, 1)
  }
  if (model === 'broadcasting') throw new TypeError('once is for groups that share their messages: this consumer gets them all')
  return { by, windowMs, maxKeys }
}

/** What a message is known by; `undefined` for one without, or one too long to be remembered. */
export function onceKeyOf(by: OnceOptions['by'], message: ReceivedMessage): string | undefined {
  const key = typeof by === 'function' ? by(message) : by === 'key' ? message.keys[0] : message.uniqueKey
  if (key !== undefined && (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH))
    throw wrongValue('string', 'what a message is known by', `a string of 1 to ${MAX_KEY_LENGTH} characters`, key)
  return key
}

const MAX_KEY_LENGTH = 1024
