/**
 * The topics of a broker: `config/topics.json`, read once, replaced with every change.
 *
 * A change counts when it is on the disk: until then the old table is what everybody sees.
 */

import { checkString } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import { tellAll } from '../../base/signals.js'
import type { Clock } from '../../base/system.js'
import type { ConfigObject } from '../../format/config-json.js'
import { checkTopic } from '../../format/names.js'
import { BrokerError } from '../errors.js'
import type { ConfigPort } from '../store-port.js'
import { fieldsOf } from './config-object.js'
import { type DataVersion, nextDataVersion, printDataVersion, readDataVersion } from './data-version.js'
import { HeldWrites } from './held-writes.js'
import { listsSystem } from './listing.js'
import { checkTopicQuota, type Quotas } from './quotas.js'
import {
  type BrokerNames,
  deadLetterTopicOf,
  isSystemTopic,
  RETRY_PREFIX,
  retryTopicOf,
  systemTopics,
  TEMPLATE_TOPIC,
  TRACE_TOPIC,
} from './system-topics.js'
import {
  newTopic,
  Permission,
  printTopicConfig,
  readTopicConfig,
  type TopicConfig,
  type TopicSettings,
  withSettings,
} from './topic-config.js'

/** What a table of topics is made of. */
export interface TopicsOptions {
  /** `undefined` to try what may be made, and keep none of it. */
  readonly config: ConfigPort | undefined
  readonly clock: Pick<Clock, 'now'>
  readonly names: BrokerNames
  /** Whether a topic is made by the first message sent to it. */
  readonly autoCreate: boolean
  /** Queues of a topic that is made so, or by hand without saying how many. */
  readonly defaultQueues: number
  readonly quotas: Quotas
  /** @throws {BrokerError} `BROKER_CLOSED` when nobody may change topics any more */
  readonly checkOpen: () => void
  /** The topics in which messages of a topic are popped again; they go with it. */
  readonly retriesOf: (topic: string) => readonly string[]
  /** Removes the queues of a topic from the store. */
  readonly deleteQueues: (topic: string) => Promise<void>
}

/** See the head of this file. */
export class Topics {
  readonly #options: TopicsOptions
  readonly #table = new Map<string, TopicConfig>()
  /** Topics that the broker has from its start on, those of its own and its cluster's name among them. */
  readonly #own = new Set<string>()
  readonly #listeners = new Set<(topic: string) => void>()
  #others: ConfigObject = {}
  readonly #writes = new HeldWrites()
  #version: DataVersion
  /** Changes happen one after the other. */
  #last: Promise<unknown> = Promise.resolve()
  /** Topics that are being made for a message, so that a flood of them makes one topic. */
  readonly #making = new Map<string, Promise<TopicConfig>>()

  constructor(options: TopicsOptions) {
    this.#options = options
    const { config, clock, names, autoCreate } = options
    const file = fieldsOf(config?.read('topics'))
    this.#others = file
    this.#version = readDataVersion(file['dataVersion'], clock.now())
    for (const [topic, value] of Object.entries(fieldsOf(file['topicConfigTable']))) {
      this.#table.set(topic, readTopicConfig(topic, value))
    }
    for (const topic of systemTopics(names, autoCreate)) {
      this.#own.add(topic.topic)
      if (!this.#table.has(topic.topic)) this.#table.set(topic.topic, topic)
    }
  }

  /** How often the table was changed, and when. */
  get version(): DataVersion {
    return this.#version
  }

  /** The topic, or `undefined`. */
  find(topic: string): TopicConfig | undefined {
    const found = this.#table.get(topic)
    if (found === undefined) checkString('topic', topic)
    return found
  }

  /** The topic. @throws {BrokerError} `TOPIC_UNKNOWN` */
  get(topic: string): TopicConfig {
    const found = this.find(topic)
    if (found === undefined) throw new BrokerError('TOPIC_UNKNOWN', `there is no topic ${shown(topic)}`)
    return found
  }

  /** All topics by name, those of the system when asked for. */
  list(options: { system?: boolean } = {}): TopicConfig[] {
    const system = listsSystem(options)
    const all = [...this.#table.values()].filter(({ topic }) => system || !this.#isSystem(topic))
    return all.sort((a, b) => (a.topic < b.topic ? -1 : 1))
  }

  /**
   * Makes a topic. One that is there gets the settings, as {@link update}.
   *
   * @throws {BrokerError} `TOPIC_REFUSED`, `BROKER_CLOSED`, {@link MessageStoreError} `TOPIC_INVALID`; `TypeError` or
   *   `RangeError` for a setting
   */
  create(topic: string, settings: TopicSettings = {}): Promise<TopicConfig> {
    checkString('topic', topic)
    return this.#asked(topic, () => {
      const before = this.#table.get(topic)
      return this.#replace(withSettings(before ?? newTopic(topic, this.#options.defaultQueues), settings, before === undefined))
    })
  }

