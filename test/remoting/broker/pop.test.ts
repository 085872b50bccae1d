/** Clients that pop: what they get, with what to settle it, and what comes again. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { printBody } from '../../../lib/remoting/body-json.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import type { Command, CommandParts } from '../../../lib/remoting/command.js'
import { popRequests as codes, consumeRequests } from '../../../lib/remoting/commands/consume-codes.js'
import { endpointText } from '../../../lib/remoting/endpoint.js'
import { bodiesIn, heartbeat, messagesIn, said } from '../../support/consumer-requests.js'
import { ManualTime } from '../../support/manual-time.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

const { SUCCESS, POLLING_TIMEOUT, PULL_NOT_FOUND, NO_MESSAGE, MESSAGE_ILLEGAL, INVALID_PARAMETER } = responseCodes
const INVISIBLE_MS = 10_000
const place = { consumerGroup: 'G', topic: 'T', queueId: 0 }

interface Popping extends ServedForTest {
  readonly time: ManualTime
}

async function serve(t: TestContext, given: ServeOptions = {}): Promise<Popping> {
  const time = new ManualTime()
  const options = { topics: { T: { queues: 1 }, Wide: { queues: 2 } }, groups: { G: {} }, ...given.options }
  return { ...(await serveBroker(t, { ...given, options, ports: { clock: time, timers: time } })), time }
}

async function send({ broker }: ServedForTest, count: number, topic = 'T', queueId = 0): Promise<void> {
  for (let i = 0; i < count; i++) await broker.send({ topic, queueId, body: `m${i}`, tags: i % 2 === 0 ? 'even' : 'odd' })
}

function pop({ ask }: ServedForTest, more: CommandParts['ext'] = {}): Promise<Command> {
  const ext = { ...place, queueId: -1, maxMsgNums: 32, invisibleTime: INVISIBLE_MS, pollTime: 0, bornTime: 0, initMode: 0 }
  return ask(codes.POP_MESSAGE, { ext: { ...ext, order: false, ...more } })
}

/** What clients make of the infos beside the first message of a queue. */
function handleOf({ broker }: ServedForTest, { extFields }: Command, offset: number): string {
  const { popTime, invisibleTime, reviveQid, startOffsetInfo } = extFields
  const [retry, queueId, start] = startOffsetInfo!.split(' ')
  return [start, popTime, invisibleTime, reviveQid, retry, broker.store.brokerName, queueId, offset].join(' ')
}

function ack({ ask }: ServedForTest, offset: number, extraInfo: string, more: CommandParts['ext'] = {}): Promise<Command> {
  return ask(codes.ACK_MESSAGE, { ext: { ...place, offset, extraInfo, ...more } })
}

async function pass(time: ManualTime, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    time.advance(500)
    for (let i = 0; i < 20; i++) await turn()
  }
}

async function settled(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (await holds()) return
    await turn()
  }
  assert.fail('it never came true')
}

const waiting = async ({ ask }: ServedForTest): Promise<string | undefined> =>
  (await ask(codes.POLLING_INFO, { ext: { ...place, queueId: -1 } })).extFields['pollingNum']

