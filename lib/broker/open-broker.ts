/**
 * Opens a broker, bottom-up: tables, the way into the store, delays, consumers; and takes it down in the opposite order.
 */
import { Emitter } from '../base/signals.js'
import { systemClock, systemRandom, systemTimers } from '../base/system.js'
import { nodeDisk } from '../disk/node-disk.js'
import { MessageStore } from '../store/message-store.js'
import { type BrokerOptions, type ResolvedBrokerOptions, resolveBrokerOptions } from './broker-options.js'
import { Groups } from './config/groups.js'
import { ConsumerOffsets } from './config/offsets.js'
import { Topics } from './config/topics.js'
import { Consumers } from './consuming/consumers.js'
import { inflatedBody } from './consuming/inflate.js'
import { SendBack } from './consuming/send-back.js'
import { Schedule } from './delay/schedule.js'
import { type TimedReceipt, Timer } from './delay/timer.js'
import { delayedMessage } from './delay/timer-messages.js'
import { BrokerError } from './errors.js'
import { FilterCache } from './filter/filter-cache.js'
import { QueueLocks } from './group/queue-locks.js'
import { locksOf, RegisteredMembers } from './group/registered-members.js'
import { ClientRegistry } from './group/registry.js'
import type { BrokerEvents, BrokerPorts, BrokerSurroundings } from './parts.js'
import { Periodic } from './periodic.js'
import { Backlog } from './sending/backlog.js'
import { Pipeline } from './sending/pipeline.js'
import { Sender, type SenderOptions } from './sending/sender.js'
import { loadSharding } from './sending/sharding.js'
import { processUniqueIds } from './sending/unique-id.js'

/** A broker that is open: what {@link Broker} forwards to. */
export type OpenBroker = Awaited<ReturnType<typeof assemble>>

