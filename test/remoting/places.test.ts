/** Who gets the places of a server, and who loses them. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Timers } from '../../lib/base/system.js'
import { Guard } from '../../lib/remoting/auth/guard.js'
import { principalsOf } from '../../lib/remoting/auth/principals.js'
import { signed } from '../../lib/remoting/auth/signature.js'
import { answer, request } from '../../lib/remoting/command.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import type { Handler, HandlerTable } from '../../lib/remoting/handling.js'
import type { RemotingServer, RemotingServerOptions } from '../../lib/remoting/server.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { MemoryNet } from '../support/memory-net.js'
import { handlers, serveRemoting } from '../support/serve-remoting.js'

function assertClosed(sockets: readonly { readonly isClosed: boolean }[], expected: readonly boolean[]): void {
  assert.deepEqual(
    sockets.map(({ isClosed }) => isClosed),
    expected,
  )
}

/** Three write what `written` makes of a size; the one with the most is cut off, the others are not. */
async function assertWorstIsCut(
  net: MemoryNet,
  { endpoint }: RemotingServer,
  written: (size: number) => Buffer[],
): Promise<void> {
  const sockets = [30_000, 60_000, 30_000].map((size) => {
    const socket = net.connectFrom('127.0.0.1', endpoint)
    socket.write(written(size))
    return socket
  })
  await settled(20)
  assertClosed(sockets, [false, true, false])
}

const account = { accessKey: 'an-access-key', secretKey: 'a-secret-key' }
const guard = new Guard(principalsOf({ accounts: [account] }), new Map([[1, () => []]]), handlers.keys())

