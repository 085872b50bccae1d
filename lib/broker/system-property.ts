/** Names of properties by which RocketMQ's clients and brokers talk to each other (`MessageConst`). Persistent. Never rename. */
import { PropertyName } from '../format/properties.js'

/** Property names that mean something to a broker. */
export const SystemProperty = {
  ...PropertyName,
  realTopic: 'REAL_TOPIC',
  realQueueId: 'REAL_QID',
  retryTopic: 'RETRY_TOPIC',
  originMessageId: 'ORIGIN_MESSAGE_ID',
  shardingKey: '__SHARDINGKEY',
  instanceId: 'INSTANCE_ID',
  consumeStart: 'CONSUME_START_TIME',
  maxOffset: 'MAX_OFFSET',
  minOffset: 'MIN_OFFSET',
  reconsumeTimes: 'RECONSUME_TIME',
  maxReconsumeTimes: 'MAX_RECONSUME_TIMES',
  transactionPrepared: 'TRAN_MSG',
  transactionId: '__transactionId__',
  producerGroup: 'PGROUP',
  checkTimes: 'TRANSACTION_CHECK_TIMES',
  checkImmunitySeconds: 'CHECK_IMMUNITY_TIME_IN_SECONDS',
  preparedQueueOffset: 'TRAN_PREPARED_QUEUE_OFFSET',
  delaySeconds: 'TIMER_DELAY_SEC',
  delayMs: 'TIMER_DELAY_MS',
  deliverAtMs: 'TIMER_DELIVER_MS',
  timerOutMs: 'TIMER_OUT_MS',
  timerEnqueueMs: 'TIMER_ENQUEUE_MS',
  timerDequeueMs: 'TIMER_DEQUEUE_MS',
  timerRollTimes: 'TIMER_ROLL_TIMES',
  timerCancel: 'TIMER_DEL_UNIQKEY',
  popCheckPoint: 'POP_CK',
  firstPopTime: '1ST_POP_TIME',
  region: 'MSG_REGION',
  traceOn: 'TRACE_ON',
  cluster: 'CLUSTER',
  replyTo: 'REPLY_TO_CLIENT',
  replyPushTime: 'PUSH_REPLY_TIME',
} as const

const reserved: ReadonlySet<string> = new Set<string>(Object.values(SystemProperty))

/** Whether a property is the system's own, so that users of the library may not set it as one of theirs. */
export function isReservedProperty(name: string): boolean {
  return reserved.has(name) || name.startsWith(SystemProperty.transientPrefix)
}

const delays = [
  SystemProperty.delayLevel,
  SystemProperty.delaySeconds,
  SystemProperty.delayMs,
  SystemProperty.deliverAtMs,
] as const

/** Whether a message asks to be delivered later. */
export function asksForDelay(properties: Readonly<Record<string, string>>): boolean {
  return delays.some((name) => properties[name] !== undefined)
}

/** Properties with some set to a value, and those set to `undefined` removed. */
export function withProperties(
  before: Readonly<Record<string, string>> | undefined,
  changes: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const after: Record<string, string> = { ...before }
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) delete after[name]
    else after[name] = value
  }
  return after
}
