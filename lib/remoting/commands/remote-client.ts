/** One client at the other end of one connection, as a member of groups: what it is told leaves over that connection. */
import type { MemberEvent } from '../../broker/group/members.js'
import { SystemProperty } from '../../broker/system-property.js'
import type { ProducingMember } from '../../broker/transaction/transaction-producer.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { type Command, oneWayRequest } from '../command.js'
import type { Connection } from '../connection.js'
import { endpointText } from '../endpoint.js'
import { consumerNews } from './consume-codes.js'
import type { ServedBroker } from './entries.js'
import { MOST_UNREAD_BYTES } from './reading-turns.js'
import { transactionQuestion } from './transactions.js'

/** See the head of this file. */
export class RemoteClient implements ProducingMember {
  readonly clientId: string
  readonly isLocal = false
  readonly address: string
  readonly language: string
  readonly version: number
  /** That of its last whole heartbeat; 0 when there is none. */
  fingerprint = 0
  /** The way to the client. */
  readonly connection: Connection
  readonly #served: Pick<ServedBroker, 'broker' | 'mayHear'>

  /** @param heartbeat - the first one, which says what the client is */
  constructor(clientId: string, heartbeat: Command, connection: Connection, served: Pick<ServedBroker, 'broker' | 'mayHear'>) {
    this.clientId = clientId
    this.address = endpointText(connection.remote)
    this.language = heartbeat.language ?? 'OTHER'
    this.version = heartbeat.version
    this.connection = connection
    this.#served = served
  }

  isReady(): boolean {
    return this.connection.isOpen && this.connection.unreadBytes <= MOST_UNREAD_BYTES
  }

  notify({ kind, group }: MemberEvent): void {
    if (kind === 'expired') this.connection.destroy()
    else this.connection.sendOneWay(oneWayRequest(consumerNews.NOTIFY_CONSUMER_IDS_CHANGED, { ext: { consumerGroup: group } }))
  }

  askTransaction(half: StoredMessage): void {
    const { broker, mayHear } = this.#served
    const topic = half.properties[SystemProperty.realTopic] ?? half.topic
    if (mayHear(this.connection, topic)) this.connection.sendOneWay(transactionQuestion(half, broker.store.brokerName))
  }
}
