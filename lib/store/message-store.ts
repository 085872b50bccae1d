/** The one door to a store. It forwards; the logic is in the parts that `open.ts` wires together. */

import { checkFunction, checkQueue } from '../base/arguments.js'
import type { VerifyOptions } from './checking/verify.js'
import type { VerifyReport } from './checking/verify-report.js'
import { storeErrorOf } from './disk-failure.js'
import type { ConfigFiles } from './keeping/config-files.js'
import type { GetRequest, Message, PutReceipt, QueryRequest, QueueBounds } from './message.js'
import { type OpenStore, openStore } from './open.js'
import type { StoreOptions, StorePorts } from './options.js'
import type { GetResult } from './reading/reader.js'
import type { RecoveryReport } from './recovery/recover.js'
import type { Replication } from './replication.js'
import type { StoreEvents, StoreStatus } from './state.js'
import type { StoredMessage } from './stored-message.js'
import type { AnswerOf } from './writing/pending.js'

/** Whatever goes wrong is told in errors of the store. */
async function told<Result>(action: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    throw storeErrorOf(error)
  }
}

/**
 * {@link MessageStore.put} for those who answer somebody else with something else: what they make of the receipt, once the
 * message is as safe as it is to be. A `then` for each message would cost the broker a thirtieth of it. No method, so that
 * programs do not see it.
 *
 * @param context - handed to `answerOf`, which need not be another function for each message
 */
export let putFor: <Context, Answer>(
  store: MessageStore,
  message: Message,
  context: Context,
  answerOf: AnswerOf<Context, Answer>,
) => Promise<Answer>

const itself = (receipt: PutReceipt): PutReceipt => receipt

/**
 * A message store: RocketMQ's CommitLog, ConsumeQueues and index in one directory, used by one process.
 *
 * Puts are acknowledged as the option `flush` says; `docs/architecture.md` has the promises. Every method
 * but `close` rejects, or throws, `STORE_CLOSED` once the store is closing.
 *
 * @example
 * const store = await MessageStore.open('./data', { flush: 'sync' })
 * await store.put({ topic: 'orders', body: 'hello', tags: 'paid', keys: ['o-17'] })
 * const { messages } = await store.get({ topic: 'orders', offset: 0 })
 * await store.close()
 */
export class MessageStore implements AsyncDisposable {
  /** Only here is the way in. */
  static {
    putFor = (store, message, context, answerOf) => store.#put(message, context, answerOf)
  }

  readonly #store: OpenStore

  private constructor(store: OpenStore) {
    this.#store = store
  }

  /**
   * Opens a directory, creating it if need be, and recovers what a crash left.
   *
   * A damaged store opens read-only: `status` is `readOnly` and `recovery.corruption` says what is damaged.
   *
   * @throws {TypeError} or {@link RangeError} for a wrong option
   * @throws {MessageStoreError} `STORE_LOCKED`, `STORE_INCOMPATIBLE`, `DISK_FULL` or `DISK_ERROR`
   */
  static async open(directory: string, options?: StoreOptions, ports?: Partial<StorePorts>): Promise<MessageStore> {
    return new MessageStore(await openStore(directory, options, ports))
  }

  /** What state the store is in. */
  get status(): StoreStatus {
    return this.#store.state.status
  }

  /** The option `brokerName`: what a broker over this store calls itself. */
  get brokerName(): string {
    return this.#store.base.options.message.brokerName
  }

  /** The option `storeHost`: the address that goes into records and message ids, unless {@link standAt} gave another one. */
  get storeHost(): string {
    return this.#store.base.options.message.storeHost
  }

  /**
   * From now on records and message ids have this address where a message brings none: a server over the store can be
   * reached there. Without one, the option `storeHost` again.
   *
   * @param address - `ip:port`
   * @throws {RangeError} when it is none
   * @throws {MessageStoreError} `STORE_CLOSED`
   */
  standAt(address?: string): void {
    this.#store.state.checkOpen()
    this.#store.writer.standAt(address === undefined ? this.storeHost : address)
  }

  /** The option `delayLevels`, in milliseconds, from level 1 on. */
  get delayLevelsMs(): readonly number[] {
    return this.#store.base.options.message.delayLevelsMs
  }

  /** The option `retentionHours`: how long messages are kept at least, while the disk is not full. */
  get retentionHours(): number {
    return this.#store.base.options.retention.hours
  }

  /** The directory that was opened. */
  get directory(): string {
    return this.#store.base.layout.root
  }

  /** What opening found and did. */
  get recovery(): RecoveryReport {
    return this.#store.recovery
  }

