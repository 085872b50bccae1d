/** For tests of delayed messages: time that the test moves, and what has come into a topic. */
import assert from 'node:assert/strict'
import { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'
import type { Disk } from '../../lib/disk/disk.js'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { ManualTime, settled } from './manual-time.js'
import { small } from './open-broker.js'
import { bodies, freshDisk, readQueue, root } from './open-store.js'

/** A broker on a disk, both of which outlive each other. */
export interface Site<OfDisk extends Disk = MemoryDisk> {
  readonly time: ManualTime
  readonly disk: OfDisk
  broker: Broker
  /** What the broker told of. */
  readonly problems: unknown[]
}

/** Where everything goes. */
export const topics = { t: { queues: 1 } }

/** Opens a broker on a disk with a clock that the test moves. */
export function openSite(options?: BrokerOptions, place?: { disk?: MemoryDisk; time?: ManualTime }): Promise<Site>
export function openSite<OfDisk extends Disk>(
  options: BrokerOptions,
  place: { disk: OfDisk; time?: ManualTime },
): Promise<Site<OfDisk>>
export async function openSite(
  options: BrokerOptions = {},
  { disk = freshDisk(), time = new ManualTime() }: { disk?: Disk; time?: ManualTime } = {},
): Promise<Site<Disk>> {
  const site = { time, disk, problems: [] as unknown[] }
  const store = { ...small, ...options.store }
  const broker = await Broker.open(root, { topics, ...options, store }, { disk, clock: time, timers: time })
  broker.on('problem', ({ error }) => site.problems.push(error))
  return { ...site, broker }
}

/** Lets time pass second by second, and in each happen what can. */
export async function pass(time: ManualTime, ms: number, stepMs = 1000): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    time.advance(Math.min(stepMs, left))
    await settled(25)
  }
}

/** Waits, by turns of the event loop, until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 20_000 && !holds(); i++) await settled(1)
  assert.ok(holds(), 'it never came true')
}

/** The bodies that have come into a topic. */
export async function arrived({ broker }: Pick<Site<Disk>, 'broker'>, topic = 't'): Promise<string[]> {
  return bodies(await readQueue(broker.store, topic, 0, 500))
}
