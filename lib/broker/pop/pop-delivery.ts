/** A message that was popped, and waits for its consumer's word. */

import { checkRequest, fieldNames, wholeBetween } from '../../base/arguments.js'
import { delayLevelsMs } from '../../format/tags.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { ReceivedMessage } from '../consuming/received-message.js'
import { BrokerError } from '../errors.js'
import { reviveTimeOf } from './check-point.js'
import { readHandle } from './handle.js'
import type { PoppedMessage } from './pop-parts.js'
import { MAX_INVISIBLE_MS } from './popping.js'
import type { HandleOwner, Settling } from './settling.js'

/** As RocketMQ's first retry: 10 seconds. */
const FIRST_LEVEL = 3

/** How a popped message is given back. */
export interface PopRetryOptions {
  /** Milliseconds after which it comes again. @default 10 s, longer with each attempt, up to 2 h */
  readonly delayMs?: number
}

const retryFields = fieldNames<keyof PopRetryOptions>({ delayMs: true })

/** See the head of this file. */
export class PopDelivery {
  /** What was sent. */
  readonly message: ReceivedMessage
  /** 1 for the first time that the group gets it. */
  readonly attempt: number
  readonly #settling: Pick<Settling, 'ack' | 'changeInvisible'>
  readonly #owner: HandleOwner
  readonly #isOrdered: boolean
  readonly #stored: StoredMessage
  #handle: string
  #isSettled = false

  constructor(
    settling: Pick<Settling, 'ack' | 'changeInvisible'>,
    owner: HandleOwner,
    { handle, attempt, stored }: PoppedMessage,
    message: ReceivedMessage,
    isOrdered: boolean,
  ) {
    this.#settling = settling
    this.#owner = owner
    this.#handle = handle
    this.#stored = stored
    this.#isOrdered = isOrdered
    this.message = message
    this.attempt = attempt
  }

  /** RocketMQ's receipt handle, which changes with {@link extend}. */
  get handle(): string {
    return this.#handle
  }

  /** When others may get the message, milliseconds since 1970, as it was when the handle was made. */
  get invisibleUntil(): number {
    return reviveTimeOf(readHandle(this.#handle))
  }

  /**
   * The message is handled, and that is stored. The group does not get it again once the offset of its pop is written,
   * too: within five seconds, or at a clean close.
   *
   * @throws {BrokerError} `DELIVERY_SETTLED` when it was acknowledged or given back, `DELIVERY_UNKNOWN` when its time
   *   is over; what the store throws: then it is still to be settled
   */
  ack(): Promise<void> {
    return this.#once(() => this.#settling.ack(this.#owner, this.#handle))
  }

  /** The message could not be handled: it comes again after a while, to anybody. @throws as {@link ack} */
  async retry(options: PopRetryOptions = {}): Promise<void> {
    checkRequest(options, retryFields, 'the options object of retry')
    const { delayMs } = options
    if (delayMs !== undefined) wholeBetween('delayMs', delayMs, 0, MAX_INVISIBLE_MS)
    const level = Math.min(FIRST_LEVEL + this.attempt - 1, delayLevelsMs.length)
    const ms = delayMs ?? (this.#isOrdered ? 1000 : delayLevelsMs[level - 1]!)
    return this.#once(async () => void (await this.#settling.changeInvisible(this.#owner, this.#handle, ms, this.#stored)))
  }

  /** Hides the message for so long from now on. @throws as {@link ack} */
  async extend(ms: number): Promise<void> {
    wholeBetween('ms', ms, 1, MAX_INVISIBLE_MS)
    await this.#once(async () => {
      this.#handle = await this.#settling.changeInvisible(this.#owner, this.#handle, ms)
    })
    this.#isSettled = false
  }

  async #once(action: () => Promise<void>): Promise<void> {
    const { topic, queueId, queueOffset } = this.message
    if (this.#isSettled) throw new BrokerError('DELIVERY_SETTLED', `${topic}/${queueId}@${queueOffset} was settled before`)
    this.#isSettled = true
    try {
      await action()
    } catch (error) {
      this.#isSettled = false
      throw error
    }
  }
}
