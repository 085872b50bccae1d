/** The requests of administrators: topics, groups, messages and offsets, the broker itself; each with its refusals. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { blockOf } from '../../../lib/format/block.js'
import { parseBody } from '../../../lib/remoting/body-json.js'
import { brokerRequests as codes, nameServerRequests, responseCodes } from '../../../lib/remoting/codes.js'
import type { Command } from '../../../lib/remoting/command.js'
import { StoredMessage } from '../../../lib/store/stored-message.js'
import { batchBody, inLetters } from '../../support/client-messages.js'
import { ManualTime } from '../../support/manual-time.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

const wanted = {
  topic: 'wanted',
  defaultTopic: 'TBW102',
  readQueueNums: 3,
  writeQueueNums: 2,
  perm: 6,
  topicFilterType: 'SINGLE_TAG',
  topicSysFlag: 0,
  order: false,
}

async function serve(t: TestContext, given: ServeOptions = {}): Promise<ServedForTest> {
  return serveBroker(t, { ...given, options: { topics: { T: { queues: 2 } }, ...given.options } })
}

/** The body of an answer that must be a success. */
function bodyOf({ code, remark, body }: Command): Record<string, unknown> {
  assert.equal(code, 0, remark)
  return parseBody(body) as Record<string, unknown>
}

function refused({ code, remark }: Command, expected: number, words: string): void {
  assert.equal(code, expected, remark)
  assert.ok(remark?.includes(words), `${remark} does not say ${words}`)
}

/** Messages whose records stand one behind the other. */
function recordsIn(body: Buffer): StoredMessage[] {
  const messages: StoredMessage[] = []
  for (let at = 0; at < body.length; ) {
    const message = StoredMessage.fromRecord(blockOf(body), at, 0)
    messages.push(message)
    at += message.size
  }
  return messages
}

