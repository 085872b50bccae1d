/** Opens brokers for tests, on a disk in memory, and closes them at the end. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'
import type { Consumer } from '../../lib/broker/consuming/consumer.js'
import type { Delivery } from '../../lib/broker/consuming/delivery.js'
import { BrokerError } from '../../lib/broker/errors.js'
import type { BrokerPorts } from '../../lib/broker/parts.js'
import type { Disk } from '../../lib/disk/disk.js'
import { freshDisk, root } from './open-store.js'

/** Sizes at which a test stays small without rolling over at each message. */
export const small = { segmentBytes: 1 << 20, queueSegmentEntries: 1000, index: { slots: 101, entries: 1000 } } as const

/** Opens a broker that is closed when the test ends, and fails on problems that it tells of. */
export async function openTestBroker(
  t: TestContext,
  { disk = freshDisk(), options = {}, ports = {} }: { disk?: Disk; options?: BrokerOptions; ports?: Partial<BrokerPorts> } = {},
): Promise<Broker> {
  const broker = await Broker.open(root, { ...options, store: { ...small, ...options.store } }, { disk, ...ports })
  broker.on('problem', ({ error, during }) => assert.fail(`${during}: ${String(error)}`))
  t.after(() => broker.close())
  return broker
}

/** The next deliveries of a consumer, which stays open. */
export async function take(consumer: Consumer, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const delivery = await consumer.next()
    assert.ok(delivery !== undefined, `the consumer closed after ${deliveries.length} of ${count} deliveries`)
    deliveries.push(delivery)
  }
  return deliveries
}

/** The bodies of deliveries as text. */
export function textOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ message }) => message.body.toString('utf8'))
}

/** A check for `assert.rejects` and `assert.throws`: the broker's code, and words that the message must hold. */
export function refusal(expected: string, ...words: string[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof BrokerError, `expected a BrokerError, got ${String(error)}`)
    assert.equal(error.code, expected, error.message)
    for (const word of words) assert.ok(error.message.includes(word), `${error.message} does not say ${word}`)
    return true
  }
}