describe('a server with all its places taken', () => {
  const limits = { maxConnections: 3, maxConnectionsPerAddress: 2, silentMs: 5000 }
  const open = async (t: TestContext, options: Partial<RemotingServerOptions> = {}) => {
    const net = new MemoryNet()
    const time = new ManualTime()
    const server = await serveRemoting(t, {
      net,
      clock: time,
      timers: time,
      limits,
      host: '10.0.0.1',
      insecure: true,
      ...options,
    })
    const from = (host: string) => net.connectFrom(host, server.endpoint)
    return { time, server, from }
  }

  test('refuses further connections while nobody has been silent for long', async (t) => {
    const { server, from } = await open(t)
    const sockets = ['a', 'b', 'c', 'd'].map((host) => from(host))
    await settled()
    assertClosed(sockets, [false, false, false, true])
    assert.equal(server.connections.length, 3)
  })

  test('gives the place of who never said a word to who comes, and keeps those who did', async (t) => {
    const { time, from } = await open(t)
    const sockets = ['a', 'b', 'c'].map((host) => from(host))
    sockets[0]!.write(encodeFrame(request(1)))
    await settled()
    time.advance(300)
    sockets.push(from('d'))
    await settled()
    assertClosed(sockets, [false, true, false, false])
  })

  test('that asks who sends gives the place of who said nothing that counts', async (t) => {
    const { time, from } = await open(t, { guard })
    const sockets = ['a', 'b', 'c'].map((host) => from(host))
    sockets[0]!.write(encodeFrame(signed(request(1), account)))
    sockets[1]!.write(encodeFrame(signed(request(1), { ...account, secretKey: 'wrong' })))
    await settled()
    time.advance(300)
    sockets.push(from('d'))
    await settled()
    assertClosed(sockets, [false, true, false, false])
  })

  test('that asks who sends has few places for those of whom nothing that counts was heard', async (t) => {
    const { time, server, from } = await open(t, { guard, limits: { ...limits, maxConnections: 100, maxStrangers: 3 } })
    const known = from('a')
    known.write(encodeFrame(signed(request(1), account)))
    const sockets = ['b', 'c', 'd', 'e'].map((host) => from(host))
    await settled()
    // They came at once: nobody had time to be heard.
    assert.equal(server.connections.length, 5)
    time.advance(300)
    sockets.push(from('f'), from('g'), from('h'))
    await settled()
    assertClosed(sockets, [true, true, true, true, false, false, false])
    sockets[4]!.write(encodeFrame(signed(request(1), account)))
    await settled()
    time.advance(300)
    sockets.push(from('i'), from('j'))
    await settled()
    assert.deepEqual(
      [known, ...sockets.slice(4)].map(({ isClosed }) => isClosed),
      [false, false, true, false, false, false],
    )
  })

  test('that asks who sends keeps those for a while who have spoken and wait for their turn', async (t) => {
    const time = new ManualTime()
    const timers: Timers = { after: (ms, action) => time.after(ms, action), endOfTurn: () => {} }
    const { from } = await open(t, { guard, clock: time, timers, limits: { ...limits, maxConnections: 5, maxStrangers: 2 } })
    const sockets = ['a', 'b', 'c'].map((host) => from(host))
    // All that is to be done in a turn takes its time, and the turn never ends.
    sockets[0]!.write(encodeFrame(signed(request(1), { ...account, secretKey: 'wrong' })))
    await settled()
    for (const [passes, closed] of [
      [300, [true, false, true, false]],
      [5000, [true, true, true, false, false]],
    ] as const) {
      time.advance(passes)
      sockets[1]!.write(encodeFrame(signed(request(1), account)))
      await settled()
      sockets.push(from(`${passes}`))
      await settled()
      assert.deepEqual([sockets.map(({ isClosed }) => isClosed)], [closed])
    }
  })

  test('or not, closes who says nothing that counts for long, and waits for what is on its way', async (t) => {
    for (const asks of [false, true]) {
      const refused: string[] = []
      const onRefused = ({ reason }: { reason: string }): unknown => refused.push(reason)
      const { time, from } = await open(t, {
        ...(asks ? { guard } : {}),
        limits: { ...limits, maxConnections: asks ? 100 : 8 },
        onRefused,
      })
      const frame = Buffer.concat(encodeFrame(signed(request(1, { body: Buffer.alloc(1000) }), account)))
      const wrong = encodeFrame(signed(request(1), { ...account, secretKey: 'wrong' }))
      const [silent, slow, good, bad] = ['a', 'b', 'c', 'd'].map((host) => from(host))
      slow!.write([frame.subarray(0, 500)])
      good!.write([frame])
      bad!.write(wrong)
      await settled()
      time.advance(4999)
      await settled()
      assert.deepEqual(
        [silent, slow, good, bad].map((one) => one!.isClosed),
        [false, false, false, false],
      )
      time.advance(1)
      await settled()
      assert.deepEqual(
        [silent, slow, good, bad].map((one) => one!.isClosed),
        [true, false, false, asks],
      )
      slow!.write([frame.subarray(500)])
      await settled()
      time.advance(5000)
      await settled()
      assert.equal(slow!.isClosed, false)
      assert.deepEqual(
        refused.filter((reason) => reason.endsWith('5000 ms')),
        ['silent for 5000 ms', ...(asks ? ['nobody who is known for 5000 ms'] : [])],
      )
    }
  })

  test('that asks who sends closes in the end who says one thing after the other that does not count', async (t) => {
    const { time, from } = await open(t, { guard, limits: { ...limits, maxConnections: 100 } })
    const [endless, slow] = [from('a'), from('b')]
    const wrong = Buffer.concat(encodeFrame(request(1, { body: Buffer.alloc(1000) })))
    const first = Buffer.concat(encodeFrame(signed(request(1, { body: Buffer.alloc(1_000_000) }), account)))
    let sent = 0
    for (let seconds = 0; seconds < 25; seconds++) {
      // Of what it says there is always a part that has not come yet.
      endless.write([seconds === 0 ? wrong.subarray(0, 900) : Buffer.concat([wrong.subarray(900), wrong.subarray(0, 900)])])
      slow.write([first.subarray(sent, (sent += 2000))])
      await settled()
      time.advance(1000)
      await settled()
      if (seconds === 15) assert.equal(endless.isClosed, false)
    }
    assert.equal(endless.isClosed, true)
    // What somebody begins with may be long.
    assert.equal(slow.isClosed, false)
  })

  test('keeps a silent connection while half of the places are free and nobody is asked who it is', async (t) => {
    const { time, from } = await open(t, { limits: { ...limits, maxConnections: 6 } })
    const silent = from('a')
    await settled()
    for (const [others, isClosed] of [
      [[], false],
      [['b'], false],
      [['c', 'd'], true],
    ] as const) {
      for (const host of others) from(host)
      await settled()
      time.advance(5000)
      await settled()
      assert.equal(silent.isClosed, isClosed, `${others}`)
    }
  })

  test("gives no address more than its share, but this machine's, and says for which limit", async (t) => {
    const refused: string[] = []
    const { from } = await open(t, { onRefused: ({ remote, reason }) => refused.push(`${remote.host}: ${reason}`) })
    const sockets = ['a', 'a', 'a'].map((host) => from(host))
    await settled()
    assertClosed(sockets, [false, false, true])
    for (const host of ['b', 'd']) from(host)
    await settled()
    assert.deepEqual(refused, [
      'a: 2 connections from this address (limits.maxConnectionsPerAddress; sharedAddresses excepts proxies)',
      'd: all 3 connections are taken (limits.maxConnections)',
    ])
    const other = await open(t)
    const local = ['127.0.0.1', '127.0.0.1', '127.0.0.1'].map((host) => other.from(host))
    await settled()
    assert.ok(local.every(({ isClosed }) => !isClosed))
  })

  test('gives an address that many clients share as many as there are', async (t) => {
    const { from } = await open(t, { sharedAddresses: ['192.0.2.7', '198.51.*.*'], limits: { ...limits, maxConnections: 100 } })
    for (const [host, isBounded] of [
      ['192.0.2.7', false],
      ['198.51.100.9', false],
      ['::ffff:192.0.2.7', false],
      ['192.0.2.8', true],
    ] as const) {
      const sockets = [host, host, host].map((one) => from(one))
      await settled()
      assert.deepEqual(
        sockets.map(({ isClosed }) => isClosed),
        [false, false, isBounded],
        host,
      )
    }
    await assert.rejects(open(t, { sharedAddresses: ['10.0.*'] }), /an address pattern is such as/)
  })

  test('cuts off the worst of those that take no answers when all together hold too much', async (t) => {
    const net = new MemoryNet()
    const time = new ManualTime()
    const sizes: HandlerTable = new Map([
      [1, (command) => answer(command, 0, { body: Buffer.alloc(Number(command.extFields['size'])) })],
    ])
    const server = await serveRemoting(t, { net, clock: time, timers: time, handlers: sizes, limits: { maxTotalBytes: 100_000 } })
    await assertWorstIsCut(net, server, (size) => encodeFrame(request(1, { ext: { size } })))
  })

  test('cuts off the worst of those that send most of a frame and stop, when all together hold too much', async (t) => {
    const net = new MemoryNet()
    const time = new ManualTime()
    const server = await serveRemoting(t, { net, clock: time, timers: time, limits: { maxTotalBytes: 100_000 } })
    const frame = Buffer.concat(encodeFrame(request(1, { body: Buffer.alloc(90_000) })))
    await assertWorstIsCut(net, server, (size) => [frame.subarray(0, size)])
  })

  test('reads nobody further who has a request in work while all together have too many bytes in work', async (t) => {
    const net = new MemoryNet()
    const time = new ManualTime()
    const open: (() => void)[] = []
    const slow: HandlerTable = new Map<number, Handler>([
      [1, (command) => new Promise((resolve) => open.push(() => resolve(answer(command, 0))))],
    ])
    const server = await serveRemoting(t, { net, clock: time, timers: time, handlers: slow, limits: { maxTotalBytes: 100_000 } })
    for (let i = 0; i < 4; i++) {
      const socket = net.connectFrom('127.0.0.1', server.endpoint)
      const frame = encodeFrame(request(1, { body: Buffer.alloc(10_000) }))
      socket.write(frame)
      await settled(5)
      socket.write(frame)
    }
    await settled(20)
    // Five fill half of the limit: the first two have two in work, and everybody has one.
    assert.equal(open.length, 6)
    for (let done = 0; done < 8; done++) {
      open.shift()!()
      await settled(20)
    }
    assert.equal(open.length, 0)
    assert.equal(server.connections.length, 4)
  })

  test('reads nobody further who has a request in work while all together have too many of them, as small as they are', async (t) => {
    const net = new MemoryNet()
    const time = new ManualTime()
    let open = 0
    const all = new AbortController()
    const slow: HandlerTable = new Map<number, Handler>([
      [
        1,
        async (command) => {
          open++
          if (!all.signal.aborted) await new Promise((resolve) => all.signal.addEventListener('abort', resolve))
          return answer(command, 0)
        },
      ],
    ])
    const server = await serveRemoting(t, { net, clock: time, timers: time, handlers: slow, limits: { maxTotalBytes: 100_000 } })
    const ten = Array<Buffer>(10).fill(Buffer.concat(encodeFrame(request(1))))
    for (let i = 0; i < 4; i++) {
      net.connectFrom('127.0.0.1', server.endpoint).write(ten)
      await settled(20)
    }
    // 24 fill half of the limit, with what is made of each: of the third peer four are in work, of the last one.
    assert.equal(open, 25)
    all.abort()
    await settled(20)
    assert.equal(open, 40)
  })
})
