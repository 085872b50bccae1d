/** What is known of a client that consumes or produces, here or at the other end of a connection. */

/** How a group gets its messages: it pulls as it likes, is fed by its client, or pops. */
export type ConsumeType = 'CONSUME_ACTIVELY' | 'CONSUME_PASSIVELY' | 'CONSUME_POP'

/** Whether the members share the messages, or each gets all of them. */
export type ConsumeModel = 'CLUSTERING' | 'BROADCASTING'

/** Where a new group begins. The last three are old names by which clients still call. */
export type ConsumeFrom =
  | 'CONSUME_FROM_LAST_OFFSET'
  | 'CONSUME_FROM_FIRST_OFFSET'
  | 'CONSUME_FROM_TIMESTAMP'
  | 'CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST'
  | 'CONSUME_FROM_MIN_OFFSET'
  | 'CONSUME_FROM_MAX_OFFSET'

/** Which messages of a topic a group wants. */
export interface Subscription {
  /** The filter, such as `*` or `paid || refunded`. */
  readonly expression: string
  /** In what language the filter is. */
  readonly kind: 'TAG' | 'SQL92'
  /** The greater is the newer; RocketMQ's clients give the time when they subscribed, milliseconds since 1970. */
  readonly version: number
}

/** What a consumer tells of itself with every heartbeat. */
export interface ConsumerFacts {
  readonly consumeType: ConsumeType
  readonly model: ConsumeModel
  readonly consumeFrom: ConsumeFrom
  /** By topic. */
  readonly subscriptions: ReadonlyMap<string, Subscription>
}

/** What a member is told. */
export type MemberEvent =
  /** The members or topics of a group changed: queues must be shared anew. */
  | { readonly kind: 'membersChanged'; readonly group: string }
  /** The member was not heard of for too long and is out; its connection had better be closed. */
  | { readonly kind: 'expired'; readonly group: string }

/** A consumer or producer: one of this process, or one client at the other end of one connection. */
export interface Member {
  /** Its name among the members of a group. One client that connects anew keeps it. */
  readonly clientId: string
  /** Whether it lives in this process, and so cannot fall silent. */
  readonly isLocal: boolean
  /** Where it is, `ip:port`. */
  readonly address: string
  /** In what it is written, as RocketMQ's clients say: `JAVA`, `CPP`. */
  readonly language: string
  /** The number of the RocketMQ release whose protocol it speaks. */
  readonly version: number
  /** Whether it can take a question now: its connection is open and not full. */
  isReady(): boolean
  /** Tells it something. Must return soon and not throw. */
  notify(event: MemberEvent): void
}
