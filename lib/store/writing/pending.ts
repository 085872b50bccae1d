/** What the writer keeps of a message from its put to its answer. */
import type { Message, PutReceipt } from '../message.js'
import type { WriterQueue } from './topics.js'

/** A place in a further queue that a record is dispatched to. */
export interface FurtherPlace {
  readonly queue: WriterQueue
  readonly queueOffset: number
}

// A promise whose resolve and reject are taken out without a closure for each put.
let takenResolve: (value: never) => void
let takenReject: (error: unknown) => void
const take = (resolve: (value: never) => void, reject: (error: unknown) => void): void => {
  takenResolve = resolve
  takenReject = reject
}

/** A record between its append and its acknowledgement. */
export class PendingPut {
  readonly queue: WriterQueue
  /** Of the first message, if the record holds several. */
  readonly receipt: PutReceipt
  readonly sysFlag: number
  readonly tagsCode: number
  readonly keyHashes: readonly number[]
  /** End of its record in the log. */
  readonly end: number
  /** How many queue offsets it takes: 0 for one that is in no queue. */
  readonly count: number
  /** Whether its answer waits for what the store promises. */
  waits = true
  further: readonly FurtherPlace[] | undefined
  /** Whether it has been answered. All but the last record of a batch need no answer. */
  isAnswered = true
  /** When a `sync` put stops waiting, on the monotonic clock. */
  deadline = 0
  /** What makes the answer of the receipt; `undefined` for a batch, which is answered with all of its receipts. */
  #answerOf: ((receipt: PutReceipt) => unknown) | undefined
  #batch: readonly PutReceipt[] | undefined
  #resolve: ((value: never) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(queue: WriterQueue, receipt: PutReceipt, encoded: Encoded, count: number) {
    this.queue = queue
    this.receipt = receipt
    this.sysFlag = encoded.sysFlag
    this.tagsCode = encoded.tagsCode
    this.keyHashes = encoded.keyHashes
    this.end = receipt.commitLogOffset + receipt.size
    this.count = count
  }

  /** A promise of what is made of the receipt when the put is answered. */
  promise<Answer>(answerOf: (receipt: PutReceipt) => Answer): Promise<Answer> {
    this.#answerOf = answerOf
    return this.#promise()
  }

  /** A promise of the receipts of a batch. */
  promiseOfAll(receipts: PutReceipt[]): Promise<PutReceipt[]> {
    this.#batch = receipts
    return this.#promise()
  }

  #promise<Answer>(): Promise<Answer> {
    this.isAnswered = false
    const promise = new Promise<Answer>(take as never)
    this.#resolve = takenResolve
    this.#reject = takenReject
    return promise
  }

  /** The receipts in the answer. */
  get receipts(): readonly PutReceipt[] {
    return this.#batch ?? (this.#answerOf === undefined ? [] : [this.receipt])
  }

  /** Answers the put, unless it has been. */
  resolve(): void {
    if (this.isAnswered) return
    this.isAnswered = true
    try {
      this.#resolve!((this.#answerOf === undefined ? this.#batch : this.#answerOf(this.receipt)) as never)
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
