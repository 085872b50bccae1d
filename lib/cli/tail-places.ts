/**
 * Where the last printed message of each queue stands in the log. A queue that was deleted and made again counts from 0
 * anew, so an offset alone does not tell whether it is the same queue: the message at it does.
 */
import { MessageStoreError } from '../base/errors.js'
import { isGone } from '../store/disk-failure.js'
import type { MessageStore } from '../store/message-store.js'

/** A queue, and which offsets of it can be read. */
export interface Bounds {
  readonly queueId: number
  readonly minOffset: number
  readonly maxOffset: number
}

/** Where to go on behind a message that is damaged; `undefined` for every other error. */
export function behindDamage(error: unknown): number | undefined {
  const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
  return typeof next === 'number' ? next : undefined
}

/**
 * What must be expected of a look that prints nothing: the message that it met is damaged, which is told when it is to be
 * printed, or the writer has just deleted the file. @throws every other error
 */
export function passOver(error: unknown): void {
  if (behindDamage(error) === undefined && !isGone(error)) throw error
}

/** See the head of this file. */
export class Places {
  readonly #store: MessageStore
  readonly #topic: string
  /** By queue: the offset of its last message, and the address of that one; `undefined` when it cannot be read. */
  readonly #last = new Map<number, { readonly offset: number; readonly address: number | undefined }>()

  constructor(store: MessageStore, topic: string) {
    this.#store = store
    this.#topic = topic
  }

  /** The queues that are no longer those whose messages were printed. */
  async madeAgain(queues: readonly Bounds[]): Promise<Bounds[]> {
    const anew: Bounds[] = []
    for (const queue of queues) if (await this.#isAnother(queue)) anew.push(queue)
    for (const queue of anew) this.#last.delete(queue.queueId)
    return anew
  }

  async #isAnother({ queueId, minOffset, maxOffset }: Bounds): Promise<boolean> {
    const last = this.#last.get(queueId)
    if (last === undefined) return false
    if (maxOffset <= last.offset) return true
    if (last.address === undefined || last.offset < minOffset) return false
    const address = await this.#addressAt(queueId, last.offset)
    return address !== undefined && address !== last.address
  }

  /** Notes that all messages of some queues are printed. */
  async note(queues: readonly Bounds[]): Promise<void> {
    for (const { queueId, minOffset, maxOffset } of queues) {
      const offset = maxOffset - 1
      this.#last.set(queueId, { offset, address: offset < minOffset ? undefined : await this.#addressAt(queueId, offset) })
    }
  }

  async #addressAt(queueId: number, offset: number): Promise<number | undefined> {
    try {
      const { messages } = await this.#store.get({ topic: this.#topic, queueId, offset, maxMessages: 1 })
      const [first] = messages
      return first?.queueOffset === offset ? first.commitLogOffset : undefined
    } catch (error) {
      passOver(error)
      return undefined
    }
  }
}
