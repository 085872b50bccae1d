/** Pop consumption in one process: who gets what, for how long, and what comes again. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { Broker } from '../../lib/broker/broker.js'
import { TIMER_TOPIC } from '../../lib/broker/config/system-topics.js'
import type { Consumer } from '../../lib/broker/consuming/consumer.js'
import { ackRecord } from '../../lib/broker/pop/check-point.js'
import type { PopConsumer } from '../../lib/broker/pop/pop-consumer.js'
import type { StoredMessage } from '../../lib/store/stored-message.js'
import { ManualTime } from '../support/manual-time.js'
import { refusal, small, take } from '../support/open-broker.js'
import { bodiesOf, invisibleMs, numbers, openPopper, pass, sendAll, sorted, turns } from '../support/open-popper.js'
import { root } from '../support/open-store.js'

/** Where the revive topic is. */
const REVIVE = 'rmq_sys_REVIVE_LOG_DefaultCluster'

describe('popping', () => {
  test('shares one queue among as many consumers as there are', async (t) => {
    const { broker, popper } = await openPopper(t)
    const all = [popper, ...Array.from({ length: 7 }, () => broker.popConsumer({ group: 'g', subscribe: { orders: '*' } }))]
    await sendAll(broker, 40)
    const shares = await Promise.all(all.map((one) => one.pop({ maxMessages: 5 })))
    assert.ok(shares.every((share) => share.length === 5))
    assert.deepEqual(sorted(bodiesOf(shares.flat())), numbers(40))
    await Promise.all(shares.flat().map((delivery) => delivery.ack()))
    assert.deepEqual(await popper.pop(), [])
  })

  test('makes a member of the group until the consumer closes, and refuses one that wants something else', async (t) => {
    const { broker, popper } = await openPopper(t)
    const { registry } = broker.served
    assert.equal(registry.members('g').length, 1)
    const tagged = { group: 'g', subscribe: { orders: 'paid' } }
    assert.throws(() => broker.popConsumer(tagged), refusal('SUBSCRIPTION_CONFLICT', 'paid'))
    assert.throws(() => broker.consumer(tagged), refusal('SUBSCRIPTION_CONFLICT', 'paid'))
    const gone = broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, signal: AbortSignal.abort() })
    assert.deepEqual([registry.members('g').length, await gone.close()], [1, undefined])
    const other = broker.popConsumer({ group: 'g', subscribe: { orders: '*' } })
    assert.equal(new Set(registry.members('g').map(({ clientId }) => clientId)).size, 2)
    await other.close()
    await popper.close()
    assert.deepEqual(registry.groups, [])
    const paid = broker.popConsumer(tagged)
    assert.deepEqual([...registry.subscriptions('g').keys()], ['orders', '%RETRY%g'])
    await paid.close()
  })

  test('gives each message its receipt handle and the time of its first pop, as RocketMQ does', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 2)
    const [, second] = await popper.pop()
    const popTime = time.now()
    assert.equal(second!.handle, `0 ${popTime} 10000 0 0 ${broker.store.brokerName} 0 1`)
    assert.equal(second!.message.properties['POP_CK'], second!.handle)
    assert.equal(second!.message.properties['1ST_POP_TIME'], String(popTime))
    assert.equal(second!.invisibleUntil, popTime + invisibleMs)
    const record = await checkPointOf(broker)
    assert.equal(record!.tags, 'ck')
    assert.deepEqual(JSON.parse(record!.body.toString()), {
      bm: 0,
      bn: broker.store.brokerName,
      c: 'g',
      d: [0, 1],
      it: invisibleMs,
      n: 2,
      pt: popTime,
      q: 0,
      reviveTime: popTime + invisibleMs,
      ro: 0,
      so: 0,
      t: 'orders',
    })
    assert.equal(record!.properties['TIMER_DELIVER_MS'], String(popTime + invisibleMs - 1000))
  })

  test('waits for a message, and ends the wait when it is told to', async (t) => {
    const { broker, popper } = await openPopper(t)
    const waiting = popper.pop({ waitMs: 60_000 })
    await turns()
    await broker.send({ topic: 'orders', body: 'late' })
    assert.deepEqual(bodiesOf(await waiting), ['late'])
    const stop = new AbortController()
    const ended = popper.pop({ waitMs: 60_000, signal: stop.signal })
    await turns()
    stop.abort()
    assert.deepEqual(await ended, [])
    const closed = popper.pop({ waitMs: 60_000 })
    await turns()
    await popper.close()
    assert.deepEqual(await closed, [])
  })

  test('gets only what its filter lets through, by tags and by SQL, also when it comes again', async (t) => {
    const { broker, time } = await openPopper(t)
    for (const [body, tags, amount] of [
      ['1', 'paid', '9'],
      ['2', 'new', '6'],
      ['3', 'sent', '1'],
    ] as const) {
      await broker.send({ topic: 'orders', body, tags, properties: { amount } })
    }
    const tagged = broker.popConsumer({ group: 'tags', subscribe: { orders: 'paid || sent' }, invisibleMs })
    const asked = broker.popConsumer({ group: 'sql', subscribe: { orders: { sql: 'amount > 5' } }, invisibleMs })
    for (const attempt of [1, 2]) {
      const found = await Promise.all([tagged.pop(), asked.pop()])
      assert.deepEqual(found.map(bodiesOf), [
        ['1', '3'],
        ['1', '2'],
      ])
      assert.ok(found.flat().every((one) => one.attempt === attempt))
      await pass(time, invisibleMs + 1000)
    }
  })

  test('takes from several topics, waiting for any of them', async (t) => {
    const { broker } = await openPopper(t)
    await broker.topics.create('refunds', { queues: 2 })
    const both = broker.popConsumer({ group: 'both', subscribe: { orders: '*', refunds: '*' }, invisibleMs })
    for (const topic of ['refunds', 'orders', 'refunds']) {
      const waiting = both.pop({ waitMs: 60_000 })
      await turns()
      await broker.send({ topic, body: topic })
      const [delivery] = await waiting
      assert.equal(delivery!.message.topic, topic)
    }
  })

  test('begins a new group at the end of a queue, or at its first message', async (t) => {
    const { broker } = await openPopper(t)
    await sendAll(broker, 3)
    const first = broker.popConsumer({ group: 'first', subscribe: { orders: '*' }, startAt: 'first' })
    assert.equal((await first.pop()).length, 3)
    const later = broker.popConsumer({ group: 'later', subscribe: { orders: '*' }, startAt: new Date(Date.UTC(2100, 0)) })
    assert.equal((await later.pop()).length, 0)
  })

  test('is refused beside members that are assigned queues, and they beside it, until the others have left', async (t) => {
    const { broker, popper } = await openPopper(t)
    const pull = (): Consumer => broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    const pop = (): PopConsumer => broker.popConsumer({ group: 'g', subscribe: { orders: '*' } })
    assert.throws(pull, refusal('SUBSCRIPTION_CONFLICT', 'group g', 'pops', 'assigned queues'))
    const second = pop()
    await popper.close()
    assert.throws(pull, refusal('SUBSCRIPTION_CONFLICT'))
    await second.close()
    const consumer = pull()
    assert.throws(pop, refusal('SUBSCRIPTION_CONFLICT', 'group g', 'pops', 'assigned queues'))
    await pull().close()
    await consumer.close()
    assert.deepEqual(await pop().pop(), [])
    assert.deepEqual(await broker.popConsumer({ group: 'other', subscribe: { orders: '*' } }).pop(), [])
  })

  test('refuses what it cannot do', async (t) => {
    const { broker, popper } = await openPopper(t)
    assert.throws(() => broker.popConsumer({ group: 'g', subscribe: { none: '*' } }), refusal('TOPIC_UNKNOWN', 'none'))
    assert.throws(() => broker.popConsumer({ group: 'g', subscribe: {} }), RangeError)
    assert.throws(() => broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs: 0 }), RangeError)
    assert.throws(() => broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisible: 1 } as never), TypeError)
    await assert.rejects(popper.pop({ maxMessages: 33 }), RangeError)
    await assert.rejects(popper.run(undefined as never), TypeError)
    await broker.groups.create('shut', { mayConsume: false })
    await assert.rejects(
      broker.popConsumer({ group: 'shut', subscribe: { orders: '*' } }).pop(),
      refusal('NO_PERMISSION', 'shut'),
    )
    await popper.close()
    await assert.rejects(popper.pop(), refusal('BROKER_CLOSED'))
  })
})

