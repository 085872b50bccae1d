/** The one door to a broker. It forwards; the logic is in the parts that `open-broker.ts` wires together. */
import type { MessageStore } from '../store/message-store.js'
import type { RedriveRequest, RedriveResult } from './administration/redrive.js'
import type { ResetOffset, ResetRequest } from './administration/reset-offsets.js'
import type { BrokerOptions } from './broker-options.js'
import type { Groups } from './config/groups.js'
import type { ClampedOffset } from './config/offsets.js'
import type { Topics } from './config/topics.js'
import type { Consumer } from './consuming/consumer.js'
import type { ConsumerOptions } from './consuming/consumer-options.js'
import type { TimedReceipt } from './delay/timer.js'
import type { BrokerMetrics } from './numbers/metrics.js'
import { type OpenBroker, openBroker, overStore } from './open-broker.js'
import type { BrokerPorts } from './parts.js'
import type { PopConsumer } from './pop/pop-consumer.js'
import type { PopConsumerOptions } from './pop/pop-options.js'
import type { SendReceipt, SendRequest } from './sending/send-request.js'
import type { ServedParts } from './serving/served.js'
import type { TransactionProducer, TransactionProducerOptions } from './transaction/transaction-producer.js'

/** The events of a broker. */
export type { BrokerEvents } from './parts.js'

/**
 * A broker in this process: topics, producers and consumer groups over a {@link MessageStore}, with RocketMQ's
 * semantics. All its state is in the store's directory, in RocketMQ's shapes.
 *
 * @example
 * const broker = await Broker.open('./data', { topics: { orders: { queues: 4 } } })
 * await broker.send({ topic: 'orders', body: 'hello', tags: 'paid' })
 * const consumer = broker.consumer({ group: 'billing', subscribe: { orders: '*' } })
 * for await (const delivery of consumer) await delivery.ack()
 */
export class Broker implements AsyncDisposable {
  readonly #open: OpenBroker

  private constructor(open: OpenBroker) {
    this.#open = open
  }

  /**
   * Opens a directory, creating it if need be, with a store of its own that {@link close} closes.
   *
   * @throws {TypeError} or {@link RangeError} for a wrong option, and {@link BrokerError} `TOPIC_REFUSED`, `QUOTA_EXCEEDED` for
   *   a topic or group of the options that cannot be, before anything is made on disk; what {@link MessageStore.open} throws
   */
  static async open(directory: string, options?: BrokerOptions, ports?: Partial<BrokerPorts>): Promise<Broker> {
    return new Broker(await openBroker(directory, options, ports))
  }

  /**
   * A broker over a store that somebody else opened, and closes after the broker. One at a time.
   *
   * @throws {TypeError} or {@link RangeError} for a wrong option; {@link MessageStoreError} `STORE_LOCKED` while another
   *   broker is open over the store
   */
  static async over(store: MessageStore, options?: Omit<BrokerOptions, 'store'>, ports?: Partial<BrokerPorts>): Promise<Broker> {
    return new Broker(await overStore(store, options, ports))
  }

  /** The store below. */
  get store(): MessageStore {
    return this.#open.store
  }

  /** Topics: made, changed, deleted, listed. */
  get topics(): Topics {
    return this.#open.topics
  }

  /** Consumer groups: made, changed, deleted, listed. */
  get groups(): Groups {
    return this.#open.groups
  }

  /** Numbers: rates, backlogs, members. */
  get metrics(): Pick<BrokerMetrics, 'snapshot'> {
    return this.#open.metrics
  }

  /** Offsets that opening found beyond the end of their queue, and took back: power loss without flushes leaves such. */
  get clampedOffsets(): readonly ClampedOffset[] {
    return this.#open.clampedOffsets
  }

