/** What a server answers over HTTP: `/metrics` as Prometheus reads it, `/health` in every state, and nothing else. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { prometheusMetrics, prometheusText } from '../../lib/broker/numbers/prometheus.js'
import { Watched } from '../../lib/cli/serve-pages.js'
import { Broker } from '../../lib/index.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { type HttpListener, listenHttp, type Page, plainPage } from '../../lib/remoting/http.js'
import { ManualTime } from '../support/manual-time.js'
import { openTestBroker, small, take } from '../support/open-broker.js'
import { root } from '../support/open-store.js'
import { metricsIn } from '../support/prometheus-page.js'
import { SimDisk } from '../support/sim-disk.js'

const facts = { version: '1.2.3', directory: '.', cluster: 'C' }

interface Health {
  readonly status: string
  readonly store: string | null
  readonly recovery: { readonly origin?: string; readonly doneBytes?: number } | null
}

async function health(watched: Watched): Promise<[number, Health]> {
  const { status, body, contentType } = await watched.pages.get('/health')!()
  assert.equal(contentType, 'application/json')
  return [status, JSON.parse(body) as Health]
}

async function listening(t: TestContext, pages: ReadonlyMap<string, () => Promise<Page> | Page>, names: string[] = []) {
  const answered: unknown[] = []
  const faults: unknown[] = []
  const listener = await listenHttp({
    ...{ host: '127.0.0.1', port: 0, names, pages },
    onAnswer: (one) => answered.push(one),
    onFault: (error, path) => faults.push([path, String(error)]),
  })
  t.after(() => listener.close())
  return { listener, answered, faults, url: `http://${endpointText(listener.endpoint)}` }
}

/** Sends bytes as they are; resolves with all that came back when the other side has closed. */
function raw({ endpoint }: HttpListener, ...pieces: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(endpoint.port, endpoint.host)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('close', () => resolve(text))
    socket.on('error', (error: Error & { code?: string }) => (error.code === 'ECONNRESET' ? resolve(text) : reject(error)))
    for (const piece of pieces) socket.write(piece)
  })
}

describe('/metrics', () => {
  test('has every metric with its kind, and the values of the numbers, under escaped labels', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    for (let n = 0; n < 3; n++) await broker.send({ topic: 'orders', body: `${n}` })
    const consumer = broker.consumer({ group: 'billing', subscribe: { orders: '*' }, startAt: 'first' })
    t.after(() => consumer.close())
    const [first] = await take(consumer, 1)
    await first!.ack()
    const text = await prometheusText(broker, { cluster: 'a "b"\\c\nd' })
    const { samples, kinds } = metricsIn(text)
    assert.deepEqual(
      Object.fromEntries(kinds),
      Object.fromEntries(Object.entries(prometheusMetrics).map(([name, { kind }]) => [name, kind.toLowerCase()])),
    )
    const own = { cluster: 'a "b"\\c\nd', node_type: 'broker', node_id: 'mqlite' }
    const numberAt = (name: string, labels: Record<string, string>): number | undefined =>
      samples.find((one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value))
        ?.value
    assert.equal(numberAt('rocketmq_messages_in_total', { ...own, topic: 'orders', message_type: 'normal' }), 3)
    assert.equal(numberAt('rocketmq_consumer_lag_messages', { consumer_group: 'billing', topic: 'orders' }), 2)
    assert.equal(numberAt('rocketmq_broker_permission', own), 6)
    const rows = samples.map(({ name, labels }) => JSON.stringify([name, labels]))
    assert.equal(new Set(rows).size, rows.length)
  })

  test('is answered with 503 until the broker is open and when it stops', async (t) => {
    const watched = new Watched(facts, new ManualTime())
    const page = watched.pages.get('/metrics')!
    assert.equal((await page()).status, 503)
    watched.opened(await openTestBroker(t))
    const { status, contentType, body } = await page()
    assert.deepEqual([status, contentType], [200, 'text/plain; version=0.0.4; charset=utf-8'])
    assert.match(body, /cluster="C"/)
    watched.stopping()
    assert.equal((await page()).status, 503)
  })
})

