/**
 * Answers to messages: a consumer answers one by a message of its own, which is stored as any other and pushed to the
 * client that waits for it. The message says which client that is.
 */
import type { ClientReceipt } from '../../broker/serving/client-send.js'
import { SystemProperty } from '../../broker/system-property.js'
import { parseProperties } from '../../format/properties.js'
import { clientRequests, responseCodes } from '../codes.js'
import { answer, type Command, request } from '../command.js'
import type { Connection } from '../connection.js'
import type { ServedBroker } from './entries.js'
import { receiptFields, type SentMessage } from './send-header.js'

/** How long the waiting client may take to say that it has the answer. */
const PUSH_MS = 10_000

/** See the head of this file. */
export class ReplyPush {
  readonly #served: ServedBroker

  constructor(served: ServedBroker) {
    this.#served = served
  }

  /**
   * Stores an answer unless it is empty, pushes it, and tells the consumer what came of that: code 1 when the client did not get
   * it.
   */
  async answer(command: Command, message: SentMessage, store: () => Promise<ClientReceipt>): Promise<Command> {
    // The store takes no empty body, but who waits does: answers that the Go client makes are empty.
    const receipt = message.body.length === 0 ? undefined : await store()
    const failure = await this.#push(message, receipt?.puts[0]?.storeTimestamp ?? this.#now())
    const code = failure === undefined ? responseCodes.SUCCESS : responseCodes.SYSTEM_ERROR
    const ext = receipt === undefined ? { msgId: '0', queueId: 0, queueOffset: 0 } : receiptFields(receipt)
    return answer(command, code, { remark: failure, ext })
  }

  /** @returns why the client did not get it */
  async #push(message: SentMessage, storeTimestamp: number): Promise<string | undefined> {
    const bytes = Buffer.from(message.properties)
    const clientId = parseProperties(bytes, 0, bytes.length)[SystemProperty.replyTo]
    if (clientId === undefined) return `a reply needs the property ${SystemProperty.replyTo}`
    const connection = this.#connectionOf(clientId)
    if (connection === undefined) return `no client ${clientId} is here to take the reply`
    try {
      const { code, remark } = await connection.invoke(this.#pushed(message, storeTimestamp), PUSH_MS)
      return code === responseCodes.SUCCESS ? undefined : `client ${clientId} answered ${code}: ${remark ?? ''}`
    } catch (error) {
      return `client ${clientId} could not be told: ${(error as Error).message}`
    }
  }

  #now(): number {
    return this.#served.served.base.ports.clock.now()
  }

  #connectionOf(clientId: string): Connection | undefined {
    const { served, connections } = this.#served
    for (const { address } of served.registry.producersWithId(clientId)) {
      const connection = connections.get(address)
      if (connection?.isOpen) return connection
    }
    return undefined
  }

  #pushed(message: SentMessage, storeTimestamp: number): Command {
    const { producerGroup, topic, template, queues, queueId, sysFlag, bornTimestamp, flag, reconsumeTimes, body } = message
    const { served, storeHost = served.store.storeHost } = this.#served
    const { properties } = message
    const separator = properties === '' || properties.endsWith('\u0002') ? '' : '\u0002'
    const ext = {
      producerGroup,
      topic,
      defaultTopic: template,
      defaultTopicQueueNums: queues,
      queueId,
      sysFlag,
      bornTimestamp,
      flag,
      properties: `${properties}${separator}${SystemProperty.replyPushTime}\u0001${this.#now()}\u0002`,
      reconsumeTimes,
      unitMode: false,
      bornHost: message.bornHost,
      storeHost,
      storeTimestamp,
    }
    return request(clientRequests.PUSH_REPLY_MESSAGE_TO_CLIENT, { ext, body })
  }
}
