/** Builds the parts of a broker, bottom-up: tables, the way into the store, delays, consumers. One function for each. */
import { Administration } from './administration/administration.js'
import { type InflateBody, loadInflater } from './compression/inflate.js'
import { makeConfigured } from './config/configured.js'
import { Groups } from './config/groups.js'
import { ConsumerOffsets } from './config/offsets.js'
import { RequestModes } from './config/request-modes.js'
import { Topics } from './config/topics.js'
import { Consumers } from './consuming/consumers.js'
import { SendBack } from './consuming/send-back.js'
import { Schedule } from './delay/schedule.js'
import { Timer } from './delay/timer.js'
import { delayedMessage } from './delay/timer-messages.js'
import { FilterCache } from './filter/filter-cache.js'
import { QueueLocks } from './group/queue-locks.js'
import { locksOf, RegisteredMembers } from './group/registered-members.js'
import { ClientRegistry } from './group/registry.js'
import { Handled } from './idempotence/handled.js'
import { SentKeys } from './idempotence/sent-keys.js'
import { publishMembers } from './numbers/channels.js'
import { Counters } from './numbers/counters.js'
import { BrokerMetrics } from './numbers/metrics.js'
import { Numbers } from './numbers/numbers.js'
import type { BrokerSurroundings } from './parts.js'
import { popRetriesOf } from './pop/handle.js'
import { Pop } from './pop/pop.js'
import type { PopParts } from './pop/pop-parts.js'
import { Backlog } from './sending/backlog.js'
import { Pipeline } from './sending/pipeline.js'
import { Sender, type SenderOptions } from './sending/sender.js'
import { loadSharding } from './sending/sharding.js'
import { processUniqueIds } from './sending/unique-id.js'
import type { ServedParts } from './serving/served.js'
import { putForPort } from './store-port.js'
import { SystemProperty } from './system-property.js'
import { type ProducingMember, TransactionProducer, type TransactionProducerOptions } from './transaction/transaction-producer.js'
import { Transactions } from './transaction/transactions.js'

/** Everything a broker is made of. */
export type BrokerParts = Awaited<ReturnType<typeof buildParts>>

/** Builds the parts; none of them does anything yet by itself. */
export async function buildParts(base: BrokerSurroundings) {
  const tables = buildTables(base)
  const { offsets, ownOffsets } = tables
  await makeConfigured(tables, base.options)
  const { schedule, timer, pipeline } = await buildDelays(base)
  const clients = buildClients(base, tables)
  const backlog = backlogOf(base, tables, clients)
  const sending = { shardOf: await loadSharding(), admit: backlog?.admit, pipeline }
  const sender = buildSender(base, tables, sending)
  const filters = new FilterCache()
  const inflate = await loadInflater(base.options.maxInflatedBytes, base.ports.loadDecoders)
  const sendBack = buildSendBack(base, tables, pipeline)
  const handled = new Handled({ ...tables, store: base.store, shardOf: sending.shardOf, clock: base.ports.clock })
  const members = membersOf(base, clients)
  const consumers = buildConsumers(base, tables, { ...members, locks: clients.locks, filters, inflate, sendBack, handled })
  const pop = buildPop(base, tables, {
    ...members,
    ...{ pipeline, filters, inflate, sendBack, isCaughtUp: () => timer.isCaughtUp },
    hasRemote: (group) => clients.registry.members(group).some(({ isLocal }) => !isLocal),
  })
  const transactions = await openTransactions(base, tables, pipeline, clients)
  const transactionProducer = producersOf(base, { ...clients, inflate, transactions, sender })
  const metrics = buildMetrics(base, tables, clients, pop)
  const administration = buildAdministration(base, tables, { ...sending, filters, inflate, consumers })
  // Whoever writes the offsets: a timer, a consumer that closes, an administrator.
  offsets.writeWithin((write) => pop.whileStill(write))
  const flushOffsets = async (): Promise<void> => {
    await offsets.flush()
    await ownOffsets.flush()
  }
  const delivering = { schedule, timer, pipeline, sendBack, handled, consumers, pop, transactions, transactionProducer }
  return { tables, clients, filters, backlog, sender, metrics, administration, flushOffsets, ...delivering }
}

