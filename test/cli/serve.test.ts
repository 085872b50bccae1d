/** `mqlite serve`: what it is told, what it says, how it ends. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { describe, test } from 'node:test'
import { UsageError } from '../../lib/cli/command.js'
import { serveSettings, withEnvironment } from '../../lib/cli/serve-settings.js'
import { MessageStore } from '../../lib/index.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests, nameServerRequests } from '../../lib/remoting/codes.js'
import { request } from '../../lib/remoting/command.js'
import { inLetters } from '../support/client-messages.js'
import { outcomeOf, run, start, temporary } from '../support/command-line.js'

interface Told {
  readonly broker: string
  readonly nameServer?: string
  readonly brokerName: string
  readonly cluster: string
  readonly topics: readonly { topic: string; queues: number }[]
}

/** Waits until a server has printed something, and the text fits. */
async function printed(child: ChildProcess, isWhole: (text: string) => boolean): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (isWhole(text)) return text
  }
  throw new Error(`it ended after ${text}`)
}

describe('mqlite serve', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`serves clients until it gets ${signal}, answers what is in work and keeps it`, async (t) => {
      const directory = temporary(t)
      const ports = ['--port', '0', '--name-server-port', '0', '--json']
      const child = start('serve', directory, ...ports, '--topic', 'T:2', '--cluster', 'c', '--broker-name', 'b')
      const outcome = outcomeOf(child)
      const told = JSON.parse(await printed(child, (text) => text.endsWith('}\n'))) as Told
      assert.deepEqual([told.brokerName, told.cluster, told.topics], ['b', 'c', [{ topic: 'T', queues: 2 }]])
      const client = new RemotingClient()
      t.after(() => client.close(100))
      const route = request(nameServerRequests.GET_ROUTEINFO_BY_TOPIC, { ext: { topic: 'T' } })
      assert.ok((await client.invoke(told.nameServer!, route)).body.toString().includes(told.broker))
      const sends = Array.from({ length: 50 }, () =>
        client.invoke(told.broker, request(brokerRequests.SEND_MESSAGE_V2, inLetters())),
      )
      await sends[0]
      child.kill(signal)
      const answers = await Promise.allSettled(sends)
      const { code, error } = await outcome
      assert.deepEqual([code, error], [0, ''])
      const store = await MessageStore.open(directory)
      const [{ maxOffset }, { origin }] = [store.bounds('T', 0), store.recovery]
      await store.close()
      const accepted = answers.filter((one) => one.status === 'fulfilled' && one.value.code === 0).length
      assert.ok(accepted >= 1 && maxOffset >= accepted)
      assert.equal(origin, 'clean')
    })
  }

  test('says where it listens and what it has, and that it stops', async (t) => {
    const child = start('serve', temporary(t), '--port', '0', '--name-server-port', '0', '--topic', 'orders:3')
    const rest: string[] = []
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    const text = await printed(child, (sofar) => sofar.includes('Ctrl+C'))
    assert.match(text, /^mqlite serves \/.*\n {2}broker {7}127\.0\.0\.1:\d+ {2}\(mqlite of DefaultCluster\)\n/)
    assert.match(text, /\n {2}name server {2}(127\.0\.0\.1:\d+) {2}\(clients: NAMESRV_ADDR=\1\)\n/)
    assert.match(text, /\n {2}topics {7}orders \(3\); others are refused\n/)
    child.stdout!.on('data', (chunk: Buffer) => rest.push(chunk.toString()))
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
    assert.equal(rest.join(''), 'stopping: what is in work is answered\nstopped\n')
  })

  test('takes what its options do not say from the environment', () => {
    const environment = {
      MQLITE_PORT: '1',
      MQLITE_NAME_SERVER_PORT: '2',
      MQLITE_TOPIC: 'a:4, b',
      MQLITE_AUTO_CREATE_TOPICS: 'yes',
    }
    const values = withEnvironment({ port: '7', json: true }, environment)
    assert.deepEqual(values, {
      port: '7',
      json: true,
      'name-server-port': '2',
      topic: ['a:4', 'b'],
      'auto-create-topics': true,
    })
    const terminal = { environment } as unknown as Parameters<typeof serveSettings>[0]['terminal']
    const { broker, server } = serveSettings({ values: {}, terminal })
    assert.deepEqual([server.port, server.nameServer], [1, { port: 2 }])
    assert.deepEqual([broker.topics, broker.autoCreateTopics], [{ a: { queues: 4 }, b: {} }, true])
  })

  for (const [what, values, environment] of [
    ['a port that is none', { port: '70000' }, {}],
    ['a topic without a name', { topic: [':3'] }, {}],
    ['a key without a certificate', { 'tls-key': 'x' }, {}],
    ['a way to flush that there is not', { flush: 'never' }, {}],
    ['a flag in the environment that is neither true nor false', {}, { MQLITE_INSECURE: 'perhaps' }],
  ] as const) {
    test(`refuses ${what}`, () => {
      const terminal = { environment } as unknown as Parameters<typeof serveSettings>[0]['terminal']
      assert.throws(() => serveSettings({ values: values as Record<string, string>, terminal }), UsageError)
    })
  }

  test('says in one line why it cannot start: a port that is taken, other machines without TLS', async (t) => {
    const child = start('serve', temporary(t), '--port', '0', '--no-name-server', '--json')
    const told = JSON.parse(await printed(child, (text) => text.endsWith('}\n'))) as Told
    assert.equal(told.nameServer, undefined)
    const taken = await run('serve', temporary(t), '--port', told.broker.split(':')[1]!)
    assert.deepEqual([taken.code, taken.out], [2, ''])
    assert.match(taken.error, /^mqlite: port \d+ cannot be had: another program listens there \(see mqlite serve --help\)\n$/)
    const open = await run('serve', temporary(t), '--host', '0.0.0.0', '--advertised-host', '192.0.2.1', '--port', '0')
    assert.equal(open.code, 2)
    assert.match(open.error, /without TLS/)
    child.kill('SIGTERM')
    assert.equal((await outcomeOf(child)).code, 0)
  })
})
