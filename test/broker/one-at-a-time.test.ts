/** Brokers over one store, of which there may be one at a time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../../lib/index.js'
import { openTestBroker, small } from '../support/open-broker.js'
import { code, freshDisk, open } from '../support/open-store.js'

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
