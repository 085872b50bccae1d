/** Resets that clients are told of, because no pull of theirs learns of them. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { RemotingClient } from '../../../lib/remoting/client.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import { type Command, isOneWay, request } from '../../../lib/remoting/command.js'
import { consumeRequests as codes, consumerNews } from '../../../lib/remoting/commands/consume-codes.js'
import { type GivenMember, heartbeat, pull } from '../../support/consumer-requests.js'
import { ManualTime } from '../../support/manual-time.js'
import { type ServedForTest, serveBroker } from '../../support/serve-broker.js'

const { PULL_NOT_FOUND, PULL_OFFSET_MOVED } = responseCodes

async function serve(t: TestContext) {
  const time = new ManualTime()
  const options = { topics: { T: { queues: 2 } }, groups: { G: {} } }
  const served = await serveBroker(t, { options, ports: { clock: time, timers: time } })
  for (let i = 0; i < 6; i++) await served.broker.send({ topic: 'T', queueId: i % 2, body: `m${i}` })
  const pass = async (ms: number): Promise<void> => {
    time.advance(ms)
    for (let i = 0; i < 50; i++) await turn()
  }
  const reset = (queueId: number, offset: number) =>
    served.broker.resetOffsets({ group: 'G', topic: 'T', queueId, to: { offset } })
  return { ...served, pass, reset }
}

/** A client that keeps what it is told of resets. */
async function member(t: TestContext, { address }: ServedForTest, given: GivenMember, as: Partial<Command> = {}) {
  const told: Command[] = []
  const keep = (command: Command): undefined => void told.push(command)
  const client = new RemotingClient({ handlers: new Map([[consumerNews.RESET_CONSUMER_CLIENT_OFFSET, keep]]) })
  t.after(() => client.close(100))
  const { code } = await client.invoke(address, { ...request(codes.HEART_BEAT, heartbeat(given)), ...as })
  assert.equal(code, 0)
  /** What it was told by now: what comes over one connection comes in order. */
  const heard = async (): Promise<readonly Command[]> => {
    await client.invoke(address, request(codes.GET_CONSUMER_LIST_BY_GROUP, { ext: { consumerGroup: 'G' } }))
    return told
  }
  return { told, heard, bodies: async () => (await heard()).map(({ body }) => body.toString()) }
}

const queue = ({ broker }: ServedForTest, id: number): string =>
  `{"brokerName":${JSON.stringify(broker.store.brokerName)},"queueId":${id},"topic":"T"}`

