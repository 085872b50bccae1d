/**
 * What a broker counts: messages that came in, by topic; messages that went out, and what became of them, by topic,
 * group and queue. Everything else that is told of a broker is read from its store and its offsets when asked for.
 *
 * Counts begin at 0 when the broker opens. Those of a topic or group that is deleted go with it.
 */
import { Meter, type Minute } from './meter.js'

/** Kinds of messages that RocketMQ counts apart. */
export type MessageKind = 'normal' | 'fifo' | 'delay' | 'transaction'

/** Messages of one kind that came into a topic. */
export interface InCounter {
  readonly messages: Meter
  /** Bytes of their records. */
  readonly bytes: Meter
}

/** What came into a topic. */
export class TopicCounter {
  /** By kind, those that came at all. */
  readonly kinds = new Map<MessageKind, InCounter>()
  /** The end of each queue: how many messages it ever had. Read from the store with every sample. */
  readonly queues: Meter[] = []
  readonly #normal = this.kind('normal')

  /** What came of a kind. */
  kind(kind: MessageKind): InCounter {
    let counter = this.kinds.get(kind)
    if (counter === undefined) this.kinds.set(kind, (counter = { messages: new Meter(), bytes: new Meter() }))
    return counter
  }

  /** Counts a message. */
  add(kind: MessageKind, bytes: number): void {
    const counter = kind === 'normal' ? this.#normal : this.kind(kind)
    counter.messages.count++
    counter.bytes.count += bytes
  }
}

/** What a group got from one queue. */
export class QueueCounter {
  /** Messages handed out; one that is handed out again counts again. */
  readonly messages = new Meter()
  /** Bytes of their records. */
  readonly bytes = new Meter()
  /** Messages acknowledged. */
  readonly acknowledged = new Meter()
  /** Messages not handed out because the group had acknowledged the same before. */
  dropped = 0
  /** Messages that members which are assigned the queue have out: handed out, and not settled. */
  inFlight = 0
  /** Messages that were popped and wait for their acknowledgement; the group's offset has passed them. */
  popped = 0
  /** Those of them that were given back: they wait, and nobody has them. */
  givenBack = 0
}

/** What a group got from a topic, and what it could not handle of it. */
export class GroupCounter {
  readonly topic: string
  readonly group: string
  readonly queues = new Map<number, QueueCounter>()
  /** Messages that the group will try again. */
  readonly retries = new Meter()
  /** Messages that the group has given up. */
  readonly deadLetters = new Meter()

  constructor(topic: string, group: string) {
    this.topic = topic
    this.group = group
  }

  /** What it got from one queue. */
  queue(queueId: number): QueueCounter {
    let counter = this.queues.get(queueId)
    if (counter === undefined) this.queues.set(queueId, (counter = new QueueCounter()))
    return counter
  }
}

/** See the head of this file. */
export class Counters {
  readonly #topics = new Map<string, TopicCounter>()
  /** By `topic@group`, as offsets are. */
  readonly #groups = new Map<string, GroupCounter>()
  /** The topic that was asked for last, which mostly is the next one, too. */
  #last: { readonly topic: string; readonly counter: TopicCounter } | undefined

  /** What came into a topic. */
  topic(topic: string): TopicCounter {
    if (this.#last?.topic === topic) return this.#last.counter
    let counter = this.#topics.get(topic)
    if (counter === undefined) this.#topics.set(topic, (counter = new TopicCounter()))
    this.#last = { topic, counter }
    return counter
  }

  /** What came into a topic, if anything was counted. */
  findTopic(topic: string): TopicCounter | undefined {
    return this.#topics.get(topic)
  }

  /** What came into every topic. */
  get topics(): IterableIterator<[string, TopicCounter]> {
    return this.#topics.entries()
  }

  /** What a group got from a topic. */
  group(topic: string, group: string): GroupCounter {
    const key = `${topic}@${group}`
    let counter = this.#groups.get(key)
    if (counter === undefined) this.#groups.set(key, (counter = new GroupCounter(topic, group)))
    return counter
  }

  /** What a group got from a topic, if anything was counted. */
  find(topic: string, group: string): GroupCounter | undefined {
    return this.#groups.get(`${topic}@${group}`)
  }

  /** All of them. */
  get groups(): IterableIterator<GroupCounter> {
    return this.#groups.values()
  }

  /** Forgets what was counted of a topic, or of a group. */
  forget({ topic, group }: { readonly topic?: string; readonly group?: string }): void {
    this.#last = undefined
    if (topic !== undefined) this.#topics.delete(topic)
    for (const [key, counter] of this.#groups) if (counter.topic === topic || counter.group === group) this.#groups.delete(key)
  }

  /** Keeps every count of this moment. */
  sample(minute: Minute): void {
    const slot = minute.advance()
    for (const { kinds, queues } of this.#topics.values()) {
      for (const { messages, bytes } of kinds.values()) {
        messages.sample(slot)
        bytes.sample(slot)
      }
      for (const queue of queues) queue.sample(slot)
    }
    for (const { queues, retries, deadLetters } of this.#groups.values()) {
      retries.sample(slot)
      deadLetters.sample(slot)
      for (const { messages, bytes, acknowledged } of queues.values()) {
        messages.sample(slot)
        bytes.sample(slot)
        acknowledged.sample(slot)
      }
    }
  }
}
