/**
 * The path of a put.
 *
 * ```
 *  put: check, encode into the tail      ->  unwritten
 *  end of the turn: one positioned write ->  async: visible, acknowledged
 *                                            sync:  undurable -> the shared flush -> visible, acknowledged
 * ```
 *
 * 1. Offsets are given out in the order of the log; a queue's offsets have no holes.
 * 2. A message is in its queue and in the index only when it may be read: written (async) or durable (sync).
 * 3. If the write fails, everything of that turn is taken back: it was never visible nor acknowledged.
 * 4. If a flush fails, nothing is taken back, for nobody knows what the disk has: all waiters are rejected
 *    and the store writes no more.
 */
import { MessageStoreError, shown } from '../base/errors.js'
import type { Clock, Timer, Timers } from '../base/system.js'
import { DiskError } from '../disk/disk.js'
import { placeRecord, SysFlag } from '../format/record.js'
import type { CommitLog } from '../log/commit-log.js'
import type { Flusher } from '../log/flusher.js'
import type { MessageEncoder } from './encoder.js'
import { type Message, PutReceipt } from './message.js'
import { causeText, copyMessage, type Encoded, type PendingPut, reject, resolve, type Settle, storeFailed } from './pending.js'
import type { WriterQueue, WriterTopic, WriterTopics } from './topics.js'
import { WaitingRoom } from './waiting-room.js'

/** What a writer is made of. */
export interface WriterOptions {
  readonly log: CommitLog
  readonly flusher: Flusher
  readonly topics: WriterTopics
  readonly encoder: MessageEncoder
  readonly clock: Clock
  readonly timers: Timers
  readonly policy: 'async' | 'sync'
  readonly recordCrc: boolean
  readonly flushTimeoutMs: number
  readonly maxPendingBytes: number
  /** Largest batch; what recovery concludes from distances rests on it. */
  readonly maxBatchBytes: number
  /** Puts a record that may now be read into the views. */
  readonly dispatch: (put: PendingPut) => void
  /** Called after a group of records became visible. */
  readonly onVisible: (puts: readonly PendingPut[]) => void
  /** Called after each write with the end and the time of its last record. */
  readonly onWritten: (end: number, timestamp: number) => void
  /** Refuses the put when the store may not be written. */
  readonly checkWritable: () => void
  /** Called when the store must stop writing. */
  readonly onFailure: (error: unknown) => void
  /** Waits for replicas; `undefined` when none are asked for. */
  readonly replicated: ((end: number, value: PutReceipt | readonly PutReceipt[]) => Promise<void>) | undefined
}

// A promise whose resolve and reject are taken out without a closure for each put.
let takenResolve: (value: never) => void
let takenReject: (error: unknown) => void
const take = (resolve: (value: never) => void, reject: (error: unknown) => void): void => {
  takenResolve = resolve
  takenReject = reject
}

/** See the head of this file. */
export class Writer {
  readonly #options: WriterOptions
  readonly #log: CommitLog
  #unwritten: PendingPut[] = []
  #undurable: PendingPut[] = []
  #turnAsked = false
  #lastTimestamp = 0
  #timeoutTimer: Timer | undefined
  readonly #room = new WaitingRoom()
  #acknowledgedEnd: number

  constructor(options: WriterOptions) {
    this.#options = options
    this.#log = options.log
    this.#acknowledgedEnd = options.log.end
  }

