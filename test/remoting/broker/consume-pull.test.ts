/** Pulls of clients: each outcome and refusal, filters, limits, and waits that end in each way. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { MessageStoreError } from '../../../lib/base/errors.js'
import { ClientOffsets } from '../../../lib/broker/serving/client-offsets.js'
import { Pulls } from '../../../lib/broker/serving/pull.js'
import { BrokerServer } from '../../../lib/remoting/broker-server.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, request } from '../../../lib/remoting/command.js'
import { consumeRequests as codes } from '../../../lib/remoting/commands/consume-codes.js'
import { encodeFrame, FrameDecoder } from '../../../lib/remoting/frame.js'
import { resolveLimits } from '../../../lib/remoting/limits.js'
import type { MessageStore } from '../../../lib/store/message-store.js'
import { bodiesIn, type GivenPull, heartbeat, messagesIn, pull } from '../../support/consumer-requests.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

const LONG = 60_000

async function serve(t: TestContext, given: ServeOptions = {}): Promise<ServedForTest> {
  const topics = { T: { queues: 2 }, Closed: { queues: 1, permission: 'write' as const } }
  return serveBroker(t, { ...given, options: { topics, ...given.options } })
}

function ask({ ask }: ServedForTest, given: GivenPull = {}): Promise<Command> {
  return ask(codes.PULL_MESSAGE, pull(given))
}

/** A pull whose wait is longer than what a request usually may take. */
function askWaiting({ client, address }: ServedForTest, given: GivenPull): Promise<Command> {
  return client.invoke(address, request(codes.PULL_MESSAGE, pull({ waitMs: LONG, ...given })), LONG)
}

async function send({ broker }: ServedForTest, ...bodies: readonly string[]): Promise<void> {
  for (const body of bodies)
    await broker.send({ topic: 'T', queueId: 0, body, tags: body.replace(/\d/g, ''), properties: { n: body } })
}

function outcome({ code, remark, extFields }: Command): unknown[] {
  const { nextBeginOffset, minOffset, maxOffset, suggestWhichBrokerId } = extFields
  return [code, remark, nextBeginOffset, minOffset, maxOffset, suggestWhichBrokerId]
}

function refused({ code, remark, extFields, body }: Command, expected: number, words: string, forbiddenType?: string): void {
  assert.equal(code, expected, remark)
  assert.ok(remark?.includes(words), `${remark} does not say ${words}`)
  assert.equal(extFields['forbiddenType'], forbiddenType)
  assert.equal(body.length, 0)
}

/** Lets the server see what was sent, and begin to wait. */
async function settle({ client, address }: ServedForTest): Promise<void> {
  for (let i = 0; i < 3; i++)
    await client.invoke(address, request(codes.GET_CONSUMER_LIST_BY_GROUP, { ext: { consumerGroup: 'none' } }))
  for (let i = 0; i < 20; i++) await turn()
}

