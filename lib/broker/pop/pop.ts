/**
 * Pop consumption: members of a group share every queue, each message is hidden from the others while one has it, and
 * comes again if it is not acknowledged in time. Wires together what pops, what settles and what revives.
 *
 * ```
 *  pop -> check point -> revive topic -> acks complete   -> forgotten
 *                                     -> time is over    -> %RETRY%group_topic, or %DLQ%group
 * ```
 */
import { reviveTopicOf } from '../config/system-topics.js'
import type { LocalMember } from '../consuming/consumers.js'
import { ArrivalWatch } from './arrival-watch.js'
import type { ReviveRecord } from './check-point.js'
import { Looking } from './looking.js'
import { type OrderedQueue, OrderInfos } from './order-info.js'
import { Outstanding } from './outstanding.js'
import { PopConsumer } from './pop-consumer.js'
import { type PopConsumerOptions, resolvePopOptions } from './pop-options.js'
import type { PopParts } from './pop-parts.js'
import { Popping } from './popping.js'
import { Reviver } from './reviver.js'
import { Settling } from './settling.js'
import { Turns } from './turns.js'

/** Check points that are outstanding at most: about 100 MB of them. */
const MOST_OUTSTANDING = 100_000

/** See the head of this file. */
export class Pop {
  /** Pops for whoever asks: consumers here, and clients elsewhere. */
  readonly popping: Popping
  /** Settles what was popped. */
  readonly settling: Settling
  /** Looks at what could be popped. */
  readonly looking: Looking
  readonly #parts: PopParts
  readonly #orders: OrderInfos
  readonly #outstanding: Outstanding
  readonly #watch: ArrivalWatch
  readonly #reviver: Reviver
  readonly #consumers = new Set<PopConsumer>()
  /** There while offsets are being written. */
  #writing: Promise<void> | undefined
  #hasPut = false
  #isClosed = false

  constructor(parts: PopParts, mostOutstanding: number = MOST_OUTSTANDING) {
    const { store, timers, config, clock } = parts
    this.#parts = parts
    this.#orders = new OrderInfos(config, clock)
    this.#outstanding = new Outstanding(mostOutstanding)
    this.#watch = new ArrivalWatch(store, clock, timers)
    const all = {
      ...parts,
      orders: this.#orders,
      outstanding: this.#outstanding,
      watch: this.#watch,
      turns: new Turns(),
      putRecord: (record: ReviveRecord, queueId: number) => this.#put(record, queueId),
      mayMove: () => this.#writing,
      onFree: (topic: string) => {
        // Whatever it was that came again, it must be durable before an offset says so.
        this.#hasPut = true
        this.#watch.wake(topic)
      },
      openedAt: clock.now(),
    }
    this.popping = new Popping(all)
    this.settling = new Settling({ ...all, checkOpen: () => this.#checkSettling() })
    this.looking = new Looking(all)
    this.#reviver = new Reviver(all)
    parts.topics.onChange((topic) => {
      if (parts.topics.find(topic) !== undefined) return
      this.#orders.forgetTopic(topic)
      this.#outstanding.forgetTopic(topic)
    })
    parts.offsets.onMove((place) => {
      if (this.#orders.release(place)) this.#watch.wake(place.topic)
    })
  }

  /** Begins to revive. */
  start(): void {
    this.#reviver.start()
  }

  /** See {@link Broker.popConsumer}. */
  consumer(given: PopConsumerOptions): PopConsumer {
    const { checkOpen, members, nextClientId } = this.#parts
    checkOpen()
    const { popping, settling } = this
    const options = resolvePopOptions(given)
    const { group } = options
    const common = { clientId: nextClientId(), group, model: 'clustering', pops: true, rebalance: () => {} } as const
    let member: LocalMember | undefined
    const join = (subscriptions: LocalMember['subscriptions']): void => {
      const joining = { ...common, subscriptions }
      members.join(joining)
      member = joining
    }
    const leave = (consumer: PopConsumer): void => {
      this.#consumers.delete(consumer)
      if (member !== undefined) members.leave(member)
    }
    const consumer = new PopConsumer({ ...this.#parts, popping, settling, join, leave }, options)
    this.#consumers.add(consumer)
    return consumer
  }

  /** How many messages a group that pops in order has out of a queue. */
  outInOrder(queue: OrderedQueue): number {
    return this.#orders.out(queue)
  }

  /** How many check points are outstanding in this process. */
  get outstanding(): number {
    return this.#outstanding.size
  }

  /**
   * Runs what writes the offsets: behind check points that are durable, so that not even power loss leaves an offset
   * whose messages nobody will revive.
   */
  async whileStill(write: () => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    let end = (): void => {}
    this.#writing = new Promise((resolve) => (end = resolve))
    try {
      if (this.#hasPut) {
        this.#hasPut = false
        await this.#parts.store.flush()
      }
      await this.#orders.flush()
      await write()
    } catch (error) {
      this.#hasPut = true
      throw error
    } finally {
      this.#writing = undefined
      end()
    }
  }

  /** Ends consumers and reviving. What is out comes again when its time is over. */
  async close(): Promise<void> {
    this.#watch.wakeAll()
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    this.#isClosed = true
    await this.#reviver.stop()
    await this.#orders.flush()
  }

  /** While the broker closes, the functions that consumers have called may still settle what they have. */
  #checkSettling(): void {
    if (this.#isClosed) this.#parts.checkOpen()
  }

  async #put(record: ReviveRecord, queueId: number): Promise<void> {
    const topic = reviveTopicOf(this.#parts.clusterName)
    await this.#parts.pipeline.put({ ...record, topic, queueId })
    this.#hasPut = true
  }
}
