/**
 * Which views a record belongs in: the rules that the dispatcher follows and that `verify` holds it to.
 *
 * Prepared and rolled back messages get no queue entry, rolled back ones no index entry either.
 * (`CommitLogDispatcherBuildConsumeQueue`, `IndexService`.)
 */
import { indexKeyHash } from '../format/hash.js'
import { isTopic } from '../format/names.js'
import { SysFlag } from '../format/record.js'
import type { DispatchedRecord } from './dispatcher.js'

/** A queue that a record belongs in, and its offset there. */
export interface QueuePlace {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
}

/** Whether a record has entries in queues at all. */
export function entersQueues({ sysFlag, topic, queueId }: DispatchedRecord): boolean {
  const state = sysFlag & SysFlag.transactionMask
  return (state === 0 || state === SysFlag.transactionCommit) && isTopic(topic) && queueId >= 0
}

/** The queues beside its own in which a record that enters queues has an entry. */
export function furtherPlaces(record: DispatchedRecord): QueuePlace[] {
  const { multiDispatch, queueId } = record
  if (multiDispatch === undefined) return []
  const places: QueuePlace[] = []
  multiDispatch.queues.forEach((topic, i) => {
    if (!isTopic(topic)) return
    places.push({ topic, queueId: topic.startsWith('%LMQ%') ? 0 : queueId, queueOffset: multiDispatch.offsets[i]! })
  })
  return places
}

/** The hashes under which the index lists a record, in the order of its entries. */
export function indexHashes(record: DispatchedRecord): number[] {
  const { sysFlag, topic, keys, uniqueKey } = record
  if ((sysFlag & SysFlag.transactionMask) === SysFlag.transactionRollback) return []
  const hashes = uniqueKey === undefined ? [] : [indexKeyHash(topic, uniqueKey)]
  for (const key of keys) hashes.push(indexKeyHash(topic, key))
  return [...hashes, ...innerHashes(record)]
}

/** Those of them that only mqlite lists: the keys of the messages in a batch. */
export function innerHashes({ topic, innerKeys = [] }: DispatchedRecord): number[] {
  return innerKeys.map((key) => indexKeyHash(topic, key))
}
