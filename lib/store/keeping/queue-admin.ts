/**
 * Emptying and deleting queues. The log is not touched: records stay until their segment expires. What was
 * purged is noted in `ext/purged` first, so that it does not come back when queues are made anew.
 */
import { checkQueue, checkString } from '../../base/arguments.js'
import { MessageStoreError, shown } from '../../base/errors.js'
import { isTopic } from '../../format/names.js'
import type { Purge } from '../../view/purges.js'
import type { Foundation } from '../foundation.js'
import type { WritingSide } from '../writing-side.js'

/** How often a deletion waits for puts that are under way. */
const MOST_WAITS = 1000

/** See the head of this file. */
export class QueueAdmin {
  readonly #base: Foundation
  readonly #writing: WritingSide
  /** One after the other: they replace the same file. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(base: Foundation, writing: WritingSide) {
    this.#base = base
    this.#writing = writing
  }

  /** Empties the queues of a topic, or one of them. */
  purge(topic: string, queueId?: number): Promise<void> {
    this.#check(topic)
    if (queueId !== undefined) checkQueue(topic, queueId)
    return this.#inTurn(() => this.#purge(topic, queueId))
  }

  /** Deletes the queues of a topic. */
  deleteTopic(topic: string): Promise<void> {
    this.#check(topic)
    return this.#inTurn(() => this.#deleteTopic(topic))
  }

  /** Waits for what was asked for: the directory must not change after the lock is gone. */
  async idle(): Promise<void> {
    await this.#last
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => {
      this.#base.state.checkSound()
      return action()
    })
    this.#last = done.catch(() => {})
    return done
  }

  async #purge(topic: string, queueId: number | undefined): Promise<void> {
    const { queues, batchQueues } = this.#base.recovered.views
    const found = [...queues.queuesOf(topic), ...batchQueues.queuesOf(topic)].filter(
      (queue) => queueId === undefined || queue.queueId === queueId,
    )
    const below = this.#base.visible.end
    // Everything below the visible end that is in the queue now; what comes while the note is written stays.
    await this.#note(found.map((queue) => ({ topic, queueId: queue.queueId, below, next: queue.maxOffset })))
    for (const queue of found) {
      const { minOffset } = queue
      queue.trim(below)
      if (queue.minOffset > minOffset) this.#tell(topic, queue.queueId, minOffset, queue.minOffset, false)
    }
    await this.#writing.viewFlusher.flush()
  }

  async #deleteTopic(topic: string): Promise<void> {
    const { groups, flusher, topics, viewFlusher } = this.#writing
    const { log, recovered, visible } = this.#base
    const { queues, batchQueues } = recovered.views
    // Puts under way, and a flush of the views, hold the queues; from the last look to the deletion nothing can
    // come between.
    const isHeld = (): boolean => log.end > visible.end || viewFlusher.isRunning
    for (let i = 0; i < MOST_WAITS; i++) {
      groups.write()
      if (!isHeld()) break
      await viewFlusher.idle()
      await flusher.durable(log.writtenEnd)
    }
    if (isHeld()) throw new MessageStoreError('DISK_ERROR', `${topic} is written to without a pause; nothing was deleted`)
    const held = [...queues.queuesOf(topic), ...batchQueues.queuesOf(topic)]
    const bounds = held.map(({ queueId, minOffset, maxOffset }) => ({ queueId, minOffset, maxOffset }))
    const noted = this.#note([{ topic, queueId: undefined, below: log.end, next: 0 }])
    try {
      queues.remove(topic)
      batchQueues.remove(topic)
    } finally {
      topics.forget(topic)
      for (const { queueId, minOffset, maxOffset } of bounds) {
        if (recovered.views.find(topic, queueId) === undefined) this.#tell(topic, queueId, minOffset, maxOffset, true)
      }
      await noted
    }
    await queues.flushNames()
    await batchQueues.flushNames()
    await viewFlusher.flush()
  }

  #tell(topic: string, queueId: number, minOffset: number, maxOffset: number, deleted: boolean): void {
    this.#base.events.emit('queuePurged', { topic, queueId, minOffset, maxOffset, deleted })
  }

  #note(purges: readonly Purge[]): Promise<void> {
    const { ports, layout, log, recovered } = this.#base
    return recovered.views.purges.add(ports.disk, layout.purged, purges, log.start)
  }

  #check(topic: string): void {
    this.#base.state.checkSound()
    checkString('topic', topic)
    if (!isTopic(topic)) throw new MessageStoreError('TOPIC_INVALID', `${shown(topic)} is no topic name`)
  }
}
