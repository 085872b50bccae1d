/** The requests of consumers. */
import type { Entries, ServedBroker } from './entries.js'

/** See the head of this file. */
export function consumeHandlers(_served: ServedBroker): Entries {
  return []
}