describe('a pop', () => {
  test('brings records, and what each one is settled with', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    const popped = await pop(served, { maxMsgNums: 2 })
    assert.deepEqual([popped.code, popped.remark, bodiesIn(popped)], [SUCCESS, 'FOUND', ['m0', 'm1']])
    const { popTime, invisibleTime, restNum, startOffsetInfo, msgOffsetInfo, orderCountInfo } = popped.extFields
    assert.deepEqual(
      [popTime, invisibleTime, restNum, startOffsetInfo, msgOffsetInfo, orderCountInfo],
      [String(served.time.now()), '10000', '1', '0 0 0', '0 0 0,1', undefined],
    )
    for (const offset of [0, 1]) assert.equal((await ack(served, offset, handleOf(served, popped, offset))).code, SUCCESS)
    assert.deepEqual(bodiesIn(await pop(served)), ['m2'])
    await pass(served.time, INVISIBLE_MS + 4000)
    assert.deepEqual(bodiesIn(await pop(served)), ['m2'])
  })

  test('brings what was not settled in time again, under its own topic and with a handle of its own', async (t) => {
    const served = await serve(t)
    await send(served, 1)
    await pop(served)
    assert.equal((await pop(served)).code, POLLING_TIMEOUT)
    await pass(served.time, INVISIBLE_MS + 4000)
    const again = await pop(served)
    const [message] = messagesIn(again)
    assert.deepEqual([message!.topic, message!.body.toString(), message!.reconsumeTimes], ['T', 'm0', 1])
    const handle = message!.properties['POP_CK']!
    assert.equal(handle, handleOf(served, again, 0))
    assert.equal(handle.split(' ')[4], '1')
    assert.equal((await ack(served, 0, handle, { topic: '%RETRY%G_T' })).code, SUCCESS)
    await pass(served.time, INVISIBLE_MS + 4000)
    assert.equal((await pop(served)).code, POLLING_TIMEOUT)
  })

  test('finds retries under the newer name that RocketMQ has for them', async (t) => {
    const served = await serve(t, { options: { topics: { T: { queues: 1 }, '%RETRY%G+T': { queues: 1 } }, groups: { G: {} } } })
    await served.broker.store.put({ topic: '%RETRY%G+T', body: 'late', reconsumeTimes: 1 })
    const popped = await pop(served)
    const [message] = messagesIn(popped)
    assert.deepEqual([message!.topic, message!.body.toString()], ['T', 'late'])
    assert.equal(popped.extFields['msgOffsetInfo'], '2 0 0')
    const { code } = await ack(served, 0, message!.properties['POP_CK']!, { topic: '%RETRY%G+T' })
    assert.equal(code, SUCCESS)
  })

  test('waits for a message, and is told when none came', async (t) => {
    const served = await serve(t)
    const patient = pop(served, { pollTime: 15_000 })
    await settled(async () => (await waiting(served)) === '1')
    await send(served, 1)
    assert.deepEqual(bodiesIn(await patient), ['m0'])
    const vain = pop(served, { pollTime: 2000 })
    await settled(async () => (await waiting(served)) === '1')
    await pass(served.time, 2500)
    const { code, extFields } = await vain
    assert.deepEqual(
      [code, { ...extFields }],
      [POLLING_TIMEOUT, { popTime: '0', invisibleTime: '0', reviveQid: '0', restNum: '0' }],
    )
    assert.equal(await waiting(served), '0')
  })

  test('of a client that is gone takes nothing', async (t) => {
    const served = await serve(t)
    const gone = pop(served, { pollTime: 15_000 }).catch((error: Error) => error.message)
    await settled(async () => (await waiting(served)) === '1')
    await served.client.close(0)
    await gone
    for (let i = 0; i < 50; i++) await turn()
    await send(served, 1)
    for (let i = 0; i < 50; i++) await turn()
    assert.equal(served.broker.served.pop.outstanding, 0)
  })

  test('brings what passes its filter', async (t) => {
    const served = await serve(t)
    await send(served, 4)
    assert.deepEqual(bodiesIn(await pop(served, { exp: 'odd', expType: 'TAG' })), ['m1', 'm3'])
    const other = { consumerGroup: 'sql', exp: "TAGS = 'even'", expType: 'SQL92' }
    assert.deepEqual(bodiesIn(await pop(served, other)), ['m0', 'm2'])
    assert.equal((await pop(served, { exp: 'n >', expType: 'SQL92' })).code, responseCodes.SUBSCRIPTION_PARSE_FAILED)
  })

  test('is refused with the codes of RocketMQ', async (t) => {
    const served = await serve(t, { server: { port: 0, nameServer: { port: 0 }, sqlFilters: false } })
    const codeOf = async (more: CommandParts['ext']): Promise<number> => (await pop(served, more)).code
    assert.equal(await codeOf({ topic: 'Nowhere' }), responseCodes.TOPIC_NOT_EXIST)
    assert.equal(await codeOf({ queueId: 1 }), INVALID_PARAMETER)
    assert.equal(await codeOf({ maxMsgNums: 33 }), INVALID_PARAMETER)
    assert.equal(await codeOf({ exp: 'n = 1', expType: 'SQL92' }), responseCodes.SYSTEM_ERROR)
    assert.equal((await served.ask(codes.POP_MESSAGE, { ext: place })).code, responseCodes.SYSTEM_ERROR)
  })

  test('in order brings nothing of a queue while something of it is out, but to the same attempt', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    const order = { order: true, maxMsgNums: 2 }
    const first = await pop(served, { ...order, attemptId: 'one' })
    assert.deepEqual([bodiesIn(first), first.extFields['reviveQid']], [['m0', 'm1'], '999'])
    assert.equal((await pop(served, { ...order, attemptId: 'two' })).code, POLLING_TIMEOUT)
    const same = await pop(served, { ...order, attemptId: 'one' })
    assert.deepEqual(bodiesIn(same), ['m0', 'm1'])
    assert.equal((await ack(served, 0, handleOf(served, same, 0))).code, SUCCESS)
    await pass(served.time, INVISIBLE_MS + 1000)
    const late = await pop(served, { ...order, attemptId: 'two' })
    assert.deepEqual([bodiesIn(late), late.extFields['orderCountInfo']], [['m1', 'm2'], '0 qo0%1 1'])
    const hidden = await served.ask(codes.CHANGE_MESSAGE_INVISIBLETIME, {
      ext: { ...place, offset: 1, extraInfo: handleOf(served, late, 1), invisibleTime: 20_000 },
    })
    const { popTime, invisibleTime, reviveQid } = hidden.extFields
    assert.deepEqual([Number(popTime) + Number(invisibleTime), reviveQid], [served.time.now() + 20_000, '999'])
    for (const offset of [1, 2]) assert.equal((await ack(served, offset, handleOf(served, late, offset))).code, SUCCESS)
    assert.equal(served.broker.served.offsets.find('T', 'G', 0), 3)
  })
})

