/** What the requests of clients that pop need: to consume the topic, for the group. */
import { fieldsOf } from '../../broker/config/config-object.js'
import { normalTopicOf } from '../../broker/pop/handle.js'
import { parseBody } from '../body-json.js'
import { listIn, nameIn } from '../commands/client-body.js'
import { popRequests as codes } from '../commands/consume-codes.js'
import { requiredText } from '../ext-fields.js'
import type { Row, RowList } from './guard.js'
import { groupNeed, type Needs, topicNeed } from './needs.js'

const consuming: Row = (command) => needsFor(requiredText(command, 'topic'), requiredText(command, 'consumerGroup'))

/** Messages that came again are named by the topic of their retries, which belongs to the group and the first topic. */
const settling: Row = (command) => {
  const group = requiredText(command, 'consumerGroup')
  return needsFor(normalTopicOf(requiredText(command, 'topic'), group), group)
}

const acknowledgements: Row = ({ body }) =>
  listIn(fieldsOf(parseBody(body)), 'acks')
    .map(fieldsOf)
    .flatMap((ack) => needsFor(nameIn(ack, 't'), nameIn(ack, 'c')))

function needsFor(topic: string, group: string): Needs {
  return [topicNeed(topic, 'Sub'), groupNeed(group, 'Sub')]
}

/** The rows. */
export const popRows: RowList = [
  [codes.POP_MESSAGE, consuming],
  [codes.ACK_MESSAGE, settling],
  [codes.BATCH_ACK_MESSAGE, acknowledgements],
  [codes.CHANGE_MESSAGE_INVISIBLETIME, settling],
  [codes.PEEK_MESSAGE, consuming],
  [codes.NOTIFICATION, consuming],
  [codes.POLLING_INFO, consuming],
]