/** What `config/*.json` holds. */
function buildTables({ store, options, ports, checkOpen }: BrokerSurroundings) {
  const { config, brokerName } = store
  const { clock } = ports
  const counters = new Counters()
  const offsets = new ConsumerOffsets(config, clock)
  const ownOffsets = new ConsumerOffsets(config, clock, 'broadcastOffset')
  const maxOffsetOf = (topic: string, queueId: number): number => store.bounds(topic, queueId).maxOffset
  const clampedOffsets = [...offsets.clamp(maxOffsetOf), ...ownOffsets.clamp(maxOffsetOf)]
  const forget = async (which: { topic?: string; group?: string }): Promise<void> => {
    counters.forget(which)
    offsets.forget(which)
    await offsets.flush()
  }
  const topics = new Topics({
    config,
    clock,
    names: { brokerName, clusterName: options.clusterName },
    autoCreate: options.autoCreateTopics,
    defaultQueues: options.defaultQueues,
    quotas: options.quotas,
    checkOpen,
    retriesOf: (topic) => popRetriesOf(topic, offsets.groupsOf(topic), topics.list()),
    deleteQueues: async (topic) => {
      ownOffsets.forget({ topic })
      await forget({ topic })
      await ownOffsets.flush()
      await store.deleteTopic(topic)
    },
  })
  const groups = new Groups({
    config,
    clock,
    autoCreate: options.autoCreateGroups,
    quotas: options.quotas,
    checkOpen,
    forgetOffsets: async (group) => {
      ownOffsets.forget({ group })
      await forget({ group })
      await ownOffsets.flush()
    },
  })
  const numbers = new Numbers(brokerName, counters)
  const requestModes = new RequestModes(config)
  return { topics, groups, offsets, ownOffsets, clampedOffsets, requestModes, counters, numbers }
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

/** Where messages wait that are not to be delivered at once, and the way of all messages there. */
async function buildDelays(base: BrokerSurroundings) {
  const { maxDelayMs } = base.options
  const { store, ports } = base
  const levels = store.delayLevelsMs.length
  const pipeline = new Pipeline(putForPort(store), {
    rewrite: (message) => delayedMessage(message, { now: ports.clock.now(), maxDelayMs, levels }),
  })
  return { schedule: buildSchedule(base), timer: await buildTimer(base), pipeline }
}

function buildTimer({ store, ports, onProblem }: BrokerSurroundings): Promise<Timer> {
  const { disk, clock, timers } = ports
  const { directory } = store
  const retentionMs = store.retentionHours * 3_600_000
  const tell = (error: unknown): void => onProblem(error, 'delivering messages for a time')
  return Timer.open({ store, disk, directory, retentionMs, clock, timers, onProblem: tell })
}

type Sending = Pick<SenderOptions, 'shardOf' | 'admit' | 'pipeline'>

function buildSender(base: BrokerSurroundings, tables: Tables, sending: Sending): Sender {
  const { store, ports, checkOpen } = base
  const { topics, numbers } = tables
  const { clock } = ports
  const ids = processUniqueIds(clock, store.storeHost)
  return new Sender({
    topics,
    clock,
    delayLevels: store.delayLevelsMs.length,
    compressOverBytes: base.options.compressOverBytes,
    nextUniqueKey: () => ids.next(),
    ...sending,
    sentKeys: new SentKeys({ store, brokerName: store.brokerName, clock, ...base.options.idempotence }),
    numbers,
    checkOpen,
  })
}

/** Who belongs to which group, and who holds which queue: of this process and of others. */
function buildClients({ store, ports }: BrokerSurroundings, { groups }: Tables) {
  const { clock, timers } = ports
  const notifies = (group: string): boolean => groups.find(group)?.notifiesMembers ?? true
  const registry = new ClientRegistry<ProducingMember>({ clock, timers, notifies })
  publishMembers(store.brokerName, registry)
  groups.keepWhile((group) => registry.members(group).some(({ isLocal }) => isLocal))
  return { registry, locks: new QueueLocks(clock) }
}

type Clients = ReturnType<typeof buildClients>

/** Where consumers of this process are members of their groups, and what they are called there. */
function membersOf({ store, ports }: BrokerSurroundings, { registry }: Clients) {
  const { storeHost } = store
  const ids = processUniqueIds(ports.clock, storeHost)
  const host = storeHost.slice(0, storeHost.lastIndexOf(':'))
  const members = new RegisteredMembers({ registry, clock: ports.clock, address: storeHost })
  return { members, nextClientId: () => `${host}@${ids.next()}` }
}

function openTransactions(base: BrokerSurroundings, tables: Tables, pipeline: Pipeline, { registry }: Clients) {
  const { store, options, ports } = base
  return Transactions.open({
    ...tables,
    store,
    pipeline,
    clock: ports.clock,
    timers: ports.timers,
    options: options.transactions,
    retentionMs: Math.max(1, store.retentionHours) * 3_600_000,
    nextAsker: (group) => registry.nextProducer(group),
    onProblem: (error) => base.onProblem(error, 'asking about transactions'),
    checkOpen: base.checkOpen,
  })
}

/** Makes producers of transactions. */
function producersOf(
  base: BrokerSurroundings,
  parts: { inflate: InflateBody; transactions: Transactions; sender: Sender; registry: Clients['registry'] },
) {
  const { store, ports } = base
  const { clock } = ports
  const { storeHost } = store
  const ids = processUniqueIds(clock, storeHost)
  const brokerClosed = new Promise<void>((resolve) => base.events.on('closed', () => resolve()))
  return (given: TransactionProducerOptions): TransactionProducer => {
    base.checkOpen()
    return new TransactionProducer(
      {
        ...parts,
        clientId: `${storeHost.slice(0, storeHost.lastIndexOf(':'))}@${ids.next()}`,
        address: storeHost,
        timers: ports.timers,
        brokerClosed,
        onProblem: (error) => base.onProblem(error, 'asking a producer about a transaction'),
      },
      given,
    )
  }
}

function buildMetrics(
  { store, ports, checkOpen }: BrokerSurroundings,
  tables: Tables,
  { registry }: Clients,
  pop: Pop,
): BrokerMetrics {
  return new BrokerMetrics({ ...tables, store, registry, pop, clock: ports.clock, timers: ports.timers, checkOpen })
}

/** What lets messages in, or keeps them out, if there is a bound. */
function backlogOf(base: BrokerSurroundings, { topics, offsets, counters }: Tables, { registry }: Clients): Backlog | undefined {
  const { store, ports, options, checkOpen } = base
  if (options.backlog === undefined) return undefined
  return new Backlog({ store, topics, offsets, registry, counters, timers: ports.timers, ...options.backlog, checkOpen })
}

function buildAdministration(
  { store, checkOpen }: BrokerSurroundings,
  tables: Tables,
  others: Sending & { readonly filters: FilterCache; readonly inflate: InflateBody; readonly consumers: Consumers },
): Administration {
  const { brokerName } = store
  return new Administration({ ...tables, ...others, store, brokerName, checkOpen })
}

function buildSendBack({ ports, events }: BrokerSurroundings, { topics, groups, numbers }: Tables, pipeline: Pipeline): SendBack {
  return new SendBack({
    topics,
    groups,
    pipeline,
    below: (bound) => Math.floor(ports.random() * bound),
    onSentBack: ({ group, message, isDead }) => {
      numbers.sentBack(group, message, isDead)
      const { topic, messageId, uniqueKey, properties } = message
      const originTopic = properties[SystemProperty.retryTopic] ?? topic
      events.emit('sentBack', { group, topic, messageId, originTopic, uniqueKey, isDead })
    },
  })
}

type ConsumingParts = Pick<ServedParts, 'filters' | 'sendBack' | 'locks'> &
  ReturnType<typeof membersOf> & { readonly inflate: InflateBody; readonly handled: Handled }

function buildConsumers(base: BrokerSurroundings, tables: Tables, { locks, ...parts }: ConsumingParts): Consumers {
  const { store, ports } = base
  const { clock, timers } = ports
  const { brokerName } = store
  return new Consumers({
    ...tables,
    ...parts,
    store,
    delayLevels: store.delayLevelsMs.length,
    locks: locksOf(locks, brokerName),
    brokerName,
    clock,
    timers,
    onProblem: base.onProblem,
    checkOpen: base.checkOpen,
  })
}

type PopBrokerParts = Pick<ServedParts, 'pipeline' | 'filters' | 'sendBack'> &
  Pick<PopParts, 'inflate' | 'isCaughtUp' | 'members' | 'nextClientId' | 'hasRemote'>

function buildPop(base: BrokerSurroundings, tables: Tables, parts: PopBrokerParts): Pop {
  const { store, ports, options } = base
  return new Pop({
    ...tables,
    ...parts,
    ...ports,
    store,
    config: store.config,
    brokerName: store.brokerName,
    clusterName: options.clusterName,
    onProblem: base.onProblem,
    checkOpen: base.checkOpen,
  })
}
