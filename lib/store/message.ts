/** What users give to a store and get from it: messages, receipts, results. */
import { fieldNames } from '../base/arguments.js'
import { encodeOffsetMessageId } from '../format/message-id.js'

/** A message to put. Everything is copied before `put` returns. */
export interface Message {
  /** 1 to 127 bytes of letters, digits, `%`, `|`, `_` and `-`. */
  readonly topic: string
  /** The content; a string is stored as UTF-8. */
  readonly body: Uint8Array | string
  /** The queue of the topic. @default 0 */
  readonly queueId?: number
  /**
   * What consumers filter on: one tag. As in RocketMQ, one with `||` in it or spaces around is stored; only a list of tags finds
   * it.
   */
  readonly tags?: string
  /** What `query` finds the message by. A key has no spaces. */
  readonly keys?: string | readonly string[]
  /** An id that the producer gave the message: the property `UNIQ_KEY`, which `query` finds as well. */
  readonly uniqueKey?: string
  /** Further properties. Names and values are not empty and hold neither 0x01 nor 0x02. */
  readonly properties?: Readonly<Record<string, string>>
  /**
   * Properties already encoded, instead of `tags`, `keys` and `properties`: kept byte for byte. For brokers that pass messages
   * on.
   */
  readonly encodedProperties?: Uint8Array
  /** A number of the user's own, 32 bits. @default 0 */
  readonly flag?: number
  /** RocketMQ's system flags: compression, transaction state. @default 0 */
  readonly sysFlag?: number
  /** When the message was made, milliseconds since 1970. @default now */
  readonly bornTimestamp?: number
  /** Where it was made, `ip:port`. @default the store's own host */
  readonly bornHost?: string
  /** Where it is stored, `ip:port`. @default the option `storeHost` */
  readonly storeHost?: string
  /** How often a consumer group has failed to handle it. @default 0 */
  readonly reconsumeTimes?: number
  /** Of a commit or rollback record: where its half message stands. @default 0 */
  readonly preparedTransactionOffset?: number
}

/** What may be said of a message. */
export const messageFields = fieldNames<keyof Message>({
  topic: true,
  body: true,
  queueId: true,
  tags: true,
  keys: true,
  uniqueKey: true,
  properties: true,
  encodedProperties: true,
  flag: true,
  sysFlag: true,
  bornTimestamp: true,
  bornHost: true,
  storeHost: true,
  reconsumeTimes: true,
  preparedTransactionOffset: true,
})

/**
 * How a put ended. All four mean that the message is in the log. The last three mean that what was asked
 * for did not happen in time: the message may or may not survive what it would have guarded against.
 */
export type PutStatus = 'PUT_OK' | 'FLUSH_DISK_TIMEOUT' | 'FLUSH_SLAVE_TIMEOUT' | 'SLAVE_NOT_AVAILABLE'

/** What names a queue. */
export interface QueueName {
  /** Its topic. */
  readonly topic: string
  /** Its number in the topic. */
  readonly queueId: number
}

/** Where a message was put. */
export class PutReceipt {
  /** How the put ended. */
  status: PutStatus = 'PUT_OK'
  /** Topic that the message was put to. */
  readonly topic: string
  /** Queue of the topic. */
  readonly queueId: number
  /** Ordinal of the message in its queue. */
  readonly queueOffset: number
  /** Address of its record in the log. */
  readonly commitLogOffset: number
  /** Bytes of its record. */
  readonly size: number
  /** When it was stored, milliseconds since 1970. */
  readonly storeTimestamp: number
  readonly #storeHost: Uint8Array

  constructor(
    queue: QueueName,
    queueOffset: number,
    commitLogOffset: number,
    record: { readonly size: number; readonly storeHost: Uint8Array },
    storeTimestamp: number,
  ) {
    this.topic = queue.topic
    this.queueId = queue.queueId
    this.queueOffset = queueOffset
    this.commitLogOffset = commitLogOffset
    this.size = record.size
    this.storeTimestamp = storeTimestamp
    this.#storeHost = record.storeHost
  }

  /** RocketMQ's offset message id: host and address in the log, in hexadecimal. */
  get messageId(): string {
    return encodeOffsetMessageId(this.#storeHost, this.commitLogOffset)
  }

  /** A plain object, for JSON. */
  toJSON(): Record<string, unknown> {
    return { ...(this as object), messageId: this.messageId }
  }
}

/** What a `get` asks for. */
export interface GetRequest {
  /** The topic to read. */
  readonly topic: string
  /** @default 0 */
  readonly queueId?: number
  /** The queue offset to begin at. */
  readonly offset: number
  /** Most messages to return. @default 32 */
  readonly maxMessages?: number
  /** Most bytes of records to return; the first message always fits. @default 262,144 */
  readonly maxBytes?: number
  /** `*`, tags joined by `||`, or a list of tags, each taken as it is, whatever it holds. @default '*' */
  readonly tags?: string | readonly string[]
  /** Milliseconds to wait for a message when there is none. @default 0 */
  readonly waitMs?: number
  /** Ends the wait. */
  readonly signal?: AbortSignal
}

/** What a get may ask for. */
export const getFields = fieldNames<keyof GetRequest>({
  topic: true,
  queueId: true,
  offset: true,
  maxMessages: true,
  maxBytes: true,
  tags: true,
  waitMs: true,
  signal: true,
})

/** What `follow` may ask for: it waits as long as it takes. */
export const followFields = new Set([...getFields].filter((name) => name !== 'waitMs'))

/** How a `get` ended; RocketMQ's words. */
export type GetStatus =
  | 'FOUND'
  | 'NO_MATCHED_MESSAGE'
  | 'MESSAGE_WAS_REMOVING'
  | 'OFFSET_FOUND_NULL'
  | 'OFFSET_OVERFLOW_BADLY'
  | 'OFFSET_OVERFLOW_ONE'
  | 'OFFSET_TOO_SMALL'
  | 'NO_MATCHED_LOGIC_QUEUE'
  | 'NO_MESSAGE_IN_QUEUE'

/** What a `query` asks for. */
export interface QueryRequest {
  /** The topic to search. */
  readonly topic: string
  /** One of the message's keys, or its unique key. */
  readonly key: string
  /** Most messages to return. @default 32 */
  readonly maxMessages?: number
  /** Most bytes of records to return; the newest message is returned whatever its size. @default no bound */
  readonly maxBytes?: number
  /** Oldest store time, milliseconds since 1970, inclusive. @default 0 */
  readonly from?: number
  /** Newest store time, inclusive. @default the end of time */
  readonly to?: number
}

/** What a query may ask for. */
export const queryFields = fieldNames<keyof QueryRequest>({
  topic: true,
  key: true,
  maxMessages: true,
  maxBytes: true,
  from: true,
  to: true,
})

/** The offsets of a queue: `[minOffset, maxOffset)` can be read. */
export interface QueueBounds {
  /** The oldest message that is there. */
  readonly minOffset: number
  /** What the next message will get. */
  readonly maxOffset: number
}
