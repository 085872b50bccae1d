/**
 * Every way in which the broker refuses, each with the reaction it asks for.
 *
 * As in the store: a bad argument is a `TypeError` or `RangeError`; an outcome that a caller must look at is a
 * result; what the store refuses comes through as its `MessageStoreError`. The rest is a `BrokerError`. Whatever
 * is thrown, nothing was stored and nothing was lost, but for calls of several steps: a transaction keeps its half
 * message, and `redrive` what it has sent by then.
 */
import { CodedError, type Reaction } from '../base/errors.js'

/** The table of the broker's error codes. `docs/broker.md` prints it, and a test keeps the two equal. */
export const brokerErrorCodes = {
  BROKER_CLOSED: { reaction: 'reject', meaning: 'the broker is closing or closed' },
  TOPIC_UNKNOWN: { reaction: 'reject', meaning: 'no such topic, and topics are not made on first use' },
  TOPIC_REFUSED: { reaction: 'reject', meaning: 'a topic of the system that clients may not use so, or settings that cannot be' },
  GROUP_UNKNOWN: { reaction: 'reject', meaning: 'no such consumer group, and groups are not made on first use' },
  NO_PERMISSION: { reaction: 'reject', meaning: 'the topic is not open for that, or the group may not consume' },
  QUEUE_UNKNOWN: { reaction: 'reject', meaning: 'the topic has no queue of that number' },
  DELAY_INVALID: { reaction: 'reject', meaning: 'a delay beyond the horizon, or one that is no time' },
  FILTER_INVALID: { reaction: 'reject', meaning: 'the filter cannot be parsed; `details.position` says where' },
  SUBSCRIPTION_CONFLICT: {
    reaction: 'reject',
    meaning: 'another consumer of the group has another subscription or model, or only one of the two pops',
  },
  NAME_TAKEN: { reaction: 'reject', meaning: 'another consumer of the group in this process has that name, until it is closed' },
  GROUP_IN_USE: { reaction: 'reject', meaning: 'the group has consumers in this process, which must be closed first' },
  DELIVERY_SETTLED: { reaction: 'reject', meaning: 'the delivery was acknowledged, returned or taken away before' },
  DELIVERY_UNKNOWN: { reaction: 'reject', meaning: 'nothing was delivered under that handle, or its time is over' },
  BODY_UNREADABLE: {
    reaction: 'reject',
    meaning: 'a compressed body that is damaged, too large, or of a kind that cannot be read',
  },
  TRANSACTION_UNKNOWN: { reaction: 'reject', meaning: 'no half message stands where the transaction says' },
  MESSAGE_REPEATED: { reaction: 'reject', meaning: 'a message with that key was sent before, within the window' },
  QUOTA_EXCEEDED: { reaction: 'reject', meaning: 'there are as many topics, queues or groups as there may be' },
  BACKLOG_FULL: { reaction: 'retry', meaning: 'the topic or a group has as many unread messages as it may' },
} as const satisfies Record<string, { reaction: Reaction; meaning: string }>

/** One of the codes of {@link brokerErrorCodes}. */
export type BrokerErrorCode = keyof typeof brokerErrorCodes

/** A refusal of the broker. `code` is stable; `message` starts with it and names what was given and expected. */
export class BrokerError extends CodedError<BrokerErrorCode> {
  override readonly name = 'BrokerError'

  /** What the caller should do about it. */
  get reaction(): Reaction {
    return brokerErrorCodes[this.code].reaction
  }
}
