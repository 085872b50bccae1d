/** The messages that consumers of RocketMQ's clients are given, and the order in which each queue's must come. */
import assert from 'node:assert/strict'
import type { Broker } from '../../lib/broker/broker.js'
import type { Got } from './line-client.js'

/** Queues of each topic. */
export const QUEUES = 4

/** Messages `prefix0`, `prefix1` ... over all queues; the tag is `even` or `odd`, the property `n` the number. */
export async function send(broker: Broker, topic: string, count: number, prefix = 'm'): Promise<string[]> {
  const bodies = Array.from({ length: count }, (_, i) => `${prefix}${i}`)
  for (const [i, body] of bodies.entries()) {
    await broker.send({ topic, body, tags: i % 2 === 0 ? 'even' : 'odd', properties: { n: String(i) }, queueId: i % QUEUES })
  }
  return bodies
}

/** The bodies of those whose tag is `even`. */
export const even = (bodies: readonly string[]): string[] => bodies.filter((_, i) => i % 2 === 0)

/** Asserts that so many messages of each queue came, one after the other. */
export function assertInOrder(got: readonly Got[], each: number): void {
  for (let queueId = 0; queueId < QUEUES; queueId++) {
    const offsets = got.filter((one) => one.queueId === queueId).map(({ queueOffset }) => queueOffset)
    assert.deepEqual(
      offsets,
      Array.from({ length: each }, (_, i) => i),
    )
  }
}
