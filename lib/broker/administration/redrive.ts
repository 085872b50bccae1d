/**
 * Sends the dead letters of a group again, to the topics that they came from.
 *
 * ```
 *  %DLQ%group   r r r l r r r l . . . . . .        r re-driven, l left: another topic, not in the filter
 *                     |         |
 *                    done    reached               both kept as offsets of groups of the broker's own
 * ```
 *
 * 1. Nothing below `done` is looked at again. Between `done` and `reached`, and for a batch behind it should a run have
 *    died there, the index is asked for a message that names the dead letter as its origin; without the option
 *    `index`, such letters are sent twice.
 * 2. Dead letters stay where they are until their segment expires.
 */
import { checkBoolean, checkRequest, checkString, checkWhole, fieldNames } from '../../base/arguments.js'
import { MessageStoreError } from '../../base/errors.js'
import type { Message } from '../../store/message.js'
import type { MessageStore } from '../../store/message-store.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { InflateBody } from '../compression/inflate.js'
import { checkGroup, type Groups } from '../config/groups.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import { deadLetterTopicOf } from '../config/system-topics.js'
import { isWritable } from '../config/topic-config.js'
import type { Topics } from '../config/topics.js'
import { type ReceivedMessage, receivedMessage } from '../consuming/received-message.js'
import { copyOf } from '../consuming/send-back.js'
import { BrokerError } from '../errors.js'
import type { FilterCache } from '../filter/filter-cache.js'
import { checkOwnFilter, type FilterExpression } from '../filter/message-filter.js'
import { channels } from '../numbers/channels.js'
import type { Numbers } from '../numbers/numbers.js'
import { normalTopicOf } from '../pop/handle.js'
import type { Pipeline } from '../sending/pipeline.js'
import type { SenderOptions } from '../sending/sender.js'
import { SystemProperty, withProperties } from '../system-property.js'

/** Groups under which it is kept how far re-driving came in a dead-letter queue. Persistent. Never rename. */
const DONE_GROUP = 'CID_RMQ_SYS_REDRIVE_DONE'
const REACHED_GROUP = 'CID_RMQ_SYS_REDRIVE_REACHED'
/** Of a message that was a dead letter: the letter's id. Persistent. Never rename. */
const REDRIVEN_FROM = 'REDRIVEN_FROM'
const BATCH_MESSAGES = 256
const BATCH_BYTES = 1024 * 1024

/** Which dead letters are sent again. */
export interface RedriveRequest {
  /** The group that gave them up. */
  readonly group: string
  /** Those that came from one topic. @default all */
  readonly topic?: string
  /**
   * Those that a filter lets through: tags, `{ sql }`, or a function, which must return true or false: an `async` one is
   * refused before anything is sent of the letters that were read with the one it was asked about, up to 256.
   * @default all
   */
  readonly filter?: FilterExpression | ((message: ReceivedMessage) => boolean)
  /** Most that are sent again by this call. @default all that are there when it begins */
  readonly maxMessages?: number
}

/** What became of the dead letters that were looked at. */
export interface RedriveResult {
  /** Sent again. */
  readonly redriven: number
  /** Not chosen: from another topic, or not in the filter. Another call may choose them. */
  readonly left: number
  /** Their topic is not there, or not open for writing. Another call tries them again. */
  readonly unroutable: number
}

/** What re-driving needs. */
export interface RedriveParts {
  readonly store: Pick<MessageStore, 'get' | 'bounds' | 'query'>
  readonly brokerName: string
  readonly topics: Pick<Topics, 'find'>
  readonly groups: Pick<Groups, 'whenMade'>
  readonly offsets: ConsumerOffsets
  readonly filters: Pick<FilterCache, 'get'>
  readonly pipeline: Pick<Pipeline, 'put'>
  readonly numbers: Pick<Numbers, 'sent'>
  readonly shardOf: SenderOptions['shardOf']
  readonly admit: SenderOptions['admit']
  readonly inflate: InflateBody
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

interface Counts {
  redriven: number
  left: number
  unroutable: number
}

interface Letter {
  readonly stored: StoredMessage
  readonly target: string | undefined
}

const fields = fieldNames<keyof RedriveRequest>({ group: true, topic: true, filter: true, maxMessages: true })

/** See the head of this file. */
export class Redrive {
  readonly #parts: RedriveParts
  /** For each group the last run that was asked for: they go one after the other. */
  readonly #last = new Map<string, Promise<unknown>>()
  #turn = 0

  constructor(parts: RedriveParts) {
    this.#parts = parts
  }

