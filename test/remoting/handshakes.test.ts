/** TLS handshakes: how many are begun in a turn, whose turn it is, and who has to go when there are too many sockets. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { RemotingClient } from '../../lib/remoting/client.js'
import { request } from '../../lib/remoting/command.js'
import { Handshakes } from '../../lib/remoting/handshakes.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { serveRemoting } from '../support/serve-remoting.js'
import { testCertificate, testKey } from '../support/tls-files.js'

let ports = 0

/** A socket that says what the test says. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  given: Buffer | undefined
  isDestroyed = false

  constructor(host: string, port = ++ports, localAddress = '127.0.0.1') {
    super()
    this.remoteAddress = host
    this.remotePort = port
    this.localAddress = localAddress
  }

  pause(): void {}

  unshift(chunk: Buffer): void {
    this.given = chunk
  }

  destroy(): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    this.emit('close')
  }

  say(bytes: Buffer): this {
    this.emit('data', bytes)
    return this
  }
}

/** A ClientHello of so many bytes, in records of so many. */
function hello(bytes = 200, inRecord = bytes + 4): Buffer {
  const message = Buffer.alloc(4 + bytes)
  message.writeUInt32BE(0x01000000 + bytes)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += inRecord) {
    const part = message.subarray(at, at + inRecord)
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(records)
}

function opened(maxSockets = 1000, costMs = 0) {
  const time = new ManualTime()
  const begun: FakeSocket[] = []
  const refused: string[] = []
  const handshakes = new Handshakes<FakeSocket>({
    begin: (socket) => {
      begun.push(socket)
      time.advance(costMs)
    },
    maxSockets,
    onRefused: ({ remoteAddress }, reason) => refused.push(`${remoteAddress}: ${reason}`),
    clock: time,
    timers: time,
  })
  const from = (host: string, port?: number, localAddress?: string): FakeSocket => {
    const socket = new FakeSocket(host, port, localAddress)
    handshakes.take(socket)
    return socket
  }
  return { time, handshakes, begun, refused, from }
}

describe('TLS handshakes', () => {
  test('that are begun in one turn take 5 ms, and all of them have their turn', async () => {
    const { begun, from } = opened(1000, 2)
    for (let i = 0; i < 100; i++) from('a').say(hello())
    assert.equal(begun.length, 0)
    let before = 0
    for (let turns = 0; begun.length < 100; turns++) {
      assert.ok(turns < 200)
      await settled(1)
      // A turn that begins late may be seen as one with the next.
      assert.ok(begun.length - before <= 6, `${begun.length - before} in a turn`)
      before = begun.length
    }
  })

  test('of one address that begins many delay that of another by one', async () => {
    const { begun, from } = opened(1000, 5)
    for (let i = 0; i < 100; i++) from('a').say(hello())
    from('b').say(hello())
    while (begun.length < 101) await settled(1)
    const at = begun.findIndex(({ remoteAddress }) => remoteAddress === 'b')
    assert.ok(at <= 3, `${at}`)
  })

  test('of one address begin with the newest, and not at all for who has gone', async () => {
    const { begun, from, handshakes } = opened(1000, 5)
    const [first, ...others] = Array.from({ length: 5 }, () => from('a').say(hello()))
    others[1]!.destroy()
    while (handshakes.size > begun.length) await settled(1)
    await settled(5)
    assert.deepEqual(begun, [others[3], others[2], others[0], first])
  })

  test('are few while many connect, so that the last of these is not late', async () => {
    const { begun, from } = opened(2000, 2)
    // One connects in a turn, as sockets are taken.
    for (let i = 0; i < 500; i++) {
      from('a').say(hello())
      await settled(1)
    }
    assert.ok(begun.length >= 20 && begun.length < 50, `${begun.length}`)
    const last = from('a').say(hello())
    await settled(4)
    assert.ok(begun.includes(last))
    while (begun.length < 501) await settled(1)
  })

  for (const [what, bytes] of [
    ['is whole', hello()],
    ['lies in several records', hello(300, 3)],
    ['is large', hello(20_000, 16_384)],
  ] as const) {
    test(`begin when a ClientHello that ${what} has come, with all that has come`, async () => {
      const { begun, from } = opened()
      const socket = from('a')
      for (let at = 0; at < bytes.length; at++) {
        assert.equal(begun.length, 0)
        socket.say(bytes.subarray(at, at + 1))
      }
      await settled(2)
      assert.deepEqual(begun, [socket])
      assert.deepEqual(socket.given, bytes)
    })
  }

  test('begin at once for what is no TLS, which is refused then', async () => {
    const { begun, from } = opened()
    from('a').say(Buffer.from('GET / HTTP/1.1'))
    from('b').say(Buffer.from([22, 3, 1, 0, 0]))
    await settled(3)
    assert.equal(begun.length, 2)
  })

  test('are not waited for without end, nor gathered without bound', async () => {
    const { time, handshakes, refused, from } = opened()
    const [silent, slow, endless, gone, done] = ['silent', 'slow', 'endless', 'gone', 'done'].map((host) => from(host))
    slow!.say(hello().subarray(0, 100))
    done!.say(hello())
    handshakes.done(done!)
    gone!.emit('end')
    // It promises 16 MiB.
    endless!.say(Buffer.from([22, 3, 1, 0x40, 0, 1, 255, 255, 255]))
    for (let i = 0; i < 40; i++) endless!.say(Buffer.alloc(1000, 22))
    time.advance(10_000)
    await settled(2)
    assert.deepEqual(refused, [
      'endless: no TLS handshake',
      'silent: no TLS handshake for 10000 ms',
      'slow: no TLS handshake for 10000 ms',
    ])
    assert.deepEqual(
      [silent, slow, endless, gone, done].map((one) => one!.isDestroyed),
      [true, true, true, true, false],
    )
    assert.equal(handshakes.size, 0)
    assert.equal(time.pendingTimers, 0)
  })

  test('from one port to two addresses of this machine are two', async () => {
    const { time, handshakes, refused, from } = opened()
    const first = from('a', 5000, '127.0.0.1')
    const second = from('a', 5000, '127.0.0.2').say(hello())
    handshakes.done(second)
    time.advance(10_000)
    await settled(2)
    assert.deepEqual([first.isDestroyed, second.isDestroyed, handshakes.size], [true, false, 0])
    assert.deepEqual(refused, ['a: no TLS handshake for 10000 ms'])
  })

  test('that take long go for newcomers, those of the address first that has most of them', async () => {
    const { time, handshakes, refused, from } = opened(4)
    const far = from('far')
    const [first, second] = [from('many'), from('many')]
    const known = from('known').say(hello())
    await settled(2)
    handshakes.done(known)
    from('early')
    assert.deepEqual(refused.splice(0), ['early: undefined'])
    time.advance(250)
    for (const host of ['next', 'after', 'last', 'none']) from(host)
    assert.deepEqual(
      [first, second, far, known].map((one) => one!.isDestroyed),
      [true, true, true, false],
    )
    assert.deepEqual(refused, [
      'many: no TLS handshake, and others want its place',
      // With the other one as many as far, which is there for longer.
      'far: no TLS handshake, and others want its place',
      'many: no TLS handshake, and others want its place',
      'none: undefined',
    ])
    handshakes.close()
    assert.equal(handshakes.size, 0)
  })
})

