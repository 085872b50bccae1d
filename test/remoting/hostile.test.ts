/**
 * Hostile peers against a server on real sockets: noise, frames that are damaged at random, frames that never end,
 * peers that ask and never read. Through all of it one honest client asks, and every answer comes.
 */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { RemotingClient } from '../../lib/remoting/client.js'
import { answer, request } from '../../lib/remoting/command.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import type { Handler } from '../../lib/remoting/handling.js'
import { NameServer } from '../../lib/remoting/name-server/name-server.js'
import { encodeRegistration } from '../../lib/remoting/name-server/registration.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { Random } from '../support/random.js'
import { runSeed, sized } from '../support/tier.js'

const ECHO = 1
const LARGE = 2
const MIB = 1024 * 1024

async function serve(t: TestContext) {
  const nameServer = new NameServer()
  const own: readonly (readonly [number, Handler])[] = [
    [ECHO, (command) => answer(command, 0, { body: command.body })],
    [LARGE, (command) => answer(command, 0, { body: Buffer.alloc(MIB) })],
  ]
  const server = await RemotingServer.listen({ port: 0, handlers: new Map([...nameServer.handlers, ...own]) })
  const client = new RemotingClient()
  t.after(async () => {
    nameServer.close()
    await client.close(100)
    await server.close(100)
  })
  const honest = async (): Promise<void> => {
    const body = Buffer.from('honest')
    assert.ok((await client.invoke(endpointText(server.endpoint), request(ECHO, { body }), 20_000)).body.equals(body))
  }
  const open = (): Socket => {
    const socket = connect(server.endpoint.port, '127.0.0.1')
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    return socket
  }
  return { server, honest, open }
}

const topics = [{ topic: 'T', readQueueNums: 4, writeQueueNums: 4, perm: 6, topicSysFlag: 0 }]
const version = { stateVersion: 0, timestamp: 1, counter: 1 }
const registration = encodeRegistration({
  cluster: 'c',
  brokerName: 'b',
  brokerId: 0,
  address: 'a:1',
  haAddress: 'a:2',
  dataVersion: version,
  topics,
})

/** A frame with some of its bytes changed. */
function damaged(random: Random): Buffer {
  const command = random.pick([
    registration,
    request(105, { ext: { topic: 'T' } }),
    request(ECHO, { body: random.bytes(random.int(300)) }),
  ])
  const frame = Buffer.concat(encodeFrame({ ...command, encoding: random.chance(0.5) ? 'json' : 'binary' }))
  for (let left = random.int(4); left > 0; left--) frame[random.int(frame.length)] = random.int(256)
  return random.chance(0.2) ? frame.subarray(0, random.int(frame.length)) : frame
}

test('an honest client is answered while others send noise and damaged frames, and the noise does not stay', async (t) => {
  const { server, honest, open } = await serve(t)
  const random = new Random(runSeed())
  t.diagnostic(`seed ${random.seed}`)
  await honest()
  for (let round = 0; round < sized(20, 200); round++) {
    const sockets = Array.from({ length: 10 }, open)
    for (const socket of sockets) {
      socket.resume()
      for (let left = random.int(5); left >= 0; left--)
        socket.write(random.chance(0.1) ? random.bytes(random.int(2000)) : damaged(random))
    }
    await honest()
    for (const socket of sockets) socket.end()
    await Promise.all(sockets.map((socket) => socket.closed || new Promise((resolve) => socket.on('close', resolve))))
  }
  await honest()
  assert.ok(server.connections.length <= 1 + 10, `${server.connections.length} connections are left`)
})

test('peers that promise frames of 16 MiB and send little, or ask for much and never read, cost little memory', async (t) => {
  const { server, honest, open } = await serve(t)
  await honest()
  const before = process.memoryUsage().rss
  const promise = Buffer.from([0, 0xff, 0xff, 0xf0, 0, 0, 0, 100])
  for (let i = 0; i < sized(100, 800); i++) open().write(promise)
  const asks = Buffer.concat(Array.from({ length: 200 }, () => encodeFrame(request(LARGE))).flat())
  for (let i = 0; i < 10; i++) {
    const socket = open()
    socket.pause()
    socket.write(asks)
  }
  // Ten peers asked for 2,000 MiB. What waits for each is little more than the limit at which it is read no further.
  const unread = (): number[] => server.connections.map(({ unreadBytes }) => unreadBytes).filter((bytes) => bytes >= 2 * MIB)
  for (let i = 0; i < 5000 && unread().length < 10; i++) await honest()
  assert.equal(unread().length, 10, 'not everybody was made to wait')
  for (let i = 0; i < 50; i++) await honest()
  assert.ok(Math.max(...unread()) <= 6 * MIB, `${Math.max(...unread())} bytes wait for one peer`)
  const grown = process.memoryUsage().rss - before
  assert.ok(grown < 256 * MIB, `${Math.round(grown / MIB)} MiB more`)
})
