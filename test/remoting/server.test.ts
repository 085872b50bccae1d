/** Server and client over real sockets of this machine, and the places where a server lets nobody in. */
import assert from 'node:assert/strict'
import { connect as connectSocket, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { Guard } from '../../lib/remoting/auth/guard.js'
import { principalsOf } from '../../lib/remoting/auth/principals.js'
import { RemotingClient, type RemotingClientOptions } from '../../lib/remoting/client.js'
import { answer, request } from '../../lib/remoting/command.js'
import { endpointText, isLoopback, parseEndpoint } from '../../lib/remoting/endpoint.js'
import { encodeFrame } from '../../lib/remoting/frame.js'
import type { HandlerTable } from '../../lib/remoting/handling.js'
import { RemotingServer } from '../../lib/remoting/server.js'
import { settled } from '../support/manual-time.js'
import { MemoryNet } from '../support/memory-net.js'
import { handlers, serveRemoting } from '../support/serve-remoting.js'
import { testCertificate, testKey } from '../support/tls-files.js'

function client(t: TestContext, options: RemotingClientOptions = {}): RemotingClient {
  const made = new RemotingClient(options)
  t.after(() => made.close(100))
  return made
}

const tls = { key: testKey, cert: testCertificate }
const account = { accessKey: 'an-access-key', secretKey: 'a-secret-key' }
const guard = new Guard(principalsOf({ accounts: [account] }), new Map([[1, () => []]]), handlers.keys())

describe('over sockets', () => {
  test('requests of every size are answered, and both sides may ask', async (t) => {
    const server = await serveRemoting(t)
    const address = endpointText(server.endpoint)
    const own: HandlerTable = new Map([[9, (command) => answer(command, 0, { body: Buffer.from('from the client') })]])
    const one = client(t, { handlers: own })
    const sizes = [0, 1, 1000, 100_000, 5_000_000]
    const bodies = sizes.map((size) => Buffer.alloc(size, size % 251))
    const answers = await Promise.all(bodies.map((body) => one.invoke(address, request(1, { body }))))
    assert.ok(answers.every(({ body }, i) => body.equals(bodies[i]!)))
    assert.equal((await one.invoke(address, request(2))).body.toString(), 'from the client')
    assert.equal(server.connections.length, 1)
    assert.deepEqual(
      server.connections.map(({ remote }) => remote.host),
      ['127.0.0.1'],
    )
  })

  test("an unknown code gets RocketMQ's own answer", async (t) => {
    const server = await serveRemoting(t)
    const { code, remark } = await client(t).invoke(endpointText(server.endpoint), request(25))
    assert.deepEqual([code, remark], [3, ' request type 25 not supported'])
  })

  test('a client connects again after the server came back, and says so while it is away', async (t) => {
    const closed: string[] = []
    const one = client(t, { onClose: (address) => closed.push(address) })
    const first = await RemotingServer.listen({ port: 0, handlers })
    const address = endpointText(first.endpoint)
    assert.equal((await one.invoke(address, request(1))).code, 0)
    await first.close(100)
    await assert.rejects(one.invoke(address, request(1)), { code: 'REMOTING_UNREACHABLE' })
    assert.deepEqual(closed, [address])
    await serveRemoting(t, { port: first.endpoint.port })
    assert.equal((await one.invoke(address, request(1))).code, 0)
  })

  test('garbage closes its connection, and others go on', async (t) => {
    const faults: Error[] = []
    const server = await serveRemoting(t, { onFault: (error) => faults.push(error) })
    const one = client(t)
    const address = endpointText(server.endpoint)
    await one.invoke(address, request(1))
    const bad = connectSocket(server.endpoint.port, '127.0.0.1')
    await new Promise((resolve) =>
      bad
        .on('close', resolve)
        .on('error', () => {})
        .end('GET / HTTP/1.1\r\n\r\n'),
    )
    assert.equal((await one.invoke(address, request(1))).code, 0)
    assert.equal(faults.length, 1)
  })

  test('a peer that never reads does not make the server hold more than the limits, and others go on', async (t) => {
    const server = await serveRemoting(t, { limits: { maxUnreadBytes: 100_000 } })
    const greedy: Socket = connectSocket(server.endpoint.port, '127.0.0.1')
    t.after(() => greedy.destroy())
    greedy.pause()
    greedy.on('error', () => {})
    const frame = Buffer.concat(encodeFrame(request(1, { body: Buffer.alloc(50_000) })))
    for (let i = 0; i < 1000; i++) greedy.write(frame)
    const one = client(t)
    let most = 0
    for (let i = 0; i < 300; i++) {
      await one.invoke(endpointText(server.endpoint), request(1))
      most = Math.max(most, ...server.connections.map(({ unreadBytes }) => unreadBytes))
    }
    assert.ok(most > 100_000 && most < 100_000 + 4_000_000, `${most} bytes were queued`)
    assert.ok(greedy.writableLength > 1_000_000, 'the peer was not made to wait')
  })

  test('closing answers what is in work and frees the port', async (t) => {
    let finish: () => void = () => {}
    const slow: HandlerTable = new Map([[7, (command) => new Promise((resolve) => (finish = () => resolve(answer(command, 0))))]])
    const server = await RemotingServer.listen({ port: 0, handlers: slow })
    const asked = client(t).invoke(endpointText(server.endpoint), request(7))
    while (server.connections[0]?.hasSpoken !== true) await settled(1)
    const closing = server.close()
    finish()
    assert.equal((await asked).code, 0)
    await closing
    await serveRemoting(t, { port: server.endpoint.port })
  })
})

describe('TLS', () => {
  test('serves clients that trust the certificate, and nobody else', async (t) => {
    const server = await serveRemoting(t, { tls })
    const { port } = server.endpoint
    const trusting = client(t, { tls: { ca: testCertificate } })
    assert.equal((await trusting.invoke(`127.0.0.1:${port}`, request(1))).code, 0)
    assert.equal((await trusting.invoke(`localhost:${port}`, request(1))).code, 0)
    await assert.rejects(client(t, { tls: {} }).invoke(`127.0.0.1:${port}`, request(1)), { code: 'REMOTING_UNREACHABLE' })
    await assert.rejects(
      client(t, { tls: { ca: testCertificate, serverName: 'elsewhere' } }).invoke(`127.0.0.1:${port}`, request(1)),
      {
        code: 'REMOTING_UNREACHABLE',
      },
    )
    await assert.rejects(client(t).invoke(`127.0.0.1:${port}`, request(1)), { code: 'REMOTING_CLOSED' })
  })

  test('can ask clients for a certificate', async (t) => {
    const server = await serveRemoting(t, { tls: { ...tls, ca: testCertificate, requireClientCertificate: true } })
    const address = endpointText(server.endpoint)
    assert.equal((await client(t, { tls: { ...tls, ca: testCertificate } }).invoke(address, request(1))).code, 0)
    await assert.rejects(client(t, { tls: { ca: testCertificate } }).invoke(address, request(1)), (error: Error) =>
      ['REMOTING_CLOSED', 'REMOTING_UNREACHABLE'].includes((error as Error & { code: string }).code),
    )
  })

  test('is needed where other machines can connect, and so is to know who sends, unless that is refused in so many words', async (t) => {
    const net = new MemoryNet()
    for (const host of ['0.0.0.0', '::', '192.168.1.7', 'example', '127.0.0.1.example', '']) {
      await assert.rejects(RemotingServer.listen({ host, port: 1, handlers, net }), RangeError)
    }
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) await serveRemoting(t, { host, port: 1, net })
    await serveRemoting(t, { host: '0.0.0.0', port: 1, net, insecure: true })
    await assert.rejects(RemotingServer.listen({ host: '::', port: 1, handlers, net, tls }), /asking who sends/)
    await serveRemoting(t, { host: '::', port: 1, net, tls: { ...tls, ca: testCertificate, requireClientCertificate: true } })
    await serveRemoting(t, { host: '::', port: 2, net, tls, guard })
    await assert.rejects(RemotingServer.listen({ host: '::', port: 3, handlers, net, guard }), /without TLS/)
  })
})

describe('an endpoint', () => {
  test('is read as it is written', () => {
    for (const text of ['127.0.0.1:10911', 'broker-a.example:9876', '[::1]:1', '[fe80::1%eth0]:65535']) {
      assert.equal(endpointText(parseEndpoint(text)), text)
    }
    for (const text of ['', 'host', 'host:', ':1', 'host:65536', 'a b:1', '::1:1', 'host:-1', 'host:1x']) {
      assert.throws(() => parseEndpoint(text), RangeError)
    }
  })

  test('is on loopback only when it cannot be anything else', () => {
    assert.ok(['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', 'localhost'].every(isLoopback))
    assert.ok(!['127.example', '127.0.0.1.example', '0.0.0.0', '::', '', '128.0.0.1', '::ffff:10.0.0.1'].some(isLoopback))
  })
})
