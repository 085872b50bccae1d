/**
 * What each request to a broker needs its sender to be allowed. A request that has no row is refused to everybody, so each
 * that is handled has one.
 *
 * Requests that name a message by its place need what its topic needs: the place alone would let everybody read, end or
 * bring to a topic of their own what others may see.
 */
import { shown } from '../../base/errors.js'
import { fieldsOf } from '../../broker/config/config-object.js'
import { SystemProperty } from '../../broker/system-property.js'
import { PropertyName, parseProperties } from '../../format/properties.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { parseBody } from '../body-json.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import type { Command } from '../command.js'
import { listIn, nameIn, readAskedSubscription, readHeartbeat } from '../commands/client-body.js'
import { consumeRequests } from '../commands/consume-codes.js'
import { Refusal } from '../errors.js'
import { optionalFlag, requiredLong, requiredText } from '../ext-fields.js'
import type { Row, RowList, Rows } from './guard.js'
import { inquiryRows, wholeCluster } from './inquiry-rows.js'
import { type Action, clusterNeed, groupNeed, type Needs, topicNeed } from './needs.js'
import { popRows } from './pop-rows.js'

/** How rows look at messages. */
export interface MessageLookup {
  lookup(target: string | { commitLogOffset: number }): Promise<StoredMessage | undefined>
}

const nothing: Row = () => []

/** Rows of all requests that a broker handles. */
export function brokerRows(store: MessageLookup): Rows {
  const rows = [sendRows(store), consumeRows(store), popRows, questionRows(store), inquiryRows, changeRows(store)]
  return new Map<number, Row>(rows.flat())
}

function sendRows(store: MessageLookup): RowList {
  return [
    [codes.SEND_MESSAGE, sending('topic', 'properties')],
    [codes.SEND_MESSAGE_V2, sending('b', 'i')],
    [codes.SEND_BATCH_MESSAGE, sending('b', 'i')],
    [codes.RECALL_MESSAGE, topic('topic', 'Pub')],
    [codes.SEND_REPLY_MESSAGE, sending('topic', 'properties')],
    [codes.SEND_REPLY_MESSAGE_V2, sending('b', 'i')],
    [
      codes.END_TRANSACTION,
      async (command) => {
        const half = await messageAt(store, requiredLong(command, 'commitLogOffset'))
        return [topicNeed(topicsOf(half).at(-1)!, 'Pub')]
      },
    ],
  ]
}

/** A message needs its topic, and those of the further queues that its properties name. */
function sending(topicField: string, propertiesField: string): Row {
  return (command) => {
    const bytes = Buffer.from(command.extFields[propertiesField] ?? '')
    const further = parseProperties(bytes, 0, bytes.length)[PropertyName.multiDispatch]
    const queues = further?.split(',').map((queue) => topicNeed(queue, 'Pub')) ?? []
    // Messages of a batch have properties of their own. Who is allowed every topic needs none of them looked at.
    const inBatch = command.body.includes(PropertyName.multiDispatch) ? [clusterNeed('Get')] : []
    return [topicNeed(requiredText(command, topicField), 'Pub'), ...queues, ...(isBatch(command) ? inBatch : [])]
  }
}

function isBatch(command: Command): boolean {
  return command.code === codes.SEND_BATCH_MESSAGE || optionalFlag(command, 'm') || optionalFlag(command, 'batch')
}

