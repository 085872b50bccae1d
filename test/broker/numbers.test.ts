/** What a broker tells of itself: counts, rates, backlogs, members; channels; metrics for Prometheus. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { channels } from '../../lib/broker/numbers/channels.js'
import { Counters } from '../../lib/broker/numbers/counters.js'
import { Meter, Minute } from '../../lib/broker/numbers/meter.js'
import { prometheusMetrics, registerPrometheus } from '../../lib/broker/numbers/prometheus.js'
import type { PrometheusConfiguration } from '../../lib/broker/numbers/prometheus-module.js'
import type { Broker } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal, take } from '../support/open-broker.js'

const topics = { orders: { queues: 2 } }
const document = readFileSync(fileURLToPath(new URL('../../../docs/numbers.md', import.meta.url)), 'utf8')

test('numbers of very many topics are taken a few at a time, so that others have their turn', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`t${i}`, { queues: 1 }]))
  const broker = await openTestBroker(t, { options: { topics: many } })
  for (const topic of Object.keys(many)) await broker.send({ topic, body: 'x' })
  const { store, metrics } = broker
  let turns = 0
  /** In which turn each topic was looked at last. */
  const lookedAt = new Map<string, number>()
  const bounds = store.bounds.bind(store)
  t.mock.method(store, 'bounds', (topic: string, queueId: number) => {
    const end = performance.now() + (topic in many ? 1 : 0)
    while (performance.now() < end);
    if (topic in many) lookedAt.set(topic, turns)
    return bounds(topic, queueId)
  })
  const turn = (): void => {
    turns++
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  t.after(() => clearImmediate(next))
  const { topics } = await metrics.snapshot()
  assert.ok(topics.length >= 200)
  assert.equal(lookedAt.size, 200)
  assert.ok(new Set(lookedAt.values()).size > 10, 'all were looked at in a few turns')
})

describe('a meter', () => {
  test('knows how fast its count grew over the last minute, and forgets what was before', () => {
    const time = new ManualTime()
    const minute = new Minute(time)
    const meter = new Meter(1000)
    assert.equal(meter.perSecond(minute), 0)
    const rates: number[] = []
    for (let i = 0; i < 20; i++) {
      meter.count += i < 10 ? 50 : 0
      time.advance(10_000)
      rates.push(meter.perSecond(minute))
      meter.sample(minute.advance())
    }
    assert.deepEqual(rates.slice(0, 10), new Array(10).fill(5))
    assert.equal(rates.at(-1), 0)
  })
})

describe('counters', () => {
  test('of a topic or group that is gone are gone', () => {
    const counters = new Counters()
    for (let i = 0; i < 100; i++) {
      counters.topic(`t${i}`)
      counters.group(`t${i}`, `g${i}`).queue(0)
    }
    for (let i = 0; i < 50; i++) counters.forget({ topic: `t${i}` })
    for (let i = 50; i < 100; i++) counters.forget({ group: `g${i}` })
    assert.deepEqual([...counters.groups], [])
  })
})

describe('a snapshot', () => {
  test('has what came in and went out, how fast, and what is left, by topic, group and queue', async (t) => {
    const { broker, time } = await manual(t)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    for (let i = 0; i < 6; i++) await broker.send({ topic: 'orders', body: `${i}`, queueId: i % 2 })
    await broker.send({ topic: 'orders', body: 'x', shardingKey: 'k' })
    const [first, second] = await take(consumer, 5)
    await first!.ack()
    await second!.retry()
    time.advance(5000)
    const { at, since, topics: all, groups } = await broker.metrics.snapshot()
    assert.equal(at - since, 5000)
    const orders = all.find(({ topic }) => topic === 'orders')!
    assert.equal(orders.messagesIn, 7)
    assert.equal(orders.messagesInPerSecond, 7 / 5)
    assert.equal(orders.isSystem, false)
    assert.deepEqual(
      orders.kinds.map(({ kind, messages }) => [kind, messages]),
      [
        ['normal', 6],
        ['fifo', 1],
      ],
    )
    assert.equal(orders.backlog, 5)
    assert.equal(
      orders.queues.reduce((sum, { messagesInPerSecond }) => sum + messagesInPerSecond, 0),
      7 / 5,
    )
    const g = groups.find(({ group }) => group === 'g')!
    assert.equal(g.members.length, 1)
    assert.equal(g.members[0]!.clientId, consumer.clientId)
    assert.equal(g.model, 'clustering')
    const { messagesOut, acknowledged, retries, deadLetters, inFlight, backlog, backlogMs, acknowledgedPerSecond } = g
    assert.deepEqual(
      { messagesOut, acknowledged, retries, deadLetters, inFlight, backlog, backlogMs, acknowledgedPerSecond },
      {
        messagesOut: 5,
        acknowledged: 1,
        retries: 1,
        deadLetters: 0,
        inFlight: 3,
        backlog: 5,
        backlogMs: 5000,
        acknowledgedPerSecond: 0.2,
      },
    )
    assert.equal(g.oldest, at - 5000)
    assert.deepEqual(
      g.topics.map(({ topic, isRetry }) => [topic, isRetry]),
      [
        ['%RETRY%g', true],
        ['orders', false],
      ],
    )
    assert.deepEqual(JSON.parse(JSON.stringify(g)).topics[1].queues.length, 2)
  })

  test('counts what is out down again when a consumer closes, and dead letters where they began', async (t) => {
    const { broker } = await manual(t)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 0 })
    for (let i = 0; i < 3; i++) await broker.send({ topic: 'orders', body: 'x', queueId: 0 })
    const [first] = await take(consumer, 3)
    await first!.retry()
    await consumer.close()
    const [g] = (await broker.metrics.snapshot()).groups
    assert.equal(g!.inFlight, 0)
    assert.equal(g!.backlog, 2)
    assert.deepEqual(g!.members, [])
    assert.equal(g!.deadLetters, 1)
    assert.equal(g!.deadLettersThere, 1)
    assert.equal(g!.topics.find(({ topic }) => topic === 'orders')!.deadLetters, 1)
  })

  test('that is asked for twice at once is taken once; a closed broker has none', async (t) => {
    const { broker } = await manual(t)
    const both = [broker.metrics.snapshot(), broker.metrics.snapshot()]
    assert.equal(await both[0], await both[1])
    assert.notEqual(await broker.metrics.snapshot(), await both[0])
    await broker.close()
    await assert.rejects(broker.metrics.snapshot(), refusal('BROKER_CLOSED'))
  })
})

