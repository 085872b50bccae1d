/** What consumers of any client of RocketMQ must be given by our broker; each case has a topic and a group of its own. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import { assertInOrder, even, QUEUES, send } from './consumer-messages.js'
import { type Got, type LineClient, until } from './line-client.js'

/** What a case works with. */
export interface CaseSetting {
  readonly broker: Broker
  readonly client: LineClient
  /** Starts another process of the same client. */
  start(): Promise<LineClient>
}

interface Case {
  readonly name: string
  run(setting: CaseSetting): Promise<void>
}

const gotBy = (client: LineClient, ...names: readonly string[]): Got[] => client.got.filter(({ name }) => names.includes(name))
const bodiesOf = (got: readonly Got[]): string[] => got.map(({ body }) => body)

/** Waits until a consumer, with the one before it, has as many messages as there are, and then has a look at which. */
async function all(client: LineClient, name: string, expected: readonly string[], before = name): Promise<Got[]> {
  const own = (): Got[] => gotBy(client, name, before)
  await until(
    () => own().length >= expected.length,
    () =>
      `${name} got ${own().length} of ${expected.length}: ${own()
        .map(({ body, reconsumeTimes }) => `${body}/${reconsumeTimes}`)
        .join(' ')}`,
  )
  assert.deepEqual(bodiesOf(own()).sort(), [...expected].sort())
  return own()
}

