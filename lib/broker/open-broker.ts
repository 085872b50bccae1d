/** Opens a broker: tables, then sending, then delays, then consumers; and takes it down in the opposite order. */
import { Emitter } from '../base/signals.js'
import { systemClock, systemRandom, systemTimers } from '../base/system.js'
import { nodeDisk } from '../disk/node-disk.js'
import { MessageStore } from '../store/message-store.js'
import { type BrokerOptions, resolveBrokerOptions, type ResolvedBrokerOptions } from './broker-options.js'
import { Groups } from './config/groups.js'
import { ConsumerOffsets } from './config/offsets.js'
import { Topics } from './config/topics.js'
import { Consumers } from './consuming/consumers.js'
import { SendBack } from './consuming/send-back.js'
import { delayLevelOf, Schedule, waitingMessage } from './delay/schedule.js'
import { BrokerError } from './errors.js'
import { FilterCache } from './filter/filter-cache.js'
import { LocalMembers } from './group/local-members.js'
import { type BrokerEvents, type BrokerPorts, brokerEvents } from './parts.js'
import { Periodic } from './periodic.js'
import { Pipeline } from './sending/pipeline.js'
import { Sender } from './sending/sender.js'

/** A broker that is open: what {@link Broker} forwards to. */
export type OpenBroker = Awaited<ReturnType<typeof assemble>>

/** Opens a broker with a store of its own. See {@link Broker.open}. */
export async function openBroker(directory: string, given: BrokerOptions = {}, givenPorts: Partial<BrokerPorts> = {}) {
  const options = resolveBrokerOptions(given)
  const store = await MessageStore.open(directory, given.store, givenPorts)
  try {
    return await assemble(store, options, givenPorts, true)
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Opens a broker over a store. See {@link Broker.over}. */
export async function overStore(
  store: MessageStore,
  given: Omit<BrokerOptions, 'store'> = {},
  givenPorts: Partial<BrokerPorts> = {},
) {
  return assemble(store, resolveBrokerOptions(given), givenPorts, false)
}

async function assemble(
  store: MessageStore,
  options: ResolvedBrokerOptions,
  givenPorts: Partial<BrokerPorts>,
  ownsStore: boolean,
) {
  const ports: BrokerPorts = { disk: nodeDisk, clock: systemClock, timers: systemTimers, random: systemRandom, ...givenPorts }
  const { clock, timers } = ports
  const events = new Emitter<BrokerEvents>(brokerEvents)
  const onProblem = (error: unknown, during: string): void => events.emit('problem', { error, during })
  let isClosing = false
  const checkOpen = (): void => {
    if (isClosing) throw new BrokerError('BROKER_CLOSED', 'the broker is closing or closed')
  }
  const { config, brokerName } = store
  const offsets = new ConsumerOffsets(config, clock)
  const ownOffsets = new ConsumerOffsets(config, clock, 'broadcastOffset')
  const clampedOffsets = [offsets, ownOffsets].flatMap((table) =>
    table.clamp((topic, queueId) => store.bounds(topic, queueId).maxOffset),
  )
  const topics = new Topics({
    config,
    clock,
    names: { brokerName, clusterName: options.clusterName },
    autoCreate: options.autoCreateTopics,
    defaultQueues: options.defaultQueues,
    deleteQueues: async (topic) => {
      offsets.forget({ topic })
      await offsets.flush()
      await store.deleteTopic(topic)
    },
  })
  const groups = new Groups({
    config,
    clock,
    autoCreate: options.autoCreateGroups,
    forgetOffsets: (group) => {
      offsets.forget({ group })
      return offsets.flush()
    },
  })
  for (const [topic, settings] of Object.entries(options.topics)) await topics.create(topic, settings)
  for (const [group, settings] of Object.entries(options.groups)) await groups.create(group, settings)
  const pipeline = new Pipeline(store, {
    rewrite: (message) => {
      const level = delayLevelOf(message.properties ?? {})
      return level === 0 ? message : waitingMessage(message, level)
    },
  })
  const schedule = new Schedule({ store, config, clock, timers, onProblem: (error) => onProblem(error, 'delivering delayed messages') })
  const sender = buildSender()
  const members = new LocalMembers()
  const sendBack = new SendBack({
    topics,
    groups,
    pipeline,
    below: (bound) => Math.floor(ports.random() * bound),
    onSentBack: ({ group, message, isDead }) =>
      events.emit('sentBack', { group, topic: message.topic, messageId: message.messageId, isDead }),
  })
  const consumers = new Consumers({
    store,
    topics,
    groups,
    offsets,
    ownOffsets,
    filters: new FilterCache(),
    sendBack,
    members,
    locks: { lock: () => true, unlock: () => {} },
    brokerName,
    inflate: () => {
      throw new Error('compressed')
    },
    nextClientId: () => `mqlite@${Math.floor(ports.random() * 1e9)}`,
    clock,
    timers,
    onProblem,
    checkOpen,
  })
  const periodic = [
    new Periodic(timers, options.offsetIntervalMs, () => flushOffsets(), (error) => onProblem(error, 'writing offsets')),
    new Periodic(timers, options.delayOffsetIntervalMs, () => schedule.flush(), (error) => onProblem(error, 'writing delay offsets')),
  ]
  schedule.start()
  let closing: Promise<void> | undefined
  return { store, events, topics, groups, offsets, clampedOffsets, sender, consumers, pipeline, close: () => (closing ??= close()) }

  function buildSender(): Sender {
    return new Sender({
      topics,
      pipeline,
      clock,
      nextUniqueKey: () => 'x',
      shardOf: () => 0,
      admit: () => undefined,
      checkOpen,
    })
  }

  async function flushOffsets(): Promise<void> {
    await offsets.flush()
    await ownOffsets.flush()
  }

  async function close(): Promise<void> {
    isClosing = true
    try {
      await consumers.close()
      for (const one of periodic) await one.stop()
      await schedule.close()
      await flushOffsets()
    } finally {
      if (ownsStore) await store.close()
      events.emit('closed', undefined)
    }
  }
}
