/** The log of a server: lines of JSON or of text, bounded however often peers cause them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Fields, type Log, openLog } from '../../lib/cli/log.js'
import { logBroker, logServer } from '../../lib/cli/serve-log.js'
import type { Connection } from '../../lib/remoting/connection.js'
import { RemotingError } from '../../lib/remoting/errors.js'
import { ManualTime } from '../support/manual-time.js'
import { openTestBroker } from '../support/open-broker.js'

const time = new ManualTime()

async function opened(format: 'json' | 'text', level: 'info' | 'debug' = 'info'): Promise<{ log: Log; lines: string[] }> {
  const lines: string[] = []
  const log = await openLog({ format, level, clock: time, write: (line) => lines.push(line) })
  return { log, lines }
}

function parsed(lines: readonly string[]): Fields[] {
  return lines.map((line) => JSON.parse(line) as Fields)
}

describe('a log', () => {
  test('writes a line of JSON for each event, with level, time, message and fields, and nothing of the machine', async () => {
    const { log, lines } = await opened('json')
    log.tell('info', 'listening', { broker: '127.0.0.1:1' })
    log.tell('debug', 'not told')
    assert.ok(lines[0]!.endsWith('\n') && lines.length === 1)
    assert.deepEqual(parsed(lines), [
      { level: 'info', time: '2024-01-02T03:04:05.000Z', broker: '127.0.0.1:1', msg: 'listening' },
    ])
  })

  test('writes text for people on one line each, without control characters', async () => {
    const { log, lines } = await opened('text')
    log.tell('warn', 'a problem', { during: 'writing a file', code: 'EIO', count: 3, name: 'x\u001b[2J\ny' })
    assert.deepEqual(lines, [
      '03:04:05.000 warn  a problem  during="writing a file"  code=EIO  count=3  name="x.[2J\\ny"\n'.replace('x.', 'x\\u001b'),
    ])
  })

  test('leaves out what comes too often, and says how much that was', async () => {
    const { log, lines } = await opened('json')
    for (let n = 0; n < 1000; n++) log.seldom('info', 'a request was refused', { n })
    log.seldom('info', 'another', {})
    assert.equal(lines.length, 11)
    time.advance(10_000)
    log.seldom('info', 'a request was refused', { n: 1000 })
    const last = parsed(lines).at(-1)!
    assert.deepEqual([last['n'], last['leftOut']], [1000, 990])
  })
})

describe('what peers cause', () => {
  const told = (lines: readonly string[]) => parsed(lines).map(({ n, leftOut }) => [n, leftOut])

  test('is told three times a minute of each peer, and of all of them no more than anything else', async () => {
    const { log, lines } = await opened('json')
    const say = (peer: string, n: number): void => log.seldomOf(peer, 'info', 'a request was refused', { n })
    for (let n = 0; n < 100; n++) say('a', n)
    say('b', 100)
    assert.deepEqual(told(lines.splice(0)), [
      [0, undefined],
      [1, undefined],
      [2, undefined],
      [100, 97],
    ])
    for (let second = 0; second < 59; second++) {
      time.advance(1000)
      say('a', second)
    }
    assert.deepEqual(lines, [])
    time.advance(1000)
    say('a', 7)
    for (let n = 0; n < 100; n++) say(`peer ${n}`, n)
    assert.deepEqual(told(lines.splice(0, 2)), [
      [7, 59],
      [0, undefined],
    ])
    assert.equal(lines.length, 8)
  })

  test('is counted together when there are too many peers to count them apart', async () => {
    const { log, lines } = await opened('json')
    for (let n = 0; n < 5000; n++) {
      if (n % 10 === 0) time.advance(100)
      log.seldomOf(`peer ${n}`, 'info', 'a request was refused', { n })
    }
    time.advance(60_000)
    log.seldomOf('one more', 'info', 'a request was refused', { n: 5000 })
    const all = told(lines)
    assert.deepEqual(all.at(-1)![0], 5000)
    // The line tells of all that were left out, of whomever they were.
    assert.equal(
      all.reduce((sum, [, leftOut = 0]) => sum + 1 + (leftOut as number), 0),
      5001,
    )
  })
})

describe('the log of a server', () => {
  const remote = { host: '192.0.2.1', port: 5 }
  const connection = { remote, onClose: (listener: () => void) => listener() } as unknown as Connection

  test('tells of refusals, of peers that are cut off, and of requests that fail here', async () => {
    const { log, lines } = await opened('json')
    const { onRefused, onFault, onConnection } = logServer(log)
    onConnection(connection)
    onRefused({ remote, request: 310, code: 17, reason: 'TOPIC_UNKNOWN: no' })
    onRefused({ remote, request: 310, code: 16, reason: 'Check signature failed' })
    onRefused({ remote, reason: 'too many connections' })
    onFault(new RemotingError('REMOTING_MALFORMED', 'no frame'), connection)
    onFault(new TypeError('oops'), connection)
    assert.deepEqual(
      parsed(lines).map(({ level, msg, remote: from, request, code }) => [level, msg, from, request, code]),
      [
        ['info', 'a request was refused', '192.0.2.1:5', 310, 17],
        ['warn', 'a request that is not permitted was refused', '192.0.2.1:5', 310, 16],
        ['info', 'a connection was refused', '192.0.2.1:5', undefined, undefined],
        ['info', 'cut off', '192.0.2.1:5', undefined, 'REMOTING_MALFORMED'],
        ['error', 'a request failed', '192.0.2.1:5', undefined, undefined],
      ],
    )
  })

  test('tells of connections at the level debug', async () => {
    const { log, lines } = await opened('json', 'debug')
    logServer(log).onConnection(connection)
    assert.deepEqual(
      parsed(lines).map(({ msg }) => msg),
      ['connected', 'disconnected'],
    )
  })

  test('tells of a name server when it changes its mind, not every time', async () => {
    const { log, lines } = await opened('json')
    const { onRegistration } = logServer(log)
    const [server, error] = ['a:9876', new Error('away')]
    for (const one of [{ server }, { server }, { server, error }, { server, error }, { server }]) onRegistration(one)
    assert.deepEqual(
      parsed(lines).map(({ level, msg }) => [level, msg]),
      [
        ['info', 'registered'],
        ['warn', 'not registered'],
        ['info', 'registered'],
      ],
    )
  })

  test('tells what recovery did and what happens to the store', async (t) => {
    const { log, lines } = await opened('json')
    const broker = await openTestBroker(t, { options: { topics: { t: { queues: 1 } } } })
    logBroker(log, broker)
    await broker.send({ topic: 't', body: 'a secret' })
    await broker.store.purge('t')
    assert.deepEqual(
      parsed(lines).map(({ msg }) => msg),
      ['recovered', 'a queue was emptied'],
    )
    assert.ok(!lines.join('').includes('secret'))
  })
})
