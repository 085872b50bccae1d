/** What a broker says of a configuration file that is torn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../../lib/broker/broker.js'
import { openTestBroker, small } from '../support/open-broker.js'
import { freshDisk, root } from '../support/open-store.js'

test('a torn configuration file is told as a problem to who listens from the start; what the change before had is there', async (t) => {
  const disk = freshDisk()
  const first = await openTestBroker(t, { disk, options: { topics: { orders: { queues: 1 } } } })
  await first.topics.create('returns', { queues: 1 })
  const { directory } = first.store
  await first.close()
  const path = `${directory}/config/topics.json`
  const torn = disk.open(path, { write: true })
  torn.resize(5)
  torn.close()

  const second = await Broker.open(root, { store: small }, { disk })
  t.after(() => second.close())
  const told: string[] = []
  second.on('problem', ({ error, during }) => told.push(`${during}: ${(error as Error).message}`))
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(told.length, 1, told.join())
  assert.match(told[0]!, /^reading the configuration: .*config\/topics\.json cannot be read, its spare copy was taken: /)
  assert.deepEqual([second.topics.find('orders') !== undefined, second.topics.find('returns')], [true, undefined])
})
