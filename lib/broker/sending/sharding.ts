/**
 * Which queue a sharding key goes to: XXH64 (seed 0) of the key as UTF-8, modulo the number of queues.
 *
 * Messages of one key are in order only while they stand in one queue, so this rule never changes. When a topic
 * gets more queues, keys move; when their number doubles, half of the keys stay where they are.
 */
import { shown } from '../../base/errors.js'
import { loadXxh64 } from '../../base/xxh64.js'

/**
 * The queue of a key, 0 to `queues` - 1.
 *
 * @param key - any text; half of a surrogate pair counts as U+FFFD
 * @param queues - how many queues the topic has to write
 * @throws {RangeError} unless `queues` is a whole number from 1
 */
export type QueueOfKey = (key: string, queues: number) => number

/** Makes the rule ready for use. */
export async function loadSharding(): Promise<QueueOfKey> {
  const { h64 } = await loadXxh64()
  return (key, queues) => {
    if (!Number.isSafeInteger(queues) || queues < 1)
      throw new RangeError(`queues must be a whole number from 1, got ${shown(queues)}`)
    return Number(h64(key) % BigInt(queues))
  }
}
