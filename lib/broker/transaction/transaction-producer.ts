/**
 * A producer whose messages wait for what its program does in the meantime, such as a change in a database.
 *
 * The half message is stored before the program's function runs, and a program that dies in it leaves the half message
 * to be asked about: `check` must know from the program's own data how it ended.
 */
import { checkFunction, checkRequest, fieldNames, wholeBetween, wrongValue } from '../../base/arguments.js'
import type { Timers } from '../../base/system.js'
import type { PutReceipt } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { InflateBody } from '../compression/inflate.js'
import { isCompressed } from '../compression/sys-flag.js'
import { checkGroup } from '../config/groups.js'
import { BrokerError } from '../errors.js'
import type { Member } from '../group/members.js'
import type { ClientRegistry } from '../group/registry.js'
import { SendReceipt, type SendRequest } from '../sending/send-request.js'
import type { Sender } from '../sending/sender.js'
import { SystemProperty, withProperties } from '../system-property.js'
import type { TransactionAsker } from './checks.js'
import { checksOf, targetOf } from './half-message.js'
import type { TransactionDecision, Transactions } from './transactions.js'

/** A message whose transaction is undecided, as a producer is asked about it. */
export interface UndecidedMessage
  extends Pick<StoredMessage, 'topic' | 'queueId' | 'body' | 'tags' | 'keys' | 'properties' | 'bornTimestamp'> {
  /** The id that the receipt of the message had. */
  readonly uniqueKey: string | undefined
  /** How often producers were asked about it, this time included. */
  readonly checks: number
}

/**
 * A function that says how a transaction ended, or promises to say it.
 *
 * Both halves mean that. TypeScript widens the only literal of an `async` function, as in `return 'commit'`, to `string`
 * unless what is expected of the function can be awaited; so it is to look at the first half. Of two signatures, one of
 * them generic, it expects nothing.
 */
export type TransactionDecider<About extends unknown[]> =
  | ((...about: About) => Promise<TransactionDecision> | (TransactionDecision & Promise<TransactionDecision>))
  | {
      (...about: About): TransactionDecision | Promise<TransactionDecision>
      <_>(...about: About): TransactionDecision | Promise<TransactionDecision>
    }

/** What a program says of its transactions. */
export interface TransactionProducerOptions {
  /** The producers that may be asked about each other's transactions, also after the program started anew. */
  readonly group: string
  /**
   * Says how a transaction ended that nobody decided; a throw counts as `unknown`. It may be asked about a transaction
   * whose function still runs, and more than once.
   */
  readonly check: TransactionDecider<[message: UndecidedMessage]>
  /**
   * Seconds in which nobody is asked, and after which only answers of `check` count.
   * @default the broker's option `transactions.timeoutMs`, and what the function returns counts whenever it does
   */
  readonly immunitySeconds?: number
}

/** What is done while a message waits. */
export type LocalTransaction = TransactionDecider<[message: SendRequest, receipt: SendReceipt]>

/** Where a message of a transaction was sent, and how that ended. */
export class TransactionReceipt extends SendReceipt {
  /** How the transaction ended; `unknown` when `check` will be asked. */
  readonly decision: TransactionDecision
  /** Where the message was committed to. Its own place, apart from this, is the half message's. */
  readonly committed: PutReceipt | undefined

  constructor(
    half: PutReceipt,
    topic: string,
    uniqueKey: string,
    decision: TransactionDecision,
    committed: PutReceipt | undefined,
  ) {
    super(half, topic, uniqueKey)
    this.decision = decision
    this.committed = committed
  }

  /** A plain object, for JSON. */
  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), decision: this.decision, committed: this.committed?.toJSON() }
  }
}

/** A producer that the broker can ask: in this process, or at the other end of a connection. */
export interface ProducingMember extends Member, TransactionAsker {}

/** What a producer needs. */
export interface TransactionProducerParts {
  readonly transactions: Transactions
  readonly sender: Pick<Sender, 'prepared'>
  readonly registry: Pick<ClientRegistry<ProducingMember>, 'producerHeartbeat' | 'producerLeave'>
  readonly clientId: string
  readonly address: string
  readonly inflate: InflateBody
  readonly timers: Timers
  /** Resolves when the broker is closed: then nothing that is under way can come to an end. */
  readonly brokerClosed: Promise<void>
  readonly onProblem: (error: unknown) => void
}

/** How long a close waits, as that of a consumer does by default. */
const CLOSE_MS = 20_000

const decisions: readonly unknown[] = ['commit', 'rollback', 'unknown'] satisfies TransactionDecision[]
const optionFields = fieldNames<keyof TransactionProducerOptions>({ group: true, check: true, immunitySeconds: true })

