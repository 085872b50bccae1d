/** Members that come and go over connections: heartbeats, farewells, news, and what is asked about them. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { PopConsumer } from '../../../lib/broker/pop/pop-consumer.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import { answer, type Command, type CommandParts, isOneWay, request } from '../../../lib/remoting/command.js'
import { consumeRequests as codes, consumerNews } from '../../../lib/remoting/commands/consume-codes.js'
import type { Handler } from '../../../lib/remoting/handling.js'
import { type GivenMember, heartbeat, messagesIn, said } from '../../support/consumer-requests.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

async function serve(t: TestContext, options: ServeOptions['options'] = {}): Promise<ServedForTest> {
  return serveBroker(t, { options: { topics: { T: { queues: 2 } }, ...options } })
}

/** A client with a connection of its own that keeps what it is told. */
function client(t: TestContext, { address }: ServedForTest) {
  const news: Command[] = []
  const keep: Handler = (command) => {
    news.push(command)
    return undefined
  }
  const info: Handler = (command) => answer(command, 0, { body: Buffer.from(`info of ${command.extFields['clientId']}`) })
  const handleNow: Handler = (command) => {
    const [message] = messagesIn(command)
    return answer(command, 0, { body: Buffer.from(JSON.stringify({ handled: message!.body.toString() })) })
  }
  const handlers = new Map<number, Handler>([
    [codes.CONSUME_MESSAGE_DIRECTLY, handleNow],
    [consumerNews.NOTIFY_CONSUMER_IDS_CHANGED, keep],
    [39, keep],
    [codes.GET_CONSUMER_RUNNING_INFO, info],
  ])
  const one = new RemotingClient({ handlers })
  t.after(() => one.close(100))
  const ask = (code: number, parts: CommandParts): Promise<Command> => one.invoke(address, request(code, parts))
  const beat = async (given: GivenMember): Promise<void> => {
    const { code, remark } = await ask(codes.HEART_BEAT, heartbeat(given))
    assert.equal(code, 0, remark)
  }
  return { news, ask, beat, close: () => one.close(0) }
}

async function idsOf({ ask }: ServedForTest, group = 'G'): Promise<unknown> {
  const answered = await ask(codes.GET_CONSUMER_LIST_BY_GROUP, { ext: { consumerGroup: group } })
  return answered.code === 0 ? (said(answered) as { consumerIdList: unknown }).consumerIdList : answered.remark
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 10_000; i++) {
    if (await holds()) return
    await turn()
  }
  assert.fail('it never came true')
}