/** Opens a broker with a store of its own. See {@link Broker.open}. */
export async function openBroker(directory: string, given: BrokerOptions = {}, ports: Partial<BrokerPorts> = {}) {
  const options = resolveBrokerOptions(given)
  const store = await MessageStore.open(directory, given.store, ports)
  try {
    return await assemble(surroundingsOf(store, options, ports), true)
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Opens a broker over a store. See {@link Broker.over}. */
export async function overStore(store: MessageStore, given: Omit<BrokerOptions, 'store'> = {}, ports: Partial<BrokerPorts> = {}) {
  return assemble(surroundingsOf(store, resolveBrokerOptions(given), ports), false)
}

function surroundingsOf(store: MessageStore, options: ResolvedBrokerOptions, given: Partial<BrokerPorts>): BrokerSurroundings {
  const events = new Emitter<BrokerEvents>({ sentBack: true, problem: true, closed: true })
  const surroundings: BrokerSurroundings = {
    store,
    options,
    ports: { disk: nodeDisk, clock: systemClock, timers: systemTimers, random: systemRandom, ...given },
    events,
    onProblem: (error, during) => events.emit('problem', { error, during }),
    isClosing: false,
    checkOpen() {
      if (surroundings.isClosing) throw new BrokerError('BROKER_CLOSED', 'the broker is closing or closed')
    },
  }
  return surroundings
}

async function assemble(base: BrokerSurroundings, ownsStore: boolean) {
  const tables = buildTables(base)
  const { topics, groups, offsets, ownOffsets } = tables
  for (const [topic, settings] of Object.entries(base.options.topics)) await topics.create(topic, settings)
  for (const [group, settings] of Object.entries(base.options.groups)) await groups.create(group, settings)
  const schedule = buildSchedule(base)
  const timer = buildTimer(base)
  const { maxDelayMs } = base.options
  const levels = base.store.delayLevelsMs.length
  const pipeline = new Pipeline(base.store, {
    rewrite: (message) => delayedMessage(message, { now: base.ports.clock.now(), maxDelayMs, levels }),
  })
  const sender = await buildSender(base, tables, pipeline)
  const clients = buildClients(base, tables)
  const consumers = buildConsumers(base, tables, pipeline, clients)
  const flushOffsets = async (): Promise<void> => {
    await offsets.flush()
    await ownOffsets.flush()
  }
  const periodic = [
    repeated(base, base.options.offsetIntervalMs, flushOffsets, 'writing offsets'),
    repeated(base, base.options.delayOffsetIntervalMs, () => schedule.flush(), 'writing delay offsets'),
    repeated(base, base.options.delayOffsetIntervalMs, () => timer.flush(), 'writing how far the timer is'),
  ]
  schedule.start()
  timer.start()
  const close = async (): Promise<void> => {
    base.isClosing = true
    try {
      await consumers.close()
      clients.registry.close()
      for (const one of periodic) await one.stop()
      await schedule.close()
      await timer.close()
      await flushOffsets()
    } finally {
      if (ownsStore) await base.store.close()
      base.events.emit('closed', undefined)
    }
  }
  let closing: Promise<void> | undefined
  const { store, events } = base
  const cancel = (receipt: TimedReceipt): Promise<boolean> => {
    base.checkOpen()
    return timer.cancel(receipt)
  }
  return { ...tables, ...clients, store, events, sender, consumers, pipeline, cancel, close: () => (closing ??= close()) }
}

/** What `config/*.json` holds. */
function buildTables({ store, options, ports }: BrokerSurroundings) {
  const { config, brokerName } = store
  const { clock } = ports
  const offsets = new ConsumerOffsets(config, clock)
  const ownOffsets = new ConsumerOffsets(config, clock, 'broadcastOffset')
  const maxOffsetOf = (topic: string, queueId: number): number => store.bounds(topic, queueId).maxOffset
  const clampedOffsets = [...offsets.clamp(maxOffsetOf), ...ownOffsets.clamp(maxOffsetOf)]
  const forget = async (which: { topic?: string; group?: string }): Promise<void> => {
    offsets.forget(which)
    await offsets.flush()
  }
  const topics = new Topics({
    config,
    clock,
    names: { brokerName, clusterName: options.clusterName },
    autoCreate: options.autoCreateTopics,
    defaultQueues: options.defaultQueues,
    deleteQueues: async (topic) => {
      await forget({ topic })
      await store.deleteTopic(topic)
    },
  })
  const groups = new Groups({
    config,
    clock,
    autoCreate: options.autoCreateGroups,
    forgetOffsets: (group) => forget({ group }),
  })
  return { topics, groups, offsets, ownOffsets, clampedOffsets }
}

type Tables = ReturnType<typeof buildTables>

function buildSchedule({ store, ports, onProblem }: BrokerSurroundings): Schedule {
  const { clock, timers } = ports
  return new Schedule({
    store,
    levelsMs: store.delayLevelsMs,
    config: store.config,
    clock,
    timers,
    onProblem: (error) => onProblem(error, 'delivering delayed messages'),
  })
}

function buildTimer({ store, ports, onProblem }: BrokerSurroundings): Timer {
  const { disk, clock, timers } = ports
  const { directory } = store
  const retentionMs = store.retentionHours * 3_600_000
  const tell = (error: unknown): void => onProblem(error, 'delivering messages for a time')
  return new Timer({ store, disk, directory, retentionMs, clock, timers, onProblem: tell })
}

async function buildSender(base: BrokerSurroundings, tables: Tables, pipeline: Pipeline): Promise<Sender> {
  const { store, ports, checkOpen } = base
  const { topics } = tables
  const { clock } = ports
  const ids = processUniqueIds(clock, store.storeHost)
  return new Sender({
    topics,
    pipeline,
    clock,
    delayLevels: store.delayLevelsMs.length,
    nextUniqueKey: () => ids.next(),
    shardOf: await loadSharding(),
    admit: admissionOf(base, tables),
    checkOpen,
  })
}

/** Who belongs to which group, and who holds which queue: of this process and of others. */
function buildClients({ ports }: BrokerSurroundings, { groups }: Tables) {
  const { clock, timers } = ports
  const notifies = (group: string): boolean => groups.find(group)?.notifiesMembers ?? true
  return { registry: new ClientRegistry({ clock, timers, notifies }), locks: new QueueLocks(clock) }
}

type Clients = ReturnType<typeof buildClients>

/** What lets messages in, or keeps them out. */
function admissionOf(
  { store, ports, options, checkOpen }: BrokerSurroundings,
  { topics, offsets }: Tables,
): SenderOptions['admit'] {
  if (options.backlog === undefined) return () => undefined
  const backlog = new Backlog({ store, topics, offsets, timers: ports.timers, ...options.backlog, checkOpen })
  return (topic, count) => backlog.admit(topic, count)
}

function buildConsumers(base: BrokerSurroundings, tables: Tables, pipeline: Pipeline, { registry, locks }: Clients): Consumers {
  const { store, ports, options, events } = base
  const { clock, timers, random } = ports
  const { topics, groups } = tables
  const ids = processUniqueIds(clock, store.storeHost)
  const { storeHost, brokerName } = store
  const host = storeHost.slice(0, storeHost.lastIndexOf(':'))
  return new Consumers({
    ...tables,
    store,
    filters: new FilterCache(),
    sendBack: new SendBack({
      topics,
      groups,
      pipeline,
      below: (bound) => Math.floor(random() * bound),
      onSentBack: ({ group, message, isDead }) =>
        events.emit('sentBack', { group, topic: message.topic, messageId: message.messageId, isDead }),
    }),
    members: new RegisteredMembers({ registry, clock, address: storeHost }),
    locks: locksOf(locks, brokerName),
    brokerName,
    inflate: (message) => inflatedBody(message, options.maxInflatedBytes),
    nextClientId: () => `${host}@${ids.next()}`,
    clock,
    timers,
    onProblem: base.onProblem,
    checkOpen: base.checkOpen,
  })
}

function repeated(
  { ports, onProblem }: BrokerSurroundings,
  everyMs: number,
  action: () => Promise<void>,
  during: string,
): Periodic {
  return new Periodic(ports.timers, everyMs, action, (error) => onProblem(error, during))
}
