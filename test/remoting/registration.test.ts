/** Registrations of brokers with many topics: read in steps, one after the other, in the order in which they came. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32, deflateSync } from 'node:zlib'
import { RemotingClient } from '../../lib/remoting/client.js'
import { nameServerRequests as codes, responseCodes } from '../../lib/remoting/codes.js'
import { type Command, request } from '../../lib/remoting/command.js'
import { Refusal } from '../../lib/remoting/errors.js'
import type { Handler } from '../../lib/remoting/handling.js'
import { NameServer } from '../../lib/remoting/name-server/name-server.js'
import { decodeInSteps, decodeRegistration, encodeRegistration } from '../../lib/remoting/name-server/registration.js'
import { RouteTable } from '../../lib/remoting/name-server/route-table.js'
import { settled } from '../support/manual-time.js'
import { serveRemoting } from '../support/serve-remoting.js'

const broker = { cluster: 'c', brokerName: 'b', brokerId: 0, address: '127.0.0.1:10911', haAddress: '127.0.0.1:10912' }
const queues = { readQueueNums: 8, writeQueueNums: 8, perm: 6, topicSysFlag: 0 }
const versionOf = (counter: number) => ({ stateVersion: 0, timestamp: 1, counter })

function registrationOf(count: number, counter = 1, first = 0): Command {
  const topics = Array.from({ length: count }, (_, i) => ({ topic: `a-topic-of-many-orders-${first + i}`, ...queues }))
  return encodeRegistration({ ...broker, dataVersion: versionOf(counter), topics })
}

function withBody(body: Buffer, compressed = false): Command {
  const one = registrationOf(0)
  const bodyCrc32 = String(crc32(body) & 0x7fffffff)
  return { ...one, version: 479, body, extFields: { ...one.extFields, bodyCrc32, compressed: String(compressed) } }
}

/** The rows of a compressed body. */
function rowsOf(...rows: readonly (string | number)[]): Buffer {
  const parts = rows.map((row) => {
    const bytes = Buffer.from(typeof row === 'number' ? '' : row)
    const length = Buffer.alloc(4)
    length.writeInt32BE(typeof row === 'number' ? row : bytes.length)
    return Buffer.concat([length, bytes])
  })
  return deflateSync(Buffer.concat(parts))
}

async function stepsOf(command: Command): Promise<{ steps: number; topics: number }> {
  let steps = 0
  const { topics } = await decodeInSteps(command, () => {
    steps++
    return undefined
  })
  return { steps, topics: topics.size }
}

