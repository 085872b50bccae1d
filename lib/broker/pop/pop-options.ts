/** What a program says when it begins to pop. */

import { checkBoolean, checkRequest, checkSignal, fieldNames, wholeBetween } from '../../base/arguments.js'
import { checkGroup } from '../config/groups.js'
import { checkSubscribe } from '../consuming/consumer-options.js'
import { checkStartAt, type StartAt } from '../consuming/start-offset.js'
import type { FilterExpression } from '../filter/message-filter.js'
import { MAX_INVISIBLE_MS } from './popping.js'

/** Options of {@link Broker.popConsumer}. */
export interface PopConsumerOptions {
  /** The group. Its members share every queue; they must not be mixed with members that are assigned queues. */
  readonly group: string
  /** Topics with the filter for each: `'*'`, tags joined by `||`, or `{ sql }`. */
  readonly subscribe: Readonly<Record<string, FilterExpression>>
  /** Milliseconds for which a message is hidden from the others while this one has it, at most three days. @default 60,000 */
  readonly invisibleMs?: number
  /** Nothing of a queue is handed out while something of it is out. All members of a group say the same. @default false */
  readonly ordered?: boolean
  /**
   * Where a new group begins. As in RocketMQ, `last` is the first message of a queue from which nothing has expired.
   *
   * @default 'last'
   */
  readonly startAt?: StartAt
  /** Milliseconds that closing waits for the functions that `run` has called. @default 20,000 */
  readonly handOverMs?: number
  /** Closes the consumer. */
  readonly signal?: AbortSignal
}

/** Options with every default filled in. */
export interface ResolvedPopOptions extends Required<Omit<PopConsumerOptions, 'signal'>> {
  readonly signal: AbortSignal | undefined
}

const optionFields = fieldNames<keyof PopConsumerOptions>({
  group: true,
  subscribe: true,
  invisibleMs: true,
  ordered: true,
  startAt: true,
  handOverMs: true,
  signal: true,
})

/** Checks options and fills in defaults. @throws {TypeError} {@link RangeError} naming option, value and what was expected */
export function resolvePopOptions(options: PopConsumerOptions): ResolvedPopOptions {
  checkRequest(options, optionFields, 'the options object of a pop consumer')
  checkGroup(options.group)
  const { group, subscribe, signal } = options
  const { invisibleMs = 60_000, ordered = false, startAt = 'last', handOverMs = 20_000 } = options
  checkSubscribe(subscribe)
  wholeBetween('invisibleMs', invisibleMs, 1, MAX_INVISIBLE_MS)
  wholeBetween('handOverMs', handOverMs, 0, 0x7fffffff)
  checkBoolean('ordered', ordered)
  checkStartAt(startAt)
  checkSignal(signal)
  return { group, subscribe, invisibleMs, ordered, startAt, handOverMs, signal }
}
