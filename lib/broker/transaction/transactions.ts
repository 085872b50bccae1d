/**
 * Transactions: a message that is stored, but not delivered until its producer says so, or a producer of its group.
 *
 * ```
 *  sendHalf -> half message --end: commit----> the message, where it belongs -> op message
 *                           --end: rollback--------------------------------> op message
 *                           --nobody says----> producers are asked (checks.ts)
 * ```
 *
 * Each step is stored before the next one begins. A crash before the op message leaves the half message undecided: its
 * producers are asked again, so a message may be delivered twice after a crash, with the same unique key. None that
 * was committed is lost, and none that was rolled back is delivered unless a producer answers differently when asked.
 */
import { shown } from '../../base/errors.js'
import type { Clock, Timers } from '../../base/system.js'
import type { Message, PutReceipt } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import { HALF_TOPIC, OP_TOPIC, UNDECIDED_TOPIC } from '../config/system-topics.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import { Periodic } from '../periodic.js'
import type { Pipeline } from '../sending/pipeline.js'
import type { PutPort, ReadPort } from '../store-port.js'
import { SystemProperty } from '../system-property.js'
import { Checks, type TransactionAsker } from './checks.js'
import { committedMessage, halfMessageOf, immunityOf, renewedHalf } from './half-message.js'
import { OpLog } from './op-log.js'
import { type RebuildParts, rebuildUndecided, TRANSACTION_GROUP } from './rebuild.js'
import { Settling } from './settling.js'
import type { Pending, Undecided } from './undecided.js'

/** How a transaction ended; `unknown` leaves it to be asked about. */
export type TransactionDecision = 'commit' | 'rollback' | 'unknown'

/** Says how a transaction ended. */
export interface TransactionEnd {
  /** Address of the half message in the log. */
  readonly commitLogOffset: number
  /** Its offset in the queue of half messages. */
  readonly queueOffset: number
  /** The group of the producer, which must be the one that sent the half message. */
  readonly group: string
  readonly decision: TransactionDecision
  /** Whether it answers a question of the broker. */
  readonly fromCheck: boolean
}

/** What transactions need. */
export interface TransactionsParts extends Omit<RebuildParts, 'store' | 'timeoutMs' | 'offsets'> {
  readonly store: PutPort & Pick<ReadPort, 'get' | 'lookup' | 'bounds'> & { flush(): Promise<void> }
  readonly offsets: Pick<ConsumerOffsets, 'find' | 'commit'>
  readonly pipeline: Pick<Pipeline, 'put'>
  readonly topics: Pick<Topics, 'ensure' | 'find'>
  readonly clock: Pick<Clock, 'now'>
  readonly timers: Timers
  readonly options: { readonly checkIntervalMs: number; readonly timeoutMs: number; readonly maxChecks: number }
  /** How long the log keeps messages. */
  readonly retentionMs: number
  /** The producer of a group whose turn it is to be asked, if there is any. */
  readonly nextAsker: (group: string) => TransactionAsker | undefined
  readonly onProblem: (error: unknown) => void
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

/** See the head of this file. */
export class Transactions {
  readonly #parts: TransactionsParts
  readonly #settling: Settling
  readonly #checks: Checks
  readonly #periodic: Periodic
  #isClosed = false

  /** Reads what is undecided, and begins to ask. */
  static async open(parts: TransactionsParts): Promise<Transactions> {
    return new Transactions(parts, await rebuildUndecided({ ...parts, timeoutMs: parts.options.timeoutMs }))
  }

  private constructor(parts: TransactionsParts, undecided: Undecided) {
    this.#parts = parts
    const { store, timers, options, onProblem } = parts
    this.#settling = new Settling(undecided, new OpLog({ store, timers, onStored: (op) => undecided.noteOp(op) }))
    this.#checks = new Checks({ ...parts, settling: this.#settling, maxChecks: options.maxChecks })
    this.#periodic = new Periodic(timers, options.checkIntervalMs, () => this.#round(), onProblem)
  }

  /** How many transactions are undecided. */
  get pending(): number {
    return this.#settling.undecided.size
  }

  /** Address of the first half message that is undecided; `Infinity` without any. */
  get undecidedFrom(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { commitLogOffset } of this.#settling.undecided.all()) first = Math.min(first, commitLogOffset)
    return first
  }

  /**
   * Stores a message that waits for the end of its transaction.
   *
   * @throws {BrokerError} `TOPIC_REFUSED` for a topic that keeps batches, and what the store throws
   */
  async sendHalf(message: Message, group: string): Promise<PutReceipt> {
    const { checkOpen, store, options, topics } = this.#parts
    checkOpen()
    if (topics.find(message.topic)?.attributes['queue.type'] === 'BatchCQ')
      throw new BrokerError('TOPIC_REFUSED', `${message.topic} keeps batches: a transaction cannot send to it`)
    const half = halfMessageOf(message, group)
    const receipt = await store.put(half)
    const { queueOffset, commitLogOffset, storeTimestamp } = receipt
    const bornTimestamp = message.bornTimestamp ?? storeTimestamp
    const immunity = immunityOf({ properties: half.properties ?? {} }, options.timeoutMs)
    const dueAt = bornTimestamp + (immunity ?? options.timeoutMs)
    this.#settling.undecided.add({ queueOffset, commitLogOffset, storeTimestamp, bornTimestamp, dueAt })
    return receipt
  }