describe('a pull', () => {
  for (const code of [codes.PULL_MESSAGE, codes.LITE_PULL_MESSAGE]) {
    test(`by ${code} gets the records as they stand in the log, and where to go on`, async (t) => {
      const served = await serve(t)
      await send(served, 'a1', 'b2')
      const answer = await served.ask(code, pull())
      assert.deepEqual(outcome(answer), [responseCodes.SUCCESS, 'FOUND', '2', '0', '2', '0'])
      const { messages } = await served.broker.store.get({ topic: 'T', queueId: 0, offset: 0 })
      assert.ok(answer.body.equals(Buffer.concat(messages.map(({ record }) => record))))
      assert.deepEqual(
        messagesIn(answer).map(({ topic, queueOffset, tags, body }) => [topic, queueOffset, tags, body.toString()]),
        [
          ['T', 0, 'a', 'a1'],
          ['T', 1, 'b', 'b2'],
        ],
      )
    })
  }

  test('is told what is wrong with its offset', async (t) => {
    const served = await serve(t)
    const { PULL_NOT_FOUND, PULL_OFFSET_MOVED } = responseCodes
    assert.deepEqual(outcome(await ask(served)), [PULL_NOT_FOUND, 'NO_MATCHED_LOGIC_QUEUE', '0', '0', '0', '0'])
    assert.deepEqual(outcome(await ask(served, { offset: 7 })), [PULL_OFFSET_MOVED, 'NO_MATCHED_LOGIC_QUEUE', '0', '0', '0', '0'])
    assert.deepEqual(outcome(await ask(served, { offset: -1 })), [PULL_OFFSET_MOVED, 'NO_MESSAGE_IN_QUEUE', '0', '0', '0', '0'])
    await send(served, 'a1', 'a2')
    assert.deepEqual(outcome(await ask(served, { offset: 2 })), [PULL_NOT_FOUND, 'OFFSET_OVERFLOW_ONE', '2', '0', '2', '0'])
    assert.deepEqual(outcome(await ask(served, { offset: 3 })), [PULL_OFFSET_MOVED, 'OFFSET_OVERFLOW_BADLY', '2', '0', '2', '0'])
    assert.deepEqual(outcome(await ask(served, { offset: -1 })), [PULL_OFFSET_MOVED, 'OFFSET_TOO_SMALL', '0', '0', '2', '0'])
    await served.broker.store.purge('T', 0)
    await send(served, 'a3')
    assert.deepEqual(outcome(await ask(served, { offset: 1 })), [PULL_OFFSET_MOVED, 'OFFSET_TOO_SMALL', '2', '2', '3', '0'])
  })

  test('gets what passes its filter, and goes on behind what does not', async (t) => {
    const served = await serve(t)
    await send(served, 'a1', 'b2', 'a3', 'b4')
    assert.deepEqual(bodiesIn(await ask(served, { filter: 'a || c' })), ['a1', 'a3'])
    assert.deepEqual(bodiesIn(await ask(served, { filter: "sql:n = 'b2' OR n = 'b4'" })), ['b2', 'b4'])
    assert.deepEqual(bodiesIn(await ask(served, { filter: '' })), ['a1', 'b2', 'a3', 'b4'])
    for (const filter of ['c', "sql:n = 'c'"]) {
      const none = await ask(served, { filter, offset: 1 })
      assert.deepEqual(outcome(none), [responseCodes.PULL_RETRY_IMMEDIATELY, 'NO_MATCHED_MESSAGE', '4', '0', '4', '0'])
    }
  })

  test('without a filter of its own gets what its group has subscribed', async (t) => {
    const served = await serve(t)
    await send(served, 'a1', 'b2')
    await served.ask(codes.HEART_BEAT, heartbeat({ topics: { T: 'b' }, version: 5 }))
    assert.deepEqual(bodiesIn(await ask(served, { filter: undefined, version: 5 })), ['b2'])
    await served.ask(codes.HEART_BEAT, heartbeat({ topics: { T: "sql:n = 'a1'" }, version: 6 }))
    assert.deepEqual(bodiesIn(await ask(served, { filter: undefined, version: 5 })), ['a1'])
  })

  test('gets at most 32 messages and 256 KiB, less when it wants less, and one message always', async (t) => {
    const served = await serve(t)
    await send(served, ...Array.from({ length: 40 }, (_, i) => `m${i}`))
    assert.equal(bodiesIn(await ask(served, { max: 1000 })).length, 32)
    assert.equal(bodiesIn(await ask(served, { max: 3 })).length, 3)
    assert.equal(bodiesIn(await ask(served, { max: 0 })).length, 1)
    assert.equal(bodiesIn(await ask(served, { max: 32, maxBytes: 1 })).length, 1)
    for (let i = 0; i < 3; i++) await served.broker.send({ topic: 'T', queueId: 1, body: Buffer.alloc(120_000) })
    assert.equal(messagesIn(await ask(served, { queueId: 1, maxBytes: 10_000_000 })).length, 2)
  })

  test('gets as many messages as the server gives at most', async (t) => {
    const served = await serve(t, { server: { pullMessages: 40 } })
    await send(served, ...Array.from({ length: 50 }, (_, i) => `a${i}`))
    assert.equal(messagesIn(await ask(served, { max: 100 })).length, 40)
    for (const pullMessages of [0, 1.5, 4097])
      await assert.rejects(
        BrokerServer.listen(served.broker, { port: 0, pullMessages }),
        /RangeError: pullMessages must be a whole number from 1 to 4096/,
      )
  })

  test('with the commit bit says how far its group is', async (t) => {
    const served = await serve(t)
    await send(served, 'a1')
    await ask(served, { commit: 1 })
    const ext = { consumerGroup: 'G', topic: 'T', queueId: 0 }
    assert.equal((await served.ask(codes.QUERY_CONSUMER_OFFSET, { ext })).extFields['offset'], '1')
  })

  test('steps over a damaged record, and the broker tells of it', async (t) => {
    const { broker } = await serve(t)
    const problems: string[] = []
    const { served } = broker
    const corrupt = new MessageStoreError('STORE_CORRUPT', 'damaged', { details: { nextOffset: 5 } })
    const store = { get: () => Promise.reject(corrupt), bounds: () => ({ minOffset: 0, maxOffset: 9 }) }
    const base = { ...served.base, onProblem: (error: unknown, during: string) => problems.push(`${String(error)} ${during}`) }
    const pulls = new Pulls({ ...served, base, store: store as unknown as MessageStore }, new ClientOffsets(served), true)
    const given = { group: 'G', topic: 'T', queueId: 0, offset: 4, maxMessages: 32, maxBytes: 1000, subscriptionVersion: 0 }
    for (const type of ['TAG', 'SQL92']) {
      const filter = { text: type === 'TAG' ? '*' : 'a = 1', type, isClassFilter: false }
      const { outcome, nextOffset } = await pulls.now(await pulls.admit({ ...given, filter }))
      assert.deepEqual([outcome, nextOffset], ['again', 5])
    }
    assert.equal(problems.length, 2)
    assert.match(problems[0]!, /STORE_CORRUPT.*reading T\/0 for a client/)
  })

  test('with a field missing is told which', async (t) => {
    const served = await serve(t)
    const { subVersion: _, ...ext } = pull().ext!
    refused(await served.ask(codes.PULL_MESSAGE, { ext }), responseCodes.SYSTEM_ERROR, 'subVersion')
  })
})

