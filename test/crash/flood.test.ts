/**
 * FLOOD: many peers who mean no good, each in its own way, against a server in a process of its own. Its memory stays
 * small, its event loop runs on, whoever is in the way is cut off, and clients who mean well are answered.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RemotingClient } from '../../lib/remoting/client.js'
import { request } from '../../lib/remoting/command.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import { Attack, closed } from '../support/attack.js'
import { type Busyness, BusyWatch, mainThreadClock } from '../support/busy-watch.js'
import { pull } from '../support/consumer-requests.js'
import { sized } from '../support/tier.js'

const MIB = 1024 * 1024
const PULL_MESSAGE = 11
/** Bounds that are met within the time of a test; how they hold does not depend on their size. */
const limits = { maxTotalBytes: 48 * MIB, silentMs: 1000, slowFrameMs: 500, watchMs: 100, stalledMs: 500, idleMs: 60_000 }

async function until(isSo: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await isSo()) return
    await sleep(100)
  }
  assert.fail(what)
}

test(`of ${sized(600, 5000)} connections only so many stay as may, and who comes with a request gets a place`, async (t) => {
  const maxConnections = sized(128, 1024)
  const attack = await Attack.start(t, { ...limits, maxConnections })
  for (let i = 0; i < sized(600, 5000); i++) {
    const socket = attack.open('plain')
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    if (i % 50 === 0) await attack.honest('plain')
  }
  // The two other doors have a client each; those that made room may still be closing.
  const isBounded = async (): Promise<boolean> => (await attack.report()).connections <= maxConnections + 2
  await until(isBounded, 'more connections than may be')
  await sleep(limits.silentMs)
  const late = new RemotingClient()
  t.after(() => late.close(100))
  const ask = request(30, { ext: { topic: 'T', queueId: 0 } })
  assert.equal((await late.invoke(`127.0.0.1:${attack.ports.plain}`, ask, 60_000)).code, 0)
  await attack.check(t)
})

test('who sends a frame byte by byte is cut off', async (t) => {
  const attack = await Attack.start(t, limits)
  const sockets = Array.from({ length: sized(100, 1000) }, () => attack.open('plain'))
  const frame = Buffer.concat(encodeFrame(request(30, { body: Buffer.alloc(100_000) })))
  let at = 0
  const trickle = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(frame.subarray(at, at + 1))
    at++
  }, 50)
  t.after(() => clearInterval(trickle))
  await attack.honest('plain')
  await Promise.all(sockets.map(closed))
  await attack.check(t)
})

test('frames of 16 MiB that never end take no more memory than there is for them', async (t) => {
  const attack = await Attack.start(t, { ...limits, slowFrameMs: 60_000 })
  const promise = Buffer.alloc(8)
  promise.writeInt32BE(16 * MIB - 4, 0)
  promise.writeInt32BE(100, 4)
  const piece = Buffer.alloc(MIB)
  const sockets = Array.from({ length: sized(16, 64) }, () => attack.open('plain'))
  for (const socket of sockets) socket.write(promise)
  for (let i = 0; i < 15; i++) {
    for (const socket of sockets) if (socket.writable) socket.write(piece)
    await attack.honest('plain')
    await attack.honest('auth')
  }
  await until(() => sockets.some(({ closed: isClosed }) => isClosed), 'nobody was cut off')
  await attack.check(t)
})

test('consumers that pull and never read get no more than they take, and are cut off', async (t) => {
  const attack = await Attack.start(t, limits, 64)
  const asks = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.concat(encodeFrame(request(PULL_MESSAGE, pull())))))
  const sockets = Array.from({ length: sized(20, 100) }, () => attack.open('plain'))
  for (const socket of sockets) {
    socket.pause()
    socket.write(asks)
  }
  for (let i = 0; i < 20; i++) {
    await attack.honest('plain')
    await sleep(50)
  }
  await attack.check(t)
})

test('the watch tells a server that works for long from one that waits', async () => {
  const [watch, clock] = [new BusyWatch(5), mainThreadClock()]
  // Keeps the process alive.
  const look = async (): Promise<Busyness> => (await Promise.all([watch.take(), sleep(20)]))[0]
  await look()
  const end = clock() + 100
  while (clock() < end) await Promise.resolve()
  const worked = await look()
  assert.ok(worked.longestBusyMs > 80, `${worked.longestBusyMs} ms`)
  assert.ok(worked.longestLateMs >= worked.longestBusyMs)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  const waited = await look()
  assert.ok(waited.longestLateMs > 150, `${waited.longestLateMs} ms`)
  assert.ok(waited.longestBusyMs < 100, `${waited.longestBusyMs} ms`)
})

async function churn(t: TestContext, attack: Attack): Promise<void> {
  const frame = Buffer.concat(encodeFrame(request(30, { ext: { topic: 'T', queueId: 0 } })))
  for (let i = 0; i < sized(40, 400); i++) {
    const sockets = Array.from({ length: 50 }, () => attack.open(i % 10 === 0 ? 'auth' : 'plain'))
    for (const socket of sockets) {
      socket.once('connect', () => {
        socket.write(frame)
        socket.resetAndDestroy()
      })
    }
    await Promise.all(sockets.map(closed))
    await attack.honest('plain')
  }
  t.diagnostic(`${sized(40, 400) * 50} connections came and went`)
}

test('connections that come, ask and are reset leave nothing behind', async (t) => {
  const attack = await Attack.start(t, limits)
  await churn(t, attack)
  await until(async () => (await attack.report()).connections <= 3, 'connections are left')
  await attack.check(t)
})

test('requests by the thousand in one go are answered, as many at a time as may be', async (t) => {
  const attack = await Attack.start(t, limits)
  const count = sized(10_000, 100_000)
  const one = Buffer.concat(encodeFrame(request(30, { ext: { topic: 'T', queueId: 0 } })))
  const socket = attack.open('plain')
  let came = 0
  socket.on('data', (chunk: Buffer) => {
    came += chunk.length
  })
  const answerBytes = await new Promise<number>((resolve) => {
    socket.write(one)
    socket.once('data', (chunk: Buffer) => resolve(chunk.length))
  })
  for (let i = 0; i < count; i += 1000) socket.write(Buffer.concat(Array<Buffer>(1000).fill(one)))
  await attack.honest('plain')
  await until(() => came === answerBytes * (count + 1), `${came} bytes of answers came, of ${answerBytes * (count + 1)}`)
  await attack.check(t)
})