  /** Changes a topic; what the settings leave out stays. @throws {BrokerError} `TOPIC_UNKNOWN`, and as {@link create} */
  update(topic: string, settings: TopicSettings): Promise<TopicConfig> {
    checkString('topic', topic)
    return this.#asked(topic, () => this.#replace(withSettings(this.get(topic), settings, false)))
  }

  /** Takes over a topic as another broker or an administrator configured it. */
  put(config: TopicConfig): Promise<TopicConfig> {
    return this.#asked(config.topic, () => this.#replace(config))
  }

  /**
   * Deletes a topic with its queues, what was to be popped again of it, and the places that groups have in it; messages in
   * the log stay until their segment expires. What is out of it can no longer be settled: a consumer's delivery is
   * `DELIVERY_SETTLED` then, a popped one `DELIVERY_UNKNOWN`, also when a topic of that name is made again.
   *
   * @throws as {@link update}
   */
  delete(topic: string): Promise<void> {
    checkString('topic', topic)
    return this.#asked(topic, async () => {
      this.get(topic)
      const gone = [topic, ...this.#options.retriesOf(topic).filter((one) => this.#table.has(one))]
      const table = new Map(this.#table)
      for (const one of gone) table.delete(one)
      await this.#write(table)
      for (const one of gone) {
        this.#table.delete(one)
        // Whoever holds its queues lets go of them before their offsets are forgotten.
        this.#tell(one)
      }
      for (const one of gone) await this.#options.deleteQueues(one)
    })
  }

  /** The topic that a message is sent to, made if that is allowed. @throws {BrokerError} `TOPIC_UNKNOWN` */
  async forSending(topic: string): Promise<TopicConfig> {
    const found = this.#table.get(topic)
    if (found !== undefined) return found
    const { autoCreate, defaultQueues } = this.#options
    const template = this.#table.get(TEMPLATE_TOPIC)
    if (!autoCreate || template === undefined || !(template.permission & Permission.inherit)) this.get(topic)
    const queues = Math.min(defaultQueues, template!.writeQueues)
    return this.#make(newTopic(topic, queues, template!.permission & ~Permission.inherit))
  }

  /**
   * The topic that a client sends to. One that is not there is made after the template that the client names, if
   * topics may be made after that one; the retry topic of a group always is.
   *
   * @param queues - how many it gets, if the template has as many
   * @throws {BrokerError} `TOPIC_UNKNOWN`
   */
  async forClient(topic: string, template: string, queues: number): Promise<TopicConfig> {
    const found = this.#table.get(topic)
    if (found !== undefined) return found
    const model = template === TEMPLATE_TOPIC && !this.#options.autoCreate ? undefined : this.#table.get(template)
    if (model !== undefined && model.permission & Permission.inherit) {
      const { filterType, permission, writeQueues } = model
      const made = newTopic(topic, Math.max(0, Math.min(queues, writeQueues)), permission & ~Permission.inherit)
      return this.#make({ ...made, filterType })
    }
    return topic.startsWith(RETRY_PREFIX) ? this.#ensure(topic, 1) : this.get(topic)
  }

