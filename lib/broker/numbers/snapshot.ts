/** What {@link BrokerMetrics.snapshot} returns: plain objects, for people, programs and JSON. */
import type { MessageKind } from './counters.js'

/** Numbers of a broker at one moment. */
export interface BrokerNumbers {
  /** When they were taken, milliseconds since 1970. */
  readonly at: number
  /** When counting began: the broker was opened. */
  readonly since: number
  /** By name. */
  readonly topics: readonly TopicNumbers[]
  /** By name. */
  readonly groups: readonly GroupNumbers[]
  /** Numbers of the store: ends of the log, flushes, queues. */
  readonly store: Readonly<Record<string, number>>
}

/** What is still to be consumed. */
export interface BacklogNumbers {
  /** Messages that are not acknowledged, popped ones among them; those that a filter will reject count too. */
  readonly backlog: number
  /** Milliseconds since the oldest of them was stored; 0 when there is none. */
  readonly backlogMs: number
  /** When the oldest of them was stored, milliseconds since 1970; `undefined` when there is none, or it cannot be read. */
  readonly oldest: number | undefined
}

/** Numbers of a topic. Its backlog is that of the group which is furthest behind. */
export interface TopicNumbers extends BacklogNumbers {
  /** Its name. */
  readonly topic: string
  /** Whether the topic is of the system. */
  readonly isSystem: boolean
  /** Messages sent to the topic since the broker opened, not counting retries and dead letters. */
  readonly messagesIn: number
  /** Bytes of their records. */
  readonly bytesIn: number
  /** A second, over the last minute. */
  readonly messagesInPerSecond: number
  /** A second, over the last minute. */
  readonly bytesInPerSecond: number
  /** Messages and bytes by kind, those kinds that came. */
  readonly kinds: readonly { readonly kind: MessageKind; readonly messages: number; readonly bytes: number }[]
  /** Its queues, up to the last one that ever held a message. */
  readonly queues: readonly TopicQueueNumbers[]
}

/** Numbers of a queue. */
export interface TopicQueueNumbers {
  /** Its number in the topic. */
  readonly queueId: number
  /** The oldest message that is there. */
  readonly minOffset: number
  /** What the next message will get. */
  readonly maxOffset: number
  /** Messages put a second, by whatever way they came, over the last minute. */
  readonly messagesInPerSecond: number
}

/** A member of a group. */
export interface MemberNumbers {
  /** Its name in the group. */
  readonly clientId: string
  /** Where it is, `ip:port`. */
  readonly address: string
  /** In what it is written, as RocketMQ's clients say. */
  readonly language: string
  /** The number of the RocketMQ release whose protocol it speaks. */
  readonly version: number
  /** Whether it lives in this process. */
  readonly isLocal: boolean
}

/** What a group did. */
export interface ConsumedNumbers extends BacklogNumbers {
  /** Messages handed out since the broker opened; one that is handed out again counts again. */
  readonly messagesOut: number
  /** Bytes of their records. */
  readonly bytesOut: number
  /** A second, over the last minute. */
  readonly messagesOutPerSecond: number
  /** A second, over the last minute. */
  readonly bytesOutPerSecond: number
  /** Messages acknowledged since the broker opened. */
  readonly acknowledged: number
  /** A second, over the last minute. */
  readonly acknowledgedPerSecond: number
  /** Messages that were not handed out because the group had acknowledged the same before. */
  readonly dropped: number
  /** Messages that are out: handed out, and not settled. */
  readonly inFlight: number
}

/** Numbers of a group in a queue. */
export interface GroupQueueNumbers extends ConsumedNumbers {
  /** Its number in the topic. */
  readonly queueId: number
  /** The next offset to consume; `undefined` when the group has no place there yet. */
  readonly offset: number | undefined
  /** What the next message of the queue will get. */
  readonly maxOffset: number
  /** When the first message was stored that is neither acknowledged nor out; `undefined` when there is none. */
  readonly nextStored: number | undefined
}

/** Messages that a group could not handle. */
interface FailureNumbers {
  /** Messages given back, or popped and not settled in time, to be tried again, since the broker opened. */
  readonly retries: number
  /** A second, over the last minute. */
  readonly retriesPerSecond: number
  /** Messages given up since the broker opened. */
  readonly deadLetters: number
}

/** Numbers of a group in a topic. Retried messages are out of the group's retry topic, and failures count where they began. */
export interface GroupTopicNumbers extends ConsumedNumbers, FailureNumbers {
  /** Its name. */
  readonly topic: string
  /** Whether it is a retry topic of the group. */
  readonly isRetry: boolean
  /** Its queues. */
  readonly queues: readonly GroupQueueNumbers[]
}

/** Numbers of a group over all its topics. */
export interface GroupNumbers extends ConsumedNumbers, FailureNumbers {
  /** Its name. */
  readonly group: string
  /** Whether the group is of the system. */
  readonly isSystem: boolean
  /** Whether its members share the messages; `undefined` while it has none. */
  readonly model: 'clustering' | 'broadcasting' | undefined
  /** Its members, in the order in which they came. */
  readonly members: readonly MemberNumbers[]
  /** Dead letters that are there now, handled or not. */
  readonly deadLettersThere: number
  /** The topics that it has to do with, by name. */
  readonly topics: readonly GroupTopicNumbers[]
}