function consumeRows(store: MessageLookup): RowList {
  const pull: Row = (command) => [
    topicNeed(requiredText(command, 'topic'), 'Sub'),
    groupNeed(requiredText(command, 'consumerGroup'), 'Sub'),
  ]
  const place =
    (action: Action): Row =>
    (command) => [
      topicNeed(requiredText(command, 'topic'), 'Sub', action),
      groupNeed(requiredText(command, 'consumerGroup'), 'Sub', action),
    ]
  const sendBack: Row = async (command) => [
    groupNeed(requiredText(command, 'group'), 'Sub'),
    ...needsOf(await messageAt(store, requiredLong(command, 'offset')), 'Sub'),
  ]
  return [
    [consumeRequests.PULL_MESSAGE, pull],
    [consumeRequests.LITE_PULL_MESSAGE, pull],
    [consumeRequests.QUERY_CONSUMER_OFFSET, place('Get')],
    [consumeRequests.UPDATE_CONSUMER_OFFSET, place('Update')],
    [consumeRequests.CONSUMER_SEND_MSG_BACK, sendBack],
    [consumeRequests.HEART_BEAT, ({ body }) => heartbeatNeeds(body)],
    [consumeRequests.UNREGISTER_CLIENT, ({ extFields }) => groupIn(extFields['consumerGroup'])],
    [consumeRequests.GET_CONSUMER_LIST_BY_GROUP, group('consumerGroup', 'Sub', 'Get')],
    [consumeRequests.LOCK_BATCH_MQ, ({ body }) => lockNeeds(body)],
    [consumeRequests.UNLOCK_BATCH_MQ, ({ body }) => lockNeeds(body)],
    [consumeRequests.CHECK_CLIENT_CONFIG, checkNeeds],
    [consumeRequests.QUERY_ASSIGNMENT, ({ body }) => assignmentNeeds(body, 'Sub')],
    [consumeRequests.SET_MESSAGE_REQUEST_MODE, ({ body }) => assignmentNeeds(body, 'Update')],
  ]
}

function heartbeatNeeds(body: Buffer): Needs {
  return readHeartbeat(body).consumers.flatMap(({ group: name, facts }) => [
    groupNeed(name, 'Sub'),
    ...[...facts.subscriptions.keys()].map((topic) => topicNeed(topic, 'Sub')),
  ])
}

function groupIn(name: string | undefined): Needs {
  return name === undefined ? [] : [groupNeed(name, 'Sub')]
}

function lockNeeds(body: Buffer): Needs {
  const fields = fieldsOf(parseBody(body))
  const topics = new Set(listIn(fields, 'mqSet').map((queue) => nameIn(fieldsOf(queue), 'topic')))
  return [groupNeed(nameIn(fields, 'consumerGroup'), 'Sub'), ...[...topics].map((topic) => topicNeed(topic, 'Sub'))]
}

/** Whether an expression can be read is no secret. */
const checkNeeds: Row = ({ body }) => {
  readAskedSubscription(body)
  return []
}

function assignmentNeeds(body: Buffer, action: 'Sub' | 'Update'): Needs {
  const fields = fieldsOf(parseBody(body))
  return [topicNeed(nameIn(fields, 'topic'), action), groupNeed(nameIn(fields, 'consumerGroup'), action)]
}

function questionRows(store: MessageLookup): RowList {
  const bounds = topic('topic', 'Pub', 'Sub', 'Get')
  const byAddress: Row = async (command) => needsOf(await messageAt(store, requiredLong(command, 'offset')), 'Sub', 'Get')
  const groupOfBoth: Row = (command) => [groupNeed(requiredText(command, 'group'), 'Get')]
  return [
    [codes.QUERY_MESSAGE, topic('topic', 'Sub', 'Get')],
    [codes.VIEW_MESSAGE_BY_ID, byAddress],
    [codes.SEARCH_OFFSET_BY_TIMESTAMP, bounds],
    [codes.GET_MAX_OFFSET, bounds],
    [codes.GET_MIN_OFFSET, bounds],
    [codes.GET_EARLIEST_MSG_STORETIME, bounds],
    [codes.GET_TOPIC_STATS_INFO, topic('topic', 'Get')],
    [codes.GET_TOPIC_CONFIG, topic('topic', 'Get')],
    [codes.GET_SUBSCRIPTIONGROUP_CONFIG, group('group', 'Get')],
    [codes.GET_ALL_TOPIC_CONFIG, wholeCluster],
    [codes.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, wholeCluster],
    [codes.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, nothing],
    [codes.GET_BROKER_CONFIG, wholeCluster],
    [codes.GET_BROKER_RUNTIME_INFO, wholeCluster],
    [consumeRequests.GET_CONSUMER_CONNECTION_LIST, group('consumerGroup', 'Get')],
    [consumeRequests.GET_PRODUCER_CONNECTION_LIST, group('producerGroup', 'Get')],
    [consumeRequests.GET_CONSUME_STATS, group('consumerGroup', 'Get')],
    [consumeRequests.QUERY_TOPIC_CONSUME_BY_WHO, topic('topic', 'Get')],
    [consumeRequests.QUERY_TOPICS_BY_CONSUMER, groupOfBoth],
    [consumeRequests.QUERY_SUBSCRIPTION_BY_CONSUMER, groupOfBoth],
    [consumeRequests.GET_CONSUMER_RUNNING_INFO, group('consumerGroup', 'Get')],
    [
      consumeRequests.CONSUME_MESSAGE_DIRECTLY,
      async (command) => [
        groupNeed(requiredText(command, 'consumerGroup'), 'Update'),
        ...needsOf(await messageAt(store, requiredText(command, 'msgId')), 'Sub', 'Get'),
      ],
    ],
  ]
}

