/** How `mqlite serve` begins and ends: what a refused start leaves, what the log says, signals at any moment. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { systemClock } from '../../lib/base/system.js'
import { openLog } from '../../lib/cli/log.js'
import { parseLine } from '../../lib/cli/parse.js'
import { serveCommand } from '../../lib/cli/serve.js'
import { Watched } from '../../lib/cli/serve-pages.js'
import { serveSettings } from '../../lib/cli/serve-settings.js'
import { Serving } from '../../lib/cli/serving.js'
import { givenSettings } from '../../lib/cli/settings/given.js'
import { Terminal } from '../../lib/cli/terminal.js'
import { MessageStore } from '../../lib/index.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests } from '../../lib/remoting/codes.js'
import { request } from '../../lib/remoting/command.js'
import { inLetters } from '../support/client-messages.js'
import { Kept, outcomeOf, run, runHere, start, startWith, temporary } from '../support/command-line.js'
import { metricsIn } from '../support/prometheus-page.js'
import { testCertificate, testKey } from '../support/tls-files.js'

const FREE = ['--port', '0', '--name-server-port', '0']
const MIB = 2 ** 20

interface Line {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** A store of some MiB that was not closed, with how many messages it holds. */
async function unclosed(t: TestContext): Promise<{ directory: string; count: number }> {
  const root = temporary(t)
  const [from, directory] = [join(root, 'open'), join(root, 'left')]
  const store = await MessageStore.open(from, { segmentBytes: 4 * MIB })
  const count = 96
  for (let n = 0; n < count; n++) await store.put({ topic: 'T', body: Buffer.alloc(MIB / 8, n) })
  await store.flush()
  cpSync(from, directory, { recursive: true, preserveTimestamps: true })
  await store.close()
  return { directory, count }
}

/** Follows a server's log until a message comes. */
function logOf(child: ReturnType<typeof start>): { until: (msg: string) => Promise<Line>; lines: Line[] } {
  const lines: Line[] = []
  const waiting = new Map<string, (line: Line) => void>()
  let rest = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    const pieces = (rest + chunk.toString('utf8')).split('\n')
    rest = pieces.pop()!
    for (const piece of pieces) {
      const line = JSON.parse(piece) as Line
      lines.push(line)
      waiting.get(line.msg)?.(line)
    }
  })
  const until = (msg: string): Promise<Line> =>
    new Promise((resolve, reject) => {
      const found = lines.find((line) => line.msg === msg)
      if (found !== undefined) resolve(found)
      waiting.set(msg, resolve)
      child.on('close', () => reject(new Error(`ended after ${JSON.stringify(lines)}`)))
    })
  return { until, lines }
}

describe('a start that is refused', () => {
  test('makes no directory, and says why in one line', async (t) => {
    const root = temporary(t)
    const taken = createServer().listen(0, '127.0.0.1')
    t.after(() => taken.close())
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    writeFileSync(join(root, 'no-key'), 'nonsense')
    writeFileSync(join(root, 'wrong.json'), '{"flush": "never"}')
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['--host', '0.0.0.0'], /clients cannot connect to 0\.0\.0\.0: give --advertised-host/],
      [['--host', '0.0.0.0', '--advertised-host', '192.0.2.1'], /without TLS/],
      [['--host', '192.0.2.1', '--insecure'], /port \d+ at 192\.0\.2\.1 cannot be had: this machine has no such address/],
      [['--port', String(port)], /port \d+ at 127\.0\.0\.1 cannot be had: another program listens there/],
      [
        ['--port', '0', '--name-server-port', String(port)],
        /port \d+ at 127\.0\.0\.1 cannot be had: another program listens there/,
      ],
      [[...FREE, '--http-port', String(port)], /port \d+ at 127\.0\.0\.1 cannot be had: another program listens there/],
      [['--port', '7', '--name-server-port', '7'], /port 7 is wanted twice/],
      [[...FREE, '--tls-key', join(root, 'no-key'), '--tls-cert', join(root, 'no-key')], /tls\.key and tls\.cert cannot be used/],
      [['--tls-key', join(root, 'absent'), '--tls-cert', join(root, 'absent')], /there is no file/],
      [['--config', join(root, 'wrong.json')], /flush in .*wrong\.json must be sync or async, got "never"/],
      [['--config', root], /cannot be read: EISDIR/],
      [['--segment-bytes', '5'], /--segment-bytes must be bytes/],
    ]
    for (const [line, expected] of cases) {
      const { code, out, error } = await runHere('serve', join(root, 'new'), ...line)
      assert.deepEqual([code, out], [2, ''], line.join(' '))
      assert.match(error, expected)
      assert.match(error, /^mqlite: [^\n]+ \(see mqlite serve --help\)\n$/)
      assert.ok(!existsSync(join(root, 'new')), line.join(' '))
    }
  })

  test('where no directory can be made is told at once', async () => {
    const { code, out, error } = await run('serve', '/proc/mqlite', ...FREE, '--log-level', 'error')
    assert.deepEqual([code, out], [3, ''])
    assert.match(String((JSON.parse(error) as Line)['error']), /\/proc\/mqlite/)
  })

  test('for want of the store tells it in the log, and ends with 3', async (t) => {
    let store: MessageStore | undefined
    const directory = temporary(t, async () => store?.close())
    store = await MessageStore.open(directory)
    const { code, out, error } = await run('serve', directory, ...FREE, '--log-level', 'error')
    assert.deepEqual([code, out], [3, ''])
    const { level, msg, code: why } = JSON.parse(error) as Line
    assert.deepEqual([level, msg, why], ['error', 'ended', 'STORE_LOCKED'])
  })
})