describe('/health', () => {
  test('says 503 while the log is read, 200 while it serves, and 503 from the signal on', async (t) => {
    const time = new ManualTime()
    const watched = new Watched(facts, time)
    const [before, starting] = await health(watched)
    assert.deepEqual([before, starting.status, starting.store, starting.recovery], [503, 'starting', null, null])
    watched.progress({ doneBytes: 5, totalBytes: 9 })
    assert.equal((await health(watched))[1].recovery?.doneBytes, 5)
    watched.opened(await openTestBroker(t))
    time.advance(1500)
    const page = await watched.pages.get('/health')!()
    const { disk, ...told } = JSON.parse(page.body) as Health & { disk: { freeBytes: number; isFull: boolean } }
    const recovery = { origin: 'new', damagedRanges: 0 }
    const { durationMs: _, ...found } = told.recovery as { durationMs: number }
    assert.deepEqual({ ...told, recovery: found }, { status: 'ok', version: '1.2.3', uptimeMs: 1500, store: 'open', recovery })
    assert.ok(page.status === 200 && disk.freeBytes > 0 && !disk.isFull)
    watched.stopping()
    assert.deepEqual(
      (await health(watched)).map((one) => (typeof one === 'number' ? one : one.status)),
      [503, 'stopping'],
    )
  })

  test('says 503 when a flush has failed, when the disk is full, and 200 when there is space again', async (t) => {
    const disk = new SimDisk()
    const time = new ManualTime()
    const broker = await Broker.open(
      root,
      { topics: { t: {} }, store: { ...small, flush: 'sync' } },
      { disk, timers: time, clock: time },
    )
    t.after(() => broker.close().catch(() => {}))
    const watched = new Watched(facts, time)
    watched.opened(broker)
    disk.inject({ on: 'write', path: 'commitlog', code: 'ENOSPC' })
    await assert.rejects(broker.send({ topic: 't', body: 'x' }), /DISK_FULL/)
    assert.deepEqual(
      (await health(watched)).map((one) => (typeof one === 'number' ? one : one.status)),
      [503, 'diskFull'],
    )
    while ((await health(watched))[0] !== 200) {
      time.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await broker.send({ topic: 't', body: 'x' })
    disk.inject({ on: 'flush', path: 'commitlog', code: 'EIO' })
    await assert.rejects(broker.send({ topic: 't', body: 'x' }), /STORE_FAILED/)
    assert.deepEqual(
      (await health(watched)).map((one) => (typeof one === 'number' ? one : one.status)),
      [503, 'failed'],
    )
    // What can be read is still told.
    assert.equal((await watched.pages.get('/metrics')!()).status, 200)
  })
})

describe('over HTTP', () => {
  const pages = new Map<string, () => Page>([
    ['/here', () => plainPage(200, 'hello')],
    [
      '/broken',
      () => {
        throw new Error('a secret')
      },
    ],
  ])

  test('GET and HEAD of the pages are answered, with or without a query, and everything else is refused', async (t) => {
    const { url, answered, faults } = await listening(t, pages)
    const got = await fetch(`${url}/here?x=1`)
    assert.deepEqual([got.status, await got.text(), got.headers.get('cache-control')], [200, 'hello\n', 'no-store'])
    const head = await fetch(`${url}/here`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text(), head.headers.get('content-length')], [200, '', '6'])
    const missing = await fetch(`${url}/there`)
    assert.deepEqual([missing.status, await missing.text()], [404, 'there are /here and /broken\n'])
    const posted = await fetch(`${url}/here`, { method: 'POST', body: 'x'.repeat(100_000) })
    assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD'])
    const broken = await fetch(`${url}/broken`)
    assert.deepEqual([broken.status, await broken.text()], [500, 'internal error\n'])
    assert.deepEqual(faults, [['/broken', 'Error: a secret']])
    // Paths that are no pages are not told as they came.
    assert.deepEqual(answered[2], { method: 'GET', path: '-', status: 404 })
  })

  test('a request that names another machine gets nothing, whatever a browser was told of the name', async (t) => {
    const { listener, answered } = await listening(t, pages, ['Broker-1.example'])
    const status = async (head: string): Promise<string> =>
      (await raw(listener, `GET /here ${head}\r\nconnection: close\r\n\r\n`)).slice(9, 12)
    const { port } = listener.endpoint
    for (const host of ['127.0.0.1', `127.0.0.1:${port}`, `LocalHost:${port}`, '[::1]', '10.1.2.3:80', 'broker-1.example:9'])
      assert.equal(await status(`HTTP/1.1\r\nhost: ${host}`), '200', host)
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil',
      '',
      '[::1',
      'a b',
      '1.2.3',
    ])
      assert.equal(await status(`HTTP/1.1\r\nhost: ${host}`), '421', host)
    assert.equal(await status('HTTP/1.0'), '200')
    assert.equal(await status('HTTP/1.1'), '400')
    assert.equal(answered.length, 15)
  })

  test('headers beyond the limit and what is no HTTP are refused, and the next request is answered', async (t) => {
    const { listener, url } = await listening(t, pages)
    assert.match(await raw(listener, 'GET /here HTTP/1.1\r\n', `x: ${'y'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
    assert.match(await raw(listener, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 (431|414) /)
    assert.match(await raw(listener, '\u0000\u0001\u0002\r\n\r\n'), /^HTTP\/1\.1 400 /)
    assert.equal((await fetch(`${url}/here`)).status, 200)
  })

  test('connections beyond the limit are closed, and closing cuts those that say nothing', async (t) => {
    const { listener } = await listening(t, pages)
    const sockets = Array.from({ length: 80 }, () => connect(listener.endpoint.port, listener.endpoint.host))
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    const closed = sockets.map(
      (socket) => new Promise<void>((resolve) => socket.on('error', () => {}).on('close', () => resolve())),
    )
    // Sixteen are too many, whichever come last.
    let gone = 0
    await new Promise<void>((resolve) => {
      for (const one of closed) void one.then(() => ++gone === 16 && resolve())
    })
    await listener.close()
    await Promise.all(closed)
  })
})
