/**
 * Who may send which request to a broker and to its name server: every code that is handled, from nobody, from somebody
 * with a wrong key, from one who may only consume and from an administrator; and every code that is not.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { brokerRows } from '../../../lib/remoting/auth/broker-rows.js'
import { nameServerRows } from '../../../lib/remoting/auth/name-server-rows.js'
import type { AuthSettings } from '../../../lib/remoting/auth/settings.js'
import type { Credentials } from '../../../lib/remoting/auth/signature.js'
import { printBody } from '../../../lib/remoting/body-json.js'
import { BrokerServer } from '../../../lib/remoting/broker-server.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { accountRequests, brokerRequests, nameServerRequests, responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests, popRequests } from '../../../lib/remoting/commands/consume-codes.js'
import { endpointText } from '../../../lib/remoting/endpoint.js'
import { inLetters, inWords } from '../../support/client-messages.js'
import { heartbeat, pull } from '../../support/consumer-requests.js'
import { openTestBroker } from '../../support/open-broker.js'
import { type ServedForTest, serveBroker } from '../../support/serve-broker.js'
import { testCertificate, testKey } from '../../support/tls-files.js'

const { NO_PERMISSION, REQUEST_CODE_NOT_SUPPORTED } = responseCodes
const admin = { accessKey: 'administrator', secretKey: 'canary-secret-of-the-administrator' }
const reader = { accessKey: 'the-reader', secretKey: 'canary-secret-of-the-reader' }
const auth: AuthSettings = {
  accounts: [
    { ...admin, admin: true },
    { ...reader, topicPerms: ['T=SUB'], groupPerms: ['G=SUB'] },
  ],
}

const wantedTopic = {
  topic: 'new',
  defaultTopic: 'TBW102',
  readQueueNums: 1,
  writeQueueNums: 1,
  perm: 6,
  topicFilterType: 'SINGLE_TAG',
  order: false,
}
const queue = { topic: 'T', brokerName: 'mqlite', queueId: 0 }
const locked = { body: printBody({ consumerGroup: 'G', clientId: 'c', mqSet: [queue] }) }
const share = { topic: 'T', consumerGroup: 'G', clientId: 'c', strategyName: 'AVG', mode: 'PULL' }
const place = { ext: { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 0 } }
const inTopic = { ext: { topic: 'T', queueId: 0, timestamp: 0 } }
const ofGroup = { ext: { consumerGroup: 'G', producerGroup: 'P', group: 'G', topic: 'T', clientId: 'c' } }
const b = brokerRequests
const c = consumeRequests
const p = popRequests
const popped = {
  ext: { ...ofGroup.ext, queueId: 0, maxMsgNums: 1, invisibleTime: 1000, pollTime: 0, bornTime: 0, initMode: 0, offset: 0 },
}
const acks = {
  body: printBody({ brokerName: 'mqlite', acks: [{ c: 'G', t: 'T', r: '0', so: 0, q: 0, rq: 0, pt: 0, it: 0, b: '' }] }),
}

/** Each request to a broker as one may send it, and whether one may who may consume T for G. */
const requests: readonly (readonly [code: number, parts: CommandParts, mayReader: boolean])[] = [
  [b.SEND_MESSAGE, inWords(), false],
  [b.SEND_MESSAGE_V2, inLetters(), false],
  [b.SEND_BATCH_MESSAGE, inLetters(), false],
  [b.SEND_REPLY_MESSAGE, inWords({ topic: 'DefaultCluster_REPLY_TOPIC' }), false],
  [b.SEND_REPLY_MESSAGE_V2, inLetters({ topic: 'DefaultCluster_REPLY_TOPIC' }), false],
  [b.END_TRANSACTION, { ext: { producerGroup: 'P', tranStateTableOffset: 0, commitLogOffset: 0, commitOrRollback: 8 } }, false],
  [b.QUERY_MESSAGE, { ext: { topic: 'T', key: 'k', maxNum: 1, beginTimestamp: 0, endTimestamp: 9e12 } }, true],
  [b.VIEW_MESSAGE_BY_ID, { ext: { offset: 0 } }, false],
  [b.UPDATE_AND_CREATE_TOPIC, { ext: wantedTopic }, false],
  [b.UPDATE_AND_CREATE_TOPIC_LIST, { body: printBody({ topicConfigList: [{ topicName: 'new' }] }) }, false],
  [b.DELETE_TOPIC_IN_BROKER, { ext: { topic: 'T' } }, false],
  [b.GET_ALL_TOPIC_CONFIG, {}, false],
  [b.GET_TOPIC_CONFIG, inTopic, true],
  [b.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, {}, true],
  [b.GET_BROKER_CONFIG, {}, false],
  [b.GET_BROKER_RUNTIME_INFO, {}, false],
  [b.SEARCH_OFFSET_BY_TIMESTAMP, inTopic, true],
  [b.GET_MAX_OFFSET, inTopic, true],
  [b.GET_MIN_OFFSET, inTopic, true],
  [b.GET_EARLIEST_MSG_STORETIME, inTopic, true],
  [b.GET_TOPIC_STATS_INFO, inTopic, true],
  [b.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, { body: printBody({ groupName: 'new' }) }, false],
  [b.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, { body: printBody({ groupConfigList: [{ groupName: 'new' }] }) }, false],
  [b.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, {}, false],
  [b.GET_SUBSCRIPTIONGROUP_CONFIG, ofGroup, true],
  [b.DELETE_SUBSCRIPTIONGROUP, { ext: { groupName: 'G' } }, false],
  [c.PULL_MESSAGE, pull(), true],
  [c.LITE_PULL_MESSAGE, pull(), true],
  [c.QUERY_CONSUMER_OFFSET, place, true],
  [c.UPDATE_CONSUMER_OFFSET, place, true],
  [c.HEART_BEAT, heartbeat({ topics: { T: '*', '%RETRY%G': '*' } }), true],
  [c.UNREGISTER_CLIENT, { ext: { clientID: 'c', consumerGroup: 'G' } }, true],
  [c.CONSUMER_SEND_MSG_BACK, { ext: { group: 'G', offset: 0, delayLevel: 0 } }, false],
  [c.GET_CONSUMER_LIST_BY_GROUP, ofGroup, true],
  [c.LOCK_BATCH_MQ, locked, true],
  [c.UNLOCK_BATCH_MQ, locked, true],
  [c.CHECK_CLIENT_CONFIG, { body: printBody({ clientId: 'c', group: 'G' }) }, true],
  [c.GET_CONSUMER_CONNECTION_LIST, ofGroup, true],
  [c.GET_PRODUCER_CONNECTION_LIST, ofGroup, false],
  [c.GET_CONSUME_STATS, ofGroup, true],
  [c.INVOKE_BROKER_TO_RESET_OFFSET, { ext: { topic: 'T', group: 'G', timestamp: 0, isForce: true } }, false],
  [c.QUERY_TOPIC_CONSUME_BY_WHO, inTopic, true],
  [c.GET_CONSUMER_RUNNING_INFO, ofGroup, true],
  [c.CONSUME_MESSAGE_DIRECTLY, { ext: { consumerGroup: 'G', clientId: 'c', msgId: '7F00000100002A9F0000000000000000' } }, false],
  [c.CLONE_GROUP_OFFSET, { ext: { topic: 'T', srcGroup: 'G', destGroup: 'G' } }, false],
  [c.QUERY_TOPICS_BY_CONSUMER, ofGroup, true],
  [c.QUERY_SUBSCRIPTION_BY_CONSUMER, ofGroup, true],
  [c.QUERY_ASSIGNMENT, { body: printBody(share) }, true],
  [b.GET_ALL_CONSUMER_OFFSET, {}, false],
  [b.GET_ALL_DELAY_OFFSET, {}, false],
  [b.VIEW_BROKER_STATS_DATA, { ext: { statsName: 'TOPIC_PUT_NUMS', statsKey: 'T' } }, false],
  [b.GET_BROKER_CONSUME_STATS, { ext: { isOrder: false } }, false],
  [b.CLEAN_UNUSED_TOPIC, {}, false],
  [b.CLEAN_EXPIRED_CONSUMEQUEUE, {}, false],
  [b.DELETE_EXPIRED_COMMITLOG, {}, false],
  [b.RESUME_CHECK_HALF_MESSAGE, { ext: { msgId: '7F00000100002A9F0000000000000000' } }, false],
  [b.RECALL_MESSAGE, { ext: { topic: 'T', recallHandle: 'x' } }, false],
  [b.UPDATE_AND_GET_GROUP_FORBIDDEN, { ext: { group: 'G', topic: 'T', readable: false } }, false],
  [b.UPDATE_AND_GET_GROUP_FORBIDDEN, { ext: { group: 'G', topic: 'T' } }, true],
  [c.GET_ALL_PRODUCER_INFO, {}, false],
  [c.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, ofGroup, true],
  [c.QUERY_CONSUME_TIME_SPAN, ofGroup, true],
  [c.QUERY_CORRECTION_OFFSET, { ext: { topic: 'T', compareGroup: 'G' } }, true],
  [c.QUERY_CONSUME_QUEUE, { ext: { topic: 'T', queueId: 0, index: 0, count: 1, consumerGroup: 'G' } }, true],
  [p.POP_MESSAGE, popped, true],
  [p.ACK_MESSAGE, popped, true],
  [p.BATCH_ACK_MESSAGE, acks, true],
  [p.CHANGE_MESSAGE_INVISIBLETIME, popped, true],
  [p.PEEK_MESSAGE, popped, true],
  [p.NOTIFICATION, popped, true],
  [p.POLLING_INFO, popped, true],
  [c.SET_MESSAGE_REQUEST_MODE, { body: printBody(share) }, false],
  ...Object.values(accountRequests).map(
    (code) => [code, { ext: { username: 'the-reader', subject: 'User:the-reader' } }, false] as const,
  ),
]

