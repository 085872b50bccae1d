/** Shares of queues that the broker works out for clients which leave that to it, and locks of queues for those in order. */
import type { RequestMode } from '../config/request-modes.js'
import { RETRY_PREFIX } from '../config/system-topics.js'
import { BrokerError } from '../errors.js'
import type { ConsumeModel } from '../group/members.js'
import { compareQueues, type MessageQueue } from '../group/message-queue.js'
import { type AllocationStrategy, brokerStrategies } from '../group/strategies.js'
import type { ServedParts } from './served.js'

/** Whose share of what is asked for. */
export interface ShareRequest {
  readonly topic: string
  readonly group: string
  readonly clientId: string
  readonly model: ConsumeModel
  /** Name of the strategy. */
  readonly strategy: string
  /** Queues of the topic on other brokers: clients ask one broker for their share of all. */
  readonly elsewhere: readonly MessageQueue[]
}

type Parts = Pick<ServedParts, 'store' | 'topics' | 'registry' | 'requestModes'>

/** What a client gets its messages from, and how. */
export interface Share {
  readonly mode: RequestMode['mode']
  /** Queues; of clients that pop, -1 stands for all queues of the topic on that broker. */
  readonly queues: readonly MessageQueue[]
}

/** The share of a client; of a client that is no member nothing. `undefined` when there is no strategy of that name. */
export function shareOf(parts: Parts, request: ShareRequest): Share | undefined {
  const { topic, group, clientId, model } = request
  const strategy: AllocationStrategy | undefined = brokerStrategies.get(request.strategy)
  if (strategy === undefined) return undefined
  const { mode, sharedBy } = parts.requestModes.get(topic, group)
  const queues = queuesFor(parts, request)
  if (model === 'BROADCASTING' || queues.length === 0) return { mode, queues }
  const clientIds = parts.registry.clientIds(group)
  if (clientIds.length === 0) return { mode, queues: [] }
  const own = (id: string): readonly MessageQueue[] => strategy.allocate(group, id, queues, clientIds)
  if (mode === 'PULL') return { mode, queues: own(clientId) }
  if (sharedBy <= 0 || sharedBy >= clientIds.length - 1) return { mode, queues: wholeTopic(queues) }
  const at = clientIds.indexOf(clientId)
  // With as many members as there are queues or fewer, each helps those that come before it.
  const helped = at < 0 || clientIds.length > queues.length ? 0 : sharedBy
  const all = Array.from({ length: helped + 1 }, (_, i) => own(i === 0 ? clientId : clientIds[(at + i) % clientIds.length]!))
  return { mode, queues: [...new Set(all.flat())] }
}

/**
 * Says how a group that leaves the sharing of queues to the broker gets its messages.
 *
 * @throws {BrokerError} `TOPIC_REFUSED` for the retries of a group, which are always pulled, `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`
 *   where groups are not made by themselves
 */
export async function setRequestMode(
  { topics, groups, requestModes }: Pick<ServedParts, 'topics' | 'groups' | 'requestModes'>,
  topic: string,
  group: string,
  mode: RequestMode,
): Promise<void> {
  if (topic.startsWith(RETRY_PREFIX)) throw new BrokerError('TOPIC_REFUSED', 'retry topic is not allowed to set mode')
  topics.get(topic)
  // It may be said before the first consumer of the group comes.
  await groups.forConsuming(group)
  await requestModes.put(topic, group, mode)
}

/** Of some queues those that are here: locks of others would only fill the table. */
export function queuesHere({ store, topics }: Pick<Parts, 'store' | 'topics'>, queues: readonly MessageQueue[]): MessageQueue[] {
  return queues.filter(({ topic, brokerName, queueId }) => {
    const found = topics.find(topic)
    if (found === undefined || brokerName !== store.brokerName || queueId < 0) return false
    return queueId < Math.max(found.readQueues, found.writeQueues)
  })
}

/** All that a group shares: nothing of other brokers when consumers of this process are in it, which read nothing there. */
function queuesFor({ store, topics, registry }: Parts, { topic, group, elsewhere }: ShareRequest): MessageQueue[] {
  const { readQueues } = topics.find(topic) ?? { readQueues: 0 }
  const { brokerName } = store
  const own = Array.from({ length: readQueues }, (_, queueId) => ({ topic, brokerName, queueId }))
  const isOnlyHere = elsewhere.length === 0 || registry.members(group).some(({ isLocal }) => isLocal)
  return (isOnlyHere ? own : [...own, ...elsewhere]).sort(compareQueues)
}

/** The topic on each of its brokers. */
function wholeTopic(queues: readonly MessageQueue[]): MessageQueue[] {
  const byBroker = new Map(queues.map((queue) => [queue.brokerName, { ...queue, queueId: -1 }]))
  return [...byBroker.values()]
}
