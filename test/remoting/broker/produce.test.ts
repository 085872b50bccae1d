/** What producers send and are told: requests 10, 310 and 320, each refusal, and one-way. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { decodeOffsetMessageId } from '../../../lib/format/message-id.js'
import { brokerRequests as codes, responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, oneWayRequest } from '../../../lib/remoting/command.js'
import type { StoredMessage } from '../../../lib/store/stored-message.js'
import { batchBody, type GivenMessage, inLetters, inWords } from '../../support/client-messages.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

const topics = { T: { queues: 4 } }

async function serve(t: TestContext, given: ServeOptions = {}): Promise<ServedForTest> {
  return serveBroker(t, { ...given, options: { topics, ...given.options } })
}

function send({ ask }: ServedForTest, given: GivenMessage = {}): Promise<Command> {
  return ask(codes.SEND_MESSAGE_V2, inLetters(given))
}

async function stored({ broker }: ServedForTest, topic = 'T', queueId = 0): Promise<readonly StoredMessage[]> {
  return (await broker.store.get({ topic, queueId, offset: 0 })).messages
}

function refused({ code, remark, extFields }: Command, expected: number, words: string): void {
  assert.equal(code, expected, remark)
  assert.ok(remark?.includes(words), `${remark} does not say ${words}`)
  assert.deepEqual({ ...extFields }, {})
}

describe('a message that is sent', () => {
  for (const [name, code, form] of [
    ['10, in words', codes.SEND_MESSAGE, inWords],
    ['310, in letters', codes.SEND_MESSAGE_V2, inLetters],
  ] as const) {
    test(`as ${name}, is stored with all that its client said, and its client learns where`, async (t) => {
      const served = await serve(t)
      const properties = { TAGS: 'paid', KEYS: 'o-1 o-2', UNIQ_KEY: 'AB12', colour: 'rot', WAIT: 'true' }
      const given = { properties, queueId: 2, sysFlag: 0x101, flag: 7, bornTimestamp: 1_600_000_000_123, body: 'Grüße' }
      const { code: outcome, extFields, body, remark } = await served.ask(code, form(given))
      assert.deepEqual([outcome, remark, body.length], [responseCodes.SUCCESS, undefined, 0])
      const [message] = await stored(served, 'T', 2)
      assert.ok(message !== undefined)
      assert.deepEqual(
        { ...extFields },
        {
          msgId: message.messageId,
          queueId: '2',
          queueOffset: '0',
          transactionId: 'AB12',
          MSG_REGION: 'DefaultRegion',
          TRACE_ON: 'true',
        },
      )
      assert.equal(message.body.toString(), 'Grüße')
      assert.deepEqual([message.tags, message.keys, message.uniqueKey], ['paid', ['o-1', 'o-2'], 'AB12'])
      assert.deepEqual([message.sysFlag, message.flag, message.bornTimestamp], [0x101, 7, 1_600_000_000_123])
      assert.match(message.bornHost, /^127\.0\.0\.1:\d+$/)
      const { WAIT: _, ...kept } = properties
      const added = { MSG_REGION: 'DefaultRegion', TRACE_ON: 'true', CLUSTER: 'DefaultCluster' }
      assert.deepEqual({ ...message.properties }, { ...kept, ...added })
    })
  }

  test('has an id that leads back to the broker and to its record', async (t) => {
    const served = await serve(t)
    const { extFields } = await send(served)
    const id = decodeOffsetMessageId(extFields['msgId']!)
    assert.equal(id?.storeHost, served.address)
    assert.equal((await served.broker.store.lookup(extFields['msgId']!))?.body.toString(), 'hello')
  })

  test('gets a unique key when its client gave none', async (t) => {
    const served = await serve(t)
    const { extFields } = await send(served)
    assert.match(extFields['transactionId']!, /^[0-9A-F]{32}$/)
    assert.equal((await stored(served))[0]?.uniqueKey, extFields['transactionId'])
  })

  test('to a queue below 0 goes to one that the broker chooses', async (t) => {
    const served = await serve(t, { ports: { random: () => 0.6 } })
    assert.equal((await send(served, { queueId: -1 })).extFields['queueId'], '2')
  })

  test('cannot pass for a part of a transaction, a batch record, or a message of several queues', async (t) => {
    const served = await serve(t)
    const properties = { INNER_MULTI_DISPATCH: '%LMQ%x', INNER_BASE: '3', INNER_NUM: '9', POP_CK: '1', UNIQ_KEY: 'A' }
    assert.equal((await send(served, { sysFlag: 0xfff, properties })).code, 0)
    const [message] = await stored(served)
    assert.equal(message?.sysFlag, 0x703)
    assert.deepEqual(Object.keys(message?.properties ?? {}).sort(), ['CLUSTER', 'MSG_REGION', 'TRACE_ON', 'UNIQ_KEY'])
    assert.deepEqual(
      served.broker.store.queues().map(({ topic }) => topic),
      ['T'],
    )
  })

  test('with a delay waits among the delayed ones, and its client learns where', async (t) => {
    const served = await serve(t)
    const { extFields } = await send(served, { properties: { DELAY: '3', UNIQ_KEY: 'A' }, queueId: 1 })
    assert.equal(extFields['queueId'], '2')
    const [message] = await stored(served, 'SCHEDULE_TOPIC_XXXX', 2)
    assert.deepEqual([message?.properties['REAL_TOPIC'], message?.properties['REAL_QID']], ['T', '1'])
  })

  test('for a time ahead waits for it, and one for a time too far ahead is refused with 13', async (t) => {
    const served = await serve(t)
    assert.equal((await send(served, { properties: { TIMER_DELAY_SEC: '60' } })).code, 0)
    refused(await send(served, { properties: { TIMER_DELAY_SEC: '99999999' } }), responseCodes.MESSAGE_ILLEGAL, 'DELAY_INVALID')
    assert.deepEqual(await stored(served), [])
    const [waiting] = await stored(served, 'rmq_sys_wheel_timer')
    assert.equal(waiting?.properties['REAL_TOPIC'], 'T')
  })

  test('one-way is stored, and never answered', async (t) => {
    const served = await serve(t)
    await served.client.sendOneWay(served.address, oneWayRequest(codes.SEND_MESSAGE_V2, inLetters()))
    await served.client.sendOneWay(served.address, oneWayRequest(codes.SEND_MESSAGE_V2, inLetters({ topic: 'unknown' })))
    // The answer to a later request is the first that comes.
    assert.equal((await send(served, { body: 'second' })).extFields['queueOffset'], '1')
    assert.deepEqual(
      (await stored(served)).map(({ body }) => body.toString()),
      ['hello', 'second'],
    )
  })

  test('from one client to one queue keeps its order, however many are under way', async (t) => {
    const served = await serve(t)
    const count = 300
    const answers = await Promise.all(Array.from({ length: count }, (_, i) => send(served, { body: String(i) })))
    assert.deepEqual(
      answers.map(({ extFields }) => Number(extFields['queueOffset'])),
      Array.from({ length: count }, (_, i) => i),
    )
  })
})

describe('a topic that is not there', () => {
  test('is refused with 17 when topics are not made on first use', async (t) => {
    const served = await serve(t)
    refused(await send(served, { topic: 'unknown' }), responseCodes.TOPIC_NOT_EXIST, 'unknown')
  })

  test('is made after the template, with as many queues as the client asks for and the template has', async (t) => {
    const served = await serve(t, { options: { autoCreateTopics: true } })
    assert.equal((await send(served, { topic: 'few', queues: 3 })).code, 0)
    assert.equal((await send(served, { topic: 'many', queues: 100 })).code, 0)
    assert.deepEqual(
      ['few', 'many'].map((topic) => {
        const { readQueues, writeQueues, permission } = served.broker.topics.get(topic)
        return [readQueues, writeQueues, permission]
      }),
      [
        [3, 3, 6],
        [8, 8, 6],
      ],
    )
  })

  test('is made after any other topic that may be inherited, even so', async (t) => {
    const served = await serve(t)
    assert.equal((await send(served, { topic: 'heir', template: 'DefaultCluster' })).code, 0)
    refused(await send(served, { topic: 'orphan', template: 'T' }), responseCodes.TOPIC_NOT_EXIST, 'orphan')
  })
})

describe('a message is refused', () => {
  const cases: readonly [what: string, given: GivenMessage, code: number, words: string][] = [
    ['with 29 for a name that no topic can have', { topic: '../etc' }, responseCodes.INVALID_PARAMETER, 'letters'],
    ['with 29 for a name of 128 bytes', { topic: 'x'.repeat(128) }, responseCodes.INVALID_PARAMETER, 'TOPIC_INVALID'],
    ['with 16 for a topic of the system', { topic: 'SCHEDULE_TOPIC_XXXX' }, responseCodes.NO_PERMISSION, 'system'],
    ['with 16 for half messages', { topic: 'RMQ_SYS_TRANS_HALF_TOPIC' }, responseCodes.NO_PERMISSION, 'system'],
    ['with 29 for a queue that the topic does not have', { queueId: 4 }, responseCodes.INVALID_PARAMETER, 'queue 4'],
    ['with 13 for an empty body', { body: '' }, responseCodes.MESSAGE_ILLEGAL, 'empty'],
    ['with 13 for a body beyond 1 KiB', { body: Buffer.alloc(1025) }, responseCodes.MESSAGE_ILLEGAL, '1025'],
    [
      'with 13, and not by a closed connection, for properties of 32,769 characters of three bytes',
      { properties: { a: '\u4e2d'.repeat(32_769) } },
      responseCodes.MESSAGE_ILLEGAL,
      'properties',
    ],
    [
      'with 13 for a message without keys where only the newest of a key is kept',
      { topic: 'compact' },
      responseCodes.MESSAGE_ILLEGAL,
      'keys',
    ],
  ]
  for (const [what, given, code, words] of cases) {
    test(`${what}; nothing is stored`, async (t) => {
      const served = await serve(t, { options: { topics: { ...topics, compact: {} }, store: { maxMessageBytes: 1024 } } })
      // Such as RocketMQ's broker leaves it; here it cannot be made.
      const { attributes } = served.broker.topics.get('compact')
      Object.assign(attributes, { 'cleanup.policy': 'COMPACTION' })
      refused(await send(served, given), code, words)
      assert.deepEqual(served.broker.store.queues(), [])
    })
  }

  for (const [field, text] of [
    ['a', undefined],
    ['b', undefined],
    ['e', 'one'],
    ['e', '99999999999'],
    ['g', '1e3'],
  ] as const) {
    test(`with 1 when the field ${field} is ${text ?? 'missing'}`, async (t) => {
      const { ask } = await serve(t)
      const { ext, body } = inLetters()
      refused(
        await ask(codes.SEND_MESSAGE_V2, { ext: { ...ext, [field]: text }, body }),
        responseCodes.SYSTEM_ERROR,
        `<${field}>`,
      )
    })
  }

  test('with 14 when the broker is closing', async (t) => {
    const served = await serve(t)
    await served.broker.close()
    refused(await send(served), responseCodes.SERVICE_NOT_AVAILABLE, 'BROKER_CLOSED')
  })
})

test('a message to a topic with as many unread messages as it may have is refused with 2, whatever programs here do', async (t) => {
  const served = await serve(t, { options: { backlog: { maxMessages: 1, whenFull: 'wait' } } })
  served.broker.served.offsets.commit('T', 'G', 0, 0)
  assert.equal((await send(served)).code, 0)
  refused(await send(served), responseCodes.SYSTEM_BUSY, 'BACKLOG_FULL')
  const batch = { body: batchBody([{ body: 'a' }]), isBatch: true }
  refused(await send(served, batch), responseCodes.SYSTEM_BUSY, 'BACKLOG_FULL')
  assert.equal((await stored(served)).length, 1)
})

describe('a message to the retries of a group', () => {
  const retry = (given: GivenMessage = {}): GivenMessage => ({
    topic: '%RETRY%G',
    properties: { DELAY: '4', RETRY_TOPIC: 'T' },
    ...given,
  })

  test('waits for its delay; the topic is made with one queue', async (t) => {
    const served = await serve(t)
    assert.equal((await send(served, retry({ reconsumeTimes: 1 }))).code, 0)
    assert.equal(served.broker.topics.get('%RETRY%G').writeQueues, 1)
    assert.equal((await stored(served, 'SCHEDULE_TOPIC_XXXX', 3))[0]?.properties['REAL_TOPIC'], '%RETRY%G')
  })

  for (const [what, given, isDead] of [
    ['tried 16 times is tried again', { reconsumeTimes: 16 }, false],
    ['tried 17 times is dead', { reconsumeTimes: 17 }, true],
    ["tried more often than its client's own limit is dead", { reconsumeTimes: 3, maxReconsumeTimes: 2 }, true],
    ["tried 17 times within its client's own limit is tried again", { reconsumeTimes: 17, maxReconsumeTimes: 20 }, false],
  ] as const) {
    test(what, async (t) => {
      const served = await serve(t)
      assert.equal((await send(served, retry(given))).code, 0)
      assert.equal((await stored(served, '%DLQ%G')).length, isDead ? 1 : 0)
      assert.equal((await stored(served, 'SCHEDULE_TOPIC_XXXX', 3)).length, isDead ? 0 : 1)
    })
  }

  test('of a group that consumes in order is dead: its client has tried as often as it wants', async (t) => {
    const served = await serve(t)
    const { locks } = served.broker.served
    locks.lock('G', [{ topic: 'T', brokerName: 'mqlite', queueId: 0 }], 'client')
    assert.equal((await send(served, retry({ reconsumeTimes: 1 }))).code, 0)
    assert.equal((await stored(served, '%DLQ%G')).length, 1)
  })

  test('is refused with 26 when its group is not there and is not made', async (t) => {
    const served = await serve(t, { options: { autoCreateGroups: false } })
    refused(await send(served, retry()), responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST, 'G')
  })
})

describe('a batch', () => {
  const messages = [
    { body: 'a', properties: { UNIQ_KEY: 'A1', TAGS: 'x' } },
    { body: 'b', properties: { UNIQ_KEY: 'A2' } },
    { body: 'c' },
  ]

  test('of more than 16,384 messages is refused as a whole', async (t) => {
    const served = await serve(t)
    const of = (count: number) => ({ body: batchBody(Array.from({ length: count }, () => ({ body: 'a' }))), isBatch: true })
    refused(await send(served, of(16_385)), responseCodes.MESSAGE_ILLEGAL, 'a batch may have 16384 messages at most')
    const answers = await Promise.all([of(3000), of(3), of(513)].map((one) => send(served, one)))
    assert.deepEqual(
      answers.map(({ code }) => code),
      [0, 0, 0],
    )
    assert.equal(served.broker.store.bounds('T', 0).maxOffset, 3516)
  })

  test('becomes messages one behind the other, each with its own properties and those of the batch', async (t) => {
    const served = await serve(t)
    const shared = { UNIQ_KEY: 'A1,A2', colour: 'red' }
    const batch = inLetters({ body: batchBody(messages), properties: shared, queueId: 3, isBatch: true })
    const { code, extFields } = await served.ask(codes.SEND_BATCH_MESSAGE, batch)
    assert.equal(code, 0)
    const found = await stored(served, 'T', 3)
    assert.deepEqual(
      extFields['msgId']?.split(','),
      found.map(({ messageId }) => messageId),
    )
    assert.deepEqual([extFields['queueId'], extFields['queueOffset'], extFields['transactionId']], ['3', '0', undefined])
    assert.deepEqual(
      found.map(({ body, queueOffset, tags }) => [body.toString(), queueOffset, tags]),
      [
        ['a', 0, 'x'],
        ['b', 1, undefined],
        ['c', 2, undefined],
      ],
    )
    assert.deepEqual(
      found.slice(0, 2).map(({ uniqueKey }) => uniqueKey),
      ['A1', 'A2'],
    )
    assert.match(found[2]!.uniqueKey!, /^[0-9A-F]{32}$/)
    assert.ok(found.every(({ properties }) => properties['colour'] === 'red' && properties['CLUSTER'] === 'DefaultCluster'))
  })

  test('keeps what each of its messages says of waiting for the disk', async (t) => {
    const served = await serve(t)
    const body = batchBody([{ body: 'a', properties: { WAIT: 'false' } }, { body: 'b' }])
    assert.equal((await served.ask(codes.SEND_BATCH_MESSAGE, inLetters({ body, isBatch: true }))).code, 0)
    const said = (await stored(served)).map(({ properties }) => properties['WAIT'])
    assert.deepEqual(said, ['false', undefined])
  })

  test('gives each message its own properties, names that mean something to objects too, and none of another message', async (t) => {
    const served = await serve(t)
    const own: Record<string, string>[] = [{ colour: 'red', constructor: 'X' }, { TAGS: 'x' }]
    const body = batchBody(own.map((properties, i) => ({ body: String(i), properties })))
    const shared = { first: '1', colour: 'blue', INNER_NUM: '2' }
    assert.equal((await served.ask(codes.SEND_BATCH_MESSAGE, inLetters({ body, properties: shared, isBatch: true }))).code, 0)
    const said = (await stored(served)).map(({ properties }) => Object.entries(properties).slice(0, 3).flat().join(' '))
    assert.deepEqual(said, ['first 1 colour red constructor X', 'first 1 colour blue TAGS x'])
  })

  test('may come as 310 that says that it is one', async (t) => {
    const served = await serve(t)
    assert.equal((await send(served, { body: batchBody(messages), isBatch: true })).code, 0)
    assert.equal((await stored(served)).length, 3)
  })

  for (const [what, given, code, words] of [
    ['with 13 when it is not whole', { body: batchBody(messages).subarray(0, -1) }, 13, 'batch'],
    ['with 13 when it is empty', { body: '' }, 13, 'empty'],
    ['with 13 to the retries of a group', { topic: '%RETRY%G', body: batchBody(messages) }, 13, 'retries'],
    ['with 17 to an unknown topic', { topic: 'unknown', body: batchBody(messages) }, 17, 'unknown'],
  ] as const) {
    test(`is refused ${what}; nothing is stored`, async (t) => {
      const served = await serve(t)
      refused(await served.ask(codes.SEND_BATCH_MESSAGE, inLetters({ ...given, isBatch: true })), code, words)
      assert.deepEqual(served.broker.store.queues(), [])
    })
  }
})