function changeRows(store: MessageLookup): RowList {
  const resume: Row = async (command) => needsOf(await messageAt(store, requiredText(command, 'msgId')), 'Update')
  return [
    [codes.UPDATE_AND_CREATE_TOPIC, topic('topic', 'Create')],
    [
      codes.UPDATE_AND_CREATE_TOPIC_LIST,
      ({ body }) => namesIn(body, 'topicConfigList', 'topicName').map((name) => topicNeed(name, 'Create')),
    ],
    [codes.DELETE_TOPIC_IN_BROKER, topic('topic', 'Delete')],
    [
      codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
      ({ body }) => [groupNeed(nameIn(fieldsOf(parseBody(body)), 'groupName'), 'Create')],
    ],
    [
      codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
      ({ body }) => namesIn(body, 'groupConfigList', 'groupName').map((name) => groupNeed(name, 'Create')),
    ],
    [codes.DELETE_SUBSCRIPTIONGROUP, group('groupName', 'Delete')],
    [codes.RESUME_CHECK_HALF_MESSAGE, resume],
    [
      consumeRequests.INVOKE_BROKER_TO_RESET_OFFSET,
      (command) => [topicNeed(requiredText(command, 'topic'), 'Update'), groupNeed(requiredText(command, 'group'), 'Update')],
    ],
    [
      consumeRequests.CLONE_GROUP_OFFSET,
      (command) => [
        topicNeed(requiredText(command, 'topic'), 'Update'),
        groupNeed(requiredText(command, 'srcGroup'), 'Get'),
        groupNeed(requiredText(command, 'destGroup'), 'Update'),
      ],
    ],
  ]
}

function namesIn(body: Buffer, list: string, name: string): string[] {
  return listIn(fieldsOf(parseBody(body)), list).map((one) => nameIn(fieldsOf(one), name))
}

function topic(field: string, ...some: readonly Action[]): Row {
  return (command: Command) => [topicNeed(requiredText(command, field), ...some)]
}

function group(field: string, ...some: readonly Action[]): Row {
  return (command: Command) => [groupNeed(requiredText(command, field), ...some)]
}

/**
 * The message at a place. Where there is none the request ends here: one that comes before the handler looks would be had
 * by whoever asked early enough.
 *
 * @throws {Refusal} when there is none
 */
async function messageAt(store: MessageLookup, place: string | number): Promise<StoredMessage> {
  const isPlace = typeof place === 'string' || place >= 0
  const message = isPlace ? await store.lookup(typeof place === 'number' ? { commitLogOffset: place } : place) : undefined
  if (message === undefined) throw new Refusal(responseCodes.SYSTEM_ERROR, `there is no message at ${shown(place)}`)
  return message
}

/** The topic that a message lies in, and the one that it is meant for where that is another. */
function topicsOf({ topic: lies, properties }: StoredMessage): string[] {
  return [...new Set([lies, properties[SystemProperty.realTopic] ?? lies])]
}

function needsOf(message: StoredMessage, ...some: readonly Action[]): Needs {
  return topicsOf(message).map((one) => topicNeed(one, ...some))
}
