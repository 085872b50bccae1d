/** RocketMQ's administration program, unchanged, asks our broker about counts, queues, producers and consumers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerRequests } from '../../lib/remoting/codes.js'
import { endpointText } from '../../lib/remoting/endpoint.js'
import { inWords } from '../support/client-messages.js'
import { serveBroker } from '../support/serve-broker.js'
import { generations, type ServerRelease } from './java-build.js'
import { startConsumers } from './java-consumers.js'
import { mqadmin } from './java-servers.js'
import { until } from './line-client.js'

const COUNT = 12

test('the administration programs tell what a broker has counted and keeps', async (t) => {
  const { broker, server, client, ask } = await serveBroker(t, {
    options: { topics: { Asked: { queues: 2 } }, offsetIntervalMs: 200 },
  })
  const names = ['-n', endpointText(server.nameServerEndpoint!)]
  const address = endpointText(server.endpoint)
  // As a client sends them: the records name our server, and there the program asks about them.
  for (let i = 0; i < COUNT; i++)
    await ask(brokerRequests.SEND_MESSAGE, inWords({ topic: 'Asked', queueId: i % 2, body: `m${i}`, properties: { TAGS: 'a' } }))
  // Who says nothing for two minutes is cut off.
  await client.close(1000)
  await broker.store.put({ topic: 'Forgotten', body: 'x' })
  const admin = (release: ServerRelease, ...line: string[]): Promise<string> => mqadmin(t, release, line)
  for (const generation of generations) {
    const group = `asked-${generation.replaceAll('.', '_')}`
    const java = await startConsumers(t, generation, names[1]!)
    await java.start(`c-${group}`, 'concurrent', group, 'Asked')
    await until(() => java.got.length === COUNT)
    await until(() => [0, 1].every((queueId) => broker.served.offsets.find('Asked', group, queueId) === COUNT / 2))
    const release = generation === '4.9.8' ? '4.9.7' : '5.3.3'
    assert.match(await admin(release, 'statsAll', ...names, '-t', 'Asked'), new RegExp(`^Asked +${group} +0 +`, 'm'))
    const all = await admin(release, 'brokerConsumeStats', ...names, '-b', address)
    assert.match(all, new RegExp(`^Asked +${group} +\\S+ +[01] +6 +6 +0 `, 'm'))
    // Known with the next heartbeat of the client that has it.
    await until(() => broker.served.registry.producers('CLIENT_INNER_PRODUCER').length > 0)
    assert.match(
      await admin(release, 'producer', ...names, '-b', address),
      /producer group \(CLIENT_INNER_PRODUCER\) instance : clientId=\S+@c-asked/,
    )
    assert.match(
      await admin(release, 'queryCq', ...names, '-t', 'Asked', '-q', '1', '-i', '2', '-b', address),
      /idx: 2\s+ConsumeQueueData\{physicOffset=\d+, physicSize=\d+, tagsCode=97, /,
    )
    const clientId = broker.served.registry.clientIds(group)[0]!
    const first = (await broker.store.get({ topic: 'Asked', queueId: 0, offset: 0 })).messages[0]!
    const topic = release === '5.3.3' ? ['-t', 'Asked'] : []
    const line = ['queryMsgById', ...names, ...topic, '-i', first.messageId, '-g', group, '-d', clientId]
    assert.match(await admin(release, ...line), /consumeResult=CR_SUCCESS/)
    await until(() => java.got.length === COUNT + 1)
    await java.stop(`c-${group}`)
  }
  assert.match(await admin('5.3.3', 'getNamesrvConfig', ...names), /orderMessageEnable += +false/)
  assert.match(await admin('5.3.3', 'cleanExpiredCQ', ...names, '-b', address), /success/)
  assert.match(await admin('5.3.3', 'cleanUnusedTopic', ...names, '-b', address), /success/)
  assert.deepEqual(
    broker.store.queues().filter(({ topic }) => topic === 'Forgotten'),
    [],
  )
})
