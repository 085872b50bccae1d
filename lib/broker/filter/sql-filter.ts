/** SQL filters: a condition on the properties of a message, as RocketMQ's type SQL92. */
import { compileFilter } from './compile.js'
import type { MessageFilter } from './message-filter.js'
import { parseSqlFilter } from './parser.js'

/** Reads and compiles an SQL filter. @throws {BrokerError} FILTER_INVALID with the place of the fault */
export function sqlFilter(text: string): MessageFilter {
  const condition = compileFilter(parseSqlFilter(text))
  return { text, kind: 'SQL92', tags: '*', matches: ({ properties }) => condition(properties) === true }
}
