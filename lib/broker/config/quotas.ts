/**
 * How many topics, queues and groups there may be.
 *
 * Only what makes them more is refused: a directory that has more than it may opens, and goes on. Topics of the system
 * and those that the broker makes for a group's retries and dead letters do not count, since no message may be lost
 * for want of them.
 */
import { checkRequest, checkWhole, fieldNames } from '../../base/arguments.js'
import { BrokerError } from '../errors.js'
import type { TopicConfig } from './topic-config.js'

/** The option `quotas` of a broker. */
export interface QuotaOptions {
  /** Most topics. @default any number */
  readonly maxTopics?: number
  /**
   * Most queues of all topics together; of a topic that is read and written in different numbers, the greater counts.
   *
   * @default any number
   */
  readonly maxQueues?: number
  /** Most consumer groups. @default any number */
  readonly maxGroups?: number
}

/** Quotas with every default filled in. */
export type Quotas = Required<QuotaOptions>

const names: readonly (keyof QuotaOptions)[] = ['maxTopics', 'maxQueues', 'maxGroups']
const quotaFields = fieldNames<keyof QuotaOptions>({ maxTopics: true, maxQueues: true, maxGroups: true })

/** @throws {TypeError} {@link RangeError} naming what is wrong */
export function resolveQuotas(quotas: QuotaOptions = {}): Quotas {
  checkRequest(quotas, quotaFields, 'quotas')
  const resolved = { maxTopics: Infinity, maxQueues: Infinity, maxGroups: Infinity }
  for (const name of names) {
    const value = quotas[name]
    if (value === undefined) continue
    checkWhole(`quotas.${name}`, value)
    resolved[name] = value
  }
  return resolved
}

/** @throws {BrokerError} `QUOTA_EXCEEDED` when a topic, new or changed, would make more of them than there may be */
export function checkTopicQuota(
  { maxTopics, maxQueues }: Quotas,
  others: () => readonly TopicConfig[],
  before: TopicConfig | undefined,
  after: TopicConfig,
): void {
  if (!counts(after) || (maxTopics === Infinity && maxQueues === Infinity)) return
  const counted = others().filter((one) => one.topic !== after.topic && counts(one))
  if (before === undefined && counted.length >= maxTopics)
    throw new BrokerError(
      'QUOTA_EXCEEDED',
      `topic ${after.topic} would be one more than the ${maxTopics} topics of quotas.maxTopics`,
    )
  const added = queuesOf(after)
  if (added <= (before === undefined ? 0 : queuesOf(before))) return
  const all = counted.reduce((sum, one) => sum + queuesOf(one), added)
  if (all <= maxQueues) return
  throw new BrokerError('QUOTA_EXCEEDED', `topic ${after.topic} would make ${all} queues; quotas.maxQueues is ${maxQueues}`)
}

/** @throws {BrokerError} `QUOTA_EXCEEDED` when there are as many groups as there may be */
export function checkGroupQuota({ maxGroups }: Quotas, groups: number, group: string): void {
  if (groups < maxGroups) return
  throw new BrokerError('QUOTA_EXCEEDED', `group ${group} would be one more than the ${maxGroups} groups of quotas.maxGroups`)
}

function counts({ topic }: TopicConfig): boolean {
  return !topic.startsWith('%RETRY%') && !topic.startsWith('%DLQ%')
}

function queuesOf({ readQueues, writeQueues }: TopicConfig): number {
  return Math.max(readQueues, writeQueues)
}
