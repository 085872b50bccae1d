/** What a broker leaves in its directory, in words in which RocketMQ's and ours can be compared. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConfigValue, parseConfig } from '../../lib/format/config-json.js'
import { MessageStore } from '../../lib/index.js'
import type { StoredMessage } from '../../lib/store/stored-message.js'
import { brokerSizes } from './java-servers.js'

const SEGMENT = brokerSizes.segmentBytes

/** A record without what differs by chance: ids, hosts and times. */
export interface LeftRecord {
  readonly body: string
  readonly flag: number
  readonly sysFlag: number
  readonly reconsumeTimes: number
  readonly properties: Readonly<Record<string, string>>
}

/** What is left of the messages, topics and groups whose names begin alike. */
export interface Left {
  /** By `topic/queueId`, in the order of the queue. */
  readonly records: Readonly<Record<string, readonly LeftRecord[]>>
  /** By `topic@group`, the offset of each queue. */
  readonly offsets: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly topics: Readonly<Record<string, unknown>>
  readonly groups: Readonly<Record<string, unknown>>
}

/**
 * What RocketMQ's broker and client say of a message on its way, which a broker in the same process has not to say:
 * region, trace, cluster, and whether the sender waits for the disk. `WAIT` of copies is also in `docs/decisions.md`.
 */
const saidByRocketMq = new Set(['MSG_REGION', 'TRACE_ON', 'CLUSTER', 'WAIT'])
/** An ordered message that is given up is sent by RocketMQ's client, with its own notes on it. */
const saidByClient = new Set(['MIN_OFFSET', 'MAX_OFFSET', 'RECONSUME_TIME', 'MAX_RECONSUME_TIMES'])

/** Reads a directory whose broker has stopped. */
export async function readLeft(directory: string): Promise<(prefix: string) => Left> {
  const store = await MessageStore.open(directory, { ...brokerSizes, checksum: 'body' })
  const records: StoredMessage[] = []
  try {
    for (let address = 0; ; ) {
      const message = await store.lookup({ commitLogOffset: address })
      if (message !== undefined) {
        records.push(message)
        address += message.size
      } else if (address % SEGMENT !== 0) address += SEGMENT - (address % SEGMENT)
      else break
    }
  } finally {
    await store.close()
  }
  records.sort((a, b) => a.queueOffset - b.queueOffset)
  const read = (file: string, table: string): Record<string, ConfigValue> => {
    const content = parseConfig(readFileSync(join(directory, 'config', `${file}.json`)))
    return (content as Record<string, ConfigValue>)[table] as Record<string, ConfigValue>
  }
  const offsets = Object.entries(read('consumerOffset', 'offsetTable'))
  const shared = Object.fromEntries(offsets.filter(([key, value]) => key.split('@').length === 2 && !isIdleRetry(key, value)))
  const topics = read('topics', 'topicConfigTable')
  const groups = read('subscriptionGroup', 'subscriptionGroupTable')
  return (prefix) => ({
    records: recordsOf(records, prefix),
    // RocketMQ's broker also notes where broadcasting clients are, under `topic@group@topic`; the client has its own file.
    offsets: picked(shared, prefix, (value) => Object.fromEntries(value as ReadonlyMap<number, number>)),
    topics: picked(topics, prefix, (value) => withoutLater(plain(value))),
    groups: picked(groups, prefix, (value) => withoutLater(plain(value))),
  })
}

function recordsOf(all: readonly StoredMessage[], prefix: string): Left['records'] {
  const queues: Record<string, LeftRecord[]> = {}
  const ids = new Map<string, string | undefined>()
  for (const record of all) {
    const body = record.body.toString('utf8')
    if (!body.startsWith(`${prefix}:`)) continue
    // All copies of a message share its id.
    if (!ids.has(body)) ids.set(body, record.uniqueKey)
    assert.equal(record.uniqueKey, ids.get(body), `the id of ${body} in ${record.topic}`)
    const { flag, sysFlag, reconsumeTimes, topic, queueId } = record
    const queue = (queues[`${topic}/${queueId}`] ??= [])
    queue.push({ body, flag, sysFlag, reconsumeTimes, properties: propertiesOf(record, all) })
  }
  return Object.fromEntries(Object.entries(queues).sort(byName))
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}

function propertiesOf({ properties }: StoredMessage, all: readonly StoredMessage[]): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(properties).sort()) {
    if (saidByRocketMq.has(name) || saidByClient.has(name)) continue
    if (name === 'UNIQ_KEY') kept[name] = 'an id'
    else if (name === 'ORIGIN_MESSAGE_ID') kept[name] = nameOf(value, all)
    // The client's way for ordered messages has -1 where the broker's has 0: not to be delayed.
    else kept[name] = name === 'DELAY' ? String(Math.max(0, Number(value))) : value
  }
  return kept
}

/** The record that an offset id, or an id that all copies share, stands for. */
function nameOf(id: string, all: readonly StoredMessage[]): string {
  const shared = all.find(({ uniqueKey }) => uniqueKey === id)
  if (shared !== undefined) return shared.body.toString('utf8')
  const address = Number(BigInt(`0x${id.slice(-16)}`))
  const found = all.find(({ commitLogOffset }) => commitLogOffset === address)
  assert.ok(found !== undefined, `no record stands where ${id} says`)
  return found.body.toString('utf8')
}

function picked<Value>(
  table: Record<string, ConfigValue>,
  prefix: string,
  read: (value: ConfigValue) => Value,
): Record<string, Value> {
  const mine = Object.entries(table).filter(([name]) => name.replace(/^%(RETRY|DLQ)%/, '').startsWith(prefix))
  return Object.fromEntries(mine.sort(byName).map(([name, value]) => [name, read(value)]))
}

/** Whether a client came to its retry topic in time, when nothing is in it, is chance. */
function isIdleRetry(key: string, value: ConfigValue): boolean {
  return key.startsWith('%RETRY%') && [...(value as ReadonlyMap<number, number>).values()].every((offset) => offset === 0)
}

/** A topic or group without the fields of 5.3.3 that stand at their defaults; what is missing in a file has its default. */
function withoutLater(config: unknown): unknown {
  const all = config as Record<string, unknown>
  const { attributes, consumeMessageOrderly, consumeTimeoutMinute, groupRetryPolicy, groupSysFlag, ...rest } = all
  for (const [given, preset] of [
    [attributes, {}],
    [consumeMessageOrderly, false],
    [consumeTimeoutMinute, 15],
    [groupSysFlag, 0],
    [groupRetryPolicy, { type: 'CUSTOMIZED' }],
  ])
    if (given !== undefined) assert.deepEqual(given, preset)
  return rest
}

function plain(value: ConfigValue): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown
}
