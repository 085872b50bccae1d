/**
 * What becomes of a message that a group could not handle: it is tried again after a delay, and at last it is a dead
 * letter. One rule for consumers of this process and for clients (request 36).
 *
 * ```
 *  attempts so far < maxRetries   ->  %RETRY%group, delay level 3 + attempts (10 s, 30 s, 1 min ... 2 h)
 *  else, or delay level < 0       ->  %DLQ%group
 * ```
 */
import type { Message, PutReceipt } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import type { Groups } from '../config/groups.js'
import { Permission } from '../config/topic-config.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { Pipeline } from '../sending/pipeline.js'
import { SystemProperty, withProperties } from '../system-property.js'

/** The level of the first delay: 10 seconds. */
const FIRST_LEVEL = 3

/** What sending back needs. */
export interface SendBackParts {
  readonly topics: Pick<Topics, 'retryTopic' | 'deadLetterTopic'>
  readonly groups: Pick<Groups, 'get'>
  readonly pipeline: Pick<Pipeline, 'put'>
  /** A number below another one, by chance: which queue of the retry topic. */
  readonly below: (bound: number) => number
  /** Told of every message that was sent back. */
  readonly onSentBack?: (event: { group: string; message: StoredMessage; isDead: boolean }) => void
}

/** How a message is sent back. */
export interface SendBackChoice {
  /** The delay level; 0 for the one that the number of attempts stands for, below 0 for the dead letters. @default 0 */
  readonly delayLevel?: number
  /** How often it is tried again, if not as often as the group says. */
  readonly maxRetries?: number
  /** How often the group has had it, when its record does not say: an ordered queue counts by itself. */
  readonly attempts?: number
}

/** See the head of this file. */
export class SendBack {
  readonly #parts: SendBackParts

  constructor(parts: SendBackParts) {
    this.#parts = parts
  }

  /**
   * Puts a copy of a message where the group will find it again, or among its dead letters.
   *
   * @returns the copy's receipt, or `undefined` when the group has no queues for retries and the message is dropped
   * @throws {BrokerError} `GROUP_UNKNOWN`, `NO_PERMISSION`; what the store throws
   */
  async put(stored: StoredMessage, group: string, choice: SendBackChoice = {}): Promise<PutReceipt | undefined> {
    const { groups, onSentBack, pipeline } = this.#parts
    const { retryQueues, maxRetries } = groups.get(group)
    if (retryQueues <= 0) return undefined
    const { delayLevel = 0 } = choice
    const isDead = delayLevel < 0 || stored.reconsumeTimes >= (choice.maxRetries ?? maxRetries)
    const level = delayLevel === 0 ? FIRST_LEVEL + stored.reconsumeTimes : delayLevel
    const { topic, queueId } = isDead ? await this.#deadLetters(group) : await this.#retries(group, retryQueues)
    const receipt = await pipeline.put({
      ...copyOf(stored),
      topic,
      queueId,
      reconsumeTimes: choice.attempts ?? stored.reconsumeTimes + 1,
      properties: withProperties(stored.properties, {
        [SystemProperty.retryTopic]: stored.properties[SystemProperty.retryTopic] ?? stored.topic,
        [SystemProperty.originMessageId]: stored.properties[SystemProperty.originMessageId] ?? stored.messageId,
        // RocketMQ sets it to false, and may lose the copy after the group's offset has passed the message.
        [SystemProperty.wait]: undefined,
        [SystemProperty.delayLevel]: isDead ? '0' : String(level),
      }),
    })
    onSentBack?.({ group, message: stored, isDead })
    return receipt
  }

  /** Tells of a message that comes again by another way than {@link put}: one that was popped. */
  tellRetry(group: string, message: StoredMessage): void {
    this.#parts.onSentBack?.({ group, message, isDead: false })
  }

  async #retries(group: string, queues: number): Promise<{ topic: string; queueId: number }> {
    const { topic, permission } = await this.#parts.topics.retryTopic(group, queues)
    if (!(permission & Permission.write)) throw new BrokerError('NO_PERMISSION', `topic ${topic} is not open for writing`)
    return { topic, queueId: this.#parts.below(queues) }
  }

  async #deadLetters(group: string): Promise<{ topic: string; queueId: number }> {
    const { topic } = await this.#parts.topics.deadLetterTopic(group)
    return { topic, queueId: 0 }
  }
}

/** What a copy of a message keeps. The broker's own address becomes its store host, as in 5.x. */
export function copyOf(stored: StoredMessage): Omit<Message, 'topic' | 'properties'> {
  const { body, flag, sysFlag, bornTimestamp, bornHost } = stored
  return { body, flag, sysFlag, bornTimestamp, bornHost }
}
