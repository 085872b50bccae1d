/** Everything that a store answers about its content, asked of either side in the same form. */
import assert from 'node:assert/strict'
import type { MessageStore } from '../../lib/index.js'
import { type Described, describeJava, describeOurs, describeSpec, isQueued, type Receipt, type Spec } from './data.js'
import type { Generation } from './java-build.js'
import { readOurs } from './ours.js'
import type { QueueState, Shell, Sizes, TimeAsked } from './shell.js'

/** A message that a store acknowledged. */
export interface Acknowledged {
  readonly spec: Spec
  readonly receipt: Receipt
}

/** The answers of one store. */
export interface Snapshot {
  readonly queues: readonly QueueState[]
  /** The messages of all queues. */
  readonly messages: readonly Described[]
  /** All records, in the order of the log. */
  readonly records: readonly Described[]
  /** `topic key` and the log offsets of the messages found, ascending. */
  readonly keys: ReadonlyMap<string, readonly number[]>
  /** `topic/queueId time boundary` and the queue offset found. */
  readonly times: ReadonlyMap<string, number>
}

const GIBIBYTE = 1024 ** 3
/** Most times asked for in one queue. */
const TIMES_OF_A_QUEUE = 24

/** What Java says. */
export async function snapshotJava(java: Shell): Promise<Snapshot> {
  const read = await java.read()
  const records = (await java.log()).map(describeJava)
  const messages = read.messages.map(describeJava)
  // 4.9 makes the queues of the delay topic before anything is put into them.
  const queues = read.queues.filter((queue) => queue.topic !== 'SCHEDULE_TOPIC_XXXX').sort(byQueue)
  const askedKeys = keysOf(records)
  const found = await java.query(askedKeys)
  const keys = new Map(askedKeys.map(({ topic, key }, i) => [`${topic} ${key}`, found[i]!]))
  const askedTimes = timesOf(messages)
  const offsets = await java.offsetByTime(askedTimes)
  const times = new Map(askedTimes.map((asked, i) => [nameOf(asked), offsets[i]!]))
  return { queues, messages: messages.sort(byAddress), records, keys, times }
}

/** What mqlite says. Its log is walked record by record, from segment to segment. */
export async function snapshotOurs(store: MessageStore, { segmentBytes = GIBIBYTE }: Sizes): Promise<Snapshot> {
  const records: Described[] = []
  for (let address = 0; ; ) {
    const message = await store.lookup({ commitLogOffset: address })
    if (message !== undefined) {
      records.push(describeOurs(message))
      address += message.size
    } else if (address % segmentBytes !== 0) address += segmentBytes - (address % segmentBytes)
    else break
  }
  const { messages, queues } = await readOurs(store, queuesOf(records))
  const keys = new Map<string, number[]>()
  for (const { topic, key } of keysOf(records)) {
    const found = await store.query({ topic, key, maxMessages: 1000 })
    keys.set(
      `${topic} ${key}`,
      found.map((message) => message.commitLogOffset).sort((a, b) => a - b),
    )
  }
  const times = new Map<string, number>()
  for (const asked of timesOf(messages)) {
    times.set(nameOf(asked), await store.offsetByTime(asked.topic, asked.queueId, asked.time, asked.boundary))
  }
  return { queues, messages: messages.sort(byAddress), records, keys, times }
}

/** The queues that records with a place in a queue belong to. */
function queuesOf(records: readonly Described[]): QueueState[] {
  const queues = new Map<string, QueueState>()
  for (const record of records) {
    const { topic, queueId } = record
    if (isQueued(record)) queues.set(`${topic}/${queueId}`, { topic, queueId, minOffset: 0, maxOffset: 0 })
  }
  return [...queues.values()].sort(byQueue)
}

/** Both stores say the same. 4.9 finds a time by when files were last changed, so its answers there do not count. */
export function assertSame(ours: Snapshot, java: Snapshot, generation: Generation): void {
  assert.deepEqual(ours.queues, java.queues, 'bounds of the queues')
  assertSameMessages(ours.messages, java.messages)
  assertSameMessages(ours.records, java.records)
  for (const [key, found] of java.keys) assert.deepEqual(ours.keys.get(key), found, `messages found by ${key}`)
  assert.equal(ours.keys.size, java.keys.size, 'number of keys')
  assert.deepEqual([...ours.times.keys()], [...java.times.keys()], 'times asked for')
  assertTimesAreTrue(ours)
  if (generation === '4.9.8') return
  for (const [asked, offset] of java.times) assert.equal(ours.times.get(asked), offset, `offset by time: ${asked}`)
}

/** `lower`: the first that is not earlier. `upper`: the last that is not later, or the first of all. */
export function assertTimesAreTrue({ messages, times, queues }: Snapshot): void {
  const stored = new Map<string, number[]>()
  for (const { topic, queueId, storeTimestamp } of messages) {
    const queue = `${topic}/${queueId}`
    stored.set(queue, [...(stored.get(queue) ?? []), storeTimestamp])
  }
  const firsts = new Map(queues.map(({ topic, queueId, minOffset }) => [`${topic}/${queueId}`, minOffset]))
  for (const [asked, offset] of times) {
    const [queue, time, boundary] = asked.split(' ') as [string, string, string]
    const known = stored.get(queue) ?? []
    const before = known.filter((one) => (boundary === 'lower' ? one < Number(time) : one <= Number(time))).length
    const expected = boundary === 'lower' ? before : Math.max(0, before - 1)
    assert.equal(offset, firsts.get(queue)! + expected, `offset by time: ${asked}`)
  }
}

