/** What a group's clients ask beside messages: offsets, resets, locks, shares, giving back; and what is asked about groups. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { printBody } from '../../../lib/remoting/body-json.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, oneWayRequest } from '../../../lib/remoting/command.js'
import { consumeRequests as codes } from '../../../lib/remoting/commands/consume-codes.js'
import { heartbeat, pull, said } from '../../support/consumer-requests.js'
import { take, textOf } from '../../support/open-broker.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

const place = { consumerGroup: 'G', topic: 'T', queueId: 0 }

async function serve(t: TestContext, given: ServeOptions = {}): Promise<ServedForTest> {
  const options = { topics: { T: { queues: 2 } }, groups: { G: {} }, ...given.options }
  return serveBroker(t, { ...given, options })
}

async function send({ broker }: ServedForTest, count: number, queueId = 0): Promise<void> {
  for (let i = 0; i < count; i++) await broker.send({ topic: 'T', queueId, body: `m${i}` })
}

async function offsetOf({ ask }: ServedForTest, more: CommandParts['ext'] = {}): Promise<string | number> {
  const { code, extFields } = await ask(codes.QUERY_CONSUMER_OFFSET, { ext: { ...place, ...more } })
  return extFields['offset'] ?? code
}

function update({ ask }: ServedForTest, commitOffset: number, more: CommandParts['ext'] = {}): Promise<Command> {
  return ask(codes.UPDATE_CONSUMER_OFFSET, { ext: { ...place, ...more, commitOffset } })
}

describe('the offset of a group', () => {
  test('is what was noted last, also when that goes back', async (t) => {
    const served = await serve(t)
    assert.equal((await update(served, 7)).code, 0)
    assert.equal(await offsetOf(served), '7')
    assert.equal((await update(served, 5)).code, 0)
    assert.equal(await offsetOf(served), '5')
    await served.client.sendOneWay(
      served.address,
      oneWayRequest(codes.UPDATE_CONSUMER_OFFSET, { ext: { ...place, commitOffset: 6 } }),
    )
    assert.equal(await offsetOf(served), '6')
  })

  test('below 0 is not noted', async (t) => {
    const served = await serve(t)
    assert.equal((await update(served, -1)).code, 0)
    assert.equal(await offsetOf(served, { setZeroIfNotFound: false }), responseCodes.QUERY_NOT_FOUND)
  })

  test('that there is not is 0 in a queue from which nothing has expired, unless the client wants to decide', async (t) => {
    const served = await serve(t)
    // A client that were told to ask for the end would miss what comes before it does.
    assert.equal(await offsetOf(served), '0')
    await send(served, 2)
    assert.equal(await offsetOf(served), '0')
    assert.equal(await offsetOf(served, { setZeroIfNotFound: false }), responseCodes.QUERY_NOT_FOUND)
    await served.broker.store.purge('T', 0)
    assert.equal(await offsetOf(served), responseCodes.QUERY_NOT_FOUND)
  })

  test('is refused for a topic, a queue or a group that there is not', async (t) => {
    const served = await serve(t)
    assert.equal((await update(served, 1, { topic: 'none' })).code, responseCodes.TOPIC_NOT_EXIST)
    assert.equal((await update(served, 1, { queueId: 2 })).code, responseCodes.INVALID_PARAMETER)
    assert.equal((await update(served, 1, { consumerGroup: 'none' })).code, responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST)
  })
})

describe('the offsets of a group', () => {
  test('can be given to another one', async (t) => {
    const served = await serve(t, { options: { groups: { G: {}, H: {} } } })
    await update(served, 7)
    await update(served, 8, { queueId: 1 })
    const clone = async (destGroup: string, topic = 'T'): Promise<number> =>
      (await served.ask(codes.CLONE_GROUP_OFFSET, { ext: { topic, srcGroup: 'G', destGroup, offline: true } })).code
    assert.equal(await clone('H'), 0)
    assert.deepEqual(
      [await offsetOf(served, { consumerGroup: 'H' }), await offsetOf(served, { consumerGroup: 'H', queueId: 1 })],
      ['7', '8'],
    )
    assert.equal(await clone('none'), responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST)
    assert.equal(await clone('H', 'none'), responseCodes.TOPIC_NOT_EXIST)
  })
})

describe('a reset', () => {
  const ext = { topic: 'T', group: 'G', isForce: true }

  async function reset({ ask }: ServedForTest, more: CommandParts['ext']): Promise<string | number> {
    const { code, body } = await ask(codes.INVOKE_BROKER_TO_RESET_OFFSET, { ext: { ...ext, timestamp: 0, ...more } })
    return code === 0 ? body.toString() : code
  }

  const table = (...offsets: readonly [queueId: number, offset: number][]): string =>
    `{"offsetTable":{${offsets.map(([id, one]) => `{"brokerName":"mqlite","queueId":${id},"topic":"T"}:${one}`).join(',')}}}`

  test('goes to a time, to the end, or to an offset of one queue', async (t) => {
    const served = await serve(t)
    const name = (text: string): string => text.replaceAll('"mqlite"', JSON.stringify(served.broker.store.brokerName))
    await send(served, 3)
    await send(served, 2, 1)
    assert.equal(await reset(served, { timestamp: -1 }), name(table([0, 3], [1, 2])))
    assert.deepEqual([await offsetOf(served), await offsetOf(served, { queueId: 1 })], ['3', '2'])
    assert.equal(await reset(served, { queueId: 1, timestamp: 1000 }), name(table([1, 0])))
    assert.equal(await reset(served, { queueId: 0, offset: 2 }), name(table([0, 2])))
    assert.deepEqual([await offsetOf(served), await offsetOf(served, { queueId: 1 })], ['2', '0'])
  })

  test('is told to the next pull alone, and what is noted until then does not undo it', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    await reset(served, { queueId: 0, offset: 1 })
    assert.equal((await update(served, 3)).code, 0)
    await served.ask(codes.PULL_MESSAGE, pull({ queueId: 1, commit: 0 }))
    assert.equal(await offsetOf(served), '1')
    const told = await served.ask(codes.PULL_MESSAGE, pull({ offset: 3, commit: 3 }))
    assert.deepEqual([told.code, told.extFields['nextBeginOffset']], [responseCodes.PULL_OFFSET_MOVED, '1'])
    assert.equal(await offsetOf(served), '1')
    assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset: 3 }))).code, responseCodes.PULL_NOT_FOUND)
    await update(served, 2)
    assert.equal(await offsetOf(served), '2')
  })

  test('by a program of this process is told to clients elsewhere, too', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    await served.broker.resetOffsets({ group: 'G', topic: 'T', to: { offset: 1 }, queueId: 0 })
    const told = await served.ask(codes.PULL_MESSAGE, pull({ offset: 3, commit: 3 }))
    assert.deepEqual([told.code, told.extFields['nextBeginOffset']], [responseCodes.PULL_OFFSET_MOVED, '1'])
    assert.equal(await offsetOf(served), '1')
  })

  test('moves a consumer of this process at once', async (t) => {
    const served = await serve(t, { options: { topics: { T: { queues: 1 } } } })
    await send(served, 3)
    const consumer = served.broker.consumer({ group: 'G', subscribe: { T: '*' }, startAt: 'first' })
    for (const delivery of await take(consumer, 3)) await delivery.ack()
    await reset(served, { timestamp: 0 })
    const again = await take(consumer, 3)
    assert.deepEqual(textOf(again), ['m0', 'm1', 'm2'])
    for (const delivery of again) await delivery.ack()
    assert.equal(await offsetOf(served), '3')
    await consumer.close()
    assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset: 3 }))).code, responseCodes.PULL_NOT_FOUND)
  })

  test('is forgotten when a consumer of this process has gone on from there', async (t) => {
    const served = await serve(t, { options: { topics: { T: { queues: 1 } } } })
    await send(served, 3)
    await reset(served, { timestamp: 0 })
    const consumer = served.broker.consumer({ group: 'G', subscribe: { T: '*' } })
    for (const delivery of await take(consumer, 3)) await delivery.ack()
    await consumer.close()
    assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset: 3 }))).code, responseCodes.PULL_NOT_FOUND)
    assert.equal(await offsetOf(served), '3')
  })

  test('is refused for what there is not, and outside of the queue', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    assert.equal(await reset(served, { topic: 'none' }), responseCodes.TOPIC_NOT_EXIST)
    assert.equal(await reset(served, { group: 'none' }), responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST)
    assert.equal(await reset(served, { queueId: 2 }), responseCodes.INVALID_PARAMETER)
    for (const offset of [4, -2]) assert.equal(await reset(served, { queueId: 0, offset }), responseCodes.INVALID_PARAMETER)
    assert.equal(await offsetOf(served), '0')
  })
})

describe('queues', () => {
  const queue = (served: ServedForTest, queueId: number, topic = 'T') => ({
    brokerName: served.broker.store.brokerName,
    queueId,
    topic,
  })

  function lockBody(served: ServedForTest, clientId: string, ...queueIds: readonly number[]): CommandParts {
    const mqSet = queueIds.map((id) => queue(served, id))
    return { body: printBody({ clientId, consumerGroup: 'G', mqSet, onlyThisBroker: false }) }
  }

  test('are locked for one client until it unlocks them', async (t) => {
    const served = await serve(t)
    const lock = async (...given: [string, ...number[]]): Promise<unknown> =>
      (said(await served.ask(codes.LOCK_BATCH_MQ, lockBody(served, ...given))) as { lockOKMQSet: unknown }).lockOKMQSet
    assert.deepEqual(await lock('a', 0), [queue(served, 0)])
    assert.deepEqual(await lock('b', 0, 1), [queue(served, 1)])
    assert.deepEqual(await lock('a', 0, 1), [queue(served, 0)])
    assert.equal((await served.ask(codes.UNLOCK_BATCH_MQ, lockBody(served, 'b', 0, 1))).code, 0)
    assert.deepEqual(await lock('a', 0, 1), [queue(served, 0), queue(served, 1)])
    assert.equal(served.broker.served.locks.holder('G', queue(served, 1)), 'a')
  })

  test('that are not here are not locked', async (t) => {
    const served = await serve(t)
    const mqSet = [{ brokerName: 'elsewhere', queueId: 0, topic: 'T' }, queue(served, 2), queue(served, 0, 'none')]
    const answered = await served.ask(codes.LOCK_BATCH_MQ, { body: printBody({ clientId: 'a', consumerGroup: 'G', mqSet }) })
    assert.deepEqual(said(answered), { lockOKMQSet: [] })
    assert.equal(served.broker.served.locks.size, 0)
  })

  test('are shared by the broker for clients that ask it to', async (t) => {
    const served = await serve(t, { options: { topics: { T: { queues: 3 } } } })
    for (const clientId of ['a', 'b']) await served.ask(codes.HEART_BEAT, heartbeat({ clientId }))
    const share = async (clientId: string, strategyName: string, messageModel = 'CLUSTERING', topic = 'T'): Promise<unknown> => {
      const body = printBody({ topic, consumerGroup: 'G', clientId, strategyName, messageModel })
      const { messageQueueAssignments } = said(await served.ask(codes.QUERY_ASSIGNMENT, { body })) as {
        messageQueueAssignments?: { messageQueue: { queueId: number }; mode: string }[]
      }
      return messageQueueAssignments?.map(({ messageQueue, mode }) => `${mode} ${messageQueue.queueId}`)
    }
    assert.deepEqual([await share('a', 'AVG'), await share('b', 'AVG')], [['PULL 0', 'PULL 1'], ['PULL 2']])
    const circle = 'AVG_BY_CIRCLE'
    assert.deepEqual([await share('a', circle), await share('b', circle)], [['PULL 0', 'PULL 2'], ['PULL 1']])
    assert.deepEqual(await share('a', 'AVG', 'BROADCASTING'), ['PULL 0', 'PULL 1', 'PULL 2'])
    assert.deepEqual([await share('c', 'AVG'), await share('a', 'AVG', 'CLUSTERING', 'none')], [[], []])
    assert.equal(await share('a', 'BY_DICE'), undefined)
  })
})

describe('a message that is given back', () => {
  async function giveBack(served: ServedForTest, more: CommandParts['ext'] = {}): Promise<number> {
    const { messages } = await served.broker.store.get({ topic: 'T', queueId: 0, offset: 0 })
    const ext = { offset: messages[0]!.commitLogOffset, group: 'G', delayLevel: 0, originTopic: 'T', ...more }
    return (await served.ask(codes.CONSUMER_SEND_MSG_BACK, { ext })).code
  }

  test('waits for its next try, or is a dead letter', async (t) => {
    const served = await serve(t)
    await send(served, 1)
    const told: unknown[] = []
    served.broker.on('sentBack', ({ group, isDead }) => told.push([group, isDead]))
    assert.equal(await giveBack(served, { maxReconsumeTimes: 3 }), 0)
    assert.equal(served.broker.store.bounds('SCHEDULE_TOPIC_XXXX', 2).maxOffset, 1)
    assert.equal(await giveBack(served, { delayLevel: 5 }), 0)
    assert.equal(served.broker.store.bounds('SCHEDULE_TOPIC_XXXX', 4).maxOffset, 1)
    assert.equal(await giveBack(served, { delayLevel: -1 }), 0)
    assert.equal(await giveBack(served, { maxReconsumeTimes: 0 }), 0)
    const { messages } = await served.broker.store.get({ topic: '%DLQ%G', queueId: 0, offset: 0 })
    assert.deepEqual(
      messages.map(({ body, reconsumeTimes, properties }) => [body.toString(), reconsumeTimes, properties['RETRY_TOPIC']]),
      [
        ['m0', 1, 'T'],
        ['m0', 1, 'T'],
      ],
    )
    assert.deepEqual(told, [
      ['G', false],
      ['G', false],
      ['G', true],
      ['G', true],
    ])
  })

  test('is refused for an unknown group, and where no message stands', async (t) => {
    const served = await serve(t)
    await send(served, 1)
    assert.equal(await giveBack(served, { group: 'none' }), responseCodes.SUBSCRIPTION_GROUP_NOT_EXIST)
    for (const offset of [1, -1, 1_000_000]) assert.equal(await giveBack(served, { offset }), responseCodes.SYSTEM_ERROR)
  })

  test('is dropped when its group has no queues for retries', async (t) => {
    const served = await serve(t, { options: { groups: { G: { retryQueues: 0 } } } })
    await send(served, 1)
    assert.equal(await giveBack(served), 0)
    assert.equal(served.broker.store.bounds('SCHEDULE_TOPIC_XXXX', 2).maxOffset, 0)
  })
})

describe('who asks about groups', () => {
  test('learns how far one is in each queue', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    await update(served, 2)
    const { messages } = await served.broker.store.get({ topic: 'T', queueId: 0, offset: 1 })
    const name = JSON.stringify(served.broker.store.brokerName)
    const row = (queueId: number, max: number, offset: number, time: number): string =>
      `{"brokerName":${name},"queueId":${queueId},"topic":"T"}:{"brokerOffset":${max},"consumerOffset":${offset},"lastTimestamp":${time},"pullOffset":${offset}}`
    const expected = `{"offsetTable":{${row(0, 3, 2, messages[0]!.storeTimestamp)},${row(1, 0, 0, 0)}},"consumeTps":0}`
    for (const topic of [undefined, 'T']) {
      const { body } = await served.ask(codes.GET_CONSUME_STATS, { ext: { consumerGroup: 'G', topic } })
      assert.equal(body.toString(), expected)
    }
    const none = await served.ask(codes.GET_CONSUME_STATS, { ext: { consumerGroup: 'G', topicList: 'none;other' } })
    assert.equal(none.body.toString(), '{"offsetTable":{},"consumeTps":0}')
  })

  test('learns how far its clients have fetched, which a reset and a new group of that name take back', async (t) => {
    const served = await serve(t)
    await send(served, 3)
    const told = async (): Promise<number[]> => {
      const { body } = await served.ask(codes.GET_CONSUME_STATS, { ext: { consumerGroup: 'G', topic: 'T' } })
      const [, offset, pulled] = /"queueId":0,"topic":"T"}:{[^}]*"consumerOffset":(\d+),[^}]*"pullOffset":(\d+)/.exec(
        String(body),
      )!
      return [Number(offset), Number(pulled)]
    }
    await served.ask(codes.PULL_MESSAGE, pull({ max: 2 }))
    assert.deepEqual(await told(), [0, 2])
    await update(served, 3)
    assert.deepEqual(await told(), [3, 3])
    await served.broker.resetOffsets({ topic: 'T', group: 'G', to: 'first' })
    assert.deepEqual(await told(), [0, 0])
    await served.ask(codes.PULL_MESSAGE, pull({ max: 1 }))
    await served.ask(codes.PULL_MESSAGE, pull({ max: 1 }))
    assert.deepEqual(await told(), [0, 1])
    await served.broker.groups.delete('G')
    assert.deepEqual(await told(), [0, 0])
  })

  test('learns who consumes a topic, and what a group consumes', async (t) => {
    const served = await serve(t)
    await update(served, 0)
    await served.ask(codes.HEART_BEAT, heartbeat({ group: 'Live' }))
    const who = await served.ask(codes.QUERY_TOPIC_CONSUME_BY_WHO, { ext: { topic: 'T' } })
    assert.deepEqual(said(who), { groupList: ['G', 'Live'] })
    const wanted = await served.ask(codes.QUERY_SUBSCRIPTION_BY_CONSUMER, { ext: { group: 'Live', topic: 'T' } })
    assert.equal((said(wanted) as { subscriptionData: { subString: string } }).subscriptionData.subString, '*')
    const none = await served.ask(codes.QUERY_SUBSCRIPTION_BY_CONSUMER, { ext: { group: 'G', topic: 'T' } })
    assert.deepEqual(said(none), { group: 'G', topic: 'T' })
    for (const group of ['G', 'Live']) {
      const what = await served.ask(codes.QUERY_TOPICS_BY_CONSUMER, { ext: { group } })
      assert.deepEqual(said(what), { topicList: ['T'] })
    }
  })
})