describe('what was popped', () => {
  test('is hidden longer under a new handle, and the old one counts no more', async (t) => {
    const served = await serve(t)
    await send(served, 1)
    const old = handleOf(served, await pop(served), 0)
    const ext = { ...place, offset: 0, extraInfo: old, invisibleTime: 60_000 }
    const changed = await served.ask(codes.CHANGE_MESSAGE_INVISIBLETIME, { ext })
    assert.equal(changed.code, SUCCESS, changed.remark)
    await pass(served.time, INVISIBLE_MS + 4000)
    assert.equal((await pop(served)).code, POLLING_TIMEOUT)
    assert.equal((await ack(served, 0, old)).code, NO_MESSAGE)
    const { popTime, invisibleTime, reviveQid } = changed.extFields
    const handle = [0, popTime, invisibleTime, reviveQid, 0, served.broker.store.brokerName, 0, 0].join(' ')
    assert.equal((await ack(served, 0, handle)).code, SUCCESS)
    assert.equal((await ack(served, 0, handle)).code, NO_MESSAGE)
  })

  test('is settled all at once', async (t) => {
    const served = await serve(t)
    await send(served, 12)
    const { popTime, reviveQid } = (await pop(served)).extFields
    const bits = Buffer.from([0b1111_0111, 0b0000_1011]).toString('base64')
    const common = { c: 'G', t: 'T', r: '0', so: 0, q: 0, rq: Number(reviveQid), pt: Number(popTime), it: INVISIBLE_MS }
    const body = printBody({ brokerName: served.broker.store.brokerName, acks: [{ ...common, b: bits }] })
    assert.equal((await served.ask(codes.BATCH_ACK_MESSAGE, { body })).code, SUCCESS)
    await pass(served.time, INVISIBLE_MS + 4000)
    assert.deepEqual(bodiesIn(await pop(served)), ['m3', 'm10'])
    assert.equal((await served.ask(codes.BATCH_ACK_MESSAGE, { body: printBody({ acks: [] }) })).code, NO_MESSAGE)
    const tooMany = printBody({ brokerName: 'b', acks: [{ ...common, b: Buffer.alloc(5, 255).toString('base64') }] })
    assert.equal((await served.ask(codes.BATCH_ACK_MESSAGE, { body: tooMany })).code, responseCodes.SYSTEM_ERROR)
  })

  test('cannot be settled with what names another message', async (t) => {
    const served = await serve(t)
    await send(served, 2)
    const handle = handleOf(served, await pop(served), 0)
    assert.equal((await ack(served, 1, handle)).code, NO_MESSAGE)
    assert.equal((await ack(served, 0, 'nonsense')).code, NO_MESSAGE)
    assert.equal((await ack(served, 0, handle, { topic: 'Wide' })).code, NO_MESSAGE)
    assert.equal((await ack(served, 0, handle, { queueId: 4 })).code, MESSAGE_ILLEGAL)
    assert.equal((await ack(served, 0, handle, { topic: 'Nowhere' })).code, responseCodes.TOPIC_NOT_EXIST)
    assert.equal((await ack(served, 0, handle, { consumerGroup: 'other' })).code, NO_MESSAGE)
    assert.equal((await ack(served, 0, handle)).code, SUCCESS)
  })

  test('counts among what the group got', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    await pop(served)
    const { groups } = await served.broker.metrics.snapshot()
    assert.equal(groups.find(({ group }) => group === 'G')!.messagesOut, 3)
  })
})