describe('channels', () => {
  test('tell of each message on its way', async (t) => {
    const { broker } = await manual(t)
    const told: [string, object][] = []
    const listen = (message: unknown, name: string | symbol): void => void told.push([String(name), message as object])
    for (const name of Object.keys(channels)) {
      subscribe(name, listen)
      t.after(() => unsubscribe(name, listen))
    }
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 0, name: 'me' })
    const sent = await broker.send({ topic: 'orders', body: 'x', queueId: 1 })
    const { messageId, uniqueKey } = sent
    await (await take(consumer, 1))[0]!.retry()
    await broker.send({ topic: 'orders', body: 'y', queueId: 1 })
    await (await take(consumer, 1))[0]!.ack()
    await consumer.close()
    await settled()
    const place = { broker: broker.store.brokerName, topic: 'orders', queueId: 1, queueOffset: 0, messageId }
    const bytes = (await broker.store.lookup(messageId))!.size
    assert.deepEqual(told[1], ['mqlite:send', { ...place, uniqueKey, bytes }])
    assert.deepEqual(told[2], ['mqlite:deliver', { ...place, group: 'g', attempt: 1, bytes }])
    assert.deepEqual(
      told.map(([name]) => name.slice(7)),
      ['join', 'send', 'deliver', 'sent-back', 'send', 'deliver', 'ack', 'leave'],
    )
  })

  test('are those of the document', () => {
    const listed = [...document.matchAll(/^\| `(mqlite:[a-z-]+)` \|/gm)].map(([, name]) => name)
    assert.deepEqual(listed, Object.keys(channels))
  })
})

describe('metrics for Prometheus', () => {
  test('have the names and labels of RocketMQ 5, each with the value of the moment', async (t) => {
    const { broker } = await manual(t)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    for (let i = 0; i < 3; i++) await broker.send({ topic: 'orders', body: 'x', queueId: 0 })
    const [first] = await take(consumer, 2)
    await first!.ack()
    const registry = new Registry()
    registerPrometheus({ Gauge: Metric, Counter: Metric, register: new Registry() }, broker, { registry })
    for (const round of [1, 2]) {
      const values = await registry.values()
      const common = `cluster="DefaultCluster",node_type="broker",node_id="${broker.store.brokerName}"`
      const group = 'consumer_group="g",is_system="false",is_retry="false"'
      const at = (name: string, labels: string) => values.get(`${name}{${common}${labels}}`)
      const in_ = ',topic="orders",message_type="normal",is_system="false"'
      assert.equal(at('rocketmq_messages_in_total', in_), 3, `round ${round}`)
      assert.equal(at('rocketmq_messages_out_total', `,topic="orders",${group}`), 2)
      assert.equal(at('rocketmq_consumer_lag_messages', `,topic="orders",${group}`), 2)
      assert.equal(at('rocketmq_consumer_inflight_messages', `,topic="orders",${group}`), 1)
      assert.equal(at('rocketmq_consumer_ready_messages', `,topic="orders",${group}`), 1)
      assert.equal(at('rocketmq_consumer_group_number', ''), 1)
    }
  })

  test('are those of the document, with their labels', () => {
    const listed = [...document.matchAll(/^\| `(rocketmq_[a-z_]+)` \| (\w+) \| ([^|]*) \|/gm)]
    const told = listed.map(([, name, kind, labels]) => [name, kind, labels!.split(', ').filter((label) => label !== '')])
    assert.deepEqual(
      told,
      Object.entries(prometheusMetrics).map(([name, { kind, labels }]) => [name, kind.toLowerCase(), labels]),
    )
  })
})

/** What `prom-client` does with metrics, in short: labels that were not announced are refused. */
class Registry {
  readonly metrics: Metric[] = []

  async values(): Promise<Map<string, number>> {
    await Promise.all(this.metrics.map(({ configuration }) => configuration.collect()))
    return new Map(this.metrics.flatMap(({ lines }) => [...lines]))
  }
}

class Metric {
  readonly configuration: PrometheusConfiguration<Registry>
  readonly lines = new Map<string, number>()

  constructor(configuration: PrometheusConfiguration<Registry>) {
    this.configuration = configuration
    for (const registry of configuration.registers) registry.metrics.push(this)
  }

  reset(): void {
    this.lines.clear()
  }

  set(labels: Record<string, string>, value: number): void {
    this.inc(labels, value)
  }

  inc(labels: Record<string, string>, value: number): void {
    const { name, labelNames } = this.configuration
    assert.deepEqual(Object.keys(labels).sort(), [...labelNames].sort(), name)
    const text = Object.entries(labels).map(([label, one]) => `${label}="${one}"`)
    const key = `${name}{${text.join(',')}}`
    this.lines.set(key, (this.lines.get(key) ?? 0) + value)
  }
}

async function manual(t: TestContext): Promise<{ broker: Broker; time: ManualTime }> {
  const time = new ManualTime()
  return { broker: await openTestBroker(t, { options: { topics }, ports: { clock: time, timers: time } }), time }
}
