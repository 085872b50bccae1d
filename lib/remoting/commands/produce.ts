/** The requests of producers. */
import type { Entries, ServedBroker } from './entries.js'

/** See the head of this file. */
export function produceHandlers(_served: ServedBroker): Entries {
  return []
}
