/**
 * mqlite/testing: a broker for the tests of programs that use RocketMQ, without a JVM and without files.
 *
 * It listens on free ports of 127.0.0.1 and keeps its messages in memory, unless it is given a directory. It makes
 * topics and groups on first use, and takes milliseconds to start.
 */
import { checkObject, checkRequest, checkWhole, type FieldNames, wrongValue } from './base/arguments.js'
import { shown } from './base/errors.js'
import { type Clock, systemTimers, type Timer, type Timers } from './base/system.js'
import { Broker } from './broker/broker.js'
import { type BrokerOptions, brokerOptionFields } from './broker/broker-options.js'
import { MemoryDisk } from './disk/memory-disk.js'
import { nodeDisk } from './disk/node-disk.js'
import { BrokerServer, type BrokerServerOptions } from './remoting/broker-server.js'
import { endpointText } from './remoting/endpoint.js'

/** Options of {@link startTestBroker}. */
export interface TestBrokerOptions extends Omit<BrokerOptions, 'store'> {
  /** A clock that the test moves; delays, long polls and leases then take no time. @default the clock of this machine */
  readonly clock?: ManualClock
  /** Keep the messages in this directory, so that a later broker finds them. @default in memory */
  readonly directory?: string
  /** Options of the store; its files are small unless these say otherwise. */
  readonly store?: BrokerOptions['store']
  /** Options of the server, such as its ports. */
  readonly server?: Omit<BrokerServerOptions, 'nameServer'>
}

const ROOT = '/mqlite'
const SMALL = { segmentBytes: 16 * 1024 * 1024, queueSegmentEntries: 10_000, index: { slots: 10_007, entries: 40_000 } } as const
const optionFields: FieldNames = new Set([...brokerOptionFields, 'clock', 'directory', 'server'])
/** Turns of the event loop in which what a timer has set off goes on. */
const TURNS = 3

/** A broker for a test: see {@link startTestBroker}. */
export class TestBroker implements AsyncDisposable {
  /** The broker itself: its topics, groups and messages. */
  readonly broker: Broker
  /** What listens for clients. */
  readonly server: BrokerServer

  /** Use {@link startTestBroker}. */
  constructor(broker: Broker, server: BrokerServer) {
    this.broker = broker
    this.server = server
  }

  /** What clients are told as `namesrvAddr`, `127.0.0.1:port`. */
  get nameServerAddress(): string {
    return endpointText(this.server.nameServerEndpoint!)
  }

  /** The broker's own `127.0.0.1:port`. */
  get brokerAddress(): string {
    return endpointText(this.server.endpoint)
  }

  /** Closes server and broker; what was in memory is gone. May be called again. */
  async close(): Promise<void> {
    await this.server.close()
    await this.broker.close()
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Starts a broker with a name server, on free ports of 127.0.0.1.
 *
 * @example
 * const test = await startTestBroker({ topics: { orders: { queues: 1 } } })
 * // clients connect with namesrvAddr = test.nameServerAddress
 * await test.close()
 * @throws {TypeError} {@link RangeError} for a wrong option; what {@link Broker.open} throws
 */
export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  checkRequest(options, optionFields, 'the options object of a test broker')
  const { clock, directory, store, server, autoCreateTopics = true, ...others } = options
  if (store !== undefined) checkObject('store', store)
  if (server !== undefined) checkObject('server', server)
  if (clock !== undefined && !(clock instanceof ManualClock))
    throw new TypeError(`clock must be a ManualClock, got ${shown(clock)}`)
  const disk = directory === undefined ? new MemoryDisk() : nodeDisk
  const time = clock === undefined ? {} : { clock, timers: clock }
  const broker = await Broker.open(
    directory === undefined ? ROOT : directory,
    { ...others, autoCreateTopics, store: { ...SMALL, ...store } },
    { disk, ...time },
  )
  try {
    return new TestBroker(broker, await BrokerServer.listen(broker, { port: 0, ...server, nameServer: { port: 0 } }))
  } catch (error) {
    await broker.close()
    throw error
  }
}

interface Waiting {
  readonly at: number
  readonly action: () => void
}

/** A clock that stands still until it is moved, with the timers that go by it. */
export class ManualClock implements Clock, Timers {
  #wall: number
  #monotonic = 0
  readonly #waiting = new Set<Waiting>()

  /** @param now - milliseconds since 1970 */
  constructor(now: number = Date.UTC(2024, 0, 1)) {
    checkWhole('now', now)
    this.#wall = now
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#wall
  }

  /** Milliseconds by which it was moved. */
  monotonic(): number {
    return this.#monotonic
  }

  /** Runs an action once the clock has been moved so far. */
  after(ms: number, action: () => void): Timer {
    const waiting = { at: this.#monotonic + ms, action }
    this.#waiting.add(waiting)
    return { cancel: () => this.#waiting.delete(waiting) }
  }

  /** Runs an action after the turn of the event loop. */
  endOfTurn(action: () => void): void {
    systemTimers.endOfTurn(action)
  }

  /** Lets time pass: what falls due is run in its order, each with what follows from it. */
  async advance(ms: number): Promise<void> {
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER))
      throw wrongValue('number', 'ms', 'milliseconds of at least 0', ms)
    const end = this.#monotonic + ms
    for (let next = this.#nextUntil(end); next !== undefined; next = this.#nextUntil(end)) {
      this.#waiting.delete(next)
      this.#moveTo(Math.max(next.at, this.#monotonic))
      next.action()
      for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => this.endOfTurn(resolve))
    }
    this.#moveTo(end)
  }

  #nextUntil(end: number): Waiting | undefined {
    let next: Waiting | undefined
    for (const waiting of this.#waiting) if (waiting.at <= end && waiting.at < (next?.at ?? Infinity)) next = waiting
    return next
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }
}
