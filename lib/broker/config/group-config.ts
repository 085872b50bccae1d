/** What is configured of a consumer group, in RocketMQ's shape (`SubscriptionGroupConfig`), and what users say of one. */
import { checkBoolean, checkRequest, type FieldNames, wholeBetween } from '../../base/arguments.js'
import type { ConfigObject, ConfigValue } from '../../format/config-json.js'
import { booleanOf, fieldsOf, numberOf } from './config-object.js'

/** A consumer group as it is configured. */
export interface GroupConfig {
  /** Its name. */
  readonly group: string
  /** Whether it may consume at all. */
  readonly mayConsume: boolean
  /** Whether it may consume by broadcasting. */
  readonly mayBroadcast: boolean
  /** Whether the group consumes in order. */
  readonly isOrdered: boolean
  /** Queues of its retry topic. */
  readonly retryQueues: number
  /** How often a message is tried again before it becomes a dead letter. */
  readonly maxRetries: number
  /** Whether members are told when others come and go. */
  readonly notifiesMembers: boolean
  /** The fields of the file, those that are not known here among them. */
  readonly kept?: ConfigObject
}

/** What users may say of a group; what they leave out stays as it is, or gets its default. */
export type GroupSettings = Partial<Omit<GroupConfig, 'group' | 'kept'>>

const settingTypes = {
  mayConsume: 'boolean',
  mayBroadcast: 'boolean',
  isOrdered: 'boolean',
  retryQueues: 'number',
  maxRetries: 'number',
  notifiesMembers: 'boolean',
} as const

const settingFields: FieldNames = new Set(Object.keys(settingTypes))

/** A group with RocketMQ's defaults. */
export function newGroup(group: string): GroupConfig {
  return {
    group,
    mayConsume: true,
    mayBroadcast: true,
    isOrdered: false,
    retryQueues: 1,
    maxRetries: 16,
    notifiesMembers: true,
  }
}

/** A group with other settings. @throws {TypeError} {@link RangeError} naming the setting */
export function withGroupSettings(before: GroupConfig, settings: GroupSettings): GroupConfig {
  checkRequest(settings, settingFields, 'the settings object of a group')
  for (const [name, value] of Object.entries(settings)) {
    const type = settingTypes[name as keyof typeof settingTypes]
    if (type === 'boolean') checkBoolean(name, value)
    else wholeBetween(name, value, 0, 0x7fffffff)
  }
  return { ...before, ...settings }
}

/** A group from its entry in `subscriptionGroup.json`. */
export function readGroupConfig(group: string, value: ConfigValue | undefined): GroupConfig {
  const kept = fieldsOf(value)
  return {
    group,
    mayConsume: booleanOf(kept['consumeEnable'], true),
    mayBroadcast: booleanOf(kept['consumeBroadcastEnable'], true),
    isOrdered: booleanOf(kept['consumeMessageOrderly'], false),
    retryQueues: numberOf(kept['retryQueueNums'], 1),
    maxRetries: numberOf(kept['retryMaxTimes'], 16),
    notifiesMembers: booleanOf(kept['notifyConsumerIdsChangedEnable'], true),
    kept,
  }
}

/** A group as it stands in `subscriptionGroup.json`. */
export function printGroupConfig(config: GroupConfig): ConfigObject {
  return {
    brokerId: 0,
    consumeFromMinEnable: true,
    whichBrokerWhenConsumeSlowly: 1,
    ...config.kept,
    consumeBroadcastEnable: config.mayBroadcast,
    consumeEnable: config.mayConsume,
    consumeMessageOrderly: config.isOrdered,
    groupName: config.group,
    notifyConsumerIdsChangedEnable: config.notifiesMembers,
    retryMaxTimes: config.maxRetries,
    retryQueueNums: config.retryQueues,
  }
}
