/** What the writer keeps of a message from its put to its answer. */
import type { Message, PutReceipt } from '../message.js'
import type { WriterQueue } from './topics.js'

/** A place in a further queue that a record is dispatched to. */
export interface FurtherPlace {
  readonly queue: WriterQueue
  readonly queueOffset: number
}

/** What makes the answer to a put of its receipt, and of what was handed over with the message. */
export type AnswerOf<Context, Answer> = (receipt: PutReceipt, context: Context) => Answer

// A promise whose resolve and reject are taken out without a closure for each put.
let takenResolve: (value: never) => void
let takenReject: (error: unknown) => void
const take = (resolve: (value: never) => void, reject: (error: unknown) => void): void => {
  takenResolve = resolve
  takenReject = reject
}

const allOf = (_: PutReceipt, receipts: PutReceipt[]): PutReceipt[] => receipts

/** A record between its append and its acknowledgement. */
export class PendingPut {
  readonly queue: WriterQueue
  /** Of the first message, if the record holds several. */
  readonly receipt: PutReceipt
  readonly sysFlag: number
  readonly tagsCode: number
  readonly keyHashes: readonly number[]
  /** How many queue offsets it takes: 0 for one that is in no queue. */
  readonly count: number
  /** Whether its answer waits for what the store promises. */
  waits = true
  further: readonly FurtherPlace[] | undefined
  /** Whether it has been answered. All but the last record of a batch need no answer. */
  isAnswered = true
  /** When a `sync` put stops waiting, on the monotonic clock. */
  deadline = 0
  #answerOf: AnswerOf<never, unknown> | undefined
  /** What the answer is made of beside the receipt; of a batch, all of its receipts. */
  #context: unknown
  #resolve: ((value: never) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(queue: WriterQueue, receipt: PutReceipt, encoded: Encoded, count: number) {
    this.queue = queue
    this.receipt = receipt
    this.sysFlag = encoded.sysFlag
    this.tagsCode = encoded.tagsCode
    this.keyHashes = encoded.keyHashes
    this.count = count
  }

  /** A promise of what is made of the receipt when the put is answered. */
  promise<Context, Answer>(context: Context, answerOf: AnswerOf<Context, Answer>): Promise<Answer> {
    this.#context = context
    this.#answerOf = answerOf
    this.isAnswered = false
    const promise = new Promise<Answer>(take as never)
    this.#resolve = takenResolve
    this.#reject = takenReject
    return promise
  }

  /** A promise of the receipts of a batch. */
  promiseOfAll(receipts: PutReceipt[]): Promise<PutReceipt[]> {
    return this.promise(receipts, allOf)
  }

  /** End of its record in the log. */
  get end(): number {
    return this.receipt.commitLogOffset + this.receipt.size
  }

  /** The receipts in the answer. */
  get receipts(): readonly PutReceipt[] {
    if (this.#answerOf === undefined) return []
    return this.#answerOf === allOf ? (this.#context as PutReceipt[]) : [this.receipt]
  }

  /** Answers the put, unless it has been. */
  resolve(): void {
    if (this.isAnswered) return
    this.isAnswered = true
    try {
      this.#resolve!(this.#answerOf!(this.receipt, this.#context as never) as never)
    } catch (error) {
      this.#reject!(error)
    }
  }

  /** Refuses the put, unless it has been answered. */
  reject(error: unknown): void {
    if (this.isAnswered) return
    this.isAnswered = true
    this.#reject!(error)
  }
}

/** What the encoder says of a record. */
export interface Encoded {
  readonly tagsCode: number
  readonly keyHashes: readonly number[]
  /** Raw bytes of the host that it carries. */
  readonly storeHost: Uint8Array
  readonly sysFlag: number
  /** Its length in bytes. */
  readonly size: number
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
