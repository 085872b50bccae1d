/** Sending through a broker: which topics take what, which queue it goes to, and what is refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Broker } from '../../lib/broker/broker.js'
import { openTestBroker, refusal, small, take } from '../support/open-broker.js'
import { bad, bodies, code, freshDisk, readQueue, root } from '../support/open-store.js'

const topics = { orders: { queues: 4 } }

describe('sending', () => {
  test('goes to each queue in turn, to the one of the sharding key, or to the one that is named', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const turns = []
    for (let i = 0; i < 6; i++) turns.push((await broker.send({ topic: 'orders', body: 'x' })).queueId)
    assert.deepEqual(turns, [0, 1, 2, 3, 0, 1])
    const sharded = await Promise.all(
      ['a', 'b', 'a', 'b'].map((shardingKey) => broker.send({ topic: 'orders', body: 'x', shardingKey })),
    )
    assert.equal(sharded[0]!.queueId, sharded[2]!.queueId)
    assert.equal(sharded[1]!.queueId, sharded[3]!.queueId)
    assert.equal((await broker.send({ topic: 'orders', body: 'x', queueId: 3 })).queueId, 3)
  })

  test('gives every message an id by which it is found, beside its keys', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const sent = await broker.send({ topic: 'orders', body: 'x', keys: ['o-1'] })
    assert.match(sent.uniqueKey, /^[0-9A-F]{32}$/)
    for (const key of [sent.uniqueKey, 'o-1']) {
      const [found] = await broker.store.query({ topic: 'orders', key })
      assert.equal(found!.uniqueKey, sent.uniqueKey)
    }
  })

  test('puts a batch into one queue, in order', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    await broker.send({ topic: 'orders', body: 'first' })
    const sent = await broker.sendBatch(['a', 'b', 'c'].map((body) => ({ topic: 'orders', body })))
    assert.deepEqual(
      sent.map(({ queueId, queueOffset }) => [queueId, queueOffset]),
      [
        [1, 0],
        [1, 1],
        [1, 2],
      ],
    )
    assert.deepEqual(bodies(await readQueue(broker.store, 'orders', 1)), ['a', 'b', 'c'])
    assert.deepEqual(await broker.sendBatch([]), [])
  })

  test('makes a topic for its first message only when that is allowed, once for a flood of them', async (t) => {
    const strict = await openTestBroker(t)
    await assert.rejects(strict.send({ topic: 'new', body: 'x' }), refusal('TOPIC_UNKNOWN', '"new"'))
    const broker = await openTestBroker(t, { options: { autoCreateTopics: true, defaultQueues: 2 } })
    await Promise.all(Array.from({ length: 9 }, () => broker.send({ topic: 'new', body: 'x' })))
    const { readQueues, writeQueues, permission } = broker.topics.get('new')
    assert.deepEqual({ readQueues, writeQueues, permission }, { readQueues: 2, writeQueues: 2, permission: 6 })
    assert.equal(broker.topics.version.counter, 1)
  })

  test('refuses what cannot be, and stores nothing of it', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { ...topics, closed: { permission: 'read' } } } })
    const send = (message: object) => () => broker.send({ topic: 'orders', body: 'x', ...message })
    await assert.rejects(send({ topic: 'closed' }), refusal('NO_PERMISSION', 'closed'))
    await assert.rejects(send({ topic: 'SCHEDULE_TOPIC_XXXX' }), refusal('TOPIC_REFUSED', 'SCHEDULE_TOPIC_XXXX'))
    await assert.rejects(send({ queueId: 4 }), refusal('QUEUE_UNKNOWN', 'queue 4', '4 queues'))
    await assert.rejects(send({ queueId: 1, shardingKey: 'a' }), bad(TypeError, 'shardingKey'))
    await assert.rejects(send({ shardingKey: '' }), bad(RangeError, 'shardingKey'))
    await assert.rejects(send({ delayLevel: 19 }), bad(RangeError, 'delayLevel', '19'))
    await assert.rejects(send({ delayLevel: 1, delayMs: 5 }), bad(TypeError, 'delayMs'))
    await assert.rejects(send({ properties: { UNIQ_KEY: 'x' } }), bad(RangeError, 'UNIQ_KEY'))
    await assert.rejects(send({ tag: 'x' }), bad(TypeError, 'tag'))
    await assert.rejects(send({ body: 7 }), bad(TypeError, 'body'))
    await assert.rejects(send({ body: Buffer.alloc(5 << 20) }), code('MESSAGE_TOO_LARGE'))
    await assert.rejects(
      broker.sendBatch([
        { topic: 'orders', body: 'a' },
        { topic: 'other', body: 'b' },
      ]),
      bad(TypeError, 'other'),
    )
    await assert.rejects(broker.sendBatch([{ topic: 'orders', body: 'a', delayMs: 5 }]), bad(TypeError, 'delayed'))
    assert.deepEqual(broker.store.queues(), [])
    await broker.close()
    await assert.rejects(send({}), refusal('BROKER_CLOSED'))
  })
})

describe('a bound on unread messages', () => {
  test('refuses what a group has no room for, and lets it in when the group has read', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 3 } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' })
    await broker.send({ topic: 'orders', body: '0' })
    const [first] = await take(consumer, 1)
    for (const body of ['1', '2']) await broker.send({ topic: 'orders', body })
    await assert.rejects(broker.send({ topic: 'orders', body: '3' }), refusal('BACKLOG_FULL', 'orders', '3'))
    await first!.ack()
    await broker.send({ topic: 'orders', body: '3' })
    assert.equal(
      broker.store
        .queues()
        .filter(({ topic }) => topic === 'orders')
        .reduce((sum, { maxOffset }) => sum + maxOffset, 0),
      4,
    )
  })

  test('counts for a group that has no offset yet from where it will begin', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 3 } } })
    for (let i = 0; i < 2; i++) await broker.send({ topic: 'orders', body: `${i}` })
    // Nobody had to read it, and it popped nothing yet: all that is there is unread.
    const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' } })
    await broker.send({ topic: 'orders', body: '2' })
    await assert.rejects(broker.send({ topic: 'orders', body: '3' }), refusal('BACKLOG_FULL', 'orders', '3'))
    assert.equal(broker.served.offsets.groupsOf('orders').length, 0)
    const popped = await popper.pop()
    assert.equal(popped.length, 3)
    await popped[0]!.ack()
    await broker.send({ topic: 'orders', body: '3' })
  })

  test('counts a group that came, or went back, at once', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 8 } } })
    for (let i = 0; i < 9; i++) await broker.send({ topic: 'orders', body: `${i}` })
    const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' } })
    await assert.rejects(broker.send({ topic: 'orders', body: '9' }), refusal('BACKLOG_FULL'))
    for (const delivery of await popper.pop()) await delivery.ack()
    await broker.send({ topic: 'orders', body: '9' })
    await broker.resetOffsets({ group: 'g', topic: 'orders', to: 'first' })
    await assert.rejects(broker.send({ topic: 'orders', body: '10' }), refusal('BACKLOG_FULL'))
  })

  test('counts what is popped until it is acknowledged, however often it was extended or comes again', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 4 } } })
    const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' } })
    for (let i = 0; i < 4; i++) await broker.send({ topic: 'orders', body: `${i}` })
    const [first, second, third] = await popper.pop()
    const send = (): Promise<unknown> => broker.send({ topic: 'orders', body: 'x' })
    await assert.rejects(send(), refusal('BACKLOG_FULL', 'orders', '4'))
    await first!.extend(60_000)
    await second!.retry({ delayMs: 60_000 })
    await assert.rejects(send(), refusal('BACKLOG_FULL', 'orders', '4'))
    await first!.ack()
    await send()
    await assert.rejects(send(), refusal('BACKLOG_FULL', 'orders', '4'))
    await third!.ack()
    await send()
  })

  test('counts no group that nobody is a member of, nor one that gets everything by broadcasting', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, groups: { idle: {} }, backlog: { maxMessages: 2 } } })
    broker.consumer({ group: 'b', subscribe: { orders: '*' }, model: 'broadcasting' }).pause()
    for (let i = 0; i < 5; i++) await broker.send({ topic: 'orders', body: `${i}` })
  })

  for (const whenFull of ['reject', 'wait'] as const) {
    test(`counts what is sent at once and not stored yet, when senders ${whenFull}`, async (t) => {
      const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 10, whenFull } } })
      broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' }).pause()
      let stored = 0
      const sends = Array.from({ length: 30 }, (_, i) =>
        i % 3 === 0
          ? broker.sendBatch([{ topic: 'orders', body: 'x' }]).then(() => stored++)
          : broker.send({ topic: 'orders', body: 'x' }).then(() => stored++),
      )
      if (whenFull === 'wait') {
        while (stored < 10) await new Promise((resolve) => setTimeout(resolve, 10))
        // Time in which one more could get in.
        await new Promise((resolve) => setTimeout(resolve, 100))
        for (const one of sends) one.catch(() => {})
      } else await Promise.allSettled(sends)
      assert.equal(stored, 10)
    })
  }

  test('refuses a batch that is larger than the bound, though senders wait', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 2, whenFull: 'wait' } } })
    const batch = Array.from({ length: 3 }, () => ({ topic: 'orders', body: 'x' }))
    await assert.rejects(broker.sendBatch(batch), { name: 'RangeError', message: /^3 messages at once: .* at most 2 / })
    assert.equal((await broker.sendBatch(batch.slice(1))).length, 2)
  })

  test('lets a message in again when one before it could not be stored', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 2 } } })
    broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' }).pause()
    const tooLarge = Buffer.alloc(5 * 1024 * 1024)
    for (let i = 0; i < 3; i++) await assert.rejects(broker.send({ topic: 'orders', body: tooLarge }), code('MESSAGE_TOO_LARGE'))
    for (let i = 0; i < 2; i++) await broker.send({ topic: 'orders', body: 'x' })
    await assert.rejects(broker.send({ topic: 'orders', body: 'x' }), refusal('BACKLOG_FULL'))
  })

  test('lets senders wait, with what they sent as it was', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, backlog: { maxMessages: 1, whenFull: 'wait' } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    await broker.send({ topic: 'orders', body: '0' })
    const [first] = await take(consumer, 1)
    const body = Buffer.from('1')
    const waiting = broker.send({ topic: 'orders', body })
    body[0] = 0x58
    await first!.ack()
    await waiting
    assert.equal((await take(consumer, 1))[0]!.message.body.toString(), '1')
  })
})

describe('topics and groups', () => {
  test('are there again after a restart, changed as they were', async (t) => {
    const disk = freshDisk()
    const first = await Broker.open(root, { store: small, topics }, { disk })
    await first.topics.create('mail', { readQueues: 3, writeQueues: 2, permission: 'read', isOrdered: true, messageType: 'FIFO' })
    await first.topics.update('orders', { queues: 8 })
    await first.groups.create('g', { maxRetries: 3, retryQueues: 2 })
    await first.topics.create('gone')
    await first.topics.delete('gone')
    const [mail, orders, group] = [first.topics.get('mail'), first.topics.get('orders'), first.groups.get('g')]
    await first.close()
    const broker = await openTestBroker(t, { disk })
    const plain = ({ kept, ...rest }: { kept?: unknown }) => rest
    assert.deepEqual(plain(broker.topics.get('mail')), plain(mail))
    assert.deepEqual(plain(broker.topics.get('orders')), plain(orders))
    assert.deepEqual(plain(broker.groups.get('g')), plain(group))
    assert.equal(broker.topics.find('gone'), undefined)
    assert.deepEqual(
      broker.topics
        .list()
        .map(({ topic }) => topic)
        .filter((topic) => /^[a-z]/.test(topic)),
      ['mail', 'orders'],
    )
  })

  test('run dry with no queue to write: nothing more is sent, what is there is read', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    await broker.send({ topic: 'orders', body: 'last', queueId: 3 })
    await broker.topics.update('orders', { writeQueues: 0 })
    await assert.rejects(broker.send({ topic: 'orders', body: 'late' }), refusal('NO_PERMISSION', 'orders'))
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, startAt: 'first' })
    assert.equal(String((await consumer.next())?.message.body), 'last')
    await consumer.close()
  })

  test('cannot be changed to what they cannot be', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { ...topics, packed: { queueType: 'BatchCQ' } } } })
    const { topics: all, groups } = broker
    await assert.rejects(async () => all.create('a b'), code('TOPIC_INVALID', 'a b'))
    await assert.rejects(async () => all.create('rmq_sys_x'), refusal('TOPIC_REFUSED', 'rmq_sys_x'))
    await assert.rejects(async () => all.delete('TBW102'), refusal('TOPIC_REFUSED', 'TBW102'))
    await assert.rejects(async () => all.update('none', {}), refusal('TOPIC_UNKNOWN', 'none'))
    await assert.rejects(async () => all.create('x', { queues: -1 }), bad(RangeError, 'queues', 'from 1', '-1'))
    await assert.rejects(async () => all.create('x', { queues: 0 }), bad(RangeError, 'queues', 'from 1', '0'))
    await assert.rejects(async () => all.create('x', { writeQueues: -1 }), bad(RangeError, 'writeQueues', 'from 0', '-1'))
    await assert.rejects(async () => all.create('x', { queue: 1 } as object), bad(TypeError, 'queue'))
    await assert.rejects(async () => all.update('packed', { queueType: 'SimpleCQ' }), refusal('TOPIC_REFUSED', 'queue.type'))
    await assert.rejects(async () => groups.create('a b'), bad(RangeError, 'a b'))
    await assert.rejects(async () => groups.update('none', {}), refusal('GROUP_UNKNOWN', 'none'))
    await assert.rejects(async () => groups.create('g', { maxRetries: 1.5 }), bad(RangeError, 'maxRetries', '1.5'))
    assert.equal(all.find('x'), undefined)
    assert.equal(groups.find('g'), undefined)
  })

  test('take a batch as one record where the topic says so, from its first message on', async (t) => {
    const broker = await openTestBroker(t)
    await broker.topics.create('packed', { queues: 1, queueType: 'BatchCQ' })
    const sent = await broker.sendBatch(['a', 'b'].map((body) => ({ topic: 'packed', body })))
    assert.equal(sent[0]!.commitLogOffset, sent[1]!.commitLogOffset)
    const consumer = broker.consumer({ group: 'g', subscribe: { packed: '*' } })
    assert.deepEqual(
      (await take(consumer, 2)).map(({ message }) => message.body.toString()),
      ['a', 'b'],
    )
  })

  test('lose their offsets when they are deleted', async (t) => {
    const broker = await openTestBroker(t, { options: { topics } })
    const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    await broker.send({ topic: 'orders', body: 'x', queueId: 0 })
    for (const delivery of await take(consumer, 1)) await delivery.ack()
    await consumer.close()
    await broker.groups.delete('g')
    const again = broker.consumer({ group: 'g', subscribe: { orders: '*' } })
    assert.equal((await take(again, 1))[0]!.message.body.toString(), 'x')
  })
})