describe('a server', () => {
  test('logs its life as lines of JSON, answers /health and /metrics, and says nothing on standard output', async (t) => {
    const root = temporary(t)
    // As a cluster mounts them: links to files.
    mkdirSync(join(root, 'mounted'))
    writeFileSync(
      join(root, 'mounted', 'data'),
      JSON.stringify({ directory: join(root, 'store'), http: { port: 0 }, topics: { T: {} } }),
    )
    symlinkSync(join(root, 'mounted', 'data'), join(root, 'config.json'))
    const child = start('serve', '--config', join(root, 'config.json'), ...FREE)
    const outcome = outcomeOf(child)
    const { until, lines } = logOf(child)
    const { broker, http, topics } = await until('listening')
    assert.equal(topics, 1)
    const healthy = await fetch(`http://${String(http)}/health`)
    assert.deepEqual([healthy.status, ((await healthy.json()) as { status: string }).status], [200, 'ok'])
    const client = new RemotingClient()
    t.after(() => client.close(100))
    await client.invoke(String(broker), request(brokerRequests.SEND_MESSAGE_V2, inLetters({ topic: 'T' })))
    await client.invoke(String(broker), request(brokerRequests.SEND_MESSAGE_V2, inLetters({ topic: 'unknown' })))
    await until('a request was refused')
    const { samples } = metricsIn(await (await fetch(`http://${String(http)}/metrics`)).text())
    const found = samples.find(({ name, labels }) => name === 'rocketmq_messages_in_total' && labels['topic'] === 'T')
    assert.equal(found?.value, 1)
    child.kill('SIGTERM')
    const { code, out } = await outcome
    assert.deepEqual([code, out], [0, ''])
    const told = lines.map(({ msg }) => msg)
    const expected = [
      'starting',
      'recovered',
      'listening',
      'a request was refused',
      'stopping: what is in work is answered',
      'stopped',
    ]
    assert.deepEqual(told, expected)
  })

  test('over a damaged store goes on reading, says so, and is not healthy', async (t) => {
    const directory = temporary(t)
    const sizes = { segmentBytes: 64 * 1024 }
    const store = await MessageStore.open(directory, sizes)
    const receipts = []
    for (let n = 0; n < 1000; n++) receipts.push(await store.put({ topic: 'T', body: 'x'.repeat(100) }))
    await store.close()
    const path = join(directory, 'commitlog', '0'.repeat(20))
    const bytes = readFileSync(path)
    bytes[receipts[3]!.commitLogOffset + 120]! ^= 4
    writeFileSync(path, bytes)
    // Else what was closed in order is believed.
    for (const name of ['clean', 'views']) rmSync(join(directory, 'ext', name))
    const child = start('serve', directory, ...FREE, '--http-port', '0')
    const outcome = outcomeOf(child)
    const { until, lines } = logOf(child)
    const { http } = await until('listening')
    const response = await fetch(`http://${String(http)}/health`)
    const { status, recovery } = (await response.json()) as { status: string; recovery: { damagedRanges: number } }
    assert.deepEqual([response.status, status, recovery.damagedRanges], [503, 'readOnly', 1])
    const { level, from } = await until('the log is damaged: see mqlite verify')
    assert.deepEqual([level, from], ['error', receipts[3]!.commitLogOffset])
    child.kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.ok(!lines.some(({ msg }) => msg === 'a problem'))
  })

  test('with --print-config says what is in force, for people and for programs, and opens nothing', async (t) => {
    const root = temporary(t)
    writeFileSync(join(root, 'broker.conf'), 'flushDiskType=SYNC_FLUSH\nsendMessageThreadPoolNums=16\n')
    const line = ['serve', join(root, 'new'), '--print-config', '--broker-conf', join(root, 'broker.conf'), '--port', '0']
    const { code, out, error } = await runHere(...line)
    assert.equal(code, 0)
    assert.match(out, /^SETTING +VALUE +FROM\n/)
    assert.match(out, /\nport +0 +--port\n/)
    assert.match(out, /\ndirectory +\S+new +DIR\n/)
    assert.match(out, /\nflush +sync +flushDiskType in .*broker\.conf\n/)
    assert.match(error, /^mqlite: .*broker\.conf: these properties are not used: sendMessageThreadPoolNums\n$/)
    const told = JSON.parse((await runHere(...line, '--json')).out) as Record<string, { value: unknown; from: string }>
    assert.deepEqual([told['port'], told['disk.forceAt']?.value], [{ value: 0, from: '--port' }, 0.85])
    assert.ok(!existsSync(join(root, 'new')))
  })

  test('over TLS takes its files by settings, and tells of clients without it', async (t) => {
    const root = temporary(t)
    writeFileSync(join(root, 'key'), testKey)
    writeFileSync(join(root, 'cert'), testCertificate)
    const files = ['--tls-key', join(root, 'key'), '--tls-cert', join(root, 'cert')]
    const child = start('serve', join(root, 'store'), ...FREE, ...files)
    const outcome = outcomeOf(child)
    const { broker } = await logOf(child).until('listening')
    const client = new RemotingClient({ tls: { ca: testCertificate, serverName: 'localhost' } })
    t.after(() => client.close(100))
    const { code } = await client.invoke(String(broker), request(brokerRequests.GET_BROKER_CONFIG, {}))
    assert.equal(code, 0)
    child.kill('SIGTERM')
    assert.equal((await outcome).code, 0)
  })
})

