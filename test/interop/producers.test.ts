/**
 * RocketMQ's own clients and administration program, unchanged, against `mqlite serve`: what producers send is in the
 * store, and what the tools say of it is true.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { MOST_IN_BATCH } from '../../lib/broker/serving/client-send.js'
import { generations } from './java-build.js'
import { mqadmin, runClient, startNameServer } from './java-servers.js'
import { type Sent, sentOf } from './line-client.js'
import { checkOrder, checkSent, messagesOf, textOf } from './sent.js'
import { serve } from './served.js'

const COUNT = 40

/** The lines of `Producers`. */
function sentLines(output: string): Sent[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('SENT '))
    .map((line) => sentOf(line.trim().split(' ')))
}

for (const generation of generations) {
  describe(`the producers of ${generation}`, () => {
    test('send one by one, without waiting, without an answer, in batches and in order, and all of it is there', async (t) => {
      const topic = 'interop_producers'
      const served = await serve(t, '--auto-create-topics')
      const output = await runClient(t, generation, 'Producers', [served.nameServer, topic, String(COUNT)])
      assert.ok(!output.includes('FAILED'), output)
      const sent = sentLines(output)
      assert.equal(sent.length, COUNT * 3 + 2, output)
      const store = await served.stop()
      await checkSent(store, topic, sent)
      const messages = await messagesOf(store, topic)
      const small = ['sync', 'async', 'oneway', 'batch', 'ordered'].flatMap((kind) =>
        Array.from({ length: COUNT }, (_, i) => `${kind}-${i}`),
      )
      const texts = messages.map(textOf)
      assert.deepEqual(texts.filter((text) => text.length < 100).sort(), small.sort())
      assert.deepEqual(
        texts.filter((text) => text.length >= 100).map((text) => text.length),
        [100_000],
      )
      checkOrder(messages)
      const report = await store.verify()
      assert.deepEqual(report.findings, [])
    })

    // RocketMQ's broker names each message too, with 33 bytes in the header of the answer.
    test('take the answer to a batch as large as it may be, half a megabyte of ids', async (t) => {
      const topic = 'interop_big_batch'
      const served = await serve(t, '--topic', `${topic}:1`)
      const output = await runClient(t, generation, 'BigBatch', [served.nameServer, topic, String(MOST_IN_BATCH)])
      assert.match(output, new RegExp(`^SENT SEND_OK ${MOST_IN_BATCH} ${MOST_IN_BATCH} 0$`, 'm'))
      const messages = await messagesOf(await served.stop(), topic)
      assert.deepEqual(
        messages.map(textOf),
        Array.from({ length: MOST_IN_BATCH }, (_, i) => String(i)),
      )
    })
  })
}

for (const [type, sysFlag] of [
  ['LZ4', 0x101],
  ['ZSTD', 0x201],
] as const) {
  test(`what a producer of 5.3.3 compresses by ${type} can be read`, async (t) => {
    const topic = 'interop_compressed'
    const served = await serve(t, '--topic', `${topic}:1`)
    const output = await runClient(t, '5.3.3', 'Producers', [served.nameServer, topic, '1', type])
    const messages = await messagesOf(await served.stop(), topic)
    const [large] = messages.filter((message) => message.sysFlag !== 0)
    assert.ok(large !== undefined, output)
    const text = Array.from({ length: 100_000 }, (_, i) => 'abcdefg'[i % 7]).join('')
    assert.deepEqual([large.sysFlag, textOf(large) === text], [sysFlag, true])
  })
}

for (const generation of generations) {
  test(`of the transactions of ${generation}, those that are committed are delivered, and no others`, async (t) => {
    const served = await serve(t, '--topic', 'interop_transactions:2')
    const output = await runClient(t, generation, 'Transactions', [served.nameServer, 'interop_transactions', '30', '1'])
    assert.equal([...output.matchAll(/^SENT \d+ SEND_OK /gm)].length, 30, output)
    const store = await served.stop()
    const messages = await messagesOf(store, 'interop_transactions')
    const committed = Array.from({ length: 10 }, (_, i) => `transaction-${i * 3}`)
    assert.deepEqual(messages.map(textOf).sort(), committed.sort())
    const keys = new Map(
      [...output.matchAll(/^SENT (\d+) SEND_OK \w+ (\w+) /gm)].map(([, number, key]) => [`transaction-${number}`, key]),
    )
    for (const message of messages) assert.equal(message.uniqueKey, keys.get(textOf(message)))
  })
}

test('a producer of 5.3.3 is asked about transactions that it left open, with the message as it sent it, and its answer counts', async (t) => {
  const topic = 'interop_transactions'
  const served = await serve(t, '--topic', `${topic}:2`)
  const output = await runClient(t, '5.3.3', 'Transactions', [served.nameServer, topic, '6', '60'])
  const asked = [...output.matchAll(/^ASKED (\S+) ([01]) (\S+) (\S+)$/gm)].map(([, of, , keys, body]) => [of, keys, body])
  const open = ['transaction-2', 'transaction-5']
  assert.deepEqual(
    asked.sort(),
    open.map((text) => [topic, text, text]),
    output,
  )
  const messages = await messagesOf(await served.stop(), topic)
  assert.deepEqual(messages.map(textOf).sort(), ['transaction-0', 'transaction-2', 'transaction-3', 'transaction-5'])
})