describe('a message whose time is over', () => {
  test('comes again with one more attempt, and at last is a dead letter', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await broker.groups.create('g', { maxRetries: 2 })
    const sent = await broker.send({ topic: 'orders', body: 'x', tags: 'paid', keys: ['k'] })
    const attempts: number[] = []
    const firstPops = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const [delivery] = await popper.pop()
      assert.equal(delivery!.message.topic, 'orders')
      assert.equal(delivery!.message.uniqueKey, sent.uniqueKey)
      attempts.push(delivery!.attempt)
      firstPops.add(delivery!.message.properties['1ST_POP_TIME']!)
      assert.deepEqual(await popper.pop(), [])
      await pass(time, invisibleMs + 1000)
      await assert.rejects(delivery!.ack(), refusal('DELIVERY_UNKNOWN'))
    }
    assert.deepEqual(attempts, [1, 2, 3])
    assert.equal(firstPops.size, 1)
    assert.deepEqual(await popper.pop(), [])
    const [dead] = (await broker.store.get({ topic: '%DLQ%g', offset: 0 })).messages
    assert.equal(dead!.body.toString(), 'x')
    assert.equal(dead!.tags, 'paid')
    assert.equal(dead!.properties['RETRY_TOPIC'], 'orders')
    assert.deepEqual(await broker.redrive({ group: 'g', topic: 'orders' }), { redriven: 1, left: 0, unroutable: 0 })
    assert.deepEqual([(await popper.pop())[0]!.attempt, broker.store.bounds('orders', 0).maxOffset], [1, 2])
    // As RocketMQ notes it.
    await broker.store.put({ topic: '%DLQ%g', body: 'y', properties: { RETRY_TOPIC: '%RETRY%g_orders' } })
    assert.equal((await broker.redrive({ group: 'g', topic: 'orders' })).redriven, 1)
  })

  test('comes again alone, when others of its pop were acknowledged', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 5)
    const deliveries = await popper.pop()
    for (const i of [0, 2, 3]) await deliveries[i]!.ack()
    await pass(time, invisibleMs + 1000)
    const again = await popper.pop()
    assert.deepEqual(bodiesOf(again), ['1', '4'])
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [2, 2],
    )
  })

  test('wakes those who wait', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 1)
    await popper.pop()
    const waiting = popper.pop({ waitMs: 60_000 })
    await pass(time, invisibleMs + 1000)
    assert.deepEqual(bodiesOf(await waiting), ['0'])
  })

  test('stays hidden for as long as it is extended, and comes when it is given back', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 2)
    const [kept, given] = await popper.pop()
    await pass(time, 9000)
    const before = kept!.handle
    await kept!.extend(20_000)
    assert.notEqual(kept!.handle, before)
    await given!.retry({ delayMs: 3000 })
    await pass(time, 2000)
    assert.deepEqual(await popper.pop(), [])
    await pass(time, 2000)
    const again = await popper.pop()
    assert.deepEqual(bodiesOf(again), ['1'])
    assert.equal(again[0]!.attempt, 2)
    await pass(time, 12_000)
    await kept!.ack()
    await again[0]!.ack().catch(() => {})
    await pass(time, 60_000)
    assert.deepEqual(bodiesOf(await popper.pop()), ['1'])
  })
})