describe('a topic', () => {
  test('is made and changed as an administrator says, and clients find it at once', async (t) => {
    const { ask, askNames, broker } = await serve(t)
    const attributes = '+message.type=DELAY,+reserve.time=1000'
    assert.equal((await ask(codes.UPDATE_AND_CREATE_TOPIC, { ext: { ...wanted, attributes } })).code, 0)
    const { readQueues, writeQueues, attributes: made } = broker.topics.get('wanted')
    assert.deepEqual([readQueues, writeQueues, made], [3, 2, { 'message.type': 'DELAY', 'reserve.time': '1000' }])
    const change = { ...wanted, writeQueueNums: 3, perm: 4, order: true, attributes: '-reserve.time' }
    assert.equal((await ask(codes.UPDATE_AND_CREATE_TOPIC, { ext: change })).code, 0)
    const { permission, isOrdered, attributes: left } = broker.topics.get('wanted')
    assert.deepEqual([permission, isOrdered, left], [4, true, { 'message.type': 'DELAY' }])
    const route = bodyOf(await askNames(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: 'wanted' } }))
    assert.deepEqual(route['queueDatas'], [
      { brokerName: 'mqlite', perm: 4, readQueueNums: 3, topicSysFlag: 0, writeQueueNums: 3 },
    ])
  })

  test('that is made as it was is not changed: its version stays', async (t) => {
    const { ask, broker } = await serve(t)
    await ask(codes.UPDATE_AND_CREATE_TOPIC, { ext: wanted })
    const { version } = broker.topics
    assert.equal((await ask(codes.UPDATE_AND_CREATE_TOPIC, { ext: wanted })).code, 0)
    assert.deepEqual(broker.topics.version, version)
  })

  test('may come with others', async (t) => {
    const { ask, broker } = await serve(t)
    const topicConfigList = [
      { topicName: 'a', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicFilterType: 'SINGLE_TAG' },
      { topicName: 'b', readQueueNums: 5, writeQueueNums: 5, perm: 6, attributes: { '+message.type': 'FIFO' } },
    ]
    const body = Buffer.from(JSON.stringify({ topicConfigList }))
    assert.equal((await ask(codes.UPDATE_AND_CREATE_TOPIC_LIST, { body })).code, 0)
    assert.deepEqual([broker.topics.get('a').readQueues, broker.topics.get('b').attributes], [1, { 'message.type': 'FIFO' }])
    refused(await ask(codes.UPDATE_AND_CREATE_TOPIC_LIST, { body: Buffer.from('{}') }), 29, 'topicConfigList')
    refused(await ask(codes.UPDATE_AND_CREATE_TOPIC_LIST, { body: Buffer.from('no') }), 1, 'JSON')
  })

  for (const [what, change, words] of [
    ['of the system', { topic: 'SCHEDULE_TOPIC_XXXX' }, 'system'],
    ["with a name that becomes no directory's", { topic: '..' }, 'letters'],
    ['with more queues than there can be', { readQueueNums: 1_000_000 }, 'readQueues'],
    ['with fewer queues than none', { writeQueueNums: -1 }, 'writeQueues'],
    ['with a permission that there is not', { perm: 9 }, 'permission'],
    ['with a filter type that there is not', { topicFilterType: 'NO_TAG' }, 'topicFilterType'],
    ['that would have to be compacted', { attributes: '+cleanup.policy=COMPACTION' }, 'not compacted'],
    ['with an unknown attribute', { attributes: '+colour=red' }, 'colour'],
    ['with an attribute twice', { attributes: '+message.type=FIFO,-message.type' }, 'once'],
    ['that is new, from which an attribute is taken', { attributes: '-message.type' }, 'new topic'],
  ] as const) {
    test(`${what} is refused with 29, and not made`, async (t) => {
      const { ask, broker } = await serve(t)
      refused(await ask(codes.UPDATE_AND_CREATE_TOPIC, { ext: { ...wanted, ...change } }), responseCodes.INVALID_PARAMETER, words)
      assert.deepEqual(
        broker.topics.list().map(({ topic }) => topic),
        ['T'],
      )
    })
  }

  test('that is deleted is gone with its queues and its route; again, that is no error', async (t) => {
    const { ask, askNames, broker } = await serve(t)
    await broker.send({ topic: 'T', body: 'x' })
    for (let i = 0; i < 2; i++) assert.equal((await ask(codes.DELETE_TOPIC_IN_BROKER, { ext: { topic: 'T' } })).code, 0)
    assert.deepEqual(broker.store.queues(), [])
    const route = await askNames(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: 'T' } })
    assert.equal(route.code, responseCodes.TOPIC_NOT_EXIST)
    refused(await ask(codes.DELETE_TOPIC_IN_BROKER, { ext: { topic: 'OFFSET_MOVED_EVENT' } }), 29, 'system')
  })

  test('is listed with all others, and told alone; an unknown one is refused with 17', async (t) => {
    const { ask, broker } = await serve(t)
    const { dataVersion, topicConfigTable } = bodyOf(await ask(codes.GET_ALL_TOPIC_CONFIG)) as Record<
      string,
      Record<string, unknown>
    >
    assert.equal(dataVersion!['counter'], broker.topics.version.counter)
    assert.ok('SCHEDULE_TOPIC_XXXX' in topicConfigTable! && !('TBW102' in topicConfigTable!))
    const one = bodyOf(await ask(codes.GET_TOPIC_CONFIG, { ext: { topic: 'T' } }))
    assert.deepEqual(one, topicConfigTable!['T'])
    assert.deepEqual([one['readQueueNums'], one['perm'], one['topicName']], [2, 6, 'T'])
    refused(await ask(codes.GET_TOPIC_CONFIG, { ext: { topic: 'U' } }), responseCodes.TOPIC_NOT_EXIST, 'U')
    const { topicList } = bodyOf(await ask(codes.GET_SYSTEM_TOPIC_LIST_FROM_BROKER)) as { topicList: string[] }
    assert.ok(topicList.includes('DefaultCluster') && topicList.includes('mqlite') && !topicList.includes('T'))
  })
})

