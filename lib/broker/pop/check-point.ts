/**
 * What pop consumption writes down, in RocketMQ's shapes (`PopCheckPoint`, `AckMsg`, `BatchAckMsg`): messages of the
 * revive topic, with a body in JSON.
 *
 * ```
 *  check point  ck    these messages of a queue were handed out at pt, and come again at pt + it
 *  ack          ack   one of them is handled
 *  acks         bAck  several of them are
 * ```
 *
 * Whoever reads them matches an ack with its check point by topic, group, queue, first offset, time and broker.
 */
import { SystemProperty } from '../system-property.js'

/** The tags by which the three are told apart. Persistent. Never rename. */
export const ReviveTag = { checkPoint: 'ck', ack: 'ack', acks: 'bAck' } as const

/** The group that reads the revive topic. Its offset is the last one that is settled, not the next one. */
export const REVIVE_GROUP = 'CID_RMQ_SYS_REVIVE_GROUP'
/** Check points fall due so much before their messages come again, milliseconds. */
export const ACK_INTERVAL_MS = 1000
/** Most messages of a check point, as RocketMQ's bit map has room for. */
export const MAX_POPPED = 32

/** What all three name: one pop of a queue. */
export interface PopName {
  readonly group: string
  /** The queue's own topic: that of the retries, for retried messages. */
  readonly topic: string
  readonly queueId: number
  /** The offset from which it was popped. */
  readonly startOffset: number
  /** When, milliseconds since 1970. */
  readonly popTime: number
  readonly brokerName: string
}

/** Messages of a queue that were handed out together. */
export interface CheckPoint extends PopName {
  /** How long they stay hidden from others, milliseconds. */
  readonly invisibleMs: number
  /** Where each one is. */
  readonly offsets: readonly number[]
}

/** Messages that are handled. */
export interface Acks extends PopName {
  readonly offsets: readonly number[]
}

/** What check point and ack have in common, as one text. */
export function popKey({ group, topic, queueId, startOffset, popTime, brokerName }: PopName): string {
  return `${topic}@${group}@${queueId}@${startOffset}@${popTime}@${brokerName}`
}

/** When the messages of a check point come again. */
export function reviveTimeOf({ popTime, invisibleMs }: Pick<CheckPoint, 'popTime' | 'invisibleMs'>): number {
  return popTime + invisibleMs
}

/** A record of the revive topic, without its queue. */
export interface ReviveRecord {
  readonly tags: string
  readonly body: string
  readonly uniqueKey: string
  readonly properties: Readonly<Record<string, string>>
}

/** A check point as it is put. */
export function checkPointRecord(point: CheckPoint): ReviveRecord {
  const { group, topic, queueId, startOffset, popTime, brokerName, invisibleMs, offsets } = point
  const body = {
    bm: 0,
    bn: brokerName,
    c: group,
    d: offsets.map((offset) => offset - startOffset),
    it: invisibleMs,
    n: offsets.length,
    pt: popTime,
    q: queueId,
    reviveTime: reviveTimeOf(point),
    ro: 0,
    so: startOffset,
    t: topic,
  }
  const key = [topic, queueId, startOffset, group, popTime, brokerName, ReviveTag.checkPoint].join('@')
  return record(ReviveTag.checkPoint, body, key, reviveTimeOf(point) - ACK_INTERVAL_MS)
}

/** One ack or several, as they are put: due when the time of their check point is over. */
export function ackRecord(acks: Acks, dueAt: number): ReviveRecord {
  const { group, topic, queueId, startOffset, popTime, brokerName, offsets } = acks
  const [first] = offsets
  const isOne = offsets.length === 1
  const named = { bn: brokerName, c: group, pt: popTime, q: queueId, so: startOffset, t: topic }
  const ackOffset = isOne ? first! : -1
  const key = [topic, queueId, ackOffset, group, popTime, brokerName, ReviveTag.ack].join('@')
  if (isOne) return record(ReviveTag.ack, { ao: ackOffset, ...named }, key, dueAt)
  return record(ReviveTag.acks, { ao: ackOffset, aol: offsets, ...named }, key, dueAt)
}

function record(tags: string, body: object, uniqueKey: string, dueAt: number): ReviveRecord {
  const properties = { [SystemProperty.deliverAtMs]: String(dueAt) }
  return { tags, body: JSON.stringify(body), uniqueKey, properties }
}

/** What a record of the revive topic says, or `undefined` for one that says nothing. */
export function readReviveRecord(tags: string | undefined, body: Buffer, ownName: string): CheckPoint | Acks | undefined {
  const isPoint = tags === ReviveTag.checkPoint
  if (!isPoint && tags !== ReviveTag.ack && tags !== ReviveTag.acks) return undefined
  const fields = parsed(body)
  const group = fields['c'] ?? fields['consumerGroup']
  const topic = fields['t'] ?? fields['topic']
  if (typeof group !== 'string' || typeof topic !== 'string') return undefined
  const startOffset = whole(fields['so'] ?? fields['startOffset'])
  const popTime = whole(fields['pt'] ?? fields['popTime'])
  const queueId = whole(fields['q'] ?? fields['queueId'])
  if (startOffset === undefined || popTime === undefined || queueId === undefined) return undefined
  const given = fields['bn'] ?? fields['brokerName']
  const brokerName = typeof given === 'string' && given !== '' ? given : ownName
  const named = { group, topic, queueId, startOffset, popTime, brokerName }
  if (!isPoint) return { ...named, offsets: ackOffsets(fields) }
  return { ...named, invisibleMs: whole(fields['it']) ?? 0, offsets: openOffsets(fields, startOffset) }
}

/** The offsets of a check point that were not acknowledged when it was written. */
function openOffsets(fields: Record<string, unknown>, startOffset: number): number[] {
  const count = Math.min(whole(fields['n']) ?? 0, MAX_POPPED)
  const bits = whole(fields['bm']) ?? 0
  const differences = wholes(fields['d'])
  const all = Array.from({ length: count }, (_, i) => startOffset + (differences.length === 0 ? i : (differences[i] ?? -1)))
  return all.filter((offset, i) => offset >= startOffset && (bits & (1 << i)) === 0)
}

function ackOffsets(fields: Record<string, unknown>): number[] {
  const list = wholes(fields['aol'] ?? fields['ackOffsetList'])
  if (list.length > 0) return list
  const one = whole(fields['ao'] ?? fields['ackOffset'])
  return one === undefined || one < 0 ? [] : [one]
}

function parsed(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function wholes(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((one): one is number => Number.isSafeInteger(one)) : []
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}