  /** Puts one message. Rejects with what {@link MessageStore.put} documents. */
  put(message: Message): Promise<PutReceipt> {
    this.#options.checkWritable()
    if (this.#isCrowded()) return this.#putLater([message]).then((receipts) => receipts[0]!)
    const { log, encoder, topics, clock } = this.#options
    const topic = topics.topic(message.topic)
    const queue = topics.queue(topic, message.queueId ?? 0)
    const now = this.#timestamp(clock.now())
    const chunk = log.reserve(encoder.roomFor(message))
    const encodedEnd = encoder.encode(chunk.block, chunk.used, message, topic, now)
    const size = encodedEnd - chunk.used
    this.#checkFits(size)
    const placed = log.append(chunk, encodedEnd)
    const promise = new Promise<PutReceipt>(take as never)
    const { tagsCode, keyHashes, storeHost } = encoder
    const encoded = { size, tagsCode, keyHashes, storeHost }
    this.#add(topic, queue, placed.block, placed.used - size, log.end, now, message.sysFlag ?? 0, encoded, true)
    return promise
  }

  /** Puts several messages as consecutive records; all are stored, or none. */
  putBatch(messages: readonly Message[]): Promise<PutReceipt[]> {
    this.#options.checkWritable()
    if (!Array.isArray(messages)) throw new TypeError(`messages must be an array, got ${shown(messages)}`)
    if (messages.length === 0) return Promise.resolve([])
    return this.#isCrowded() ? this.#putLater(messages) : this.#putBatch(messages)
  }

  #putBatch(messages: readonly Message[]): Promise<PutReceipt[]> {
    const { log, encoder, topics, clock } = this.#options
    const targets = messages.map((message) => {
      const topic = topics.topic(message.topic)
      return { topic, queue: topics.queue(topic, message.queueId ?? 0) }
    })
    let room = 0
    for (const message of messages) room += encoder.roomFor(message)
    const chunk = log.reserve(room)
    const now = this.#timestamp(clock.now())
    const encoded: Encoded[] = []
    let at = chunk.used
    for (let i = 0; i < messages.length; i++) {
      const end = encoder.encode(chunk.block, at, messages[i]!, targets[i]!.topic, now)
      const { tagsCode, keyHashes, storeHost } = encoder
      encoded.push({ size: end - at, tagsCode, keyHashes, storeHost })
      at = end
    }
    const total = at - chunk.used
    this.#checkFits(total)
    const { maxBatchBytes } = this.#options
    if (messages.length > 1 && total > maxBatchBytes) {
      const what = `the batch takes ${total} bytes, at most ${maxBatchBytes} are allowed: half of maxUnflushedBytes`
      throw new MessageStoreError('MESSAGE_TOO_LARGE', what)
    }
    const placed = log.append(chunk, at)
    return this.#addBatch(messages, targets, encoded, placed.block, placed.used - total, log.end - total, now)
  }

