/** The requests about counts: of one topic or group, and how far all groups are. */
import type { CountName, Growth } from '../../broker/numbers/history.js'
import { progressOf, type QueueProgress, topicsOfEach } from '../../broker/serving/consume-stats.js'
import { printBody } from '../body-json.js'
import { brokerRequests as codes, responseCodes } from '../codes.js'
import { answer } from '../command.js'
import { endpointText } from '../endpoint.js'
import { Refusal } from '../errors.js'
import { optionalFlag, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import type { Entries, ServedBroker } from './entries.js'
import { type QueueKeyed, queueKeyedText } from './queue-keys.js'

/** Counts by the names that RocketMQ's tools ask for, with the count of what each is made of. */
const countNames: ReadonlyMap<string, readonly [CountName, CountName]> = new Map([
  ['TOPIC_PUT_NUMS', ['TOPIC_PUT_NUMS', 'TOPIC_PUT_NUMS']],
  ['TOPIC_PUT_SIZE', ['TOPIC_PUT_SIZE', 'TOPIC_PUT_NUMS']],
  ['GROUP_GET_NUMS', ['GROUP_GET_NUMS', 'GROUP_GET_NUMS']],
  ['GROUP_GET_SIZE', ['GROUP_GET_SIZE', 'GROUP_GET_NUMS']],
  ['SNDBCK_PUT_NUMS', ['SNDBCK_PUT_NUMS', 'SNDBCK_PUT_NUMS']],
  ['BROKER_PUT_NUMS', ['BROKER_PUT_NUMS', 'BROKER_PUT_NUMS']],
  ['BROKER_GET_NUMS', ['BROKER_GET_NUMS', 'BROKER_GET_NUMS']],
])

/** See the head of this file. */
export function statisticsHandlers(served: ServedBroker): Entries {
  return [
    [codes.VIEW_BROKER_STATS_DATA, counts(served)],
    [codes.GET_BROKER_CONSUME_STATS, progressOfAll(served)],
  ]
}

function counts({ served: { metrics, base } }: ServedBroker): Handler {
  return (command) => {
    const name = requiredText(command, 'statsName')
    const key = requiredText(command, 'statsKey')
    const [what, parts] = countNames.get(name) ?? []
    // Those of the whole broker are asked for under the name of its cluster.
    const isOfAll = what?.startsWith('BROKER_') === true
    const of = isOfAll ? '' : key
    const isNamed = isOfAll ? key === base.options.clusterName : key !== ''
    const grown = what === undefined || !isNamed ? undefined : metrics.growth(what, of)
    if (grown === undefined || parts === undefined)
      throw new Refusal(responseCodes.SYSTEM_ERROR, `The stats <${name}> <${key}> not exist`)
    const times = metrics.growth(parts, of) ?? grown
    const body = {
      statsMinute: told(grown.minute, times.minute),
      statsHour: told(grown.hour, times.hour),
      statsDay: told(grown.day, times.day),
    }
    return answer(command, responseCodes.SUCCESS, { body: printBody(body) })
  }
}

function told({ sum, seconds }: Growth, times: Growth) {
  return { sum, tps: seconds > 0 ? sum / seconds : 0, avgpt: times.sum === 0 ? 0 : sum / times.sum }
}

/** Groups with the topics that they consume, or with those in order alone. */
function progressOfAll({ endpoint, served, looking }: ServedBroker): Handler {
  return async (command, connection) => {
    connection.answerAlone(command)
    const isOrder = optionalFlag(command, 'isOrder')
    const groups: string[] = []
    let totalDiff = 0
    const names = served.groups.list().map(({ group }) => group)
    for (const [group, consumed] of topicsOfEach(served, names)) {
      const topics: string[] = []
      for (const topic of consumed) {
        await looking.pause()
        if (isOrder && served.topics.find(topic)?.isOrdered !== true) continue
        const queues = await progressOf(served, group, [topic])
        totalDiff += queues.reduce((sum, { maxOffset, offset }) => sum + maxOffset - offset, 0)
        if (queues.length > 0)
          topics.push(`{"consumeTps":0,"offsetTable":${queueKeyedText(progressEntries(served.store.brokerName, queues))}}`)
      }
      if (topics.length > 0) groups.push(`{${JSON.stringify(group)}:[${topics.join(',')}]}`)
    }
    const brokerAddr = JSON.stringify(endpoint === undefined ? '' : endpointText(endpoint))
    const totals = `"totalDiff":${totalDiff},"totalInflightDiff":0`
    const text = `{"brokerAddr":${brokerAddr},"consumeStatsList":[${groups.join(',')}],${totals}}`
    return answer(command, responseCodes.SUCCESS, { body: Buffer.from(text) })
  }
}

/** How far a group is, as entries of a table. */
export function progressEntries(brokerName: string, queues: readonly QueueProgress[]): QueueKeyed[] {
  return queues.map(({ topic, queueId, maxOffset, offset, pulled, lastTimestamp }) => {
    const value = { brokerOffset: maxOffset, consumerOffset: offset, lastTimestamp, pullOffset: pulled }
    return [{ brokerName, queueId, topic }, value] as const
  })
}
