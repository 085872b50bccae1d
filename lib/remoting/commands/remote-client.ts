/** One client at the other end of one connection, as a member of groups: what it is told leaves over that connection. */
import type { MemberEvent } from '../../broker/group/members.js'
import type { ProducingMember } from '../../broker/transaction/transaction-producer.js'
import type { StoredMessage } from '../../store/stored-message.js'
import { type Command, oneWayRequest } from '../command.js'
import type { Connection } from '../connection.js'
import { endpointText } from '../endpoint.js'
import { consumerNews } from './consume-codes.js'
import { transactionQuestion } from './transactions.js'

/** With more bytes that it has not taken, a client is asked nothing. */
const MOST_UNREAD_BYTES = 1024 * 1024

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
  readonly #brokerName: string

  /** @param heartbeat - the first one, which says what the client is */
  constructor(clientId: string, heartbeat: Command, connection: Connection, brokerName: string) {
    this.clientId = clientId
    this.address = endpointText(connection.remote)
    this.language = heartbeat.language ?? 'OTHER'
    this.version = heartbeat.version
    this.connection = connection
    this.#brokerName = brokerName
  }

  isReady(): boolean {
    return this.connection.isOpen && this.connection.unreadBytes <= MOST_UNREAD_BYTES
  }

  notify({ kind, group }: MemberEvent): void {
    if (kind === 'expired') this.connection.destroy()
    else this.connection.sendOneWay(oneWayRequest(consumerNews.NOTIFY_CONSUMER_IDS_CHANGED, { ext: { consumerGroup: group } }))
  }

  askTransaction(half: StoredMessage): void {
    this.connection.sendOneWay(transactionQuestion(half, this.#brokerName))
  }
}
