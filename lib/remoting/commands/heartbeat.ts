/** Clients come, stay and go: heartbeats, farewells, and connections that close. */
import { BrokerError } from '../../broker/errors.js'
import type { Member } from '../../broker/group/members.js'
import type { ServedParts } from '../../broker/serving/served.js'
import { printBody } from '../body-json.js'
import { responseCodes } from '../codes.js'
import { answer, type Command } from '../command.js'
import type { Connection } from '../connection.js'
import { Refusal } from '../errors.js'
import { requiredText } from '../ext-fields.js'
import type { Handler } from '../handling.js'
import { type Heartbeat, printSubscription, readAskedSubscription, readHeartbeat, type ToldConsumer } from './client-body.js'
import type { ClientOwners } from './client-owners.js'
import { consumeRequests as codes } from './consume-codes.js'
import type { Entries, ServedBroker } from './entries.js'
import { MembershipBounds } from './membership-bounds.js'
import { RemoteClient } from './remote-client.js'

/** Clients that may speak over one connection: programs such as proxies have many. */
const MOST_CLIENTS = 1024

/** See the head of this file. @param servesSql - whether clients may filter with SQL */
export function heartbeatHandlers(broker: ServedBroker, owners: ClientOwners, servesSql: boolean): Entries {
  const { served } = broker
  const clients = new ConnectedClients(broker, owners)
  const heartbeat: Handler = async (command, connection) => {
    const told = readHeartbeat(command.body)
    const client = clients.known(told, command, connection)
    for (const group of told.producerGroups) served.registry.producerHeartbeat(group, client)
    const isKnown = told.isShort ? clients.isAsBefore(client, told) : await clients.isTold(client, told)
    // Clients that compare need not say everything again as long as it is known here.
    const ext = { IS_SUPPORT_HEART_BEAT_V2: true, IS_SUB_CHANGE: told.fingerprint === 0 || !isKnown }
    return answer(command, responseCodes.SUCCESS, { ext })
  }
  const unregister: Handler = (command, connection) => {
    const clientId = requiredText(command, 'clientID')
    const client = clients.find(clientId, connection)
    const { producerGroup, consumerGroup } = command.extFields
    clients.bounds.left(connection, clientId, producerGroup, consumerGroup)
    if (client !== undefined && producerGroup !== undefined) served.registry.producerLeave(producerGroup, client)
    if (client !== undefined && consumerGroup !== undefined) served.registry.leave(consumerGroup, client)
    return answer(command, responseCodes.SUCCESS)
  }
  const check: Handler = (command) => {
    const asked = readAskedSubscription(command.body)
    if (asked?.kind !== 'SQL92') return answer(command, responseCodes.SUCCESS)
    if (!servesSql) {
      const remark = 'The broker does not support consumer to filter message by SQL92'
      throw new Refusal(responseCodes.SYSTEM_ERROR, remark)
    }
    served.filters.get({ sql: asked.expression })
    return answer(command, responseCodes.SUCCESS)
  }
  return [
    [codes.HEART_BEAT, heartbeat],
    [codes.UNREGISTER_CLIENT, unregister],
    [codes.CHECK_CLIENT_CONFIG, check],
    [codes.GET_CONSUMER_LIST_BY_GROUP, listOf(served)],
    [codes.GET_CONSUMER_CONNECTION_LIST, consumersOf(served)],
    [codes.GET_PRODUCER_CONNECTION_LIST, producersOf(served)],
  ]
}

/** Which clients speak over which connection. */
class ConnectedClients {
  readonly bounds = new MembershipBounds<Connection>()
  readonly #owners: ClientOwners
  readonly #broker: ServedBroker
  readonly #parts: ServedParts
  readonly #byConnection = new Map<Connection, Map<string, RemoteClient>>()

  constructor(broker: ServedBroker, owners: ClientOwners) {
    this.#broker = broker
    this.#owners = owners
    this.#parts = broker.served
  }

  find(clientId: string, connection: Connection): RemoteClient | undefined {
    return this.#byConnection.get(connection)?.get(clientId)
  }