  /** See {@link Broker.redrive}. */
  async run(request: RedriveRequest): Promise<RedriveResult> {
    const { checkOpen, groups, filters } = this.#parts
    checkOpen()
    checkRequest(request, fields)
    const { group, topic, filter, maxMessages = Number.MAX_SAFE_INTEGER } = request
    checkGroup(group)
    if (topic !== undefined) checkString('topic', topic)
    checkWhole('maxMessages', maxMessages, 1)
    await groups.whenMade(group)
    checkOpen()
    const matches = typeof filter === 'function' ? filter : undefined
    const expression = typeof filter === 'function' || filter === undefined ? undefined : filters.get(checkOwnFilter(filter))
    const chooses = ({ stored, target }: Letter): boolean => {
      if (topic !== undefined && topic !== target) return false
      if (expression !== undefined && !expression.matches(stored)) return false
      return matches === undefined || answerOf(matches(receivedMessage(stored, this.#parts.inflate)))
    }
    const before = this.#last.get(group) ?? Promise.resolve()
    const run = before.then(() => this.#run(group, chooses, maxMessages))
    const last = run.catch(() => {})
    this.#last.set(group, last)
    void last.then(() => this.#last.get(group) === last && this.#last.delete(group))
    return run
  }

  async #run(group: string, chooses: (letter: Letter) => boolean, most: number): Promise<RedriveResult> {
    const { topics, offsets, brokerName } = this.#parts
    const topic = deadLetterTopicOf(group)
    const counts: Counts = { redriven: 0, left: 0, unroutable: 0 }
    try {
      const queues = topics.find(topic)?.readQueues ?? 0
      for (let queueId = 0; queueId < queues && counts.redriven < most; queueId++) {
        await this.#runQueue(topic, queueId, chooses, most, counts)
      }
    } finally {
      await offsets.flush()
    }
    if (channels['mqlite:redrive'].hasSubscribers) channels['mqlite:redrive'].publish({ broker: brokerName, group, ...counts })
    return counts
  }

  async #runQueue(
    topic: string,
    queueId: number,
    chooses: (letter: Letter) => boolean,
    most: number,
    counts: Counts,
  ): Promise<void> {
    const { store, offsets, checkOpen } = this.#parts
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    const place = new Progress(offsets, topic, queueId, minOffset)
    let at = place.done
    // Letters that come while this runs are for the next call: one that fails at once would go round without end.
    while (at < maxOffset && counts.redriven < most) {
      checkOpen()
      const { letters, next } = await this.#read(topic, queueId, at, Math.min(BATCH_MESSAGES, maxOffset - at))
      const chosen: Letter[] = []
      let end = next
      for (const letter of letters) {
        if (counts.redriven + chosen.length >= most) {
          end = letter.stored.queueOffset
          break
        }
        const kind = await this.#kindOf(letter, place, chooses)
        if (kind === 'chosen') chosen.push(letter)
        else if (kind !== 'done') {
          counts[kind]++
          place.leave(letter.stored.queueOffset)
        }
      }
      if (letters.length === 0) place.leave(at)
      counts.redriven += await this.#send(chosen, place)
      place.reach(end)
      await offsets.flush()
      at = end
    }
  }

  async #read(topic: string, queueId: number, offset: number, most: number): Promise<{ letters: Letter[]; next: number }> {
    try {
      const request = { topic, queueId, offset, maxMessages: most, maxBytes: BATCH_BYTES }
      const { messages, nextOffset } = await this.#parts.store.get(request)
      return { letters: messages.map((stored) => ({ stored, target: targetOf(stored) })), next: Math.max(nextOffset, offset + 1) }
    } catch (error) {
      const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
      if (typeof next !== 'number' || next <= offset) throw error
      return { letters: [], next }
    }
  }

  async #kindOf(
    letter: Letter,
    place: Progress,
    chooses: (letter: Letter) => boolean,
  ): Promise<'chosen' | 'done' | 'left' | 'unroutable'> {
    const { stored, target } = letter
    if (stored.queueOffset < place.reached + BATCH_MESSAGES && (await this.#isDone(letter))) return 'done'
    if (!chooses(letter)) return 'left'
    const config = target === undefined ? undefined : this.#parts.topics.find(target)
    return config !== undefined && isWritable(config) ? 'chosen' : 'unroutable'
  }

  async #isDone({ stored, target }: Letter): Promise<boolean> {
    if (target === undefined) return false
    const { messageId, storeTimestamp } = stored
    const hits = await this.#parts.store.query({ topic: target, key: keyOf(stored), from: storeTimestamp })
    return hits.some(({ properties }) => properties[REDRIVEN_FROM] === messageId)
  }

  /** @returns how many; those before a failure are noted */
  async #send(letters: readonly Letter[], place: Progress): Promise<number> {
    const { admit } = this.#parts
    const sent: Promise<unknown>[] = []
    for (const letter of letters) {
      const one = admit === undefined ? this.#put(letter) : admit(letter.target!, 1, () => this.#put(letter))
      // It is looked at below; until then nobody may take it for unhandled.
      const isSent = one.then(
        () => true,
        () => false,
      )
      sent.push(one)
      // Where there is a bound, what follows a letter that found no room waits for another call.
      if (admit !== undefined && !(await isSent)) break
    }
    const settled = await Promise.allSettled(sent)
    const failed = settled.findIndex(({ status }) => status === 'rejected')
    if (failed < 0) return letters.length
    place.leave(letters[failed]!.stored.queueOffset)
    place.reach(letters[sent.length - 1]!.stored.queueOffset + 1)
    throw (settled[failed] as PromiseRejectedResult).reason
  }

  async #put({ stored, target }: Letter): Promise<void> {
    const message = this.#again(stored, target!)
    this.#parts.numbers.sent(message, await this.#parts.pipeline.put(message))
  }

