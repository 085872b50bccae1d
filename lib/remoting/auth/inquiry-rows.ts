/** What the questions of administrators need: about the whole broker, about a topic as a group sees it, about one queue. */
import { accountRequests, brokerRequests as codes } from '../codes.js'
import { accountReading } from '../commands/accounts.js'
import { consumeRequests } from '../commands/consume-codes.js'
import { requiredText } from '../ext-fields.js'
import type { Row, RowList } from './guard.js'
import { type Action, clusterNeed, groupNeed, topicNeed } from './needs.js'

/** Who may see everything. */
export const wholeCluster: Row = () => [clusterNeed('Get')]

const cleaning: Row = () => [clusterNeed('Delete')]

const both =
  (groupField: string, action: Action): Row =>
  (command) => [topicNeed(requiredText(command, 'topic'), action), groupNeed(requiredText(command, groupField), action)]

/** Without the field by which it is changed, it is asked whether a group may consume a topic. */
const forbidding: Row = (command) => both('group', command.extFields['readable'] === undefined ? 'Get' : 'Update')(command)

const queueRows: Row = (command) => {
  const { consumerGroup = '' } = command.extFields
  const ofGroup = consumerGroup === '' ? [] : [groupNeed(consumerGroup, 'Get')]
  return [topicNeed(requiredText(command, 'topic'), 'Sub', 'Get'), ...ofGroup]
}

const accounts = Object.values(accountRequests).map((code): readonly [number, Row] => {
  const reads = accountReading.includes(code)
  return [code, reads ? wholeCluster : () => [clusterNeed('Update')]]
})

/** The rows. */
export const inquiryRows: RowList = [
  ...accounts,
  [codes.GET_ALL_CONSUMER_OFFSET, wholeCluster],
  [codes.GET_ALL_DELAY_OFFSET, wholeCluster],
  [codes.VIEW_BROKER_STATS_DATA, wholeCluster],
  [codes.GET_BROKER_CONSUME_STATS, wholeCluster],
  [codes.CLEAN_UNUSED_TOPIC, cleaning],
  [codes.CLEAN_EXPIRED_CONSUMEQUEUE, cleaning],
  [codes.DELETE_EXPIRED_COMMITLOG, cleaning],
  [codes.UPDATE_AND_GET_GROUP_FORBIDDEN, forbidding],
  [consumeRequests.GET_ALL_PRODUCER_INFO, wholeCluster],
  [consumeRequests.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, both('group', 'Get')],
  [consumeRequests.QUERY_CONSUME_TIME_SPAN, both('group', 'Get')],
  [consumeRequests.QUERY_CORRECTION_OFFSET, both('compareGroup', 'Get')],
  [consumeRequests.QUERY_CONSUME_QUEUE, queueRows],
]