describe('a registration', () => {
  test('of 20,000 topics is read in hundreds of steps, in either form', async () => {
    const { steps, topics } = await stepsOf(registrationOf(20_000))
    assert.ok(steps > 300 && topics === 20_000, `${steps} steps`)
    const rows = Array.from({ length: 20_000 }, (_, i) => `T${i} 8 8 6 SINGLE_TAG`)
    const compressed = await stepsOf(withBody(rowsOf('{}', rows.length, ...rows, '[]'), true))
    assert.ok(compressed.steps > 300 && compressed.topics === 20_000, `${compressed.steps} steps`)
  })

  test('is read in steps as it is at once, whatever else is in it', async () => {
    const texts = [
      '{}',
      ' { "topicConfigSerializeWrapper" : null , "filterServerList" : [ "a\\"]}" , { "b" : [ ] } ] } ',
      '{"x":"","topicConfigSerializeWrapper":{"topicConfigTable":{"T\\"{":{"perm":6,"attributes":{"a":"}"}},"U":{}},"more":[[1],{}],"dataVersion":{"counter":7}}}',
      '{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{"T":{"topic":"T","currIdMap":{0:0,1:5}}},"topicConfigTable":{"__proto__":{"perm":2}}}}',
    ]
    const found: unknown[] = []
    for (const text of texts) {
      const command = withBody(Buffer.from(text))
      const read = await decodeInSteps(command, () => undefined)
      assert.deepEqual(read, decodeRegistration(command))
      found.push([[...read.topics].map(([topic, { perm }]) => [topic, perm]), read.dataVersion.counter, read.mappings?.size])
    }
    assert.deepEqual(found, [
      [[], 0, 0],
      [[], 0, 0],
      [
        [
          ['T"{', 6],
          ['U', 0],
        ],
        7,
        0,
      ],
      [[['__proto__', 2]], 0, 1],
    ])
  })

  test('is refused when it is no JSON anywhere, or when a topic or all of them are too much to read', async () => {
    const table = (inside: string): Command =>
      withBody(Buffer.from(`{"topicConfigSerializeWrapper":{"topicConfigTable":${inside}}}`))
    const many = Array.from({ length: 50_001 }, (_, i) => `"${i}":{}`).join(',')
    const commands = [
      table('{"a":{"perm":6}'),
      table('{"a":{"perm":6}}}'),
      table('{"a":{"perm":6},}'),
      table('{"a" {"perm":6}}'),
      table('{"a":{"perm":6} "b":{}}'),
      table('{"a":{"perm":"x"}}'),
      table('{a:{}}'),
      table('{"a":'),
      table('{"a":{"b":"'),
      table(`{"a":[${'{},'.repeat(1_000_000)}{}]}`),
      table(`{"${'a'.repeat(5000)}":{}}`),
      table(`{${many}}`),
      withBody(rowsOf('{}', 60_000, ...Array.from({ length: 60_000 }, (_, i) => `${i} 8 8 6 X`), '[]'), true),
      withBody(rowsOf('{}', 1, `T${'x'.repeat(70_000)} 8 8 6 X`, '[]'), true),
    ]
    for (const [i, command] of commands.entries()) {
      await assert.rejects(
        decodeInSteps(command, () => undefined),
        Refusal,
        `${i}`,
      )
      assert.throws(() => decodeRegistration(command), Refusal, `${i}`)
    }
  })

  test('that takes long keeps its place before what the broker says after it', async (t) => {
    const nameServer = new NameServer()
    t.after(() => nameServer.close())
    const server = await serveRemoting(t, { handlers: nameServer.handlers })
    const client = new RemotingClient()
    t.after(() => client.close(100))
    const ask = (command: Command) => client.invoke(`127.0.0.1:${server.endpoint.port}`, command)
    const leaving = request(codes.UNREGISTER_BROKER, {
      ext: { brokerName: 'b', brokerAddr: broker.address, clusterName: 'c', brokerId: 0 },
    })
    const told = [registrationOf(5000), leaving, registrationOf(3000, 2, 5000), registrationOf(10, 3, 8000)]
    const answers = await Promise.all(told.map(ask))
    assert.deepEqual(
      answers.map(({ code }) => code),
      [0, 0, 0, 0],
    )
    const names = [...nameServer.routes.state.topics.keys()]
    assert.deepEqual([names.length, names[0], names.at(-1)], [3010, 'a-topic-of-many-orders-5000', 'a-topic-of-many-orders-8009'])
    // One that goes before it was read is forgotten.
    await ask(leaving)
    const gone = new RemotingClient()
    const asked = gone.invoke(`127.0.0.1:${server.endpoint.port}`, registrationOf(5000, 4)).catch(() => undefined)
    while (server.connections.length < 2) await settled(1)
    await gone.close(0)
    await asked
    await ask(leaving)
    await settled(20)
    assert.equal(nameServer.routes.state.topics.size, 0)
  })
})

test('a broker that is known and goes before its next registration was read is forgotten', async (t) => {
  const nameServer = new NameServer()
  t.after(() => nameServer.close())
  let told = 0
  const handlers = new Map(
    [...nameServer.handlers].map(([code, handler]): [number, Handler] => [
      code,
      (command, from) => {
        told++
        return handler(command, from)
      },
    ]),
  )
  const server = await serveRemoting(t, { handlers })
  const address = `127.0.0.1:${server.endpoint.port}`
  const [other, gone] = [new RemotingClient(), new RemotingClient()]
  t.after(() => other.close(100))
  const named = (name: string, command: Command) => ({
    ...command,
    extFields: { ...command.extFields, brokerName: name, brokerAddr: name },
  })
  await gone.invoke(address, named('gone', registrationOf(10)))
  const long = other.invoke(address, named('other', registrationOf(30_000)))
  while (told < 2) await settled(1)
  const late = gone.invoke(address, named('gone', registrationOf(20, 2))).catch(() => undefined)
  while (told < 3) await settled(1)
  await Promise.all([gone.close(0), late])
  await long
  await settled(20)
  assert.deepEqual(
    [...nameServer.routes.state.live.values()].map(({ address }) => address),
    ['other'],
  )
})

