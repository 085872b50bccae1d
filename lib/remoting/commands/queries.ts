/** The requests that look for messages and ask about queues. */
import { queueFacts, storeTimeAt } from '../../broker/serving/queue-facts.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import { answer } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { MAX_FRAME_BYTES } from '../limits.js'
import type { Entries, ServedBroker } from './entries.js'
import { queueKeyedBody } from './queue-keys.js'
import { inTurn } from './reading-turns.js'

/** As many messages as RocketMQ's broker returns at most to a question about a key, and to one about a unique key. */
const MOST_FOUND = 64
const MOST_WITH_UNIQUE_KEY = 32
/** One answer has at most so many bytes of records; the newest message always fits. RocketMQ's answer has what it has. */
const MOST_BYTES = 4 * 1024 * 1024
/** What a frame holds beside the records. */
const HEADER_BYTES = 1024

/** See the head of this file. */
export function queryHandlers(served: ServedBroker): Entries {
  return [...messageHandlers(served), ...offsetHandlers(served)]
}

function messageHandlers({ served: { store, topics }, turns }: ServedBroker): Entries {
  const byKey: Handler = async (command) => {
    const most = optionalFlag(command, '_UNIQUE_KEY_QUERY') ? MOST_WITH_UNIQUE_KEY : requiredInt(command, 'maxNum')
    const found = await store.query({
      topic: requiredText(command, 'topic'),
      key: requiredText(command, 'key'),
      maxMessages: Math.max(1, Math.min(most, MOST_FOUND)),
      maxBytes: MOST_BYTES,
      from: requiredLong(command, 'beginTimestamp'),
      to: requiredLong(command, 'endTimestamp'),
    })
    const [newest] = found
    if (newest === undefined)
      throw new Refusal(responseCodes.QUERY_NOT_FOUND, 'can not find message, maybe time range not correct')
    const { storeTimestamp, commitLogOffset } = newest
    const ext = { indexLastUpdateTimestamp: storeTimestamp, indexLastUpdatePhyoffset: commitLogOffset }
    return answer(command, responseCodes.SUCCESS, { ext, body: recordsOf(found) })
  }
  const byAddress: Handler = async (command) => {
    const commitLogOffset = requiredLong(command, 'offset')
    const message = commitLogOffset < 0 ? undefined : await store.lookup({ commitLogOffset })
    if (message !== undefined) return answer(command, responseCodes.SUCCESS, { body: recordsOf([message]) })
    throw new Refusal(responseCodes.SYSTEM_ERROR, `can not find message by the offset, ${commitLogOffset}`)
  }
  const statistics: Handler = async (command) => {
    const topic = topics.get(requiredText(command, 'topic'))
    const { brokerName } = store
    const entries = (await queueFacts(store, topic)).map(({ queueId, minOffset, maxOffset, lastTimestamp }) => {
      return [
        { brokerName, queueId, topic: topic.topic },
        { lastUpdateTimestamp: lastTimestamp, maxOffset, minOffset },
      ] as const
    })
    return answer(command, responseCodes.SUCCESS, { body: queueKeyedBody('offsetTable', entries, { topicPutTps: 0 }) })
  }
  return [
    [codes.QUERY_MESSAGE, inTurn(turns, byKey)],
    [codes.VIEW_MESSAGE_BY_ID, inTurn(turns, byAddress)],
    [codes.GET_TOPIC_STATS_INFO, statistics],
  ]
}

function offsetHandlers({ served: { store, topics } }: ServedBroker): Entries {
  const largest: Handler = (command) => {
    const { maxOffset } = store.bounds(requiredText(command, 'topic'), requiredInt(command, 'queueId'))
    return answer(command, responseCodes.SUCCESS, { ext: { offset: maxOffset } })
  }
  const smallest: Handler = (command) => {
    const topic = requiredText(command, 'topic')
    const { minOffset, maxOffset } = store.bounds(topic, requiredInt(command, 'queueId'))
    // RocketMQ's queues of batches say so until their first message is there.
    const isUnborn = maxOffset === 0 && topics.find(topic)?.attributes['queue.type'] === 'BatchCQ'
    return answer(command, responseCodes.SUCCESS, { ext: { offset: isUnborn ? -1 : minOffset } })
  }
  const byTime: Handler = async (command) => {
    const boundary = command.extFields['boundaryType']?.toLowerCase() === 'upper' ? 'upper' : 'lower'
    const topic = requiredText(command, 'topic')
    const queueId = requiredInt(command, 'queueId')
    const offset = await store.offsetByTime(topic, queueId, requiredLong(command, 'timestamp'), boundary)
    return answer(command, responseCodes.SUCCESS, { ext: { offset } })
  }
  const earliest: Handler = async (command) => {
    const topic = requiredText(command, 'topic')
    const queueId = requiredInt(command, 'queueId')
    const { minOffset, maxOffset } = store.bounds(topic, queueId)
    const time = maxOffset > minOffset ? await storeTimeAt(store, topic, queueId, minOffset) : undefined
    return answer(command, responseCodes.SUCCESS, { ext: { timestamp: time ?? -1 } })
  }
  return [
    [codes.GET_MAX_OFFSET, largest],
    [codes.GET_MIN_OFFSET, smallest],
    [codes.SEARCH_OFFSET_BY_TIMESTAMP, byTime],
    [codes.GET_EARLIEST_MSG_STORETIME, earliest],
  ]
}

/** @throws {Refusal} for a message that no frame can carry: programs in the process can send such */
function recordsOf(messages: readonly StoredMessage[]): Buffer {
  const records = messages.map(({ record }) => record)
  const bytes = records.reduce((sum, { length }) => sum + length, 0)
  if (bytes > MAX_FRAME_BYTES - HEADER_BYTES)
    throw new Refusal(responseCodes.SYSTEM_ERROR, `the message takes ${bytes} bytes, and a frame has ${MAX_FRAME_BYTES} at most`)
  return Buffer.concat(records)
}
