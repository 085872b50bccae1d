/** What programs send, and what they get for it. */
import {
  checkObject,
  checkString,
  checkWhole,
  fieldNames,
  refuseUnknown,
  wholeBetween,
  wrongValue,
} from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { Clock } from '../../base/system.js'
import type { Message, PutReceipt, PutStatus } from '../../store/message.js'
import { isReservedProperty, SystemProperty } from '../system-property.js'

/** A message to send. Everything is copied before `send` returns. */
export interface SendRequest extends Pick<Message, 'topic' | 'body' | 'tags' | 'keys' | 'properties' | 'flag'> {
  /** The queue of the topic. @default the one that the sharding key stands for, or else each in turn */
  readonly queueId?: number
  /** Messages with the same key go to the same queue, and so stay in order. */
  readonly shardingKey?: string
  /**
   * 1 to 255 characters without spaces. A message with a key that was sent to the topic before, within the option
   * `idempotence.windowMs`, is refused with `MESSAGE_REPEATED`. It is found by the key `idempotency:...` as well.
   */
  readonly idempotencyKey?: string
  /** One of the store's delay levels, from 1 on. As they come, 1 is a second and 18 are two hours. */
  readonly delayLevel?: number
  /** Milliseconds until the message is delivered, at most the option `maxDelayMs`; it comes at the next whole second. */
  readonly delayMs?: number
  /** When the message is delivered, a date or milliseconds since 1970. */
  readonly deliverAt?: Date | number
}

const requestFields = fieldNames<keyof SendRequest>({
  topic: true,
  body: true,
  tags: true,
  keys: true,
  properties: true,
  flag: true,
  queueId: true,
  shardingKey: true,
  idempotencyKey: true,
  delayLevel: true,
  delayMs: true,
  deliverAt: true,
})

/** Where a message was sent, and the id by which it is known. */
export class SendReceipt {
  /** The topic that it was sent to. */
  readonly topic: string
  /** The id that all copies of the message share: retried, delayed and dead ones too. */
  readonly uniqueKey: string
  /** When the message is to be delivered, milliseconds since 1970; `undefined` when it waits for no time. */
  readonly deliverAt: number | undefined
  readonly #put: PutReceipt

  constructor(put: PutReceipt, topic: string, uniqueKey: string, deliverAt?: number) {
    this.#put = put
    this.deliverAt = deliverAt
    this.topic = topic
    this.uniqueKey = uniqueKey
  }

  /** How the put ended. */
  get status(): PutStatus {
    return this.#put.status
  }

  /** The queue; of a delayed or half message, the queue in which it waits. */
  get queueId(): number {
    return this.#put.queueId
  }

  /** Its offset there. */
  get queueOffset(): number {
    return this.#put.queueOffset
  }

  /** Address of its record in the log. */
  get commitLogOffset(): number {
    return this.#put.commitLogOffset
  }

  /** When it was stored, milliseconds since 1970. */
  get storeTimestamp(): number {
    return this.#put.storeTimestamp
  }

  /** RocketMQ's offset message id. */
  get messageId(): string {
    return this.#put.messageId
  }

  /** A plain object, for JSON. */
  toJSON(): Record<string, unknown> {
    const { topic, uniqueKey, deliverAt, status, queueId, queueOffset, commitLogOffset, storeTimestamp, messageId } = this
    const at = deliverAt === undefined ? {} : { deliverAt }
    return { status, topic, queueId, queueOffset, commitLogOffset, storeTimestamp, messageId, uniqueKey, ...at }
  }
}

/**
 * Refuses what is no request, cheaply: it is on the way of every message.
 *
 * @throws {TypeError} {@link RangeError} naming field, value and what was expected
 */
export function checkSendRequest(request: SendRequest): void {
  checkObject('a message', request)
  checkFields(request)
  const { topic, properties, queueId, shardingKey, idempotencyKey } = request
  checkString('topic', topic)
  if (properties !== undefined) {
    checkObject('properties', properties)
    for (const name in properties)
      if (isReservedProperty(name)) throw new RangeError(`property ${shown(name)} is the system's own`)
  }
  if (shardingKey !== undefined && (typeof shardingKey !== 'string' || shardingKey === ''))
    throw wrongValue('string', 'shardingKey', 'a string that is not empty', shardingKey)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they separate properties.
  if (idempotencyKey !== undefined && (typeof idempotencyKey !== 'string' || !/^[^\s\x00-\x1f]{1,255}$/.test(idempotencyKey)))
    throw wrongValue('string', 'idempotencyKey', '1 to 255 characters without spaces', idempotencyKey)
  if (queueId !== undefined) checkWhole('queueId', queueId)
  if (queueId !== undefined && shardingKey !== undefined) throw new TypeError('give queueId or shardingKey, not both')
}

/** Refuses a field that nothing reads. The names are in a switch: to ask a set for each costs several times as much. */
function checkFields(request: SendRequest): void {
  for (const name in request) {
    const field = name as keyof SendRequest
    switch (field) {
      case 'topic':
      case 'body':
      case 'tags':
      case 'keys':
      case 'properties':
      case 'flag':
      case 'queueId':
      case 'shardingKey':
      case 'idempotencyKey':
      case 'delayLevel':
      case 'delayMs':
      case 'deliverAt':
        continue
      default:
        field satisfies never
        refuseUnknown('a message', request, requestFields)
    }
  }
}

/** The properties by which RocketMQ's clients ask for what a request asks for; `undefined` when it asks for nothing. */
export function systemPropertiesOf(
  request: SendRequest,
  clock: Pick<Clock, 'now'>,
  levels: number,
): Record<string, string> | undefined {
  const { shardingKey, delayLevel, delayMs, deliverAt } = request
  if (shardingKey === undefined && delayLevel === undefined && delayMs === undefined && deliverAt === undefined) return undefined
  if ([delayLevel, delayMs, deliverAt].filter((one) => one !== undefined).length > 1)
    throw new TypeError('give one of delayLevel, delayMs and deliverAt, not several')
  const asked: Record<string, string> = {}
  if (shardingKey !== undefined) asked[SystemProperty.shardingKey] = shardingKey
  if (delayLevel !== undefined) asked[SystemProperty.delayLevel] = String(wholeBetween('delayLevel', delayLevel, 1, levels))
  if (delayMs !== undefined) {
    const now = clock.now()
    asked[SystemProperty.deliverAtMs] = String(now + wholeBetween('delayMs', delayMs, 0, Number.MAX_SAFE_INTEGER - now))
  }
  if (deliverAt !== undefined) asked[SystemProperty.deliverAtMs] = String(timeOf(deliverAt))
  return asked
}

function timeOf(deliverAt: Date | number): number {
  const time = deliverAt instanceof Date ? deliverAt.getTime() : deliverAt
  return wholeBetween('deliverAt', time, 0, Number.MAX_SAFE_INTEGER)
}
