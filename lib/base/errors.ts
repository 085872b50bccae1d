/**
 * Every way in which the store refuses or fails, each with the reaction it asks for.
 *
 * Three things are kept apart. A bad argument is a `TypeError` or `RangeError` thrown by the function
 * that got it (`arguments.ts` has the rule). An outcome that a caller must look at (offset too small,
 * flush timed out) is a result and never thrown. Everything else is a `MessageStoreError` with one of the
 * codes below.
 */

/** What the caller should do: try again, give the request up, run `repair`, or stop and reopen. */
export type Reaction = 'retry' | 'reject' | 'repair' | 'fatal'

/** The table of error codes. The README prints it, and a test keeps the two equal. */
export const errorCodes = {
  STORE_CLOSED: { reaction: 'reject', meaning: 'the store is closing or closed' },
  STORE_LOCKED: {
    reaction: 'retry',
    meaning: 'another process, or another store in this one, holds the directory, or another broker the store',
  },
  STORE_READ_ONLY: { reaction: 'reject', meaning: 'the store was opened to be read, or is a replica' },
  STORE_CORRUPT: { reaction: 'repair', meaning: 'durable bytes are damaged; intact data is still served' },
  STORE_FAILED: { reaction: 'fatal', meaning: 'a flush failed or an invariant broke; nothing is written until reopened' },
  STORE_INCOMPATIBLE: { reaction: 'reject', meaning: 'the directory is not a store, or was made with other sizes' },
  DISK_FULL: { reaction: 'retry', meaning: 'no space for the message; nothing of it was stored' },
  DISK_ERROR: { reaction: 'retry', meaning: 'the operating system refused an operation; its code is the cause' },
  MESSAGE_TOO_LARGE: { reaction: 'reject', meaning: 'body, properties or record over the limit' },
  MESSAGE_ILLEGAL: { reaction: 'reject', meaning: 'the message cannot be represented in the format' },
  TOPIC_INVALID: { reaction: 'reject', meaning: 'the topic name breaks the name rules' },
  REPLICAS_NOT_ENOUGH: { reaction: 'retry', meaning: 'too few replicas are connected; rejected before the append' },
  REPLICA_DIVERGED: { reaction: 'repair', meaning: 'the bytes of primary and replica do not continue one another' },
  OFFSET_OVERFLOW: { reaction: 'fatal', meaning: 'an offset would pass 2^53 - 1' },
} as const satisfies Record<string, { reaction: Reaction; meaning: string }>

/** One of the codes of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes

/** An error with a code out of a table: `code` is stable, `message` starts with it and gives the numbers. */
export abstract class CodedError<Code extends string> extends Error {
  /** Which failure it is; stable over versions. */
  readonly code: Code
  /** Further facts for programs, such as `nextOffset` of a damaged record or `position` of a fault in a filter. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: Code, what: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(`${code}: ${what}`, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.details = Object.freeze({ ...options.details })
  }

  /** What the caller should do about it. */
  abstract get reaction(): Reaction
}

/** An operating failure of the store. */
export class MessageStoreError extends CodedError<ErrorCode> {
  override readonly name = 'MessageStoreError'

  /** What the caller should do about it. */
  get reaction(): Reaction {
    return errorCodes[this.code].reaction
  }
}

/** Thrown when the code itself is wrong. The store that meets one turns `failed`. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/**
 * Stops when something that must hold does not.
 *
 * @throws {InvariantError} naming what was expected
 */
export function invariant(condition: boolean, expected: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: expected ${expected}`)
}

/** How a value looks in an error message: short, on one line, with its type where that helps. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 80 ? `${JSON.stringify(value.slice(0, 77))}...` : JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no prototype'})`
  return String(value)
}