describe('a reset that no pull learns of within a second', () => {
  test('is told to every client of the group at once, with all queues in one table', async (t) => {
    const served = await serve(t)
    const one = await member(t, served, { clientId: 'one' })
    const two = await member(t, served, { clientId: 'two' })
    const old = await member(t, served, { clientId: 'old' }, { version: 27 })
    await served.reset(0, 1)
    await served.pass(500)
    await served.reset(1, 2)
    assert.equal((await one.heard()).length, 0)
    await served.pass(500)
    const [first] = await one.heard()
    assert.ok(first !== undefined && isOneWay(first))
    assert.deepEqual([first.extFields['topic'], first.extFields['group'], first.extFields['isForce']], ['T', 'G', 'true'])
    assert.equal(Number.isInteger(Number(first.extFields['timestamp'])), true)
    const table = `{"offsetTable":{${queue(served, 0)}:1,${queue(served, 1)}:2}}`
    assert.deepEqual([await one.bodies(), await two.bodies(), await old.bodies()], [[table], [table], []])
    await served.pass(60_000)
    assert.equal((await one.heard()).length, 1)
  })

  test('is told to each client that consumes the topic as it comes, whoever of the group was heard of last', async (t) => {
    const served = await serve(t)
    const one = await member(t, served, { clientId: 'one' })
    // The same client over a second connection, as after a break in the network.
    const again = await member(t, served, { clientId: 'one' })
    const other = await member(t, served, { clientId: 'other', topics: { U: '*' } })
    const puller = await member(t, served, { clientId: 'puller', type: 'CONSUME_ACTIVELY' })
    await served.reset(0, 1)
    await served.pass(1000)
    const table = `{"offsetTable":{${queue(served, 0)}:1}}`
    assert.deepEqual(
      [await one.bodies(), await again.bodies(), await other.bodies(), await puller.bodies()],
      [[table], [table], [], []],
    )
  })

  test('is a list for a client in C++', async (t) => {
    const served = await serve(t)
    const { bodies } = await member(t, served, {}, { language: 'CPP' })
    await served.reset(1, 2)
    await served.pass(1000)
    const brokerName = JSON.stringify(served.broker.store.brokerName)
    assert.deepEqual(await bodies(), [`{"offsetTable":[{"brokerName":${brokerName},"offset":2,"queueId":1,"topic":"T"}]}`])
  })

  test('is not told again by a pull from where the queue was reset to', async (t) => {
    const served = await serve(t)
    const { heard } = await member(t, served, {})
    for (const [i, [offset, code]] of (
      [
        [1, 0],
        [3, PULL_OFFSET_MOVED],
      ] as const
    ).entries()) {
      await served.reset(0, 1)
      await served.pass(1000)
      assert.equal((await heard()).length, i + 1)
      assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset }))).code, code)
      // Whichever way it was told, it counts no longer.
      assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset: 3 }))).code, PULL_NOT_FOUND)
    }
  })

  test('is told by the pull from its own place, too, when nobody was told before', async (t) => {
    const served = await serve(t)
    await served.reset(0, 1)
    await served.pass(1000)
    assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset: 1 }))).code, PULL_OFFSET_MOVED)
  })
})

describe('nothing is pushed', () => {
  test('of queues that a pull was told of', async (t) => {
    const served = await serve(t)
    const { bodies } = await member(t, served, {})
    const waiting = served.ask(codes.PULL_MESSAGE, pull({ offset: 3, waitMs: 20_000 }))
    await served.pass(10)
    await served.reset(0, 1)
    await served.reset(1, 1)
    assert.equal((await waiting).code, PULL_OFFSET_MOVED)
    await served.pass(1000)
    assert.deepEqual(await bodies(), [`{"offsetTable":{${queue(served, 1)}:1}}`])
    await served.ask(codes.PULL_MESSAGE, pull({ queueId: 1, offset: 1 }))
    await served.reset(0, 0)
    await served.ask(codes.PULL_MESSAGE, pull({ offset: 3 }))
    await served.pass(1000)
    assert.equal((await bodies()).length, 1)
  })

  test('to a group that the broker lets pop', async (t) => {
    const served = await serve(t)
    const { bodies } = await member(t, served, {})
    await served.broker.served.requestModes.put('T', 'G', { mode: 'POP', sharedBy: 0 })
    await served.reset(0, 1)
    await served.pass(1000)
    assert.deepEqual(await bodies(), [])
  })

  test('once the server is closed', async (t) => {
    const served = await serve(t)
    const { told } = await member(t, served, {})
    await served.reset(0, 1)
    await served.server.close()
    await served.pass(1000)
    assert.deepEqual(told, [])
  })
})

test('every client of a group that broadcasts is told of a reset, and none by its pulls', async (t) => {
  const served = await serve(t)
  const one = await member(t, served, { clientId: 'one', model: 'BROADCASTING' })
  const two = await member(t, served, { clientId: 'two', model: 'BROADCASTING' })
  await served.reset(0, 1)
  assert.equal((await served.ask(codes.PULL_MESSAGE, pull({ offset: 3 }))).code, PULL_NOT_FOUND)
  await served.pass(1000)
  const table = `{"offsetTable":{${queue(served, 0)}:1}}`
  assert.deepEqual([await one.bodies(), await two.bodies()], [[table], [table]])
})
