/**
 * A queue that a consumer holds: what it has taken of it, what of that is settled, and what the group's offset is.
 *
 * ```
 *  fetch -> take -> delivery -> acknowledge                 -> window -> committed offset
 *                            -> give back -> retry topic    -> window
 *                            -> (ordered) -> again, after a while, before anything else
 * ```
 *
 * Once released it hands out nothing more, but what is out may still be settled until it is drained or cut off. Until then
 * its consumer may take it up again.
 */
import type { StoredMessage } from '../../store/stored-message.js'
import type { QueueNumbers } from '../numbers/numbers.js'
import { Delivery, type DeliveryOwner, type RetryOptions, settledBefore } from './delivery.js'
import { OffsetRanges } from './offset-ranges.js'
import type { QueueFetch } from './queue-fetch.js'
import type { ReceivedMessage } from './received-message.js'
import { Window } from './window.js'

/** What keeps a group from getting the same twice. */
export interface OnceFilter {
  /** The key of a message that the group has handled; `undefined` when it has not, or it has no key. */
  handledKeyOf(message: ReceivedMessage): string | undefined
  /** Notes a message as handled; `undefined` for one without a key. */
  note(message: ReceivedMessage): Promise<void> | undefined
}

/** What a held queue needs. */
export interface HeldQueueParts {
  readonly topic: string
  readonly queueId: number
  /** Reads the queue from an offset on. */
  readonly fetchFrom: (offset: number) => QueueFetch
  /** Whether one message at a time is out, and a failing one holds the queue. */
  readonly isOrdered: boolean
  readonly received: (stored: StoredMessage) => ReceivedMessage
  /** Puts a message where the group gets it again, or gives it up. */
  readonly sendBack: (stored: StoredMessage, attempt: number, options: RetryOptions) => Promise<void>
  readonly delayLevels: number
  /** Of an ordered queue: calls back when the failing message may be tried again, or is `false` when it is given up. */
  readonly tryAgain: (attempt: number, action: () => void) => boolean
  readonly commit: (offset: number) => void
  /** Whether the group's offset is another than the one that was committed last: somebody moved the group, or it is gone. */
  readonly isMoved: (committed: number) => boolean
  /** Remembers what is settled beyond the group's offset, as bounds, when the queue is let go. */
  readonly keepAhead: (bounds: readonly number[]) => void
  /** What a former holder had settled beyond the offset at which this one begins. */
  readonly ahead: OffsetRanges
  readonly numbers: QueueNumbers
  /** `undefined` when the group may get the same twice. */
  readonly once: OnceFilter | undefined
  /** How many deliveries of the consumer are out, over all its queues. */
  readonly tally: { count: number }
  /** Something may be taken, or there is room. */
  readonly onReady: () => void
}

/** See the head of this file. */
export class HeldQueue implements DeliveryOwner {
  readonly topic: string
  readonly queueId: number
  readonly #parts: HeldQueueParts
  #fetch: QueueFetch
  /** What was committed last. */
  #committed: number
  #window: Window<Delivery>
  #ahead: OffsetRanges
  /** Acknowledged, but that is still being written. */
  readonly #noting = new Set<Delivery>()
  /** An ordered message that failed, as it will be handed out again. */
  #again: Delivery | undefined
  #isSuspended = false
  #isReleased = false
  #isCutOff = false
  #onDrained: (() => void) | undefined

  constructor(parts: HeldQueueParts, offset: number) {
    this.#parts = parts
    this.topic = parts.topic
    this.queueId = parts.queueId
    this.#fetch = parts.fetchFrom(offset)
    this.#committed = offset
    this.#window = new Window(offset)
    this.#ahead = parts.ahead
  }

