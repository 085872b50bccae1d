/**
 * The delay levels, 18 unless the store's option `delayLevels` says otherwise: a delayed message waits in a queue of
 * `SCHEDULE_TOPIC_XXXX` that only messages of its level are in, so that the first one is always the next one due.
 * (`ScheduleMessageService`.)
 *
 * ```
 *  queue of level 3:   due 12:00:01   12:00:04   12:00:09 ...
 *                      delivered     ^ offset in config/delayOffset.json
 * ```
 *
 * The offset is written now and then, after the copies are stored: after a crash some are delivered again, none is lost.
 */
import { MessageStoreError } from '../../base/errors.js'
import type { Clock, Timer, Timers } from '../../base/system.js'
import { type PropertyNames, propertyNames } from '../../format/properties.js'
import { SCHEDULE_TOPIC } from '../../format/tags.js'
import type { Message } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { fieldsOf, integerEntriesOf } from '../config/config-object.js'
import { type DataVersion, nextDataVersion, printDataVersion, readDataVersion } from '../config/data-version.js'
import { HALF_TOPIC } from '../config/system-topics.js'
import type { ConfigPort, PutPort, ReadPort } from '../store-port.js'
import { SystemProperty, withProperties } from '../system-property.js'
import { failedPuts } from './failed-puts.js'

/** Most messages that are delivered at once. */
const BATCH_MESSAGES = 512
const BATCH_BYTES = 1024 * 1024
const WAIT_MS = 20_000
/** After an error, such as a full disk. */
const AGAIN_MS = 1000
/** Longest that a timer is set for: a clock that jumps is noticed. */
const LONGEST_SLEEP_MS = 1000

/** What the levels need. */
export interface ScheduleParts {
  readonly store: Pick<ReadPort, 'get'> & Pick<PutPort, 'put'>
  /** Milliseconds of each level, from level 1 on. */
  readonly levelsMs: readonly number[]
  readonly config: ConfigPort
  readonly clock: Clock
  readonly timers: Timers
  readonly onProblem: (error: unknown) => void
}

/** The level that a message asks for, not above the highest; 0 for none. */
export function delayLevelOf(properties: Readonly<Record<string, string>>, levels: number): number {
  const level = Number(properties[SystemProperty.delayLevel] ?? 0)
  return Number.isInteger(level) && level > 0 ? Math.min(level, levels) : 0
}

/** A message as it waits for its level. */
export function waitingMessage(message: Message, level: number): Message {
  return {
    ...message,
    topic: SCHEDULE_TOPIC,
    queueId: level - 1,
    properties: withProperties(message.properties, {
      [SystemProperty.delayLevel]: String(level),
      // The level wins over every time.
      [SystemProperty.delaySeconds]: undefined,
      [SystemProperty.delayMs]: undefined,
      [SystemProperty.deliverAtMs]: undefined,
      [SystemProperty.realTopic]: message.topic,
      [SystemProperty.realQueueId]: String(message.queueId ?? 0),
    }),
  }
}

/** See the head of this file. */
export class Schedule {
  readonly #parts: ScheduleParts
  readonly #offsets: Map<number, number>
  readonly #stops: AbortController[] = []
  #isClosed = false
  #version: DataVersion
  #isChanged = false
  #levels: Promise<void>[] = []
  readonly #sleeping = new Set<() => void>()

  constructor(parts: ScheduleParts) {
    this.#parts = parts
    const file = fieldsOf(parts.config.read('delayOffset'))
    this.#version = readDataVersion(file['dataVersion'], parts.clock.now())
    this.#offsets = new Map(integerEntriesOf(file['offsetTable']))
  }