  /** Writes and, under `sync`, flushes what is pending, puts that wait for room included. */
  async drain(): Promise<void> {
    if (!this.#room.isEmpty) await this.#room.wait(() => Promise.resolve())
    this.#endTurn()
    if (this.#undurable.length > 0) await this.#options.flusher.durable(this.#log.writtenEnd)
  }

  /** To be called after each flush that succeeded. */
  durable(): void {
    const { durableEnd } = this.#log
    const puts = this.#undurable
    let count = 0
    while (count < puts.length && puts[count]!.end <= durableEnd) count++
    if (count === 0) {
      this.#letIn()
      return
    }
    const visible = count === puts.length ? puts : puts.slice(0, count)
    this.#undurable = count === puts.length ? [] : puts.slice(count)
    this.#complete(visible)
  }

  /** Rejects everything that is not acknowledged. */
  fail(error: unknown): void {
    const puts = [...this.#undurable, ...this.#unwritten]
    this.#undurable = []
    this.#unwritten = []
    for (const put of puts) reject(put.settle, error)
    // Each is refused when it sees the state of the store.
    this.#room.letIn(() => true)
  }

  /** Stops timers and turns away who still waits for room. The store refuses puts by now. */
  close(): void {
    this.#timeoutTimer?.cancel()
    this.#room.letIn(() => true)
  }

  /** Store timestamps never go back, whatever the clock does: queues are searched by them. */
  #timestamp(now: number): number {
    return (this.#lastTimestamp = Math.max(this.#lastTimestamp, now))
  }

  /** The store timestamp of the last record found by recovery. */
  resumeAt(timestamp: number): void {
    this.#lastTimestamp = timestamp
  }

  #checkFits(size: number): void {
    if (size <= this.#log.maxRecordBytes) return
    const limit = this.#log.maxRecordBytes
    throw new MessageStoreError('MESSAGE_TOO_LARGE', `the record takes ${size} bytes, a segment holds ${limit}`)
  }

  #add(
    topic: WriterTopic,
    queue: WriterQueue,
    block: PendingBlock,
    at: number,
    end: number,
    now: number,
    sysFlag: number,
    { size, tagsCode, keyHashes, storeHost }: Encoded,
    settles: boolean,
  ): PutReceipt {
    const { recordCrc } = this.#options
    const commitLogOffset = end - size
    const queueOffset = countsInQueue(sysFlag) ? queue.nextOffset++ : 0
    const receipt = new PutReceipt(topic.topic, queue.queue.queueId, queueOffset, commitLogOffset, size, now, storeHost)
    placeRecord(block, at, at + size, receipt, recordCrc)
    this.#unwritten.push({
      topic,
      queue,
      receipt,
      sysFlag,
      tagsCode,
      keyHashes,
      end,
      settle: settles ? { resolve: takenResolve, reject: takenReject, value: receipt, deadline: 0, done: false } : undefined,
    })
    if (!this.#turnAsked) this.#askForTurn()
    return receipt
  }

  #addBatch(
    messages: readonly Message[],
    targets: readonly { topic: WriterTopic; queue: WriterQueue }[],
    encoded: readonly Encoded[],
    block: PendingBlock,
    start: number,
    address: number,
    now: number,
  ): Promise<PutReceipt[]> {
    const promise = new Promise<PutReceipt[]>(take as never)
    const settle: Settle = { resolve: takenResolve, reject: takenReject, value: [], deadline: 0, done: false }
    let at = start
    let end = address
    for (let i = 0; i < messages.length; i++) {
      const { size } = encoded[i]!
      const { topic, queue } = targets[i]!
      end += size
      const receipt = this.#add(topic, queue, block, at, end, now, messages[i]!.sysFlag ?? 0, encoded[i]!, false)
      ;(settle.value as PutReceipt[]).push(receipt)
      at += size
    }
    const last = this.#unwritten.length - 1
    this.#unwritten[last] = { ...this.#unwritten[last]!, settle }
    return promise
  }