test('a registration that waits, and one that is read, are let go when their connection is closed', async (t) => {
  const nameServer = new NameServer()
  t.after(() => nameServer.close())
  const connected = () => {
    const closed = new AbortController()
    const onClose = (listener: () => void) => {
      closed.signal.addEventListener('abort', listener)
      return () => closed.signal.removeEventListener('abort', listener)
    }
    return { isOpen: true, onClose, close: () => closed.abort() }
  }
  const register = nameServer.handlers.get(codes.REGISTER_BROKER)!
  const [reading, waiting, last] = [connected(), connected(), connected()]
  const answers = [reading, waiting].map((from) => register(registrationOf(20_000), from as never) as Promise<Command>)
  const done = register(registrationOf(2000), last as never)
  waiting.close()
  await answers[1]
  assert.equal(nameServer.routes.state.topics.size, 0)
  reading.close()
  await answers[0]
  await done
  assert.equal(nameServer.routes.state.topics.size, 2000)
})

test('a broker with little to say waits for one registration of another that says very much, and each is taken in its order', async (t) => {
  const nameServer = new NameServer()
  t.after(() => nameServer.close())
  const connected = () => ({ isOpen: true, onClose: () => () => true })
  const [register, unregister] = [codes.REGISTER_BROKER, codes.UNREGISTER_BROKER].map((code) => nameServer.handlers.get(code)!)
  const [greedy, honest] = [connected(), connected()]
  const taken: string[] = []
  const tell = async (what: string, answered: ReturnType<Handler>): Promise<void> => {
    await answered
    taken.push(what)
  }
  const long = registrationOf(5000)
  const all = Array.from({ length: 10 }, (_, i) => tell(`greedy ${i}`, register!(long, greedy as never)))
  all.push(tell('greedy leaves', unregister!(long, greedy as never)))
  all.push(tell('honest 0', register!(registrationOf(4000), honest as never)))
  all.push(tell('honest 1', register!(registrationOf(1), honest as never)))
  all.push(tell('short', register!(registrationOf(1), connected() as never)))
  await Promise.all(all)
  assert.equal(taken[0], 'short')
  const greedys = taken.filter((what) => what.startsWith('greedy'))
  assert.deepEqual(greedys, [...Array.from({ length: 10 }, (_, i) => `greedy ${i}`), 'greedy leaves'])
  assert.ok(taken.indexOf('honest 0') < taken.indexOf('honest 1'))
  assert.ok(taken.indexOf('honest 1') < taken.indexOf('greedy 3'), `${taken}`)
})

test('a name server takes as many topics as it has room for, and again when they have gone', async (t) => {
  const routes = new RouteTable()
  const give = (brokerName: string, names: readonly string[]): void => {
    const topics = new Map(names.map((name) => [name, queues]))
    routes.register({ ...broker, brokerName, address: `${brokerName}:1`, dataVersion: versionOf(1), topics }, 0)
  }
  const names = Array.from({ length: 50_000 }, (_, i) => `T${i}`)
  for (let i = 0; i < 5; i++) {
    assert.equal(routes.hasRoomFor(`b${i}`, names), true)
    give(`b${i}`, names)
  }
  assert.deepEqual([routes.hasRoomFor('other', ['T0']), routes.hasRoomFor('b1', names)], [false, true])
  routes.deleteTopic('T0')
  assert.deepEqual([routes.hasRoomFor('other', ['T0']), routes.hasRoomFor('other', names.slice(0, 6))], [true, false])
  routes.unregister({ ...broker, brokerName: 'b1', address: 'b1:1' })
  assert.equal(routes.hasRoomFor('other', names), true)

  const nameServer = new NameServer()
  t.after(() => nameServer.close())
  const server = await serveRemoting(t, { handlers: nameServer.handlers })
  const client = new RemotingClient()
  t.after(() => client.close(100))
  for (let i = 0; i < 6; i++)
    nameServer.routes.register(
      { ...broker, dataVersion: versionOf(1), topics: new Map(names.map((name) => [`${i} ${name}`, queues])) },
      0,
    )
  const { code, remark } = await client.invoke(`127.0.0.1:${server.endpoint.port}`, registrationOf(2, 2))
  assert.deepEqual([code, remark], [responseCodes.SYSTEM_ERROR, 'the name server has no room for more topics of "b"'])
})
