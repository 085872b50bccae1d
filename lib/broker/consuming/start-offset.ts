/**
 * Where a group begins in a queue that it has never consumed (spec: `consumeFromWhere`).
 *
 * As in RocketMQ, a group begins at the first message of a queue from which nothing has expired yet, even when it asks
 * for the last one: its messages may have been sent for a consumer that was about to come. RocketMQ does so too when it
 * asks for a time; here it gets what it asks for. A broadcasting member that asks for the last gets it. `last` is where
 * the queue ended when the consumer came, so that what is sent right after that is not missed.
 */
import { checkRequest, checkWhole, fieldNames, wrongValue } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { ReadPort } from '../store-port.js'

/** Where to begin: at the end, at the first message, or at the first one stored at a time. */
export type StartAt = 'last' | 'first' | Date | number

/** @throws {TypeError} {@link RangeError} when it says nowhere */
export function checkStartAt(startAt: unknown, name = 'startAt'): void {
  if (startAt === 'last' || startAt === 'first') return
  const time = startAt instanceof Date ? startAt.getTime() : startAt
  if (Number.isSafeInteger(time) && (time as number) >= 0) return
  const Kind = typeof time === 'number' || typeof time === 'string' ? RangeError : TypeError
  throw new Kind(`${name} must be 'last', 'first', a Date or milliseconds since 1970, got ${shown(startAt)}`)
}

const targetFields = fieldNames<'offset'>({ offset: true })

/** @throws {TypeError} {@link RangeError} when it is no place in a queue: neither an end of it, nor a time, nor an offset */
export function checkTarget(to: unknown): void {
  if (typeof to === 'object' && to !== null && 'offset' in to) {
    checkRequest(to, targetFields, 'to')
    checkWhole('to.offset', to.offset)
  } else if (to === 'first' || to === 'last' || to instanceof Date) checkStartAt(to, 'to')
  else throw wrongValue('string', 'to', "'first', 'last', a Date or { offset }", to)
}

/** A queue that a group begins with. */
export interface NewQueue {
  readonly topic: string
  readonly queueId: number
  /** Where it ended when the consumer came. */
  readonly end: number
}

/** The offset at which a group begins. Retried messages are always read from their first. */
export async function startOffset(
  store: Pick<ReadPort, 'bounds' | 'offsetByTime'>,
  { topic, queueId, end }: NewQueue,
  { startAt, model }: { readonly startAt: StartAt; readonly model: 'clustering' | 'broadcasting' },
): Promise<number> {
  const { minOffset } = store.bounds(topic, queueId)
  if (startAt === 'first' || topic.startsWith('%RETRY%')) return minOffset
  if (startAt === 'last') return minOffset === 0 && model === 'clustering' ? 0 : Math.max(minOffset, end)
  return positionOf(store, topic, queueId, startAt)
}

/** The offset that a place in a queue stands for: its ends, or a time. */
export async function positionOf(
  store: Pick<ReadPort, 'bounds' | 'offsetByTime'>,
  topic: string,
  queueId: number,
  place: StartAt,
): Promise<number> {
  const { minOffset, maxOffset } = store.bounds(topic, queueId)
  if (place === 'first') return minOffset
  if (place === 'last') return maxOffset
  return store.offsetByTime(topic, queueId, place instanceof Date ? place.getTime() : place, 'lower')
}

/** The offset of a place that somebody moves to. @throws {RangeError} when that is neither in the queue nor its end */
export async function placeOf(
  store: Pick<ReadPort, 'bounds' | 'offsetByTime'>,
  topic: string,
  queueId: number,
  to: StartAt | { readonly offset: number },
): Promise<number> {
  if (typeof to !== 'object' || !('offset' in to)) return positionOf(store, topic, queueId, to)
  const { minOffset, maxOffset } = store.bounds(topic, queueId)
  if (to.offset >= minOffset && to.offset <= maxOffset) return to.offset
  throw new RangeError(`offset must be ${minOffset} to ${maxOffset} in ${topic}/${queueId}, got ${to.offset}`)
}