describe('what could be popped', () => {
  test('is shown without being taken', async (t) => {
    const served = await serve(t)
    const peek = (): Promise<Command> => served.ask(codes.PEEK_MESSAGE, { ext: { ...place, maxMsgNums: 2 } })
    assert.equal((await peek()).code, PULL_NOT_FOUND)
    await send(served, 3)
    const peeked = await peek()
    assert.deepEqual([bodiesIn(peeked), peeked.extFields['restNum']], [['m0', 'm1'], '3'])
    assert.deepEqual(bodiesIn(await pop(served)), ['m0', 'm1', 'm2'])
  })

  test('is told of, also to who waits for it', async (t) => {
    const served = await serve(t)
    const notify = (pollTime: number): Promise<Command> =>
      served.ask(codes.NOTIFICATION, { ext: { ...place, queueId: -1, pollTime, bornTime: 0 } })
    assert.equal((await notify(0)).extFields['hasMsg'], 'false')
    const patient = notify(10_000)
    for (let i = 0; i < 50; i++) await turn()
    await send(served, 1)
    assert.deepEqual({ ...(await patient).extFields }, { hasMsg: 'true', pollingFull: 'false' })
    await pop(served)
    assert.equal((await notify(0)).extFields['hasMsg'], 'false')
  })
})

