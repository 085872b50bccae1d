/** What a name server knows after servers came, spoke and went. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { clusterInfo, routeOf, systemTopics, topicList, topicsOfCluster } from '../../lib/remoting/name-server/route-questions.js'
import type { DataVersion, QueueData } from '../../lib/remoting/name-server/route-state.js'
import { type Registration, RouteTable } from '../../lib/remoting/name-server/route-table.js'
import { check } from '../support/cases.js'

const queues = (count: number, perm = 6): QueueData => ({ readQueueNums: count, writeQueueNums: count, perm, topicSysFlag: 0 })
const version = (counter: number, stateVersion = 0): DataVersion => ({ stateVersion, timestamp: 1000, counter })

function server(given: Partial<Registration> = {}): Registration {
  const { brokerName = 'a', brokerId = 0 } = given
  return {
    cluster: 'c',
    brokerName,
    brokerId,
    address: `${brokerName}:${brokerId}`,
    haAddress: `${brokerName}:ha`,
    dataVersion: version(1),
    topics: new Map([['T', queues(4)]]),
    ...given,
  }
}

interface Route {
  readonly queueDatas: readonly (QueueData & { readonly brokerName: string })[]
  readonly brokerDatas: readonly { readonly brokerName: string; readonly brokerAddrs: ReadonlyMap<number, string> }[]
}

function routeIn(table: RouteTable, topic = 'T', zoneName?: string): Route | undefined {
  return routeOf(table.state, topic, undefined, zoneName === undefined ? undefined : { zoneName }) as Route | undefined
}

describe('a server that registers', () => {
  test('makes its broker, cluster and topics known', () => {
    const table = new RouteTable()
    assert.deepEqual(table.register(server(), 0), {})
    assert.deepEqual(routeIn(table)?.queueDatas, [{ brokerName: 'a', ...queues(4) }])
    assert.deepEqual(routeIn(table)?.brokerDatas[0]?.brokerAddrs, new Map([[0, 'a:0']]))
    assert.deepEqual(topicsOfCluster(table.state, 'c'), { topicList: ['T'] })
    assert.deepEqual(systemTopics(table.state), { topicList: ['c', 'a'], brokerAddr: 'a:0' })
    assert.equal(routeIn(table, 'none'), undefined)
  })

  test('again changes its topics only with another edition', () => {
    const table = new RouteTable()
    table.register(server(), 0)
    table.register(server({ topics: new Map([['T', queues(8)]]) }), 1)
    assert.equal(routeIn(table)?.queueDatas[0]?.readQueueNums, 4)
    table.register(server({ topics: new Map([['T', queues(8)]]), dataVersion: version(2) }), 2)
    assert.equal(routeIn(table)?.queueDatas[0]?.readQueueNums, 8)
  })

  test('again brings back a topic that was deleted here', () => {
    const table = new RouteTable()
    table.register(server(), 0)
    table.deleteTopic('T')
    assert.equal(routeIn(table), undefined)
    table.register(server(), 1)
    assert.ok(routeIn(table))
  })

  test('as a replica brings no topics, and is told of its primary', () => {
    const table = new RouteTable()
    const replica = server({ brokerId: 1, topics: new Map([['R', queues(1)]]) })
    assert.deepEqual(table.register(replica, 0), {})
    table.register(server(), 0)
    assert.deepEqual(table.register(replica, 1), { primaryAddress: 'a:0', haAddress: 'a:ha' })
    assert.equal(routeIn(table, 'R'), undefined)
    assert.deepEqual(
      routeIn(table)?.brokerDatas[0]?.brokerAddrs,
      new Map([
        [1, 'a:1'],
        [0, 'a:0'],
      ]),
    )
  })

  test('as a replica that may act for its primary brings topics closed for writing', () => {
    const table = new RouteTable()
    table.register(server({ brokerId: 1, enableActingMaster: true }), 0)
    assert.equal(routeIn(table)?.queueDatas[0]?.perm, 4)
    table.register(server({ enableActingMaster: true }), 1)
    assert.equal(routeIn(table)?.queueDatas[0]?.perm, 6)
    table.unregister(server())
    assert.equal(routeIn(table)?.queueDatas[0]?.perm, 4)
  })

  test('under the number of another is believed only with a state at least as new', () => {
    const table = new RouteTable()
    table.register(server({ address: 'new', dataVersion: version(1, 2) }), 0)
    table.register(server({ address: 'old', dataVersion: version(9, 1) }), 1)
    assert.deepEqual(routeIn(table)?.brokerDatas[0]?.brokerAddrs, new Map([[0, 'new']]))
    assert.equal(table.versionOf('c', 'old'), undefined)
    table.register(server({ address: 'newer', dataVersion: version(1, 2) }), 2)
    assert.deepEqual(routeIn(table)?.brokerDatas[0]?.brokerAddrs, new Map([[0, 'newer']]))
  })

  test('with another number leaves the one it had', () => {
    const table = new RouteTable()
    table.register(server({ address: 'x' }), 0)
    table.register(server({ address: 'x', brokerId: 2 }), 1)
    assert.deepEqual([...table.state.brokers.get('a')!.addresses], [[2, 'x']])
  })
})

describe('a server that goes', () => {
  test('takes its broker along when it is the last, with the topics that nobody else has', () => {
    const table = new RouteTable()
    table.register(server(), 0)
    table.register(server({ brokerId: 1 }), 0)
    table.register(
      server({
        brokerName: 'b',
        topics: new Map([
          ['T', queues(1)],
          ['U', queues(1)],
        ]),
      }),
      0,
    )
    table.unregister(server())
    assert.deepEqual(
      routeIn(table)?.queueDatas.map(({ brokerName }) => brokerName),
      ['a', 'b'],
    )
    table.unregister(server({ brokerId: 1 }))
    assert.deepEqual(
      routeIn(table)?.queueDatas.map(({ brokerName }) => brokerName),
      ['b'],
    )
    table.unregister(server({ brokerName: 'b' }))
    assert.deepEqual(topicList(table.state), { topicList: [] })
    assert.deepEqual(Object.keys(clusterInfo(table.state)['clusterAddrTable']!), [])
  })

  test('without a word is forgotten after its time, and not before', () => {
    const table = new RouteTable()
    const connection = {}
    table.register(server({ connection }), 0)
    table.register(server({ brokerName: 'b', timeoutMs: 5000 }), 0)
    assert.deepEqual(table.expire(5000), [])
    table.expire(5001)
    assert.deepEqual([...table.state.brokers.keys()], ['a'])
    table.heard('c', 'a:0', 100_000)
    assert.deepEqual(table.expire(220_000), [])
    assert.deepEqual(table.expire(220_001), [connection])
    assert.equal(table.state.brokers.size, 0)
  })

  test('with its connection is forgotten at once; one that registered anew over another is not', () => {
    const table = new RouteTable()
    const [first, second] = [{}, {}]
    table.register(server({ connection: first }), 0)
    table.register(server({ brokerName: 'b', connection: first }), 0)
    table.register(server({ connection: second }), 1)
    table.forgetConnection(first)
    assert.deepEqual([...table.state.brokers.keys()], ['a'])
    table.forgetConnection(second)
    assert.equal(table.state.brokers.size, 0)
  })
})

describe('topics', () => {
  test('are closed and opened for writing by broker', () => {
    const table = new RouteTable()
    table.register(
      server({
        topics: new Map([
          ['T', queues(1)],
          ['U', queues(1, 7)],
        ]),
      }),
      0,
    )
    table.register(server({ brokerName: 'b' }), 0)
    assert.equal(table.setWritable('a', false), 2)
    assert.deepEqual(
      routeIn(table)?.queueDatas.map(({ perm }) => perm),
      [4, 6],
    )
    assert.deepEqual(
      routeIn(table, 'U')?.queueDatas.map(({ perm }) => perm),
      [5],
    )
    assert.equal(table.setWritable('a', true), 2)
    assert.deepEqual(
      routeIn(table, 'U')?.queueDatas.map(({ perm }) => perm),
      [6],
    )
    assert.equal(table.setWritable('nobody', true), 0)
  })

  test('are deleted in one cluster or in all', () => {
    const table = new RouteTable()
    table.register(server(), 0)
    table.register(server({ brokerName: 'b', cluster: 'd' }), 0)
    table.deleteTopic('T', 'c')
    assert.deepEqual(
      routeIn(table)?.queueDatas.map(({ brokerName }) => brokerName),
      ['b'],
    )
    table.deleteTopic('T', 'nowhere')
    table.deleteTopic('T')
    assert.equal(routeIn(table), undefined)
  })

  test('are given to brokers that are known', () => {
    const table = new RouteTable()
    table.register(server(), 0)
    table.addTopic(
      'N',
      new Map([
        ['a', queues(2)],
        ['b', queues(2)],
      ]),
    )
    assert.deepEqual(
      routeIn(table, 'N')?.queueDatas.map(({ brokerName }) => brokerName),
      ['a'],
    )
  })

  test('of a zone are those of brokers in it, and of brokers without a primary', () => {
    const table = new RouteTable()
    table.register(server({ zoneName: 'East' }), 0)
    table.register(server({ brokerName: 'b', zoneName: 'west' }), 0)
    table.register(server({ brokerName: 'o' }), 0)
    table.register(server({ brokerName: 'o', brokerId: 1 }), 0)
    table.unregister(server({ brokerName: 'o' }))
    const names = (zone?: string) => routeIn(table, 'T', zone)?.queueDatas.map(({ brokerName }) => brokerName)
    assert.deepEqual(names(), ['a', 'b', 'o'])
    assert.deepEqual(names('east'), ['a', 'o'])
    assert.deepEqual(names('nowhere'), ['o'])
  })
})

test('whatever happens, each queue belongs to a known broker, each broker has a server, and each cluster a broker', () => {
  const step = fc.record({
    what: fc.constantFrom('register', 'unregister', 'expire', 'heard', 'delete', 'wipe', 'forget'),
    brokerName: fc.constantFrom('a', 'b'),
    brokerId: fc.nat(2),
    acts: fc.boolean(),
    counter: fc.nat(3),
    topic: fc.constantFrom('T', 'U'),
    connection: fc.nat(1),
    wait: fc.constantFrom(0, 1000, 119_999, 120_001),
  })
  check(
    200,
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new RouteTable()
      const connections = [{}, {}]
      let now = 0
      for (const { what, brokerName, brokerId, acts, counter, topic, connection, wait } of steps) {
        now += wait
        const given = server({
          brokerName,
          brokerId,
          enableActingMaster: acts,
          dataVersion: version(counter, counter),
          topics: new Map([[topic, queues(1)]]),
          connection: connections[connection],
        })
        if (what === 'register') table.register(given, now)
        else if (what === 'unregister') table.unregister(given)
        else if (what === 'expire') table.expire(now)
        else if (what === 'heard') table.heard('c', given.address, now)
        else if (what === 'delete') table.deleteTopic(topic)
        else if (what === 'wipe') table.setWritable(brokerName, false)
        else table.forgetConnection(connections[connection]!)
        const { brokers, clusters, topics, live } = table.state
        assert.deepEqual([...clusters.values()].flatMap((names) => [...names]).sort(), [...brokers.keys()].sort())
        for (const { addresses } of brokers.values()) assert.ok(addresses.size > 0)
        for (const byBroker of topics.values()) {
          assert.ok(byBroker.size > 0)
          for (const name of byBroker.keys()) assert.ok(brokers.has(name))
        }
        const known = [...brokers.values()].flatMap(({ addresses }) => [...addresses.values()])
        assert.deepEqual([...live.values()].map(({ address }) => address).sort(), known.sort())
      }
    }),
  )
})
