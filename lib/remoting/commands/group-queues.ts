/** The requests about the queues of a group: offsets, locks, shares, and what administrators ask about them. */

import { shown } from '../../base/errors.js'
import { fieldsOf, numberOf } from '../../broker/config/config-object.js'
import type { RequestMode } from '../../broker/config/request-modes.js'
import type { ConsumeModel } from '../../broker/group/members.js'
import type { MessageQueue } from '../../broker/group/message-queue.js'
import type { ClientOffsets } from '../../broker/serving/client-offsets.js'
import { groupsOf, progressOf, topicsOf } from '../../broker/serving/consume-stats.js'
import { queuesHere, setRequestMode, shareOf } from '../../broker/serving/shares.js'
import type { ConfigValue } from '../../format/config-json.js'
import { parseBody, printBody } from '../body-json.js'
import { responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'
import { optionalFlag, optionalInt, optionalLong, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { listIn, nameIn, printSubscription, wordIn } from './client-body.js'
import type { ClientOwners } from './client-owners.js'
import { consumeRequests as codes } from './consume-codes.js'
import type { Entries, ServedBroker } from './entries.js'
import { queueKeyedBody } from './queue-keys.js'
import { progressEntries } from './statistics.js'

/** The last moment that a `Date` can hold. */
const LAST_TIME = 8.64e15

/** Locks with which groups that have no member here get no more: they last a minute, and as many may be asked for in a second. */
const MOST_LOCKS = 131_072

const models: readonly ConsumeModel[] = ['CLUSTERING', 'BROADCASTING']
const modes: readonly RequestMode['mode'][] = ['PULL', 'POP']

/** See the head of this file. */
export function groupQueueHandlers(served: ServedBroker, offsets: ClientOffsets, owners: ClientOwners): Entries {
  return [
    ...offsetHandlers(served, offsets),
    ...lockHandlers(served, owners),
    ...shareHandlers(served),
    ...questionHandlers(served),
  ]
}

function offsetHandlers({ broker, served: { store } }: ServedBroker, offsets: ClientOffsets): Entries {
  const query: Handler = (command) => {
    const mayStart = optionalFlag(command, 'setZeroIfNotFound', true)
    const offset = offsets.find(...placeIn(command), mayStart)
    if (offset !== undefined) return answer(command, responseCodes.SUCCESS, { ext: { offset } })
    throw new Refusal(responseCodes.QUERY_NOT_FOUND, 'Not found, maybe this group consumer boot first')
  }
  const update: Handler = (command) => {
    offsets.commit(...placeIn(command), requiredLong(command, 'commitOffset'))
    return answer(command, responseCodes.SUCCESS)
  }
  const reset: Handler = async (command) => {
    const topic = requiredText(command, 'topic')
    const queueId = optionalInt(command, 'queueId', -1)
    const offset = optionalLong(command, 'offset', -1)
    const moved = await broker.resetOffsets({
      topic,
      group: requiredText(command, 'group'),
      ...(queueId >= 0 ? { queueId } : {}),
      to: queueId >= 0 && offset !== -1 ? { offset } : placeAt(requiredLong(command, 'timestamp')),
    })
    const { brokerName } = store
    const entries = moved.map((one) => [{ brokerName, queueId: one.queueId, topic }, one.to] as const)
    return answer(command, responseCodes.SUCCESS, { body: queueKeyedBody('offsetTable', entries) })
  }
  const clone: Handler = (command) => {
    offsets.copy(requiredText(command, 'topic'), requiredText(command, 'srcGroup'), requiredText(command, 'destGroup'))
    return answer(command, responseCodes.SUCCESS)
  }
  return [
    [codes.CLONE_GROUP_OFFSET, clone],
    [codes.QUERY_CONSUMER_OFFSET, query],
    [codes.UPDATE_CONSUMER_OFFSET, update],
    [codes.INVOKE_BROKER_TO_RESET_OFFSET, reset],
  ]
}

/** Milliseconds since 1970, below 0 for the end. */
function placeAt(timestamp: number): Date | 'last' {
  return timestamp < 0 ? 'last' : new Date(Math.min(timestamp, LAST_TIME))
}

function placeIn(command: Command): [topic: string, group: string, queueId: number] {
  return [requiredText(command, 'topic'), requiredText(command, 'consumerGroup'), requiredInt(command, 'queueId')]
}

function lockHandlers(broker: ServedBroker, owners: ClientOwners): Entries {
  const { served } = broker
  const { locks, registry } = served
  /** Who asks. @throws {Refusal} when it is in the name of somebody else's client: everybody may know its id */
  const askerOf = ({ group, clientId }: AskedLocks, connection: Connection): string | undefined => {
    if (registry.find(group, clientId)?.isLocal === true)
      throw new Refusal(
        responseCodes.NO_PERMISSION,
        `the client id ${shown(clientId)} is that of a consumer in the broker's process`,
      )
    const who = broker.speaker(connection)
    owners.check(clientId, who, connection)
    return who
  }
  const lock: Handler = (command, connection) => {
    const asked = readLock(command)
    const who = askerOf(asked, connection)
    // Who has a member here is bounded by that; others name groups as they like.
    const isBeyond = locks.size >= MOST_LOCKS && registry.members(asked.group).length === 0
    const granted = isBeyond ? [] : locks.lock(asked.group, queuesHere(served, asked.queues), asked.clientId, who)
    return answer(command, responseCodes.SUCCESS, { body: printBody({ lockOKMQSet: granted.map(queueBody) }) })
  }
  const unlock: Handler = (command, connection) => {
    const asked = readLock(command)
    const who = askerOf(asked, connection)
    locks.unlock(asked.group, asked.queues, asked.clientId, who)
    return answer(command, responseCodes.SUCCESS)
  }
  return [
    [codes.LOCK_BATCH_MQ, lock],
    [codes.UNLOCK_BATCH_MQ, unlock],
  ]
}

function shareHandlers(broker: ServedBroker): Entries {
  const { served } = broker
  const assignment: Handler = async (command) => {
    const fields = fieldsOf(parseBody(command.body))
    const topic = nameIn(fields, 'topic')
    const isHere = served.topics.find(topic) !== undefined
    const share = shareOf(served, {
      topic,
      elsewhere: isHere ? await broker.queuesElsewhere(topic) : [],
      group: nameIn(fields, 'consumerGroup'),
      clientId: nameIn(fields, 'clientId'),
      model: wordIn(fields, 'messageModel', models),
      strategy: nameIn(fields, 'strategyName'),
    })
    const messageQueueAssignments = share?.queues.map((queue) => ({ messageQueue: queueBody(queue), mode: share.mode }))
    return answer(command, responseCodes.SUCCESS, { body: printBody({ messageQueueAssignments }) })
  }
  const setMode: Handler = async (command) => {
    const fields = fieldsOf(parseBody(command.body))
    const mode = { mode: wordIn(fields, 'mode', modes), sharedBy: numberOf(fields['popShareQueueNum'], 0) }
    await setRequestMode(served, nameIn(fields, 'topic'), nameIn(fields, 'consumerGroup'), mode)
    return answer(command, responseCodes.SUCCESS)
  }
  return [
    [codes.QUERY_ASSIGNMENT, assignment],
    [codes.SET_MESSAGE_REQUEST_MODE, setMode],
  ]
}

/** What a request to lock or unlock says. */
interface AskedLocks {
  readonly group: string
  readonly clientId: string
  readonly queues: readonly MessageQueue[]
}

function readLock({ body }: Command): AskedLocks {
  const fields = fieldsOf(parseBody(body))
  const queues = listIn(fields, 'mqSet').map(readQueue)
  return { group: nameIn(fields, 'consumerGroup'), clientId: nameIn(fields, 'clientId'), queues }
}

function readQueue(value: ConfigValue): MessageQueue {
  const fields = fieldsOf(value)
  const { queueId } = fields
  if (typeof queueId !== 'number') throw new Refusal(responseCodes.SYSTEM_ERROR, 'a queue needs a queueId')
  return { topic: nameIn(fields, 'topic'), brokerName: nameIn(fields, 'brokerName'), queueId }
}

function queueBody({ topic, brokerName, queueId }: MessageQueue) {
  return { brokerName, queueId, topic }
}

function questionHandlers({ served }: ServedBroker): Entries {
  const { brokerName } = served.store
  const progress: Handler = async (command) => {
    const group = requiredText(command, 'consumerGroup')
    const { topic, topicList } = command.extFields
    const named = topic || topicList ? [topic, ...(topicList?.split(';') ?? [])].filter((one) => one) : undefined
    const topics = [...new Set(named as string[] | undefined)]
    const queues = await progressOf(served, group, named === undefined ? topicsOf(served, group) : topics)
    const entries = progressEntries(brokerName, queues)
    return answer(command, responseCodes.SUCCESS, { body: queueKeyedBody('offsetTable', entries, { consumeTps: 0 }) })
  }
  const consumers: Handler = (command) => {
    const groupList = groupsOf(served, requiredText(command, 'topic'))
    return answer(command, responseCodes.SUCCESS, { body: printBody({ groupList }) })
  }
  const topics: Handler = (command) => {
    const topicList = topicsOf(served, requiredText(command, 'group'))
    return answer(command, responseCodes.SUCCESS, { body: printBody({ topicList }) })
  }
  const subscription: Handler = (command) => {
    const group = requiredText(command, 'group')
    const topic = requiredText(command, 'topic')
    const found = served.registry.subscriptions(group).get(topic)
    const subscriptionData = found === undefined ? undefined : printSubscription(topic, found)
    return answer(command, responseCodes.SUCCESS, { body: printBody({ group, subscriptionData, topic }) })
  }
  return [
    [codes.QUERY_SUBSCRIPTION_BY_CONSUMER, subscription],
    [codes.GET_CONSUME_STATS, progress],
    [codes.QUERY_TOPIC_CONSUME_BY_WHO, consumers],
    [codes.QUERY_TOPICS_BY_CONSUMER, topics],
  ]
}
