/** Moves a group to another place of a topic, whether it is consuming or not. */
import { checkQueue, checkRequest, checkString, fieldNames } from '../../base/arguments.js'
import { checkGroup, type Groups } from '../config/groups.js'
import type { ConsumerOffsets } from '../config/offsets.js'
import type { Topics } from '../config/topics.js'
import type { SeekTarget } from '../consuming/consumer.js'
import type { Consumers } from '../consuming/consumers.js'
import { checkTarget, placeOf } from '../consuming/start-offset.js'
import { BrokerError } from '../errors.js'
import { channels } from '../numbers/channels.js'
import type { ReadPort } from '../store-port.js'

/** Where a group goes on. */
export interface ResetRequest extends SeekTarget {
  /** The group. */
  readonly group: string
  /** The topic. */
  readonly topic: string
  /** One queue; all of the topic, when it is left out. */
  readonly queueId?: number
  /** The first message, behind the last one, the first one stored at a time or later, to the millisecond, or an offset. */
  readonly to: SeekTarget['to']
}

/** A queue in which a group was moved. */
export interface ResetOffset {
  /** The topic. */
  readonly topic: string
  /** The queue. */
  readonly queueId: number
  /** Where the group was; `undefined` when it had no place there. */
  readonly from: number | undefined
  /** Where it is. */
  readonly to: number
}

/** What moving a group needs. */
export interface ResetParts {
  readonly store: Pick<ReadPort, 'bounds' | 'offsetByTime'>
  readonly brokerName: string
  readonly topics: Pick<Topics, 'get'>
  readonly groups: Pick<Groups, 'whenMade'>
  readonly offsets: ConsumerOffsets
  readonly consumers: Pick<Consumers, 'moved'>
  /** @throws {BrokerError} `BROKER_CLOSED` */
  readonly checkOpen: () => void
}

const fields = fieldNames<keyof ResetRequest>({ group: true, topic: true, queueId: true, to: true })

/** See {@link Broker.resetOffsets}. */
export async function resetOffsets(parts: ResetParts, request: ResetRequest): Promise<ResetOffset[]> {
  const { checkOpen, groups, topics, offsets, consumers, brokerName } = parts
  checkOpen()
  checkRequest(request, fields)
  const { group, topic, queueId, to } = request
  checkGroup(group)
  checkString('topic', topic)
  checkTarget(to)
  await groups.whenMade(group)
  checkOpen()
  const { readQueues } = topics.get(topic)
  if (queueId !== undefined) checkQueue(topic, queueId)
  if (queueId !== undefined && queueId >= readQueues)
    throw new BrokerError('QUEUE_UNKNOWN', `queue ${queueId} of ${topic}: there are ${readQueues} queues`)
  const queueIds = queueId === undefined ? Array.from({ length: readQueues }, (_, id) => id) : [queueId]
  // First all places, then the moves: a place that cannot be leaves everything as it was.
  const places = new Map<number, number>()
  for (const id of queueIds) places.set(id, await placeOf(parts.store, topic, id, to))
  const moved = await Promise.all(
    [...places].map(async ([id, offset]): Promise<ResetOffset> => {
      let from: number | undefined
      await consumers.moved(group, { topic, queueId: id }, () => {
        from = offsets.find(topic, group, id)
        offsets.move(topic, group, id, offset)
      })
      return { topic, queueId: id, from, to: offset }
    }),
  )
  await offsets.flush()
  const told = channels['mqlite:reset-offset']
  if (told.hasSubscribers) for (const one of moved) told.publish({ broker: brokerName, group, ...one })
  return moved
}
