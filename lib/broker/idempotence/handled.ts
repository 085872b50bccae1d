/**
 * What groups have acknowledged, so that they do not get the same again within a window.
 *
 * ```
 *  ack -> record in rmq_sys_mqlite_handled -> in memory -> settled -> the group's offset
 *  first consumer after a restart: the records of the window -> memory
 * ```
 *
 * 1. A key is written before the message counts as settled. A crash between the two delivers the message again, and
 *    then it is dropped. A crash between what the handler did and its ack is beyond this: the message is handled twice.
 * 2. Power loss takes the records that were not flushed, under the store's option `flush: 'async'`.
 * 3. Two copies that are out at the same time are both handled. Copies that stand in one queue never are while it is
 *    consumed one at a time.
 * 4. Acknowledgements that come while a record is being written share the next one.
 * 5. A copy that comes while its key is being written is dropped at once. Nothing is lost by that: the copy that was
 *    acknowledged is not settled before, and comes again when the key could not be written.
 */
import type { Clock } from '../../base/system.js'
import type { MessageStore } from '../../store/message-store.js'
import { HANDLED_TOPIC } from '../config/system-topics.js'
import type { Topics } from '../config/topics.js'
import type { SenderOptions } from '../sending/sender.js'
import { HandledGroup } from './handled-group.js'

/** Queues of the topic; a group has one of them. Persistent: with another number, groups would look elsewhere. */
const QUEUES = 8

/** What remembering needs. */
export interface HandledParts {
  readonly store: Pick<MessageStore, 'put' | 'get' | 'bounds' | 'offsetByTime'>
  readonly topics: Pick<Topics, 'ensure'>
  readonly shardOf: SenderOptions['shardOf']
  readonly clock: Pick<Clock, 'now'>
}

/** See the head of this file. */
export class Handled {
  readonly #parts: HandledParts
  readonly #groups = new Map<string, HandledGroup>()

  constructor(parts: HandledParts) {
    this.#parts = parts
  }

  /** What a group has handled within a window, read from the store if need be. @throws what the store throws */
  async of(group: string, window: { readonly windowMs: number; readonly maxKeys: number }): Promise<HandledGroup> {
    const { topics, shardOf } = this.#parts
    await topics.ensure(HANDLED_TOPIC, QUEUES)
    let handled = this.#groups.get(group)
    if (handled === undefined) {
      handled = new HandledGroup({ ...this.#parts, group, queueId: shardOf(group, QUEUES) })
      this.#groups.set(group, handled)
    }
    await handled.load(window)
    // Whoever takes a queue over may get what the one before was acknowledging, and must know how that ended.
    await handled.idle()
    return handled
  }

  /** Waits for what is being written. */
  async idle(): Promise<void> {
    for (const group of this.#groups.values()) await group.idle()
  }
}