  /** The message as it was before the group tried it. */
  #again(stored: StoredMessage, topic: string): Message {
    // It was there when the letter was chosen, but there may have been no room for it then.
    const config = this.#parts.topics.find(topic)
    if (config === undefined) throw new BrokerError('TOPIC_UNKNOWN', `topic ${topic} was deleted during the redrive`)
    if (!isWritable(config)) throw new BrokerError('NO_PERMISSION', `topic ${topic} was closed to writing during the redrive`)
    const { writeQueues } = config
    const shardingKey = stored.properties[SystemProperty.shardingKey]
    const queueId = shardingKey === undefined ? this.#turn++ % writeQueues : this.#parts.shardOf(shardingKey, writeQueues)
    const properties = withProperties(stored.properties, {
      [REDRIVEN_FROM]: stored.messageId,
      [SystemProperty.uniqueKey]: keyOf(stored),
      [SystemProperty.retryTopic]: undefined,
      [SystemProperty.delayLevel]: undefined,
      [SystemProperty.reconsumeTimes]: undefined,
      [SystemProperty.maxReconsumeTimes]: undefined,
      [SystemProperty.realTopic]: undefined,
      [SystemProperty.realQueueId]: undefined,
    })
    return { ...copyOf(stored), topic, queueId, reconsumeTimes: 0, properties }
  }
}

/** How far re-driving came in one dead-letter queue. */
class Progress {
  /** Everything below was re-driven. */
  readonly done: number
  /** Everything from here on was not. */
  readonly reached: number
  readonly #commitDone: (offset: number) => void
  readonly #commitReached: (offset: number) => void
  #firstLeft = Number.POSITIVE_INFINITY
  #end: number

  constructor(offsets: ConsumerOffsets, topic: string, queueId: number, minOffset: number) {
    this.done = Math.max(minOffset, offsets.find(topic, DONE_GROUP, queueId) ?? minOffset)
    this.reached = Math.max(this.done, offsets.find(topic, REACHED_GROUP, queueId) ?? this.done)
    this.#end = this.reached
    this.#commitDone = offsets.place(topic, DONE_GROUP, queueId).commit
    this.#commitReached = offsets.place(topic, REACHED_GROUP, queueId).commit
  }

  /** A letter was not re-driven. */
  leave(offset: number): void {
    this.#firstLeft = Math.min(this.#firstLeft, offset)
  }

  /** Everything below was looked at. */
  reach(offset: number): void {
    this.#end = Math.max(this.#end, offset)
    this.#commitDone(Math.min(offset, this.#firstLeft))
    this.#commitReached(this.#end)
  }
}

/** What a filter says. A promise would count as true, whatever becomes of it. @throws {TypeError} when it says neither */
function answerOf(answer: unknown): boolean {
  // Nobody else would handle its rejection.
  if (answer instanceof Promise) answer.catch(() => {})
  checkBoolean('what filter returns', answer)
  return answer
}

/** Where a dead letter came from, as this broker and RocketMQ 5 note it, which names the retry topic of popped ones. */
function targetOf({ topic, properties }: StoredMessage): string | undefined {
  const noted = properties[SystemProperty.retryTopic] ?? properties['DLQ_ORIGIN_TOPIC']
  return noted === undefined ? undefined : normalTopicOf(noted, topic.slice(deadLetterTopicOf('').length))
}

/** What a letter and the message that is made of it are found by. */
function keyOf(stored: StoredMessage): string {
  return stored.uniqueKey ?? stored.messageId
}
