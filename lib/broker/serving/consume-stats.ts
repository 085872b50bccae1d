/** How far groups are, as administrators ask for it. */
import { storeTimeAt } from './queue-facts.js'
import type { ServedParts } from './served.js'

/** How far a group is in a queue. */
export interface QueueProgress {
  readonly topic: string
  readonly queueId: number
  /** What the next message of the queue will get. */
  readonly maxOffset: number
  /** What the group consumes next; 0 when it never did. */
  readonly offset: number
  /** Where clients elsewhere fetch next for it; never before `offset`. */
  readonly pulled: number
  /** When the message before that was stored, milliseconds since 1970; 0 when there is none. */
  readonly lastTimestamp: number
}

type Parts = Pick<ServedParts, 'offsets' | 'store' | 'topics' | 'registry'>

/** The topics that a group consumes, or did, sorted. */
export function topicsOf({ offsets, registry }: Parts, group: string): string[] {
  const consumed = [...offsets.entries()].filter((entry) => entry.group === group).map(({ topic }) => topic)
  return [...new Set([...consumed, ...registry.subscriptions(group).keys()])].sort()
}

/** The same for many groups: what is kept of all is looked through once, not once for each of them. */
export function topicsOfEach({ offsets, registry }: Parts, groups: readonly string[]): Map<string, string[]> {
  const topics = new Map(groups.map((group) => [group, new Set(registry.subscriptions(group).keys())]))
  for (const { group, topic } of offsets.entries()) topics.get(group)?.add(topic)
  return new Map([...topics].map(([group, names]) => [group, [...names].sort()]))
}

/** The groups that consume a topic, or did, sorted. */
export function groupsOf({ offsets, registry }: Parts, topic: string): string[] {
  return [...new Set([...offsets.groupsOf(topic), ...registry.groupsOf(topic)])].sort()
}

/** How far a group is, in the topics given; those that there are not are passed over. */
export async function progressOf(parts: Parts, group: string, topics: readonly string[]): Promise<QueueProgress[]> {
  const { offsets, store } = parts
  const progress: QueueProgress[] = []
  for (const topic of topics) {
    const { readQueues } = parts.topics.find(topic) ?? { readQueues: 0 }
    for (let queueId = 0; queueId < readQueues; queueId++) {
      const { minOffset, maxOffset } = store.bounds(topic, queueId)
      const offset = Math.max(0, offsets.find(topic, group, queueId) ?? 0)
      const isThere = offset > minOffset && offset <= maxOffset
      const last = isThere ? await storeTimeAt(store, topic, queueId, offset - 1) : undefined
      const pulled = Math.max(offset, offsets.pulled(topic, group, queueId) ?? 0)
      progress.push({ topic, queueId, maxOffset, offset, pulled, lastTimestamp: last ?? 0 })
    }
  }
  return progress
}
