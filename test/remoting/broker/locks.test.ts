/** Locks of queues by requests 41 and 42: in whose name they are taken and given up. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { parseBody, printBody } from '../../../lib/remoting/body-json.js'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../../lib/remoting/command.js'
import { consumeRequests as codes } from '../../../lib/remoting/commands/consume-codes.js'
import { heartbeat } from '../../support/consumer-requests.js'
import { type ServedForTest, type ServeOptions, serveBroker } from '../../support/serve-broker.js'

const [mine, other] = ['the-first', 'the-other'].map((accessKey) => ({ accessKey, secretKey: `secret of ${accessKey}` }))
const accounts = [mine!, other!].map((one) => ({
  ...one,
  defaultTopicPerm: 'PUB|SUB' as const,
  defaultGroupPerm: 'SUB' as const,
}))

/** A client of its own, which locks and unlocks the queue. */
function clientOf(t: TestContext, { address, broker }: ServedForTest, credentials?: typeof mine) {
  const client = new RemotingClient(credentials === undefined ? {} : { credentials })
  t.after(() => client.close(100))
  const ask = async (code: number, parts: CommandParts): Promise<Command> => client.invoke(address, request(code, parts))
  const mqSet = [{ brokerName: broker.store.brokerName, queueId: 0, topic: 'T' }]
  const body = (clientId: string) => printBody({ clientId, consumerGroup: 'G', mqSet })
  return {
    client,
    beat: async (clientId: string) => (await ask(codes.HEART_BEAT, heartbeat({ clientId }))).code,
    /** How many queues are locked now, or the code of the refusal. */
    lock: async (clientId: string): Promise<string> => {
      const answered = await ask(codes.LOCK_BATCH_MQ, { body: body(clientId) })
      if (answered.code !== 0) return `refused with ${answered.code}`
      return `locked ${(parseBody(answered.body) as { lockOKMQSet: unknown[] }).lockOKMQSet.length}`
    },
    unlock: async (clientId: string) => (await ask(codes.UNLOCK_BATCH_MQ, { body: body(clientId) })).code,
  }
}

async function serve(t: TestContext, given: ServeOptions = {}) {
  const served = await serveBroker(t, { options: { topics: { T: { queues: 1 } }, groups: { G: {} } }, ...given })
  const queue = { topic: 'T', brokerName: served.broker.store.brokerName, queueId: 0 }
  return { served, holder: () => served.broker.served.locks.holder('G', queue) }
}

describe('where senders are asked who they are, a queue', () => {
  test('is neither locked nor unlocked in the name of a client of another account', async (t) => {
    const { served, holder } = await serve(t, { server: { auth: { accounts } } })
    const [first, second] = [clientOf(t, served, mine), clientOf(t, served, other)]
    assert.equal(await first.beat('c'), 0)
    assert.equal(await second.lock('c'), `refused with ${responseCodes.NO_PERMISSION}`)
    assert.equal(await first.lock('c'), 'locked 1')
    assert.equal(await second.unlock('c'), responseCodes.NO_PERMISSION)
    assert.equal(holder(), 'c')
    // A second connection of the same account is the same client, be it that it has said so or not.
    const again = clientOf(t, served, mine)
    assert.equal(await again.lock('c'), 'locked 1')
    assert.equal(await again.unlock('c'), 0)
    assert.equal(holder(), undefined)
  })

  test('stays locked for an account whose client is away for a moment', async (t) => {
    const { served, holder } = await serve(t, { server: { auth: { accounts } } })
    const [first, second] = [clientOf(t, served, mine), clientOf(t, served, other)]
    assert.equal(await first.beat('c'), 0)
    assert.equal(await first.lock('c'), 'locked 1')
    await first.client.close(100)
    while (served.broker.served.registry.clientIds('G').length > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await second.unlock('c'), 0)
    assert.equal(holder(), 'c')
    assert.equal(await second.lock('c'), 'locked 0')
    // Clients lock every 20 s and say that they are there every 30 s, so that one that is back may lock first.
    assert.equal(await clientOf(t, served, mine).lock('c'), 'locked 1')
  })

  test('stays with a client that was trusted by address before, and is asked who it is now', async (t) => {
    const auth = { accounts, globalWhiteRemoteAddresses: ['127.0.0.1'] }
    const { served, holder } = await serve(t, { server: { auth } })
    const [first, second] = [clientOf(t, served, mine), clientOf(t, served, other)]
    assert.equal(await first.beat('c'), 0)
    assert.equal(await first.lock('c'), 'locked 1')
    served.server.changeAuth({ accounts })
    assert.equal(await first.beat('c'), 0)
    assert.equal(await second.unlock('c'), responseCodes.NO_PERMISSION)
    assert.equal(await first.lock('c'), 'locked 1')
    assert.equal(holder(), 'c')
  })
})

test('no queue is locked or unlocked in the name of a consumer in the process of the broker', async (t) => {
  const { served, holder } = await serve(t, {})
  const consumer = served.broker.consumer({ group: 'G', subscribe: { T: '*' }, ordered: true })
  t.after(() => consumer.close())
  while (holder() !== consumer.clientId) await new Promise((resolve) => setImmediate(resolve))
  const client = clientOf(t, served)
  assert.equal(await client.unlock(consumer.clientId), responseCodes.NO_PERMISSION)
  assert.equal(await client.lock(consumer.clientId), `refused with ${responseCodes.NO_PERMISSION}`)
  assert.equal(holder(), consumer.clientId)
})

test('when there are very many locks, groups without a member get no more, and others do', async (t) => {
  const { served } = await serve(t, {})
  const { locks } = served.broker.served
  const queues = Array.from({ length: 1024 }, (_, queueId) => ({ topic: 'T', brokerName: 'mqlite', queueId }))
  for (let i = 0; i < 128; i++) locks.lock(`g${i}`, queues, 'many')
  assert.equal(locks.size, 131_072)
  const client = clientOf(t, served)
  assert.equal(await client.lock('c'), 'locked 0')
  assert.equal(await client.beat('c'), 0)
  assert.equal(await client.lock('c'), 'locked 1')
  locks.unlock('g0', queues, 'many')
  assert.equal(locks.size, 131_072 - 1024 + 1)
})

test('where nobody is asked who sends, a queue is unlocked by whoever names the client, as at RocketMQ', async (t) => {
  const { served, holder } = await serve(t, {})
  const [first, second] = [clientOf(t, served), clientOf(t, served)]
  assert.equal(await first.beat('c'), 0)
  assert.equal(await first.lock('c'), 'locked 1')
  assert.equal(await second.unlock('c'), 0)
  assert.equal(holder(), undefined)
})
