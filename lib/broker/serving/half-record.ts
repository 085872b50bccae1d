/** The record of a half message as its producer sent it: clients are asked about that, not about what the broker made of it. */
import type { StoredMessage } from '../../store/stored-message.js'
import { targetOf } from '../transaction/half-message.js'
import { withTopic } from './other-topic.js'

/** The record with topic and queue as they were, or as it is stored when it does not say. */
export function halfRecord(half: StoredMessage): Buffer {
  const target = targetOf(half)
  return target === undefined ? half.record : withTopic(half.record, target)
}
