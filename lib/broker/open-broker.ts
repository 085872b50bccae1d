/** Opens a broker: the parts, then what they do in the background; and takes it down in the opposite order. */

import { checkDirectory, checkObject } from '../base/arguments.js'
import { MessageStoreError, shown } from '../base/errors.js'
import { Emitter } from '../base/signals.js'
import { systemClock, systemRandom, systemTimers } from '../base/system.js'
import type { Disk } from '../disk/disk.js'
import { nodeDisk } from '../disk/node-disk.js'
import { layoutOf } from '../store/layout.js'
import { MessageStore } from '../store/message-store.js'
import { resolveOptions } from '../store/options.js'
import { type BrokerOptions, type ResolvedBrokerOptions, resolveBrokerOptions } from './broker-options.js'
import { type BrokerParts, buildParts } from './build-parts.js'
import { tryConfigured } from './config/configured.js'
import { type NeededParts, neededFrom } from './delay/needed-from.js'
import type { TimedReceipt } from './delay/timer.js'
import { BrokerError } from './errors.js'
import { SAMPLE_EVERY_MS } from './numbers/meter.js'
import { type BrokerEvents, type BrokerPorts, type BrokerSurroundings, brokerEvents } from './parts.js'
import { Periodic } from './periodic.js'
import type { ServedParts } from './serving/served.js'

/** A broker that is open: what {@link Broker} forwards to. */
export type OpenBroker = Awaited<ReturnType<typeof assemble>>

/** Opens a broker with a store of its own. See {@link Broker.open}. */
export async function openBroker(directory: string, given: BrokerOptions = {}, ports: Partial<BrokerPorts> = {}) {
  checkDirectory(directory)
  checkObject('ports', ports)
  const options = resolveBrokerOptions(given)
  const { clock = systemClock, disk = nodeDisk } = ports
  const { clusterName } = options
  const names = { brokerName: resolveOptions(given.store).message.brokerName, clusterName }
  // Before the store makes its directory.
  await tryConfigured(options, { names, clock, isNew: !isThere(disk, layoutOf(directory).config) })
  const store = await MessageStore.open(directory, given.store, ports)
  try {
    return await assemble(surroundingsOf(store, options, ports), true)
  } catch (error) {
    await store.close()
    throw error
  }
}

/** What cannot be looked at is for the store to tell of. */
function isThere(disk: Disk, path: string): boolean {
  try {
    return disk.stat(path) !== undefined
  } catch {
    return true
  }
}

/** Opens a broker over a store. See {@link Broker.over}. */
export async function overStore(store: MessageStore, given: Omit<BrokerOptions, 'store'> = {}, ports: Partial<BrokerPorts> = {}) {
  if (!(store instanceof MessageStore)) throw new TypeError(`store must be a MessageStore, got ${shown(store)}`)
  checkObject('ports', ports)
  const options = resolveBrokerOptions(given)
  const names = { brokerName: store.brokerName, clusterName: options.clusterName }
  await tryConfigured(options, { names, clock: ports.clock ?? systemClock, isNew: false })
  return assemble(surroundingsOf(store, options, ports), false)
}

function surroundingsOf(store: MessageStore, options: ResolvedBrokerOptions, given: Partial<BrokerPorts>): BrokerSurroundings {
  const events = new Emitter<BrokerEvents>(brokerEvents)
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

/** Stores with a broker over them: two would write the same files, each without what the other one knows. */
const taken = new WeakSet<MessageStore>()

async function assemble(base: BrokerSurroundings, ownsStore: boolean) {
  const { store, events } = base
  if (taken.has(store)) throw new MessageStoreError('STORE_LOCKED', 'another broker is open over this store')
  const spares: string[] = []
  // The files are read while the parts are built; a store that outlives the broker keeps nothing of it.
  const hearNoMore = store.on('spareCopy', ({ path, why }) =>
    spares.push(`${path} cannot be read, its spare copy was taken: ${why}`),
  )
  let needs: NeededParts | undefined
  // Until it is known what is needed, everything is.
  const keepNoMore = store.keepFrom(async () => (needs === undefined ? 0 : neededFrom(needs)))
  taken.add(store)
  const letGo = (): void => {
    keepNoMore()
    taken.delete(store)
  }
  const parts = await buildParts(base)
    .catch((error: unknown) => {
      letGo()
      throw error
    })
    .finally(hearNoMore)
  needs = { ...parts, store }
  // Nobody can listen before the broker is there.
  base.ports.timers.endOfTurn(() => {
    for (const spare of spares) base.onProblem(new Error(spare), 'reading the configuration')
  })
  const { administration, consumers, metrics, pop, sender, tables, timer, transactionProducer } = parts
  const periodic = startBackground(base, parts)
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    base.isClosing = true
    await takeDown(parts, periodic, ownsStore ? store : undefined).finally(letGo)
    events.emit('closed', undefined)
  }
  const cancel = (receipt: TimedReceipt): Promise<boolean> => {
    base.checkOpen()
    return timer.cancel(receipt)
  }
  const { clients, filters, pipeline, sendBack, transactions, backlog } = parts
  const offered = { pipeline, sendBack, filters, transactions, pop, metrics, backlog }
  const served: ServedParts = { ...tables, ...clients, ...offered, base, store }
  const doors = { store, events, sender, consumers, pop, served, metrics, administration, transactionProducer, cancel }
  return { ...tables, ...doors, close: () => (closing ??= close()) }
}

/** What goes on without anybody asking. */
function startBackground(base: BrokerSurroundings, parts: BrokerParts): Periodic[] {
  const { flushOffsets, metrics, pop, schedule, timer } = parts
  const { offsetIntervalMs, delayOffsetIntervalMs } = base.options
  schedule.start()
  timer.start()
  pop.start()
  return [
    repeated(base, offsetIntervalMs, flushOffsets, 'writing offsets'),
    repeated(base, SAMPLE_EVERY_MS, async () => metrics.sample(), 'taking numbers'),
    repeated(base, delayOffsetIntervalMs, () => schedule.flush(), 'writing delay offsets'),
    repeated(base, delayOffsetIntervalMs, () => timer.flush(), 'writing how far the timer is'),
  ]
}

/** Closes everything in order, whatever fails on the way. @throws what failed first */
async function takeDown(parts: BrokerParts, periodic: readonly Periodic[], store: MessageStore | undefined): Promise<void> {
  const { clients, consumers, flushOffsets, handled, pop, schedule, timer, transactions } = parts
  const steps: (() => Promise<void> | void)[] = [
    () => consumers.close(),
    () => handled.idle(),
    () => pop.close(),
    () => transactions.close(),
    () => clients.registry.close(),
    ...periodic.map((one) => () => one.stop()),
    flushOffsets,
    () => schedule.close(),
    () => timer.close(),
    () => store?.close(),
  ]
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

function repeated(
  { ports, onProblem }: BrokerSurroundings,
  everyMs: number,
  action: () => Promise<void>,
  during: string,
): Periodic {
  return new Periodic(ports.timers, everyMs, action, (error) => onProblem(error, during))
}
