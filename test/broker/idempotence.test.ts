/** Nothing twice: keys that are refused when they come again, and messages that a group does not get again. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Handled } from '../../lib/broker/idempotence/handled.js'
import { RecentKeys } from '../../lib/broker/idempotence/recent-keys.js'
import { Broker, type BrokerOptions } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal, small, take, textOf } from '../support/open-broker.js'
import { bad, bodies, code, freshDisk, readQueue, refusalOf, root } from '../support/open-store.js'

const topics = { orders: { queues: 1 }, mail: { queues: 1 } }
const window = { windowMs: 60_000 }

describe('recent keys', () => {
  test('are forgotten after the window, and the oldest when there are too many', () => {
    const recent = new RecentKeys(100, 3)
    for (const [i, key] of ['a', 'b', 'c', 'a', 'd'].entries()) recent.note(key, i * 10)
    assert.deepEqual(
      [...recent.entries()].map(([key]) => key),
      ['c', 'a', 'd'],
    )
    assert.ok(recent.has('a', 129))
    assert.ok(!recent.has('a', 130))
    recent.note('e', 135)
    assert.equal(recent.size, 2)
  })
})

describe('an idempotency key', () => {
  test('is refused when it comes again within the window, in its topic, and taken afterwards', async (t) => {
    const { broker, time } = await manual(t, { idempotence: window })
    const send = (topic = 'orders') => broker.send({ topic, body: 'x', keys: ['o-1'], idempotencyKey: 'k' })
    const sent = await send()
    await assert.rejects(send(), refusal('MESSAGE_REPEATED', '"k"', 'orders', '60000'))
    await send('mail')
    await broker.send({ topic: 'orders', body: 'x', idempotencyKey: 'other' })
    time.advance(59_999)
    await assert.rejects(send(), refusal('MESSAGE_REPEATED'))
    time.advance(1)
    await send()
    const found = await broker.store.query({ topic: 'orders', key: 'o-1' })
    assert.equal(found.length, 2)
    assert.equal(found[1]!.uniqueKey, sent.uniqueKey)
  })

  test('is remembered after a restart, after a crash, and when memory has no room', async (t) => {
    const disk = freshDisk()
    const time = new ManualTime()
    const options = { topics, idempotence: { ...window, maxKeys: 1 } }
    const first = await Broker.open(root, { ...options, store: small }, { disk, clock: time, timers: time })
    for (let i = 0; i < 20; i++) await first.send({ topic: 'orders', body: 'x', idempotencyKey: `k${i}` })
    const repeat = (broker: Broker, i: number) => broker.send({ topic: 'orders', body: 'x', idempotencyKey: `k${i}` })
    await assert.rejects(repeat(first, 0), refusal('MESSAGE_REPEATED'))
    const crashed = freshDisk({ tree: disk.snapshot().tree })
    await first.close()
    for (const left of [disk, crashed]) {
      const broker = await openTestBroker(t, { disk: left, options, ports: { clock: time, timers: time } })
      for (const i of [0, 10, 19]) await assert.rejects(repeat(broker, i), refusal('MESSAGE_REPEATED'))
      assert.equal(broker.store.bounds('orders').maxOffset, 20)
      await broker.close()
    }
  })

  test('of a delayed message counts while it waits, and from when it was sent', async (t) => {
    const { broker, time } = await manual(t, { idempotence: { windowMs: 60_000, maxKeys: 1 } })
    const send = (extra = {}, topic = 'orders') => broker.send({ topic, body: 'x', idempotencyKey: 'k', ...extra })
    await send({ delayLevel: 4 })
    await send({}, 'mail')
    await assert.rejects(send(), refusal('MESSAGE_REPEATED'))
    for (let i = 0; i < 40; i++) {
      time.advance(1000)
      await settled(10)
    }
    assert.equal(broker.store.bounds('orders').maxOffset, 1)
    await assert.rejects(send(), refusal('MESSAGE_REPEATED'))
    time.advance(20_000)
    await send()
  })

  test('goes to one of those who send it at once, or to the next one when that fails', async (t) => {
    const { broker } = await manual(t)
    const send = (body: string) => broker.send({ topic: 'orders', body, idempotencyKey: 'k' })
    const settledOnes = await Promise.allSettled(['a', 'b', 'c'].map(send))
    assert.deepEqual(
      settledOnes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    const big = broker.send({ topic: 'orders', body: Buffer.alloc(5 << 20), idempotencyKey: 'j' })
    const next = broker.send({ topic: 'orders', body: 'small', idempotencyKey: 'j' })
    await assert.rejects(big, code('MESSAGE_TOO_LARGE'))
    await next
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders')), ['a', 'small'])
  })

  test('in a batch keeps all of the batch from being sent', async (t) => {
    const { broker } = await manual(t)
    const batch = (...keys: (string | undefined)[]) =>
      broker.sendBatch(
        keys.map((key) => ({ topic: 'orders', body: String(key), ...(key === undefined ? {} : { idempotencyKey: key }) })),
      )
    await batch('a', undefined, 'b')
    await assert.rejects(batch('c', 'b'), refusal('MESSAGE_REPEATED', '"b"'))
    await assert.rejects(batch('c', 'd', 'c'), refusal('MESSAGE_REPEATED', '"c"'))
    const both = await Promise.allSettled([batch('x', 'y'), batch('y', 'x')])
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    await batch('c', 'd')
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders')), ['a', 'undefined', 'b', 'x', 'y', 'c', 'd'])
  })

  test('is copied with its message before send returns', async (t) => {
    const { broker } = await manual(t)
    const request = { topic: 'orders', body: Buffer.from('a'), keys: ['k'], properties: { p: '1' }, idempotencyKey: 'i' }
    const sent = broker.send(request)
    request.body[0] = 0x62
    request.keys.push('l')
    request.properties.p = '2'
    await sent
    const [message] = await readQueue(broker.store, 'orders')
    assert.deepEqual([message!.body.toString(), message!.keys, message!.properties['p']], ['a', ['k', 'idempotency:i'], '1'])
  })

  test('is a word', async (t) => {
    const { broker } = await manual(t)
    for (const idempotencyKey of ['', 'a b', 'a\u0001', 'x'.repeat(256), 7])
      await assert.rejects(
        async () => broker.send({ topic: 'orders', body: 'x', idempotencyKey: idempotencyKey as string }),
        bad(refusalOf('string', idempotencyKey), 'idempotencyKey'),
      )
    const open = (idempotence: object) => () => Broker.open(root, { idempotence }, { disk: freshDisk() })
    await assert.rejects(open({ windowMs: 0 }), bad(RangeError, 'idempotence.windowMs', '0'))
    await assert.rejects(open({ window: 1 }), bad(TypeError, 'idempotence has an unknown field "window"'))
  })
})

describe('a group that wants nothing twice', () => {
  const once = { by: 'key', ...window } as const

  test('gets what it has not acknowledged, and of what it has nothing within the window', async (t) => {
    const { broker, time } = await manual(t)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, once })
    const send = (body: string, ...keys: string[]) => broker.send({ topic: 'orders', body, keys })
    await send('1', 'a')
    await (await take(consumer, 1))[0]!.ack()
    await send('again', 'a')
    await send('2', 'b')
    await send('no key')
    const [second, third] = await take(consumer, 2)
    assert.deepEqual(textOf([second!, third!]), ['2', 'no key'])
    await second!.retry()
    await third!.ack()
    time.advance(60_000)
    await send('later', 'a')
    assert.deepEqual(textOf(await take(consumer, 1)), ['later'])
    const { groups } = await broker.metrics.snapshot()
    assert.equal(groups[0]!.dropped, 1)
  })

  test('has its offset behind what was dropped', async (t) => {
    const { broker } = await manual(t)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, once })
    for (const body of ['1', '2', '3']) {
      await broker.send({ topic: 'orders', body, keys: ['a'] })
      if (body === '1') await (await take(consumer, 1))[0]!.ack()
    }
    void consumer.next()
    await settled(20)
    await consumer.close()
    const [g] = (await broker.metrics.snapshot()).groups
    assert.equal(g!.topics.find(({ topic }) => topic === 'orders')!.backlog, 0)
  })

  test('remembers after a restart and after a crash, when the offset was not written yet', async (t) => {
    const disk = freshDisk()
    const time = new ManualTime()
    const ports = { clock: time, timers: time }
    const first = await Broker.open(root, { topics, store: small }, { disk, ...ports })
    const join = (broker: Broker, group = 'g') => broker.consumer({ group, subscribe: { orders: '*' }, once })
    for (let i = 0; i < 500; i++) await first.send({ topic: 'orders', body: `${i}`, keys: [`k${i}`] })
    const deliveries = await take(join(first), 450)
    await Promise.all(deliveries.map((delivery) => delivery.ack()))
    const crashed = freshDisk({ tree: disk.snapshot().tree })
    await first.close()
    for (const left of [disk, crashed]) {
      const broker = await openTestBroker(t, { disk: left, ...{ options: { topics }, ports } })
      for (const key of ['k0', 'k449', 'k450', 'new']) await broker.send({ topic: 'orders', body: key, keys: [key] })
      const consumer = join(broker)
      const rest = await take(consumer, 52)
      assert.deepEqual(textOf(rest).slice(0, 2), ['450', '451'])
      assert.deepEqual(textOf(rest).slice(-2), ['k450', 'new'])
      // Another group has handled nothing.
      assert.deepEqual(textOf(await take(join(broker, 'other'), 1)), ['0'])
      await broker.close()
    }
  })

  test('knows messages by their unique key, or by what a function says', async (t) => {
    const { broker } = await manual(t)
    const subscribe = { orders: '*' }
    const byBody = broker.consumer({
      group: 'g',
      subscribe,
      once: { by: ({ body }) => (body.length > 5 ? (undefined as never) : body.toString()), ...window },
    })
    const byUnique = broker.consumer({ group: 'h', subscribe, once: { by: 'uniqueKey', ...window } })
    for (const body of ['a', 'longer', 'a', 'longer']) {
      await broker.send({ topic: 'orders', body })
      for (const delivery of await take(byUnique, 1)) await delivery.ack()
      if (body === 'a' && broker.store.bounds('orders').maxOffset === 3) continue
      for (const delivery of await take(byBody, 1)) await delivery.ack()
    }
    const { uniqueKey } = (await readQueue(broker.store, 'orders'))[0]!
    await broker.store.put({ topic: 'orders', body: 'copy', uniqueKey: uniqueKey! })
    await broker.send({ topic: 'orders', body: 'end' })
    assert.deepEqual(textOf(await take(byUnique, 1)), ['end'])
  })

  test('does not count a message as settled when that cannot be written, nor settles it twice', async (t) => {
    const disk = freshDisk()
    const { broker } = await manual(t, {}, disk)
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, once })
    await broker.send({ topic: 'orders', body: '1', keys: ['a'] })
    const [delivery] = await take(consumer, 1)
    const { put } = broker.store
    broker.store.put = () => Promise.reject(new Error('no'))
    await assert.rejects(delivery!.ack(), /no/)
    broker.store.put = put
    assert.equal(consumer.inFlight, 1)
    const both = await Promise.allSettled([delivery!.ack(), delivery!.ack(), delivery!.retry()])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    assert.equal(consumer.inFlight, 0)
  })

  for (const kind of ['returns', 'resolves'])
    test(`handles one of two copies that were there before it came, by run and a handler that ${kind}`, async (t) => {
      const { broker } = await manual(t)
      for (const body of ['1', '2', '3']) await broker.send({ topic: 'orders', body, keys: [body === '3' ? 'b' : 'a'] })
      const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, once })
      const seen: string[] = []
      void consumer.run(({ body }) => {
        seen.push(body.toString())
        return kind === 'returns' ? undefined : settled(1)
      })
      await settled(60)
      assert.deepEqual(seen, ['1', '3'])
    })

  test('gets the acknowledged one of two copies again when that could not be written', async (t) => {
    const { broker } = await manual(t)
    const join = () => broker.consumer({ group: 'g', subscribe: { orders: '*' }, once })
    const consumer = join()
    for (const body of ['1', '2', '3']) await broker.send({ topic: 'orders', body, keys: [body === '3' ? 'b' : 'a'] })
    const [delivery] = await take(consumer, 1)
    const { put } = broker.store
    broker.store.put = () => settled(5).then(() => Promise.reject(new Error('no')))
    const refused = assert.rejects(delivery!.ack(), /no/)
    assert.deepEqual(textOf(await take(consumer, 1)), ['3'])
    const closed = consumer.close()
    await refused
    await closed
    broker.store.put = put
    assert.deepEqual(textOf(await take(join(), 2)), ['1', '3'])
  })

  test('says what it wants in terms that are known', async (t) => {
    const { broker } = await manual(t)
    const join = (once: object, more = {}) => {
      return () => broker.consumer({ group: 'g', subscribe: { orders: '*' }, once: once as never, ...more })
    }
    assert.throws(join({ by: 'tag', windowMs: 1 }), bad(RangeError, 'once.by', 'tag'))
    assert.throws(join({ by: 'key' }), bad(TypeError, 'once.windowMs'))
    assert.throws(join({ by: 'key', windowMs: 1, max: 1 }), bad(TypeError, 'once has an unknown field "max"'))
    assert.throws(join({ by: 'key', windowMs: 1 }, { model: 'broadcasting' }), bad(TypeError, 'once'))
    await assert.rejects(broker.send({ topic: 'rmq_sys_mqlite_handled', body: 'x' }), refusal('TOPIC_UNKNOWN'))
  })
})

describe('what a group has handled', () => {
  test('takes bounded memory and few records, and grows with a wider window', async (t) => {
    const { broker, time } = await manual(t)
    const { store, topics: table } = broker
    const parts = { store, topics: table, shardOf: () => 0, clock: time }
    const handled = new Handled(parts)
    const group = await handled.of('g', { windowMs: 1000, maxKeys: 100 })
    await Promise.all(Array.from({ length: 1000 }, (_, i) => group.note(`k${i}`)))
    assert.equal(group.size, 100)
    assert.ok(store.bounds('rmq_sys_mqlite_handled').maxOffset < 20)
    assert.ok(group.has('k999') && !group.has('k0'))
    time.advance(5000)
    await handled.of('g', { windowMs: 10_000, maxKeys: 1000 })
    assert.ok(group.has('k0'))
    assert.equal([...Array(1000).keys()].filter((i) => group.has(`k${i}`)).length, 1000)
    const other = await handled.of('h', { windowMs: 10_000, maxKeys: 1000 })
    assert.equal(other.size, 0)
  })
})

async function manual(
  t: TestContext,
  options: BrokerOptions = {},
  disk = freshDisk(),
): Promise<{ broker: Broker; time: ManualTime }> {
  const time = new ManualTime()
  return {
    broker: await openTestBroker(t, { disk, options: { topics, ...options }, ports: { clock: time, timers: time } }),
    time,
  }
}
