/** The requests of administrators: topics, groups, messages and offsets, the broker itself. */
import { accountHandlers } from './accounts.js'
import type { Entries, ServedBroker } from './entries.js'
import { groupHandlers } from './groups.js'
import { queryHandlers } from './queries.js'
import { runtimeHandlers } from './runtime-info.js'
import { statisticsHandlers } from './statistics.js'
import { topicHandlers } from './topics.js'

/** See the head of this file. */
export function administerHandlers(served: ServedBroker): Entries {
  return [
    ...accountHandlers(served),
    ...topicHandlers(served),
    ...groupHandlers(served),
    ...queryHandlers(served),
    ...runtimeHandlers(served),
    ...statisticsHandlers(served),
  ]
}
