/** Bounds on how many topics, queues and groups there are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Broker } from '../../lib/index.js'
import { openTestBroker, refusal, small, take } from '../support/open-broker.js'
import { bad, freshDisk, root } from '../support/open-store.js'

describe('quotas', () => {
  test('refuse one topic too many, made by hand or by its first message, and count no topics of the system', async (t) => {
    const broker = await openTestBroker(t, { options: { autoCreateTopics: true, quotas: { maxTopics: 2 } } })
    await broker.topics.create('a')
    await broker.send({ topic: 'b', body: 'x' })
    await assert.rejects(broker.topics.create('c'), refusal('QUOTA_EXCEEDED', 'topic c', '2 topics'))
    await assert.rejects(broker.send({ topic: 'c', body: 'x' }), refusal('QUOTA_EXCEEDED', 'topic c'))
    assert.equal(broker.topics.find('c'), undefined)
    await broker.topics.delete('a')
    await broker.topics.create('c')
  })

  test('refuse queues, of a new topic or of one that grows, but not one that shrinks', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { a: { queues: 4 } }, quotas: { maxQueues: 6 } } })
    await assert.rejects(broker.topics.create('b', { queues: 3 }), refusal('QUOTA_EXCEEDED', 'topic b', '7 queues', '6'))
    await broker.topics.create('b', { queues: 2 })
    await assert.rejects(broker.topics.update('a', { readQueues: 5 }), refusal('QUOTA_EXCEEDED', 'topic a'))
    await broker.topics.update('a', { queues: 3 })
    await broker.topics.update('b', { queues: 3 })
  })

  test('refuse one group too many, made by hand or by its first consumer', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { a: {} }, quotas: { maxGroups: 1 } } })
    await broker.groups.create('g')
    await assert.rejects(broker.groups.create('h'), refusal('QUOTA_EXCEEDED', 'group h', '1 groups'))
    assert.throws(() => broker.consumer({ group: 'h', subscribe: { a: '*' } }), refusal('QUOTA_EXCEEDED', 'group h'))
    await broker.groups.update('g', { maxRetries: 3 })
  })

  test('lose no message for want of topics: retries and dead letters have theirs', async (t) => {
    const broker = await openTestBroker(t, { options: { topics: { a: { queues: 1 } }, quotas: { maxTopics: 1, maxQueues: 1 } } })
    const consumer = broker.consumer({ group: 'g', subscribe: { a: '*' }, maxRetries: 0 })
    await broker.send({ topic: 'a', body: 'x' })
    await (await take(consumer, 1))[0]!.retry()
    assert.equal(broker.store.bounds('%DLQ%g').maxOffset, 1)
  })

  test('let a directory open that has more than it may', async (t) => {
    const disk = freshDisk()
    const first = await Broker.open(root, { store: small, topics: { a: { queues: 4 }, b: { queues: 4 } } }, { disk })
    await first.close()
    const broker = await openTestBroker(t, { disk, options: { quotas: { maxTopics: 1, maxQueues: 1 } } })
    await broker.send({ topic: 'b', body: 'x' })
    await assert.rejects(broker.topics.create('c', { queues: 1 }), refusal('QUOTA_EXCEEDED'))
  })

  test('are whole numbers with names that are known', async () => {
    const open = (quotas: object) => () => Broker.open(root, { quotas }, { disk: freshDisk() })
    await assert.rejects(open({ maxTopics: -1 }), bad(RangeError, 'quotas.maxTopics', '-1'))
    await assert.rejects(open({ topics: 1 }), bad(TypeError, 'topics', 'maxTopics'))
  })
})
