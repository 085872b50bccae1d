/** `mqlite serve`: what it is told, what it says, how it ends. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { describe, test } from 'node:test'
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
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`serves clients until it gets ${signal}, answers what is in work and keeps it`, async (t) => {
      const directory = temporary(t)
      const ports = ['--port', '0', '--name-server-port', '0', '--json', '--log-level', 'warn']
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

  test('takes a signal that comes twice at once, as from npx, for one', async (t) => {
    const directory = temporary(t)
    const child = start('serve', directory, '--port', '0', '--no-name-server', '--json', '--log-level', 'warn')
    const outcome = outcomeOf(child)
    await printed(child, (text) => text.endsWith('}\n'))
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM'] as const) child.kill(signal)
    const { code, error } = await outcome
    assert.deepEqual([code, error], [0, ''])
  })

  test('says where it listens and what it has, and that it stops', async (t) => {
    const child = start('serve', temporary(t), '--port', '0', '--name-server-port', '0', '--topic', 'orders:3', '--log', 'text')
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

  test('says in one line why it cannot start: a port that is taken, other machines without TLS', async (t) => {
    const child = start('serve', temporary(t), '--port', '0', '--no-name-server', '--json')
    const told = JSON.parse(await printed(child, (text) => text.endsWith('}\n'))) as Told
    assert.equal(told.nameServer, undefined)
    const taken = await run('serve', temporary(t), '--port', told.broker.split(':')[1]!)
    assert.deepEqual([taken.code, taken.out], [2, ''])
    assert.match(
      taken.error,
      /^mqlite: port \d+ at 127\.0\.0\.1 cannot be had: another program listens there \(see mqlite serve --help\)\n$/,
    )
    const open = await run('serve', temporary(t), '--host', '0.0.0.0', '--advertised-host', '192.0.2.1', '--port', '0')
    assert.equal(open.code, 2)
    assert.match(open.error, /without TLS/)
    child.kill('SIGTERM')
    assert.equal((await outcomeOf(child)).code, 0)
  })
})
