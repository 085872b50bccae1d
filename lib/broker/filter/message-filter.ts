/**
 * Filters: which messages of a topic a group wants.
 *
 * There are two kinds. A tag filter names tags and is applied by the store, on its queue entries. An SQL filter
 * is a condition on the properties of a message, tags and keys among them, and is applied to the message.
 */
import { shown } from '../../base/errors.js'
import { checkTagExpression } from '../../format/tags.js'
import { filterFault } from './filter-fault.js'

/** A tag filter as a string (`*`, or tags joined by `||`), or an SQL filter. At most 16384 characters. */
export type FilterExpression = string | { readonly sql: string }

/** What a filter looks at in a message. */
export interface FilteredMessage {
  /** The tag, or `undefined`. */
  readonly tags: string | undefined
  /** All properties, those of the system too. Inherited ones are not read. */
  readonly properties: Readonly<Record<string, string>>
}

/** A filter, read and ready. It can be applied any number of times. */
export interface MessageFilter {
  /** The filter as it was given. */
  readonly text: string
  /** The kind, by RocketMQ's name for it. */
  readonly kind: 'TAG' | 'SQL92'
  /** What `store.get` can apply by itself; `*` when that is nothing, as for SQL. */
  readonly tags: '*' | readonly string[]
  /** Whether a message passes. An SQL filter that is unknown, or cannot be evaluated, lets nothing pass. Never throws. */
  matches(message: FilteredMessage): boolean
}

/** A filter in the words of RocketMQ's protocol. */
export interface ForeignFilter {
  /** The text; none or an empty one is all messages. */
  readonly text: string | undefined
  /** `TAG` or `SQL92`; none is `TAG`. */
  readonly type: string | undefined
  /** Whether the text names a Java class. */
  readonly isClassFilter: boolean
}

/**
 * The filter that a client of RocketMQ's protocol asks for.
 *
 * @throws {BrokerError} FILTER_INVALID for a class filter, or a type of filter that there is not
 */
export function filterExpressionOf({ text = '*', type = 'TAG', isClassFilter }: ForeignFilter): FilterExpression {
  if (isClassFilter) {
    const got = `the Java class ${shown(text)}: class filters would run code of the client in the broker`
    throw filterFault('tag', 0, 'tags or SQL', got)
  }
  if (type === 'SQL92') return { sql: text }
  if (type === 'TAG' || type === '') return text
  throw filterFault('tag', 0, 'a filter of type TAG or SQL92', `the type ${shown(type)}`)
}

/**
 * Refuses what somebody who writes a program here cannot mean; clients of RocketMQ's protocol may say it.
 *
 * @throws {RangeError} for tags in another language, as `a && b`
 */
export function checkOwnFilter(expression: FilterExpression): FilterExpression {
  if (typeof expression === 'string') checkTagExpression(expression)
  return expression
}
