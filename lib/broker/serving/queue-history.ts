/** What administrators ask about the queues of a group beside how far it is: times, single entries, places of other groups. */
import { javaHash } from '../../format/hash.js'
import { storeTimeAt } from './queue-facts.js'
import type { ServedParts } from './served.js'

/** When the messages of a queue were stored, milliseconds since 1970, as far as there are any. */
export interface QueueTimes {
  readonly queueId: number
  /** Of the first message that is there. */
  readonly first: number | undefined
  /** Of the last one. */
  readonly last: number | undefined
  /** Of the last one that the group has consumed; of the first, if it has none yet. */
  readonly consumed: number | undefined
  /** How long the next one for the group has been there, milliseconds; 0 when there is none. */
  readonly waitingMs: number
}

/** The times of all queues of a topic for a group. @throws {BrokerError} `TOPIC_UNKNOWN` */
export async function queueTimes(
  { base, topics, offsets, store }: ServedParts,
  topic: string,
  group: string,
): Promise<QueueTimes[]> {
  const { readQueues } = topics.get(topic)
  const now = base.ports.clock.now()
  const times: QueueTimes[] = []
  for (let queueId = 0; queueId < readQueues; queueId++) {
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    const at = (offset: number): Promise<number | undefined> | undefined =>
      offset >= minOffset && offset < maxOffset ? storeTimeAt(store, topic, queueId, offset) : undefined
    const offset = Math.max(minOffset, offsets.find(topic, group, queueId) ?? minOffset)
    const [first, last, before, next] = [await at(minOffset), await at(maxOffset - 1), await at(offset - 1), await at(offset)]
    times.push({ queueId, first, last, consumed: before ?? first, waitingMs: next === undefined ? 0 : Math.max(0, now - next) })
  }
  return times
}

/** One entry of a queue: where its record is, and by what it is chosen. */
export interface QueueRow {
  readonly commitLogOffset: number
  readonly size: number
  readonly tagsCode: number
}

/** Entries of a queue from an offset on. @throws {BrokerError} `TOPIC_UNKNOWN` */
export async function queueRows(
  { topics, store }: Pick<ServedParts, 'topics' | 'store'>,
  topic: string,
  queueId: number,
  offset: number,
  count: number,
): Promise<QueueRow[]> {
  topics.get(topic)
  const { minOffset, maxOffset } = store.bounds(topic, queueId)
  const rows: QueueRow[] = []
  for (let from = Math.max(minOffset, offset); from < maxOffset && rows.length < count; ) {
    const { messages, nextOffset } = await store.get({ topic, queueId, offset: from, maxMessages: count - rows.length })
    for (const { commitLogOffset, size, tags } of messages)
      rows.push({ commitLogOffset, size, tagsCode: tags === undefined ? 0 : javaHash(tags) })
    if (nextOffset === from) break
    from = nextOffset
  }
  return rows
}

/**
 * Where a group should be in each queue so that it gets nothing that others have not had yet: where it is, or, where it is
 * ahead of the one that is furthest behind, the largest offset there is.
 *
 * @param without - groups that do not count
 */
export function correctedOffsets(
  { offsets }: Pick<ServedParts, 'offsets'>,
  topic: string,
  group: string,
  without: readonly string[],
): Map<number, number> {
  const others = offsets.groupsOf(topic).filter((one) => !without.includes(one))
  const corrected = new Map<number, number>()
  for (const [queueId, own] of offsets.ofTopic(topic, group)) {
    const least = others.flatMap((one) => offsets.ofTopic(topic, one).get(queueId) ?? [])
    corrected.set(queueId, own > Math.min(...least) ? Number.MAX_SAFE_INTEGER : own)
  }
  return corrected
}
