/**
 * Push consumers of RocketMQ that no pull tells of a reset: busy ones, which do not pull, and those that broadcast, which
 * keep their own offsets. They are told, let go of what they have, and get the messages again. And each says how far it is.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consumeRequests } from '../../lib/remoting/commands/consume-codes.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { serveBroker } from '../support/serve-broker.js'
import { startAdmin } from './admin-process.js'
import { generations } from './java-build.js'
import { startConsumers } from './java-consumers.js'
import { until } from './line-client.js'

const COUNT = 8

test('consumers that are busy, and those that broadcast, go back where an administrator sends them', async (t) => {
  const topics = Object.fromEntries(
    generations.flatMap((one) => [`Busy-${one}`, `All-${one}`].map((name, i) => [nameOf(name), { queues: i + 1 }])),
  )
  const { broker, server, ask } = await serveBroker(t, { options: { topics } })
  const names = endpointText(server.nameServerEndpoint!)
  const bodies = Array.from({ length: COUNT }, (_, i) => `m${i}`)
  for (const topic of Object.keys(topics))
    for (const [i, body] of bodies.entries()) await broker.send({ topic, body, queueId: i % topics[topic]!.queues })
  const runs = generations.map(async (generation) => {
    const [busy, all, group, everybody] = [
      `Busy-${generation}`,
      `All-${generation}`,
      `g-busy-${generation}`,
      `g-all-${generation}`,
    ].map(nameOf)
    const java = await startConsumers(t, generation, names)
    const admin = startAdmin(t, generation)
    await java.start('busy', 'busy', group!, busy!)
    for (const name of ['one', 'two']) await java.start(name, 'broadcast', everybody!, all!)
    const seen = (name: string): string[] =>
      java.got
        .filter((one) => one.name === name)
        .map(({ body }) => body)
        .sort()
    const times = (count: number): string[] => bodies.flatMap((body) => Array<string>(count).fill(body))
    const got = (count: number) => (): boolean => ['busy', 'one', 'two'].every((name) => seen(name).length === count * COUNT)
    await until(got(1))
    for (const [topic, of] of [
      [busy, group],
      [all, everybody],
    ] as const)
      assert.match(await admin('resetOffsetByTime', '-n', names, '-g', of!, '-t', topic!, '-s', '0'), new RegExp(topic!))
    await until(got(2))
    for (const name of ['busy', 'one', 'two']) assert.deepEqual(seen(name), times(2))
    const { code, body } = await ask(consumeRequests.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, {
      ext: { topic: all, group: everybody },
    })
    assert.equal(code, 0)
    const queue = (id: number): string => `\\{[^}]*"queueId":${id},"topic":"${all}"\\}:${COUNT / 2}`
    for (const name of ['one', 'two'])
      assert.match(
        body.toString(),
        new RegExp(`"[^"]*@${name}[^"]*":\\{${queue(0)},${queue(1)}\\}|"[^"]*@${name}[^"]*":\\{${queue(1)},${queue(0)}\\}`),
      )
  })
  await Promise.all(runs)
})

/** Names of topics and groups have no dots. */
function nameOf(text: string): string {
  return text.replaceAll('.', '_')
}
