/**
 * Asks producers about half messages that nobody has decided, again and again, and gives up those that stay undecided.
 *
 * ```
 *  too young, or immune                       -> stays as it is
 *  asked `maxChecks` times, or as old as the
 *  log keeps messages                         -> TRANS_CHECK_MAX_TIME_TOPIC
 *  else, when its group has a producer        -> a copy with one check more, an op message for the old one, a question
 *  else, before its segment may be deleted    -> a copy as it is, an op message for the old one
 * ```
 *
 * Where no producer is there to be asked, it does not count as asked; RocketMQ counts it.
 */

import type { Clock } from '../../base/system.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { UNDECIDED_TOPIC } from '../config/system-topics.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { PutPort, ReadPort } from '../store-port.js'
import { SystemProperty } from '../system-property.js'
import { checksOf, renewedHalf, undecidedMessage } from './half-message.js'
import type { Settling } from './settling.js'
import type { Pending } from './undecided.js'

/** How many are dealt with at once. */
const AT_ONCE = 128
/** A half message that so many came after is copied to the end: otherwise opening a broker would have to read them all. */
const MAX_BEHIND = 1_000_000

/** Somebody who can be asked how a transaction ended. */
export interface TransactionAsker {
  /** Asks about a half message, which says in its properties where it belongs. Must return soon and not throw. */
  askTransaction(half: StoredMessage): void
}

/** What asking needs. */
export interface ChecksParts {
  readonly store: Pick<PutPort, 'put'> & Pick<ReadPort, 'lookup'>
  readonly topics: Pick<Topics, 'ensure'>
  readonly clock: Pick<Clock, 'now'>
  readonly settling: Settling
  /** The producer of a group whose turn it is, if there is any. */
  readonly nextAsker: (group: string) => TransactionAsker | undefined
  readonly maxChecks: number
  /** How long the log keeps messages. */
  readonly retentionMs: number
  readonly onProblem: (error: unknown) => void
}

/** See the head of this file. */
export class Checks {
  readonly #parts: ChecksParts

  constructor(parts: ChecksParts) {
    this.#parts = parts
  }

  /** Looks at every undecided half message once. What fails is told, and tried again the next time. */
  async round(isStopped: () => boolean): Promise<void> {
    const { clock, settling, onProblem } = this.#parts
    const now = clock.now()
    const due = [...settling.undecided.all()].filter((pending) => this.#wants(pending, now))
    for (let i = 0; i < due.length && !isStopped(); i += AT_ONCE) {
      const some = due.slice(i, i + AT_ONCE).map((pending) => settling.inTurn(pending, () => this.#look(pending, now)))
      const failed = (await Promise.allSettled(some)).find((one) => one.status === 'rejected')
      // The rest would fail for the same reason, such as a full disk.
      if (failed !== undefined) return onProblem((failed as PromiseRejectedResult).reason)
    }
  }

  #wants(pending: Pending, now: number): boolean {
    return pending.isCommitted || this.#isDue(pending, now) || this.#mustMove(pending, now) || this.#isOld(pending, now)
  }

  /** One that is younger than nothing was made when a clock was wrong. */
  #isDue({ dueAt, bornTimestamp }: Pending, now: number): boolean {
    return now >= dueAt || bornTimestamp > now
  }

  #isOld({ bornTimestamp }: Pending, now: number): boolean {
    return now - bornTimestamp >= this.#parts.retentionMs
  }

  #mustMove({ storeTimestamp, queueOffset }: Pending, now: number): boolean {
    const { retentionMs, settling } = this.#parts
    return now - storeTimestamp >= retentionMs / 2 || settling.undecided.end - queueOffset > MAX_BEHIND
  }

  async #look(pending: Pending, now: number): Promise<void> {
    const { settling, store, nextAsker, maxChecks, onProblem } = this.#parts
    if (!settling.undecided.has(pending)) return
    if (pending.isCommitted) return settling.settle(pending)
    const half = await store.lookup({ commitLogOffset: pending.commitLogOffset })
    if (half === undefined) {
      const where = `at ${pending.commitLogOffset}, offset ${pending.queueOffset} of its queue`
      onProblem(new BrokerError('TRANSACTION_UNKNOWN', `the half message ${where} cannot be read and is passed over`))
      return settling.settle(pending)
    }
    const checks = checksOf(half)
    if (checks >= maxChecks || this.#isOld(pending, now)) return this.#giveUp(pending, half)
    const asker = this.#isDue(pending, now) ? nextAsker(half.properties[SystemProperty.producerGroup] ?? '') : undefined
    if (asker !== undefined) {
      const copy = await this.#renew(pending, half, checks + 1)
      if (copy !== undefined) asker.askTransaction(copy)
    } else if (this.#mustMove(pending, now)) {
      await this.#renew(pending, half, checks)
    }
  }

  async #giveUp(pending: Pending, half: StoredMessage): Promise<void> {
    const { topics, store, settling } = this.#parts
    await topics.ensure(UNDECIDED_TOPIC)
    await store.put(undecidedMessage(half))
    await settling.settle(pending)
  }

  /** After a crash in between there are two copies, which count as one: see `rebuild.ts`. */
  async #renew(pending: Pending, half: StoredMessage, checks: number): Promise<StoredMessage | undefined> {
    const { store, settling } = this.#parts
    const place = await store.put(renewedHalf(half, checks))
    settling.undecided.move(pending, place)
    await settling.noteMoved(half.queueOffset)
    return store.lookup({ commitLogOffset: place.commitLogOffset })
  }
}
