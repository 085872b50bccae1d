/**
 * Pop consumption when the process dies, or the power goes, before any one operation of the disk: what was not
 * acknowledged comes again, and after a clean close nothing that was acknowledged does.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Broker } from '../../lib/broker/broker.js'
import type { BrokerOptions } from '../../lib/broker/broker-options.js'
import type { PopDelivery } from '../../lib/broker/pop/pop-delivery.js'
import type { Disk } from '../../lib/disk/disk.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { ManualTime } from '../support/manual-time.js'
import { small } from '../support/open-broker.js'
import { root } from '../support/open-store.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { seedOf, sized } from '../support/tier.js'

/** Offsets are written at once, the log late: what must not depend on luck gets none. */
const options: BrokerOptions = {
  topics: { orders: { queues: 2 } },
  offsetIntervalMs: 50,
  store: { ...small, flushIntervalMs: 1500 },
}
const invisibleMs = 4000
/** At the small size, every so many moments are looked at. */
const EVERY = 9

/** What a program knows. */
interface Known {
  /** Messages whose put was acknowledged. */
  readonly sent: Set<string>
  /** Messages that somebody began to acknowledge. */
  readonly acking: Set<string>
}

/** A moment at which a process may die. */
interface Moment extends Known {
  readonly what: string
  readonly disk: Disk
  readonly now: number
}

test('whenever the process dies, what was not acknowledged comes again, and nothing else after a clean close', async (t) => {
  const moments = await momentsOf((disk) => new MemoryDisk({ tree: disk.live.snapshot().tree }))
  assert.ok(moments.length > 100, `${moments.length} moments`)
  t.diagnostic(`${moments.length} moments`)
  const every = sized(EVERY, 1)
  for (const [i, moment] of moments.entries()) if (i % every === 0) await lookAfter(moment, moment.sent)
})

test('whenever the power goes, what is left of the queue and was not acknowledged comes again', async () => {
  const seed = seedOf(20_24)
  const random = new Random(seed)
  const moments = await momentsOf((disk) => new MemoryDisk({ tree: disk.crash({ random }).live.snapshot().tree }))
  const every = sized(EVERY, 1)
  for (const [i, moment] of moments.entries()) if (i % every === 0) await lookAfter(moment, undefined, `seed ${seed}`)
})

/** Runs the story once, taking the disk before each of its operations. */
async function momentsOf(takeDisk: (disk: SimDisk) => Disk): Promise<Moment[]> {
  const time = new ManualTime()
  const disk = new SimDisk({ clock: time })
  const known: Known = { sent: new Set(), acking: new Set() }
  const moments: Moment[] = []
  const broker = await Broker.open(root, options, { disk, clock: time, timers: time, random: () => 0.5 })
  disk.onOperation = (kind, path, index) => {
    const what = `${index} ${kind} ${path}`
    moments.push({ what, disk: takeDisk(disk), now: time.now(), sent: new Set(known.sent), acking: new Set(known.acking) })
  }
  await story(broker, time, known)
  await broker.close()
  disk.onOperation = undefined
  return moments
}

async function story(broker: Broker, time: ManualTime, known: Known): Promise<void> {
  const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs })
  const send = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) {
      await broker.send({ topic: 'orders', body: `${i}`, queueId: i % 2 })
      known.sent.add(`${i}`)
    }
  }
  const ack = async (delivery: PopDelivery | undefined): Promise<void> => {
    if (delivery === undefined) return
    known.acking.add(delivery.message.body.toString())
    await delivery.ack()
  }
  /** Pops while time passes, and offsets are written. */
  const pop = async (maxMessages = 32): Promise<PopDelivery[]> => {
    const popping = popper.pop({ maxMessages })
    await pass(time, 500)
    return popping
  }
  await send(0, 8)
  await pass(time, 2000)
  const first = await pop(6)
  await ack(first[1])
  await ack(first[4])
  await first[0]!.extend(9000)
  await pass(time, 1000)
  await first[2]!.retry({ delayMs: 500 })
  await send(8, 12)
  await pass(time, 1750)
  const second = await pop()
  for (const delivery of second.slice(0, 3)) await ack(delivery)
  await pass(time, 2750)
  const again = await pop()
  for (const delivery of again.slice(0, 2)) await ack(delivery)
  await pass(time, 2000)
  await ack(first[0])
  await pass(time, 4000)
  await ack((await pop(1))[0])
}

/** Opens what a crash left, takes and acknowledges all there is, closes cleanly, and looks once more. */
async function lookAfter(moment: Moment, sent: ReadonlySet<string> | undefined, replay = ''): Promise<void> {
  const { disk, what, acking } = moment
  const time = new ManualTime(moment.now + 1)
  const problems: string[] = []
  const { broker, expected } = await reopened(disk, time, sent)
  broker.on('problem', ({ error, during }) => problems.push(`${during}: ${String(error)}`))
  const popper = broker.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs, startAt: 'first' })
  const got = new Set<string>()
  for (let passed = 0; passed < 20_000; passed += 1000) {
    for (const delivery of await popper.pop()) {
      got.add(delivery.message.body.toString())
      await delivery.ack()
    }
    await pass(time, 1000)
  }
  const lost = [...expected].filter((body) => !acking.has(body) && !got.has(body))
  assert.deepEqual(lost, [], `lost when it died before operation ${what} ${replay}`)
  assert.deepEqual(problems, [], what)
  await broker.close()
  const { broker: next } = await reopened(disk, time, sent)
  const late = next.popConsumer({ group: 'g', subscribe: { orders: '*' }, invisibleMs })
  await pass(time, 12_000)
  assert.deepEqual(bodiesOf(await late.pop()), [], `came after a clean close, first died before operation ${what} ${replay}`)
  await next.close()
}

/** A broker on what is there, and the messages that it must still have: those that were sent, or are in the queues. */
async function reopened(
  disk: Disk,
  time: ManualTime,
  sent: ReadonlySet<string> | undefined,
): Promise<{ broker: Broker; expected: ReadonlySet<string> }> {
  const broker = await Broker.open(root, options, { disk, clock: time, timers: time, random: () => 0.5 })
  if (sent !== undefined) return { broker, expected: sent }
  const expected = new Set<string>()
  for (const queueId of [0, 1]) {
    const { messages } = await broker.store.get({ topic: 'orders', queueId, offset: 0, maxMessages: 100 })
    for (const { body } of messages) expected.add(body.toString())
  }
  return { broker, expected }
}

function bodiesOf(deliveries: readonly PopDelivery[]): string[] {
  return deliveries.map(({ message }) => message.body.toString())
}

async function pass(time: ManualTime, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    time.advance(250)
    for (let i = 0; i < 10; i++) await turn()
  }
}