describe('a group that leaves the sharing of queues to the broker', () => {
  const assignment = async ({ ask }: ServedForTest, clientId: string, topic = 'Wide'): Promise<unknown> => {
    const body = printBody({ topic, consumerGroup: 'G', clientId, strategyName: 'AVG', messageModel: 'CLUSTERING' })
    const { messageQueueAssignments } = said(await ask(consumeRequests.QUERY_ASSIGNMENT, { body })) as {
      messageQueueAssignments: { mode: string; messageQueue: { queueId: number } }[]
    }
    return messageQueueAssignments.map(({ mode, messageQueue }) => `${mode} ${messageQueue.queueId}`)
  }
  const setMode = async ({ ask }: ServedForTest, more: Readonly<Record<string, string | number>>): Promise<number> => {
    const body = printBody({ topic: 'Wide', consumerGroup: 'G', mode: 'POP', popShareQueueNum: 0, ...more })
    return (await ask(consumeRequests.SET_MESSAGE_REQUEST_MODE, { body })).code
  }

  test('pulls its share until it is told to pop, and then pops all queues or those of so many members', async (t) => {
    const served = await serve(t, { options: { topics: { Wide: { queues: 4 } }, groups: { G: {} } } })
    for (const clientId of ['a', 'b', 'c', 'd'])
      await served.ask(consumeRequests.HEART_BEAT, heartbeat({ clientId, topics: { Wide: '*' } }))
    assert.deepEqual(await assignment(served, 'b'), ['PULL 1'])
    assert.equal(await setMode(served, {}), SUCCESS)
    assert.deepEqual(await assignment(served, 'b'), ['POP -1'])
    assert.equal(await setMode(served, { popShareQueueNum: 2 }), SUCCESS)
    assert.deepEqual(await assignment(served, 'c'), ['POP 2', 'POP 3', 'POP 0'])
    assert.equal(await setMode(served, { mode: 'PULL' }), SUCCESS)
    assert.deepEqual(await assignment(served, 'd'), ['PULL 3'])
  })

  test('keeps its way in the file that RocketMQ has for it', async (t) => {
    const served = await serve(t)
    assert.equal(await setMode(served, { popShareQueueNum: 3 }), SUCCESS)
    assert.deepEqual(JSON.parse(JSON.stringify(served.broker.store.config.read('messageRequestMode'))), {
      messageRequestModeMap: { Wide: { G: { consumerGroup: 'G', mode: 'POP', popShareQueueNum: 3, topic: 'Wide' } } },
    })
  })

  test('cannot say so of its retries, nor of what is not there', async (t) => {
    const served = await serve(t)
    assert.equal(await setMode(served, { topic: '%RETRY%G' }), responseCodes.NO_PERMISSION)
    assert.equal(await setMode(served, { topic: 'Nowhere' }), responseCodes.TOPIC_NOT_EXIST)
    const strict = await serve(t, { options: { autoCreateGroups: false } })
    assert.equal(await setMode(strict, { consumerGroup: 'nobody' }), responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST)
  })

  test('may be told how before its first consumer comes', async (t) => {
    const served = await serve(t)
    assert.equal(await setMode(served, { consumerGroup: 'later' }), SUCCESS)
    assert.equal(served.broker.groups.get('later').group, 'later')
  })

  describe('that is served by two brokers', () => {
    async function serveTwo(t: TestContext): Promise<[Popping, Popping]> {
      const options = { topics: { Wide: { queues: 2 } } }
      const first = await serve(t, { options: { ...options, store: { brokerName: 'first' } } })
      const nameServers = [endpointText(first.server.nameServerEndpoint!)]
      const server = { port: 0, nameServers }
      const second = await serve(t, { options: { ...options, store: { brokerName: 'second' } }, server })
      return [first, second]
    }
    const join = async (served: readonly ServedForTest[], clientId: string): Promise<void> => {
      for (const { ask } of served) await ask(consumeRequests.HEART_BEAT, heartbeat({ clientId, topics: { Wide: '*' } }))
    }
    const places = async (served: ServedForTest, clientId: string): Promise<string[]> => {
      const body = printBody({ topic: 'Wide', consumerGroup: 'G', clientId, strategyName: 'AVG', messageModel: 'CLUSTERING' })
      const { messageQueueAssignments } = said(await served.ask(consumeRequests.QUERY_ASSIGNMENT, { body })) as {
        messageQueueAssignments: { messageQueue: { brokerName: string; queueId: number } }[]
      }
      return messageQueueAssignments.map(({ messageQueue }) => `${messageQueue.brokerName} ${messageQueue.queueId}`)
    }

    test('is told its share of the queues of both by either', async (t) => {
      const both = await serveTwo(t)
      for (const clientId of ['a', 'b']) await join(both, clientId)
      for (const one of both) {
        assert.deepEqual(await places(one, 'a'), ['first 0', 'first 1'])
        assert.deepEqual(await places(one, 'b'), ['second 0', 'second 1'])
      }
    })

    test('pops from both', async (t) => {
      const both = await serveTwo(t)
      await join(both, 'a')
      for (const one of both) {
        assert.equal(await setMode(one, {}), SUCCESS)
        assert.deepEqual(await places(one, 'a'), ['first -1', 'second -1'])
      }
    })

    test('has only the queues that are here while a consumer of the process is in it', async (t) => {
      const both = await serveTwo(t)
      await join(both, 'a')
      const consumer = both[0].broker.consumer({ group: 'G', subscribe: { Wide: '*' } })
      await settled(async () => (await places(both[0], 'a')).length === 1)
      assert.match((await places(both[0], 'a'))[0]!, /^first [01]$/)
      await consumer.close()
    })
  })
})
