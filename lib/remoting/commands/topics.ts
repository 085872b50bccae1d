/** The requests by which topics are made, changed, deleted and listed. */

import { fieldsOf } from '../../broker/config/config-object.js'
import { printDataVersion } from '../../broker/config/data-version.js'
import { printTopicConfig, readTopicConfig } from '../../broker/config/topic-config.js'
import { BrokerError } from '../../broker/errors.js'
import { deleteTopic, deleteUnused, putTopic, type WantedTopic } from '../../broker/serving/topic-changes.js'
import { bodyText, parseBody, printBody } from '../body-json.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, optionalInt, requiredInt, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'
import { atLength, longBody, sharedMaking } from './long-answers.js'

/** See the head of this file. */
export function topicHandlers({ served, looking }: ServedBroker): Entries {
  const { topics, store, base } = served
  const { brokerName } = store
  const put = administered(async (command) => {
    await putTopic(topics, wantedTopic(command))
    return answer(command, responseCodes.SUCCESS)
  })
  const putSeveral = administered(async (command) => {
    for (const wanted of wantedTopics(command)) await putTopic(topics, wanted)
    return answer(command, responseCodes.SUCCESS)
  })
  const remove = administered(async (command) => {
    await deleteTopic(topics, requiredText(command, 'topic'))
    return answer(command, responseCodes.SUCCESS)
  })
  const clean: Handler = async (command) => {
    await deleteUnused(served)
    return answer(command, responseCodes.SUCCESS)
  }
  const allTopics = sharedMaking(() =>
    longBody(looking, {
      head: `{"dataVersion":${bodyText(printDataVersion(topics.version))},"topicConfigTable":{`,
      rows: topics.list({ system: true }),
      print: (one) => `${JSON.stringify(one.topic)}:${bodyText(printTopicConfig(one))}`,
      tail: '}}',
    }),
  )
  const all = atLength(allTopics)
  const one: Handler = (command) => {
    const config = topics.get(requiredText(command, 'topic'))
    return answer(command, responseCodes.SUCCESS, { body: printBody(printTopicConfig(config)) })
  }
  const system: Handler = (command) => {
    const own = new Set(topics.list().map(({ topic }) => topic))
    const names = topics.list({ system: true }).flatMap(({ topic }) => (own.has(topic) ? [] : [topic]))
    const topicList = [...new Set([base.options.clusterName, brokerName, ...names])]
    return answer(command, responseCodes.SUCCESS, { body: printBody({ topicList }) })
  }
  const deleteExpired: Handler = (command) => {
    served.store.deleteExpired()
    return answer(command, responseCodes.SUCCESS)
  }
  return [
    [codes.UPDATE_AND_CREATE_TOPIC, put],
    [codes.UPDATE_AND_CREATE_TOPIC_LIST, putSeveral],
    [codes.DELETE_TOPIC_IN_BROKER, remove],
    [codes.CLEAN_UNUSED_TOPIC, clean],
    // Queues lose what has expired together with the log, so that nothing is left to clean.
    [codes.DELETE_EXPIRED_COMMITLOG, deleteExpired],
    [codes.CLEAN_EXPIRED_CONSUMEQUEUE, (command) => answer(command, responseCodes.SUCCESS)],
    [codes.GET_ALL_TOPIC_CONFIG, all],
    [codes.GET_TOPIC_CONFIG, one],
    [codes.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, system],
  ]
}

/** A topic that may not be changed is a wrong parameter to administrators, as a message to it is a forbidden one to producers. */
function administered(handler: (command: Command) => Promise<Command>): Handler {
  return async (command) => {
    try {
      return await handler(command)
    } catch (error) {
      if (!(error instanceof BrokerError && error.code === 'TOPIC_REFUSED')) throw error
      throw new Refusal(responseCodes.INVALID_PARAMETER, error.message)
    }
  }
}

function wantedTopic(command: Command): WantedTopic {
  requiredText(command, 'defaultTopic')
  return {
    topic: requiredText(command, 'topic'),
    readQueues: requiredInt(command, 'readQueueNums'),
    writeQueues: requiredInt(command, 'writeQueueNums'),
    permission: requiredInt(command, 'perm'),
    filterType: filterTypeOf(requiredText(command, 'topicFilterType')),
    sysFlag: optionalInt(command, 'topicSysFlag', 0),
    isOrdered: optionalFlag(command, 'order'),
    attributes: command.extFields['attributes'] ?? '',
  }
}

/** Several topics, each as it stands in `topics.json`; their attributes are changes, such as `+message.type`. */
function wantedTopics({ body }: Command): WantedTopic[] {
  const list = fieldsOf(parseBody(body))['topicConfigList']
  if (!Array.isArray(list)) throw new Refusal(responseCodes.INVALID_PARAMETER, 'the body has no topicConfigList')
  return list.map((value) => {
    const name = fieldsOf(value)['topicName']
    if (typeof name !== 'string') throw new Refusal(responseCodes.INVALID_PARAMETER, 'a topic has no name')
    const config = readTopicConfig(name, value)
    const attributes = Object.entries(config.attributes).map(([key, text]) => (key.startsWith('-') ? key : `+${key}=${text}`))
    return { ...config, attributes: attributes.join(',') }
  })
}

function filterTypeOf(text: string): 'SINGLE_TAG' | 'MULTI_TAG' {
  if (text === 'SINGLE_TAG' || text === 'MULTI_TAG') return text
  throw new Refusal(responseCodes.INVALID_PARAMETER, 'topicFilterType is SINGLE_TAG or MULTI_TAG')
}
