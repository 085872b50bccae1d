/** Topics and groups that RocketMQ's brokers have for themselves, and the names that they make of others'. */
import { SCHEDULE_TOPIC } from '../../format/tags.js'
import { newTopic, type TopicConfig } from './topic-config.js'

/** Half messages wait here for the end of their transaction. */
export const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
/** What has been decided of half messages. */
export const OP_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC'
/** Half messages that nobody decided. */
export const UNDECIDED_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC'
/** Messages for any time ahead wait here. */
export const TIMER_TOPIC = 'rmq_sys_wheel_timer'
/** The template of topics that are made on first use. */
export const TEMPLATE_TOPIC = 'TBW102'
/** Traces of clients. */
export const TRACE_TOPIC = 'RMQ_SYS_TRACE_TOPIC'

/** What names of retry topics begin with. */
export const RETRY_PREFIX = '%RETRY%'

/** What groups have handled, for consumers that ask to get nothing twice. This broker's own. Persistent. Never rename. */
export const HANDLED_TOPIC = 'rmq_sys_mqlite_handled'

/** Messages that a group will try again. */
export function retryTopicOf(group: string): string {
  return `${RETRY_PREFIX}${group}`
}

/** Messages that a group has given up. */
export function deadLetterTopicOf(group: string): string {
  return `%DLQ%${group}`
}

/** Check points and acknowledgements of pop consumption. */
export function reviveTopicOf(cluster: string): string {
  return `rmq_sys_REVIVE_LOG_${cluster}`
}

/** Clients may not send to these. */
const closedTopics: ReadonlySet<string> = new Set([
  SCHEDULE_TOPIC,
  HALF_TOPIC,
  OP_TOPIC,
  UNDECIDED_TOPIC,
  HANDLED_TOPIC,
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
])

/** Whether clients are kept from sending to a topic. */
export function isClosedToClients(topic: string): boolean {
  return closedTopics.has(topic)
}

/** Names of the system that do not begin with `rmq_sys_`. */
const systemNames: ReadonlySet<string> = new Set([...closedTopics, TEMPLATE_TOPIC, TRACE_TOPIC, 'BenchmarkTest'])

/** Whether a topic is one of the system's own, which may be neither changed nor deleted. */
export function isSystemTopic(topic: string): boolean {
  return systemNames.has(topic) || topic.startsWith('rmq_sys_')
}

/** What names a broker goes by. */
export interface BrokerNames {
  readonly brokerName: string
  readonly clusterName: string
}

/** The topics that a broker has from its start on. */
export function systemTopics({ brokerName, clusterName }: BrokerNames, autoCreate: boolean): TopicConfig[] {
  const one = (topic: string, queues = 1): TopicConfig => newTopic(topic, queues)
  return [
    one('SELF_TEST_TOPIC'),
    ...(autoCreate ? [newTopic(TEMPLATE_TOPIC, 8, 7)] : []),
    one('BenchmarkTest', 1024),
    newTopic(clusterName, 16, 7),
    newTopic(brokerName, 1, 7),
    one('OFFSET_MOVED_EVENT'),
    one(SCHEDULE_TOPIC, 18),
    one(`${clusterName}_REPLY_TOPIC`),
    one(HALF_TOPIC),
    one(OP_TOPIC),
    one(reviveTopicOf(clusterName), 8),
    newTopic(`rmq_sys_SYNC_BROKER_MEMBER_${brokerName}`, 1, 1),
    one(TIMER_TOPIC),
  ]
}

/** Groups that exist without being made. */
export const systemGroups: readonly string[] = [
  'TOOLS_CONSUMER',
  'FILTERSRV_CONSUMER',
  'SELF_TEST_C_GROUP',
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PULL',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  'CID_RMQ_SYS_TRANS',
]

/** Whether a group is one of the system's own. */
export function isSystemGroup(group: string): boolean {
  return systemGroups.includes(group) || group.startsWith('CID_RMQ_SYS_')
}
