/**
 * From a message to a record in the log: checks, encodes into the tail, gives out offsets. What happens to
 * the record then is told in `write-groups.ts`.
 *
 * Offsets are given out in the order of the log; a queue's offsets have no holes.
 */
import { checkString } from '../../base/arguments.js'
import { MessageStoreError, shown } from '../../base/errors.js'
import type { Clock } from '../../base/system.js'
import { placeRecord, SysFlag } from '../../format/record.js'
import type { CommitLog } from '../../log/commit-log.js'
import type { Flusher } from '../../log/flusher.js'
import type { Chunk } from '../../log/tail.js'
import { type Message, PutReceipt } from '../message.js'
import type { MessageEncoder } from './encoder.js'
import { wrapBatch } from './inner-batch.js'
import { checkMessage } from './message-checks.js'
import { type AnswerOf, copyMessage, type Encoded, PendingPut } from './pending.js'
import type { WriterQueue, WriterTopic, WriterTopics } from './topics.js'
import { WaitingRoom } from './waiting-room.js'
import type { WriteGroups } from './write-groups.js'

/** What a writer is made of. */
export interface WriterOptions {
  readonly log: CommitLog
  readonly flusher: Flusher
  readonly groups: WriteGroups
  readonly topics: WriterTopics
  readonly encoder: MessageEncoder
  readonly clock: Clock
  readonly recordCrc: boolean
  readonly maxPendingBytes: number
  /** Largest batch; what recovery concludes from distances rests on it. */
  readonly maxBatchBytes: number
  /** Refuses the put when the store may not be written. */
  readonly checkWritable: () => void
}

/** A message that is encoded and has no place yet. */
interface Draft extends Encoded {
  readonly topic: WriterTopic
  readonly queueId: number
  readonly waits: boolean
}

/** See the head of this file. */
export class Writer {
  readonly #options: WriterOptions
  readonly #log: CommitLog
  readonly #room = new WaitingRoom()
  #lastTimestamp = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#log = options.log
    options.groups.onProgress = () => {
      if (!this.#room.isEmpty) this.#room.letIn(this.#hasRoom)
    }
  }

