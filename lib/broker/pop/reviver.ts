/**
 * Messages that were popped and not acknowledged in time come again: into the retry topic of their group and topic, or
 * among its dead letters when they have been tried as often as the group says. (`PopReviveService`.)
 *
 * 1. A check point of this process is due when its time is over: the books say what was acknowledged.
 * 2. One of an earlier process, or of another broker on this directory, is due a little later, when its last acks must
 *    have come: RocketMQ lets acks wait in its timer until the check point's time is over.
 * 3. A message is put again before its check point counts as settled: after a crash some come twice, none is lost.
 * 4. A check point that is settled before one that stands in front of it gets acks of its own, so that whoever reads
 *    the queue again does not revive what has been revived.
 */
import type { Message } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { retryTopicOf, reviveTopicOf } from '../config/system-topics.js'
import { copyOf } from '../consuming/send-back.js'
import { Periodic } from '../periodic.js'
import { SystemProperty, withProperties } from '../system-property.js'
import { ackRecord, type CheckPoint, reviveTimeOf } from './check-point.js'
import { normalTopicOf, popRetryTopicOf } from './handle.js'
import type { Outstanding } from './outstanding.js'
import type { PopParts, PutReviveRecord } from './pop-parts.js'
import { type OpenPoint, ReviveQueue } from './revive-queue.js'

const LOOK_EVERY_MS = 500
/** How long after its time a check point that is not in the books waits for its acks. */
const LAST_ACKS_MS = 3000
/** Check points that are revived at once. */
const TOGETHER = 32

/** What reviving needs beside the common parts. */
export interface ReviverParts extends PopParts {
  readonly outstanding: Outstanding
  readonly putRecord: PutReviveRecord
  /** A message of a topic may be popped again. */
  readonly onFree: (topic: string) => void
}

/** See the head of this file. */
export class Reviver {
  readonly #parts: ReviverParts
  readonly #queues: ReviveQueue[]
  #periodic: Periodic | undefined

  constructor(parts: ReviverParts) {
    this.#parts = parts
    const { store, offsets, topics, clusterName, brokerName } = parts
    const topic = reviveTopicOf(clusterName)
    const onProblem = (error: unknown): void => this.#tell(error)
    this.#queues = Array.from({ length: topics.find(topic)?.readQueues ?? 0 }, (_, queueId) => {
      return new ReviveQueue({ store, offsets, topic, queueId, brokerName, onProblem })
    })
  }

  /** Begins. */
  start(): void {
    this.#periodic = new Periodic(
      this.#parts.timers,
      LOOK_EVERY_MS,
      () => this.revive(),
      (error) => this.#tell(error),
    )
  }

  /** Ends, and waits for what is under way. */
  async stop(): Promise<void> {
    await this.#periodic?.stop()
  }

  /** Check points that were read and are not settled. */
  get size(): number {
    return this.#queues.reduce((sum, { size }) => sum + size, 0)
  }

  /** Reads what is new, and revives what is due. */
  async revive(): Promise<void> {
    for (const queue of this.#queues) {
      await queue.read()
      const due = [...queue.points].filter((one) => this.#isDue(one))
      for (let i = 0; i < due.length; i += TOGETHER) {
        await Promise.all(due.slice(i, i + TOGETHER).map((one) => this.#settle(queue, one)))
      }
      queue.commit()
    }
  }

  /** Whether the time of a check point is over. What is being settled just now has another moment. */
  #isDue(one: OpenPoint): boolean {
    const { key, point, storedAt, open } = one
    const { clock, outstanding, isCaughtUp } = this.#parts
    const now = clock.now()
    if (now < reviveTimeOf(point)) return false
    if (!outstanding.has(key)) {
      // A broker that was away finds check points and acks due at once, and the acks come last.
      return now >= Math.max(reviveTimeOf(point), storedAt) + LAST_ACKS_MS && isCaughtUp()
    }
    const expired = outstanding.expire(key)
    if (expired === undefined) return false
    for (const offset of [...open]) if (!expired.open.includes(offset)) open.delete(offset)
    // An acknowledgement whose put failed may be on the disk all the same.
    expired.countDown(expired.open.length - open.size)
    one.expired = expired
    return true
  }

  async #settle(queue: ReviveQueue, { key, point, open, expired }: OpenPoint): Promise<void> {
    const { clock, onFree, putRecord } = this.#parts
    const again = [...open]
    try {
      for (const offset of again) {
        await this.#comesAgain(point, offset, expired?.isGivenBack ?? false)
        open.delete(offset)
        expired?.countDown(1)
      }
      if (again.length > 0 && queue.isBehindOthers(key)) {
        await putRecord(ackRecord({ ...point, offsets: again }, clock.now()), queue.queueId)
      }
      queue.settle(key)
    } catch (error) {
      // A full disk: it stays where it is, and what is left of it is tried again.
      this.#tell(error)
    }
    if (again.length > open.size) onFree(normalTopicOf(point.topic, point.group))
  }

  async #comesAgain(point: CheckPoint, offset: number, isTold: boolean): Promise<void> {
    const { groups, offsets, sendBack, store, topics } = this.#parts
    const { group, topic } = point
    const config = groups.find(group)
    const stored = config === undefined ? undefined : await this.#find(point, offset)
    // The group, the topic or the segment is gone, and the message with it.
    if (config === undefined || stored === undefined) return
    if (stored.reconsumeTimes >= config.maxRetries) {
      await sendBack.put(stored, group, { delayLevel: -1 })
      return
    }
    const normal = normalTopicOf(topic, group)
    if (topics.find(normal) === undefined) return
    const isRetried = topic !== normal || topic === retryTopicOf(group)
    const retry = isRetried ? topic : popRetryTopicOf(group, topic)
    await topics.ensure(retry)
    // As in RocketMQ the group has its place there from the beginning, so that what it is to pop again is known as its own.
    if (offsets.find(retry, group, 0) === undefined) offsets.commit(retry, group, 0, 0)
    // Straight into the store: a delay that the message once had is over.
    await store.put(revived(stored, retry, point.popTime))
    if (!isTold) sendBack.tellRetry(group, stored)
  }

  async #find({ topic, queueId }: CheckPoint, offset: number): Promise<StoredMessage | undefined> {
    const { messages } = await this.#parts.store.get({ topic, queueId, offset, maxMessages: 1 })
    return messages[0]?.queueOffset === offset ? messages[0] : undefined
  }

  #tell(error: unknown): void {
    this.#parts.onProblem(error, 'reviving popped messages')
  }
}

/** A message as it comes again. */
function revived(stored: StoredMessage, topic: string, popTime: number): Message {
  const { properties, reconsumeTimes } = stored
  const first = reconsumeTimes === 0 ? undefined : properties[SystemProperty.firstPopTime]
  return {
    ...copyOf(stored),
    topic,
    queueId: 0,
    reconsumeTimes: reconsumeTimes + 1,
    properties: withProperties(properties, { [SystemProperty.firstPopTime]: first ?? String(popTime) }),
  }
}
