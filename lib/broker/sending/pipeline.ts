/**
 * The way of every message into the store, whoever sends it: a program, a client, a retry, the end of a transaction.
 *
 * ```
 *  message -> does it ask for a delay? -> it waits in a topic of the system, with its own topic among the properties
 *          -> else as it is           -> store
 * ```
 */
import type { Message, PutReceipt } from '../../store/message.js'
import type { AnswerOf } from '../../store/writing/pending.js'
import type { PutForPort } from '../store-port.js'

/** Where delayed messages wait. */
export interface DelayPort {
  /**
   * The message as it waits, or as it is when it asks for no delay.
   *
   * @throws {BrokerError} `DELAY_INVALID`
   */
  rewrite(message: Message): Message
}

/** See the head of this file. */
export class Pipeline {
  readonly #store: PutForPort
  readonly #delay: DelayPort

  constructor(store: PutForPort, delay: DelayPort) {
    this.#store = store
    this.#delay = delay
  }

  /** Puts one message. @throws {BrokerError} `DELAY_INVALID`, and what the store throws */
  put(message: Message): Promise<PutReceipt> {
    return this.#store.put(message.properties === undefined ? message : this.#delay.rewrite(message))
  }

  /** As {@link put}, for who answers with something else than the receipt. @param answerOf - makes it of receipt and message */
  putFor<Answer>(message: Message, answerOf: AnswerOf<Message, Answer>): Promise<Answer> {
    return this.#store.putFor(message.properties === undefined ? message : this.#delay.rewrite(message), message, answerOf)
  }

  /** Puts several, all or none. @param batchKey - see {@link MessageStore.putBatch} */
  putBatch(messages: readonly Message[], batchKey?: string): Promise<PutReceipt[]> {
    return this.#store.putBatch(
      messages.map((message) => (message.properties === undefined ? message : this.#delay.rewrite(message))),
      batchKey,
    )
  }
}