  /** Counters, as a plain object. */
  get metrics(): { snapshot(): Record<string, number> } {
    return this.#store.metrics
  }

  /**
   * Appends a message.
   *
   * The promise resolves when the message is in the page cache (`async`) or on the disk (`sync`); it then
   * survives the death of the process or power loss. The message is copied before `put` returns. Above
   * `maxPendingBytes` the put waits.
   *
   * @returns where it is; `status` tells whether a flush or a replica was waited for in vain
   * @throws {MessageStoreError} `TOPIC_INVALID`, `MESSAGE_TOO_LARGE`, `MESSAGE_ILLEGAL`, `DISK_FULL`,
   *   `STORE_READ_ONLY`, `STORE_CORRUPT`, `STORE_FAILED`, `REPLICAS_NOT_ENOUGH`; nothing was stored, except
   *   with `STORE_FAILED`, where nobody knows
   */
  put(message: Message): Promise<PutReceipt> {
    return this.#put(message, undefined, itself)
  }

  #put<Context, Answer>(message: Message, context: Context, answerOf: AnswerOf<Context, Answer>): Promise<Answer> {
    // Not an async function: its own promise and one more turn of the microtasks would cost a tenth of a put.
    try {
      return this.#store.writer.put(message, context, answerOf)
    } catch (error) {
      return Promise.reject(storeErrorOf(error))
    }
  }

  /**
   * Appends several messages as consecutive records: all are stored, or none. After power loss, a batch that was not
   * acknowledged may be there in part. As {@link put} otherwise.
   *
   * @param batchKey - on a topic whose batches are one record each, a key under which {@link query} finds the whole batch
   */
  async putBatch(messages: readonly Message[], batchKey?: string): Promise<PutReceipt[]> {
    return told(() => this.#store.writer.putBatch(messages, batchKey))
  }

  /**
   * Reads messages of a queue from an offset on, in order.
   *
   * With `waitMs` it waits for a message when there is none. `status` tells why there are none, and
   * `nextOffset` where to go on. A damaged record ends the batch before it.
   *
   * @throws {MessageStoreError} `STORE_CORRUPT` when the record at `offset` is damaged; `details.nextOffset` steps over it
   */
  get(request: GetRequest): Promise<GetResult> {
    // One asynchronous function less: who follows a queue reads a few messages at a time.
    return told(() => this.#store.get(request))
  }

  /** Reads a queue without end, waiting for what comes. Ends when `signal` fires or the store closes. */
  follow(request: Omit<GetRequest, 'waitMs'>): AsyncIterableIterator<StoredMessage> {
    this.#store.state.checkOpen()
    return this.#store.follow(request)
  }

  /**
   * The messages of a topic with a key, newest first. Only true hits: key and topic are read from the records.
   * Damaged records are left out: each is told as the event `damagedRecord` and counts in the metric `damagedRecords`.
   */
  query(request: QueryRequest): Promise<StoredMessage[]> {
    // No async function, as in `put`: most queries have one hit, and it would cost them a tenth.
    try {
      const { state, live, search } = this.#store
      state.checkOpen()
      if (live === undefined) return search.query(request)
      // It may take several turns, in which the views must stay what they are.
      return this.#caughtUp(() => live.holding(() => search.query(request)))
    } catch (error) {
      return Promise.reject(storeErrorOf(error))
    }
  }

  /** The message with an id, or at an address of the log; `undefined` when no intact record starts there. */
  lookup(target: string | { commitLogOffset: number }): Promise<StoredMessage | undefined> {
    return this.#caughtUp(() => this.#store.search.lookup(target))
  }

  /**
   * The first offset stored at or after a time (`lower`), or the last at or before it (`upper`).
   *
   * Before the first message both give `minOffset`; after the last one `lower` gives `maxOffset`, `upper` the last
   * message; a queue without a message gives its `minOffset`, an unknown one 0.
   */
  offsetByTime(topic: string, queueId: number, timestampMs: number, boundary: 'lower' | 'upper' = 'lower'): Promise<number> {
    return this.#caughtUp(() => this.#store.search.offsetByTime(topic, queueId, timestampMs, boundary))
  }

  /** Searches, after a store that is only read took in what its writer has written. */
  async #caughtUp<Result>(search: () => Result | Promise<Result>): Promise<Result> {
    const { state, live } = this.#store
    state.checkOpen()
    try {
      if (live === undefined) return search()
      await live.catchUp()
      // Not returned as it is: what it rejects with is to be told in the store's words.
      return await live.asking(search)
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  /**
   * The offsets of a queue that can be read; both 0 for an unknown queue. A store that is only read takes in what its writer
   * has written when messages are asked for, not here.
   */
  bounds(topic: string, queueId = 0): QueueBounds {
    this.#store.state.checkOpen()
    checkQueue(topic, queueId)
    const queue = this.#store.views().find(topic, queueId)
    return { minOffset: queue?.minOffset ?? 0, maxOffset: queue?.maxOffset ?? 0 }
  }

  /** All queues with the offsets that can be read, by topic and id; as {@link bounds} otherwise. */
  queues(): (QueueBounds & { topic: string; queueId: number })[] {
    this.#store.state.checkOpen()
    const { queues, batchQueues } = this.#store.views()
    const listed = [...queues, ...batchQueues].map(({ topic, queueId, minOffset, maxOffset }) => ({
      topic,
      queueId,
      minOffset,
      maxOffset,
    }))
    return listed.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.queueId - b.queueId))
  }

  /**
   * Empties a topic's queues, or one of them: `minOffset` becomes `maxOffset`. The disk space of the messages is
   * freed when their segments expire. A Java store that opens the directory still sees what the queue's last
   * file holds.
   *
   * @throws {MessageStoreError} `TOPIC_INVALID`, or why the store may not be written
   */
  async purge(topic: string, queueId?: number): Promise<void> {
    await told(() => this.#store.admin.purge(topic, queueId))
  }

  /** Deletes a topic's queues and their files; its next message gets offset 0. As {@link purge} otherwise. */
  async deleteTopic(topic: string): Promise<void> {
    await told(() => this.#store.admin.deleteTopic(topic))
  }

  /**
   * Deletes expired segments in the next 200 seconds at any hour of the day; otherwise `deleteHour`, or a filling disk, is
   * waited for. A store that is only read deletes nothing.
   *
   * @throws {MessageStoreError} `STORE_CLOSED`
   */
  deleteExpired(): void {
    this.#store.state.checkOpen()
    this.#store.upkeep.deleteExpired()
  }

  /**
   * Keeps what somebody needs for later: no record at or behind the address that `floor` tells expires, however old it
   * is. It is asked each time that segments would be deleted for their age; when it rejects, none is. A disk that passes
   * `disk.forceAt` deletes all the same, and a replica does not ask.
   *
   * @param floor - resolves with a `commitLogOffset`, or `Infinity` for none; must not wait for the store to close
   * @returns a function that ends it
   * @throws {TypeError} when it is no function
   * @throws {MessageStoreError} `STORE_CLOSED`
   */
  keepFrom(floor: () => Promise<number>): () => void {
    this.#store.state.checkOpen()
    checkFunction('floor', floor)
    return this.#store.upkeep.keepFrom(floor)
  }

  /** RocketMQ's configuration files, `config/*.json`: what a broker over this store keeps. */
  get config(): Pick<ConfigFiles, 'read' | 'write'> {
    return this.#store.config
  }

  /** Hooks for replication: the log's bytes for replicas, their acknowledgements, and taking a primary's log. */
  get replication(): Replication {
    return this.#store.replication
  }

  /** Makes everything put so far durable. @throws {MessageStoreError} `STORE_FAILED` */
  async flush(): Promise<void> {
    return told(() => this.#store.flush())
  }

  /**
   * Checks everything: each record, queue entry and index entry against one another. Changes nothing, and the
   * store may be used meanwhile. What is wrong is in the report, not thrown.
   *
   * @throws {TypeError} for a wrong option
   * @throws {MessageStoreError} `STORE_CLOSED`, also when the store is closed meanwhile
   */
  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    this.#store.state.checkOpen()
    return told(() => this.#store.verify(options))
  }

  /**
   * Calls a listener at each event of a name. What it throws keeps nothing here from going on: it comes to the process as
   * an uncaught exception, like one thrown in a timer, and so does a rejection of what it returns.
   *
   * @returns a function that ends it
   * @throws {TypeError} for an event that there is not, or a listener that is no function
   */
  on<Name extends keyof StoreEvents>(name: Name, listener: (event: StoreEvents[Name]) => void): () => void {
    return this.#store.events.on(name, listener)
  }

  /**
   * Writes and flushes everything, marks the store as cleanly closed and lets it go. May be called again.
   * From the call on nothing else is accepted; puts that still wait for room are refused.
   *
   * @throws {MessageStoreError} `STORE_FAILED` when something could not be flushed; the store is closed all the same
   */
  close(): Promise<void> {
    return told(() => this.#store.close())
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