/** Two members share a topic: sends until both have had a message, and all have come. */
async function shareOut(
  broker: Broker,
  topic: string,
  seen: () => Got[],
  others: () => readonly string[] = () => [],
): Promise<string[]> {
  const sent: string[] = []
  const isShared = (): boolean => new Set(seen().map(({ name }) => name)).size + (others().length > 0 ? 1 : 0) > 1
  for (let i = 0; !isShared() && i < 300; i++) {
    sent.push(...(await send(broker, topic, QUEUES, `before${i}-`)))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await until(() => new Set([...bodiesOf(seen()), ...others()]).size === sent.length)
  assert.ok(isShared(), 'one member had it all')
  return sent
}

/** The cases by the name of their topic. */
export const consumerCases = {
  Tags: {
    name: 'gets what has its tags, and goes on after a restart where it stopped',
    async run({ broker, client }) {
      const first = await send(broker, 'Tags', 20, 'a')
      await client.start('tags', 'concurrent', 'g-tags', 'Tags', 'even || other')
      await all(client, 'tags', even(first))
      const second = await send(broker, 'Tags', 20, 'b')
      await all(client, 'tags', even([...first, ...second]))
      await client.stop('tags')
      const third = await send(broker, 'Tags', 20, 'c')
      await client.start('tags-again', 'concurrent', 'g-tags', 'Tags', 'even || other')
      await all(client, 'tags-again', even(third))
      await client.stop('tags-again')
    },
  },
  Sql: {
    name: 'gets what passes its SQL filter',
    async run({ broker, client }) {
      const bodies = await send(broker, 'Sql', 20)
      await client.start('sql', 'concurrent', 'g-sql', 'Sql', "sql:n > 9 AND TAGS = 'even'")
      await all(client, 'sql', even(bodies.slice(10)))
      await client.stop('sql')
    },
  },
  Ordered: {
    name: 'gets each queue in its order',
    async run({ broker, client }) {
      const bodies = await send(broker, 'Ordered', 100)
      await client.start('ordered', 'ordered', 'g-ordered', 'Ordered')
      assertInOrder(await all(client, 'ordered', bodies), bodies.length / QUEUES)
      await client.stop('ordered')
    },
  },
  Everybody: {
    name: 'gets all when it broadcasts, as the other one does',
    async run({ broker, client }) {
      await client.start('b1', 'broadcast', 'g-all', 'Everybody')
      await client.start('b2', 'broadcast', 'g-all', 'Everybody')
      const bodies = await send(broker, 'Everybody', 20)
      await all(client, 'b1', bodies)
      await all(client, 'b2', bodies)
      await client.stop('b1')
      await client.stop('b2')
    },
  },
  Failing: {
    name: 'gets what it could not handle again, under its own topic',
    async run({ broker, client }) {
      // A client looks for the topic of its retries when it starts, and then not for half a minute.
      await client.start('first', 'failing', 'g-failing', 'Failing')
      await client.stop('first')
      const bodies = await send(broker, 'Failing', 3)
      await client.start('failing', 'failing', 'g-failing', 'Failing')
      // One that stops may still handle what it had asked for.
      const got = await all(client, 'failing', [...bodies, ...bodies, ...bodies], 'first')
      assert.deepEqual(got.map(({ reconsumeTimes }) => reconsumeTimes).sort(), [0, 0, 0, 1, 1, 1, 2, 2, 2])
      assert.deepEqual(new Set(got.map(({ topic }) => topic)), new Set(['Failing']))
      await client.stop('failing')
    },
  },
  FailingTogether: {
    name: 'gets what it could not handle again, and what came together with that',
    async run({ broker, client }) {
      await client.start('first', 'failing', 'g-together', 'FailingTogether')
      await client.stop('first')
      const bodies = await send(broker, 'FailingTogether', 3)
      await client.start('together', 'failing', 'g-together', 'FailingTogether')
      const last = (): string[] => bodiesOf(gotBy(client, 'together', 'first').filter((one) => one.reconsumeTimes === 2)).sort()
      await until(() => last().length === 3)
      assert.deepEqual(last(), bodies)
      assert.equal(broker.store.bounds('%RETRY%g-together').maxOffset, 6)
      await client.stop('together')
    },
  },
  Dead: {
    name: 'that always fails leaves the message among the dead letters of its group',
    async run({ broker, client }) {
      const bodies = await send(broker, 'Dead', 2)
      await client.start('dead', 'refusing', 'g-dead', 'Dead')
      await all(client, 'dead', [...bodies, ...bodies])
      await until(() => broker.store.bounds('%DLQ%g-dead').maxOffset === 2)
      const { messages } = await broker.store.get({ topic: '%DLQ%g-dead', offset: 0 })
      assert.deepEqual(messages.map(({ body, properties }) => `${body.toString()} ${properties['RETRY_TOPIC']}`).sort(), [
        'm0 Dead',
        'm1 Dead',
      ])
      await client.stop('dead')
    },
  },
  Lite: {
    name: 'that pulls as it likes gets everything',
    async run({ broker, client }) {
      const first = await send(broker, 'Lite', 50, 'a')
      await client.start('lite', 'lite', 'g-lite', 'Lite')
      await all(client, 'lite', first)
      const second = await send(broker, 'Lite', 10, 'b')
      await all(client, 'lite', [...first, ...second])
      await client.stop('lite')
    },
  },
  Shared: {
    name: 'shares a topic, and what a member had that died',
    async run({ broker, client, start }) {
      const other = await start()
      await client.start('s1', 'concurrent', 'g-shared', 'Shared')
      await other.start('s2', 'concurrent', 'g-shared', 'Shared')
      const seen = (): Got[] => [...gotBy(client, 's1'), ...other.got]
      const first = await shareOut(broker, 'Shared', seen)
      await other.kill()
      const second = await send(broker, 'Shared', 40, 'after')
      await until(() => second.every((body) => bodiesOf(gotBy(client, 's1')).includes(body)))
      assert.deepEqual([...new Set(bodiesOf(seen()))].sort(), [...first, ...second].sort())
      await client.stop('s1')
    },
  },
  Mixed: {
    name: 'is a member of one group with a consumer of this process, and each message comes once',
    async run({ broker, client }) {
      const local: string[] = []
      const consumer = broker.consumer({ group: 'g-mixed', subscribe: { Mixed: '*' }, startAt: 'first', name: 'x' })
      const reading = (async () => {
        for await (const delivery of consumer) {
          local.push(delivery.message.body.toString())
          await delivery.ack()
        }
      })()
      await client.start('mixed', 'concurrent', 'g-mixed', 'Mixed')
      const own = (): Got[] => gotBy(client, 'mixed')
      const first = await shareOut(broker, 'Mixed', own, () => local)
      await until(() => consumer.queues.filter(({ topic }) => topic === 'Mixed').length === QUEUES / 2)
      const second = await send(broker, 'Mixed', 200, 'later')
      await until(() => local.length + own().length >= first.length + second.length)
      assert.deepEqual([...local, ...bodiesOf(own())].sort(), [...first, ...second].sort())
      await client.stop('mixed')
      await consumer.close()
      await reading
    },
  },
} satisfies Readonly<Record<string, Case>>

/** Names of the cases. */
export type ConsumerCase = keyof typeof consumerCases

/** The topics of the cases. */
export function topicsOf(names: readonly ConsumerCase[]): Record<string, { queues: number }> {
  return Object.fromEntries(names.map((name) => [name, { queues: QUEUES }]))
}

/** Runs cases at the same time: what is tried again comes when it comes. */
export async function runCases(t: TestContext, names: readonly ConsumerCase[], setting: CaseSetting): Promise<void> {
  await t.test('a consumer', { concurrency: true }, async (all) => {
    await Promise.all(names.map((name) => all.test(consumerCases[name].name, () => consumerCases[name].run(setting))))
  })
}
