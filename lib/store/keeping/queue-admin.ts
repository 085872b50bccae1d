/**
 * Emptying and deleting queues. The log is not touched: records stay until their segment expires. What was
 * purged is noted in `ext/purged` first, so that it does not come back when queues are made anew.
 */
import { checkQueue, MessageStoreError, shown } from '../../base/errors.js'
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

  constructor(base: Foundation, writing: WritingSide) {
    this.#base = base
    this.#writing = writing
  }

  /** Empties the queues of a topic, or one of them. */
  async purge(topic: string, queueId?: number): Promise<void> {
    this.#check(topic)
    if (queueId !== undefined) checkQueue(topic, queueId)
    const { queues, batchQueues } = this.#base.recovered.views
    const found = [...queues.queuesOf(topic), ...batchQueues.queuesOf(topic)].filter(
      (queue) => queueId === undefined || queue.queueId === queueId,
    )
    const below = this.#base.visible.end
    // Everything below the visible end that is in the queue now; what comes while the note is written stays.
    await this.#note(found.map((queue) => ({ topic, queueId: queue.queueId, below, next: queue.maxOffset })))
    for (const queue of found) queue.trim(below)
    await this.#writing.viewFlusher.flush()
  }

  /** Deletes the queues of a topic. */
  async deleteTopic(topic: string): Promise<void> {
    this.#check(topic)
    const { groups, flusher, topics, viewFlusher } = this.#writing
    const { log, recovered } = this.#base
    const { queues, batchQueues } = recovered.views
    // Puts under way hold the queues; from the last look to the deletion nothing can come between.
    for (let i = 0; i < MOST_WAITS; i++) {
      groups.write()
      if (groups.pendingBytes === 0) break
      await flusher.durable(log.writtenEnd)
    }
    if (groups.pendingBytes > 0)
      throw new MessageStoreError('DISK_ERROR', `${topic} is written to without a pause; nothing was deleted`)
    const noted = this.#note([{ topic, queueId: undefined, below: log.end, next: 0 }])
    queues.remove(topic)
    batchQueues.remove(topic)
    topics.forget(topic)
    await noted
    await queues.flushNames()
    await batchQueues.flushNames()
    await viewFlusher.flush()
  }

  #note(purges: readonly Purge[]): Promise<void> {
    const { ports, layout, log, recovered } = this.#base
    return recovered.views.purges.add(ports.disk, layout.purged, purges, log.start)
  }

  #check(topic: string): void {
    this.#base.state.checkSound()
    if (typeof topic !== 'string') throw new TypeError(`topic must be a string, got ${shown(topic)}`)
    if (!isTopic(topic)) throw new MessageStoreError('TOPIC_INVALID', `${shown(topic)} is no topic name`)
  }
}
