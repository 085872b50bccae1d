/** Consumer groups in one process: who gets what, how often, and what is remembered. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Broker } from '../../lib/broker/broker.js'
import { ManualTime } from '../support/manual-time.js'
import { openTestBroker, refusal, small, take, textOf } from '../support/open-broker.js'
import { bad, freshDisk, root } from '../support/open-store.js'

const topics = { orders: { queues: 4 } }

describe('a group', () => {
  test('gets every message once, whichever queue it is in', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const consumer = broker.consumer({ group: 'billing', subscribe: { orders: '*' } })
    for (let i = 0; i < 20; i++) await broker.send({ topic: 'orders', body: `${i}` })
    const deliveries = await take(consumer, 20)
    for (const delivery of deliveries) await delivery.ack()
    assert.deepEqual(
      textOf(deliveries)
        .map(Number)
        .sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i),
    )
    assert.deepEqual(new Set(deliveries.map(({ message }) => message.queueId)), new Set([0, 1, 2, 3]))
    assert.equal(consumer.inFlight, 0)
  })

  test('shares its queues among its members, again when one comes and when one leaves', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const first = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    const second = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    await until(() => ordersOf(first).length === 2 && ordersOf(second).length === 2)
    assert.deepEqual([...ordersOf(first), ...ordersOf(second)].sort(), [0, 1, 2, 3])
    await second.close()
    await until(() => ordersOf(first).length === 4)
  })

  test('hands a queue over only when what is out of it is settled', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    const [late, early] = ['b', 'a'].map((name) => () => broker.consumer({ group: 'g', subscribe: { orders: '*' }, name }))
    const old = late!()
    for (const body of ['1', '2', '3']) await broker.send({ topic: 'orders', body })
    const held = await take(old, 3)
    await held[0]!.ack()
    const young = early!()
    await turn()
    // Of one queue, the first in the order of names has it: the newcomer. It waits for the old one.
    assert.deepEqual(
      young.queues.filter(({ topic }) => topic === 'orders'),
      [],
    )
    await held[2]!.ack()
    await held[1]!.ack()
    await broker.send({ topic: 'orders', body: '4' })
    assert.deepEqual(textOf(await take(young, 1)), ['4'])
  })

  test('lets a member close that still waits for a queue, which goes to the next one then', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    const [old, waiting] = ['b', 'a'].map((name) => broker.consumer({ group: 'g', subscribe: { orders: '*' }, name }))
    await waiting!.close()
    await broker.send({ topic: 'orders', body: '1' })
    const [held] = await take(old!, 1)
    const young = broker.consumer({ group: 'g', subscribe: { orders: '*' }, name: 'a' })
    await turn()
    // The queue is the newcomer's, and still in the hands of the other.
    await young.close()
    await held!.ack()
    await broker.send({ topic: 'orders', body: '2' })
    assert.deepEqual(textOf(await take(old!, 1)), ['2'])
  })

  test('gets again what a member did not settle before it closed', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    for (const body of ['1', '2', '3']) await broker.send({ topic: 'orders', body })
    for await (const delivery of broker.consumer({ group: 'g', subscribe: { orders: '*' } })) {
      await delivery.ack()
      if (delivery.message.body.toString() === '2') break
    }
    const again = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    assert.deepEqual(textOf(await take(again, 1)), ['3'])
  })

  test('goes on where it stopped after the broker was closed and opened', async (t) => {
    const disk = freshDisk()
    const first = await Broker.open(root, { topics, store: small }, { disk })
    const consumer = first.consumer({ group: 'g', subscribe: { orders: '*' } })
    for (let i = 0; i < 10; i++) await first.send({ topic: 'orders', body: `${i}`, queueId: 1 })
    for (const delivery of await take(consumer, 7)) await delivery.ack()
    await first.close()
    const broker = await openTestBroker(t, { disk, options: { topics } })
    const rest = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    assert.deepEqual(textOf(await take(rest, 3)), ['7', '8', '9'])
  })

  test('does not get again what a handler finished, or let fail, while its consumer closed', async (t) => {
    for (const fails of [false, true]) {
      const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
      await broker.send({ topic: 'orders', body: 'x' })
      const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
      let end = (): void => {}
      const called = new Promise<void>((resolve) => {
        void consumer.run(async () => {
          resolve()
          await new Promise<void>((done) => (end = done))
          if (fails) throw new Error('no')
        })
      })
      await called
      const closed = consumer.close()
      end()
      await closed
      await broker.send({ topic: 'orders', body: 'y' })
      assert.deepEqual(textOf(await take(broker.consumer({ group: 'g', subscribe: { orders: '*' } }), 1)), ['y'])
      assert.equal(broker.store.bounds('SCHEDULE_TOPIC_XXXX', 2).maxOffset, fails ? 1 : 0)
    }
  })

  test('has a place of its own beside other groups', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const [one, two] = ['g1', 'g2'].map((group) => broker.consumer({ group, subscribe: { orders: '*' } }))
    await broker.send({ topic: 'orders', body: 'x' })
    assert.deepEqual(textOf(await take(one!, 1)), ['x'])
    assert.deepEqual(textOf(await take(two!, 1)), ['x'])
  })

  test('gets only what its filter lets through, by tags and by SQL', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const tagged = broker.consumer({ group: 'tags', subscribe: { orders: 'paid || sent' } })
    const asked = broker.consumer({ group: 'sql', subscribe: { orders: { sql: 'amount > 5 AND TAGS IS NOT NULL' } } })
    for (const [body, tags, amount] of [
      ['1', 'paid', '9'],
      ['2', 'new', '6'],
      ['3', 'sent', '1'],
    ] as const) {
      await broker.send({ topic: 'orders', body, tags, properties: { amount }, queueId: 0 })
    }
    assert.deepEqual(textOf(await take(tagged, 2)), ['1', '3'])
    assert.deepEqual(textOf(await take(asked, 2)), ['1', '2'])
  })
})

describe('a message that fails', () => {
  test('can be given back by the first members of a group, however soon', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    for (let i = 0; i < 40; i++) await broker.send({ topic: 'orders', body: `${i}` })
    const members = Array.from({ length: 4 }, () => broker.consumer({ group: 'g', subscribe: { orders: '*' } }))
    for (const member of members) {
      const [delivery] = await take(member, 1)
      await delivery!.retry()
    }
    assert.equal(broker.store.bounds('SCHEDULE_TOPIC_XXXX', 2).maxOffset, 4)
  })

  test('comes again after its delay, under its own topic, and at last is a dead letter', async (t) => {
    const time = new ManualTime()
    const disk = freshDisk()
    const broker = await openTestBroker(t, { disk, options: { topics }, ports: { clock: time, timers: time } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 2 })
    const sent = await broker.send({ topic: 'orders', body: 'x', keys: ['k'], tags: 'paid' })
    const attempts: number[] = []
    for (const wait of [10_000, 30_000, 0]) {
      const [delivery] = await take(consumer, 1)
      assert.equal(delivery!.message.topic, 'orders')
      assert.equal(delivery!.message.uniqueKey, sent.uniqueKey)
      attempts.push(delivery!.attempt)
      await delivery!.retry()
      for (let passed = 0; passed < wait + 1000; passed += 1000) await pass(time, 1000)
    }
    assert.deepEqual(attempts, [1, 2, 3])
    const [dead] = (await broker.store.get({ topic: '%DLQ%g', offset: 0 })).messages
    assert.equal(dead!.body.toString(), 'x')
    assert.equal(dead!.properties['RETRY_TOPIC'], 'orders')
    assert.equal(dead!.properties['ORIGIN_MESSAGE_ID'], sent.messageId)
    assert.equal(dead!.properties['REAL_TOPIC'], '%RETRY%g')
    assert.equal(dead!.uniqueKey, sent.uniqueKey)
  })

  test('can be sent back at once by the first consumer of a group, which is made before anything is handed out', async (t) => {
    const disk = freshDisk()
    const broker = await openTestBroker(t, { disk, options: { topics } })
    await broker.send({ topic: 'orders', body: 'x' })
    const flushDirectory = disk.flushDirectory.bind(disk)
    disk.flushDirectory = async (path) => {
      for (let i = 0; i < 20; i++) await turn()
      await flushDirectory(path)
    }
    const [delivery] = await take(broker.consumer({ group: 'g', subscribe: { orders: '*' } }), 1)
    await delivery!.retry()
    assert.equal(broker.store.bounds('SCHEDULE_TOPIC_XXXX', 2).maxOffset, 1)
  })

  test('counts as failed when the handler throws, and when it is out for too long', async (t) => {
    const time = new ManualTime()
    const broker = await openTestBroker(t, { options: { topics }, ports: { clock: time, timers: time } })
    const failed: string[] = []
    let goOn = (): void => {}
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, consumeTimeoutMs: 5000 })
    consumer.on('failed', ({ message, error }) => failed.push(`${message.body}: ${(error as Error).message}`))
    const run = consumer.run(
      (message) => {
        if (message.body.toString() === 'bad') throw new Error('no')
        return new Promise<void>((resolve) => (goOn = resolve))
      },
      { concurrency: 2 },
    )
    await broker.send({ topic: 'orders', body: 'bad', queueId: 0 })
    await broker.send({ topic: 'orders', body: 'slow', queueId: 1 })
    await until(() => failed.length === 1)
    for (let i = 0; i < 8; i++) await pass(time, 1000)
    await until(() => failed.length === 2)
    assert.deepEqual(failed, ['bad: no', 'slow: not settled within 5000 ms'])
    assert.equal(broker.store.bounds('SCHEDULE_TOPIC_XXXX', 2).maxOffset, 2)
    goOn()
    await consumer.close()
    await run
  })

  test('cannot be settled twice', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    await broker.send({ topic: 'orders', body: 'x' })
    const [delivery] = await take(consumer, 1)
    await delivery!.ack()
    await assert.rejects(delivery!.ack(), refusal('DELIVERY_SETTLED', 'orders/'))
    await assert.rejects(delivery!.retry(), refusal('DELIVERY_SETTLED'))
  })
})

describe('an ordered consumer', () => {
  test('holds its queue at a failing message, and gives it up after its retries', async (t) => {
    const time = new ManualTime()
    const broker = await openTestBroker(t, { options: { topics }, ports: { clock: time, timers: time } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, ordered: true, maxRetries: 1, suspendMs: 100 })
    for (const body of ['1', '2']) await broker.send({ topic: 'orders', body, shardingKey: 'same' })
    const seen: string[] = []
    for (let i = 0; i < 3; i++) {
      const [delivery] = await take(consumer, 1)
      seen.push(`${delivery!.message.body} ${delivery!.attempt}`)
      if (delivery!.message.body.toString() === '1') await delivery!.retry()
      else await delivery!.ack()
      await pass(time, 100)
    }
    assert.deepEqual(seen, ['1 1', '1 2', '2 1'])
    const [dead] = (await broker.store.get({ topic: '%DLQ%g', offset: 0 })).messages
    assert.equal(dead!.reconsumeTimes, 2)
  })

  test('has one message of a queue at a time', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, ordered: true })
    for (const body of ['1', '2']) await broker.send({ topic: 'orders', body })
    const [first] = await take(consumer, 1)
    let isNext = false
    const next = consumer.next().finally(() => (isNext = true))
    await turn()
    assert.equal(isNext, false)
    await first!.ack()
    assert.equal((await next)!.message.body.toString(), '2')
  })
})

describe('broadcasting', () => {
  test('gives every message to every member, and remembers where a named one was', async (t) => {
    const disk = freshDisk()
    const first = await Broker.open(root, { topics, store: small }, { disk })
    const members = ['a', 'b'].map((name) =>
      first.consumer({ group: 'g', subscribe: { orders: '*' }, model: 'broadcasting', name }),
    )
    await first.send({ topic: 'orders', body: '1', queueId: 0 })
    await first.send({ topic: 'orders', body: '2', queueId: 0 })
    for (const member of members) {
      const deliveries = await take(member, 2)
      assert.deepEqual(textOf(deliveries), ['1', '2'])
      await deliveries[0]!.ack()
    }
    await first.close()
    const broker = await openTestBroker(t, { disk, options: { topics } })
    const again = broker.consumer({ group: 'g', subscribe: { orders: '*' }, model: 'broadcasting', name: 'a' })
    assert.deepEqual(textOf(await take(again, 1)), ['2'])
  })
})

describe('where a new group begins', () => {
  test('at the first message, at a time, and with `last` at the first one of a young queue', async (t) => {
    const time = new ManualTime()
    const broker = await openTestBroker(t, {
      options: { topics: { orders: { queues: 1 } } },
      ports: { clock: time, timers: time },
    })
    for (const body of ['1', '2']) await broker.send({ topic: 'orders', body })
    await pass(time, 10)
    const now = new Date(time.now())
    await broker.send({ topic: 'orders', body: '3' })
    const starts = { first: 'first', last: 'last', time: now, number: now.getTime() } as const
    const seen: Record<string, string[]> = {}
    for (const [group, startAt] of Object.entries(starts)) {
      const consumer = broker.consumer({ group, subscribe: { orders: '*' }, startAt })
      const count = group === 'first' || group === 'last' ? 3 : 1
      seen[group] = textOf(await take(consumer, count))
    }
    assert.deepEqual(seen, { first: ['1', '2', '3'], last: ['1', '2', '3'], time: ['3'], number: ['3'] })
  })

  test('with `last` at the end for a broadcasting member, with nothing missed that is sent right after it came', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    await broker.send({ topic: 'orders', body: 'old', queueId: 0 })
    const member = broker.consumer({ group: 'g', subscribe: { orders: '*' }, model: 'broadcasting' })
    for (const body of ['1', '2']) await broker.send({ topic: 'orders', body, queueId: 0 })
    const other = broker.consumer({ group: 'g', subscribe: { orders: '*' }, model: 'broadcasting', startAt: 'first' })
    assert.deepEqual(textOf(await take(member, 2)), ['1', '2'])
    assert.deepEqual(textOf(await take(other, 3)), ['old', '1', '2'])
  })
})

describe('back-pressure', () => {
  test('stops at maxInFlight and goes on when something is settled; a paused consumer gets nothing', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { orders: { queues: 1 } } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxInFlight: 2 })
    for (const body of ['1', '2', '3', '4']) await broker.send({ topic: 'orders', body })
    const [first] = await take(consumer, 2)
    let isNext = false
    const next = consumer.next().finally(() => (isNext = true))
    await turn()
    assert.equal(isNext, false)
    await first!.ack()
    const third = await next
    assert.equal(third!.message.body.toString(), '3')
    consumer.pause()
    await third!.ack()
    isNext = false
    const last = consumer.next().finally(() => (isNext = true))
    await turn()
    assert.equal(isNext, false)
    consumer.resume()
    assert.equal((await last)!.message.body.toString(), '4')
  })
})

describe('bad input to a consumer', () => {
  test('is refused with a clear error, and nobody joins', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { ...topics, closed: { permission: 'write' } } } })
    const join = (options: object) => () => broker.consumer({ group: 'g', subscribe: { orders: '*' }, ...options })
    assert.throws(join({ subscribe: { unknown: '*' } }), refusal('TOPIC_UNKNOWN', 'unknown'))
    assert.throws(join({ subscribe: { closed: '*' } }), refusal('NO_PERMISSION', 'closed'))
    assert.throws(join({ subscribe: { orders: { sql: 'a >' } } }), refusal('FILTER_INVALID', 'position'))
    assert.throws(join({ subscribe: {} }), bad(RangeError, 'subscribe'))
    assert.throws(join({ group: 'a b' }), bad(RangeError, 'a b'))
    assert.throws(join({ concurrency: 1 }), bad(TypeError, 'concurrency'))
    assert.throws(join({ startAt: 'yesterday' }), bad(RangeError, 'yesterday'))
    await broker.groups.create('quiet', { mayConsume: false })
    assert.throws(join({ group: 'quiet' }), refusal('NO_PERMISSION', 'quiet'))
    await broker.close()
    assert.throws(join({}), refusal('BROKER_CLOSED'))
  })
})

function ordersOf(consumer: { queues: { topic: string; queueId: number }[] }): number[] {
  return consumer.queues.filter(({ topic }) => topic === 'orders').map(({ queueId }) => queueId)
}

/** Lets the event loop turn until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !holds(); i++) await turn()
  assert.ok(holds(), 'it never came true')
}

/** Moves the clock, and lets what was waiting happen. */
async function pass(time: ManualTime, ms: number): Promise<void> {
  time.advance(ms)
  for (let i = 0; i < 20; i++) await turn()
}
