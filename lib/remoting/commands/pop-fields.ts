/**
 * What is said of popped messages beside their records, in few words: clients make each one's handle out of them.
 *
 * ```
 *  startOffsetInfo  0 2 17;1 0 4          retry flag, queue, offset from which the queue was popped
 *  msgOffsetInfo    0 2 17,18,20;1 0 4    the offsets of its messages
 *  orderCountInfo   0 2 1;0 qo2%18 1      how often a message in order was popped before: of the first, and of each
 * ```
 */
import { numberOf } from '../../broker/config/config-object.js'
import { MAX_POPPED } from '../../broker/pop/check-point.js'
import { retryFlagOf } from '../../broker/pop/handle.js'
import type { PoppedMessage } from '../../broker/pop/pop-parts.js'
import type { ConfigObject } from '../../format/config-json.js'
import { responseCodes } from '../codes.js'
import type { CommandParts } from '../command.js'
import { Refusal } from '../errors.js'

/** Longest text of bits: a filter may have passed over so many messages, and many more, between two that were popped. */
const MOST_TEXT = 64 * 1024

/** The ext fields of the answer to a pop; all were popped at once. */
export function poppedFields(found: readonly PoppedMessage[], restNum: number): NonNullable<CommandParts['ext']> {
  const { point, reviveQueueId } = found[0]!
  const queues = new Map<string, PoppedMessage[]>()
  for (const one of found) {
    const key = `${retryFlagOf(one.point.topic)} ${one.point.queueId}`
    queues.set(key, [...(queues.get(key) ?? []), one])
  }
  const infos = [...queues].map(([key, ones]) => ({
    start: `${key} ${ones[0]!.point.startOffset}`,
    offsets: `${key} ${ones.map(({ stored }) => stored.queueOffset).join(',')}`,
  }))
  const counts = found.flatMap(({ point: { topic, queueId }, stored, attempt }) =>
    attempt > 1 ? [`${retryFlagOf(topic)} qo${queueId}%${stored.queueOffset} ${attempt - 1}`] : [],
  )
  return {
    popTime: point.popTime,
    invisibleTime: point.invisibleMs,
    reviveQid: reviveQueueId,
    restNum,
    startOffsetInfo: infos.map(({ start }) => start).join(';'),
    msgOffsetInfo: infos.map(({ offsets }) => offsets).join(';'),
    orderCountInfo: counts.length === 0 ? undefined : counts.join(';'),
  }
}

/** The handles of one entry of a batch of acknowledgements: a bit stands for each message behind the first offset. */
export function handlesIn(ack: ConfigObject, brokerName: string): string[] {
  const number = (name: string): number => numberOf(ack[name], -1)
  const { b: bits, r: retry } = ack
  if (typeof bits !== 'string' || bits.length > MOST_TEXT)
    throw new Refusal(responseCodes.SYSTEM_ERROR, 'an acknowledgement of several messages needs their bits')
  const bytes = Buffer.from(bits, 'base64')
  const handles: string[] = []
  for (let i = 0; i < bytes.length * 8; i++) {
    if (((bytes[i >> 3]! >> (i & 7)) & 1) === 0) continue
    if (handles.length === MAX_POPPED)
      throw new Refusal(responseCodes.SYSTEM_ERROR, `at most ${MAX_POPPED} messages are popped at once`)
    const parts = [number('so'), number('pt'), number('it'), number('rq'), String(retry), brokerName, number('q')]
    handles.push([...parts, number('so') + i].join(' '))
  }
  return handles
}
