/**
 * What is configured of a topic, in RocketMQ's shape (`TopicConfig`), and what users say of one.
 *
 * Fields of a file that are not known here are kept and written again.
 */
import {
  checkBoolean,
  checkChoice,
  checkObject,
  checkRequest,
  checkString,
  fieldNames,
  wholeBetween,
} from '../../base/arguments.js'
import { shown } from '../../base/errors.js'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { BrokerError } from '../errors.js'
import { booleanOf, fieldsOf, numberOf } from './config-object.js'

/** Bits of a topic's permission. Persistent. Never renumber. */
export const Permission = { inherit: 1, write: 2, read: 4, readWrite: 6 } as const

/** Most queues that a topic may have here; RocketMQ's own largest topic has 1,024. */
export const MAX_QUEUES = 65_536

/** A topic as it is configured. */
export interface TopicConfig {
  /** Its name. */
  readonly topic: string
  /** Queues that consumers read: 0 to this. */
  readonly readQueues: number
  /** Queues that producers write. */
  readonly writeQueues: number
  /** Bits of {@link Permission}. */
  readonly permission: number
  /** Whether its messages have one tag or several. */
  readonly filterType: 'SINGLE_TAG' | 'MULTI_TAG'
  /** RocketMQ's unit flags. */
  readonly sysFlag: number
  /** Whether producers keep a fixed number of queues when a broker is away. */
  readonly isOrdered: boolean
  /** Attributes of RocketMQ 5, such as `message.type` and `queue.type`. */
  readonly attributes: Readonly<Record<string, string>>
  /** The fields of the file, those that are not known here among them. */
  readonly kept?: ConfigObject
}

/** What users may say of a topic; what they leave out stays as it is, or gets its default. */
export interface TopicSettings {
  /** Queues to read and to write, at least 1. @default 4 */
  readonly queues?: number
  /** Queues that consumers read, when not as many as are written. */
  readonly readQueues?: number
  /** Queues that producers write; with 0 nothing more can be sent, and what is there can be read. */
  readonly writeQueues?: number
  /** What clients may do. @default 'readWrite' */
  readonly permission?: 'readWrite' | 'read' | 'write' | 'none'
  /** Whether the topic is ordered. @default false */
  readonly isOrdered?: boolean
  /** What kind of messages it is for. Told to clients; nothing is refused for it. @default 'NORMAL' */
  readonly messageType?: 'NORMAL' | 'FIFO' | 'DELAY' | 'TRANSACTION' | 'MIXED' | 'UNSPECIFIED'
  /** `BatchCQ` keeps a batch as one record. Cannot be changed later. @default 'SimpleCQ' */
  readonly queueType?: 'SimpleCQ' | 'BatchCQ'
  /** Further attributes of RocketMQ 5 by name. */
  readonly attributes?: Readonly<Record<string, string>>
}

const permissionBits = { readWrite: 6, read: 4, write: 2, none: 0 } as const
const settingFields = fieldNames<keyof TopicSettings>({
  queues: true,
  readQueues: true,
  writeQueues: true,
  permission: true,
  isOrdered: true,
  messageType: true,
  queueType: true,
  attributes: true,
})

