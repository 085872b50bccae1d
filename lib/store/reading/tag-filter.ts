/** Tag expressions, compiled once: the hashes for the queue entries, the tags for the records. */
import { LRUCache } from 'lru-cache'
import { parseTags } from '../../format/tags.js'

/** A compiled tag expression. `undefined` stands for `*`: everything passes. */
export interface TagFilter {
  readonly tags: ReadonlySet<string>
  readonly hashes: ReadonlySet<number>
}

const compiled = new LRUCache<string, TagFilter | { all: true }>({ max: 1000 })

/**
 * Compiles `*`, or tags joined by `||`.
 *
 * @throws {TypeError} when it is not a string, {@link RangeError} when it names no tag
 */
export function compileTags(expression: string | undefined): TagFilter | undefined {
  if (expression === undefined || expression === '*') return undefined
  let filter = compiled.get(expression)
  if (filter === undefined) {
    const parsed = parseTags(expression)
    filter = parsed === undefined ? { all: true } : { tags: new Set(parsed.tags), hashes: new Set(parsed.hashes) }
    compiled.set(expression, filter)
  }
  return 'all' in filter ? undefined : filter
}