/** The numbers that requests have: up to 5,000, and those of pop. */
const allCodes = [
  [0, 5000],
  [200_000, 200_249],
].flatMap(([from, to]) => Array.from({ length: to! - from! + 1 }, (_, i) => from! + i))

/** The requests to a name server that whoever is known may send. */
const openQuestions = [105, 106, 101, 206, 219, 224, 304, 311, 312, 313, 901]

type Ask = (code: number, parts?: CommandParts) => Promise<Command>

interface Asked extends ServedForTest {
  /** Asks the broker as somebody, or as nobody. */
  as(credentials: Credentials | undefined): Ask
  /** Asks the name server likewise. */
  namesAs(credentials: Credentials | undefined): Ask
}

async function serve(
  t: TestContext,
  settings: NonNullable<Parameters<typeof BrokerServer.listen>[1]>['auth'] = auth,
): Promise<Asked> {
  const options = { topics: { T: { queues: 2 }, secrets: { queues: 1 } }, autoCreateGroups: true }
  // Whoever is refused all the time is heard to the end, however busy the machine is.
  const limits = { silentMs: 600_000 }
  const served = await serveBroker(t, { options, server: { auth: settings!, limits } })
  await served.broker.send({ topic: 'secrets', body: 'secret', queueId: 0, keys: ['k'] })
  await served.broker.served.groups.forConsuming('G')
  const asking =
    (address: string) =>
    (credentials: Credentials | undefined): Ask => {
      const client = new RemotingClient(credentials === undefined ? {} : { credentials })
      t.after(() => client.close(100))
      return (code, parts) => client.invoke(address, request(code, parts))
    }
  return { ...served, as: asking(served.address), namesAs: asking(endpointText(served.server.nameServerEndpoint!)) }
}

