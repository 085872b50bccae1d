/** What administrators ask about counts, groups and queues; what keeps a group from a topic; heartbeats in short. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { brokerRequests, nameServerRequests, responseCodes } from '../../../lib/remoting/codes.js'
import { answer, type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests as codes, consumerNews, popRequests } from '../../../lib/remoting/commands/consume-codes.js'
import type { Handler } from '../../../lib/remoting/handling.js'
import { heartbeat, pull, said } from '../../support/consumer-requests.js'
import { ManualTime } from '../../support/manual-time.js'
import { type ServedForTest, serveBroker } from '../../support/serve-broker.js'

async function serve(t: TestContext): Promise<ServedForTest & { readonly time: ManualTime }> {
  const time = new ManualTime()
  const options = { topics: { T: { queues: 2 }, Ordered: { queues: 1, isOrdered: true } }, groups: { G: {}, H: {} } }
  return { ...(await serveBroker(t, { options, ports: { clock: time, timers: time } })), time }
}

async function send({ broker }: ServedForTest, count: number, tags = 'a'): Promise<void> {
  for (let i = 0; i < count; i++) await broker.send({ topic: 'T', queueId: i % 2, body: `m${i}`, tags })
}

async function pass(time: ManualTime, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    time.advance(10_000)
    for (let i = 0; i < 10; i++) await turn()
  }
}

describe('counts', () => {
  const stats = async ({ ask }: ServedForTest, statsName: string, statsKey: string): Promise<unknown> => {
    const answered = await ask(brokerRequests.VIEW_BROKER_STATS_DATA, { ext: { statsName, statsKey } })
    if (answered.code !== 0) return answered.code
    const { statsMinute, statsHour, statsDay } = said(answered) as Record<string, { sum: number; tps: number; avgpt: number }>
    return [statsMinute!.sum, statsHour!.sum, statsDay!.sum, statsMinute!.avgpt]
  }

  test('of topics and groups are told for the last minute, hour and day', async (t) => {
    const served = await serve(t)
    await send(served, 10)
    await served.ask(codes.PULL_MESSAGE, pull({ queueId: 0 }))
    assert.deepEqual(await stats(served, 'TOPIC_PUT_NUMS', 'T'), [10, 10, 10, 1])
    assert.deepEqual(await stats(served, 'GROUP_GET_NUMS', 'T@G'), [5, 5, 5, 1])
    assert.deepEqual(await stats(served, 'BROKER_PUT_NUMS', 'DefaultCluster'), [10, 10, 10, 1])
    assert.deepEqual(await stats(served, 'BROKER_GET_NUMS', 'DefaultCluster'), [5, 5, 5, 1])
    await pass(served.time, 2 * 60_000)
    assert.deepEqual(await stats(served, 'TOPIC_PUT_NUMS', 'T'), [0, 10, 10, 0])
    await send(served, 3)
    assert.deepEqual(await stats(served, 'TOPIC_PUT_NUMS', 'T'), [3, 13, 13, 1])
    await pass(served.time, 2 * 3_600_000)
    assert.deepEqual(await stats(served, 'TOPIC_PUT_NUMS', 'T'), [0, 0, 13, 0])
    const [size] = (await stats(served, 'TOPIC_PUT_SIZE', 'T')) as number[]
    assert.equal(size, 0)
  })

  test('that nobody counted are refused as RocketMQ refuses them', async (t) => {
    const served = await serve(t)
    for (const [name, key] of [
      ['TOPIC_PUT_NUMS', 'T'],
      ['TOPIC_PUT_NUMS', 'Nowhere'],
      ['GROUP_GET_NUMS', 'T@nobody'],
      ['WHAT', 'T'],
      ['BROKER_PUT_NUMS', ''],
    ] as const)
      assert.equal(await stats(served, name, key), responseCodes.SYSTEM_ERROR, `${name} ${key}`)
  })

  test('of what groups have left are told of all groups at once', async (t) => {
    const served = await serve(t)
    await send(served, 6)
    served.broker.served.offsets.commit('T', 'G', 0, 1)
    served.broker.served.offsets.commit('T', 'G', 1, 3)
    const all = await served.ask(brokerRequests.GET_BROKER_CONSUME_STATS, { ext: { isOrder: false } })
    const text = all.body.toString()
    assert.match(text, /"totalDiff":2,"totalInflightDiff":0\}$/)
    assert.match(
      text,
      /\{"G":\[\{"consumeTps":0,"offsetTable":\{\{"brokerName":"mqlite","queueId":0,"topic":"T"\}:\{"brokerOffset":3,"consumerOffset":1/,
    )
    const ordered = await served.ask(brokerRequests.GET_BROKER_CONSUME_STATS, { ext: { isOrder: true } })
    assert.match(ordered.body.toString(), /"consumeStatsList":\[\],"totalDiff":0/)
  })
})

describe('queues', () => {
  test('tell when their messages were stored, and how long the next one has waited', async (t) => {
    const served = await serve(t)
    const began = served.time.now()
    await send(served, 2)
    served.time.advance(1000)
    await send(served, 2)
    served.time.advance(500)
    served.broker.served.offsets.commit('T', 'G', 0, 1)
    const { consumeTimeSpanSet } = said(await served.ask(codes.QUERY_CONSUME_TIME_SPAN, { ext: { topic: 'T', group: 'G' } })) as {
      consumeTimeSpanSet: Record<string, unknown>[]
    }
    assert.deepEqual(consumeTimeSpanSet, [
      {
        consumeTimeStamp: began,
        delayTime: 500,
        maxTimeStamp: began + 1000,
        messageQueue: { brokerName: 'mqlite', queueId: 0, topic: 'T' },
        minTimeStamp: began,
      },
      {
        consumeTimeStamp: began,
        delayTime: 1500,
        maxTimeStamp: began + 1000,
        messageQueue: { brokerName: 'mqlite', queueId: 1, topic: 'T' },
        minTimeStamp: began,
      },
    ])
  })

  test('show their entries', async (t) => {
    const served = await serve(t)
    await send(served, 6)
    await served.ask(codes.HEART_BEAT, heartbeat({ topics: { T: 'a' } }))
    const ext = { topic: 'T', queueId: 0, index: 1, count: 1, consumerGroup: 'G' }
    const told = said(await served.ask(codes.QUERY_CONSUME_QUEUE, { ext })) as Record<string, unknown>
    const { messages } = await served.broker.store.get({ topic: 'T', queueId: 0, offset: 1, maxMessages: 1 })
    const { commitLogOffset, size } = messages[0]!
    assert.deepEqual(told['queueData'], [{ eval: false, physicOffset: commitLogOffset, physicSize: size, tagsCode: 97 }])
    assert.deepEqual([told['minQueueIndex'], told['maxQueueIndex']], [0, 3])
    assert.equal((told['subscriptionData'] as Record<string, unknown>)['subString'], 'a')
  })

  test('that belong to no topic are cleaned away', async (t) => {
    const { ask, broker } = await serve(t)
    await send({ broker } as ServedForTest, 1)
    await broker.store.put({ topic: 'Forgotten', body: 'x' })
    assert.equal((await ask(brokerRequests.CLEAN_UNUSED_TOPIC)).code, 0)
    assert.equal((await ask(brokerRequests.CLEAN_EXPIRED_CONSUMEQUEUE)).code, 0)
    assert.deepEqual(
      broker.store.queues().map(({ topic }) => topic),
      ['T'],
    )
  })
})

describe('offsets', () => {
  test('are all told at once, and corrected by those of others', async (t) => {
    const served = await serve(t)
    await send(served, 6)
    const { offsets } = served.broker.served
    offsets.commit('T', 'G', 0, 2)
    offsets.commit('T', 'H', 0, 1)
    const all = await served.ask(brokerRequests.GET_ALL_CONSUMER_OFFSET)
    assert.equal(all.body.toString(), '{"offsetTable":{"T@G":{0:2},"T@H":{0:1}}}')
    const corrected = async (ext: CommandParts['ext']): Promise<string> =>
      (await served.ask(codes.QUERY_CORRECTION_OFFSET, { ext: { topic: 'T', ...ext } })).body.toString()
    assert.equal(await corrected({ compareGroup: 'H' }), '{"correctionOffsets":{0:1}}')
    assert.equal(await corrected({ compareGroup: 'G' }), `{"correctionOffsets":{0:${Number.MAX_SAFE_INTEGER}}}`)
    assert.equal(await corrected({ compareGroup: 'G', filterGroups: 'H' }), '{"correctionOffsets":{0:2}}')
    const delays = await served.ask(brokerRequests.GET_ALL_DELAY_OFFSET)
    assert.ok(delays.code === 0 || delays.code === responseCodes.SYSTEM_ERROR)
  })
})

describe('clients', () => {
  const table = '{{"brokerName":"mqlite","queueId":0,"topic":"T"}:7}'

  test('are asked how far they are by their own account', async (t) => {
    const served = await serve(t)
    // As RocketMQ's clients write it.
    const body = Buffer.from(`{"consumerTable":{},"messageQueueTable":${table}}`)
    const tells: Handler = (command) => answer(command, 0, { body })
    const client = new RemotingClient({ handlers: new Map([[consumerNews.GET_CONSUMER_STATUS_FROM_CLIENT, tells]]) })
    t.after(() => client.close(100))
    await client.invoke(served.address, request(codes.HEART_BEAT, heartbeat({ clientId: 'far' })))
    await served.ask(codes.HEART_BEAT, heartbeat({ clientId: 'mute' }))
    const asked = (ext: CommandParts['ext']): Promise<Command> =>
      served.ask(codes.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, { ext: { topic: 'T', group: 'G', ...ext } })
    const expected = `{"consumerTable":{"far":${table}},"messageQueueTable":{}}`
    assert.equal((await asked({ clientAddr: 'far' })).body.toString(), expected)
    assert.equal((await asked({ clientAddr: 'mute' })).body.toString(), '{"consumerTable":{},"messageQueueTable":{}}')
    assert.equal((await asked({})).body.toString(), expected)
    assert.equal((await asked({ group: 'H' })).code, responseCodes.CONSUMER_NOT_ONLINE)
  })

  test('that produce are all told at once', async (t) => {
    const served = await serve(t)
    await served.ask(codes.HEART_BEAT, heartbeat({ group: '', producers: ['P'] }))
    const { data } = said(await served.ask(codes.GET_ALL_PRODUCER_INFO)) as { data: Record<string, Record<string, unknown>[]> }
    assert.deepEqual(
      data['P']!.map(({ clientId, language }) => [clientId, language]),
      [['c1', 'OTHER']],
    )
  })

  test('that compare need not say everything again while it is known, and must when it is not', async (t) => {
    const served = await serve(t)
    const beat = async (fingerprint: number, isShort: boolean): Promise<unknown> => {
      const { body } = heartbeat({ topics: isShort ? {} : { T: 'a' } })
      const whole = { ...(JSON.parse(String(body)) as object), heartbeatFingerprint: fingerprint, withoutSub: isShort }
      const { extFields } = await served.ask(codes.HEART_BEAT, { body: Buffer.from(JSON.stringify(whole)) })
      return [extFields['IS_SUPPORT_HEART_BEAT_V2'], extFields['IS_SUB_CHANGE']]
    }
    const { registry } = served.broker.served
    assert.deepEqual(await beat(0, false), ['true', 'true'])
    assert.deepEqual(await beat(77, true), ['true', 'true'])
    assert.deepEqual(await beat(77, false), ['true', 'false'])
    assert.deepEqual(await beat(77, true), ['true', 'false'])
    assert.deepEqual(registry.subscriptions('G').get('T')?.expression, 'a')
    assert.deepEqual(await beat(78, true), ['true', 'true'])
    await pass(served.time, 60_000)
    assert.deepEqual(await beat(77, true), ['true', 'false'])
    await pass(served.time, 80_000)
    assert.equal(registry.clientIds('G').length, 1)
    await served.ask(codes.UNREGISTER_CLIENT, { ext: { clientID: 'c1', consumerGroup: 'G' } })
    assert.deepEqual(await beat(77, true), ['true', 'true'])
  })
})

test('messages are not taken back, as by a broker of RocketMQ that is not told to', async (t) => {
  const { ask } = await serve(t)
  const { code } = await ask(brokerRequests.RECALL_MESSAGE, { ext: { topic: 'T', recallHandle: 'x' } })
  assert.equal(code, responseCodes.NO_PERMISSION)
})

test('the name server tells how it is configured', async (t) => {
  const { askNames } = await serve(t)
  assert.equal((await askNames(nameServerRequests.GET_NAMESRV_CONFIG)).body.toString(), 'orderMessageEnable=false\n')
})

test('a group is kept from a topic whatever its name', async (t) => {
  const { broker } = await serve(t)
  const { groups } = broker.served
  for (const isForbidden of [true, false, true]) {
    await groups.forbid('G', '__proto__', isForbidden)
    assert.equal(groups.isForbidden('G', '__proto__'), isForbidden)
  }
  assert.deepEqual([groups.isForbidden('G', 'T'), groups.isForbidden('G', 'constructor')], [false, false])
})

test('a group that is kept from a topic can neither pop it nor look at what it could pop', async (t) => {
  const { ask, broker } = await serve(t)
  const looked = { consumerGroup: 'G', topic: 'T', queueId: -1, maxMsgNums: 1, pollTime: 0, bornTime: 0 }
  const popped = { ...looked, invisibleTime: 1000, initMode: 0, order: false }
  for (const isForbidden of [true, false]) {
    await broker.served.groups.forbid('G', 'T', isForbidden)
    for (const code of [popRequests.POP_MESSAGE, popRequests.PEEK_MESSAGE, popRequests.NOTIFICATION]) {
      const answered = await ask(code, { ext: popped })
      if (!isForbidden) assert.notEqual(answered.code, responseCodes.NO_PERMISSION)
      else
        assert.deepEqual([answered.code, answered.remark], [responseCodes.NO_PERMISSION, 'NO_PERMISSION: group G may not read T'])
    }
  }
})

test('a group that is kept from a topic cannot pull it until it is let, and the file says so', async (t) => {
  const served = await serve(t)
  await send(served, 1)
  const forbid = async (readable?: boolean): Promise<unknown> =>
    said(await served.ask(brokerRequests.UPDATE_AND_GET_GROUP_FORBIDDEN, { ext: { group: 'G', topic: 'T', readable } }))
  assert.deepEqual(await forbid(), { group: 'G', readable: true, topic: 'T' })
  assert.deepEqual(await forbid(false), { group: 'G', readable: false, topic: 'T' })
  const refused = await served.ask(codes.PULL_MESSAGE, pull())
  assert.deepEqual([refused.code, refused.extFields['forbiddenType']], [responseCodes.NO_PERMISSION, '5'])
  assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ group: 'H' }))).code, 0)
  const { forbiddenTable } = said(await served.ask(brokerRequests.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)) as Record<string, unknown>
  assert.deepEqual(forbiddenTable, { G: { T: 4 } })
  assert.equal(
    JSON.stringify((served.broker.store.config.read('subscriptionGroup') as Record<string, unknown>)['forbiddenTable']),
    '{"G":{"T":4}}',
  )
  await forbid(true)
  assert.equal((await served.ask(codes.PULL_MESSAGE, pull())).code, 0)
})

test('a body of JSON beyond its bound is refused unread, also in the old form, and so is none', async (t) => {
  const { ask } = await serve(t)
  const body = (text: string): Command['body'] => Buffer.from(`{"clientID":"c","x":[${text}]}`)
  const asked = async (text: string): Promise<unknown> => {
    const { code, remark } = await ask(codes.HEART_BEAT, { body: body(text) })
    return code === 0 ? 0 : remark
  }
  assert.equal(await asked('"'.padEnd(200 * 1024, 'x').concat('"')), 0)
  assert.match(String(await asked('"'.padEnd(256 * 1024, 'x').concat('"'))), /^the body has \d+ bytes, JSON may have 262144$/)
  assert.equal(await asked('{0:1}'), 0)
  assert.equal(await asked('{0:'), 'the body is no JSON')
  assert.match(String(await asked('{0:1},'.repeat(6000).concat('1'))), /^the body is no JSON, or has .* more than 32768 bytes$/)
})
