/** Opens brokers from which tests pop, and what such tests say again and again. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Broker } from '../../lib/broker/broker.js'
import type { PopConsumer } from '../../lib/broker/pop/pop-consumer.js'
import type { PopDelivery } from '../../lib/broker/pop/pop-delivery.js'
import type { Disk } from '../../lib/disk/disk.js'
import { ManualTime } from './manual-time.js'
import { openTestBroker } from './open-broker.js'
import { freshDisk } from './open-store.js'

const topics = { orders: { queues: 1 } }
/** How long messages stay hidden. */
export const invisibleMs = 10_000

/** A broker with one queue and a consumer that pops from it, on a clock that the test moves. */
export async function openPopper(
  t: Parameters<typeof openTestBroker>[0],
  { time = new ManualTime(), disk }: { time?: ManualTime; disk?: Disk } = {},
): Promise<{ broker: Broker; popper: PopConsumer; time: ManualTime; disk: Disk }> {
  const used = disk ?? freshDisk()
  const broker = await openTestBroker(t, { disk: used, options: { topics }, ports: { clock: time, timers: time } })
  const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs })
  return { broker, popper, time, disk: used }
}

/** Sends messages whose bodies are numbers from 0 on. */
export async function sendAll(broker: Broker, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await broker.send({ topic: 'orders', body: `${i}` })
}

/** Bodies as text. */
export function bodiesOf(deliveries: readonly PopDelivery[]): string[] {
  return deliveries.map(({ message }) => message.body.toString())
}

/** Texts in the order of their numbers. */
export function sorted(texts: readonly string[]): string[] {
  return [...texts].sort((a, b) => Number(a) - Number(b))
}

/** The first numbers as texts. */
export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`)
}

/** Lets time pass in small steps, and what is ready run. */
export async function pass(time: ManualTime, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    time.advance(Math.min(500, ms - passed))
    await turns()
  }
}

/** Lets everything that is ready run. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}
