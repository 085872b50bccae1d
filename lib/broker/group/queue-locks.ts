/**
 * Which member of a group may consume which queue in order: the lock table of the broker, in memory only.
 *
 * A holder must lock again before the lock expires; RocketMQ's clients do so every 20 s and stop by themselves
 * 30 s after their last success, so an expired lock of 60 s can be taken over without two consuming at once.
 */
import type { Clock } from '../../base/system.js'
import { type MessageQueue, queueKey } from './message-queue.js'

/** How long a lock lasts after it was last granted, milliseconds. RocketMQ's `rocketmq.broker.rebalance.lockMaxLiveTime`. */
export const QUEUE_LOCK_MS = 60_000

interface Lock {
  readonly clientId: string
  readonly account: string | undefined
  readonly grantedAt: number
}

/** See the head of this file. */
export class QueueLocks {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #lifetimeMs: number
  readonly #groups = new Map<string, Map<string, Lock>>()
  #size = 0
  #sweptAt: number

  /** @param lifetimeMs - after which a lock that was not granted again may be taken over */
  constructor(clock: Pick<Clock, 'monotonic'>, lifetimeMs: number = QUEUE_LOCK_MS) {
    this.#clock = clock
    this.#lifetimeMs = lifetimeMs
    this.#sweptAt = clock.monotonic()
  }

  /**
   * Locks queues for a client, or lengthens the locks that it has.
   *
   * @param account - in whose name; a lock taken in one is no other's, though this names the same client. Everybody knows the
   *   ids of clients, and locks outlive their connections
   * @returns the queues that are its own now: those that nobody else holds unexpired
   */
  lock(group: string, queues: Iterable<MessageQueue>, clientId: string, account?: string): MessageQueue[] {
    const now = this.#clock.monotonic()
    this.#sweep(now)
    const locks = this.#groups.get(group) ?? new Map<string, Lock>()
    const granted: MessageQueue[] = []
    for (const queue of queues) {
      const key = queueKey(queue)
      const lock = locks.get(key)
      if (lock !== undefined && !isOf(lock, clientId, account) && !this.#isExpired(lock, now)) continue
      if (lock === undefined) this.#size++
      locks.set(key, { clientId, account, grantedAt: now })
      granted.push(queue)
    }
    if (granted.length > 0) this.#groups.set(group, locks)
    return granted
  }

  /** Gives queues up. Locks of other clients stay. */
  unlock(group: string, queues: Iterable<MessageQueue>, clientId: string, account?: string): void {
    const locks = this.#groups.get(group)
    if (locks === undefined) return
    for (const queue of queues) {
      const key = queueKey(queue)
      const lock = locks.get(key)
      if (lock !== undefined && isOf(lock, clientId, account) && locks.delete(key)) this.#size--
    }
    if (locks.size === 0) this.#groups.delete(group)
  }

  /** Who holds the queue unexpired. */
  holder(group: string, queue: MessageQueue): string | undefined {
    const lock = this.#groups.get(group)?.get(queueKey(queue))
    return lock === undefined || this.#isExpired(lock, this.#clock.monotonic()) ? undefined : lock.clientId
  }

  /** Whether anybody holds an unexpired lock of the group, which shows that it consumes in order. */
  isLocked(group: string): boolean {
    const now = this.#clock.monotonic()
    for (const lock of this.#groups.get(group)?.values() ?? []) if (!this.#isExpired(lock, now)) return true
    return false
  }

  /** Locks in the table, expired ones that were not yet swept out among them. */
  get size(): number {
    return this.#size
  }

  #isExpired({ grantedAt }: Lock, now: number): boolean {
    return now - grantedAt > this.#lifetimeMs
  }

  /** Clients name groups and queues as they like, so what expired must not stay. At most once in a lifetime. */
  #sweep(now: number): void {
    if (now - this.#sweptAt <= this.#lifetimeMs) return
    this.#sweptAt = now
    for (const [group, locks] of this.#groups) {
      for (const [key, lock] of locks) if (this.#isExpired(lock, now) && locks.delete(key)) this.#size--
      if (locks.size === 0) this.#groups.delete(group)
    }
  }
}

/** A lock that was taken when nobody was asked who sends stays with its client when that is asked later. */
function isOf(lock: Lock, clientId: string, account: string | undefined): boolean {
  return lock.clientId === clientId && (lock.account === undefined || lock.account === account)
}
