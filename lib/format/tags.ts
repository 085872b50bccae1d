/** Tags: expressions that choose by them, and the code that queue entries carry. */
import { checkString } from '../base/arguments.js'
import { shown } from '../base/errors.js'
import { javaHash } from './hash.js'
import { PropertyName } from './properties.js'

/** Delayed messages wait in this topic, one queue for each level. */
export const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX'

/** Milliseconds of RocketMQ's 18 delay levels, from level 1 on: `1s 5s 10s 30s 1m 2m ... 10m 20m 30m 1h 2h`. */
export const delayLevelsMs: readonly number[] = [
  1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
].map((seconds) => seconds * 1000)

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Most delay levels. */
export const MAX_DELAY_LEVELS = 64

/**
 * Parses delay levels in RocketMQ's form: `1s 5s 10s 1m 2h 1d`, from level 1 on.
 *
 * @returns milliseconds of each level
 * @throws {TypeError} when it is no string, {@link RangeError} when it is none, too many, or one of no time
 */
export function parseDelayLevels(text: string): readonly number[] {
  checkString('delay levels', text)
  const parts = text.trim().split(/ +/)
  if (parts.length > MAX_DELAY_LEVELS)
    throw new RangeError(`there are at most ${MAX_DELAY_LEVELS} delay levels, got ${parts.length}`)
  return Object.freeze(
    parts.map((part) => {
      const [, number, unit] = /^([1-9][0-9]{0,8})([smhd])$/.exec(part) ?? []
      if (number === undefined) throw new RangeError(`a delay level is a number and s, m, h or d, as in 10s, got ${shown(part)}`)
      return Number(number) * UNIT_MS[unit!]!
    }),
  )
}

/**
 * Parses `*`, or tags joined by `||`.
 *
 * @returns tags and their hashes, or `undefined` for everything
 * @throws {TypeError} when it is no string, {@link RangeError} when it names no tag
 */
export function parseTags(expression: string): { tags: string[]; hashes: number[] } | undefined {
  checkString('tags', expression)
  if (expression.trim() === '*') return undefined
  const tags = expression
    .split('||')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
  if (tags.length === 0) throw new RangeError(`tags must be * or tags joined by ||, got ${shown(expression)}`)
  return { tags, hashes: tags.map(javaHash) }
}

/** What other languages join words with; here it would be a part of a tag, and the filter would match nothing. */
const FOREIGN_OPERATOR = /(?:^|\s)(&&|\|)(?=\s|$)/

/**
 * Refuses an expression that somebody wrote for another language: `a && b`. RocketMQ takes that for one tag.
 *
 * @throws {RangeError} when one of its tags has `&&` or `|` standing by itself
 */
export function checkTagExpression(expression: string): void {
  for (const tag of expression.split('||')) {
    const operator = FOREIGN_OPERATOR.exec(tag.trim())?.[1]
    if (operator === undefined || tag.trim() === operator) continue
    throw new RangeError(
      `tags must be * or tags joined by ||, as in 'paid || refunded', got ${shown(expression)}: a message has one tag, ` +
        `and ${operator} would be a part of it; a list, as in ['a ${operator} b'], names tags as they are`,
    )
  }
}

/**
 * The tags code of a message: the hash of its tags, or for a delayed one the time when it is due.
 *
 * @param levelsMs - the store's delay levels
 */
export function tagsCodeOf(
  topic: string,
  properties: Readonly<Record<string, string>>,
  storeTimestamp: number,
  levelsMs: readonly number[] = delayLevelsMs,
): number {
  if (topic === SCHEDULE_TOPIC) {
    const level = Number(properties[PropertyName.delayLevel] ?? 0)
    if (level > 0) return storeTimestamp + (levelsMs[Math.min(level, levelsMs.length) - 1] ?? 1000)
  }
  const tags = properties[PropertyName.tags]
  return tags === undefined ? 0 : javaHash(tags)
}
