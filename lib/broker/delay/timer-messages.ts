/**
 * What messages for a time ahead look like: as they are sent, as they wait, as they are cancelled, as they are put again
 * before their segment expires, and as they are delivered. (`HookUtils`, `TimerMessageStore`, `RecallMessageProcessor`.)
 *
 * Times are kept in whole seconds. `TIMER_OUT_MS` is the last full second before the message is due: it is delivered a
 * second after that, never early and at most a second late.
 */
import { shown } from '../../base/errors.js'
import { encodeProperties } from '../../format/properties.js'
import { SysFlag } from '../../format/record.js'
import type { Message } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { TIMER_TOPIC } from '../config/system-topics.js'
import { BrokerError } from '../errors.js'
import { SystemProperty, withProperties } from '../system-property.js'
import { delayLevelOf, deliveredMessage, propertiesWithPlace, waitingMessage } from './schedule.js'

/** The furthest time that the timer's heap can hold, seconds since 1970. */
const LAST_SECOND = 2 ** 32 - 1
/** Near the limit of properties nothing is added to them. */
const ROOMY_PROPERTIES_BYTES = 32_000

/** What delays are checked against. */
export interface DelayRules {
  readonly now: number
  /** How far ahead a message may be due, milliseconds. */
  readonly maxDelayMs: number
  /** How many delay levels there are. */
  readonly levels: number
}

/** The message as it waits for its level or time, or as it is when it asks for no delay. @throws {BrokerError} `DELAY_INVALID` */
export function delayedMessage(message: Message, rules: DelayRules): Message {
  const { properties = {}, sysFlag = 0 } = message
  const transaction = sysFlag & SysFlag.transactionMask
  // Half messages and their ends are not delayed; what becomes of a committed one is.
  if (transaction !== 0 && transaction !== SysFlag.transactionCommit) return message
  const level = delayLevelOf(properties, rules.levels)
  if (level > 0) return waitingMessage(message, level)
  if (message.topic === TIMER_TOPIC || properties[SystemProperty.timerOutMs] !== undefined) return message
  const deliverMs = askedTime(properties, rules.now)
  if (deliverMs === undefined) return message
  const isCancel = properties[SystemProperty.timerCancel] !== undefined
  if (deliverMs <= rules.now) {
    if (isCancel) throw new BrokerError('DELAY_INVALID', 'the message to be cancelled is due already')
    return message
  }
  if (deliverMs - rules.now > rules.maxDelayMs || deliverMs > LAST_SECOND * 1000) {
    const details = { deliverMs, maxDelayMs: rules.maxDelayMs }
    throw new BrokerError('DELAY_INVALID', `due in ${deliverMs - rules.now} ms, at most ${rules.maxDelayMs} are allowed`, {
      details,
    })
  }
  return waitingForTime(message, outMsOf(deliverMs))
}

/** The last full second before a time. */
export function outMsOf(deliverMs: number): number {
  return (Math.ceil(deliverMs / 1000) - 1) * 1000
}

function askedTime(properties: Readonly<Record<string, string>>, now: number): number | undefined {
  const { delaySeconds, delayMs, deliverAtMs } = SystemProperty
  for (const [name, factor, base] of [
    [delaySeconds, 1000, now],
    [delayMs, 1, now],
    [deliverAtMs, 1, 0],
  ] as const) {
    const value = properties[name]
    if (value === undefined) continue
    const time = /^[+-]?[0-9]{1,19}$/.test(value) ? base + Number(value) * factor : Number.NaN
    if (!Number.isNaN(time)) return time
    throw new BrokerError('DELAY_INVALID', `property ${name} must be a whole number, got ${shown(value)}`)
  }
  return undefined
}

function waitingForTime(message: Message, outMs: number): Message {
  return {
    ...message,
    topic: TIMER_TOPIC,
    queueId: 0,
    properties: withProperties(message.properties, {
      [SystemProperty.timerOutMs]: String(outMs),
      [SystemProperty.realTopic]: message.topic,
      [SystemProperty.realQueueId]: String(message.queueId ?? 0),
    }),
  }
}

/** What cancels a waiting message: it must wait for the same second. */
export function cancelMessage(topic: string, uniqueKey: string, deliverMs: number): Message {
  const properties = {
    [SystemProperty.timerCancel]: `${topic}+${uniqueKey}`,
    [SystemProperty.deliverAtMs]: String(deliverMs),
  }
  return waitingForTime({ topic, body: '0', tags: '_RECALL_TAG_', uniqueKey, properties }, outMsOf(deliverMs))
}

/** When a waiting message is due, seconds since 1970, and what it cancels; `undefined` when it does not say. */
export function waitOf(message: StoredMessage): { second: number; cancels: string | undefined } | undefined {
  const outMs = Number(message.property(SystemProperty.timerOutMs) ?? Number.NaN)
  const second = Math.floor(outMs / 1000) + 1
  if (!(second >= 0 && second <= LAST_SECOND)) return undefined
  return { second, cancels: message.property(SystemProperty.timerCancel) }
}

/** Whether one of these cancellations means the message. RocketMQ before 5.3.2 names the unique key alone. */
export function isCancelled(message: StoredMessage, cancelled: ReadonlySet<string>): boolean {
  const { uniqueKey } = message
  if (uniqueKey === undefined) return false
  return cancelled.has(`${message.property(SystemProperty.realTopic)}+${uniqueKey}`) || cancelled.has(uniqueKey)
}

/** What a message that is due is asked for. */
const DUE = propertiesWithPlace(SystemProperty.timerDequeueMs)

/** The message on its way to its own topic; `undefined` for one that nobody may deliver. */
export function dueMessage(stored: StoredMessage, now: number): Message | undefined {
  const values = stored.values(DUE)
  return stamped(stored, deliveredMessage(stored, values), SystemProperty.timerDequeueMs, String(now), values.at(-1))
}

/** The message as it is put again, to wait on in a younger segment. */
export function rolledMessage(stored: StoredMessage): Message {
  const { body, flag, sysFlag, bornTimestamp, bornHost, reconsumeTimes, encodedProperties } = stored
  const times = stored.property(SystemProperty.timerRollTimes)
  const message = {
    topic: TIMER_TOPIC,
    queueId: 0,
    body,
    flag,
    sysFlag,
    bornTimestamp,
    bornHost,
    reconsumeTimes,
    encodedProperties,
  }
  return stamped(stored, message, SystemProperty.timerRollTimes, String(Number(times ?? 0) + 1), times)
}

/**
 * With a property in front of the others, which stay as they are byte for byte unless it is among them.
 *
 * @param before - its value
 */
function stamped<Given extends Message | undefined>(
  stored: StoredMessage,
  message: Given,
  name: string,
  value: string,
  before: string | undefined,
): Given {
  const encoded = message?.encodedProperties
  if (message === undefined || encoded === undefined || encoded.length > ROOMY_PROPERTIES_BYTES) return message
  if (before !== undefined)
    return { ...message, encodedProperties: encodeProperties(withProperties(stored.properties, { [name]: value })) }
  const bytes = Buffer.allocUnsafe(name.length + value.length + 2 + encoded.length)
  bytes.write(`${name}\x01${value}\x02`, 'latin1')
  bytes.set(encoded, bytes.length - encoded.length)
  return { ...message, encodedProperties: bytes }
}
