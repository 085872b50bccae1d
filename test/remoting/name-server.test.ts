/** The name server's requests over a network of the test's own, and the client that keeps a broker known. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { crc32, deflateSync } from 'node:zlib'
import { parseBody, printBody } from '../../lib/remoting/body-json.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { nameServerRequests as codes } from '../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { Refusal } from '../../lib/remoting/errors.js'
import type { KvFile } from '../../lib/remoting/name-server/kv-table.js'
import { NameServer, type NameServerOptions } from '../../lib/remoting/name-server/name-server.js'
import { NameServerClient, type RegistrationResult } from '../../lib/remoting/name-server/name-server-client.js'
import { decodeRegistration, encodeRegistration, type TopicEntry } from '../../lib/remoting/name-server/registration.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { MemoryNet } from '../support/memory-net.js'

const topic = (name: string, perm = 6): TopicEntry => ({
  topic: name,
  readQueueNums: 4,
  writeQueueNums: 4,
  perm,
  topicSysFlag: 0,
})
const broker = { cluster: 'c', brokerName: 'b', brokerId: 0, address: '127.0.0.1:1', haAddress: '127.0.0.1:2' }
const version = { stateVersion: 0, timestamp: 1_700_000_000_000, counter: 1 }
const registration = encodeRegistration({ ...broker, dataVersion: version, topics: [topic('T'), topic('Ü')] })

async function setUp(t: TestContext, options: NameServerOptions = {}) {
  const net = new MemoryNet()
  const time = new ManualTime()
  const ports = { net, clock: time, timers: time }
  const nameServer = new NameServer({ ...ports, ...options })
  const server = await RemotingServer.listen({ port: 0, handlers: nameServer.handlers, ...ports })
  const client = new RemotingClient(ports)
  t.after(() => {
    nameServer.close()
    for (const connection of server.connections) connection.destroy()
  })
  const address = endpointText(server.endpoint)
  const ask = (code: number, ext: CommandParts['ext'] = {}, body?: Buffer): Promise<Command> =>
    client.invoke(address, request(code, { ext, body }))
  const brokers = async (): Promise<string[]> => {
    const { brokerAddrTable } = parseBody((await ask(codes.GET_BROKER_CLUSTER_INFO)).body) as { brokerAddrTable: object }
    return Object.keys(brokerAddrTable)
  }
  return { net, time, nameServer, server, client, address, ask, brokers, ports }
}

describe('a route', () => {
  test('has bare keys for old clients and quoted, sorted, ASCII ones for new clients and for who asks', async (t) => {
    const { client, address } = await setUp(t)
    await client.invoke(address, registration)
    const route = async (release: number, ext: CommandParts['ext'] = {}): Promise<string> => {
      const asked = { ...request(codes.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: 'Ü', ...ext } }), version: release }
      return (await client.invoke(address, asked)).body.toString()
    }
    const text = '"brokerAddrs":{0:"127.0.0.1:1"}'
    const quoted = '"brokerAddrs":{"0":"127.0.0.1:1"}'
    assert.ok((await route(400)).includes(text))
    assert.ok((await route(401)).includes(quoted))
    assert.ok((await route(317, { acceptStandardJsonOnly: true })).includes(quoted))
    assert.equal(await route(401), JSON.stringify(JSON.parse(await route(401))))
  })

  test('has the order of its topic when that is asked for', async (t) => {
    const { ask } = await setUp(t, { ordersTopics: true })
    await ask(codes.PUT_KV_CONFIG, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T', value: 'b:4' })
    await ask(codes.REGISTER_BROKER, registration.extFields, registration.body)
    const { body } = await ask(codes.GET_ROUTEINFO_BY_TOPIC, { topic: 'T' })
    assert.equal((parseBody(body) as { orderTopicConf: string }).orderTopicConf, 'b:4')
  })

  test('that nobody has is code 17, and one of no topic names the field', async (t) => {
    const { ask } = await setUp(t)
    assert.equal((await ask(codes.GET_ROUTEINFO_BY_TOPIC, { topic: 'none' })).code, 17)
    const { code, remark } = await ask(codes.GET_ROUTEINFO_BY_TOPIC)
    assert.deepEqual([code, remark], [1, 'the custom field <topic> is null'])
  })
})

describe('a registration', () => {
  const compressed = (rows: readonly (string | number)[]): Buffer =>
    deflateSync(
      Buffer.concat(
        rows.map((row) => {
          const length = Buffer.alloc(4)
          if (typeof row === 'number') {
            length.writeInt32BE(row)
            return length
          }
          length.writeInt32BE(Buffer.byteLength(row))
          return Buffer.concat([length, Buffer.from(row)])
        }),
      ),
    )
  const withBody = (body: Buffer, release = 479, ext: Record<string, string> = {}): Command => {
    const sum = String(crc32(body) & 0x7fffffff)
    return {
      ...registration,
      version: release,
      body,
      extFields: { ...registration.extFields, bodyCrc32: sum, compressed: 'true', ...ext },
    }
  }

  test('is read as it was written', () => {
    const { topics, dataVersion, cluster, brokerName, brokerId, address, haAddress } = decodeRegistration(registration)
    assert.deepEqual({ cluster, brokerName, brokerId, address, haAddress }, broker)
    assert.deepEqual(dataVersion, version)
    assert.deepEqual([...topics.keys()], ['T', 'Ü'])
    assert.deepEqual(topics.get('T'), { readQueueNums: 4, writeQueueNums: 4, perm: 6, topicSysFlag: 0 })
  })

  test('is read compressed, with and without the mappings of release 5', () => {
    const rows = [JSON.stringify(version), 2, 'T 4 8 6 SINGLE_TAG', 'U 1 1 7 SINGLE_TAG {"+k":"v"}', '[]']
    const mapping = '{"topic":"T","bname":"b","currIdMap":{0:0},"epoch":1,"totalQueues":4}'
    for (const [release, more] of [
      [409, []],
      [479, []],
      [479, [1, mapping]],
    ] as const) {
      const read = decodeRegistration(withBody(compressed([...rows, ...more]), release))
      assert.deepEqual(read.dataVersion, version)
      assert.deepEqual(
        [...read.topics],
        [
          ['T', { readQueueNums: 4, writeQueueNums: 8, perm: 6, topicSysFlag: 0 }],
          ['U', { readQueueNums: 1, writeQueueNums: 1, perm: 7, topicSysFlag: 0 }],
        ],
      )
      assert.equal(read.mappings?.size, more.length / 2)
    }
  })

  test('of the oldest brokers has the topics alone', () => {
    const table = { T: { topicName: 'T', readQueueNums: 4, writeQueueNums: 4, perm: 6, topicSynFlag: 1 } }
    const body = printBody({ dataVersion: version, topicConfigTable: table })
    const read = decodeRegistration(withBody(body, 36, { compressed: 'false' }))
    assert.deepEqual([...read.topics], [['T', { readQueueNums: 4, writeQueueNums: 4, perm: 6, topicSysFlag: 1 }]])
  })

  test('whose body is damaged, a bomb, or cut short is refused', () => {
    const refuses = (command: Command): void => assert.throws(() => decodeRegistration(command), Refusal)
    refuses({ ...registration, body: Buffer.concat([registration.body, Buffer.from(' ')]) })
    refuses(withBody(Buffer.from('{'), 479, { compressed: 'false' }))
    refuses(withBody(Buffer.from('not zlib')))
    refuses(withBody(deflateSync(Buffer.alloc(64 * 1024 * 1024))))
    refuses(withBody(compressed([JSON.stringify(version), 2, 'T 4 8 6 SINGLE_TAG'])))
    refuses(withBody(compressed([JSON.stringify(version), 1, 'T x 8 6 SINGLE_TAG', '[]'])))
    refuses(withBody(compressed([-1])))
    refuses({ ...registration, extFields: { ...registration.extFields, brokerId: 'x' } })
    refuses({ ...registration, extFields: {} })
  })

  test('ends with the connection that it came over', async (t) => {
    const { net, ports, address, brokers } = await setUp(t)
    const other = new RemotingClient({ ...ports, net })
    await other.invoke(address, registration)
    assert.deepEqual(await brokers(), ['b'])
    await other.close()
    await settled(20)
    assert.deepEqual(await brokers(), [])
  })

  test('ends after 120 s of silence, and its connection with it', async (t) => {
    const { time, nameServer, server, client, address } = await setUp(t)
    await client.invoke(address, registration)
    const ask = request(codes.QUERY_DATA_VERSION, {
      ext: { clusterName: 'c', brokerName: 'b', brokerAddr: broker.address, brokerId: 0 },
      body: printBody({ ...version }),
    })
    for (const [wait, changed, known] of [
      [100_000, 'false', 1],
      [100_000, 'false', 1],
    ] as const) {
      time.advance(wait)
      assert.equal((await client.invoke(address, ask)).extFields['changed'], changed)
      assert.equal(nameServer.routes.state.brokers.size, known)
    }
    for (let second = 0; second < 119; second += 7) {
      time.advance(7000)
      await client.invoke(address, request(codes.GET_BROKER_CLUSTER_INFO)).catch(() => {})
    }
    time.advance(7000)
    await settled(20)
    assert.equal(nameServer.routes.state.brokers.size, 0)
    assert.equal(server.connections.length, 0)
  })
})

describe('settings', () => {
  test('outlive the name server when they have a file, in the text of RocketMQ', async (t) => {
    let text: Uint8Array | undefined
    const file: KvFile = {
      load: () => text,
      save(given) {
        text = given
      },
    }
    const { ask } = await setUp(t, { file })
    const setting = { namespace: 'ns', key: '__proto__', value: 'v"' }
    await ask(codes.PUT_KV_CONFIG, setting)
    await ask(codes.PUT_KV_CONFIG, { ...setting, key: 'gone' })
    await ask(codes.DELETE_KV_CONFIG, { ...setting, key: 'gone' })
    assert.equal(Buffer.from(text!).toString(), '{\n\t"configTable":{\n\t\t"ns":{\n\t\t\t"__proto__":"v\\""\n\t\t}\n\t}\n}')
    const again = await setUp(t, { file })
    assert.equal((await again.ask(codes.GET_KV_CONFIG, setting)).extFields['value'], 'v"')
    assert.equal((await again.ask(codes.GET_KV_CONFIG, { ...setting, key: 'gone' })).code, 22)
  })

  test('cannot fill the memory', async (t) => {
    const { ask } = await setUp(t)
    const value = 'v'.repeat(60_000)
    const answers: number[] = []
    for (let i = 0; i < 80; i++) answers.push((await ask(codes.PUT_KV_CONFIG, { namespace: 'ns', key: `k${i}`, value })).code)
    const refused = answers.indexOf(1)
    assert.ok(refused > 60 && refused < 75, `${refused} were taken`)
    await ask(codes.DELETE_KV_CONFIG, { namespace: 'ns', key: 'k0' })
    assert.equal((await ask(codes.PUT_KV_CONFIG, { namespace: 'ns', key: 'k0', value })).code, 0)
  })
})

describe('a broker of ours', () => {
  test('is told to each name server at the start, every 30 s, and when its topics change', async (t) => {
    const one = await setUp(t)
    const registered: RegistrationResult[] = []
    const second = new NameServer(one.ports)
    const other = await RemotingServer.listen({ port: 0, handlers: second.handlers, ...one.ports })
    t.after(() => second.close())
    const topics = [topic('T')]
    let counter = 1
    const registrar = new NameServerClient({
      client: one.client,
      servers: [one.address, endpointText(other.endpoint), '127.0.0.1:1'],
      broker,
      topics: () => ({ dataVersion: { ...version, counter }, topics }),
      timers: one.time,
      onResult: (result) => registered.push(result),
    })
    const results = await registrar.start()
    assert.deepEqual(
      results.map(({ error }) => error?.name),
      [undefined, undefined, 'RemotingError'],
    )
    const known = () => [one.nameServer, second].map(({ routes }) => [...routes.state.topics.keys()])
    assert.deepEqual(known(), [['T'], ['T']])
    topics.push(topic('U'))
    counter++
    one.time.advance(30_000)
    for (let turn = 0; turn < 100 && registered.length < 6; turn++) await settled(1)
    assert.deepEqual(known(), [
      ['T', 'U'],
      ['T', 'U'],
    ])
    topics.push(topic('V'))
    counter++
    await registrar.register()
    assert.deepEqual(known(), [
      ['T', 'U', 'V'],
      ['T', 'U', 'V'],
    ])
    await registrar.close()
    assert.deepEqual(known(), [[], []])
    one.time.advance(60_000)
    await settled(20)
    assert.deepEqual(known(), [[], []])
  })

  test('whose topics cannot be had is not told, and that is said', async (t) => {
    const { client, address, ports, nameServer } = await setUp(t)
    const topics = (): never => {
      throw new Error('no topics')
    }
    const results: RegistrationResult[] = []
    const onResult = (result: RegistrationResult): number => results.push(result)
    const registrar = new NameServerClient({ client, servers: [address], broker, topics, onResult, timers: ports.timers })
    await registrar.start()
    ports.clock.advance(30_000)
    await settled()
    assert.deepEqual(
      results.map(({ error }) => error?.message),
      ['no topics', 'no topics'],
    )
    assert.equal(nameServer.routes.state.brokers.size, 0)
    await registrar.close()
  })

  test('learns why a name server refused it', async (t) => {
    const { client, ports } = await setUp(t)
    const deaf = await RemotingServer.listen({ port: 0, handlers: new Map(), ...ports })
    const topics = () => ({ dataVersion: version, topics: [] })
    const registrar = new NameServerClient({
      client,
      servers: [endpointText(deaf.endpoint)],
      broker,
      topics,
      timers: ports.timers,
    })
    const [result] = await registrar.register()
    assert.match(result!.error!.message, /REMOTING_REFUSED: .* answered 3: {2}request type 103 not supported/)
  })
})
