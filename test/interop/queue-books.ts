/**
 * Books over queues for what is more than one record, one message: a batch is one record and many messages, and a
 * message with further queues is one record in several of them. Both stores are read queue by queue, as a
 * consumer reads.
 */
import assert from 'node:assert/strict'
import type { MessageStore } from '../../lib/index.js'
import { type Described, describeJava, describeOurs, describeSpec, type Receipt, type Spec } from './data.js'
import type { QueueState, Shell, TimeAsked } from './shell.js'

/** What was put at once. All of its messages are in its own queue, the first, and in every further one. */
export interface Put {
  readonly specs: readonly Spec[]
  readonly queues: readonly string[]
}

/** The fields of a message that a batch does not change. */
export type Seen = Pick<
  Described,
  | 'topic'
  | 'queueId'
  | 'queueOffset'
  | 'commitLogOffset'
  | 'tags'
  | 'keys'
  | 'properties'
  | 'bornTimestamp'
  | 'storeTimestamp'
  | 'bornHost'
  | 'storeHost'
  | 'flag'
  | 'body'
>

/** What a store says of a queue. */
export interface SeenQueue {
  readonly minOffset: number
  readonly maxOffset: number
  readonly messages: readonly Seen[]
}

/** The queues of a store by `topic/queueId`, without those that nothing was ever put into. */
export type SeenQueues = ReadonlyMap<string, SeenQueue>

/** What Java says. */
export async function javaQueues(java: Shell): Promise<SeenQueues> {
  const { found, queues } = await java.readQueues()
  const seen = new Map<string, SeenQueue & { messages: Seen[] }>()
  for (const { topic, queueId, minOffset, maxOffset } of queues) {
    if (maxOffset > 0) seen.set(`${topic}/${queueId}`, { minOffset, maxOffset, messages: [] })
  }
  for (const { queue, message } of found) {
    // What takes a batch apart says of each message that its producer waited, whether that was stored or not.
    const { WAIT: _wait, ...properties } = message.properties
    seen.get(queue)!.messages.push(inQueue(queue, seenOf(describeJava({ ...message, properties }))))
  }
  return seen
}

/** What mqlite says of queues. */
export async function ourQueues(store: MessageStore, names: Iterable<string>): Promise<SeenQueues> {
  const seen = new Map<string, SeenQueue>()
  for (const name of names) {
    const { topic, queueId } = queueOf(name)
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    const messages: Seen[] = []
    for (let offset = minOffset; offset < maxOffset; ) {
      const result = await store.get({ topic, queueId, offset })
      assert.equal(result.status, 'FOUND', `${name} at ${offset}`)
      for (const message of result.messages) {
        assert.deepEqual([message.topic, message.queueId, message.queueOffset], [topic, queueId, offset++])
        messages.push(inQueue(name, seenOf(describeOurs(message))))
      }
      assert.equal(result.nextOffset, offset)
    }
    if (maxOffset > 0) seen.set(name, { minOffset, maxOffset, messages })
  }
  return seen
}

/** Times around every moment at which something was stored. */
export function timesOf(queues: SeenQueues): TimeAsked[] {
  return [...queues].flatMap(([name, { messages }]) => {
    const times = new Set(messages.flatMap(({ storeTimestamp: time }) => [time - 1, time, time + 1]))
    const asked = [...times].slice(0, 30)
    return asked.flatMap((time) => (['lower', 'upper'] as const).map((boundary) => ({ ...queueOf(name), time, boundary })))
  })
}

/** Topic and number of a queue from its name. */
export function queueOf(name: string): Pick<QueueState, 'topic' | 'queueId'> {
  const slash = name.lastIndexOf('/')
  return { topic: name.slice(0, slash), queueId: Number(name.slice(slash + 1)) }
}

function seenOf(message: Omit<Described, 'size' | 'bodyCrc'>): Seen {
  const { topic, queueId, queueOffset, commitLogOffset, tags, keys, properties } = message
  const { bornTimestamp, storeTimestamp, bornHost, storeHost, flag, body } = message
  const place = { topic, queueId, queueOffset, commitLogOffset }
  return { ...place, tags, keys, properties, bornTimestamp, storeTimestamp, bornHost, storeHost, flag, body }
}

/**
 * In a further queue RocketMQ's store hands out the record with its place in its own queue, and leaves the rest to the
 * client; mqlite says the place in the queue that was read. So the place is compared in own queues only.
 */
function inQueue(name: string, message: Seen): Seen {
  return name.startsWith('%LMQ%') ? { ...message, topic: '', queueId: 0, queueOffset: 0 } : message
}

/** What every queue must hold, from offset 0. */
export class QueueBooks {
  readonly #queues = new Map<string, Seen[]>()

  /** The queues that something was put into. */
  get names(): string[] {
    return [...this.#queues.keys()]
  }

  /** How many messages were put, however many queues each is in. */
  count = 0

  /** Enters what was acknowledged, in the order of the acknowledgements. */
  acknowledge({ specs, queues }: Put, receipt: Pick<Receipt, 'queueOffset' | 'commitLogOffset' | 'storeTimestamp'>): void {
    const offsets = queues.slice(1).map((name) => this.#messagesOf(name).length)
    specs.forEach((spec, i) => {
      const place = { ...receipt, messageId: '', size: 0, queueOffset: receipt.queueOffset + i }
      const { properties, ...seen } = seenOf({ ...describeSpec(spec, place), storeTimestamp: receipt.storeTimestamp })
      const own = offsets.length === 0 ? properties : { ...properties, INNER_MULTI_QUEUE_OFFSET: offsets.join(',') }
      for (const name of queues) this.#messagesOf(name).push(inQueue(name, { ...seen, properties: own }))
    })
    this.count += specs.length
  }

  /**
   * Every queue holds what was acknowledged, in order, with no gap and no duplicate, and nothing else but a
   * beginning of what was on its way, each put as a whole and in all of its queues. That is entered as well.
   */
  check(queues: SeenQueues, unsure: readonly Put[] = []): void {
    for (const put of unsure) {
      const next = this.#messagesOf(put.queues[0]!).length
      const found = queues.get(put.queues[0]!)?.messages[next]
      if (found === undefined) break
      const { commitLogOffset, storeTimestamp } = found
      this.acknowledge(put, { queueOffset: next, commitLogOffset, storeTimestamp })
    }
    for (const [name, expected] of this.#queues) {
      if (expected.length === 0) continue
      const seen = queues.get(name)
      assert.ok(seen !== undefined, `there is no queue ${name}`)
      for (let i = 0; i < Math.min(expected.length, seen.messages.length); i++) {
        assert.deepEqual(seen.messages[i], expected[i], `${name} at ${i}`)
      }
      assert.equal(seen.messages.length, expected.length, `messages in ${name}`)
      assert.deepEqual([seen.minOffset, seen.maxOffset], [0, expected.length], `bounds of ${name}`)
    }
    for (const name of queues.keys()) assert.ok(this.#queues.has(name), `a queue ${name} that nothing was put into`)
  }

  #messagesOf(name: string): Seen[] {
    let messages = this.#queues.get(name)
    if (messages === undefined) {
      messages = []
      this.#queues.set(name, messages)
    }
    return messages
  }
}