describe('a pull is refused', () => {
  test('when the group is not there and may not be made', async (t) => {
    const served = await serve(t, { options: { autoCreateGroups: false } })
    refused(await ask(served), responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST, 'G')
  })

  test('when the group may not consume, or not by broadcasting', async (t) => {
    const groups = { Off: { mayConsume: false }, G: { mayBroadcast: false } }
    const served = await serve(t, { options: { groups } })
    refused(await ask(served, { group: 'Off' }), responseCodes.NO_PERMISSION, 'Off', '2')
    await served.ask(codes.HEART_BEAT, heartbeat({ model: 'BROADCASTING' }))
    refused(await ask(served, { filter: undefined }), responseCodes.NO_PERMISSION, 'broadcasting', '4')
  })

  test('when there is no such topic or queue, or it is not open for reading', async (t) => {
    const served = await serve(t)
    refused(await ask(served, { topic: 'none' }), responseCodes.TOPIC_NOT_EXIST, 'none')
    refused(await ask(served, { topic: 'Closed' }), responseCodes.NO_PERMISSION, 'Closed', '3')
    for (const queueId of [2, -1]) refused(await ask(served, { queueId }), responseCodes.INVALID_PARAMETER, `queue ${queueId}`)
  })

  test('when its filter cannot be read', async (t) => {
    const served = await serve(t)
    for (const given of [{ filter: 'sql:n = =' }, { filter: ' || ' }, { filter: 'A.class', isClassFilter: true }]) {
      refused(await ask(served, given), responseCodes.SUBSCRIPTION_PARSE_FAILED, 'filter')
    }
  })

  test('when its group has subscribed nothing, something else, or an older version', async (t) => {
    const served = await serve(t)
    const { SUBSCRIPTION_NOT_EXIST, SUBSCRIPTION_NOT_LATEST } = responseCodes
    refused(await ask(served, { filter: undefined }), SUBSCRIPTION_NOT_EXIST, 'no member')
    await served.ask(codes.HEART_BEAT, heartbeat({ topics: { Other: '*' }, version: 5 }))
    refused(await ask(served, { filter: undefined }), SUBSCRIPTION_NOT_EXIST, 'not subscribed')
    await served.ask(codes.HEART_BEAT, heartbeat({ version: 5 }))
    refused(await ask(served, { filter: undefined, version: 6 }), SUBSCRIPTION_NOT_LATEST, 'older version')
    assert.equal((await ask(served, { filter: undefined, version: 5 })).code, responseCodes.PULL_NOT_FOUND)
  })

  test('when SQL is not served', async (t) => {
    const served = await serve(t, { server: { sqlFilters: false } })
    const words = 'The broker does not support consumer to filter message by SQL92'
    refused(await ask(served, { filter: 'sql:n = 1' }), responseCodes.SYSTEM_ERROR, words)
    assert.equal((await ask(served, { filter: 'a' })).code, responseCodes.PULL_NOT_FOUND)
  })
})

