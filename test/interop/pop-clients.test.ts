/** Push consumers of RocketMQ 5.3.3 that are told by its administration program to pop, against our broker. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Broker } from '../../lib/broker/broker.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { startConsumers } from './java-consumers.js'
import { mqadmin } from './java-servers.js'
import { type Got, until } from './line-client.js'

const topics = ['Popped', 'Slow', 'Late']

async function send(broker: Broker, topic: string, count: number, prefix = 'm'): Promise<string[]> {
  const bodies = Array.from({ length: count }, (_, i) => `${prefix}${i}`)
  for (const [i, body] of bodies.entries()) await broker.send({ topic, body, queueId: i % 2, tags: i % 2 === 0 ? 'even' : 'odd' })
  return bodies
}

/** How far all queues of a topic and its retries are settled: nothing is out, and nothing comes again. */
function isSettled({ served: { pop, offsets, store } }: Broker, topic: string, group: string): boolean {
  const left = [topic, `%RETRY%${group}_${topic}`].some((name) =>
    [0, 1].some((queueId) => store.bounds(name, queueId).maxOffset > (offsets.find(name, group, queueId) ?? 0)),
  )
  return !left && pop.outstanding === 0
}

/** A broker whose groups are told to pop. */
async function serveGroupsThatPop(t: TestContext) {
  const options = {
    topics: Object.fromEntries(topics.map((topic) => [topic, { queues: 2 }])),
    groups: Object.fromEntries(topics.map((topic) => [`g-${topic}`, {}])),
    offsetIntervalMs: 200,
  }
  const { broker, server } = await serveBroker(t, { options })
  const names = endpointText(server.nameServerEndpoint!)
  for (const topic of topics) {
    const line = ['setConsumeMode', '-n', names, '-c', 'DefaultCluster', '-t', topic, '-g', `g-${topic}`, '-m', 'POP', '-q', '0']
    assert.match(await mqadmin(t, '5.3.3', line), /success/)
  }
  return { broker, names }
}

test('consumers of 5.3.3 that pop', async (t) => {
  const { broker, names } = await serveGroupsThatPop(t)
  const java = await startConsumers(t, '5.3.3', names)
  const of = (...who: string[]): Got[] => java.got.filter(({ name }) => who.includes(name))
  const bodiesOf = (got: readonly Got[]): string[] => got.map(({ body }) => body).sort()

  await t.test('share the queues with each other and with one of this process, and get each message once', async () => {
    await java.start('p1', 'popping', 'g-Popped', 'Popped')
    await java.start('p2', 'popping', 'g-Popped', 'Popped')
    await java.start('p3', 'popping', 'g-Popped', 'Popped')
    const local: string[] = []
    const own = broker.popConsumer({ group: 'g-Popped', subscribe: { Popped: '*' } })
    const running = own.run((message) => local.push(message.body.toString()))
    const bodies: string[] = []
    const gotIt = (): string[] => [...local, ...bodiesOf(of('p1', 'p2', 'p3'))]
    for (let i = 0; i < 300 && (local.length === 0 || of('p1').length * of('p2').length * of('p3').length === 0); i++) {
      bodies.push(...(await send(broker, 'Popped', 8, `${i}-`)))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await until(
      () => gotIt().length >= bodies.length,
      () => `${gotIt().length} of ${bodies.length} came`,
    )
    assert.deepEqual(gotIt().sort(), bodies.sort())
    await until(() => isSettled(broker, 'Popped', 'g-Popped'))
    await own.close()
    await running
    for (const name of ['p1', 'p2', 'p3']) await java.stop(name)
  })

  await t.test('get a message again that they did not acknowledge in time', async () => {
    // As many as it has threads: none waits for its turn while its time runs.
    const bodies = await send(broker, 'Slow', 2)
    await java.start('s', 'slow', 'g-Slow', 'Slow', '*')
    await until(() => of('s').filter(({ reconsumeTimes }) => reconsumeTimes === 1).length === 2)
    const got = of('s')
    assert.deepEqual(new Set(got.map(({ topic }) => topic)), new Set(['Slow']))
    assert.deepEqual(bodiesOf(got.filter(({ reconsumeTimes }) => reconsumeTimes === 0)), bodies)
    assert.deepEqual(bodiesOf(got.filter(({ reconsumeTimes }) => reconsumeTimes === 1)), bodies)
    await until(() => isSettled(broker, 'Slow', 'g-Slow'))
    await java.stop('s')
  })

  await t.test('get what they could not handle again, later and only what has their tags', async () => {
    await send(broker, 'Late', 4)
    await java.start('l', 'late', 'g-Late', 'Late', 'even')
    await until(() => of('l').length >= 4)
    const got = of('l').map(({ topic, reconsumeTimes, body }) => `${topic} ${reconsumeTimes} ${body}`)
    assert.deepEqual(got.sort(), ['Late 0 m0', 'Late 0 m2', 'Late 1 m0', 'Late 1 m2'])
    await until(() => isSettled(broker, 'Late', 'g-Late'))
    await java.stop('l')
  })
})
