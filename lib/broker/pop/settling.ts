/**
 * Acknowledgements of popped messages, and changes of the time for which they are hidden: a new check point, and an
 * ack for the old one. (`AckMessageProcessor`, `ChangeInvisibleTimeProcessor`.)
 *
 * RocketMQ stores any ack whose offset is in the queue. Here an ack of something that is not out is refused and nothing
 * is stored; only handles from before this process, or from another broker on this directory, are taken at their word.
 */
import { wholeBetween } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { BrokerError } from '../errors.js'
import { ackRecord, type CheckPoint, checkPointRecord, popKey, reviveTimeOf } from './check-point.js'
import { handleEnd, ORDERED_REVIVE_QUEUE, printHandle, readHandle, topicOfHandle } from './handle.js'
import type { OrderInfos } from './order-info.js'
import { type Outstanding, unknownDelivery } from './outstanding.js'
import type { PopParts, PutReviveRecord } from './pop-parts.js'
import { MAX_INVISIBLE_MS } from './popping.js'

/** What settling needs beside the common parts. */
export interface SettlingParts extends PopParts {
  readonly orders: OrderInfos
  readonly outstanding: Outstanding
  readonly putRecord: PutReviveRecord
  /** Something of a topic may be popped again. */
  readonly onFree: (topic: string) => void
  /** Resolves when offsets may move: not while they are being written. */
  readonly mayMove: () => Promise<void> | undefined
  /** When this process began: handles from before are not in its books. */
  readonly openedAt: number
}

/** Whose messages a handle stands for. */
export interface HandleOwner {
  readonly group: string
  /** The topic that the messages were first sent to. */
  readonly topic: string
}

/** Messages of one check point. */
interface Named {
  readonly point: CheckPoint
  readonly reviveQueueId: number
}

/** See the head of this file. */
export class Settling {
  readonly #parts: SettlingParts

  constructor(parts: SettlingParts) {
    this.#parts = parts
  }

  /**
   * The message is handled: it does not come again.
   *
   * @throws {BrokerError} `DELIVERY_UNKNOWN`, `DELIVERY_SETTLED`; what the store throws: then it is still to be settled
   */
  async ack(owner: HandleOwner, handle: string): Promise<void> {
    await this.#ackNamed(this.#name(owner, handle))
  }

  /**
   * {@link ack} for several handles, with one record for those that were popped together.
   *
   * @returns for each handle what was wrong with it, or `undefined`
   */
  async ackBatch(owner: HandleOwner, handles: readonly string[]): Promise<(unknown | undefined)[]> {
    const problems: (unknown | undefined)[] = handles.map(() => undefined)
    const together = new Map<string, { named: Named; at: number[] }>()
    handles.forEach((handle, i) => {
      try {
        const named = this.#name(owner, handle)
        const key = `${popKey(named.point)}@${named.reviveQueueId}`
        const other = together.get(key)
        if (other?.named.point.offsets.includes(named.point.offsets[0]!)) throw unknownDelivery(handle)
        if (other === undefined) together.set(key, { named, at: [i] })
        else {
          const offsets = [...other.named.point.offsets, ...named.point.offsets]
          other.named = { ...other.named, point: { ...other.named.point, offsets } }
          other.at.push(i)
        }
      } catch (error) {
        problems[i] = error
      }
    })
    const acked = [...together.values()].map(async ({ named, at }) => {
      try {
        await this.#ackNamed(named)
      } catch (error) {
        if (at.length === 1) problems[at[0]!] = error
        // One of them is wrong: each is judged by itself.
        else for (const i of at) problems[i] = await this.ack(owner, handles[i]!).catch((one: unknown) => one)
      }
    })
    await Promise.all(acked)
    return problems
  }

