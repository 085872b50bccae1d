/** The queues of a topic by the brokers that have it, and the choice of one for a message that names none. */
import { Permission } from '../config/topic-config.js'
import { compareQueues, type MessageQueue } from '../group/message-queue.js'
import type { FaultTable } from './fault-table.js'

/** What one broker has of a topic. */
export interface TopicShare {
  readonly brokerName: string
  readonly readQueues: number
  readonly writeQueues: number
  /** Bits of {@link Permission}. */
  readonly permission: number
}

/** The queues that producers may write, sorted: those of brokers where the topic is open for that. */
export function writableQueues(topic: string, shares: readonly TopicShare[]): MessageQueue[] {
  return queuesOf(topic, shares, Permission.write, ({ writeQueues }) => writeQueues)
}

/** The queues that consumers share, sorted: those of brokers where the topic may be read. */
export function readableQueues(topic: string, shares: readonly TopicShare[]): MessageQueue[] {
  return queuesOf(topic, shares, Permission.read, ({ readQueues }) => readQueues)
}

/** What a choice looks at besides the turn. */
export interface ChoiceOptions {
  /** The broker of the attempt that just failed. */
  readonly avoid?: string | undefined
  /** Brokers that had better be left alone. */
  readonly faults?: FaultTable | undefined
}

/**
 * Chooses the queues of a topic in turn, RocketMQ's way: first among brokers that are available, then among those
 * that can be reached, both without the one to avoid; in the end any.
 */
export class QueueRotation {
  #turn: number

  /** @param start - where to begin, a whole number from 0; at random, so that producers do not all begin alike @default 0 */
  constructor(start = 0) {
    this.#turn = start
  }

  /** The next of `queues` queues that are only numbered: 0 to `queues` - 1, of which there must be at least one. */
  nextId(queues: number): number {
    const turn = this.#turn
    this.#turn = turn === Number.MAX_SAFE_INTEGER ? 0 : turn + 1
    return turn % queues
  }

  /** The next queue; `undefined` only when there is none. */
  next(queues: readonly MessageQueue[], { avoid, faults }: ChoiceOptions = {}): MessageQueue | undefined {
    if (queues.length === 0) return undefined
    const isOther = ({ brokerName }: MessageQueue): boolean => brokerName !== avoid
    if (faults === undefined) return this.#find(queues, isOther) ?? queues[this.nextId(queues.length)]
    return (
      this.#find(queues, (queue) => isOther(queue) && faults.isAvailable(queue.brokerName)) ??
      this.#find(queues, (queue) => isOther(queue) && faults.isReachable(queue.brokerName)) ??
      queues[this.nextId(queues.length)]
    )
  }

  #find(queues: readonly MessageQueue[], passes: (queue: MessageQueue) => boolean): MessageQueue | undefined {
    for (let tries = 0; tries < queues.length; tries++) {
      const queue = queues[this.nextId(queues.length)]!
      if (passes(queue)) return queue
    }
    return undefined
  }
}

function queuesOf(
  topic: string,
  shares: readonly TopicShare[],
  needed: number,
  countOf: (share: TopicShare) => number,
): MessageQueue[] {
  const open = shares.filter(({ permission }) => (permission & needed) !== 0)
  const queues = open.flatMap((share) =>
    Array.from({ length: countOf(share) }, (_, queueId): MessageQueue => ({ topic, brokerName: share.brokerName, queueId })),
  )
  return queues.sort(compareQueues)
}
