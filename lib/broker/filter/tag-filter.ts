/** Tag filters: `*`, or tags joined by `||`. A message passes when its tag is one of them, exactly. */
import { shown } from '../../base/errors.js'
import { parseTags } from '../../format/tags.js'
import { checkFilterLength, filterFault } from './filter-fault.js'
import type { MessageFilter } from './message-filter.js'

/** Reads a tag filter; an empty text is `*`. @throws {BrokerError} FILTER_INVALID when it names no tag */
export function tagFilter(text: string): MessageFilter {
  checkFilterLength('tag', text)
  if (text === '') return { text, kind: 'TAG', tags: '*', matches: () => true }
  let parsed: ReturnType<typeof parseTags>
  try {
    parsed = parseTags(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw filterFault('tag', 0, '*, or tags joined by ||', shown(text))
  }
  if (parsed === undefined) return { text, kind: 'TAG', tags: '*', matches: () => true }
  const tags: ReadonlySet<string> = new Set(parsed.tags)
  return {
    text,
    kind: 'TAG',
    tags: Object.freeze([...tags]),
    matches: (message) => message.tags !== undefined && tags.has(message.tags),
  }
}