describe('a heartbeat', () => {
  test('makes group and retry topic, and its client a member with what it wants', async (t) => {
    const served = await serve(t, { groups: { Two: { retryQueues: 2 } } })
    await client(t, served).beat({ topics: { T: 'a || b', U: "sql:n > '1'" }, version: 7 })
    await client(t, served).beat({ clientId: 'c2', group: 'Two' })
    assert.deepEqual([await idsOf(served), await idsOf(served, 'Two')], [['c1'], ['c2']])
    assert.equal(served.broker.topics.get('%RETRY%G').readQueues, 1)
    assert.equal(served.broker.topics.get('%RETRY%Two').readQueues, 2)
    const { registry } = served.broker.served
    assert.deepEqual(Object.fromEntries(registry.subscriptions('G')), {
      T: { expression: 'a || b', kind: 'TAG', version: 7 },
      U: { expression: "n > '1'", kind: 'SQL92', version: 7 },
    })
    const { consumeType, model, consumeFrom } = registry.facts('G')!
    assert.deepEqual([consumeType, model, consumeFrom], ['CONSUME_PASSIVELY', 'CLUSTERING', 'CONSUME_FROM_LAST_OFFSET'])
  })

  test('of a group that is not there and may not be made is passed over', async (t) => {
    const served = await serve(t, { autoCreateGroups: false, groups: { Known: {} } })
    const one = client(t, served)
    await one.beat({})
    await one.beat({ group: 'Known' })
    assert.deepEqual([await idsOf(served), await idsOf(served, 'Known')], ['no consumer for this group, G', ['c1']])
  })

  test('of a member that comes tells the others, one that tells nothing new tells nobody', async (t) => {
    const served = await serve(t)
    const [one, two] = [client(t, served), client(t, served)]
    await one.beat({})
    await until(() => one.news.length === 1)
    await two.beat({ clientId: 'c2' })
    await until(() => one.news.length === 2 && two.news.length === 1)
    assert.ok(one.news.every((command) => isOneWay(command) && command.extFields['consumerGroup'] === 'G'))
    await two.beat({ clientId: 'c2' })
    assert.deepEqual(await idsOf(served), ['c1', 'c2'])
    assert.deepEqual([one.news.length, two.news.length], [2, 1])
  })

  test('is refused when the group consumes by the other model, which harms no other group', async (t) => {
    const served = await serve(t)
    await client(t, served).beat({})
    const { code, remark } = await client(t, served).ask(codes.HEART_BEAT, heartbeat({ clientId: 'c2', model: 'BROADCASTING' }))
    assert.deepEqual([code, /CLUSTERING/.test(remark!)], [responseCodes.SUBSCRIPTION_NOT_LATEST, true])
    assert.deepEqual(await idsOf(served), ['c1'])
  })

  const long = 'x'.repeat(20_000)
  for (const [name, given, expected] of [
    ['without a client', { clientId: '' }, responseCodes.SYSTEM_ERROR],
    ['with a group that has no name a group can have', { group: 'a b' }, responseCodes.INVALID_PARAMETER],
    ['with a name that is too long', { topics: { ['T'.repeat(256)]: '*' } }, responseCodes.SYSTEM_ERROR],
    ['with a filter that is too long', { topics: { T: long } }, responseCodes.SUBSCRIPTION_PARSE_FAILED],
  ] as const) {
    test(`${name} is refused`, async (t) => {
      const served = await serve(t)
      const { code } = await served.ask(codes.HEART_BEAT, heartbeat(given))
      assert.equal(code, expected)
      assert.deepEqual(served.broker.served.registry.groups, [])
    })
  }

  for (const body of [
    '',
    '[]',
    '{',
    '{"clientID":7}',
    '{"clientID":"c","consumerDataSet":7}',
    '{"clientID":"c","consumerDataSet":[7]}',
  ]) {
    test(`whose body is ${body === '' ? 'empty' : body} is refused`, async (t) => {
      const served = await serve(t)
      const { code } = await served.ask(codes.HEART_BEAT, { body: Buffer.from(body) })
      assert.equal(code, responseCodes.SYSTEM_ERROR)
    })
  }
})

describe('a member leaves', () => {
  test('when it says so, and the others are told', async (t) => {
    const served = await serve(t)
    const [one, two] = [client(t, served), client(t, served)]
    await one.beat({})
    await two.beat({ clientId: 'c2', producers: ['PG'] })
    await until(() => one.news.length === 2)
    const ext = { clientID: 'c2', consumerGroup: 'G', producerGroup: 'PG' }
    assert.equal((await one.ask(codes.UNREGISTER_CLIENT, { ext })).code, 0)
    assert.deepEqual(await idsOf(served), ['c1', 'c2'], 'another connection is another client')
    assert.equal((await two.ask(codes.UNREGISTER_CLIENT, { ext })).code, 0)
    await until(() => one.news.length === 3)
    assert.deepEqual(await idsOf(served), ['c1'])
    assert.deepEqual(served.broker.served.registry.producers('PG'), [])
  })

  test('when its connection closes, with all its groups and clients', async (t) => {
    const served = await serve(t)
    const [one, two] = [client(t, served), client(t, served)]
    await one.beat({})
    await two.beat({ clientId: 'c2', producers: ['PG'] })
    await two.beat({ clientId: 'c3' })
    await two.beat({ clientId: 'c2', group: 'Other' })
    await two.close()
    const { registry } = served.broker.served
    await until(() => registry.clientIds('G').length === 1)
    assert.deepEqual([registry.groups, registry.producerGroups], [['G'], []])
    await until(() => one.news.length > 1)
  })
})