/** See the head of this file. Made by {@link Broker.transactionProducer}. */
export class TransactionProducer implements AsyncDisposable {
  readonly #parts: TransactionProducerParts
  readonly #options: TransactionProducerOptions
  readonly #member: ProducingMember
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(parts: TransactionProducerParts, options: TransactionProducerOptions) {
    checkOptions(options)
    this.#parts = parts
    this.#options = { ...options }
    this.#member = {
      clientId: parts.clientId,
      isLocal: true,
      address: parts.address,
      language: 'NODE_JS',
      version: 479,
      isReady: () => true,
      notify: () => {},
      askTransaction: (half) => void this.#track(this.#answer(half)),
    }
    parts.registry.producerHeartbeat(options.group, this.#member)
  }

  /** The group. */
  get group(): string {
    return this.#options.group
  }

  /**
   * Stores a message that nobody sees, does what `transaction` does, and then delivers the message or drops it as
   * that says. When it throws, or says `unknown`, the message is left to `check`. When storing timed out
   * ({@link PutStatus} other than `PUT_OK`), the function is not called and the message is dropped, as RocketMQ does.
   *
   * @returns the receipt, with the decision
   * @throws what the function throws; {@link BrokerError} `DELAY_INVALID` for a delay, `TRANSACTION_UNKNOWN` when it was
   *   decided by `check` meanwhile, and as {@link Broker.send}
   */
  send(message: SendRequest, transaction: LocalTransaction): Promise<TransactionReceipt> {
    return this.#track(this.#send(message, transaction))
  }

  /**
   * Leaves the group, and waits for what is being sent and answered: for at most 20 seconds, or until the broker is
   * closed. What takes longer goes on, and counts if the broker is still open then. May be called again.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { registry, timers, brokerClosed } = this.#parts
    registry.producerLeave(this.group, this.#member)
    await new Promise<void>((resolve) => {
      const timer = timers.after(CLOSE_MS, resolve, true)
      void Promise.race([this.#finished(), brokerClosed]).then(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  async #finished(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  async #send(request: SendRequest, transaction: LocalTransaction): Promise<TransactionReceipt> {
    if (this.#closing !== undefined) throw new BrokerError('BROKER_CLOSED', 'the transaction producer is closed')
    checkFunction('the transaction', transaction)
    const { transactions, sender } = this.#parts
    if (request?.delayLevel !== undefined || request?.delayMs !== undefined || request?.deliverAt !== undefined)
      throw new BrokerError('DELAY_INVALID', 'a message of a transaction cannot be delayed')
    const message = await sender.prepared(request)
    const { immunitySeconds } = this.#options
    const half = await transactions.sendHalf(
      immunitySeconds === undefined
        ? message
        : {
            ...message,
            properties: withProperties(message.properties, { [SystemProperty.checkImmunitySeconds]: String(immunitySeconds) }),
          },
      this.group,
    )
    const { topic, uniqueKey = '' } = message
    const isStored = half.status === 'PUT_OK'
    const decision = isStored ? await transaction(request, new SendReceipt(half, topic, uniqueKey)) : 'rollback'
    checkDecision('the transaction', decision)
    const { commitLogOffset, queueOffset } = half
    const end = { commitLogOffset, queueOffset, group: this.group, decision, fromCheck: false }
    return new TransactionReceipt(half, topic, uniqueKey, decision, await transactions.end(end))
  }

  /** Answers a question of the broker. */
  async #answer(half: StoredMessage): Promise<void> {
    const { transactions, onProblem, inflate } = this.#parts
    const { commitLogOffset, queueOffset } = half
    try {
      const decision = await this.#options.check(undecidedMessageOf(half, inflate))
      checkDecision('check', decision)
      await transactions.end({ commitLogOffset, queueOffset, group: this.group, decision, fromCheck: true })
    } catch (error) {
      // Decided meanwhile, by the function that was slow or by the answer to an earlier question; or left to the next start.
      const code = (error as { code?: string } | undefined | null)?.code ?? ''
      if (!['TRANSACTION_UNKNOWN', 'BROKER_CLOSED', 'STORE_CLOSED'].includes(code)) onProblem(error)
    }
  }

  #track<Result>(running: Promise<Result>): Promise<Result> {
    const quiet = running
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => void this.#running.delete(quiet))
    this.#running.add(quiet)
    return running
  }
}

function undecidedMessageOf(half: StoredMessage, inflate: InflateBody): UndecidedMessage {
  const { tags, keys, properties, bornTimestamp, uniqueKey } = half
  const { topic, queueId } = targetOf(half) ?? half
  const body = isCompressed(half.sysFlag) ? inflate(half) : half.body
  return { topic, queueId, body, tags, keys, properties, bornTimestamp, uniqueKey, checks: checksOf(half) }
}

function checkDecision(who: string, decision: unknown): asserts decision is TransactionDecision {
  if (decisions.includes(decision)) return
  throw wrongValue('string', `what ${who} returns`, "'commit', 'rollback' or 'unknown'", decision)
}

function checkOptions(options: TransactionProducerOptions): void {
  checkRequest(options, optionFields, 'the options object of a transaction producer')
  const { group, check, immunitySeconds } = options
  checkGroup(group)
  checkFunction('check', check)
  if (immunitySeconds !== undefined) wholeBetween('immunitySeconds', immunitySeconds, 1, 86_400 * 365)
}
