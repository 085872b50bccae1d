/** Brokers over one store, of which there may be one at a time, and what closing one tells. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../../lib/index.js'
import { openTestBroker, small } from '../support/open-broker.js'
import { code, freshDisk, open } from '../support/open-store.js'
import { inDirectory } from '../support/scratch.js'

test('a second broker over a store is refused until the first is closed, and the first goes on', async (t) => {
  const store = await open(freshDisk(), small)
  t.after(() => store.close())
  const opening = Broker.over(store)
  await assert.rejects(Broker.over(store), code('STORE_LOCKED', 'another broker'))
  const first = await opening
  await assert.rejects(Broker.over(store), code('STORE_LOCKED'))
  await first.topics.create('orders', { queues: 1 })
  await first.close()
  const second = await Broker.over(store)
  await second.send({ topic: 'orders', body: 'x' })
  await second.close()
  assert.equal(store.status, 'open')
})

test('a broker that could not be opened over a store leaves it to the next one', async (t) => {
  const store = await open(freshDisk(), small)
  t.after(() => store.close())
  await assert.rejects(Broker.over(store, { topics: { 'not a topic': { queues: 1 } } }))
  const next = await Broker.over(store)
  await next.close()
})

test('a store that a broker opened has that broker and no other', async (t) => {
  const broker = await openTestBroker(t)
  await assert.rejects(Broker.over(broker.store), code('STORE_LOCKED'))
})

test('a broker that closes in the turn in which a consumer came tells of no problem, and the group is there', async () => {
  for (const model of ['clustering', 'broadcasting'] as const)
    await inDirectory('closes-at-once', async (directory) => {
      const broker = await Broker.open(directory, { store: small, topics: { orders: { queues: 1 } } })
      const problems: string[] = []
      broker.on('problem', ({ error, during }) => problems.push(`${during}: ${String(error)}`))
      const consumer = broker.consumer({ group: 'g', subscribe: { orders: '*' }, model })
      consumer.on('problem', ({ error }) => problems.push(String(error)))
      await broker.close()
      assert.deepEqual(problems, [])
      await using again = await Broker.open(directory, { store: small, topics: { orders: { queues: 1 } } })
      assert.ok(again.groups.get('g').mayConsume)
      assert.ok(again.topics.get('%RETRY%g').readQueues > 0)
    })
})