/** Everything that a request could have changed. */
function stateOf({ broker }: ServedForTest): unknown {
  const { topics, groups, store, registry } = broker.served
  const members = groups.list({ system: true }).map(({ group }) => registry.clientIds(group))
  const offsets = groups.list({ system: true }).map(({ group }) => [...broker.served.offsets.ofTopic('T', group)])
  const end = store.metrics.snapshot()['commitLogEnd']
  return {
    topics: topics.list({ system: true }),
    groups: groups.list({ system: true }),
    members,
    offsets,
    end,
    producers: registry.producerGroups,
  }
}

const isRefused = ({ code, remark = '' }: Command): boolean =>
  code === NO_PERMISSION && /accessKey|No permission for|nobody may/.test(remark)

describe('a broker that asks who sends', () => {
  test('has a row for each request that it handles, and says of every other one that it is unknown, to those who are known', async (t) => {
    const { as, namesAs, broker } = await serve(t)
    const tables = [
      { ask: as(admin), asNobody: as(undefined), rows: brokerRows(broker.store) },
      { ask: namesAs(admin), asNobody: namesAs(undefined), rows: nameServerRows },
    ]
    for (const { ask, asNobody, rows } of tables) {
      const one = async (code: number): Promise<void> => {
        const { code: said, remark } = await ask(code)
        if (rows.has(code)) assert.notEqual(said, REQUEST_CODE_NOT_SUPPORTED, `${code} is not handled`)
        else assert.equal(said, REQUEST_CODE_NOT_SUPPORTED, `${code} has no row: ${remark}`)
        assert.equal((await asNobody(code)).code, NO_PERMISSION, `${code} was answered to nobody`)
      }
      for (let at = 0; at < allCodes.length; at += 250) await Promise.all(allCodes.slice(at, at + 250).map(one))
    }
    assert.deepEqual([...brokerRows(broker.store).keys()].sort(), [...new Set(requests.map(([code]) => code))].sort())
  })

  test('refuses every request that is not signed, or signed with a wrong key, and does nothing', async (t) => {
    const served = await serve(t)
    const before = stateOf(served)
    const wrong = [undefined, { ...admin, secretKey: 'wrong-key' }, { ...admin, accessKey: 'nobody-has-this' }]
    for (const credentials of wrong) {
      const ask = served.as(credentials)
      for (const [code, parts] of requests) {
        const { code: said, remark } = await ask(code, parts)
        assert.equal(said, NO_PERMISSION, `${code} of ${credentials?.accessKey}`)
        const words =
          credentials === undefined
            ? 'No accessKey is configured'
            : `Check signature failed for accessKey="${credentials.accessKey}"`
        assert.equal(remark, words)
      }
      const names = served.namesAs(credentials)
      for (const code of Object.values(nameServerRequests)) assert.equal((await names(code)).code, NO_PERMISSION, `${code}`)
    }
    assert.deepEqual(stateOf(served), before)
  })

  test('lets somebody who may consume do that, and nothing else', async (t) => {
    const served = await serve(t)
    const ask = served.as(reader)
    for (const [code, parts, may] of requests.filter(([, , mayReader]) => !mayReader)) {
      const before = stateOf(served)
      assert.ok(isRefused(await ask(code, parts)) !== may, `${code}`)
      assert.deepEqual(stateOf(served), before, `${code}`)
    }
    for (const [code, parts, may] of requests.filter(([, , mayReader]) => mayReader)) {
      const { code: said, remark } = await ask(code, parts)
      assert.ok(isRefused({ code: said, remark } as Command) !== may, `${code}: ${remark}`)
    }
    const names = served.namesAs(reader)
    for (const code of Object.values(nameServerRequests))
      assert.equal(isRefused(await names(code)), !openQuestions.includes(code), `${code}`)
  })

  test('lets an administrator do everything', async (t) => {
    const { as, namesAs } = await serve(t)
    const ask = as(admin)
    for (const [code, parts] of requests) assert.ok(!isRefused(await ask(code, parts)), `${code}`)
    for (const code of Object.values(nameServerRequests)) assert.ok(!isRefused(await namesAs(admin)(code)), `${code}`)
  })

  test('lets a message be seen, given back and ended only by those who may have its topic', async (t) => {
    const { as, broker } = await serve(t)
    const other = await broker.send({ topic: 'secrets', body: 'secret', queueId: 0 })
    const own = await broker.send({ topic: 'T', body: 'open', queueId: 0 })
    const ask = as(reader)
    const back = (offset: number): CommandParts => ({ ext: { group: 'G', offset, delayLevel: 0 } })
    assert.equal((await ask(b.VIEW_MESSAGE_BY_ID, { ext: { offset: own.commitLogOffset } })).code, 0)
    assert.ok(isRefused(await ask(b.VIEW_MESSAGE_BY_ID, { ext: { offset: other.commitLogOffset } })))
    assert.equal((await ask(c.CONSUMER_SEND_MSG_BACK, back(own.commitLogOffset))).code, 0)
    assert.ok(isRefused(await ask(c.CONSUMER_SEND_MSG_BACK, back(other.commitLogOffset))))
    // Where there is no message, the handler says so.
    assert.equal((await ask(c.CONSUMER_SEND_MSG_BACK, back(9_999_999))).code, 1)
  })

  test('needs leave for the further queues of a message, also within a batch', async (t) => {
    const producer = { accessKey: 'producer', secretKey: 'producer-secret' }
    const account = { ...producer, topicPerms: ['T=PUB', '%LMQ%own=PUB'] }
    const { as } = await serve(t, { accounts: [account] })
    const ask = as(producer)
    const to = (queueName: string): CommandParts => inLetters({ properties: { INNER_MULTI_DISPATCH: queueName } })
    assert.ok(isRefused(await ask(b.SEND_MESSAGE_V2, to('%LMQ%own,%LMQ%other'))))
    assert.ok(!isRefused(await ask(b.SEND_MESSAGE_V2, to('%LMQ%own'))))
    const batch = { ...inLetters({ isBatch: true }), body: Buffer.from('INNER_MULTI_DISPATCH') }
    assert.ok(isRefused(await ask(b.SEND_BATCH_MESSAGE, batch)) && isRefused(await ask(b.SEND_MESSAGE_V2, batch)))
  })

  test('tells a sender what cannot be read of a request, as it does when it asks nobody', async (t) => {
    const { as } = await serve(t)
    const wrong = heartbeat({ topics: { T: `sql:${'('.repeat(100_000)}` } })
    const answers = [
      await as(admin)(c.HEART_BEAT, wrong),
      await as(admin)(c.HEART_BEAT, { body: Buffer.from('{') }),
      await as(admin)(c.CONSUMER_SEND_MSG_BACK, { ext: { group: 'G', offset: 'x', delayLevel: 0 } }),
    ]
    assert.deepEqual(
      answers.map(({ code }) => code),
      [responseCodes.SUBSCRIPTION_PARSE_FAILED, responseCodes.SYSTEM_ERROR, responseCodes.SYSTEM_ERROR],
    )
    assert.ok(answers.every(({ remark }) => remark !== 'internal error'))
  })

  test('may find accounts elsewhere, at once or later, and refuses when that fails', async (t) => {
    const asked: string[] = []
    const { as } = await serve(t, (accessKey) => {
      asked.push(accessKey)
      if (accessKey === admin.accessKey) return { ...admin, admin: true }
      return Promise.resolve(accessKey === reader.accessKey ? { ...reader, topicPerms: ['T=SUB'] } : undefined)
    })
    assert.equal((await as(admin)(b.GET_BROKER_RUNTIME_INFO)).code, 0)
    assert.equal((await as(reader)(b.GET_MAX_OFFSET, inTopic)).code, 0)
    assert.ok(isRefused(await as(reader)(b.GET_BROKER_RUNTIME_INFO)))
    assert.ok(isRefused(await as({ ...reader, accessKey: 'unknown' })(b.GET_MAX_OFFSET, inTopic)))
    assert.deepEqual(asked, ['administrator', 'the-reader', 'the-reader', 'unknown'])
  })

  test('trusts addresses that it is told to trust, of everybody and of one account', async (t) => {
    const everybody = await serve(t, { ...auth, globalWhiteRemoteAddresses: ['127.0.0.*'] })
    assert.equal((await everybody.as(undefined)(b.GET_BROKER_RUNTIME_INFO)).code, 0)
    const one = await serve(t, {
      accounts: [
        { ...reader, whiteRemoteAddress: '127.0.0.1' },
        { ...admin, whiteRemoteAddress: '10.0.0.1' },
      ],
    })
    const unsigned = { accessKey: reader.accessKey, secretKey: 'whatever' }
    assert.equal((await one.as(unsigned)(b.GET_BROKER_RUNTIME_INFO)).code, 0)
    assert.ok(isRefused(await one.as({ ...unsigned, accessKey: admin.accessKey })(b.GET_BROKER_RUNTIME_INFO)))
  })

  test('knows users and rules as RocketMQ 5.3 does', async (t) => {
    const entries = [
      { resource: 'Topic:T', actions: ['Sub', 'Get'], decision: 'Allow' },
      { resource: 'Group:G', actions: ['Sub'], decision: 'Allow' },
    ] as const
    const { as } = await serve(t, {
      users: [
        { username: 'root', password: 'root', userType: 'Super' },
        { username: 'u', password: 'p' },
        { username: 'gone', password: 'p', userType: 'Super', userStatus: 'disable' },
      ],
      acls: [{ subject: 'User:u', policies: [{ entries }] }],
    })
    assert.equal((await as({ accessKey: 'root', secretKey: 'root' })(b.GET_BROKER_RUNTIME_INFO)).code, 0)
    const ask = as({ accessKey: 'u', secretKey: 'p' })
    assert.notEqual((await ask(c.PULL_MESSAGE, pull())).code, NO_PERMISSION)
    const { code, remark } = await ask(b.SEND_MESSAGE_V2, inLetters())
    assert.deepEqual([code, remark], [NO_PERMISSION, 'User:u has no permission to access Topic:T from 127.0.0.1'])
    assert.equal((await as({ accessKey: 'gone', secretKey: 'p' })(b.GET_BROKER_RUNTIME_INFO)).code, NO_PERMISSION)
  })

  test('tells no secret: not in answers, not in configuration, not to consumers of what an administrator asked', async (t) => {
    const { as, broker, server, address } = await serve(t)
    let relayed: Command | undefined
    const consumer = new RemotingClient({
      credentials: reader,
      handlers: new Map([
        [
          c.GET_CONSUMER_RUNNING_INFO,
          (command: Command) => {
            relayed = command
            return { ...command, code: 0, flag: 1 }
          },
        ],
      ]),
    })
    t.after(() => consumer.close(100))
    assert.equal((await consumer.invoke(address, request(c.HEART_BEAT, heartbeat({ clientId: 'c' })))).code, 0)
    assert.equal((await as(admin)(c.GET_CONSUMER_RUNNING_INFO, ofGroup)).code, 0)
    assert.deepEqual(
      Object.keys(relayed!.extFields).filter((name) => /AccessKey|Signature|SecurityToken/.test(name)),
      [],
    )
    const answers = await Promise.all([
      ...requests.map(([code, parts]) => as({ ...admin, secretKey: 'wrong' })(code, parts)),
      as(admin)(b.GET_BROKER_CONFIG),
      as(admin)(b.GET_BROKER_RUNTIME_INFO),
    ])
    const told = answers.map(({ remark, extFields, body }) => `${remark} ${JSON.stringify(extFields)} ${body}`).join('\n')
    assert.ok(!/canary/.test(told + JSON.stringify(broker.topics.list()) + JSON.stringify(server)))
  })
})

test('where other machines can connect, a broker must have TLS and ask who sends, unless that is refused in so many words', async (t) => {
  const broker = await openTestBroker(t)
  const tls = { key: testKey, cert: testCertificate }
  const listen = (options: Parameters<typeof BrokerServer.listen>[1]): Promise<BrokerServer> =>
    BrokerServer.listen(broker, { port: 0, host: '0.0.0.0', advertisedHost: '127.0.0.1', ...options })
  const refused = [{}, { tls }, { auth }, { nameServer: { port: 0 }, tls }]
  for (const options of refused) {
    const words = 'tls' in options ? /asking who sends.*give auth/ : /without TLS/
    await assert.rejects(listen(options), (error: Error) => error instanceof RangeError && words.test(error.message))
  }
})
