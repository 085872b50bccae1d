/** The requests by which consumer groups are made, changed, deleted and listed. */
import { fieldsOf } from '../../broker/config/config-object.js'
import { printDataVersion } from '../../broker/config/data-version.js'
import { type GroupConfig, printGroupConfig, readGroupConfig } from '../../broker/config/group-config.js'
import { BrokerError } from '../../broker/errors.js'
import type { ConfigValue } from '../../format/config-json.js'
import { bodyText, parseBody, printBody } from '../body-json.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'
import { atLength, longBody, sharedMaking } from './long-answers.js'

/** See the head of this file. */
export function groupHandlers({ served, looking }: ServedBroker): Entries {
  const { groups, topics } = served
  const put: Handler = async (command) => {
    await groups.put(groupOf(parseBody(command.body)))
    return answer(command, responseCodes.SUCCESS)
  }
  const putSeveral: Handler = async (command) => {
    for (const group of groupsOf(command)) await groups.put(group)
    return answer(command, responseCodes.SUCCESS)
  }
  const allGroups = sharedMaking(() => {
    const [version, forbidden] = [printDataVersion(groups.version), groups.forbidden]
    return longBody(looking, {
      head: `{"dataVersion":${bodyText(version)},"forbiddenTable":${bodyText(forbidden)},"subscriptionGroupTable":{`,
      rows: groups.list({ system: true }),
      print: (one) => `${JSON.stringify(one.group)}:${bodyText(printGroupConfig(one))}`,
      tail: '}}',
    })
  })
  const all = atLength(allGroups)
  const one: Handler = (command) => {
    const config = groups.get(requiredText(command, 'group'))
    return answer(command, responseCodes.SUCCESS, { body: printBody(printGroupConfig(config)) })
  }
  const remove: Handler = async (command) => {
    try {
      await groups.delete(requiredText(command, 'groupName'))
    } catch (error) {
      // It is gone, which is what was wanted.
      if (!(error instanceof BrokerError && error.code === 'GROUP_UNKNOWN')) throw error
    }
    return answer(command, responseCodes.SUCCESS)
  }
  const forbid: Handler = async (command) => {
    const group = requiredText(command, 'group')
    const topic = requiredText(command, 'topic')
    topics.get(topic)
    if (command.extFields['readable'] !== undefined) await groups.forbid(group, topic, !optionalFlag(command, 'readable'))
    const body = { group: groups.get(group).group, readable: !groups.isForbidden(group, topic), topic }
    return answer(command, responseCodes.SUCCESS, { body: printBody(body) })
  }
  return [
    [codes.UPDATE_AND_GET_GROUP_FORBIDDEN, forbid],
    [codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, put],
    [codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, putSeveral],
    [codes.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, all],
    [codes.GET_SUBSCRIPTIONGROUP_CONFIG, one],
    [codes.DELETE_SUBSCRIPTIONGROUP, remove],
  ]
}

/** @throws {Refusal} when it has no name */
function groupOf(value: ConfigValue): GroupConfig {
  const name = fieldsOf(value)['groupName']
  if (typeof name !== 'string') throw new Refusal(responseCodes.INVALID_PARAMETER, 'a group has no name')
  return readGroupConfig(name, value)
}

function groupsOf({ body }: Command): GroupConfig[] {
  const list = fieldsOf(parseBody(body))['groupConfigList']
  if (!Array.isArray(list)) throw new Refusal(responseCodes.INVALID_PARAMETER, 'the body has no groupConfigList')
  return list.map(groupOf)
}
