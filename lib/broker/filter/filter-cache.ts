/**
 * Filters by their text, read once.
 *
 * Consumers name their filter with every request, so reading it must cost nothing the second time, and a wrong
 * one must not cost a parse each time it is tried again: failures are kept too.
 */
import { LRUCache } from 'lru-cache'
import { shown } from '../../base/errors.js'
import { BrokerError } from '../errors.js'
import { checkFilterLength } from './filter-fault.js'
import type { FilterExpression, MessageFilter } from './message-filter.js'
import { sqlFilter } from './sql-filter.js'
import { tagFilter } from './tag-filter.js'

/** See the head of this file. */
export class FilterCache {
  readonly #tags: LRUCache<string, MessageFilter | BrokerError>
  readonly #sql: LRUCache<string, MessageFilter | BrokerError>

  /** @param size - filters of each kind that are kept, those used last */
  constructor(size = 100) {
    this.#tags = new LRUCache({ max: size })
    this.#sql = new LRUCache({ max: size })
  }

  /**
   * The filter of an expression.
   *
   * @throws {BrokerError} FILTER_INVALID when the text is no filter; `details.position` says where
   * @throws {TypeError} when it is neither a string nor an object with SQL
   */
  get(expression: FilterExpression): MessageFilter {
    if (typeof expression === 'string') return kept(this.#tags, expression, 'tag')
    const { sql }: { sql?: unknown } = expression ?? {}
    if (typeof sql !== 'string') throw new TypeError(`a filter must be a string or { sql: string }, got ${shown(expression)}`)
    return kept(this.#sql, sql, 'SQL')
  }
}

function kept(cache: LRUCache<string, MessageFilter | BrokerError>, text: string, kind: 'tag' | 'SQL'): MessageFilter {
  // Before the cache is asked: it must not hold on to texts of any length.
  checkFilterLength(kind, text)
  let found = cache.get(text)
  if (found === undefined) {
    found = made(text, kind)
    cache.set(text, found)
  }
  if (!(found instanceof BrokerError)) return found
  const { code, message, details } = found
  throw new BrokerError(code, message.slice(`${code}: `.length), { details })
}

function made(text: string, kind: 'tag' | 'SQL'): MessageFilter | BrokerError {
  try {
    return kind === 'tag' ? tagFilter(text) : sqlFilter(text)
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
}
