/** The requests to a name server, as a table: each reads its ext fields, asks or tells the routes or the settings, answers. */
import { shown } from '../../base/errors.js'
import type { TurnShare } from '../../base/turn-share.js'
import { parseBody, printBody } from '../body-json.js'
import { nameServerRequests as codes, responseCodes } from '../codes.js'
import { answer, type Command, type CommandParts } from '../command.js'
import { Refusal } from '../errors.js'
import { optionalFlag, requiredLong, requiredText } from '../ext-fields.js'
import type { Handler, HandlerTable } from '../handling.js'
import { type KvTable, ORDER_NAMESPACE, objectOfTexts } from './kv-table.js'
import { dataVersionOf, queuesOfRoute } from './registered-topics.js'
import { decodeInSteps, decodeRegistration, isSmallRegistration } from './registration.js'
import {
  clusterInfo,
  memberGroup,
  routeOf,
  systemTopics,
  topicList,
  topicsOfCluster,
  unitTopics,
  type Zone,
} from './route-questions.js'
import { type QueueData, sameVersion } from './route-state.js'
import type { Registration, RouteTable } from './route-table.js'
import { type Peer, TellingTurns } from './telling-turns.js'

/** What the handlers work on. */
export interface NameServerParts {
  readonly routes: RouteTable
  readonly settings: KvTable
  /** Whether routes tell the order of topics. */
  readonly ordersTopics: boolean
  /** Monotonic, milliseconds. */
  now(): number
  /** The time that reading what brokers tell may take in a turn. */
  readonly reading: TurnShare
  /** A server registered over this connection: when it closes, the server is gone. */
  onRegistered(connection: object): void
}

/** From this release on clients read routes in the standard form of JSON. */
const V4_9_4 = 401

/** RocketMQ's clients show this to people as it is. */
const ADVICE = '\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.'

type Reply = CommandParts | undefined

/** The table. */
export function nameServerHandlers(parts: NameServerParts): HandlerTable {
  const table = new Map<number, Handler>()
  for (const part of [routeHandlers(parts), brokerHandlers(parts), topicHandlers(parts), settingHandlers(parts)]) {
    for (const [code, reply] of part)
      table.set(code, (command, from) => {
        const replied = reply(command, from)
        const answered = (parts: Reply) => answer(command, responseCodes.SUCCESS, parts)
        return replied instanceof Promise ? replied.then(answered) : answered(replied)
      })
  }
  return table
}

type Entries = readonly (readonly [number, (command: Command, from: Peer) => Promise<Reply> | Reply])[]

function routeHandlers({ routes, settings, ordersTopics }: NameServerParts): Entries {
  const { state } = routes
  return [
    [
      codes.GET_ROUTEINFO_BY_TOPIC,
      (command) => {
        const topic = requiredText(command, 'topic')
        const order = ordersTopics ? settings.get(ORDER_NAMESPACE, topic) : undefined
        const route = routeOf(state, topic, order, zoneOf(command))
        if (route === undefined) {
          throw new Refusal(responseCodes.TOPIC_NOT_EXIST, `No topic route info in name server for the topic: ${topic}${ADVICE}`)
        }
        const isStandard = command.version >= V4_9_4 || optionalFlag(command, 'acceptStandardJsonOnly')
        return { body: printBody(route, isStandard ? 'standard' : 'fastjson') }
      },
    ],
    [codes.GET_BROKER_CLUSTER_INFO, () => ({ body: printBody(clusterInfo(state)) })],
    [
      codes.GET_BROKER_MEMBER_GROUP,
      (command) => {
        const group = memberGroup(state, requiredText(command, 'clusterName'), requiredText(command, 'brokerName'))
        return { body: printBody(group) }
      },
    ],
    [codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => ({ body: printBody(topicList(state)) })],
    [codes.GET_TOPICS_BY_CLUSTER, (command) => ({ body: printBody(topicsOfCluster(state, requiredText(command, 'cluster'))) })],
    [codes.GET_SYSTEM_TOPIC_LIST_FROM_NS, () => ({ body: printBody(systemTopics(state)) })],
    [codes.GET_UNIT_TOPIC_LIST, () => ({ body: printBody(unitTopics(state, 'unit')) })],
    [codes.GET_HAS_UNIT_SUB_TOPIC_LIST, () => ({ body: printBody(unitTopics(state, 'subscription')) })],
    [codes.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, () => ({ body: printBody(unitTopics(state, 'subscriptionOnly')) })],
  ]
}

/** @throws {Refusal} when it would be too much */
function checkRoom(routes: RouteTable, brokerName: string, topics: Iterable<string>): void {
  if (!routes.hasRoomFor(brokerName, topics))
    throw new Refusal(responseCodes.SYSTEM_ERROR, `the name server has no room for more topics of ${shown(brokerName)}`)
}

/** The zone from which a client asks, when it wants brokers near to it. */
function zoneOf(command: Command): Zone | undefined {
  const zoneName = command.extFields['__ZONE_NAME']?.trim() ?? ''
  return optionalFlag(command, '__ZONE_MODE') && zoneName !== '' ? { zoneName } : undefined
}

