/** What the writer keeps of a message from its put to its answer. */
import { MessageStoreError } from '../base/errors.js'
import type { Message, PutReceipt } from './message.js'
import type { WriterQueue, WriterTopic } from './topics.js'

/** A record between its append and its acknowledgement. */
export interface PendingPut {
  readonly topic: WriterTopic
  readonly queue: WriterQueue
  readonly receipt: PutReceipt
  readonly sysFlag: number
  readonly tagsCode: number
  readonly keyHashes: readonly number[]
  /** End of its record in the log. */
  readonly end: number
  /** Absent on all but the last record of a batch. */
  readonly settle: Settle | undefined
}

/** How a put is answered. */
export interface Settle {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  /** What `resolve` gets: the receipt, or all receipts of a batch. */
  readonly value: PutReceipt | readonly PutReceipt[]
  /** When a `sync` put stops waiting, on the monotonic clock. */
  deadline: number
  done: boolean
}

/** What the encoder says of a record. */
export interface Encoded {
  readonly size: number
  readonly tagsCode: number
  readonly keyHashes: readonly number[]
  readonly storeHost: Uint8Array
}

/** Answers a put. */
export function resolve(settle: Settle): void {
  settle.done = true
  settle.resolve(settle.value as never)
}

/** Refuses a put that has no answer yet. */
export function reject(settle: Settle | undefined, error: unknown): void {
  if (settle === undefined || settle.done) return
  settle.done = true
  settle.reject(error)
}

/** A copy of its own of everything that a caller may change. */
export function copyMessage(message: Message): Message {
  const { body, keys, properties, encodedProperties } = message
  return {
    ...message,
    body: typeof body === 'string' ? body : Uint8Array.prototype.slice.call(body),
    ...(keys === undefined ? {} : { keys: typeof keys === 'string' ? keys : [...keys] }),
    ...(properties === undefined ? {} : { properties: { ...properties } }),
    ...(encodedProperties === undefined ? {} : { encodedProperties: Uint8Array.prototype.slice.call(encodedProperties) }),
  }
}

/** The answer when nobody knows whether a message was stored. */
export function storeFailed(what: string, cause: unknown): MessageStoreError {
  return new MessageStoreError('STORE_FAILED', `${what}: ${causeText(cause)}`, { cause })
}

/** What an error says. */
export function causeText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