  /**
   * Puts one message. Rejects with what {@link MessageStore.put} documents.
   *
   * @param answerOf - makes the answer of the receipt and the context, at the time of it
   */
  put<Context, Answer>(message: Message, context: Context, answerOf: AnswerOf<Context, Answer>): Promise<Answer> {
    this.#options.checkWritable()
    if (this.#isCrowded()) return this.#putLater([message]).then((receipts) => answerOf(receipts[0]!, context))
    const { log, encoder, topics, clock, groups } = this.#options
    checkMessage(message)
    const topic = topics.topic(message.topic)
    if (topic.isBatch) return this.#putInnerBatch([message], topic).then((receipts) => answerOf(receipts[0]!, context))
    const now = this.#timestamp(clock.now())
    const chunk = log.reserve(encoder.roomFor(message))
    const encodedEnd = encoder.encode(chunk.block, chunk.used, message, topic, now)
    this.#checkFits(encoder.size)
    const queue = topics.queue(topic, message.queueId ?? 0)
    const placed = log.append(chunk, encodedEnd)
    const put = this.#place(queue, encoder, placed, placed.used - encoder.size, now)
    put.waits = encoder.waits
    if (encoder.further !== undefined) this.#placeFurther(put, encoder.further)
    const answer = put.promise(context, answerOf)
    groups.add(put)
    return answer
  }

  /** Puts several messages as consecutive records; all are stored, or none. */
  putBatch(messages: readonly Message[], batchKey?: string): Promise<PutReceipt[]> {
    this.#options.checkWritable()
    if (!Array.isArray(messages)) throw new TypeError(`messages must be an array, got ${shown(messages)}`)
    if (batchKey !== undefined) checkString('batchKey', batchKey)
    if (messages.length === 0) return Promise.resolve([])
    return this.#isCrowded() ? this.#putLater(messages, batchKey) : this.#putBatch(messages, batchKey)
  }

  /** Resolves when the puts that wait for room by now have gone on, or were refused. */
  async letWaitingIn(): Promise<void> {
    if (!this.#room.isEmpty) await this.#room.wait(() => Promise.resolve())
  }

  /** Where messages that do not say so are stored, from now on. @throws {RangeError} when it is no `ip:port` */
  standAt(storeHost: string): void {
    this.#options.encoder.standAt(storeHost)
  }

  /** Writes what is pending now, not only at the end of the turn. */
  write(): void {
    this.#options.groups.write()
  }

  /** Rejects everything that is not acknowledged, and turns away who waits for room: each sees the state of the store. */
  fail(error: unknown): void {
    this.#options.groups.fail(error)
    this.#room.letIn(() => true)
  }

  /** Stops timers and turns away who still waits for room. The store refuses puts by now. */
  close(): void {
    this.#options.groups.close()
    this.#room.letIn(() => true)
  }

  /** The store timestamp of the last record found by recovery. */
  resumeAt(timestamp: number): void {
    this.#lastTimestamp = timestamp
  }

  /** Store timestamps never go back, whatever the clock does: queues are searched by them. */
  #timestamp(now: number): number {
    return (this.#lastTimestamp = Math.max(this.#lastTimestamp, now))
  }

  #checkFits(size: number): void {
    if (size <= this.#log.maxRecordBytes) return
    const limit = this.#log.maxRecordBytes
    throw new MessageStoreError('MESSAGE_TOO_LARGE', `the record takes ${size} bytes, a segment holds ${limit}`)
  }

  #checkBatch(drafts: readonly Draft[], total: number): void {
    const { maxBatchBytes } = this.#options
    if (drafts.length === 1 || total <= maxBatchBytes) return
    const what = `the batch takes ${total} bytes, at most ${maxBatchBytes} are allowed: half of maxUnflushedBytes`
    throw new MessageStoreError('MESSAGE_TOO_LARGE', what)
  }

  /** Gives a record that was appended its offsets. @param at - where it stands in its chunk */
  #place(queue: WriterQueue, encoded: Encoded, { block, base }: Chunk, at: number, now: number): PendingPut {
    const count = countsInQueue(encoded.sysFlag) ? 1 : 0
    const queueOffset = count === 0 ? 0 : queue.nextOffset++
    const receipt = new PutReceipt(queue.queue, queueOffset, base + at, encoded, now)
    placeRecord(block, at, at + encoded.size, receipt, this.#options.recordCrc)
    return new PendingPut(queue, receipt, encoded, count)
  }

  #placeFurther(put: PendingPut, { queues, offsets }: NonNullable<MessageEncoder['further']>): void {
    const { topics } = this.#options
    put.further = queues.map((name, i) => {
      const queue = topics.furtherQueue(name, put.queue.queueId)
      queue.nextOffset++
      return { queue, queueOffset: offsets[i]! }
    })
  }

