/**
 * How the queues of a topic are shared among the members of a group: RocketMQ's strategies, result for result.
 *
 * Nobody hands out queues. Every member works out its own share from the same two sorted lists, so all of them
 * must compute exactly alike, whatever language they are written in. The consistent hash and the strategies that
 * look at rooms have files of their own.
 */
import { checkFunction, checkObject, checkString } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { MessageQueue } from './message-queue.js'

/** Shares queues among the members of a group. */
export interface AllocationStrategy {
  /** RocketMQ's name of it, such as `AVG`. Members of a group must use the same one. */
  readonly name: string
  /**
   * The share of one member.
   *
   * @param consumerGroup - the group; none of RocketMQ's strategies looks at it
   * @param clientId - the member whose share is asked for; one that is not in `clientIds` gets nothing
   * @param queues - all queues of the topic, sorted as by `compareQueues`
   * @param clientIds - all members, sorted
   * @throws {RangeError} for an empty `clientId` and for empty lists
   */
  allocate(
    consumerGroup: string,
    clientId: string,
    queues: readonly MessageQueue[],
    clientIds: readonly string[],
  ): readonly MessageQueue[]
}

/**
 * Whether the member takes part at all.
 *
 * @throws {RangeError} for an empty `clientId` and for empty lists
 */
export function isMember(clientId: string, queues: readonly MessageQueue[], clientIds: readonly string[]): boolean {
  if (clientId === '') throw new RangeError(`clientId must not be empty, got ${shown(clientId)}`)
  if (queues.length === 0) throw new RangeError('queues must not be empty, got none to share')
  if (clientIds.length === 0) throw new RangeError('clientIds must not be empty, got no member')
  return clientIds.includes(clientId)
}

/** @throws {TypeError} when something is no strategy */
export function checkStrategy(what: string, strategy: unknown): void {
  if (typeof strategy === 'string') {
    throw new TypeError(`${what} must be an object such as average, which mqlite exports, got ${shown(strategy)}`)
  }
  checkObject(what, strategy)
  const { name, allocate } = strategy as { readonly name?: unknown; readonly allocate?: unknown }
  checkString(`${what}.name`, name)
  checkFunction(`${what}.allocate`, allocate)
}

/** `AVG`, RocketMQ's default: contiguous blocks in order; the first members get one more when it does not come out even. */
export const average: AllocationStrategy = {
  name: 'AVG',
  allocate(_consumerGroup, clientId, queues, clientIds) {
    if (!isMember(clientId, queues, clientIds)) return []
    const index = clientIds.indexOf(clientId)
    const size = Math.floor(queues.length / clientIds.length)
    const longer = queues.length % clientIds.length
    const start = index * size + Math.min(index, longer)
    return queues.slice(start, start + size + (index < longer ? 1 : 0))
  },
}

/** `AVG_BY_CIRCLE`: queues are dealt out one by one, as cards are. */
export const averageByCircle: AllocationStrategy = {
  name: 'AVG_BY_CIRCLE',
  allocate(_consumerGroup, clientId, queues, clientIds) {
    if (!isMember(clientId, queues, clientIds)) return []
    const index = clientIds.indexOf(clientId)
    return queues.filter((_, i) => i % clientIds.length === index)
  },
}

/** `CONFIG`: always the given queues, whoever asks. They are not looked at, and neither is what `allocate` gets. */
export function byConfig(queues: readonly MessageQueue[]): AllocationStrategy {
  if (!Array.isArray(queues)) throw new TypeError(`queues must be an array, got ${shown(queues)}`)
  return { name: 'CONFIG', allocate: () => queues }
}

/** The strategies that a broker computes for clients that ask it to (request 400), by name. RocketMQ's has no others. */
export const brokerStrategies: ReadonlyMap<string, AllocationStrategy> = new Map(
  [average, averageByCircle].map((strategy) => [strategy.name, strategy]),
)