describe('a consumer group', () => {
  const group = { groupName: 'G', retryQueueNums: 2, retryMaxTimes: 5, consumeEnable: false }
  const body = Buffer.from(JSON.stringify(group))

  test('is made, told, listed and deleted', async (t) => {
    const { ask, broker } = await serve(t)
    assert.equal((await ask(codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, { body })).code, 0)
    const { retryQueues, maxRetries, mayConsume } = broker.groups.get('G')
    assert.deepEqual([retryQueues, maxRetries, mayConsume], [2, 5, false])
    const told = bodyOf(await ask(codes.GET_SUBSCRIPTIONGROUP_CONFIG, { ext: { group: 'G' } }))
    assert.deepEqual([told['retryMaxTimes'], told['consumeBroadcastEnable']], [5, true])
    const { subscriptionGroupTable: table } = bodyOf(await ask(codes.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)) as Record<string, object>
    assert.ok('G' in table! && 'TOOLS_CONSUMER' in table)
    for (let i = 0; i < 2; i++) assert.equal((await ask(codes.DELETE_SUBSCRIPTIONGROUP, { ext: { groupName: 'G' } })).code, 0)
    assert.equal(broker.groups.find('G'), undefined)
    refused(await ask(codes.GET_SUBSCRIPTIONGROUP_CONFIG, { ext: { group: 'G' } }), 26, 'G')
  })

  test('may come with others, and is refused with 29 for a name that cannot be', async (t) => {
    const { ask, broker } = await serve(t)
    const list = Buffer.from(JSON.stringify({ groupConfigList: [{ groupName: 'A' }, { groupName: 'B' }] }))
    assert.equal((await ask(codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, { body: list })).code, 0)
    assert.deepEqual(
      broker.groups.list().map((one) => one.group),
      ['A', 'B'],
    )
    for (const [name, words] of [
      ['{"groupName":"../x"}', 'letters'],
      ['{}', 'name'],
    ] as const)
      refused(await ask(codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, { body: Buffer.from(name) }), 29, words)
  })
})

