/** A message that was handed to a consumer and waits for its word. */
import { checkRequest, fieldNames, wholeBetween } from '../../base/arguments.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { BrokerError } from '../errors.js'
import type { ReceivedMessage } from './received-message.js'

/** How a message is given back. */
export interface RetryOptions {
  /**
   * The delay level after which it comes again, at most the last one that there is; the dead letters below 0.
   * @default 0: longer with each attempt
   */
  readonly delayLevel?: number
}

/** It is a 32-bit integer in RocketMQ. */
const LEAST_LEVEL = -(2 ** 31)

const retryFields = fieldNames<keyof RetryOptions>({ delayLevel: true })

/** What settles deliveries: the consumer's hold on a queue. */
export interface DeliveryOwner {
  /** How many delay levels there are. */
  readonly delayLevels: number
  /** @returns whether the delivery was still to be settled, or a promise for when it is */
  acknowledge(delivery: Delivery): boolean | Promise<void>
  giveBack(delivery: Delivery, options: RetryOptions): Promise<void>
}

const done = Promise.resolve()

/** See the head of this file. */
export class Delivery {
  /** What was sent. */
  readonly message: ReceivedMessage
  /** 1 for the first time that the group gets it. */
  readonly attempt: number
  /** The record as it stands in the queue, for those who give it back. */
  readonly stored: StoredMessage
  /** From when on its time runs, by the clock that never goes back; not yet, while it is infinite. */
  takenAt = Number.POSITIVE_INFINITY
  readonly #owner: DeliveryOwner

  constructor(owner: DeliveryOwner, stored: StoredMessage, message: ReceivedMessage, attempt: number) {
    this.#owner = owner
    this.stored = stored
    this.message = message
    this.attempt = attempt
  }

  /**
   * The message is handled. The group does not get it again once its offset is written: within five seconds, or at a
   * clean close.
   *
   * Of a consumer with the option `once`, it resolves when that is written.
   *
   * @throws {BrokerError} `DELIVERY_SETTLED` when it was acknowledged or given back, or when its time was over; with
   *   `once` also what the store throws, and then it is still to be settled
   */
  ack(): Promise<void> {
    const settled = this.#owner.acknowledge(this)
    if (typeof settled !== 'boolean') return settled
    return settled ? done : Promise.reject(settledBefore(this.stored))
  }

  /** As {@link ack}, for a handler that returned: it may have settled the message by itself. */
  handled(): void {
    const settled = this.#owner.acknowledge(this)
    // Nobody waits for it, and what cannot be noted stays out until its time is over.
    if (typeof settled !== 'boolean') settled.catch(() => {})
  }

  /**
   * The message could not be handled: the group gets it again after a delay, and a last time into its dead letters.
   * An ordered consumer gets it again before anything else of its queue.
   *
   * @throws {TypeError} {@link RangeError} for a level that there is not; {@link BrokerError} `DELIVERY_SETTLED`; what the
   *   store throws. But for the second the delivery is still to be settled
   */
  async retry(options: RetryOptions = {}): Promise<void> {
    checkRequest(options, retryFields, 'the options object of retry')
    const { delayLevel } = options
    if (delayLevel !== undefined) wholeBetween('delayLevel', delayLevel, LEAST_LEVEL, this.#owner.delayLevels)
    await this.#owner.giveBack(this, options)
  }
}

/** The error for a delivery that is not there any more. */
export function settledBefore({ topic, queueId, queueOffset }: StoredMessage): BrokerError {
  const place = `${topic}/${queueId}@${queueOffset}`
  return new BrokerError('DELIVERY_SETTLED', `${place} was settled before, its time was over, or its queue was taken away`)
}
