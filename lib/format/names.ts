/** Every name in a store directory, both directions, and the rules for names that become part of one. */
import { checkString } from '../base/arguments.js'
import { MessageStoreError, shown } from '../base/errors.js'

/** Most bytes of a topic name. */
export const MAX_TOPIC_BYTES = 127
/** Most bytes of the name of a retry or dead-letter topic. */
export const MAX_RETRY_TOPIC_BYTES = 255

const SEGMENT_NAME = /^[0-9]{20}$/
/** Brokers that pop name the retries of a topic after group and topic, with a plus between them. */
const TOPIC = /^(?:%RETRY%[%|a-zA-Z0-9_-]+\+)?[%|a-zA-Z0-9_-]+$/

/** The name of the segment that starts at an address: 20 decimal digits. */
export function segmentName(start: number): string {
  return String(start).padStart(20, '0')
}

/** The address that a segment's name stands for, or `undefined` when it is no such name. */
export function parseSegmentName(name: string): number | undefined {
  if (!SEGMENT_NAME.test(name)) return undefined
  const start = Number(name)
  return Number.isSafeInteger(start) ? start : undefined
}

/** The name of an index file made at a time: local `yyyyMMddHHmmssSSS`. */
export function indexFileName(ms: number): string {
  const date = new Date(ms)
  const two = (n: number): string => String(n).padStart(2, '0')
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`
  return `${day}${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** The time that the name of an index file stands for, in milliseconds since 1970. */
export function indexFileTime(name: string): number {
  const at = (from: number, to: number): number => Number(name.slice(from, to))
  return new Date(at(0, 4), at(4, 6) - 1, at(6, 8), at(8, 10), at(10, 12), at(12, 14), at(14, 17)).getTime()
}

/** Whether a name is one of an index file. */
export function isIndexFileName(name: string): boolean {
  return /^[0-9]{17}$/.test(name)
}

/** The id that the name of a queue's directory stands for, or `undefined`. */
export function parseQueueId(name: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,9})$/.test(name)) return undefined
  const id = Number(name)
  return id <= 0x7fffffff ? id : undefined
}

/**
 * Checks a topic name. It becomes the name of a directory, so nothing else may pass.
 *
 * @throws {MessageStoreError} `TOPIC_INVALID` naming the value and the rule
 */
export function checkTopic(topic: string): void {
  checkString('topic', topic)
  const limit = topic.startsWith('%RETRY%') || topic.startsWith('%DLQ%') ? MAX_RETRY_TOPIC_BYTES : MAX_TOPIC_BYTES
  if (!TOPIC.test(topic))
    throw new MessageStoreError('TOPIC_INVALID', `${shown(topic)} must consist of letters, digits, %, |, _ and -`)
  if (topic.length > limit)
    throw new MessageStoreError('TOPIC_INVALID', `${shown(topic)} has ${topic.length} bytes, at most ${limit} are allowed`)
}

/** Whether a topic name passes {@link checkTopic}. */
export function isTopic(topic: string): boolean {
  const limit = topic.startsWith('%RETRY%') || topic.startsWith('%DLQ%') ? MAX_RETRY_TOPIC_BYTES : MAX_TOPIC_BYTES
  return TOPIC.test(topic) && topic.length <= limit
}