  #putBatch(messages: readonly Message[], batchKey?: string): Promise<PutReceipt[]> {
    const { log, encoder, topics, clock } = this.#options
    messages.forEach(checkMessage)
    const batchTopic = messages.map(({ topic }) => topics.topic(topic)).find(({ isBatch }) => isBatch)
    if (batchTopic !== undefined) return this.#putInnerBatch(messages, batchTopic, batchKey)
    let room = 0
    for (const message of messages) room += encoder.roomFor(message)
    const chunk = log.reserve(room)
    const now = this.#timestamp(clock.now())
    const drafts: Draft[] = []
    let at = chunk.used
    for (const message of messages) {
      const topic = topics.topic(message.topic)
      const end = encoder.encode(chunk.block, at, message, topic, now)
      if (encoder.further !== undefined) {
        throw new MessageStoreError('MESSAGE_ILLEGAL', 'a message of a batch cannot be dispatched to further queues')
      }
      const { tagsCode, keyHashes, storeHost, sysFlag, size, waits } = encoder
      drafts.push({ topic, queueId: message.queueId ?? 0, tagsCode, keyHashes, storeHost, sysFlag, size, waits })
      at = end
    }
    const total = at - chunk.used
    this.#checkFits(total)
    this.#checkBatch(drafts, total)
    const placed = log.append(chunk, at)
    return this.#placeBatch(drafts, placed, placed.used - total, now)
  }

  #placeBatch(drafts: readonly Draft[], chunk: Chunk, start: number, now: number): Promise<PutReceipt[]> {
    const receipts: PutReceipt[] = []
    const puts: PendingPut[] = []
    let at = start
    for (const draft of drafts) {
      const queue = this.#options.topics.queue(draft.topic, draft.queueId)
      const put = this.#place(queue, draft, chunk, at, now)
      receipts.push(put.receipt)
      puts.push(put)
      at += draft.size
    }
    const last = puts[puts.length - 1]!
    last.waits = drafts.some(({ waits }) => waits)
    const answer = last.promiseOfAll(receipts)
    this.#options.groups.addBatch(puts)
    return answer
  }

  /** Puts messages as one record that holds them all, on a topic made for it. */
  #putInnerBatch(messages: readonly Message[], topic: WriterTopic, batchKey?: string): Promise<PutReceipt[]> {
    const { log, encoder, topics, clock, groups, recordCrc } = this.#options
    const queue = topics.queue(topic, messages[0]!.queueId ?? 0)
    const now = this.#timestamp(clock.now())
    const keyHashes: number[] = []
    const base = queue.nextOffset
    const encodeProperties = (message: Message): Uint8Array => {
      const properties = encoder.encodeInner(message, topic, now)
      keyHashes.push(...encoder.keyHashes)
      return properties
    }
    const wrapped = wrapBatch(messages, base, encodeProperties, batchKey)
    const chunk = log.reserve(encoder.roomFor(wrapped))
    const encodedEnd = encoder.encode(chunk.block, chunk.used, wrapped, topic, now)
    const { storeHost, sysFlag, size } = encoder
    keyHashes.unshift(...encoder.keyHashes)
    this.#checkFits(size)
    const placed = log.append(chunk, encodedEnd)
    const at = placed.used - size
    const receipts = messages.map((_, i) => new PutReceipt(queue.queue, base + i, placed.base + at, encoder, now))
    placeRecord(placed.block, at, placed.used, receipts[0]!, recordCrc)
    queue.nextOffset += messages.length
    const encoded = { tagsCode: 0, keyHashes, storeHost, sysFlag, size }
    const put = new PendingPut(queue, receipts[0]!, encoded, messages.length)
    const answer = put.promiseOfAll(receipts)
    groups.add(put)
    return answer
  }

  #isCrowded(): boolean {
    if (!this.#room.isEmpty) return true
    if (this.#hasRoom()) return false
    // What only waits for the end of the turn can be written at once.
    this.#options.groups.write()
    return !this.#hasRoom()
  }

  readonly #hasRoom = (): boolean =>
    this.#options.groups.pendingBytes <= this.#options.maxPendingBytes && !this.#options.flusher.isBehind

  /** Copies the messages and puts them when there is room. What can be checked without it is checked now. */
  #putLater(messages: readonly Message[], batchKey?: string): Promise<PutReceipt[]> {
    const { topics, encoder, flusher, checkWritable } = this.#options
    for (const message of messages) {
      checkMessage(message)
      topics.topic(message.topic)
      encoder.roomFor(message)
    }
    const copies = messages.map(copyMessage)
    const put = this.#room.wait(() => {
      checkWritable()
      return this.#putBatch(copies, batchKey)
    })
    flusher.written()
    return put
  }
}

/** Prepared and rolled back messages are in the log and in no queue. */
function countsInQueue(sysFlag: number): boolean {
  const state = sysFlag & SysFlag.transactionMask
  return state === 0 || state === SysFlag.transactionCommit
}
