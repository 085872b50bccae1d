/** Answers with very many rows: they are made in steps, one at a time, and nobody else waits for them. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { systemTimers } from '../../lib/base/system.js'
import { TurnShare } from '../../lib/base/turn-share.js'
import { printTopicConfig } from '../../lib/broker/config/topic-config.js'
import { printBody } from '../../lib/remoting/body-json.js'
import { RemotingClient } from '../../lib/remoting/client.js'
import { brokerRequests, responseCodes } from '../../lib/remoting/codes.js'
import { type Command, type CommandParts, request } from '../../lib/remoting/command.js'
import { longBody, sharedMaking } from '../../lib/remoting/commands/long-answers.js'
import { freshDisk, root } from '../support/open-store.js'
import { type ServedForTest, serveBroker } from '../support/serve-broker.js'

const { GET_ALL_TOPIC_CONFIG, GET_ALL_SUBSCRIPTIONGROUP_CONFIG, GET_ALL_CONSUMER_OFFSET, GET_MAX_OFFSET } = brokerRequests

/** A broker with so many topics. */
async function serve(t: TestContext, count: number): Promise<ServedForTest> {
  const disk = freshDisk()
  const names = Array.from({ length: count }, (_, i) => `topic-${i}`)
  const row = (topic: string): string => `"${topic}":{"topicName":"${topic}","readQueueNums":1,"writeQueueNums":1,"perm":6}`
  const text = `{"dataVersion":{"counter":1},"topicConfigTable":{${names.map(row).join(',')}}}`
  disk.makeDirectory(`${root}/config`)
  const file = disk.open(`${root}/config/topics.json`, { write: true, create: true })
  file.writeAt(Buffer.from(text), 0)
  file.close()
  return serveBroker(t, { disk, options: { groups: { G: {}, H: {} } } })
}

describe('an answer with a row for each of very many topics', () => {
  test('is written in steps, so that others have their turn', async () => {
    let now = 0
    let [inTurn, most] = [0, 0]
    const timers = {
      endOfTurn: (goOn: () => void) => {
        systemTimers.endOfTurn(() => {
          inTurn = 0
          goOn()
        })
      },
    }
    const print = (row: number): string => {
      now++
      most = Math.max(most, ++inTurn)
      return `${row}`
    }
    const rows = Array.from({ length: 1000 }, (_, i) => i)
    const share = new TurnShare({ monotonic: () => now }, timers)
    const body = await longBody(share, { head: '[', rows, print, tail: ']' })
    assert.deepEqual(JSON.parse(body.toString()), rows)
    assert.ok(most < 80, `${most} rows, a millisecond each, in one turn`)
    assert.equal((await longBody(share, { head: '[', rows: [], print, tail: ']' })).toString(), '[]')
  })

  test('is made once for all who ask before it is begun, and again for who asks later, one at a time', async () => {
    const ends: ((fails?: Error) => void)[] = []
    const get = sharedMaking(
      () =>
        new Promise<number>((resolve, reject) => {
          const number = ends.length
          ends.push((fails) => (fails === undefined ? resolve(number) : reject(fails)))
        }),
    )
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    const first = [get(), get()]
    await turn()
    const second = [get(), get()]
    await turn()
    assert.equal(ends.length, 1)
    ends[0]!(new Error('no'))
    for (const one of first) await assert.rejects(one, /no/)
    await turn()
    assert.equal(ends.length, 2)
    ends[1]!()
    assert.deepEqual(await Promise.all(second), [1, 1])
  })

  test('does not keep the requests of others waiting', async (t) => {
    const served = await serve(t, 20_000)
    const other = new RemotingClient()
    t.after(() => other.close(100))
    const askOther = (): Promise<Command> =>
      other.invoke(served.address, request(GET_MAX_OFFSET, { ext: { topic: 'topic-1', queueId: 0 } }))
    assert.equal((await askOther()).code, 0)
    let isDone = false
    const listing = served.ask(GET_ALL_TOPIC_CONFIG).finally(() => {
      isDone = true
    })
    let count = 0
    for (; !isDone; count++) assert.equal((await askOther()).code, 0)
    assert.ok(count > 10, `${count} answered meanwhile`)
    assert.ok((await listing).body.length > 1_000_000)
  })

  test('is what it would be if it were written at once, and the same peer is answered in order', async (t) => {
    const served = await serve(t, 100)
    const { topics, groups } = served.broker
    const order: number[] = []
    const ask = async (code: number, parts?: CommandParts): Promise<Command> => {
      const answered = await served.ask(code, parts)
      order.push(code)
      assert.equal(answered.code, responseCodes.SUCCESS)
      return answered
    }
    const codes = [GET_ALL_TOPIC_CONFIG, GET_ALL_SUBSCRIPTIONGROUP_CONFIG, GET_ALL_CONSUMER_OFFSET]
    const answers = await Promise.all([
      ...codes.map((code) => ask(code)),
      ask(GET_MAX_OFFSET, { ext: { topic: 'topic-1', queueId: 0 } }),
    ])
    assert.deepEqual(order, [...codes, GET_MAX_OFFSET])
    const [allTopics, allGroups, allOffsets] = answers.map(({ body }) => body.toString())
    const table = Object.fromEntries(topics.list({ system: true }).map((one) => [one.topic, printTopicConfig(one)]))
    assert.equal(allTopics!.replace(/^.*?"topicConfigTable":/, ''), `${printBody(table).toString()}}`)
    const said = JSON.parse(allGroups!) as { forbiddenTable: object; subscriptionGroupTable: object }
    assert.deepEqual(
      Object.keys(said.subscriptionGroupTable),
      groups.list({ system: true }).map(({ group }) => group),
    )
    assert.equal(allOffsets, '{"offsetTable":{}}')
  })

  test('about how far all groups are looks through what is kept of them once', async (t) => {
    const disk = freshDisk()
    const put = (name: string, table: string, rows: readonly string[]): void => {
      const file = disk.open(`${root}/config/${name}.json`, { write: true, create: true })
      file.writeAt(Buffer.from(`{"${table}":{${rows.join(',')}}}`), 0)
      file.close()
    }
    const each = (row: (i: number) => string): string[] => Array.from({ length: 2000 }, (_, i) => row(i))
    disk.makeDirectory(`${root}/config`)
    put(
      'topics',
      'topicConfigTable',
      each((i) => `"t${i}":{"topicName":"t${i}","readQueueNums":1,"writeQueueNums":1,"perm":6}`),
    )
    put(
      'subscriptionGroup',
      'subscriptionGroupTable',
      each((i) => `"g${i}":{"groupName":"g${i}"}`),
    )
    put(
      'consumerOffset',
      'offsetTable',
      each((i) => `"t${i}@g${i}":{0:0}`),
    )
    const served = await serveBroker(t, { disk })
    const { offsets } = served.broker.served
    const entries = t.mock.method(offsets, 'entries')
    const { body } = await served.ask(brokerRequests.GET_BROKER_CONSUME_STATS, { ext: { isOrder: false } })
    assert.equal(entries.mock.callCount(), 1)
    assert.equal([...body.toString().matchAll(/"g\d+":\[/g)].length, 2000)
  })
})
