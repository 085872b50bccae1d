/** Options that a broker refuses to open with: what the error says, and what is on the disk then. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'
import { MessageStore } from '../../lib/store/message-store.js'
import { refusal, small } from '../support/open-broker.js'
import { inDirectory } from '../support/scratch.js'

/** Options as somebody writes them whom no compiler keeps from it, and what the refusal says. */
const wrong: readonly (readonly [unknown, RegExp])[] = [
  [5, /options object of a broker must be an object, got 5/],
  [{ clusterName: 5 }, /clusterName must be .*, got 5/],
  [{ backlog: { maxMessages: 0 } }, /backlog\.maxMessages must be .*, got 0/],
  [{ topics: [] }, /topics must be an object, got/],
  [{ topics: { orders: 5 } }, /option topics, "orders": the settings object of a topic must be an object, got 5/],
  [{ topics: { orders: null } }, /option topics, "orders": .* must be an object, got null/],
  [{ topics: { fine: {}, orders: { queues: 0 } } }, /option topics, "orders": queues must be a whole number from 1 .*, got 0/],
  [{ topics: { orders: { nope: 1 } } }, /option topics, "orders": .* unknown field "nope"; the fields are queues, /],
  [{ topics: { orders: { permission: 7 } } }, /option topics, "orders": permission must be .*'readWrite'.*, got 7/],
  [{ topics: { orders: { attributes: { x: '1' } } } }, /option topics, "orders": unknown attribute "x"; there are message\.type/],
  [{ topics: { orders: { attributes: { 'cleanup.policy': 'COMPACTION' } } } }, /TOPIC_REFUSED: orders .*COMPACTION/],
  [{ topics: { 'a b': {} } }, /TOPIC_INVALID: "a b" must consist of letters/],
  [{ topics: { TBW102: {} } }, /TOPIC_REFUSED: TBW102 is a topic of the system/],
  [{ topics: { shelf: {} }, store: { brokerName: 'shelf' } }, /TOPIC_REFUSED: shelf is a topic of the system/],
  [{ topics: { a: {}, b: {} }, quotas: { maxTopics: 1 } }, /QUOTA_EXCEEDED: topic b/],
  [{ groups: { billing: 5 } }, /option groups, "billing": the settings object of a group must be an object, got 5/],
  [{ groups: { billing: { maxRetries: -1 } } }, /option groups, "billing": maxRetries must be a whole number .*, got -1/],
  [{ groups: { 'a b': {} } }, /option groups, "a b": group must be 1 to 120 letters, .*, got "a b"/],
  [{ groups: { a: {}, b: {} }, quotas: { maxGroups: 1 } }, /QUOTA_EXCEEDED: group b/],
  [{ store: { segmentBytes: 5 } }, /segmentBytes must be .*, got 5/],
  [{ store: 5 }, /options must be an object .*, got 5/],
]

test('an opening that is refused for its options names what is wrong, and makes nothing on the disk', async () => {
  await inDirectory('refused-options', async (directory) => {
    const path = join(directory, 'made', 'data')
    for (const [options, message] of wrong) {
      await assert.rejects(Broker.open(path, options as BrokerOptions), message)
      assert.equal(existsSync(join(directory, 'made')), false, JSON.stringify(options))
    }
    await assert.rejects(MessageStore.open(path, { flush: 'never' as 'sync' }), /flush must be/)
    await assert.rejects(MessageStore.open(path, { index: { slots: 0 } }), /index\.slots must be/)
    assert.equal(existsSync(join(directory, 'made')), false)
  })
})

test('one bad entry keeps all others from being made, also over a store that is there', async () => {
  await inDirectory('refused-entries', async (directory) => {
    const store = await MessageStore.open(directory, small)
    const options = { topics: { fine: {}, orders: { queues: 0 } } }
    await assert.rejects(Broker.over(store, options), /option topics, "orders": queues must be/)
    const broker = await Broker.over(store)
    assert.equal(broker.topics.find('fine'), undefined)
    await broker.close()
    await store.close()
  })
})

test('what is there already is not refused as something new would be', async () => {
  await inDirectory('known-entries', async (directory) => {
    const first = await Broker.open(directory, { topics: { a: {}, b: {} }, store: small })
    await first.close()
    const again = await Broker.open(directory, { topics: { a: {}, b: {} }, quotas: { maxTopics: 1 }, store: small })
    await assert.rejects(again.topics.create('c'), refusal('QUOTA_EXCEEDED'))
    await again.close()
    const more = { topics: { a: {}, c: {} }, quotas: { maxTopics: 1 }, store: small }
    await assert.rejects(Broker.open(directory, more), refusal('QUOTA_EXCEEDED', 'topic c'))
  })
})

test('what options ask for is written at once, however much it is, and not again when it is there', async () => {
  await inDirectory('configured', async (directory) => {
    const many = (prefix: string): Record<string, object> => Object.fromEntries([1, 2, 3].map((i) => [`${prefix}${i}`, {}]))
    const options = { topics: many('t'), groups: many('g'), store: small }
    for (let life = 0; life < 2; life++) {
      const broker = await Broker.open(directory, options)
      assert.deepEqual([broker.topics.version.counter, broker.groups.version.counter], [1, 1])
      assert.deepEqual([broker.topics.list().length, broker.groups.list().length], [3, 3])
      await broker.close()
    }
  })
})
