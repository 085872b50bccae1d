/** Records as clients shall see them: under the topic that their messages were first sent to, not where the broker keeps them. */
import { blockOf } from '../../format/block.js'
import { bodyAt, MAGIC_V1, propertiesRange, RecordAt } from '../../format/record.js'

/** Longest topic whose length a client reads from one byte. */
const MAX_TOPIC_BYTES = 127
const MAX_PROPERTIES_BYTES = 32_767

/** What is different in the record. */
export interface OtherPlace {
  readonly topic: string
  readonly queueId?: number
  /** Properties that stand behind those that are there. */
  readonly added?: Readonly<Record<string, string>>
}

/** A copy of a record with another topic; the record itself when that does not fit. */
export function withTopic(record: Buffer, { topic: name, queueId, added = {} }: OtherPlace): Buffer {
  const topic = Buffer.from(name)
  const { view } = blockOf(record)
  const properties = record.subarray(propertiesRange(view, 0).start)
  const isOpen = properties.length > 0 && properties.at(-1) !== 2
  const tail = Object.entries(added).map(([property, value]) => `${property}\u0001${value}\u0002`)
  const more = Buffer.from(tail.length === 0 ? '' : `${isOpen ? '\u0002' : ''}${tail.join('')}`)
  const length = Buffer.alloc(2)
  if (topic.length > MAX_TOPIC_BYTES || properties.length + more.length > MAX_PROPERTIES_BYTES) return record
  length.writeInt16BE(properties.length + more.length)
  const bodyStart = bodyAt(view, 0)
  const head = record.subarray(0, bodyStart + view.getInt32(bodyStart - 4))
  const copy = Buffer.concat([head, Buffer.from([topic.length]), topic, length, properties, more])
  copy.writeInt32BE(copy.length, RecordAt.totalSize)
  copy.writeInt32BE(MAGIC_V1, RecordAt.magic)
  if (queueId !== undefined) copy.writeInt32BE(queueId, RecordAt.queueId)
  return copy
}
