/** What administrators ask about single groups and queues beside how far they are; and about all producers. */
import { correctedOffsets, queueRows, queueTimes } from '../../broker/serving/queue-history.js'
import type { ConfigObject } from '../../format/config-json.js'
import { bodyText, printBody } from '../body-json.js'
import { brokerRequests, responseCodes } from '../codes.js'
import { answer, type Command, request } from '../command.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'
import { requiredInt, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { printSubscription } from './client-body.js'
import { consumeRequests as codes, consumerNews } from './consume-codes.js'
import type { Entries, ServedBroker } from './entries.js'
import { atLength, longBody, sharedMaking } from './long-answers.js'

/** One answer tells of at most so many entries of a queue. */
const MOST_ROWS = 1000
/** Time that a client may take to tell how far it is. */
const CLIENT_MS = 5000

const { SUCCESS, SYSTEM_ERROR } = responseCodes

/** See the head of this file. */
export function inquiryHandlers(served: ServedBroker): Entries {
  return [
    [codes.QUERY_CONSUME_TIME_SPAN, timeSpans(served)],
    [codes.QUERY_CONSUME_QUEUE, rows(served)],
    [codes.QUERY_CORRECTION_OFFSET, corrections(served)],
    [codes.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, statusOfClients(served)],
    [codes.GET_ALL_PRODUCER_INFO, allProducers(served)],
    [brokerRequests.GET_ALL_CONSUMER_OFFSET, allOffsets(served)],
    [brokerRequests.GET_ALL_DELAY_OFFSET, delayOffsets(served)],
  ]
}

function timeSpans({ served }: ServedBroker): Handler {
  return async (command) => {
    const topic = requiredText(command, 'topic')
    const { brokerName } = served.store
    const times = await queueTimes(served, topic, requiredText(command, 'group'))
    const consumeTimeSpanSet = times.map(({ queueId, first, last, consumed, waitingMs }) => ({
      consumeTimeStamp: consumed ?? -1,
      delayTime: waitingMs,
      maxTimeStamp: last ?? -1,
      messageQueue: { brokerName, queueId, topic },
      minTimeStamp: first ?? -1,
    }))
    return answer(command, SUCCESS, { body: printBody({ consumeTimeSpanSet }) })
  }
}

function rows({ served }: ServedBroker): Handler {
  return async (command) => {
    const topic = requiredText(command, 'topic')
    const queueId = requiredInt(command, 'queueId')
    const count = Math.min(Math.max(requiredInt(command, 'count'), 0), MOST_ROWS)
    const found = await queueRows(served, topic, queueId, requiredLong(command, 'index'), count)
    const { minOffset, maxOffset } = served.store.bounds(topic, queueId)
    const { consumerGroup } = command.extFields
    const subscription = consumerGroup === undefined ? undefined : served.registry.subscriptions(consumerGroup).get(topic)
    const body = {
      filterData: consumerGroup === undefined ? undefined : filterData(consumerGroup, topic, subscription !== undefined),
      maxQueueIndex: maxOffset,
      minQueueIndex: minOffset,
      queueData: found.map(({ commitLogOffset, size, tagsCode }) => {
        // Tells of extensions of queues that RocketMQ alone writes; without them it says this.
        return { eval: false, physicOffset: commitLogOffset, physicSize: size, tagsCode }
      }),
      subscriptionData: subscription === undefined ? undefined : printSubscription(topic, subscription),
    }
    return answer(command, SUCCESS, { body: printBody(body) })
  }
}

/** What RocketMQ keeps of an SQL filter to look at queues by, which is nothing here. */
function filterData(group: string, topic: string, isOnline: boolean): string {
  return isOnline ? 'null' : `${group}@${topic} is not online!`
}

function corrections({ served }: ServedBroker): Handler {
  return (command) => {
    const without = command.extFields['filterGroups']?.split(',') ?? []
    const group = requiredText(command, 'compareGroup')
    const correctionOffsets = correctedOffsets(served, requiredText(command, 'topic'), group, without)
    return answer(command, SUCCESS, { body: printBody({ correctionOffsets }) })
  }
}

/** Asks each client of a group how far it is by its own account, and tells what each one said. */
function statusOfClients({ served: { registry }, connections }: ServedBroker): Handler {
  return async (command) => {
    const group = requiredText(command, 'group')
    const topic = requiredText(command, 'topic')
    const { clientAddr: only = '' } = command.extFields
    const asked = registry.members(group).flatMap(({ clientId, address }) => {
      const connection = connections.get(address)
      return connection === undefined || (only !== '' && only !== clientId) ? [] : [{ clientId, connection }]
    })
    if (asked.length === 0) throw new Refusal(responseCodes.CONSUMER_NOT_ONLINE, `no client of group ${group} is online`)
    const question = request(consumerNews.GET_CONSUMER_STATUS_FROM_CLIENT, { ext: { topic, group } })
    const told = await Promise.all(asked.map(async (one) => ({ ...one, table: await tableOf(one.connection, question) })))
    const members = told.flatMap(({ clientId, table }) => (table === undefined ? [] : [`${JSON.stringify(clientId)}:${table}`]))
    const body = Buffer.from(`{"consumerTable":{${members.join(',')}},"messageQueueTable":{}}`)
    return answer(command, SUCCESS, { body })
  }
}

/** A table with queues for keys in what a client says, where another table stands before it. */
const QUEUE_TABLE = /"messageQueueTable":(\{(?:\{[^{}]*\}:-?\d+(?:,\{[^{}]*\}:-?\d+)*)?\})/

/** The table of a client, as it writes it: its keys are queues, which no reader of JSON takes; `undefined` when it says none. */
async function tableOf(connection: Connection, question: Command): Promise<string | undefined> {
  try {
    const { code, body } = await connection.invoke(question, CLIENT_MS)
    return code === SUCCESS ? QUEUE_TABLE.exec(body.toString())?.[1] : undefined
  } catch {
    // It went away, or has nothing to say: the others count all the same.
    return undefined
  }
}

function allProducers({ served: { registry, base } }: ServedBroker): Handler {
  return (command) => {
    const lastUpdateTimestamp = base.ports.clock.now()
    const data = registry.producerGroups.map((group) => {
      const producers = registry.producers(group).map(({ clientId, address, language, version }) => {
        return { clientId, language, lastUpdateTimestamp, remoteIP: address, version }
      })
      return [group, producers] as const
    })
    return answer(command, SUCCESS, { body: printBody({ data: Object.fromEntries(data) }) })
  }
}

/** All offsets, as they stand in `consumerOffset.json`. */
function allOffsets({ served: { offsets }, looking }: ServedBroker): Handler {
  const all = sharedMaking(() => {
    const rows = [...offsets.entries()].map((one) => [`${one.topic}@${one.group}`, new Map(one.offsets)] as const)
    rows.sort(([a], [b]) => (a < b ? -1 : 1))
    const print = ([key, queues]: (typeof rows)[number]): string => `${JSON.stringify(key)}:${bodyText(queues)}`
    return longBody(looking, { head: '{"offsetTable":{', rows, print, tail: '}}' })
  })
  return atLength(all)
}

/** How far delayed messages are delivered, as it stands in `delayOffset.json`. */
function delayOffsets({ served: { store } }: ServedBroker): Handler {
  return (command) => {
    const file = store.config.read('delayOffset') as ConfigObject | undefined
    if (file === undefined) throw new Refusal(SYSTEM_ERROR, 'No delay offset in this broker')
    return answer(command, SUCCESS, { body: printBody(file) })
  }
}