describe('messages', () => {
  const query = { topic: 'T', key: 'k', maxNum: 10, beginTimestamp: 0, endTimestamp: '9223372036854775807' }

  test('are found by a key, newest first, as the records that they are in the log', async (t) => {
    const { ask, broker } = await serve(t)
    for (let i = 0; i < 5; i++) await broker.send({ topic: 'T', body: String(i), keys: i === 2 ? 'other' : 'k', queueId: 0 })
    const found = await ask(codes.QUERY_MESSAGE, { ext: query })
    assert.equal(found.code, 0)
    assert.deepEqual(
      recordsIn(found.body).map(({ body }) => body.toString()),
      ['4', '3', '1', '0'],
    )
    const newest = (await broker.store.query({ topic: 'T', key: 'k' }))[0]!
    assert.equal(found.extFields['indexLastUpdatePhyoffset'], String(newest.commitLogOffset))
    assert.equal(found.extFields['indexLastUpdateTimestamp'], String(newest.storeTimestamp))
    const two = await ask(codes.QUERY_MESSAGE, { ext: { ...query, maxNum: 2 } })
    assert.equal(recordsIn(two.body).length, 2)
    const unique = await ask(codes.QUERY_MESSAGE, {
      ext: { ...query, key: newest.uniqueKey, maxNum: 0, _UNIQUE_KEY_QUERY: true },
    })
    assert.deepEqual(
      recordsIn(unique.body).map(({ body }) => body.toString()),
      ['4'],
    )
    refused(await ask(codes.QUERY_MESSAGE, { ext: { ...query, key: 'none' } }), responseCodes.QUERY_NOT_FOUND, 'find')
    refused(await ask(codes.QUERY_MESSAGE, { ext: { ...query, beginTimestamp: query.endTimestamp } }), 22, 'find')
  })

  test('found by a key come in as many bytes as an answer has, and one that no frame can carry is refused', async (t) => {
    const store = { segmentBytes: 1 << 26, maxMessageBytes: 1 << 25 }
    const { ask, broker } = await serve(t, { options: { topics: { T: { queues: 1 } }, store } })
    const send = (bytes: number) => broker.send({ topic: 'T', body: Buffer.alloc(bytes), keys: 'k' })
    for (let i = 0; i < 6; i++) await send(1_500_000)
    const found = await ask(codes.QUERY_MESSAGE, { ext: query })
    assert.equal(recordsIn(found.body).length, 2)
    const { commitLogOffset } = await send((1 << 24) - 1000)
    const words = 'the message takes 16776'
    refused(await ask(codes.QUERY_MESSAGE, { ext: query }), responseCodes.SYSTEM_ERROR, words)
    refused(await ask(codes.VIEW_MESSAGE_BY_ID, { ext: { offset: commitLogOffset } }), responseCodes.SYSTEM_ERROR, words)
  })

  test('are read at their address; where none is, the answer is 1', async (t) => {
    const { ask, broker } = await serve(t)
    const { commitLogOffset } = await broker.send({ topic: 'T', body: 'x' })
    const { code, body } = await ask(codes.VIEW_MESSAGE_BY_ID, { ext: { offset: commitLogOffset } })
    assert.equal(code, 0)
    assert.deepEqual(body, (await broker.store.lookup({ commitLogOffset }))?.record)
    for (const offset of [commitLogOffset + 1, -1, '9223372036854775807'])
      refused(await ask(codes.VIEW_MESSAGE_BY_ID, { ext: { offset } }), responseCodes.SYSTEM_ERROR, 'find')
  })

  test('have their offsets and times asked for', async (t) => {
    const time = new ManualTime()
    const start = time.now()
    const { ask, broker } = await serve(t, { ports: { clock: time } })
    for (let i = 0; i < 3; i++) {
      await broker.send({ topic: 'T', body: String(i), queueId: 1 })
      time.advance(1000)
    }
    const queue = { topic: 'T', queueId: 1 }
    const told = async (code: number, field: string, more: object = {}): Promise<number> => {
      const answered = await ask(code, { ext: { ...queue, ...more } })
      assert.equal(answered.code, 0, answered.remark)
      return Number(answered.extFields[field])
    }
    assert.equal(await told(codes.GET_MAX_OFFSET, 'offset'), 3)
    assert.equal(await told(codes.GET_MIN_OFFSET, 'offset'), 0)
    assert.equal(await told(codes.GET_EARLIEST_MSG_STORETIME, 'timestamp'), start)
    assert.equal(await told(codes.GET_EARLIEST_MSG_STORETIME, 'timestamp', { queueId: 0 }), -1)
    const timestamp = start + 1500
    assert.equal(await told(codes.SEARCH_OFFSET_BY_TIMESTAMP, 'offset', { timestamp }), 2)
    assert.equal(await told(codes.SEARCH_OFFSET_BY_TIMESTAMP, 'offset', { timestamp, boundaryType: 'UPPER' }), 1)
    assert.equal(await told(codes.SEARCH_OFFSET_BY_TIMESTAMP, 'offset', { timestamp: '9223372036854775807' }), 3)
    refused(await ask(codes.GET_MAX_OFFSET, { ext: { topic: 'T', queueId: -1 } }), 29, 'queueId')
    refused(await ask(codes.GET_MIN_OFFSET, { ext: { topic: 'T' } }), 1, '<queueId>')
  })

  test('that come in batches begin at -1 until the first is there, and the batch is known by its own key', async (t) => {
    const attributes = { 'queue.type': 'BatchCQ' }
    const { ask, broker } = await serve(t, { options: { topics: { B: { queues: 1, attributes } } } })
    const first = async (): Promise<unknown> =>
      (await ask(codes.GET_MIN_OFFSET, { ext: { topic: 'B', queueId: 0 } })).extFields['offset']
    assert.equal(await first(), '-1')
    const body = batchBody([{ body: 'a', properties: { UNIQ_KEY: 'A1' } }, { body: 'b' }])
    const sent = await ask(codes.SEND_BATCH_MESSAGE, inLetters({ topic: 'B', queueId: 0, body, properties: { UNIQ_KEY: 'AB' } }))
    assert.deepEqual([sent.extFields['batchUniqId'], sent.extFields['msgId']?.includes(',')], ['AB', false], sent.remark)
    assert.equal(await first(), '0')
    const found = async (key: string): Promise<string[]> =>
      (await broker.store.query({ topic: 'B', key })).map((one) => String(one.body)).sort()
    assert.deepEqual([await found('AB'), await found('A1')], [['a', 'b'], ['a']])
  })

  test('are counted by queue; the queues are the keys of a table', async (t) => {
    const time = new ManualTime()
    const { ask, broker } = await serve(t, { ports: { clock: time } })
    for (let i = 0; i < 3; i++) await broker.send({ topic: 'T', body: String(i), queueId: 1 })
    const { code, body } = await ask(codes.GET_TOPIC_STATS_INFO, { ext: { topic: 'T' } })
    assert.equal(code, 0)
    const entry = (queueId: number, maxOffset: number, at: number): string =>
      `{"brokerName":"mqlite","queueId":${queueId},"topic":"T"}:{"lastUpdateTimestamp":${at},"maxOffset":${maxOffset},"minOffset":0}`
    assert.equal(body.toString(), `{"offsetTable":{${entry(0, 0, 0)},${entry(1, 3, time.now())}},"topicPutTps":0}`)
    refused(await ask(codes.GET_TOPIC_STATS_INFO, { ext: { topic: 'U' } }), responseCodes.TOPIC_NOT_EXIST, 'U')
  })
})