  /**
   * Ends a transaction. It has ended when this resolves; on a rejection by the store it may be tried again.
   *
   * @returns the receipt of a message that was committed
   * @throws {BrokerError} `TRANSACTION_UNKNOWN` when no half message stands there, another group sent it, it is
   *   decided already, or its time of immunity is over and only answers count
   */
  async end(end: TransactionEnd): Promise<PutReceipt | undefined> {
    this.#parts.checkOpen()
    const { queueOffset, commitLogOffset, decision } = end
    if (decision === 'unknown') return undefined
    const { undecided } = this.#settling
    const pending = undecided.find(queueOffset)
    if (pending === undefined) throw unknown(end, 'it is decided already, or never was')
    const half = await this.#parts.store.lookup({ commitLogOffset })
    this.#checkHalf(half, end)
    return this.#settling.inTurn(pending, () => this.#decide(pending, half, end))
  }

  /**
   * Asks again about a message whose transaction was given up: it is put back as a half message that nobody was asked about.
   *
   * @param messageId - in the topic of what was given up
   * @throws {BrokerError} `TRANSACTION_UNKNOWN` when there is no such message, `BROKER_CLOSED`; what the store throws
   */
  async resume(messageId: string): Promise<PutReceipt> {
    const { checkOpen, store, options } = this.#parts
    checkOpen()
    const given = await store.lookup(messageId)
    if (given?.topic !== UNDECIDED_TOPIC)
      throw new BrokerError('TRANSACTION_UNKNOWN', `no message ${shown(messageId)} stands in ${UNDECIDED_TOPIC}`)
    const half = { ...renewedHalf(given, 0), queueId: 0 }
    const receipt = await store.put(half)
    const { queueOffset, commitLogOffset, storeTimestamp } = receipt
    const { bornTimestamp } = given
    const dueAt = bornTimestamp + (immunityOf(given, options.timeoutMs) ?? options.timeoutMs)
    this.#settling.undecided.add({ queueOffset, commitLogOffset, storeTimestamp, bornTimestamp, dueAt })
    return receipt
  }

  /** Ends asking, waits for what is under way, and notes how far it came. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#periodic.stop()
    await this.#settling.finished()
    await this.#commitOffsets()
  }

  #checkHalf(half: StoredMessage | undefined, end: TransactionEnd): asserts half is StoredMessage {
    if (half === undefined || half.topic !== HALF_TOPIC || half.queueOffset !== end.queueOffset)
      throw unknown(end, 'no half message stands there')
    const group = half.properties[SystemProperty.producerGroup]
    if (group !== end.group) throw unknown(end, `group ${group} sent it, not ${end.group}`)
    if (end.fromCheck) return
    const immunity = immunityOf(half, this.#parts.options.timeoutMs)
    if (immunity !== undefined && this.#parts.clock.now() - half.bornTimestamp > immunity)
      throw unknown(end, 'its time of immunity is over, and its producers are asked', { isLate: true })
  }

  async #decide(pending: Pending, half: StoredMessage, end: TransactionEnd): Promise<PutReceipt | undefined> {
    const { pipeline } = this.#parts
    if (!this.#settling.undecided.has(pending)) throw unknown(end, 'it is decided already')
    if (pending.isCommitted && end.decision === 'rollback') {
      await this.#settling.settle(pending)
      throw unknown(end, 'it is committed')
    }
    let receipt: PutReceipt | undefined
    if (end.decision === 'commit' && !pending.isCommitted) {
      const message = committedMessage(half)
      if (message === undefined) throw unknown(end, 'it does not say where it belongs')
      receipt = await pipeline.put(message)
      pending.isCommitted = true
    }
    await this.#settling.settle(pending)
    return receipt
  }

  async #round(): Promise<void> {
    await this.#checks.round(() => this.#isClosed)
    await this.#commitOffsets()
  }

  /** The offsets never run ahead of what is durable: what was decided and then lost must be found undecided. */
  async #commitOffsets(): Promise<void> {
    const { store, offsets } = this.#parts
    const { half, op } = this.#settling.undecided.progress()
    const known = (topic: string): number => offsets.find(topic, TRANSACTION_GROUP, 0) ?? 0
    if (known(HALF_TOPIC) === half && known(OP_TOPIC) === op) return
    await store.flush()
    offsets.commit(HALF_TOPIC, TRANSACTION_GROUP, 0, half)
    offsets.commit(OP_TOPIC, TRANSACTION_GROUP, 0, op)
  }
}

function unknown(end: TransactionEnd, why: string, details: Record<string, unknown> = {}): BrokerError {
  const { queueOffset, commitLogOffset, decision } = end
  const what = `cannot ${decision} the half message at ${commitLogOffset}, offset ${queueOffset} of its queue`
  return new BrokerError('TRANSACTION_UNKNOWN', `${what}: ${why}`, { details: { queueOffset, commitLogOffset, ...details } })
}
