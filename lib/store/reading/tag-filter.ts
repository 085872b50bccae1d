/** Tag expressions, compiled once: the hashes for the queue entries, the tags for the records. */

import { LRUCache } from 'lru-cache'
import { wrongValue } from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import { javaHash } from '../../format/hash.js'
import { checkTagExpression, parseTags } from '../../format/tags.js'

/** A compiled tag expression. `undefined` stands for `*`: everything passes. */
export interface TagFilter {
  readonly tags: ReadonlySet<string>
  readonly hashes: ReadonlySet<number>
}

const compiled = new LRUCache<string, TagFilter | { all: true }>({ max: 1000 })
const compiledLists = new WeakMap<readonly string[], TagFilter>()

/**
 * Compiles `*`, tags joined by `||`, or a list of tags, each taken as it is.
 *
 * @throws {TypeError} when it is neither, {@link RangeError} when it names no tag or is of another language
 */
export function compileTags(expression: string | readonly string[] | undefined): TagFilter | undefined {
  if (expression === undefined || expression === '*') return undefined
  if (typeof expression === 'string') return compileText(expression)
  if (Array.isArray(expression)) return compileList(expression)
  throw new TypeError(`tags must be a string or a list of tags, got ${shown(expression)}`)
}

function compileText(expression: string): TagFilter | undefined {
  let filter = compiled.get(expression)
  if (filter === undefined) {
    const parsed = parseTags(expression)
    checkTagExpression(expression)
    filter = parsed === undefined ? { all: true } : { tags: new Set(parsed.tags), hashes: new Set(parsed.hashes) }
    compiled.set(expression, filter)
  }
  return 'all' in filter ? undefined : filter
}

function compileList(list: readonly string[]): TagFilter {
  let filter = compiledLists.get(list)
  if (filter === undefined) {
    if (list.length === 0) throw new RangeError('tags must name at least one tag, got an empty list')
    const wrong = list.findIndex((tag) => typeof tag !== 'string' || tag === '')
    if (wrong >= 0) throw wrongValue('string', `tags[${wrong}]`, 'a tag', list[wrong])
    filter = { tags: new Set(list), hashes: new Set(list.map(javaHash)) }
    // Only one that nobody can change stays the same.
    if (Object.isFrozen(list)) compiledLists.set(list, filter)
  }
  return filter
}