describe('the broker', () => {
  test('says how it is, all of it as text, with every figure that clusterList reads', async (t) => {
    const { ask, broker } = await serve(t)
    const { storeTimestamp } = await broker.send({ topic: 'T', body: 'x' })
    const { table } = bodyOf(await ask(codes.GET_BROKER_RUNTIME_INFO)) as { table: Record<string, string> }
    assert.ok(Object.values(table).every((value) => typeof value === 'string'))
    const { commitLogEnd } = broker.store.metrics.snapshot()
    assert.deepEqual(
      [table['brokerVersionDesc'], table['commitLogMaxOffset'], table['earliestMessageTimeStamp'], table['commitLogMinOffset']],
      ['V5_3_3', String(commitLogEnd), String(storeTimestamp), '0'],
    )
    for (const name of [
      'brokerActive',
      'putTps',
      'getTransferredTps',
      'getTransferedTps',
      'sendThreadPoolQueueSize',
      'pullThreadPoolQueueHeadWaitTimeMills',
      'ackThreadPoolQueueSize',
      'pageCacheLockTimeMills',
      'commitLogDiskRatio',
      'timerReadBehind',
      'msgPutTotalTodayNow',
    ])
      assert.ok(name in table, name)
    assert.match(table['runtime']!, /^\[ 0 days, 0 hours, 0 minutes, \d+ seconds \]$/)
  })

  test('counts what clients send, but not what a group tries again', async (t) => {
    const { ask } = await serve(t)
    const messages = [{}, { properties: { TRAN_MSG: 'true' } }, { topic: '%RETRY%G', reconsumeTimes: 1 }]
    for (const message of messages) assert.equal((await ask(codes.SEND_MESSAGE_V2, inLetters(message))).code, 0)
    const batch = { body: batchBody([{ body: 'a' }, { body: 'b' }]), isBatch: true }
    assert.equal((await ask(codes.SEND_BATCH_MESSAGE, inLetters(batch))).code, 0)
    const { table } = bodyOf(await ask(codes.GET_BROKER_RUNTIME_INFO)) as { table: Record<string, string> }
    assert.deepEqual([table['msgPutTotalTodayNow'], table['putMessageTimesTotal']], ['4', '4'])
    assert.match(table['putTps']!, /^[\d.]+ [\d.]+ [\d.]+$/)
  })

  test('says how it is configured, by names of RocketMQ', async (t) => {
    const { ask, address } = await serve(t)
    const { code, body, extFields } = await ask(codes.GET_BROKER_CONFIG)
    assert.equal(code, 0)
    const lines = body.toString().split('\n')
    const [host, port] = address.split(':')
    for (const line of ['brokerName=mqlite', 'brokerClusterName=DefaultCluster', `brokerIP1=${host}`, `listenPort=${port}`])
      assert.ok(lines.includes(line), line)
    assert.ok('counter' in (JSON.parse(extFields['version']!) as object))
  })

  test('does not let its configuration be changed from elsewhere', async (t) => {
    const { ask } = await serve(t)
    refused(await ask(25, { body: Buffer.from('autoCreateTopicEnable=true\n') }), 3, ' request type 25 not supported')
  })
})

test('a failure of the disk is told without names of files', async (t) => {
  const { ask, broker } = await serve(t)
  await broker.store.close()
  const { code, remark } = await ask(codes.VIEW_MESSAGE_BY_ID, { ext: { offset: 0 } })
  assert.deepEqual([code, remark?.includes('/')], [responseCodes.SERVICE_NOT_AVAILABLE, false])
})
