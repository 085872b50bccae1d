/** Tags: expressions that choose by them, and the code that queue entries carry. */
import { shown } from '../base/errors.js'
import { javaHash } from './hash.js'
import { PropertyName } from './properties.js'

/** Delayed messages wait in this topic, one queue for each level. */
export const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX'

/** Milliseconds of RocketMQ's 18 delay levels, from level 1 on: `1s 5s 10s 30s 1m 2m ... 10m 20m 30m 1h 2h`. */
export const delayLevelsMs: readonly number[] = [
  1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
].map((seconds) => seconds * 1000)

/**
 * Parses `*`, or tags joined by `||`.
 *
 * @returns tags and their hashes, or `undefined` for everything
 * @throws {TypeError} when it is no string, {@link RangeError} when it names no tag
 */
export function parseTags(expression: string): { tags: string[]; hashes: number[] } | undefined {
  if (typeof expression !== 'string') throw new TypeError(`tags must be a string, got ${shown(expression)}`)
  if (expression.trim() === '*') return undefined
  const tags = expression
    .split('||')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
  if (tags.length === 0) throw new RangeError(`tags must be * or tags joined by ||, got ${shown(expression)}`)
  return { tags, hashes: tags.map(javaHash) }
}

/** The tags code of a message: the hash of its tags, or for a delayed one the time when it is due. */
export function tagsCodeOf(topic: string, properties: Readonly<Record<string, string>>, storeTimestamp: number): number {
  if (topic === SCHEDULE_TOPIC) {
    const level = Number(properties[PropertyName.delayLevel] ?? 0)
    if (level > 0) return storeTimestamp + (delayLevelsMs[Math.min(level, delayLevelsMs.length) - 1] ?? 1000)
  }
  const tags = properties[PropertyName.tags]
  return tags === undefined ? 0 : javaHash(tags)
}