describe('a server under TLS', () => {
  const open = async (t: TestContext) => {
    const refused: string[] = []
    const limits = { maxConnections: 8 }
    const onRefused = ({ reason }: { reason: string }): unknown => refused.push(reason)
    const server = await serveRemoting(t, { tls: { key: testKey, cert: testCertificate }, limits, onRefused })
    const { port } = server.endpoint
    const honest = async (): Promise<void> => {
      const client = new RemotingClient({ tls: { ca: testCertificate } })
      try {
        assert.equal((await client.invoke(`127.0.0.1:${port}`, request(1))).code, 0)
      } finally {
        await client.close(100)
      }
    }
    return { server, port, refused, honest }
  }

  test('serves clients though others hold all places and say nothing', async (t) => {
    const { port, honest } = await open(t)
    const sockets: Socket[] = []
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    for (let i = 0; i < 8 + 64; i++) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      sockets.push(socket)
      await once(socket, 'connect')
    }
    // None loses its place before it had a chance to speak.
    for (let isServed = false; !isServed; )
      isServed = await honest().then(
        () => true,
        () => false,
      )
    const left = sockets.filter((socket) => !socket.destroyed && !socket.readableEnded)
    assert.ok(left.length > 36, `${left.length} of 72`)
  })

  test('serves many clients that come at once', async (t) => {
    const server = await serveRemoting(t, { tls: { key: testKey, cert: testCertificate } })
    const sockets = Array.from({ length: 200 }, () =>
      connectTls({ port: server.endpoint.port, host: '127.0.0.1', ca: testCertificate }),
    )
    await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')))
    while (server.connections.length < 200) await settled(1)
    for (const socket of sockets) socket.destroy()
  })

  test('tells why a handshake failed, and agrees on no key that is dear', async (t) => {
    const { port, refused, honest } = await open(t)
    const plain = connect(port, '127.0.0.1')
    plain.on('error', () => {})
    plain.write('GET / HTTP/1.1\r\n\r\n')
    await once(plain, 'close')
    const dear = connectTls({ port, host: '127.0.0.1', ca: testCertificate, ecdhCurve: 'ffdhe8192' })
    const [error] = (await once(dear, 'error')) as [{ code: string }]
    assert.match(error.code, /HANDSHAKE_FAILURE|ECONNRESET/)
    await honest()
    assert.match(refused[0]!, /^no TLS handshake: (http request|wrong version number)/)
    assert.match(refused[1]!, /^no TLS handshake: no suitable/)
  })
})