describe('a pull that waits', () => {
  test('is answered as soon as a message comes', async (t) => {
    const served = await serve(t)
    await send(served, 'a1')
    const waiting = askWaiting(served, { offset: 1 })
    await settle(served)
    await send(served, 'a2')
    const answer = await waiting
    assert.deepEqual(outcome(answer), [responseCodes.SUCCESS, 'FOUND', '2', '0', '2', '0'])
    assert.deepEqual(bodiesIn(answer), ['a2'])
  })

  test('waits in a queue that has never had a message, too', async (t) => {
    const served = await serve(t)
    const waiting = askWaiting(served, {})
    await settle(served)
    await send(served, 'a1')
    assert.deepEqual(bodiesIn(await waiting), ['a1'])
  })

  for (const filter of ['b', "sql:n = 'b3'"]) {
    test(`goes on waiting when what came does not pass ${filter}`, async (t) => {
      const served = await serve(t)
      const waiting = askWaiting(served, { filter })
      await settle(served)
      await send(served, 'a1', 'a2', 'b3')
      const answer = await waiting
      assert.deepEqual([bodiesIn(answer), answer.extFields['nextBeginOffset']], [['b3'], '3'])
    })
  }

  test('is answered with nothing when its time is over', async (t) => {
    const served = await serve(t)
    await send(served, 'a1')
    const answer = await ask(served, { offset: 1, waitMs: 20 })
    assert.deepEqual(outcome(answer), [responseCodes.PULL_NOT_FOUND, 'OFFSET_OVERFLOW_ONE', '1', '0', '1', '0'])
  })

  test('does not wait when there is something to tell', async (t) => {
    const served = await serve(t)
    await send(served, 'a1')
    assert.equal((await ask(served, { offset: 5, waitMs: LONG })).code, responseCodes.PULL_OFFSET_MOVED)
    assert.equal((await ask(served, { filter: 'b', waitMs: LONG })).code, responseCodes.PULL_RETRY_IMMEDIATELY)
  })

  test('keeps no other request of its connection from being answered', async (t) => {
    const served = await serve(t, { server: { limits: { maxRequests: 4 } } })
    const waiting = Array.from({ length: 50 }, () => askWaiting(served, {}))
    await settle(served)
    await send(served, 'a1')
    for (const answer of await Promise.all(waiting)) assert.deepEqual(bodiesIn(answer), ['a1'])
  })

  test('ends when the offset of its group is reset, and learns the new one', async (t) => {
    const served = await serve(t)
    await send(served, 'a1', 'a2')
    const waiting = askWaiting(served, { offset: 2 })
    const other = askWaiting(served, { offset: 2, group: 'Other' })
    await settle(served)
    const ext = { topic: 'T', group: 'G', timestamp: 0, isForce: true }
    assert.equal((await served.ask(codes.INVOKE_BROKER_TO_RESET_OFFSET, { ext })).code, responseCodes.SUCCESS)
    assert.deepEqual(outcome(await waiting), [responseCodes.PULL_OFFSET_MOVED, 'OFFSET_RESET', '0', '0', '2', '0'])
    await send(served, 'a3')
    assert.deepEqual(bodiesIn(await other), ['a3'])
  })

  test('gets no more messages while its client does not take what it has', async (t) => {
    const served = await serve(t, { options: { topics: { T: { queues: 64 } } } })
    const socket = connect(served.server.endpoint.port, '127.0.0.1')
    t.after(() => socket.destroy())
    socket.pause()
    const asks = Array.from({ length: 64 }, (_, queueId) => ({
      ...request(codes.PULL_MESSAGE, pull({ queueId, waitMs: LONG })),
      opaque: queueId,
    }))
    for (const command of asks) socket.write(Buffer.concat(encodeFrame(command)))
    await settle(served)
    const body = Buffer.alloc(500_000)
    for (let queueId = 0; queueId < 64; queueId++) await served.broker.send({ topic: 'T', queueId, body })
    await settle(served)
    const decoder = new FrameDecoder(resolveLimits())
    socket.on('data', (chunk: Buffer) => decoder.add(chunk)).resume()
    const outcomes = new Map<number, number>()
    while (outcomes.size < 64) {
      await turn()
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
        const { opaque, code, extFields, body } = frame.command
        outcomes.set(opaque, code)
        assert.deepEqual([code === 0, extFields['nextBeginOffset']], [body.length > 0, code === 0 ? '1' : '0'])
      }
    }
    const counts = [responseCodes.SUCCESS, responseCodes.PULL_NOT_FOUND].map(
      (code) => [...outcomes.values()].filter((one) => one === code).length,
    )
    assert.equal(counts[0]! + counts[1]!, 64)
    assert.ok(
      counts.every((count) => count > 0),
      `${counts.join()} of 64`,
    )
  })

  test('is let go when its connection closes', async (t) => {
    const served = await serve(t)
    const other = new RemotingClient()
    const lost = other.invoke(served.address, request(codes.PULL_MESSAGE, pull({ waitMs: LONG })), LONG)
    const failed = assert.rejects(lost, { code: 'REMOTING_CLOSED' })
    await settle(served)
    await other.close(0)
    await failed
    await send(served, 'a1')
    assert.deepEqual(bodiesIn(await ask(served)), ['a1'])
  })
})