describe('an acknowledgement', () => {
  test('counts once, and not after the time is over: what is refused stores nothing', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 3)
    const [first, second, third] = await popper.pop()
    await first!.ack()
    await assert.rejects(first!.ack(), refusal('DELIVERY_SETTLED'))
    await assert.rejects(first!.extend(1000), refusal('DELIVERY_SETTLED'))
    await assert.rejects(first!.retry(), refusal('DELIVERY_SETTLED'))
    await second!.retry()
    await assert.rejects(second!.ack(), refusal('DELIVERY_SETTLED'))
    await pass(time, invisibleMs)
    const before = ends(broker)
    await assert.rejects(third!.ack(), refusal('DELIVERY_UNKNOWN'))
    await assert.rejects(third!.extend(1000), refusal('DELIVERY_UNKNOWN'))
    assert.deepEqual(ends(broker), before)
  })

  test('of everything leaves no offset behind and nothing outstanding', async (t) => {
    const { broker, popper, time } = await openPopper(t)
    await sendAll(broker, 64)
    for (const share of [await popper.pop(), await popper.pop()]) for (const delivery of share) await delivery.ack()
    await pass(time, 60_000)
    assert.deepEqual(await popper.pop(), [])
    const topics = broker.store.queues().map(({ topic }) => topic)
    assert.ok(!topics.some((topic) => topic.startsWith('%')), topics.join())
  })
})

