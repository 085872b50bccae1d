/**
 * RocketMQ's consumers, unchanged, against our broker and the name server beside it. Each test has a group and a topic
 * of its own; the consumers of a generation share a process.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import type { RemoteClient } from '../../lib/remoting/commands/remote-client.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { assertInOrder, even, QUEUES, send } from './consumer-messages.js'
import { type Generation, generations } from './java-build.js'
import { startConsumers } from './java-consumers.js'
import { mqadmin } from './java-servers.js'
import { type Got, type LineClient, until } from './line-client.js'

async function served(t: TestContext) {
  const topics = Object.fromEntries(topicNames.map((topic) => [topic, { queues: QUEUES }]))
  const { broker, server } = await serveBroker(t, { options: { topics, offsetIntervalMs: 200 } })
  return { broker, names: endpointText(server.nameServerEndpoint!) }
}

const topicNames = [
  'Tags',
  'Sql',
  'Ordered',
  'Everybody',
  'Failing',
  'Shared',
  'Lite',
  'Mixed',
  'Assigned',
  'Progress',
  'Dead',
  'Reset',
  'Handed',
  'Brief',
]

const bodiesOf = (got: readonly Got[]): string[] => got.map(({ body }) => body).sort()

/** Waits until the consumers of these names have as many messages as there are, and then has a look at which. */
async function all({ got }: LineClient, names: readonly string[], expected: readonly string[]): Promise<Got[]> {
  const own = (): Got[] => got.filter(({ name }) => names.includes(name))
  await until(
    () => own().length >= expected.length,
    () => `${names.join()} got ${own().length} of ${expected.length}`,
  )
  assert.deepEqual(bodiesOf(own()), [...expected].sort())
  return own()
}

/** What a test works with. */
interface Setting {
  readonly t: TestContext
  readonly broker: Broker
  /** The name server's `host:port`. */
  readonly names: string
  readonly java: LineClient
  readonly generation: Generation
}