  /**
   * Sends a message. It is acknowledged as the store's option `flush` says.
   *
   * @throws {BrokerError} `TOPIC_UNKNOWN`, `TOPIC_REFUSED`, `NO_PERMISSION`, `QUEUE_UNKNOWN`, `DELAY_INVALID`,
   *   `BACKLOG_FULL`; what {@link MessageStore.put} throws. Nothing was stored.
   */
  send(message: SendRequest): Promise<SendReceipt> {
    // Not an async function, which would cost a promise more for every message.
    try {
      return this.#open.sender.send(message)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Sends messages of one topic: all of them, or none. They go to one queue, unless they name theirs. @throws as {@link send} */
  async sendBatch(messages: readonly SendRequest[]): Promise<SendReceipt[]> {
    return this.#open.sender.sendBatch(messages)
  }

  /**
   * Cancels a message that was sent for a time ahead and waits still; its receipt may come from an earlier run of the
   * broker, read from JSON.
   *
   * @returns whether it is surely not delivered; `false` when its time has come, or it never waited for one
   * @throws {BrokerError} `BROKER_CLOSED`; what {@link MessageStore.put} throws
   */
  async cancel(receipt: TimedReceipt): Promise<boolean> {
    return this.#open.cancel(receipt)
  }

  /**
   * A consumer: a new member of its group, which shares the queues with the others.
   *
   * @throws {TypeError} {@link RangeError} for a wrong option; {@link BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`,
   *   `FILTER_INVALID`, `NO_PERMISSION`, `SUBSCRIPTION_CONFLICT` when the group wants something else, or pops,
   *   `NAME_TAKEN` while another of the group has the same `name`
   */
  consumer(options: ConsumerOptions): Consumer {
    return this.#open.consumers.join(options)
  }

  /** What it offers to clients in other processes; for facades such as {@link BrokerServer}. */
  get served(): ServedParts {
    return this.#open.served
  }

  /**
   * Moves a group to another place of a topic: forward passes messages over, back delivers them again. It is written when
   * this resolves. Members of this process that consume go on there; what is out of those queues can no longer be
   * settled. What was popped can, unless in order, and comes again if it is not. Broadcasting members keep places of
   * their own, which stay.
   *
   * @returns for each queue where the group was and where it is
   * @throws {BrokerError} `GROUP_UNKNOWN`, `TOPIC_UNKNOWN`, `QUEUE_UNKNOWN`; {@link TypeError} {@link RangeError} for a
   *   place that cannot be. No queue was moved.
   */
  resetOffsets(request: ResetRequest): Promise<ResetOffset[]> {
    return this.#open.administration.resetOffsets(request)
  }

  /**
   * Sends dead letters of a group again, to the topics that they came from, as if nobody had tried them. Every group of
   * the topic gets them. Each is sent at least once, and once only unless the machine loses power meanwhile or the store
   * has no index; a letter stays where it is until its segment expires.
   *
   * @throws {BrokerError} `GROUP_UNKNOWN`, `BACKLOG_FULL`; what the store throws. What was sent before is remembered.
   */
  redrive(request: RedriveRequest): Promise<RedriveResult> {
    return this.#open.administration.redrive(request)
  }

  /**
   * A consumer that shares every queue with the others of its group: each message is hidden from them while it has it,
   * and comes again if it is not acknowledged in time.
   *
   * @throws {TypeError} {@link RangeError} for a wrong option; {@link BrokerError} `TOPIC_UNKNOWN`, `GROUP_UNKNOWN`,
   *   `FILTER_INVALID`, `SUBSCRIPTION_CONFLICT` when the group wants something else, or has members that are assigned queues
   */
  popConsumer(options: PopConsumerOptions): PopConsumer {
    return this.#open.pop.consumer(options)
  }

  /**
   * A producer of messages that are delivered only when what its program does meanwhile succeeds. Close it when it is
   * no longer there to be asked.
   *
   * @throws {TypeError} {@link RangeError} for a wrong option; {@link BrokerError} `BROKER_CLOSED`
   */
  transactionProducer(options: TransactionProducerOptions): TransactionProducer {
    return this.#open.transactionProducer(options)
  }

  /**
   * Calls a listener at each event of a name. What it throws keeps nothing here from going on: it comes to the process as
   * an uncaught exception, like one thrown in a timer, and so does a rejection of what it returns.
   *
   * @returns a function that ends it
   * @throws {TypeError} for an event that there is not, or a listener that is no function
   */
  on: OpenBroker['events']['on'] = (name, listener) => this.#open.events.on(name, listener)

  /**
   * Closes the consumers, writes every offset, and closes the store if the broker opened it. May be called again.
   * What was acknowledged before is not delivered again.
   */
  close(): Promise<void> {
    return this.#open.close()
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
