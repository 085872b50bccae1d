/** The record of a half message as its producer sent it: clients are asked about that, not about what the broker made of it. */
import { blockOf } from '../../format/block.js'
import { RecordAt, topicRange } from '../../format/record.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { targetOf } from '../transaction/half-message.js'

/** Longest topic whose length a client reads from one byte. */
const MAX_TOPIC_BYTES = 127

/** The record with topic and queue as they were, or as it is stored when it does not say. */
export function halfRecord(half: StoredMessage): Buffer {
  const { record } = half
  const target = targetOf(half)
  const topic = Buffer.from(target?.topic ?? '')
  if (target === undefined || topic.length > MAX_TOPIC_BYTES) return record
  const { start, end } = topicRange(blockOf(record).view, 0)
  const restored = Buffer.concat([record.subarray(0, start - 1), Buffer.from([topic.length]), topic, record.subarray(end)])
  restored.writeInt32BE(restored.length, RecordAt.totalSize)
  restored.writeInt32BE(target.queueId, RecordAt.queueId)
  return restored
}