describe('after a restart', () => {
  test('what was out comes again, and what was acknowledged does not', async (t) => {
    const time = new ManualTime()
    const first = await openPopper(t, { time })
    await sendAll(first.broker, 6)
    const deliveries = await first.popper.pop({ maxMessages: 4 })
    await deliveries[1]!.ack()
    const [fifth] = await first.popper.pop({ maxMessages: 1 })
    await fifth!.ack()
    await first.broker.close()
    const { popper } = await openPopper(t, { time, disk: first.disk })
    assert.deepEqual(bodiesOf(await popper.pop()), ['5'])
    await pass(time, invisibleMs + 5000)
    assert.deepEqual(sorted(bodiesOf(await popper.pop())), ['0', '2', '3', '5'])
  })

  test('nothing comes again while acknowledgements that were due may still wait in the timer', async (t) => {
    const time = new ManualTime()
    const first = await openPopper(t, { time })
    await sendAll(first.broker, 1)
    const popTime = time.now()
    await first.popper.pop()
    // As RocketMQ's broker keeps an ack: until the check point's time is over.
    const place = { group: 'g', topic: 'orders', queueId: 0, startOffset: 0, popTime, brokerName: first.broker.store.brokerName }
    const ack = ackRecord({ ...place, offsets: [0] }, popTime + invisibleMs)
    await first.broker.served.pipeline.put({ ...ack, topic: REVIVE, queueId: 0 })
    await first.broker.close()

    const options = { topics: { orders: { queues: 1 } }, store: small }
    const broker = await Broker.open(root, options, { disk: first.disk, clock: time, timers: time })
    t.after(() => broker.close())
    const { store } = broker
    const put = store.put.bind(store)
    let refused = 0
    t.mock.method(store, 'put', (message: Parameters<typeof put>[0]) => {
      if (message.topic !== REVIVE || !message.encodedProperties?.toString().includes('TAGS\u0001ack') || refused === 20)
        return put(message)
      refused++
      return Promise.reject(new MessageStoreError('DISK_FULL', 'for a while'))
    })
    const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs })
    await pass(time, 60_000)
    assert.equal(refused, 20)
    assert.deepEqual(await popper.pop(), [])
  })

  test('whoever writes offsets first makes check points durable', async (t) => {
    const { broker, popper } = await openPopper(t)
    const other = broker.consumer({ group: 'other', subscribe: { orders: '*' }, startAt: 'first' })
    await sendAll(broker, 2)
    const [delivery] = await take(other, 1)
    await delivery!.ack()
    const { store } = broker
    const order: string[] = []
    const [flush, write] = [store.flush.bind(store), store.config.write.bind(store.config)]
    t.mock.method(store, 'flush', async () => {
      await flush()
      order.push('flush')
    })
    t.mock.method(store.config, 'write', (...given: Parameters<typeof write>) => {
      order.push(given[0])
      return write(...given)
    })
    for (const ends of [() => other.close(), () => broker.resetOffsets({ group: 'other', topic: 'orders', to: 'first' })]) {
      order.length = 0
      assert.equal((await popper.pop({ maxMessages: 1 })).length, 1)
      await ends()
      assert.deepEqual(order, ['flush', 'consumerOffset'])
    }
  })

  test('what came again and was acknowledged then does not come a third time, whatever stands before it', async (t) => {
    const time = new ManualTime()
    const first = await openPopper(t, { time })
    const slow = first.broker.popConsumer({ group: 'slow', subscribe: { orders: '*' }, invisibleMs: 3_600_000 })
    await sendAll(first.broker, 1)
    // Nine pops: the last one has the revive queue of the first one, and stands behind it.
    await slow.pop()
    for (let i = 0; i < 7; i++) await first.popper.pop({ maxMessages: 1 })
    await sendAll(first.broker, 1)
    await first.popper.pop()
    await pass(time, invisibleMs + 1000)
    const again = await first.popper.pop()
    assert.ok(again.length > 0)
    for (const delivery of again) await delivery.ack()
    await first.broker.close()
    const { popper, broker } = await openPopper(t, { time, disk: first.disk })
    await pass(time, 60_000)
    assert.deepEqual(await popper.pop(), [])
    await pass(time, 3_600_000)
    const late = broker.popConsumer({ group: 'slow', subscribe: { orders: '*' } })
    assert.equal((await late.pop()).filter(({ attempt }) => attempt === 2).length, 1)
  })
})

/** The only check point that was stored, wherever it waits. */
async function checkPointOf(broker: Broker): Promise<StoredMessage> {
  for (const topic of [REVIVE, TIMER_TOPIC]) {
    const { messages } = await broker.store.get({ topic, offset: 0 })
    if (messages.length > 0) return messages[0]!
  }
  assert.fail('there is no check point')
}

/** How long each queue is. */
function ends(broker: Broker): string[] {
  return broker.store.queues().map(({ topic, queueId, maxOffset }) => `${topic}/${queueId}: ${maxOffset}`)
}