describe('who asks about members', () => {
  test('learns the connections and subscriptions of a group', async (t) => {
    const served = await serve(t)
    await client(t, served).beat({ topics: { T: 'a || b' }, version: 7 })
    const answered = await served.ask(codes.GET_CONSUMER_CONNECTION_LIST, { ext: { consumerGroup: 'G' } })
    const [connection] = (said(answered) as { connectionSet: { clientAddr: string }[] }).connectionSet
    assert.match(connection!.clientAddr, /^127\.0\.0\.1:\d+$/)
    assert.deepEqual(said(answered), {
      connectionSet: [{ clientAddr: connection!.clientAddr, clientId: 'c1', language: 'OTHER', version: 479 }],
      consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      subscriptionTable: {
        T: {
          classFilterMode: false,
          codeSet: [97, 98],
          expressionType: 'TAG',
          subString: 'a || b',
          subVersion: 7,
          tagsSet: ['a', 'b'],
          topic: 'T',
        },
      },
    })
  })

  test('sees members of this process beside them', async (t) => {
    const served = await serve(t)
    const consumer = served.broker.consumer({ group: 'G', subscribe: { T: '*' }, name: 'here' })
    await client(t, served).beat({ clientId: 'there' })
    assert.deepEqual(await idsOf(served), ['here', 'there'])
    await until(() => consumer.queues.filter(({ topic }) => topic === 'T').length === 1)
  })

  test('sees members of this process that pop, which share no queues', async (t) => {
    const served = await serve(t)
    const popper = served.broker.popConsumer({ group: 'G', subscribe: { T: 'a' } })
    const told = async (): Promise<unknown> =>
      said(await served.ask(codes.GET_CONSUMER_CONNECTION_LIST, { ext: { consumerGroup: 'G' } }))
    const { connectionSet, ...facts } = (await told()) as Record<string, unknown[]>
    assert.deepEqual(
      connectionSet!.map((one) => (one as { language: string }).language),
      ['NODE_JS'],
    )
    assert.equal((facts as Record<string, unknown>)['consumeType'], 'CONSUME_POP')
    assert.equal(await idsOf(served), 'no consumer for this group, G')
    await popper.close()
    assert.equal((await served.ask(codes.GET_CONSUMER_CONNECTION_LIST, { ext: { consumerGroup: 'G' } })).code, 206)
  })

  test('may be told to pop by a 401 beside members of this process that pop: it says that it is fed, as one that pulls', async (t) => {
    const served = await serve(t)
    const join = (): PopConsumer => served.broker.popConsumer({ group: 'G', subscribe: { T: 'a' } })
    const popper = join()
    await client(t, served).beat({ clientId: 'there' })
    assert.deepEqual(await idsOf(served), ['there'])
    await popper.close()
    await join().close()
  })

  test('learns the connections of producers', async (t) => {
    const served = await serve(t)
    await client(t, served).beat({ group: '', producers: ['PG'] })
    const answered = await served.ask(codes.GET_PRODUCER_CONNECTION_LIST, { ext: { producerGroup: 'PG' } })
    const { connectionSet } = said(answered) as { connectionSet: { clientId: string }[] }
    assert.deepEqual(
      connectionSet.map(({ clientId }) => clientId),
      ['c1'],
    )
  })

  test('is asked how a transaction ended, as a producer of its group', async (t) => {
    const served = await serve(t)
    const one = client(t, served)
    await one.beat({ group: '', producers: ['PG'] })
    const { store, registry } = served.broker.served
    const properties = { REAL_TOPIC: 'T', REAL_QID: '1', PGROUP: 'PG', UNIQ_KEY: 'AB12' }
    const { commitLogOffset } = await store.put({ topic: 'RMQ_SYS_TRANS_HALF_TOPIC', body: 'half', properties })
    registry.nextProducer('PG')!.askTransaction((await store.lookup({ commitLogOffset }))!)
    await until(() => one.news.length === 1)
    const [question] = one.news
    assert.deepEqual([question!.code, isOneWay(question!)], [39, true])
    const { topic, tranStateTableOffset, msgId, bname } = question!.extFields
    assert.deepEqual([topic, tranStateTableOffset, msgId, bname], ['T', '0', 'AB12', store.brokerName])
    const [half] = messagesIn(question!)
    assert.deepEqual([half!.topic, half!.queueId, half!.body.toString()], ['T', 1, 'half'])
  })

  test('gets what a member tells of itself', async (t) => {
    const served = await serve(t)
    await client(t, served).beat({})
    const ask = (clientId: string) => served.ask(codes.GET_CONSUMER_RUNNING_INFO, { ext: { consumerGroup: 'G', clientId } })
    assert.equal((await ask('c1')).body.toString(), 'info of c1')
    assert.equal((await ask('c2')).code, responseCodes.SYSTEM_ERROR)
  })

  test('lets a member handle a message now', async (t) => {
    const served = await serve(t)
    await client(t, served).beat({})
    const { messageId } = await served.broker.send({ topic: 'T', body: 'now' })
    const ask = (msgId: string, clientId = 'c1') =>
      served.ask(codes.CONSUME_MESSAGE_DIRECTLY, { ext: { consumerGroup: 'G', clientId, msgId, topic: 'T' } })
    assert.equal((await ask(messageId)).body.toString(), '{"handled":"now"}')
    assert.equal((await ask(messageId, 'c2')).code, responseCodes.SYSTEM_ERROR)
    assert.equal((await ask(`${messageId.slice(0, -1)}7`)).code, responseCodes.SYSTEM_ERROR)
    assert.equal((await ask('no id')).code, responseCodes.MESSAGE_ILLEGAL)
  })

  test('is told when there is nobody', async (t) => {
    const { ask } = await serve(t)
    const ext = { consumerGroup: 'G', producerGroup: 'PG' }
    const codesOf = [codes.GET_CONSUMER_LIST_BY_GROUP, codes.GET_CONSUMER_CONNECTION_LIST, codes.GET_PRODUCER_CONNECTION_LIST]
    const answers = await Promise.all(codesOf.map((code) => ask(code, { ext })))
    assert.deepEqual(
      answers.map(({ code }) => code),
      [1, 206, 1],
    )
  })
})

