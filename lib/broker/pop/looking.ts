/**
 * Looks at what a group could pop, without taking it: whether there is something, what it is, and how much.
 * (`NotificationProcessor`, `PeekMessageProcessor`.)
 */
import type { Clock } from '../../base/system.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { ArrivalWatch } from './arrival-watch.js'
import { popRetryTopicsOf } from './handle.js'
import type { OrderInfos } from './order-info.js'
import type { PopParts } from './pop-parts.js'
import { checkPopped, LOOK_EVERY_MS, type PopRequest } from './popping.js'

const MAX_BYTES = 262_144

/** What is looked at; of an ordered pop only queues that are not blocked count. */
export type LookRequest = Pick<PopRequest, 'group' | 'topic' | 'queueId' | 'isOrdered' | 'attemptId'>

/** What looking needs. */
export interface LookingParts extends Pick<PopParts, 'store' | 'topics' | 'groups' | 'offsets' | 'checkOpen'> {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly orders: OrderInfos
  readonly watch: ArrivalWatch
}

interface Queue {
  readonly topic: string
  readonly queueId: number
  /** Where the group stands. */
  readonly offset: number
  readonly maxOffset: number
}

/** See the head of this file. */
export class Looking {
  readonly #parts: LookingParts

  constructor(parts: LookingParts) {
    this.#parts = parts
  }

  /**
   * Whether there is something to pop, waiting for it. A filter is not asked.
   *
   * @param pollMs - milliseconds to wait
   * @throws {BrokerError} as a pop does
   */
  async has(request: LookRequest, pollMs: number, signal?: AbortSignal): Promise<boolean> {
    const { clock, watch, checkOpen } = this.#parts
    const deadline = clock.monotonic() + pollMs
    for (;;) {
      checkOpen()
      const { readQueues } = checkPopped(this.#parts, request)
      if (this.#queues(request).some(({ offset, maxOffset }) => offset < maxOffset)) return true
      const left = deadline - clock.monotonic()
      if (left <= 0 || signal?.aborted) return false
      await watch.wait(request.topic, readQueues, Math.min(left, LOOK_EVERY_MS), signal)
    }
  }

  /** The first messages that could be popped. @throws as {@link has}; what the store throws */
  async peek(request: LookRequest, maxMessages: number): Promise<StoredMessage[]> {
    this.#parts.checkOpen()
    checkPopped(this.#parts, request)
    const found: StoredMessage[] = []
    let leftBytes = MAX_BYTES
    for (const { topic, queueId, offset, maxOffset } of this.#queues(request)) {
      const left = maxMessages - found.length
      if (left <= 0 || leftBytes <= 0) break
      if (offset >= maxOffset) continue
      const got = await this.#parts.store.get({ topic, queueId, offset, maxMessages: left, maxBytes: leftBytes })
      found.push(...got.messages)
      leftBytes -= got.messages.reduce((sum, { size }) => sum + size, 0)
    }
    return found
  }

  /** How many messages stand behind the group's offsets. */
  rest(request: LookRequest): number {
    return this.#queues(request).reduce((sum, { offset, maxOffset }) => sum + maxOffset - offset, 0)
  }

  #queues({ group, topic, queueId, isOrdered, attemptId }: LookRequest): Queue[] {
    const { orders } = this.#parts
    const normal = this.#queuesOf(group, topic).filter((one) => queueId < 0 || one.queueId === queueId)
    if (isOrdered) return normal.filter((one) => !orders.isBlocked({ group, ...one }, attemptId))
    return [...normal, ...popRetryTopicsOf(group, topic).flatMap((retry) => this.#queuesOf(group, retry))]
  }

  #queuesOf(group: string, topic: string): Queue[] {
    const { topics, store, offsets } = this.#parts
    return Array.from({ length: topics.find(topic)?.readQueues ?? 0 }, (_, queueId) => {
      const { minOffset, maxOffset } = store.bounds(topic, queueId)
      const offset = Math.max(minOffset, offsets.find(topic, group, queueId) ?? minOffset)
      return { topic, queueId, offset, maxOffset: Math.max(offset, maxOffset) }
    })
  }
}
