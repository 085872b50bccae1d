/**
 * A message of a transaction, before and after it is decided, in RocketMQ's form.
 *
 * ```
 *  orders/3 "paid"  --prepare-->  RMQ_SYS_TRANS_HALF_TOPIC/0, with REAL_TOPIC, REAL_QID, PGROUP, TRAN_MSG
 *  half message     --check---->  the same again, with TRANSACTION_CHECK_TIMES one higher
 *                   --commit--->  orders/3 "paid", with the address of the half message
 *                   --give up-->  TRANS_CHECK_MAX_TIME_TOPIC/0
 * ```
 *
 * Everything here is pure. What is copied keeps its properties byte for byte wherever RocketMQ keeps them.
 */
import { SysFlag } from '../../format/record.js'
import type { Message } from '../../store/message.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { HALF_TOPIC, UNDECIDED_TOPIC } from '../config/system-topics.js'
import { asksForDelay, SystemProperty, withProperties } from '../system-property.js'

/** A message as it waits for the end of its transaction. A delay by level is dropped, as RocketMQ's clients drop it. */
export function halfMessageOf(message: Message, group: string): Message {
  const { topic, queueId = 0, properties = {}, sysFlag = 0 } = message
  const transactionId = message.uniqueKey ?? properties[SystemProperty.uniqueKey]
  return {
    ...message,
    topic: HALF_TOPIC,
    queueId: 0,
    sysFlag: sysFlag & ~SysFlag.transactionMask,
    properties: withProperties(properties, {
      [SystemProperty.delayLevel]: undefined,
      [SystemProperty.realTopic]: topic,
      [SystemProperty.realQueueId]: String(queueId),
      [SystemProperty.transactionPrepared]: 'true',
      [SystemProperty.producerGroup]: group,
      [SystemProperty.transactionId]: transactionId,
      // Of a message that was a half message before: what was done to that one.
      [SystemProperty.checkTimes]: undefined,
      [SystemProperty.preparedQueueOffset]: undefined,
    }),
  }
}

/** Where a half message goes once it is committed; `undefined` for one that says it nowhere. */
export function targetOf({ properties }: StoredMessage): { topic: string; queueId: number } | undefined {
  const topic = properties[SystemProperty.realTopic]
  const queueId = Number(properties[SystemProperty.realQueueId] ?? 0)
  if (topic === undefined || topic === HALF_TOPIC || !Number.isSafeInteger(queueId) || queueId < 0) return undefined
  return { topic, queueId }
}

/** The message that a half message becomes; `undefined` when nobody knows where it belongs. */
export function committedMessage(half: StoredMessage): Message | undefined {
  const target = targetOf(half)
  if (target === undefined) return undefined
  const committed = {
    ...carried(half),
    ...target,
    sysFlag: (half.sysFlag & ~SysFlag.transactionMask) | SysFlag.transactionCommit,
    preparedTransactionOffset: half.commitLogOffset,
  }
  // The way into the store must look at one that is to come later.
  if (asksForDelay(half.properties)) return { ...committed, properties: half.properties }
  return { ...committed, encodedProperties: half.encodedProperties }
}

/** The same half message again, at the end of its queue. @param checks - how often it was asked about */
export function renewedHalf(half: StoredMessage, checks: number): Message {
  return {
    ...carried(half),
    topic: HALF_TOPIC,
    queueId: half.queueId,
    sysFlag: half.sysFlag,
    properties: withProperties(half.properties, {
      [SystemProperty.checkTimes]: String(checks),
      // RocketMQ takes a half message for decided when the one that this names is: and we say so of each old one.
      [SystemProperty.preparedQueueOffset]: undefined,
    }),
  }
}

/** A half message that is given up, for people to look at. */
export function undecidedMessage(half: StoredMessage): Message {
  const { sysFlag, encodedProperties } = half
  return { ...carried(half), topic: UNDECIDED_TOPIC, queueId: 0, sysFlag, encodedProperties }
}

/** How often the producers were asked about a half message. */
export function checksOf({ properties }: StoredMessage): number {
  return wholeOf(properties[SystemProperty.checkTimes]) ?? 0
}

/** For how long nobody asks about a half message, milliseconds; `undefined` when it does not say. */
export function immunityOf({ properties }: Pick<StoredMessage, 'properties'>, timeoutMs: number): number | undefined {
  const text = properties[SystemProperty.checkImmunitySeconds]
  if (text === undefined) return undefined
  const seconds = wholeOf(text)
  return seconds === undefined ? timeoutMs : seconds * 1000
}

/** The half message that this one is RocketMQ's copy of, by queue offset. */
export function copiedFrom({ properties }: StoredMessage): number | undefined {
  return wholeOf(properties[SystemProperty.preparedQueueOffset])
}

/** What is the same in all copies of a half message: a transaction, as its producer knows it. */
export function transactionOf({ properties, commitLogOffset }: StoredMessage): string {
  const key = properties[SystemProperty.uniqueKey] ?? properties[SystemProperty.transactionId] ?? String(commitLogOffset)
  return `${properties[SystemProperty.producerGroup] ?? ''} ${key}`
}

function carried(
  half: StoredMessage,
): Pick<Message, 'body' | 'flag' | 'bornTimestamp' | 'bornHost' | 'storeHost' | 'reconsumeTimes'> {
  const { body, flag, bornTimestamp, bornHost, storeHost, reconsumeTimes } = half
  return { body, flag, bornTimestamp, bornHost, storeHost, reconsumeTimes }
}

function wholeOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined
  return Number(text)
}