const cases: readonly (readonly [name: string, run: (setting: Setting) => Promise<void>, only?: Generation])[] = [
  [
    'get what has their tags, and go on after a restart where they stopped',
    async ({ broker, java }) => {
      const first = await send(broker, 'Tags', 20, 'a')
      await java.start('tags', 'concurrent', 'g-tags', 'Tags', 'even||other')
      await all(java, ['tags'], even(first))
      const second = await send(broker, 'Tags', 20, 'b')
      await all(java, ['tags'], even([...first, ...second]))
      await java.stop('tags')
      await java.start('tags2', 'concurrent', 'g-tags', 'Tags', 'even||other')
      const third = await send(broker, 'Tags', 20, 'c')
      await all(java, ['tags2'], even(third))
      await java.stop('tags2')
    },
  ],
  [
    'get what passes their SQL filter',
    async ({ broker, java }) => {
      const bodies = await send(broker, 'Sql', 20)
      await java.start('sql', 'concurrent', 'g-sql', 'Sql', "sql:n > 9 AND TAGS = 'even'")
      await all(java, ['sql'], even(bodies.slice(10)))
      const [late] = await send(broker, 'Sql', 1, 'late')
      await broker.send({ topic: 'Sql', body: 'last', tags: 'even', properties: { n: '77' } })
      await until(() => java.got.some(({ body }) => body === 'last'))
      assert.ok(!java.got.some(({ body }) => body === late))
      await java.stop('sql')
    },
  ],
  [
    'in order get each queue in its order',
    async ({ broker, java }) => {
      const bodies = await send(broker, 'Ordered', 100)
      await java.start('o1', 'ordered', 'g-ordered', 'Ordered')
      assertInOrder(await all(java, ['o1'], bodies), bodies.length / QUEUES)
      await java.stop('o1')
    },
  ],
  [
    'that broadcast each get all',
    async ({ broker, java }) => {
      await java.start('b1', 'broadcast', 'g-all', 'Everybody')
      await java.start('b2', 'broadcast', 'g-all', 'Everybody')
      const bodies = await send(broker, 'Everybody', 20)
      await all(java, ['b1'], bodies)
      await all(java, ['b2'], bodies)
      await java.stop('b1')
      await java.stop('b2')
    },
  ],
  [
    'that fail get the message again, under its own topic',
    async ({ broker, java }) => {
      const bodies = await send(broker, 'Failing', 3)
      await java.start('f', 'failing', 'g-failing', 'Failing')
      const got = await all(java, ['f'], [...bodies, ...bodies, ...bodies])
      assert.deepEqual(got.map(({ reconsumeTimes }) => reconsumeTimes).sort(), [0, 0, 0, 1, 1, 1, 2, 2, 2])
      assert.deepEqual(new Set(got.map(({ topic }) => topic)), new Set(['Failing']))
      await java.stop('f')
    },
  ],
  [
    'that always fail leave the message among the dead letters of their group',
    async ({ broker, java }) => {
      const bodies = await send(broker, 'Dead', 2)
      await java.start('d', 'refusing', 'g-dead', 'Dead')
      await all(java, ['d'], [...bodies, ...bodies])
      await until(() => broker.store.bounds('%DLQ%g-dead').maxOffset === 2)
      const { messages } = await broker.store.get({ topic: '%DLQ%g-dead', offset: 0 })
      assert.deepEqual(messages.map(({ body, properties }) => `${body.toString()} ${properties['RETRY_TOPIC']}`).sort(), [
        'm0 Dead',
        'm1 Dead',
      ])
      await java.stop('d')
    },
  ],
  [
    'in order hand queues over without losing the order',
    async ({ broker, java }) => {
      await java.start('h1', 'ordered', 'g-handed', 'Handed')
      const first = await send(broker, 'Handed', 40, 'a')
      await all(java, ['h1'], first)
      await java.start('h2', 'ordered', 'g-handed', 'Handed')
      const isShared = (): boolean => {
        const { locks, store } = broker.served
        const holders = [0, 1, 2, 3].map((queueId) =>
          locks.holder('g-handed', { topic: 'Handed', brokerName: store.brokerName, queueId }),
        )
        return new Set(holders).size === 2 && !holders.includes(undefined)
      }
      await until(isShared)
      const second = await send(broker, 'Handed', 40, 'b')
      const got = await all(java, ['h1', 'h2'], [...first, ...second])
      for (let queueId = 0; queueId < QUEUES; queueId++) {
        const offsets = got.filter((one) => one.queueId === queueId).map(({ queueOffset }) => queueOffset)
        assert.deepEqual(
          offsets,
          Array.from({ length: 20 }, (_, i) => i),
        )
      }
      await java.stop('h1')
      await java.stop('h2')
    },
  ],
  [
    'go back where an administrator sends them',
    async ({ t, broker, names, java }) => {
      const bodies = await send(broker, 'Reset', 8)
      await java.start('r', 'concurrent', 'g-reset', 'Reset')
      await all(java, ['r'], bodies)
      const told = await mqadmin(t, '5.3.3', ['resetOffsetByTime', '-n', names, '-g', 'g-reset', '-t', 'Reset', '-s', '0'])
      assert.match(told, /Reset/)
      await all(java, ['r'], [...bodies, ...bodies])
      const status = await mqadmin(t, '5.3.3', ['consumerStatus', '-n', names, '-g', 'g-reset'])
      assert.match(status, /@r/)
      await java.stop('r')
    },
  ],
  [
    'share a topic, and what a member had that died',
    async ({ t, broker, names, java, generation }) => {
      const other = await startConsumers(t, generation, names)
      await java.start('s1', 'concurrent', 'g-shared', 'Shared')
      await other.start('s2', 'concurrent', 'g-shared', 'Shared')
      await until(() => broker.served.registry.clientIds('g-shared').length === 2)
      const first = await sendUntilShared(broker, java, other)
      await other.kill()
      const second = await send(broker, 'Shared', 40, 'after')
      const own = (): string[] => java.got.filter(({ name }) => name === 's1').map(({ body }) => body)
      await until(() => second.every((body) => own().includes(body)))
      const seen = new Set([...own(), ...other.got.map(({ body }) => body)])
      assert.deepEqual([...seen].sort(), [...first, ...second].sort())
      await java.stop('s1')
    },
  ],
  [
    'that pull as they like get everything',
    async ({ broker, java }) => {
      const first = await send(broker, 'Lite', 50, 'a')
      await java.start('l', 'lite', 'g-lite', 'Lite')
      await all(java, ['l'], first)
      const second = await send(broker, 'Lite', 10, 'b')
      await all(java, ['l'], [...first, ...second])
      await java.stop('l')
    },
  ],
  [
    'get the queues that the broker gives them',
    async ({ broker, java }) => {
      await java.start('as1', 'assigned', 'g-assigned', 'Assigned')
      await java.start('as2', 'assigned', 'g-assigned', 'Assigned')
      const bodies = await send(broker, 'Assigned', 40)
      const own = (): string[] => java.got.filter(({ name }) => name.startsWith('as')).map(({ body }) => body)
      await until(() => bodies.every((body) => own().includes(body)))
      await java.stop('as1')
      await java.stop('as2')
    },
    '5.3.3',
  ],
  [
    'that say in short that they are still there keep what they want',
    async ({ broker, java }) => {
      await java.start('brief', 'brief', 'g-brief', 'Brief', 'even')
      const { registry } = broker.served
      const whole = (): boolean => (registry.members('g-brief')[0] as RemoteClient | undefined)?.fingerprint !== 0
      await until(() => registry.members('g-brief').length === 1 && whole())
      // Several of its intervals.
      await new Promise((resolve) => setTimeout(resolve, 3000))
      const bodies = await send(broker, 'Brief', 8)
      await all(java, ['brief'], even(bodies))
      assert.equal(registry.subscriptions('g-brief').get('Brief')?.expression, 'even')
      await java.stop('brief')
    },
    '5.3.3',
  ],
  [
    'are members of one group with consumers of this process, and all of them get each message once',
    async ({ broker, java }) => {
      const local: string[] = []
      const consumers = ['x1', 'x2'].map((name) =>
        broker.consumer({ group: 'g-mixed', subscribe: { Mixed: '*' }, startAt: 'first', name }),
      )
      const reading = consumers.map(async (consumer) => {
        for await (const delivery of consumer) {
          local.push(delivery.message.body.toString())
          await delivery.ack()
        }
      })
      await java.start('m1', 'concurrent', 'g-mixed', 'Mixed')
      await java.start('m2', 'concurrent', 'g-mixed', 'Mixed')
      const mixed = (): Got[] => java.got.filter(({ name }) => name.startsWith('m'))
      // Shared when each of the four has a queue.
      const probes: string[] = []
      const sharedOut = (): boolean => {
        const shares = consumers.map(({ queues }) => queues.filter(({ topic }) => topic === 'Mixed').length)
        return shares.every((count) => count === 1)
      }
      await until(sharedOut)
      for (let i = 0; new Set(mixed().map(({ name }) => name)).size < 2 && i < 200; i++) {
        probes.push(...(await send(broker, 'Mixed', QUEUES, `probe${i}-`)))
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      const seen = (): string[] => [...local, ...mixed().map(({ body }) => body)]
      await until(() => probes.every((body) => seen().includes(body)))
      const bodies = await send(broker, 'Mixed', 400)
      await until(() => bodies.every((body) => seen().includes(body)))
      assert.deepEqual(seen().sort(), [...probes, ...bodies].sort())
      assert.equal(new Set(mixed().map(({ name }) => name)).size, 2)
      for (const consumer of consumers) await consumer.close()
      await Promise.all(reading)
      await java.stop('m1')
      await java.stop('m2')
    },
  ],
  [
    'are seen by the administration program',
    async ({ t, broker, names, java }) => {
      const bodies = await send(broker, 'Progress', 12)
      await java.start('p', 'concurrent', 'g-progress', 'Progress', 'even||odd')
      await all(java, ['p'], bodies)
      const connection = await mqadmin(t, '5.3.3', ['consumerConnection', '-n', names, '-g', 'g-progress'])
      assert.match(connection, /@p/)
      assert.match(connection, /Progress +even ?\|\| ?odd/)
      await java.stop('p')
      const progress = await mqadmin(t, '5.3.3', ['consumerProgress', '-n', names, '-g', 'g-progress'])
      assert.match(progress, /Progress +\S+ +0 +3 +3 /)
      assert.match(progress, /Consume Diff Total: 0/)
    },
  ],
]

for (const generation of generations) {
  test(`consumers of ${generation}`, async (t) => {
    const { broker, names } = await served(t)
    const java = await startConsumers(t, generation, names)
    for (const [name, run, only = generation] of cases) {
      if (only === generation) await t.test(name, () => run({ t, broker, names, java, generation }))
    }
  })
}

/** Sends until both members have had a message, and all have come. */
async function sendUntilShared(broker: Broker, a: LineClient, b: LineClient): Promise<string[]> {
  const sent: string[] = []
  const own = (): Got[] => [...a.got, ...b.got].filter(({ name }) => name === 's1' || name === 's2')
  for (let i = 0; new Set(own().map(({ name }) => name)).size < 2 && i < 200; i++) {
    sent.push(...(await send(broker, 'Shared', QUEUES, `before${i}-`)))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await until(() => new Set(own().map(({ body }) => body)).size === sent.length)
  return sent
}
