/**
 * Keeps a message with an `idempotencyKey` from being sent twice within a window.
 *
 * ```
 *  key -> sent a moment ago, in memory?  -> repeated
 *      -> being sent by somebody else?   -> wait for how that ends
 *      -> in the store's index?          -> repeated
 *      -> else: send, remember
 * ```
 *
 * The key stands among the message's own keys, so it survives exactly when the message does: there is no second file
 * that could say otherwise after a crash. Memory only saves looking it up. Delayed messages are found where they
 * wait. A message that is gone, since its segment expired, has no key any more.
 */
import type { Clock } from '../../base/system.js'
import { SCHEDULE_TOPIC } from '../../format/tags.js'
import type { MessageStore } from '../../store/message-store.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import { BrokerError } from '../errors.js'
import { channels } from '../numbers/channels.js'
import { SystemProperty } from '../system-property.js'
import { RecentKeys } from './recent-keys.js'

/** What is before an idempotency key among the keys of a message. Persistent. Never rename. */
const PREFIX = 'idempotency:'
/** Most messages with the same key that are looked at: copies of one message, and those of other topics that wait. */
const MOST_HITS = 1000

/** The word by which a message with an idempotency key is found. */
export function idempotencyWord(key: string): string {
  return PREFIX + key
}

/** What knowing sent keys needs. */
export interface SentKeysOptions {
  readonly store: Pick<MessageStore, 'query'>
  readonly brokerName: string
  readonly clock: Pick<Clock, 'now'>
  readonly windowMs: number
  readonly maxKeys: number
}

/** See the head of this file. */
export class SentKeys {
  readonly #options: SentKeysOptions
  readonly #recent: RecentKeys
  /** Keys that are being sent; each resolves when that has ended, well or not. */
  readonly #sending = new Map<string, Promise<void>>()

  constructor(options: SentKeysOptions) {
    this.#options = options
    this.#recent = new RecentKeys(options.windowMs, options.maxKeys)
  }

  /**
   * Sends messages of a topic unless one of their keys was sent before. Of several that are sent at once with one key,
   * the first wins; when it fails, the next one is tried.
   *
   * @throws {BrokerError} `MESSAGE_REPEATED`; what `send` throws
   */
  async once<Result>(topic: string, keys: readonly string[], send: () => Promise<Result>): Promise<Result> {
    // In one order, so that two batches never wait for each other.
    const sorted = keys.toSorted()
    const twice = sorted.find((key, i) => key === sorted[i + 1])
    if (twice !== undefined) throw this.#repeated(topic, twice)
    const mine: string[] = []
    let end!: () => void
    const ended = new Promise<void>((resolve) => (end = resolve))
    try {
      for (const key of sorted) {
        const name = `${topic} ${key}`
        for (let other = this.#sending.get(name); other !== undefined; other = this.#sending.get(name)) await other
        this.#sending.set(name, ended)
        mine.push(name)
        if (await this.#wasSent(topic, key)) throw this.#repeated(topic, key)
      }
      const result = await send()
      for (const name of mine) this.#recent.note(name, this.#options.clock.now())
      return result
    } finally {
      for (const name of mine) this.#sending.delete(name)
      end()
    }
  }

  async #wasSent(topic: string, key: string): Promise<boolean> {
    const { store, clock, windowMs } = this.#options
    const now = clock.now()
    if (this.#recent.has(`${topic} ${key}`, now)) return true
    const from = Math.max(0, now - windowMs)
    for (const place of [topic, SCHEDULE_TOPIC, TIMER_TOPIC]) {
      const hits = await store.query({ topic: place, key: idempotencyWord(key), from, maxMessages: MOST_HITS })
      // A message that waited was stored again later, but is as old as it was.
      if (hits.some((hit) => firstTopicOf(hit) === topic && hit.bornTimestamp > now - windowMs)) return true
    }
    return false
  }

  #repeated(topic: string, idempotencyKey: string): BrokerError {
    const { brokerName, windowMs } = this.#options
    const told = channels['mqlite:repeated']
    if (told.hasSubscribers) told.publish({ broker: brokerName, topic, idempotencyKey })
    const what = `a message with the key ${JSON.stringify(idempotencyKey)} was sent to ${topic} within ${windowMs} ms`
    return new BrokerError('MESSAGE_REPEATED', what, { details: { topic, idempotencyKey } })
  }
}

function firstTopicOf({ topic, properties }: StoredMessage): string {
  const waits = topic === SCHEDULE_TOPIC || topic === TIMER_TOPIC
  return waits ? (properties[SystemProperty.realTopic] ?? topic) : topic
}
