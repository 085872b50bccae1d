/** How an administrator makes and changes a topic from elsewhere: RocketMQ's fields, checked by the rules of our own settings. */

import { isSystemTopic } from '../config/system-topics.js'
import { newTopic, Permission, type TopicConfig, withSettings } from '../config/topic-config.js'
import type { Topics } from '../config/topics.js'
import { BrokerError } from '../errors.js'
import type { ServedParts } from './served.js'

/** A topic as an administrator wants it. */
export interface WantedTopic
  extends Pick<TopicConfig, 'topic' | 'readQueues' | 'writeQueues' | 'permission' | 'filterType' | 'isOrdered'> {
  readonly sysFlag: number
  /** Changes of attributes: `+name=value,-name`. */
  readonly attributes: string
}

/** Bits of a permission that there are. */
const PERMISSIONS = Permission.inherit | Permission.readWrite

/**
 * Makes or changes a topic. What changes nothing is no change.
 *
 * @throws {BrokerError} `TOPIC_REFUSED`; {@link MessageStoreError} `TOPIC_INVALID`; {@link RangeError} for a field
 */
export async function putTopic(topics: Topics, wanted: WantedTopic): Promise<TopicConfig> {
  const { topic, readQueues, writeQueues, permission, filterType, isOrdered, sysFlag } = wanted
  if ((permission & ~PERMISSIONS) !== 0) throw new RangeError(`a permission has the bits 1, 2 and 4, got ${permission}`)
  const before = topics.find(topic)
  const { added, removed } = attributeChanges(wanted.attributes)
  if (before === undefined && removed.length > 0) throw new RangeError('a new topic has no attributes that could be taken away')
  const start = before ?? newTopic(topic, writeQueues)
  const after = withSettings(start, { readQueues, writeQueues, isOrdered, attributes: added }, before === undefined)
  const attributes = { ...after.attributes }
  for (const name of removed) delete attributes[name]
  return topics.put({ ...after, attributes, permission, filterType, sysFlag })
}

/** Deletes a topic. One that is not there is deleted already. @throws {BrokerError} `TOPIC_REFUSED` */
export async function deleteTopic(topics: Topics, topic: string): Promise<void> {
  try {
    await topics.delete(topic)
  } catch (error) {
    if (!(error instanceof BrokerError && error.code === 'TOPIC_UNKNOWN')) throw error
  }
}

/** Deletes the queues of topics that are not configured; those of the system and further queues of messages stay. */
export async function deleteUnused({ topics, store }: Pick<ServedParts, 'topics' | 'store'>): Promise<void> {
  const names = new Set(store.queues().map(({ topic }) => topic))
  for (const name of names) {
    const isKept = topics.find(name) !== undefined || isSystemTopic(name) || name.startsWith('%LMQ%')
    if (!isKept) await store.deleteTopic(name)
  }
}

/** @throws {RangeError} when the text is none, or names an attribute twice */
function attributeChanges(text: string): { added: Record<string, string>; removed: string[] } {
  const added: Record<string, string> = {}
  const removed: string[] = []
  const seen = new Set<string>()
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue
    const [, sign, name, value] = /^([+-])([^=]+)(?:=(.*))?$/.exec(part) ?? []
    if (name === undefined || (sign === '+') !== (value !== undefined) || seen.has(name))
      throw new RangeError('attributes are changed by +name=value,-name, each name once')
    seen.add(name)
    if (sign === '+') added[name] = value!
    else removed.push(name)
  }
  return { added, removed }
}