describe('a subscription that a client asks about', () => {
  const asked = (subString: string, expressionType: string): CommandParts => ({
    body: Buffer.from(JSON.stringify({ clientId: 'c', group: 'G', subscriptionData: { topic: 'T', subString, expressionType } })),
  })

  test('can be served, or cannot be read', async (t) => {
    const { ask } = await serve(t)
    assert.equal((await ask(codes.CHECK_CLIENT_CONFIG, asked('a || b', 'TAG'))).code, 0)
    assert.equal((await ask(codes.CHECK_CLIENT_CONFIG, asked('n > 1', 'SQL92'))).code, 0)
    assert.equal((await ask(codes.CHECK_CLIENT_CONFIG, asked('n >', 'SQL92'))).code, responseCodes.SUBSCRIPTION_PARSE_FAILED)
    assert.equal((await ask(codes.CHECK_CLIENT_CONFIG, asked('x', 'JS'))).code, responseCodes.SUBSCRIPTION_PARSE_FAILED)
  })

  test('cannot be SQL where that is not served', async (t) => {
    const { ask } = await serveBroker(t, { server: { sqlFilters: false } })
    assert.equal((await ask(codes.CHECK_CLIENT_CONFIG, asked('n > 1', 'SQL92'))).code, responseCodes.SYSTEM_ERROR)
  })
})