  /**
   * The client, from now on until its connection closes.
   *
   * @throws {Refusal} when its id is somebody else's, and when the connection has too many clients or is in too much
   */
  known(told: Heartbeat, command: Command, connection: Connection): RemoteClient {
    const { clientId } = told
    let clients = this.#byConnection.get(connection)
    if (clients === undefined) {
      this.#byConnection.set(connection, (clients = new Map<string, RemoteClient>()))
      connection.onClose(() => this.#closed(connection))
    }
    const found = clients.get(clientId)
    if (found === undefined && clients.size >= MOST_CLIENTS)
      throw new Refusal(responseCodes.SYSTEM_BUSY, `a connection may have ${MOST_CLIENTS} clients at most`)
    // What a connection that is closed keeps would stay for ever.
    if (connection.isOpen) {
      const who = this.#broker.speaker(connection)
      this.#owners.check(clientId, who, connection)
      this.bounds.note(connection, told)
      this.#owners.claim(clientId, who, connection)
    }
    if (found !== undefined) return found
    const made = new RemoteClient(clientId, command, connection, this.#broker)
    clients.set(clientId, made)
    return made
  }

  /** Notes that a client is still there, and wants what it wanted. @returns whether that is known here */
  isAsBefore(client: RemoteClient, { consumers, fingerprint }: Heartbeat): boolean {
    const known = consumers.map(({ group }) => this.#parts.registry.touch(group, client))
    return fingerprint === client.fingerprint && known.every((one) => one)
  }

  /** Notes all that a client says. @returns whether it is known from now on @throws what one of its groups was refused with */
  async isTold(client: RemoteClient, { consumers, fingerprint }: Heartbeat): Promise<boolean> {
    client.fingerprint = 0
    let failure: unknown
    let isWhole = true
    for (const consumer of consumers) {
      try {
        isWhole = (await this.consumes(client, consumer)) && isWhole
      } catch (error) {
        // The other groups of the client do not suffer for it.
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    if (isWhole) client.fingerprint = fingerprint
    return isWhole
  }

  /** The client is a member of a group. @returns whether it is: a group that is unknown and may not be made is passed over */
  async consumes(client: RemoteClient, consumer: ToldConsumer): Promise<boolean> {
    const { group, facts } = consumer
    const { groups, topics, registry } = this.#parts
    const known = await groups.forConsuming(group).catch(undefinedIfUnknown)
    if (known === undefined) return false
    const { retryQueues } = known
    if (retryQueues > 0) await topics.retryTopic(group, retryQueues)
    const { connection, clientId } = client
    // It may have left, or gone, meanwhile.
    const isThere = connection.isOpen && this.bounds.covers(connection, clientId, consumer)
    if (isThere) registry.heartbeat(group, client, facts)
    return isThere
  }

  #closed(connection: Connection): void {
    const clients = this.#byConnection.get(connection)
    this.#byConnection.delete(connection)
    this.bounds.closed(connection)
    this.#owners.release(clients?.keys() ?? [], connection)
    for (const client of clients?.values() ?? []) this.#parts.registry.disconnect(client)
  }
}

function undefinedIfUnknown(error: unknown): undefined {
  if (!(error instanceof BrokerError && error.code === 'GROUP_UNKNOWN')) throw error
}

function listOf({ registry }: ServedParts): Handler {
  return (command) => {
    const group = requiredText(command, 'consumerGroup')
    const consumerIdList = registry.clientIds(group)
    if (consumerIdList.length === 0) throw new Refusal(responseCodes.SYSTEM_ERROR, `no consumer for this group, ${group}`)
    return answer(command, responseCodes.SUCCESS, { body: printBody({ consumerIdList }) })
  }
}

function consumersOf({ registry }: ServedParts): Handler {
  return (command) => {
    const group = requiredText(command, 'consumerGroup')
    const facts = registry.facts(group)
    if (facts === undefined) throw new Refusal(responseCodes.CONSUMER_NOT_ONLINE, `the consumer group[${group}] not online`)
    const subscriptions = [...registry.subscriptions(group)].map(
      ([topic, one]) => [topic, printSubscription(topic, one)] as const,
    )
    const body = printBody({
      connectionSet: registry.members(group).map(connectionOf),
      consumeFromWhere: facts.consumeFrom,
      consumeType: facts.consumeType,
      messageModel: facts.model,
      subscriptionTable: Object.fromEntries(subscriptions),
    })
    return answer(command, responseCodes.SUCCESS, { body })
  }
}

function producersOf({ registry }: ServedParts): Handler {
  return (command) => {
    const group = requiredText(command, 'producerGroup')
    const producers = registry.producers(group)
    if (producers.length === 0) throw new Refusal(responseCodes.SYSTEM_ERROR, `the producer group[${group}] not exist`)
    return answer(command, responseCodes.SUCCESS, { body: printBody({ connectionSet: producers.map(connectionOf) }) })
  }
}

function connectionOf({ clientId, address, language, version }: Member) {
  return { clientAddr: address, clientId, language, version }
}