/** Values that an attribute may have; `undefined` for any. */
const attributeValues: Readonly<Record<string, readonly string[] | undefined>> = {
  'message.type': ['NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'MIXED', 'UNSPECIFIED'],
  'queue.type': ['SimpleCQ', 'BatchCQ'],
  'cleanup.policy': ['DELETE', 'COMPACTION'],
  'reserve.time': undefined,
}
/** Attributes that stay what they were when the topic was made. */
const fixedAttributes: Readonly<Record<string, string>> = { 'queue.type': 'SimpleCQ', 'cleanup.policy': 'DELETE' }

/** A topic with RocketMQ's defaults for one that is made by hand. */
export function newTopic(topic: string, queues: number, permission: number = Permission.readWrite): TopicConfig {
  return {
    topic,
    readQueues: queues,
    writeQueues: queues,
    permission,
    filterType: 'SINGLE_TAG',
    sysFlag: 0,
    isOrdered: false,
    attributes: {},
  }
}

/**
 * A topic with other settings.
 *
 * @throws {TypeError} {@link RangeError} naming the setting, {@link BrokerError} `TOPIC_REFUSED` for a change that cannot be
 */
export function withSettings(before: TopicConfig, settings: TopicSettings, isNew: boolean): TopicConfig {
  checkRequest(settings, settingFields, 'the settings object of a topic')
  const { queues, permission, isOrdered = before.isOrdered } = settings
  const { readQueues = queues ?? before.readQueues, writeQueues = queues ?? before.writeQueues } = settings
  // Neither to read nor to write is no topic; none to write is how one runs dry.
  if (queues !== undefined) wholeBetween('queues', queues, 1, MAX_QUEUES)
  wholeBetween('readQueues', readQueues, 0, MAX_QUEUES)
  wholeBetween('writeQueues', writeQueues, 0, MAX_QUEUES)
  if (permission !== undefined) checkChoice('permission', permission, Object.keys(permissionBits))
  checkBoolean('isOrdered', isOrdered)
  const attributes = withAttributes(before, settings, isNew)
  const bits = permission === undefined ? before.permission : permissionBits[permission]
  return { ...before, readQueues, writeQueues, permission: bits, isOrdered, attributes }
}

function withAttributes(before: TopicConfig, settings: TopicSettings, isNew: boolean): Readonly<Record<string, string>> {
  const { messageType, queueType } = settings
  if (settings.attributes !== undefined) checkObject('attributes', settings.attributes)
  const changes: Record<string, string> = { ...settings.attributes }
  if (messageType !== undefined) changes['message.type'] = messageType
  if (queueType !== undefined) changes['queue.type'] = queueType
  const attributes = { ...before.attributes }
  for (const [name, value] of Object.entries(changes)) {
    checkAttribute(name, value)
    if (value === 'COMPACTION' && attributes[name] !== value)
      throw new BrokerError('TOPIC_REFUSED', `${before.topic} cannot have ${name}=${value}: topics are not compacted here`)
    const fixed = fixedAttributes[name]
    if (!isNew && fixed !== undefined && (attributes[name] ?? fixed) !== value) {
      throw new BrokerError(
        'TOPIC_REFUSED',
        `${name} of ${before.topic} is ${attributes[name] ?? fixed} and cannot become ${value}`,
      )
    }
    attributes[name] = value
  }
  return attributes
}

/** @throws {RangeError} when an attribute is not known or cannot have the value */
function checkAttribute(name: string, value: unknown): void {
  const known = Object.keys(attributeValues)
  if (!known.includes(name)) throw new RangeError(`unknown attribute ${shown(name)}; there are ${known.join(', ')}`)
  checkString(`attribute ${name}`, value)
  const allowed = attributeValues[name]
  const fits = allowed === undefined ? /^(?:-1|\d{1,15})$/.test(value) : allowed.includes(value)
  if (!fits) throw new RangeError(`attribute ${name} must be ${allowed?.join(', ') ?? 'milliseconds or -1'}, got ${shown(value)}`)
}

/** A topic from its entry in `topics.json`. */
export function readTopicConfig(topic: string, value: ConfigValue | undefined): TopicConfig {
  const kept = fieldsOf(value)
  const attributes: Record<string, string> = {}
  for (const [name, one] of Object.entries(fieldsOf(kept['attributes']))) {
    // 5.x writes the name of an attribute with the sign of its last change, or without.
    if (typeof one === 'string') attributes[name.replace(/^\+/, '')] = one
  }
  return {
    topic,
    readQueues: numberOf(kept['readQueueNums'], 16),
    writeQueues: numberOf(kept['writeQueueNums'], 16),
    permission: numberOf(kept['perm'], Permission.readWrite),
    filterType: kept['topicFilterType'] === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
    sysFlag: numberOf(kept['topicSysFlag'], 0),
    isOrdered: booleanOf(kept['order'], false),
    attributes,
    kept,
  }
}

/** Whether messages may be sent to a topic. */
export function isWritable({ permission, writeQueues }: TopicConfig): boolean {
  return (permission & Permission.write) !== 0 && writeQueues > 0
}

/** A topic as it stands in `topics.json`. */
export function printTopicConfig(config: TopicConfig): ConfigObject {
  return {
    ...config.kept,
    attributes: config.attributes,
    order: config.isOrdered,
    perm: config.permission,
    readQueueNums: config.readQueues,
    topicFilterType: config.filterType,
    topicName: config.topic,
    topicSysFlag: config.sysFlag,
    writeQueueNums: config.writeQueues,
  }
}