  /** The retry topic of a group, made if it is not there. */
  retryTopic(group: string, queues: number): Promise<TopicConfig> {
    return this.#ensure(retryTopicOf(group), queues)
  }

  /** The dead-letter topic of a group, made if it is not there. */
  deadLetterTopic(group: string): Promise<TopicConfig> {
    return this.#ensure(deadLetterTopicOf(group), 1)
  }

  /** A topic that the broker needs, made if it is not there. */
  ensure(topic: string, queues = 1): Promise<TopicConfig> {
    return this.#ensure(topic, queues)
  }

  /**
   * Calls a listener with the name of each topic that was made, changed or deleted; what it throws is an uncaught exception
   * of the process.
   *
   * @returns a function that ends it
   */
  onChange(listener: (topic: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #isSystem(topic: string): boolean {
    return this.#own.has(topic) || isSystemTopic(topic)
  }

  async #ensure(topic: string, queues: number): Promise<TopicConfig> {
    return this.#table.get(topic) ?? this.#make(newTopic(topic, queues))
  }

  #make(config: TopicConfig): Promise<TopicConfig> {
    const underWay = this.#making.get(config.topic)
    if (underWay !== undefined) return underWay
    const made = this.#inTurn(() => this.#table.get(config.topic) ?? this.#replace(config))
    const settled = made.finally(() => this.#making.delete(config.topic))
    this.#making.set(config.topic, settled)
    return settled
  }

  /**
   * What a user or an administrator changes, which must not be the system's; that of traces is there only when somebody
   * makes it. The broker itself may still make what a consumer needs while it closes.
   */
  #asked<Result>(topic: string, action: () => Result | Promise<Result>): Promise<Result> {
    checkTopic(topic)
    if (topic !== TRACE_TOPIC && this.#isSystem(topic))
      throw new BrokerError('TOPIC_REFUSED', `${topic} is a topic of the system`)
    return this.#whileOpen(action)
  }

  async #whileOpen<Result>(action: () => Result | Promise<Result>): Promise<Result> {
    this.#options.checkOpen()
    return this.#inTurn(action)
  }

  #inTurn<Result>(action: () => Result | Promise<Result>): Promise<Result> {
    const done = this.#last.then(action)
    this.#last = done.catch(() => {})
    return done
  }

  async #replace(config: TopicConfig): Promise<TopicConfig> {
    checkTopic(config.topic)
    const before = this.#table.get(config.topic)
    // RocketMQ answers a change that changes nothing without a new version.
    if (before !== undefined && isSame(before, config)) return before
    if (!this.#isSystem(config.topic)) checkTopicQuota(this.#options.quotas, () => this.list(), before, config)
    if (this.#options.config !== undefined)
      await this.#writes.write(() => this.#write(new Map(this.#table).set(config.topic, config)))
    this.#table.set(config.topic, config)
    this.#tell(config.topic)
    return config
  }

  /** Writes the table once for all that is made or changed by `action`, while nobody else changes it. */
  writeOnce(action: () => Promise<void>): Promise<void> {
    return this.#writes.once(action, () => this.#write(this.#table))
  }

  async #write(table: ReadonlyMap<string, TopicConfig>): Promise<void> {
    const { config, clock } = this.#options
    const version = nextDataVersion(this.#version, clock.now())
    const topicConfigTable = Object.fromEntries([...table].map(([topic, one]) => [topic, printTopicConfig(one)]))
    await config?.write('topics', { ...this.#others, dataVersion: printDataVersion(version), topicConfigTable })
    this.#version = version
  }

  #tell(topic: string): void {
    tellAll(this.#listeners, topic)
  }
}

function isSame(a: TopicConfig, b: TopicConfig): boolean {
  return JSON.stringify(printTopicConfig(a)) === JSON.stringify(printTopicConfig(b))
}