  /** Begins to deliver. */
  start(): void {
    this.#levels = this.#parts.levelsMs.map((ms, i) => {
      // One for each: many listeners on one signal look like a leak to Node.
      const stop = new AbortController()
      this.#stops.push(stop)
      return this.#deliver(i + 1, ms, stop.signal)
    })
  }

  /** Stops delivering; what is under way is finished, and the offsets are written. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const stop of this.#stops) stop.abort()
    for (const wake of this.#sleeping) wake()
    await Promise.all(this.#levels)
    await this.flush()
  }

  /** Of each level, the first offset that is not known to be delivered. */
  get waitingFrom(): number[] {
    return this.#parts.levelsMs.map((_, i) => this.#offsets.get(i + 1) ?? 0)
  }

  /** Writes how far each level has come. */
  async flush(): Promise<void> {
    if (!this.#isChanged) return
    this.#isChanged = false
    this.#version = nextDataVersion(this.#version, this.#parts.clock.now())
    await this.#parts.config.write('delayOffset', {
      dataVersion: printDataVersion(this.#version),
      offsetTable: new Map([...this.#offsets].sort(([a], [b]) => a - b)),
    })
  }

  /** Delivers what is due in a level, until it is stopped. */
  async #deliver(level: number, delayMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#deliverDue(level, delayMs, signal)
      } catch (error) {
        if (signal.aborted || (error instanceof MessageStoreError && error.code === 'STORE_CLOSED')) return
        this.#parts.onProblem(error)
        const next = error instanceof MessageStoreError ? error.details['nextOffset'] : undefined
        // A damaged message is passed over: it can be delivered to nobody.
        if (typeof next === 'number') this.#moveTo(level, next)
        else await this.#sleep(AGAIN_MS)
      }
    }
  }

  async #deliverDue(level: number, delayMs: number, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts
    const offset = this.#offsets.get(level) ?? 0
    const request = { topic: SCHEDULE_TOPIC, queueId: level - 1, offset, maxMessages: BATCH_MESSAGES, maxBytes: BATCH_BYTES }
    const { messages, nextOffset } = await store.get({ ...request, waitMs: WAIT_MS, signal })
    if (messages.length === 0) {
      this.#moveTo(level, nextOffset)
      return
    }
    const now = clock.now()
    const due = dueMessages(messages, delayMs, now)
    await this.#putAll(level, messages.slice(0, due))
    if (due > 0) this.#moveTo(level, due === messages.length ? nextOffset : messages[due]!.queueOffset)
    const next = messages[due]
    if (next !== undefined) await this.#sleep(Math.min(LONGEST_SLEEP_MS, next.storeTimestamp + delayMs - now))
  }

  async #putAll(level: number, messages: readonly StoredMessage[]): Promise<void> {
    const { store, onProblem } = this.#parts
    // All are made before the first is put: what is thrown for one leaves no put behind that nobody waits for.
    const copies = messages.map((stored) => deliveredMessage(stored))
    const puts = copies.map((copy) => (copy === undefined ? undefined : store.put(copy)))
    const [failed] = await failedPuts(puts, onProblem)
    if (failed === undefined) return
    // Those behind it that were stored are delivered again with it: at least once.
    this.#moveTo(level, messages[failed.at]!.queueOffset)
    throw failed.error
  }

  #moveTo(level: number, offset: number): void {
    if (this.#offsets.get(level) === offset || (offset === 0 && !this.#offsets.has(level))) return
    this.#offsets.set(level, offset)
    this.#isChanged = true
  }

  #sleep(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const wake = (): void => {
        timer?.cancel()
        this.#sleeping.delete(wake)
        resolve()
      }
      this.#sleeping.add(wake)
      timer = this.#parts.timers.after(ms, wake)
    })
  }
}

/** How many messages, from the first on, are due; one that is due impossibly far ahead was stored by a clock that was wrong. */
function dueMessages(messages: readonly StoredMessage[], delayMs: number, now: number): number {
  const waiting = messages.findIndex(({ storeTimestamp }) => storeTimestamp + delayMs > now && storeTimestamp <= now)
  return waiting < 0 ? messages.length : waiting
}

/** Where a message is on its way to. */
const PLACE = [SystemProperty.realTopic, SystemProperty.realQueueId] as const
const PLACE_NAMES = propertyNames(PLACE)

/** What is asked of a message that is to be delivered: the first two values are for {@link deliveredMessage}. */
export function propertiesWithPlace(...others: readonly string[]): PropertyNames {
  return propertyNames([...PLACE, ...others])
}

/**
 * The message that waited, on its way to its own topic; `undefined` for one that nobody may deliver.
 *
 * @param place - the values of its properties that {@link propertiesWithPlace} names
 */
export function deliveredMessage(stored: StoredMessage, place = stored.values(PLACE_NAMES)): Message | undefined {
  const topic = place[0]
  const queueId = Number(place[1] ?? 0)
  if (topic === undefined || topic === HALF_TOPIC || !Number.isSafeInteger(queueId)) return undefined
  const { flag, sysFlag, bornTimestamp, bornHost, reconsumeTimes } = stored
  // As in RocketMQ, the properties still say where and how long the message waited.
  const { body, encodedProperties } = stored.shared
  return { topic, queueId, body, flag, sysFlag, bornTimestamp, bornHost, reconsumeTimes, encodedProperties }
}