  /** Hands out the next message, or `undefined`. From when on its time runs is for the caller to say. */
  take(): Delivery | undefined {
    if (this.#isReleased || this.#isSuspended) return undefined
    const { isOrdered, once } = this.#parts
    const fetch = this.#fetch
    const ahead = this.#ahead
    if (this.#again !== undefined) return this.#handOutAgain(this.#again)
    if (isOrdered && this.#window.count > 0) return undefined
    let stored = fetch.take()
    while (stored !== undefined && (ahead.has(stored.queueOffset) || this.#isHandled(once, stored))) stored = fetch.take()
    if (stored === undefined) {
      this.#passOver(fetch.end)
      return undefined
    }
    return this.#handOut(stored, stored.reconsumeTimes + 1)
  }

  /** See {@link DeliveryOwner}. */
  get delayLevels(): number {
    return this.#parts.delayLevels
  }

  /** See {@link DeliveryOwner}. */
  acknowledge(delivery: Delivery): boolean | Promise<void> {
    if (!this.#isOut(delivery)) return false
    const noted = this.#parts.once?.note(delivery.message)
    if (noted !== undefined) return this.#acknowledgeNoted(delivery, noted)
    this.#settle(delivery)
    this.#parts.numbers.acknowledged(delivery.stored, delivery.attempt)
    return true
  }

  /** See {@link DeliveryOwner}. */
  async giveBack(delivery: Delivery, options: RetryOptions): Promise<void> {
    if (!this.#isOut(delivery)) throw settledBefore(delivery.stored)
    const { stored, attempt } = delivery
    if (this.#parts.isOrdered && options.delayLevel === undefined && this.#holdBack(delivery)) return
    await this.#parts.sendBack(stored, attempt, options)
    // It may have been cut off meanwhile; then another consumer has it, and the group gets it twice.
    if (this.#isOut(delivery)) this.#settle(delivery)
  }

  /** What has been out since before a moment, in order. */
  expired(deadline: number): Delivery[] {
    const found: Delivery[] = []
    for (const delivery of this.#window.items()) {
      if (delivery.takenAt === Number.POSITIVE_INFINITY) continue
      if (delivery.takenAt > deadline) break
      // Found once: it is being given back.
      delivery.takenAt = Number.POSITIVE_INFINITY
      found.push(delivery)
    }
    return found
  }

  /** Hands out nothing more. @param onDrained - called when nothing is out any more, which may be now */
  release(onDrained: () => void): void {
    this.#isReleased = true
    this.#onDrained = onDrained
    this.#fetch.stop()
    // What waits for its next attempt is in nobody's hands.
    if (this.#window.count === 0 || this.#again !== undefined || this.#isCutOff) onDrained()
  }

  /** Hands out messages again after a release. @returns whether it can: not when it was cut off, or its group was moved */
  takeUp(): boolean {
    if (this.#isCutOff || this.#isMoved) return false
    this.#isReleased = false
    this.#onDrained = undefined
    this.#fetch = this.#parts.fetchFrom(this.#window.next)
    return true
  }

  /** What is still out can no longer be settled: the group gets it again. */
  cutOff(): void {
    if (this.#isCutOff) return
    this.#isCutOff = true
    this.#countOut()
    if (!this.#isMoved) this.#parts.keepAhead([...this.#window.settledAhead(), ...this.#ahead.from(this.#window.next)])
    this.#isReleased = true
    this.#fetch.stop()
    this.#onDrained?.()
  }

  /** Whether the group has handled the same message before; then it is passed over. */
  #isHandled(once: OnceFilter | undefined, stored: StoredMessage): boolean {
    const key = once?.handledKeyOf(this.#parts.received(stored))
    if (key !== undefined) this.#parts.numbers.dropped(stored, key)
    return key !== undefined
  }

  /** It is settled when it is noted. Until then it is out, but nobody else may settle it, nor does its time end. */
  async #acknowledgeNoted(delivery: Delivery, noted: Promise<void>): Promise<void> {
    const { takenAt, stored, attempt } = delivery
    this.#noting.add(delivery)
    delivery.takenAt = Number.POSITIVE_INFINITY
    try {
      await noted
    } catch (error) {
      delivery.takenAt = takenAt
      throw error
    } finally {
      this.#noting.delete(delivery)
    }
    if (this.#isOut(delivery)) this.#settle(delivery)
    this.#parts.numbers.acknowledged(stored, attempt)
  }

  #handOut(stored: StoredMessage, attempt: number): Delivery {
    const { received, tally, numbers } = this.#parts
    const delivery = new Delivery(this, stored, received(stored), attempt)
    this.#window.take(stored.queueOffset, delivery)
    tally.count++
    numbers.out(1)
    numbers.delivered(stored, attempt)
    return delivery
  }

  #handOutAgain(delivery: Delivery): Delivery {
    this.#again = undefined
    this.#parts.numbers.delivered(delivery.stored, delivery.attempt)
    return delivery
  }

  /** An ordered message that failed keeps its place. @returns whether it is tried again */
  #holdBack({ stored, attempt }: Delivery): boolean {
    const { tryAgain, received, onReady } = this.#parts
    const mayTry = tryAgain(attempt, () => {
      this.#isSuspended = false
      onReady()
    })
    if (!mayTry) return false
    this.#isSuspended = true
    this.#again = new Delivery(this, stored, received(stored), attempt + 1)
    this.#window.replace(stored.queueOffset, this.#again)
    // One that is being let go does not try it again: the next holder does.
    this.#onDrained?.()
    return true
  }

  /** Of a queue that is being let go: whoever moved its group meanwhile, or made its topic anew, has the last word. */
  get #isMoved(): boolean {
    return this.#isReleased && this.#parts.isMoved(this.#committed)
  }

  #commit(offset: number): void {
    if (this.#isMoved) return
    this.#committed = offset
    this.#parts.commit(offset)
  }

  #isOut(delivery: Delivery): boolean {
    if (this.#isCutOff || (this.#noting.size > 0 && this.#noting.has(delivery))) return false
    return this.#window.find(delivery.stored.queueOffset) === delivery
  }

  #settle({ stored }: Delivery): void {
    const { tally, numbers, onReady } = this.#parts
    this.#window.settle(stored.queueOffset)
    tally.count--
    numbers.out(-1)
    this.#commit(this.#window.committed)
    if (this.#window.count === 0) this.#onDrained?.()
    onReady()
  }

  /** What is out is not counted any more. */
  #countOut(): void {
    const { tally, numbers } = this.#parts
    tally.count -= this.#window.count
    numbers.out(-this.#window.count)
  }

  #passOver(end: number): void {
    if (end < this.#window.next) this.#goBack(end)
    if (end <= this.#window.next) return
    this.#window.skipTo(end)
    this.#commit(this.#window.committed)
  }
  /**
   * The queue ends before the group's place, which a client may have committed, or begins anew. As in RocketMQ the group
   * goes on at the end. What is out stands in the queue no more, and can no longer be settled.
   */
  #goBack(end: number): void {
    this.#countOut()
    this.#window = new Window(end)
    this.#ahead = new OffsetRanges([])
    this.#parts.keepAhead([])
    this.#commit(end)
  }
}