function assertSameMessages(ours: readonly Described[], java: readonly Described[]): void {
  for (let i = 0; i < Math.min(ours.length, java.length); i++) assert.deepEqual(ours[i], java[i])
  assert.equal(ours.length, java.length, 'number of messages')
}

/**
 * After a kill: what was acknowledged is there, and of what was on its way a beginning, in order, and nothing else.
 *
 * @returns all that is there, as acknowledged
 */
export function adopt(snapshot: Snapshot, acknowledged: readonly Acknowledged[], unsure: readonly Spec[]): Acknowledged[] {
  const known = new Set(acknowledged.map(({ receipt }) => receipt.commitLogOffset))
  const further = snapshot.records.filter(({ commitLogOffset }) => !known.has(commitLogOffset))
  assert.ok(
    further.length <= unsure.length,
    `${further.length} messages that were not put, at most ${unsure.length} may be there`,
  )
  const all = [...acknowledged, ...further.map((record, i) => ({ spec: unsure[i]!, receipt: record }))]
  assertHolds(snapshot, all)
  return all
}

/** Everything that was acknowledged is there, and nothing else in its queues. */
export function assertHolds(snapshot: Snapshot, acknowledged: readonly Acknowledged[]): void {
  assertFound(snapshot, acknowledged)
  assertWholeQueues(snapshot)
}

/** Every given message is there, as it was put, where it was said to be, and can be found by its keys. */
export function assertFound(snapshot: Snapshot, acknowledged: readonly Acknowledged[]): void {
  const byPlace = new Map(snapshot.records.map((record) => [record.commitLogOffset, record]))
  const queued = new Set(snapshot.messages.map((message) => message.commitLogOffset))
  for (const { spec, receipt } of acknowledged) {
    const record = byPlace.get(receipt.commitLogOffset)
    assert.ok(record !== undefined, `no record at ${receipt.commitLogOffset}`)
    const { bodyCrc: _crc, storeTimestamp, size: _size, ...rest } = record
    assert.deepEqual(rest, describeSpec(spec, receipt))
    assert.equal(storeTimestamp, receipt.storeTimestamp)
    assert.equal(queued.has(receipt.commitLogOffset), isQueued(spec), `queue of the message at ${receipt.commitLogOffset}`)
    const keys = (spec.sysFlag & 12) === 12 ? [] : keysOfSpec(spec)
    for (const key of keys) {
      const found = snapshot.keys.get(`${spec.topic} ${key}`) ?? []
      assert.ok(found.includes(receipt.commitLogOffset), `${key} does not find ${receipt.commitLogOffset}, only ${found}`)
    }
  }
}

/** No queue has gaps or duplicates, and the order of each queue is the order of the log. */
export function assertWholeQueues({ messages, queues }: Snapshot): void {
  for (const { topic, queueId, minOffset, maxOffset } of queues) {
    const own = messages.filter((message) => message.topic === topic && message.queueId === queueId)
    const offsets = own.map((message) => message.queueOffset)
    assert.deepEqual(
      offsets,
      Array.from({ length: maxOffset - minOffset }, (_, i) => minOffset + i),
      `offsets of ${topic}/${queueId}`,
    )
  }
}

function keysOfSpec({ keys = [], properties }: Spec): string[] {
  const unique = properties['UNIQ_KEY']
  return unique === undefined ? [...keys] : [unique, ...keys]
}

function keysOf(records: readonly Described[]): { topic: string; key: string }[] {
  const all = new Map<string, { topic: string; key: string }>()
  for (const { topic, keys, properties } of records) {
    const own = [...(keys === null ? [] : keys.split(' ')), ...(properties['UNIQ_KEY'] ? [properties['UNIQ_KEY']] : [])]
    for (const key of own) all.set(`${topic} ${key}`, { topic, key })
  }
  return [...all.values()]
}

function nameOf({ topic, queueId, time, boundary }: TimeAsked): string {
  return `${topic}/${queueId} ${time} ${boundary}`
}

function timesOf(messages: readonly Described[]): TimeAsked[] {
  const byQueue = new Map<string, { topic: string; queueId: number; times: Set<number> }>()
  for (const { topic, queueId, storeTimestamp } of [...messages].sort(byAddress)) {
    const entry = byQueue.get(`${topic}/${queueId}`) ?? { topic, queueId, times: new Set<number>() }
    byQueue.set(`${topic}/${queueId}`, entry)
    if (entry.times.size < TIMES_OF_A_QUEUE) for (const near of [-1, 0, 1]) entry.times.add(storeTimestamp + near)
  }
  return [...byQueue.values()].flatMap(({ topic, queueId, times }) =>
    [...times].flatMap((time) => [
      { topic, queueId, time, boundary: 'lower' as const },
      { topic, queueId, time, boundary: 'upper' as const },
    ]),
  )
}

function byAddress(a: Described, b: Described): number {
  return a.commitLogOffset - b.commitLogOffset
}

function byQueue(a: QueueState, b: QueueState): number {
  return a.topic === b.topic ? a.queueId - b.queueId : a.topic < b.topic ? -1 : 1
}
