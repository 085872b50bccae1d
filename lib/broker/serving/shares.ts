/** Shares of queues that the broker works out for clients which leave that to it, and locks of queues for those in order. */

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
}

type Parts = Pick<ServedParts, 'store' | 'topics' | 'registry'>

/** The queues of a client; of a client that is no member none. `undefined` when there is no strategy of that name. */
export function shareOf(parts: Parts, request: ShareRequest): readonly MessageQueue[] | undefined {
  const { topic, group, clientId, model } = request
  const strategy: AllocationStrategy | undefined = brokerStrategies.get(request.strategy)
  if (strategy === undefined) return undefined
  const queues = queuesOf(parts, topic)
  if (model === 'BROADCASTING' || queues.length === 0) return queues
  const clientIds = parts.registry.clientIds(group)
  return clientIds.length === 0 ? [] : strategy.allocate(group, clientId, queues, clientIds)
}

/** Of some queues those that are here: locks of others would only fill the table. */
export function queuesHere({ store, topics }: Pick<Parts, 'store' | 'topics'>, queues: readonly MessageQueue[]): MessageQueue[] {
  return queues.filter(({ topic, brokerName, queueId }) => {
    const found = topics.find(topic)
    if (found === undefined || brokerName !== store.brokerName || queueId < 0) return false
    return queueId < Math.max(found.readQueues, found.writeQueues)
  })
}

function queuesOf({ store, topics }: Parts, topic: string): MessageQueue[] {
  const { readQueues } = topics.find(topic) ?? { readQueues: 0 }
  const { brokerName } = store
  return Array.from({ length: readQueues }, (_, queueId) => ({ topic, brokerName, queueId })).sort(compareQueues)
}