  #askForTurn(): void {
    this.#turnAsked = true
    this.#options.timers.endOfTurn(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#turnAsked = false
    const puts = this.#unwritten
    if (puts.length === 0) return
    this.#unwritten = []
    const { flusher, policy } = this.#options
    try {
      this.#log.writeTail()
    } catch (error) {
      this.#takeBack(puts, error)
      return
    }
    this.#options.onWritten(this.#log.writtenEnd, puts[puts.length - 1]!.receipt.storeTimestamp)
    if (policy === 'async') {
      this.#complete(puts)
    } else {
      this.#undurable = this.#undurable.length === 0 ? puts : this.#undurable.concat(puts)
      this.#watchTimeouts(puts)
    }
    flusher.written()
  }

  /** Makes records visible and acknowledges them. */
  #complete(puts: readonly PendingPut[]): void {
    const { dispatch, onVisible, replicated } = this.#options
    try {
      for (const put of puts) dispatch(put)
    } catch (error) {
      // The records are in the log and some views know of them: only recovery can put that right.
      const unknown = storeFailed('a message could not be entered into its queue and the index', error)
      this.#options.onFailure(unknown)
      this.#rejectAll(puts, unknown)
      return
    }
    this.#acknowledgedEnd = puts[puts.length - 1]!.end
    onVisible(puts)
    for (const put of puts) {
      if (put.settle === undefined || put.settle.done) continue
      if (replicated === undefined) resolve(put.settle)
      else this.#resolveWhenReplicated(put.end, put.settle, replicated)
    }
    this.#letIn()
  }

  #resolveWhenReplicated(end: number, settle: Settle, replicated: NonNullable<WriterOptions['replicated']>): void {
    replicated(end, settle.value).then(
      () => resolve(settle),
      (error) => reject(settle, error),
    )
  }

  /** Undoes a turn whose write failed: offsets, tails, torn bytes. */
  #takeBack(puts: readonly PendingPut[], error: unknown): void {
    for (let i = puts.length - 1; i >= 0; i--) {
      const put = puts[i]!
      if (countsInQueue(put.sysFlag)) put.queue.nextOffset = put.receipt.queueOffset
    }
    const isSpace = error instanceof DiskError && error.isSpace
    const told = new MessageStoreError(
      isSpace ? 'DISK_FULL' : 'DISK_ERROR',
      `the log could not be written: ${causeText(error)}`,
      {
        cause: error,
      },
    )
    if (isSpace || (error instanceof DiskError && error.code === 'EIO')) this.#options.onFailure(error)
    this.#undo().then(
      () => this.#rejectAll(puts, told),
      (undoError) => {
        const unknown = storeFailed('what the log could not take was not taken back', undoError)
        this.#options.onFailure(unknown)
        this.#rejectAll(puts, unknown)
      },
    )
  }

  /** Takes back what was not written whole, and makes sure that no crash brings it to light again. */
  async #undo(): Promise<void> {
    const torn = this.#log.undoUnwritten()
    if (torn !== undefined) await this.#log.chain.flush(torn.from, torn.to)
  }

  #rejectAll(puts: readonly PendingPut[], error: unknown): void {
    for (const put of puts) reject(put.settle, error)
    this.#letIn()
  }

  /** Gives puts that wait longer than the flush timeout their answer; they stay in the log. */
  #watchTimeouts(puts: readonly PendingPut[]): void {
    const { clock, flushTimeoutMs } = this.#options
    const deadline = clock.monotonic() + flushTimeoutMs
    for (const put of puts) if (put.settle !== undefined) put.settle.deadline = deadline
    if (this.#timeoutTimer === undefined) this.#timeoutTimer = this.#options.timers.after(flushTimeoutMs, this.#checkTimeouts)
  }

  readonly #checkTimeouts = (): void => {
    this.#timeoutTimer = undefined
    const { clock, timers, flushTimeoutMs } = this.#options
    const now = clock.monotonic()
    for (const { settle } of this.#undurable) {
      if (settle === undefined || settle.done || settle.deadline > now) continue
      for (const receipt of Array.isArray(settle.value) ? settle.value : [settle.value]) receipt.status = 'FLUSH_DISK_TIMEOUT'
      resolve(settle)
    }
    if (this.#undurable.length > 0) this.#timeoutTimer = timers.after(Math.min(flushTimeoutMs, 100), this.#checkTimeouts)
  }

  #isCrowded(): boolean {
    if (!this.#room.isEmpty) return true
    if (this.#hasRoom()) return false
    // What only waits for the end of the turn can be written at once.
    if (this.#unwritten.length > 0) this.#endTurn()
    return !this.#hasRoom()
  }

  readonly #hasRoom = (): boolean =>
    this.#log.end - this.#acknowledgedEnd <= this.#options.maxPendingBytes && !this.#options.flusher.isBehind

  /** Copies the messages and puts them when there is room. What can be checked without it is checked now. */
  #putLater(messages: readonly Message[]): Promise<PutReceipt[]> {
    const { topics, encoder, flusher, checkWritable } = this.#options
    for (const message of messages) {
      topics.topic(message.topic)
      encoder.roomFor(message)
    }
    const copies = messages.map(copyMessage)
    const put = this.#room.wait(() => {
      checkWritable()
      return this.#putBatch(copies)
    })
    flusher.written()
    return put
  }

  #letIn(): void {
    if (!this.#room.isEmpty) this.#room.letIn(this.#hasRoom)
  }
}

type PendingBlock = Parameters<typeof placeRecord>[0]

/** Prepared and rolled back messages are in the log and in no queue. */
function countsInQueue(sysFlag: number): boolean {
  const state = sysFlag & SysFlag.transactionMask
  return state === 0 || state === SysFlag.transactionCommit
}