describe('a signal', () => {
  test('while the log is read calls opening off with 0; nothing is lost, and the next start reads it again', async (t) => {
    const { directory, count } = await unclosed(t)
    const stop = new AbortController()
    const terminal = new Terminal({ out: new Kept(), error: new Kept(), environment: {}, clock: systemClock, stop })
    let steps = 0
    class Interrupting extends Watched {
      override progress(): void {
        steps++
        stop.abort(new DOMException('interrupted', 'AbortError'))
      }
    }
    const { values } = parseLine(FREE, serveCommand)
    const settings = serveSettings(givenSettings({ values, environment: {}, readText: () => '' }))
    const watched = new Interrupting({ version: '', directory, cluster: '' }, systemClock)
    const told: string[] = []
    const log = await openLog({ format: 'json', level: 'info', clock: systemClock, write: (line) => told.push(line) })
    await new Serving({ terminal, log, watched, settings, directory, says: 'log', pages: undefined }).run()
    assert.equal(steps, 1)
    assert.deepEqual(
      told.map((line) => (JSON.parse(line) as Line).msg),
      ['stopped'],
    )
    const store = await MessageStore.open(directory)
    assert.notEqual(store.recovery.origin, 'clean')
    assert.equal(store.bounds('T').maxOffset, count)
    await store.close()
  })

  test('at any moment of the start ends with 0 and leaves a store that opens with everything', async (t) => {
    const { directory, count } = await unclosed(t)
    for (const after of ['starting', 'recovered', 'listening']) {
      const child = start('serve', directory, ...FREE)
      const outcome = outcomeOf(child)
      const { until, lines } = logOf(child)
      await until(after)
      child.kill('SIGTERM')
      assert.equal((await outcome).code, 0, after)
      assert.equal(lines.at(-1)!.msg, 'stopped')
      const store = await MessageStore.open(directory, { readOnly: true })
      assert.equal(store.bounds('T').maxOffset, count, after)
      await store.close()
    }
    assert.ok(readdirSync(directory).includes('commitlog'))
  })

  test('while a name server elsewhere does not answer is not kept waiting for it', async (t) => {
    const deaf = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1')
    t.after(() => deaf.close())
    await new Promise((resolve) => deaf.once('listening', resolve))
    const { port } = deaf.address() as { port: number }
    const asked = new Promise((resolve) => deaf.once('connection', resolve))
    const line = ['--port', '0', '--no-name-server', '--name-servers', `127.0.0.1:${port}`]
    const child = start('serve', temporary(t), ...line)
    const outcome = outcomeOf(child)
    const { lines } = logOf(child)
    await asked
    child.kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.equal(lines.at(-1)!.msg, 'stopped')
    assert.ok(!lines.some(({ msg }) => msg === 'listening'))
  })
})

test('a fault of ours ends the server with 70 and one line that says what and where, and the store is recovered', async (t) => {
  const directory = temporary(t)
  for (const [how, what] of [
    ['setTimeout(() => { throw new Error("boom") }, MS)', 'boom'],
    ['setTimeout(() => void Promise.reject(new TypeError("lost")), MS)', 'lost'],
  ] as const) {
    // Not before the program can hear of it; then long enough for the server to begin, and no matter if it has not.
    const later = `process.on('newListener', (name) => { if (name === 'uncaughtException') ${how.replace('MS', '1500')} })`
    const child = startWith(['--import', `data:text/javascript,${encodeURIComponent(later)}`], 'serve', directory, ...FREE)
    const { code, out, error } = await outcomeOf(child)
    assert.deepEqual([code, out], [70, ''])
    const lines = error.trimEnd().split('\n')
    const { level, msg, error: why, at } = JSON.parse(lines.at(-1)!) as Line
    assert.deepEqual([level, msg, why], ['fatal', 'ended by a fault of mqlite itself', what])
    assert.match(String(at), /data:text/)
    assert.ok(
      lines.every((line) => line.startsWith('{')),
      error,
    )
  }
})