test('a real name server of 5.3.3 leads producers to the broker, which tells it of topics as they are made', async (t) => {
  const names = await startNameServer(t, '5.3.3')
  const served = await serve(t, '--no-name-server', '--name-servers', names.address, '--topic', 'here:3', '--auto-create-topics')
  const sent: Sent[][] = []
  for (const topic of ['here', 'on_first_use']) {
    const output = await runClient(t, '4.9.8', 'Producers', [names.address, topic, '5'])
    sent.push(sentLines(output))
  }
  assert.deepEqual(
    sent.map(({ length }) => length),
    [17, 17],
  )
  assert.match(await mqadmin(t, '5.3.3', ['topicRoute', '-n', names.address, '-t', 'on_first_use']), /"brokerName":\s*"mqlite"/)
  const store = await served.stop()
  await checkSent(store, 'here', sent[0]!)
  await checkSent(store, 'on_first_use', sent[1]!)
  assert.ok(!(await mqadmin(t, '5.3.3', ['clusterList', '-n', names.address])).includes('mqlite'))
})

describe('mqadmin of 5.3.3', () => {
  const admin = (t: TestContext, ...line: string[]): Promise<string> => mqadmin(t, '5.3.3', line)

  test('makes topics, and says of topics, messages and the cluster what is true', async (t) => {
    const served = await serve(t, '--topic', 'made:2')
    const names = ['-n', served.nameServer]
    assert.match(await admin(t, 'updateTopic', ...names, '-c', 'DefaultCluster', '-t', 'wanted', '-r', '3', '-w', '2'), /success/)
    const list = (await admin(t, 'topicList', ...names)).split('\n')
    assert.ok(list.includes('wanted') && list.includes('made') && !list.includes('TBW102'), list.join('\n'))
    const route = await admin(t, 'topicRoute', ...names, '-t', 'wanted')
    assert.match(route, /"readQueueNums":\s*3/)
    assert.match(route, /"writeQueueNums":\s*2/)
    assert.ok(route.includes(served.broker), route)

    const output = await runClient(t, '5.3.3', 'Producers', [served.nameServer, 'wanted', '10'])
    const sent = sentLines(output)
    const { messageIds, uniqueKeys, queueId, queueOffset } = sent.find(({ kind, number }) => kind === 'sync' && number === 7)!
    const status = await admin(t, 'topicStatus', ...names, '-t', 'wanted')
    const counts = [...status.matchAll(/^mqlite\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S.*)$/gm)].map((match) =>
      match.slice(1, 4).map(Number),
    )
    assert.deepEqual(
      counts.map(([queue]) => queue),
      [0, 1, 2],
      status,
    )
    assert.equal(
      counts.reduce((sum, [, min, max]) => sum + max! - min!, 0),
      51,
      status,
    )

    const byId = await admin(t, 'queryMsgById', ...names, '-t', 'wanted', '-i', messageIds[0]!)
    for (const [field, value] of Object.entries({
      OffsetID: messageIds[0],
      Topic: 'wanted',
      Tags: '[sync]',
      Keys: '[sync-7]',
      'Queue ID': queueId,
      'Queue Offset': queueOffset,
      'Store Host': served.broker,
    })) {
      assert.match(byId, new RegExp(`^${field}:\\s+${String(value).replaceAll(/[[\].]/g, '\\$&')}$`, 'm'), byId)
    }
    const byKey = await admin(t, 'queryMsgByKey', ...names, '-t', 'wanted', '-k', 'sync-7')
    assert.match(byKey, new RegExp(`^${uniqueKeys[0]}\\s+${queueId}\\s+${queueOffset}$`, 'm'))

    const cluster = await admin(t, 'clusterList', ...names)
    assert.match(cluster, new RegExp(`^DefaultCluster\\s+mqlite\\s+0\\s+${served.broker.replaceAll('.', '\\.')}\\s+V5_3_3`, 'm'))
    const broker = await admin(t, 'brokerStatus', ...names, '-b', served.broker)
    const end = Number(/^commitLogMaxOffset\s*:\s*(\d+)$/m.exec(broker)?.[1])
    assert.match(await admin(t, 'deleteTopic', ...names, '-c', 'DefaultCluster', '-t', 'made'), /success/)
    assert.ok(!(await admin(t, 'topicList', ...names)).split('\n').includes('made'))
    const store = await served.stop()
    assert.equal(end, store.metrics.snapshot()['commitLogEnd'])
    assert.deepEqual([...new Set(store.queues().map(({ topic }) => topic))], ['wanted'])
  })
})
