/**
 * Receipt handles: what a consumer shows to settle a message that it popped. RocketMQ's extra info, the property
 * `POP_CK` of the message.
 *
 * ```
 *  17 1700000000000 60000 3 0 broker-a 2 19
 *  |  pop time      |     | |          | queue offset of the message
 *  |                |     | retry flag queue
 *  start offset     |     revive queue; 999: ordered, without check point
 *                   invisible time
 * ```
 */
import { shown } from '../../base/errors.js'
import { retryTopicOf } from '../config/system-topics.js'
import { BrokerError } from '../errors.js'
import { type CheckPoint, reviveTimeOf } from './check-point.js'

/** The revive queue that ordered consumption names: it has no check points. */
export const ORDERED_REVIVE_QUEUE = 999

/** A handle in words, for errors. */
const SHAPE = 'start offset, pop time, invisible ms, revive queue, retry flag, broker, queue and offset with blanks between'

/** What a handle says of its message. The topic's name is not in it: see {@link Handle.retry}. */
export interface Handle {
  readonly startOffset: number
  readonly popTime: number
  readonly invisibleMs: number
  readonly reviveQueueId: number
  /** 0: the topic itself; 1: `%RETRY%group_topic`; 2: `%RETRY%group+topic`. */
  readonly retry: number
  readonly brokerName: string
  readonly queueId: number
  readonly offset: number
}

/** Messages that a group pops a second time. */
export function popRetryTopicOf(group: string, topic: string): string {
  return `%RETRY%${group}_${topic}`
}

/** All topics in which such messages may be: a broker of RocketMQ on this directory may have used the newer name. */
export function popRetryTopicsOf(group: string, topic: string): readonly string[] {
  return [popRetryTopicOf(group, topic), topicOfHandle(topic, group, 2)]
}

/**
 * All topics in which groups pop messages of one topic again, as far as their names tell them from those of other topics:
 * `%RETRY%a_b_c` may be of group `a` and topic `b_c`, too.
 */
export function popRetriesOf(topic: string, groups: readonly string[], all: readonly { readonly topic: string }[]): string[] {
  const isOfOther = (name: string): boolean =>
    !name.includes('+') && all.some((other) => other.topic !== topic && name.endsWith(`_${other.topic}`))
  return groups.flatMap((group) => popRetryTopicsOf(group, topic)).filter((name) => !isOfOther(name))
}

/** The topic of a queue, by a handle's retry flag. */
export function topicOfHandle(topic: string, group: string, retry: number): string {
  if (retry === 0) return topic
  return retry === 1 ? popRetryTopicOf(group, topic) : `%RETRY%${group}+${topic}`
}

/** The topic that messages were first sent to, by that of their queue. */
export function normalTopicOf(topic: string, group: string): string {
  for (const prefix of [`%RETRY%${group}_`, `%RETRY%${group}+`]) {
    if (topic.startsWith(prefix)) return topic.slice(prefix.length)
  }
  return topic
}

/** The retry flag of a queue's topic: see {@link Handle.retry}. */
export function retryFlagOf(topic: string): 0 | 1 | 2 {
  if (!topic.startsWith('%RETRY%')) return 0
  return topic.includes('+') ? 2 : 1
}

/** The handle of a message, as text. */
export function printHandle(point: CheckPoint, reviveQueueId: number, offset: number): string {
  const { startOffset, popTime, invisibleMs, topic, brokerName, queueId, group } = point
  const retry = topic === retryTopicOf(group) ? 0 : retryFlagOf(topic)
  return [startOffset, popTime, invisibleMs, reviveQueueId, retry, brokerName, queueId, offset].join(' ')
}

/** Reads a handle. @throws {BrokerError} `DELIVERY_UNKNOWN` when it is none */
export function readHandle(text: string): Handle {
  const parts = typeof text === 'string' && text.length <= 1024 ? text.split(' ') : []
  const [startOffset, popTime, invisibleMs, reviveQueueId, retry] = parts.slice(0, 5).map(whole)
  const [brokerName] = parts.slice(5, 6)
  const [queueId, offset] = parts.slice(6, 8).map(whole)
  const numbers = [startOffset, popTime, invisibleMs, reviveQueueId, retry, queueId, offset]
  if (parts.length !== 8 || !brokerName || numbers.some((one) => one === undefined || one < 0) || retry! > 2)
    throw new BrokerError('DELIVERY_UNKNOWN', `a receipt handle must be ${SHAPE}, got ${shown(text)}`)
  return {
    startOffset: startOffset!,
    popTime: popTime!,
    invisibleMs: invisibleMs!,
    reviveQueueId: reviveQueueId!,
    retry: retry!,
    brokerName,
    queueId: queueId!,
    offset: offset!,
  }
}

/** When the time of a handle is over. */
export function handleEnd(handle: Handle): number {
  return reviveTimeOf(handle)
}

function whole(text: string): number | undefined {
  const value = Number(text)
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}