  /**
   * Hides a message for another while, from now on.
   *
   * @param givenBack - the message, when its consumer gives it back: that counts as a failure
   * @returns the handle that settles it from now on; of ordered messages it stays the same
   * @throws as {@link ack}; {@link RangeError} for a time out of its range
   */
  async changeInvisible(owner: HandleOwner, handle: string, invisibleMs: number, givenBack?: StoredMessage): Promise<string> {
    wholeBetween('invisibleMs', invisibleMs, 0, MAX_INVISIBLE_MS)
    const { clock, numbers, outstanding, putRecord, onFree } = this.#parts
    const named = this.#name(owner, handle)
    const { point: old, reviveQueueId } = named
    const [offset] = old.offsets
    const now = clock.now()
    if (reviveQueueId === ORDERED_REVIVE_QUEUE) {
      if (!this.#parts.orders.changeVisible(old, offset!, old.popTime, now + invisibleMs)) throw unknownDelivery(handle)
      if (invisibleMs === 0) onFree(owner.topic)
      return handle
    }
    const settle = this.#begin(named)
    try {
      // Never the name of the old one, which may have been popped in this millisecond.
      const popTime = Math.max(now, old.popTime + 1)
      const point: CheckPoint = { ...old, startOffset: offset!, popTime, invisibleMs }
      await putRecord(checkPointRecord(point), reviveQueueId)
      outstanding.add(point, numbers.queue(point.topic, point.group, point.queueId), givenBack !== undefined)
      await putRecord(ackRecord(old, reviveTimeOf(old)), reviveQueueId)
      settle(true)
      if (givenBack !== undefined) this.#tellRetry(point.group, givenBack)
      return printHandle(point, reviveQueueId, offset!)
    } catch (error) {
      settle(false)
      throw error
    }
  }

  async #ackNamed(named: Named): Promise<void> {
    const { point, reviveQueueId } = named
    if (reviveQueueId === ORDERED_REVIVE_QUEUE) return this.#ackOrdered(point)
    const settle = this.#begin(named)
    try {
      await this.#parts.putRecord(ackRecord(point, reviveTimeOf(point)), reviveQueueId)
      settle(true)
    } catch (error) {
      settle(false)
      throw error
    }
    await this.#count(point, undefined)
  }

  async #ackOrdered(point: CheckPoint): Promise<void> {
    const { offsets, orders, mayMove, onFree } = this.#parts
    const { group, topic, queueId, popTime } = point
    await mayMove()
    for (const offset of point.offsets) {
      const next = orders.acknowledge(point, offset, popTime)
      if (next === undefined) throw unknownDelivery(`${popKey(point)}, offset ${offset}`)
      offsets.commit(topic, group, queueId, next)
    }
    if (!orders.isBlocked(point, undefined)) onFree(topic)
    await this.#count(
      point,
      point.offsets.map((offset) => orders.attempts(point, offset)),
    )
  }

  /** Counts what was acknowledged. A handle does not say enough of a message to tell of it, so it is read, if somebody asks. */
  async #count({ topic, group, queueId, offsets }: CheckPoint, attempts: readonly number[] | undefined): Promise<void> {
    const { numbers, store } = this.#parts
    const counted = numbers.queue(topic, group, queueId)
    if (!counted.acknowledgedPopped(offsets.length)) return
    for (const [i, offset] of offsets.entries()) {
      // What cannot be read is acknowledged all the same.
      const result = await store.get({ topic, queueId, offset, maxMessages: 1 }).catch(() => undefined)
      const stored = result?.messages[0]
      if (stored?.queueOffset === offset) counted.tellAcknowledged(stored, (attempts?.[i] ?? stored.reconsumeTimes) + 1)
    }
  }

  /** Tells of a message that will be tried again; when it comes as a dead letter, that is told then. */
  #tellRetry(group: string, message: StoredMessage): void {
    const { groups, sendBack } = this.#parts
    if (message.reconsumeTimes < (groups.find(group)?.maxRetries ?? 0)) sendBack.tellRetry(group, message)
  }

  /** Takes a message in hand, for what settles it or not. */
  #begin({ point }: Named): (isSettled: boolean) => void {
    const { outstanding, openedAt } = this.#parts
    const key = popKey(point)
    if (!outstanding.has(key) && point.popTime < openedAt) return () => {}
    outstanding.begin(key, point.offsets)
    return (isSettled) => outstanding.end(key, point.offsets, isSettled)
  }

  /** What a handle stands for. @throws {BrokerError} `DELIVERY_UNKNOWN` when its time is over, or it cannot be */
  #name({ group, topic: normal }: HandleOwner, text: string): Named {
    const { brokerName, clock, store, topics, checkOpen } = this.#parts
    checkOpen()
    const handle = readHandle(text)
    const { startOffset, popTime, invisibleMs, queueId, offset, reviveQueueId } = handle
    const topic = topicOfHandle(normal, group, handle.retry)
    const isOrdered = reviveQueueId === ORDERED_REVIVE_QUEUE
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    if (handle.brokerName !== brokerName || topics.find(topic) === undefined || offset < minOffset || offset >= maxOffset)
      throw new BrokerError(
        'DELIVERY_UNKNOWN',
        `${shown(text)} must name a message of broker ${brokerName} in ${topic}/${queueId}, which holds ${minOffset} up to, without, ${maxOffset}`,
      )
    // The books on ordered messages know of a longer time.
    if (!isOrdered && clock.now() >= handleEnd(handle)) throw unknownDelivery(text)
    if (!isOrdered && reviveQueueId >= 8) throw unknownDelivery(text)
    const point = { group, topic, queueId, startOffset, popTime, brokerName, invisibleMs, offsets: [offset] }
    return { point, reviveQueueId }
  }
}
