/** What a program says when it begins to consume. */
import {
  checkBoolean,
  checkChoice,
  checkObject,
  checkRequest,
  checkSignal,
  fieldNames,
  wholeBetween,
  wrongValue,
} from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import { checkGroup } from '../config/groups.js'
import type { FilterExpression } from '../filter/message-filter.js'
import { type AllocationStrategy, checkStrategy } from '../group/strategies.js'
import { type OnceOptions, type ResolvedOnceOptions, resolveOnce } from '../idempotence/once-options.js'
import { checkStartAt, type StartAt } from './start-offset.js'

/** Options of {@link Broker.consumer}. */
export interface ConsumerOptions {
  /** The group: its members share the topics' queues and the group's offsets. */
  readonly group: string
  /** Topics with the filter for each: `'*'`, tags joined by `||`, or `{ sql }`. All members of a group say the same. */
  readonly subscribe: Readonly<Record<string, FilterExpression>>
  /**
   * `clustering`: each message goes to one member. `broadcasting`: to every one; a failure is told and not tried again.
   *
   * @default 'clustering'
   */
  readonly model?: 'clustering' | 'broadcasting'
  /** One message of a queue at a time, and a failing one holds its queue. @default false */
  readonly ordered?: boolean
  /**
   * Where a new group begins. As in RocketMQ, `last` is the first message of a queue from which nothing has expired; of a
   * broadcasting member it is the end.
   *
   * @default 'last'
   */
  readonly startAt?: StartAt
  /** How often a message is tried again before it is a dead letter. @default the group's: 16; ordered: without end */
  readonly maxRetries?: number
  /** Milliseconds after which a delivery that nobody settled counts as failed. @default 900,000 */
  readonly consumeTimeoutMs?: number
  /** Most deliveries that are out at once. @default 1000 */
  readonly maxInFlight?: number
  /** Milliseconds that an ordered queue waits before it tries a failing message again. @default 1000 */
  readonly suspendMs?: number
  /** Milliseconds that a queue which goes to another member waits for what is out. @default 20,000 */
  readonly handOverMs?: number
  /** How queues are shared out. @default average */
  readonly strategy?: AllocationStrategy
  /**
   * Name of this member, which no other of its group may have in this process until it is closed. A broadcasting member
   * keeps its offsets under it.
   *
   * @default one that nobody else has
   */
  readonly name?: string
  /**
   * Drops what the group has acknowledged before, as producers that try again and re-deliveries bring it. An effect of a
   * handler happens twice only when a crash comes between the effect and the end of its ack, or two copies are out at once.
   */
  readonly once?: OnceOptions
  /** Closes the consumer. */
  readonly signal?: AbortSignal
}

/** Options with every default filled in. */
export interface ResolvedConsumerOptions
  extends Required<Omit<ConsumerOptions, 'maxRetries' | 'strategy' | 'name' | 'once' | 'signal'>>,
    Pick<ConsumerOptions, 'maxRetries' | 'strategy' | 'name' | 'signal'> {
  readonly once?: ResolvedOnceOptions
}

/** What a timer can count; RocketMQ's own numbers have 32 bits. */
const MOST = 0x7fffffff

const optionFields = fieldNames<keyof ConsumerOptions>({
  group: true,
  subscribe: true,
  model: true,
  ordered: true,
  startAt: true,
  maxRetries: true,
  consumeTimeoutMs: true,
  maxInFlight: true,
  suspendMs: true,
  handOverMs: true,
  strategy: true,
  name: true,
  once: true,
  signal: true,
})

/** Checks options and fills in defaults. @throws {TypeError} {@link RangeError} naming option, value and what was expected */
export function resolveConsumerOptions(options: ConsumerOptions): ResolvedConsumerOptions {
  checkRequest(options, optionFields, 'the options object of a consumer')
  checkGroup(options.group)
  const resolved = {
    model: 'clustering' as const,
    ordered: false,
    startAt: 'last' as const,
    consumeTimeoutMs: 900_000,
    maxInFlight: 1000,
    suspendMs: 1000,
    handOverMs: 20_000,
    ...withoutUndefined(options),
  }
  const { subscribe, model, ordered, startAt, maxRetries, name, signal, strategy } = resolved
  checkSubscribe(subscribe)
  checkChoice('model', model, ['clustering', 'broadcasting'])
  checkBoolean('ordered', ordered)
  checkStartAt(startAt)
  wholeBetween('consumeTimeoutMs', resolved.consumeTimeoutMs, 1, MOST)
  wholeBetween('maxInFlight', resolved.maxInFlight, 1, MOST)
  wholeBetween('suspendMs', resolved.suspendMs, 0, MOST)
  wholeBetween('handOverMs', resolved.handOverMs, 0, MOST)
  if (maxRetries !== undefined) wholeBetween('maxRetries', maxRetries, 0, MOST)
  if (name !== undefined && (typeof name !== 'string' || !/^[\w.@#-]{1,255}$/.test(name)))
    throw wrongValue('string', 'name', '1 to 255 letters, digits, ., @, #, _ and -', name)
  if (strategy !== undefined) checkStrategy('strategy', strategy)
  checkSignal(signal)
  const { once, ...rest } = resolved
  return once === undefined ? rest : { ...rest, once: resolveOnce(once, model) }
}

/** @throws {TypeError} {@link RangeError} when no topic is named */
export function checkSubscribe(subscribe: unknown): void {
  checkObject('subscribe', subscribe)
  if (Object.keys(subscribe).length === 0) throw new RangeError(`subscribe must name at least one topic, got ${shown(subscribe)}`)
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