function brokerHandlers(parts: NameServerParts): Entries {
  const { routes } = parts
  const versionQuestion = (command: Command): Reply => {
    const cluster = requiredText(command, 'clusterName')
    const address = requiredText(command, 'brokerAddr')
    const asked = dataVersionOf(parseBody(command.body))
    const known = routes.versionOf(cluster, address)
    const changed = known === undefined || !sameVersion(known, asked)
    if (!changed) routes.heard(cluster, address, parts.now())
    return { ext: { changed }, body: known === undefined ? undefined : printBody({ ...known }) }
  }
  return [
    ...tellingHandlers(parts),
    [codes.QUERY_DATA_VERSION, versionQuestion],
    [
      codes.BROKER_HEARTBEAT,
      (command) => {
        routes.heard(requiredText(command, 'clusterName'), requiredText(command, 'brokerAddr'), parts.now())
        return undefined
      },
    ],
  ]
}

/** What brokers tell of themselves, in which there may be much to read. */
function tellingHandlers(parts: NameServerParts): Entries {
  const { routes, settings } = parts
  const telling = new TellingTurns(parts.reading)
  const register = (registration: Registration, connection: object): Reply => {
    checkRoom(routes, registration.brokerName, registration.topics.keys())
    const { primaryAddress, haAddress } = routes.register({ ...registration, connection }, parts.now())
    parts.onRegistered(connection)
    const orders = settings.list(ORDER_NAMESPACE)
    return {
      ext: { masterAddr: primaryAddress, haServerAddr: haAddress },
      body: orders === undefined ? undefined : printBody({ table: objectOfTexts(orders) }),
    }
  }
  const read = async (command: Command, from: Peer, checkOpen: () => void): Promise<Reply> => {
    const pause = (): Promise<void> | undefined => {
      checkOpen()
      return parts.reading.pause()
    }
    return register(await decodeInSteps(command, pause), from)
  }
  const unregister = (command: Command): Reply => {
    routes.unregister({
      cluster: requiredText(command, 'clusterName'),
      brokerName: requiredText(command, 'brokerName'),
      address: requiredText(command, 'brokerAddr'),
      brokerId: requiredLong(command, 'brokerId'),
    })
    return undefined
  }
  return [
    [
      codes.REGISTER_BROKER,
      (command, from) =>
        isSmallRegistration(command)
          ? telling.runShort<Reply>(from, { take: () => register(decodeRegistration(command), from) })
          : telling.run(from, { take: (checkOpen) => read(command, from, checkOpen) }),
    ],
    [
      codes.UNREGISTER_BROKER,
      (command, from) => {
        const take = (): Reply => unregister(command)
        return telling.runShort(from, { take, whenGone: take })
      },
    ],
  ]
}

function topicHandlers({ routes }: NameServerParts): Entries {
  return [
    [
      codes.WIPE_WRITE_PERM_OF_BROKER,
      (command) => ({ ext: { wipeTopicCount: routes.setWritable(requiredText(command, 'brokerName'), false) } }),
    ],
    [
      codes.ADD_WRITE_PERM_OF_BROKER,
      (command) => ({ ext: { addTopicCount: routes.setWritable(requiredText(command, 'brokerName'), true) } }),
    ],
    [
      codes.DELETE_TOPIC_IN_NAMESRV,
      (command) => {
        const cluster = command.extFields['clusterName']
        routes.deleteTopic(requiredText(command, 'topic'), cluster === '' ? undefined : cluster)
        return undefined
      },
    ],
    [
      codes.REGISTER_TOPIC_IN_NAMESRV,
      (command) => {
        const topic = requiredText(command, 'topic')
        const queues = command.body.length > 0 ? queuesOfRoute(command.body) : new Map<string, QueueData>()
        for (const brokerName of queues.keys()) checkRoom(routes, brokerName, [topic])
        routes.addTopic(topic, queues)
        return undefined
      },
    ],
  ]
}

function settingHandlers({ settings, ordersTopics }: NameServerParts): Entries {
  return [
    [codes.GET_NAMESRV_CONFIG, () => ({ body: Buffer.from(`orderMessageEnable=${ordersTopics}\n`) })],
    [
      codes.PUT_KV_CONFIG,
      (command) => {
        settings.put(requiredText(command, 'namespace'), requiredText(command, 'key'), requiredText(command, 'value'))
        return undefined
      },
    ],
    [
      codes.GET_KV_CONFIG,
      (command) => {
        const namespace = requiredText(command, 'namespace')
        const key = requiredText(command, 'key')
        const value = settings.get(namespace, key)
        if (value !== undefined) return { ext: { value } }
        throw new Refusal(responseCodes.QUERY_NOT_FOUND, `No config item, Namespace: ${namespace} Key: ${key}`)
      },
    ],
    [
      codes.DELETE_KV_CONFIG,
      (command) => {
        settings.delete(requiredText(command, 'namespace'), requiredText(command, 'key'))
        return undefined
      },
    ],
    [
      codes.GET_KVLIST_BY_NAMESPACE,
      (command) => {
        const namespace = requiredText(command, 'namespace')
        const table = settings.list(namespace)
        if (table !== undefined) return { body: printBody({ table: objectOfTexts(table) }) }
        throw new Refusal(responseCodes.QUERY_NOT_FOUND, `No config item, Namespace: ${namespace}`)
      },
    ],
  ]
}
