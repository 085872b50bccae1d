/** The numbers of one group: of each queue of its topics, and added up. */
import type { Clock } from '../../base/system.js'
import { retryTopicOf } from '../config/system-topics.js'
import { normalTopicOf } from '../pop/handle.js'
import type { ReadPort } from '../store-port.js'
import { type GroupCounter, QueueCounter } from './counters.js'
import type { Minute } from './meter.js'
import type { ConsumedNumbers, GroupNumbers, GroupQueueNumbers, GroupTopicNumbers } from './snapshot.js'

/** A topic of a group: its queues, and where the group stands in them. */
export interface GroupQueues {
  readonly topic: string
  readonly readQueues: number
  readonly offsets: ReadonlyMap<number, number>
  readonly counter: GroupCounter | undefined
  /** How many messages of a queue are out, in order. */
  readonly outInOrder: (queueId: number) => number
}

interface Surroundings {
  readonly store: Pick<ReadPort, 'bounds' | 'get'>
  readonly clock: Pick<Clock, 'now'>
  readonly minute: Minute
  /** Lets others have their turn, when it is time. */
  readonly breathe: () => Promise<void> | undefined
}

const nothing = new QueueCounter()

/** What a group did in its topics, and what is left to do. */
export async function groupNumbers(
  group: string,
  queues: readonly GroupQueues[],
  surroundings: Surroundings,
): Promise<Pick<GroupNumbers, keyof ConsumedNumbers | 'retries' | 'retriesPerSecond' | 'deadLetters' | 'topics'>> {
  const topics: GroupTopicNumbers[] = []
  for (const one of queues) topics.push(await topicNumbers(group, one, surroundings))
  const failed = { retries: 0, retriesPerSecond: 0, deadLetters: 0 }
  for (const { retries, retriesPerSecond, deadLetters } of topics) {
    failed.retries += retries
    failed.retriesPerSecond += retriesPerSecond
    failed.deadLetters += deadLetters
  }
  return { ...addedUp(topics), ...failed, topics }
}

async function topicNumbers(group: string, one: GroupQueues, surroundings: Surroundings): Promise<GroupTopicNumbers> {
  const { topic, readQueues, counter } = one
  const queues: GroupQueueNumbers[] = []
  for (let queueId = 0; queueId < readQueues; queueId++) {
    await surroundings.breathe()
    queues.push(await queueNumbers(one, queueId, surroundings))
  }
  return {
    topic,
    isRetry: topic === retryTopicOf(group) || normalTopicOf(topic, group) !== topic,
    ...addedUp(queues),
    retries: counter?.retries.count ?? 0,
    retriesPerSecond: counter?.retries.perSecond(surroundings.minute) ?? 0,
    deadLetters: counter?.deadLetters.count ?? 0,
    queues,
  }
}

async function queueNumbers(
  { topic, offsets, counter, outInOrder }: GroupQueues,
  queueId: number,
  { store, clock, minute }: Surroundings,
): Promise<GroupQueueNumbers> {
  const { minOffset, maxOffset } = store.bounds(topic, queueId)
  const offset = offsets.get(queueId)
  const { messages, bytes, acknowledged, dropped, inFlight, popped, givenBack } = counter?.queues.get(queueId) ?? nothing
  const begin = Math.max(minOffset, Math.min(maxOffset, offset ?? minOffset))
  // What was popped stands before the offset; as in RocketMQ it is taken to be what came last there.
  const first = Math.max(minOffset, begin - popped)
  const oldest = await storedAt(store, topic, queueId, first, maxOffset)
  // What is out stands at the beginning, but for gaps that were settled out of turn.
  const out = inFlight + outInOrder(queueId)
  const next = begin + out
  return {
    queueId,
    offset,
    maxOffset,
    backlog: maxOffset - begin + popped,
    backlogMs: oldest === undefined ? 0 : Math.max(0, clock.now() - oldest),
    oldest,
    nextStored: next === first ? oldest : await storedAt(store, topic, queueId, next, maxOffset),
    messagesOut: messages.count,
    bytesOut: bytes.count,
    messagesOutPerSecond: messages.perSecond(minute),
    bytesOutPerSecond: bytes.perSecond(minute),
    acknowledged: acknowledged.count,
    acknowledgedPerSecond: acknowledged.perSecond(minute),
    dropped,
    inFlight: out + popped - givenBack,
  }
}

/** When the message at an offset was stored; `undefined` when there is none, or it cannot be read. */
async function storedAt(
  store: Pick<ReadPort, 'get'>,
  topic: string,
  queueId: number,
  offset: number,
  maxOffset: number,
): Promise<number | undefined> {
  if (offset >= maxOffset) return undefined
  try {
    const { messages } = await store.get({ topic, queueId, offset, maxMessages: 1 })
    return messages[0]?.storeTimestamp
  } catch {
    // A damaged record is told of when it is consumed.
    return undefined
  }
}

function addedUp(parts: readonly ConsumedNumbers[]): ConsumedNumbers {
  const all = {
    backlog: 0,
    backlogMs: 0,
    messagesOut: 0,
    bytesOut: 0,
    messagesOutPerSecond: 0,
    bytesOutPerSecond: 0,
    acknowledged: 0,
    acknowledgedPerSecond: 0,
    dropped: 0,
    inFlight: 0,
  }
  let oldest = Number.POSITIVE_INFINITY
  for (const part of parts) {
    for (const name of Object.keys(all) as (keyof typeof all)[]) if (name !== 'backlogMs') all[name] += part[name]
    all.backlogMs = Math.max(all.backlogMs, part.backlogMs)
    oldest = Math.min(oldest, part.oldest ?? oldest)
  }
  return { ...all, oldest: Number.isFinite(oldest) ? oldest : undefined }
}
