/** What clients can make a broker keep, and what a server leaves behind on its broker: bounded, and nothing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { printBody } from '../../../lib/remoting/body-json.js'
import { BrokerServer } from '../../../lib/remoting/broker-server.js'
import { responseCodes } from '../../../lib/remoting/codes.js'
import { readHeartbeat } from '../../../lib/remoting/commands/client-body.js'
import { consumeRequests as codes } from '../../../lib/remoting/commands/consume-codes.js'
import { MembershipBounds, MOST_OF_CONNECTION } from '../../../lib/remoting/commands/membership-bounds.js'
import { Refusal } from '../../../lib/remoting/errors.js'
import { openTestBroker } from '../../support/open-broker.js'
import { serveBroker } from '../../support/serve-broker.js'

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** A heartbeat of a client that produces for some groups, and consumes some topics for each of some others. */
function told(clientID: string, producers: readonly string[], consumers: readonly string[] = [], topics: readonly string[] = []) {
  return printBody({
    clientID,
    producerDataSet: producers.map((groupName) => ({ groupName })),
    consumerDataSet: consumers.map((groupName) => ({
      groupName,
      subscriptionDataSet: topics.map((topic) => ({ topic, subString: '*' })),
    })),
  })
}

describe('the groups and topics that heartbeats keep', () => {
  const busy = (error: unknown): boolean => error instanceof Refusal && error.code === responseCodes.SYSTEM_BUSY
  const beat = (...given: Parameters<typeof told>) => readHeartbeat(told(...given))

  test('are bounded for a connection, whatever clients they are spread over; saying them again costs nothing', () => {
    const bounds = new MembershipBounds<object>({ groups: 4, topics: 6 }, { groups: 100, topics: 100 })
    const [one, other] = [{}, {}]
    bounds.note(one, beat('a', ['p'], ['g'], ['t', 'u']))
    for (let i = 0; i < 5; i++) bounds.note(one, beat('a', ['p'], ['g'], ['t', 'u']))
    bounds.note(one, beat('b', [], ['g', 'h'], ['t', 'u']))
    assert.deepEqual(bounds.total, { groups: 4, topics: 6 })
    assert.throws(() => bounds.note(one, beat('c', ['q'])), busy)
    assert.throws(() => bounds.note(one, beat('a', [], ['g'], ['t', 'u', 'v'])), busy)
    assert.deepEqual(bounds.total, { groups: 4, topics: 6 })
    bounds.note(one, beat('a', [], ['g'], ['t']))
    bounds.note(other, beat('c', ['q']))
    bounds.left(one, 'b', undefined, 'h')
    bounds.note(one, beat('c', ['q']))
    assert.deepEqual(bounds.total, { groups: 5, topics: 4 })
    bounds.closed(one)
    bounds.closed(one)
    assert.deepEqual(bounds.total, { groups: 1, topics: 0 })
  })

  test('are counted until the group is left, also when a later heartbeat names fewer topics', () => {
    const bounds = new MembershipBounds<object>({ groups: 4, topics: 4 }, { groups: 100, topics: 100 })
    const one = {}
    const [many, none] = [beat('a', [], ['g'], names('t', 3)), beat('a', [], ['g'])]
    const [wanted] = many.consumers
    bounds.note(one, many)
    bounds.note(one, { ...none, isShort: true })
    assert.deepEqual(bounds.total, { groups: 1, topics: 3 })
    assert.throws(() => bounds.note(one, beat('a', [], ['h'], names('t', 3))), busy)
    assert.ok(bounds.covers(one, 'a', wanted!))
    bounds.left(one, 'a', undefined, 'g')
    assert.ok(!bounds.covers(one, 'a', wanted!))
    bounds.note(one, none)
    assert.ok(!bounds.covers(one, 'a', wanted!))
    assert.deepEqual(bounds.total, { groups: 1, topics: 0 })
  })

  test('are bounded for all connections together', () => {
    const bounds = new MembershipBounds<object>({ groups: 4, topics: 4 }, { groups: 5, topics: 5 })
    const [one, other] = [{}, {}]
    bounds.note(one, beat('a', ['p', 'q', 'r']))
    assert.throws(() => bounds.note(other, beat('a', ['p', 'q', 'r'])), busy)
    bounds.note(other, beat('a', ['p', 'q']))
    bounds.left(one, 'a', 'p', undefined)
    bounds.left(one, 'nobody', 'p', undefined)
    bounds.note(other, beat('a', ['s']))
    assert.deepEqual(bounds.total, { groups: 5, topics: 0 })
  })

  test('do not grow beyond that over a connection, and are free again when it closes', async (t) => {
    const { ask, broker, client, address } = await serveBroker(t)
    for (let i = 0; i < 4; i++) {
      const { code } = await ask(codes.HEART_BEAT, { body: told(`c${i}`, names(`p${i}-`, MOST_OF_CONNECTION.groups / 4)) })
      assert.equal(code, 0)
    }
    const { code, remark } = await ask(codes.HEART_BEAT, { body: told('c', ['one-more']) })
    assert.deepEqual([code, remark], [2, 'a connection may be in 4096 groups with 16384 topics at most'])
    assert.equal(broker.served.registry.producerGroups.length, MOST_OF_CONNECTION.groups)
    const connection = await client.connect(address)
    connection.destroy()
    while (broker.served.registry.producerGroups.length > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal((await ask(codes.HEART_BEAT, { body: told('c', ['one-more']) })).code, 0)
  })
})

test('a client that leaves before its heartbeat is done is not in its groups afterwards', async (t) => {
  const { ask, broker } = await serveBroker(t, { options: { groups: { g: {} } } })
  const come = ask(codes.HEART_BEAT, { body: told('c', [], ['g'], ['t']) })
  const leave = ask(codes.UNREGISTER_CLIENT, { ext: { clientID: 'c', consumerGroup: 'g' } })
  assert.deepEqual([(await come).code, (await leave).code], [0, 0])
  assert.deepEqual(broker.served.registry.clientIds('g'), [])
  assert.equal((await ask(codes.HEART_BEAT, { body: told('c', [], ['g'], ['t']) })).code, 0)
  assert.deepEqual(broker.served.registry.clientIds('g'), ['c'])
})

test('a server that closes, or could not listen, leaves nothing behind that listens to its broker', async (t) => {
  const broker = await openTestBroker(t)
  const { offsets, topics } = broker.served
  let listeners = 0
  const counted =
    <Listener>(listen: (listener: Listener) => () => void) =>
    (listener: Listener): (() => void) => {
      const stop = listen(listener)
      listeners++
      return () => {
        listeners--
        stop()
      }
    }
  offsets.onMove = counted(offsets.onMove.bind(offsets))
  topics.onChange = counted(topics.onChange.bind(topics))
  for (let i = 0; i < 3; i++) {
    const server = await BrokerServer.listen(broker, { port: 0, nameServer: { port: 0 } })
    assert.equal(listeners, 2)
    const taken = { port: 0, nameServer: { port: server.endpoint.port } }
    await assert.rejects(BrokerServer.listen(broker, taken))
    await assert.rejects(BrokerServer.listen(broker, { port: server.endpoint.port }))
    await server.close()
    assert.equal(listeners, 0)
  }
})

test('a server with an option that there is not, with a port that is none, or of a closed broker is refused', async (t) => {
  const broker = await openTestBroker(t)
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ prot: 0 }, /unknown field "prot"; the fields are host, port, /],
    [{ port: '0' }, /^port must be a whole number from 0 to 65535, got "0"$/],
    [{ port: 0, nameServer: { port: 65_536 } }, /^nameServer\.port must be .* got 65536$/],
  ]
  for (const [options, message] of wrong) await assert.rejects(BrokerServer.listen(broker, options), { message })
  await broker.close()
  await assert.rejects(BrokerServer.listen(broker, { port: 0 }), { code: 'BROKER_CLOSED' })
})
