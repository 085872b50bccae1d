/**
 * A broker, and what should be true of it whatever happens: random sends, deliveries, acknowledgements, retries, members
 * that come and go, closes, kills and power cuts, against a few sets in memory.
 *
 * 1. What was sent is delivered until it is acknowledged, or it is a dead letter: nothing is lost.
 * 2. What was acknowledged before a clean close is not delivered again.
 * 3. What was not sent is not delivered.
 * 4. An ordered consumer never passes over a message of its queue that is not acknowledged.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Broker } from '../../lib/broker/broker.js'
import type { Consumer } from '../../lib/broker/consuming/consumer.js'
import type { Delivery } from '../../lib/broker/consuming/delivery.js'
import { ManualTime, settled } from './manual-time.js'
import { small } from './open-broker.js'
import { root } from './open-store.js'
import { SimDisk } from './sim-disk.js'

const GROUP = 'g'
/** Longer than the longest delay of a retry: two hours. */
const LONG_MS = 2 * 3600 * 1000 + 60_000

/** What should be true, whatever happens. */
class Model {
  next = 0
  readonly sent = new Set<string>()
  readonly acked = new Set<string>()
  /** Acknowledged since the broker was opened: what a crash may make come again. */
  readonly ackedNow = new Set<string>()
  /** Acknowledged, and a clean close since. */
  readonly settled = new Set<string>()
  /** Of an ordered group: for each queue, the highest offset acknowledged. */
  readonly reached = new Map<number, number>()
}

interface Member {
  readonly consumer: Consumer
  next: Promise<Delivery | undefined> | undefined
  readonly out: Delivery[]
}

/** The real thing: a broker on a simulated disk, and the members of one group. */
class Real {
  disk = new SimDisk()
  readonly time = new ManualTime()
  readonly isOrdered: boolean
  readonly problems: unknown[] = []
  members: Member[] = []
  #broker: Broker | undefined

  constructor(isOrdered: boolean) {
    this.isOrdered = isOrdered
  }

  get broker(): Broker {
    return this.#broker!
  }

  async open(): Promise<void> {
    const options = { topics: { t: { queues: 2 } }, store: { ...small, flush: 'sync' as const } }
    const ports = { disk: this.disk, clock: this.time, timers: this.time }
    const broker = await Broker.open(root, options, ports)
    this.#broker = broker
    // One that a crash took has its problems, and they are nobody's.
    broker.on('problem', ({ error }) => {
      if (this.#broker === broker) this.problems.push(error)
    })
    this.members = []
  }

  join(): void {
    const consumer = this.broker.consumer({ group: GROUP, subscribe: { t: '*' }, ordered: this.isOrdered, suspendMs: 10 })
    this.members.push({ consumer, next: undefined, out: [] })
  }
}

/** What a member gets now, without waiting for more. */
async function take(model: Model, real: Real, member: Member, most: number): Promise<void> {
  for (let taken = 0; taken < most; taken++) {
    member.next ??= member.consumer.next()
    let delivery: Delivery | undefined
    void member.next.then((found) => (delivery = found))
    await settled(8)
    if (delivery === undefined) return
    member.next = undefined
    checkDelivery(model, real, delivery)
    member.out.push(delivery)
  }
}

function checkDelivery(model: Model, { isOrdered }: Real, { message }: Delivery): void {
  const id = message.body.toString()
  assert.ok(model.sent.has(id), `${id} was never sent`)
  assert.ok(!model.settled.has(id), `${id} was acknowledged before a clean close`)
  assert.equal(message.topic, 't')
  if (!isOrdered) return
  const reached = model.reached.get(message.queueId) ?? -1
  assert.ok(message.queueOffset <= reached + 1, `${message.queueOffset} of queue ${message.queueId} comes after ${reached}`)
}

async function settle(model: Model, member: Member, which: number, isHandled: boolean): Promise<void> {
  const [delivery] = member.out.splice(which % member.out.length, 1)
  const { message } = delivery!
  try {
    await (isHandled ? delivery!.ack() : delivery!.retry())
  } catch (error) {
    // It was taken away: the queue went to another member, or the time of the delivery was over.
    assert.equal((error as { code?: string }).code, 'DELIVERY_SETTLED')
    return
  }
  if (!isHandled) return
  model.acked.add(message.body.toString())
  model.ackedNow.add(message.body.toString())
  model.reached.set(message.queueId, Math.max(message.queueOffset, model.reached.get(message.queueId) ?? -1))
}

type Step = fc.AsyncCommand<Model, Real>

/** A command that can be told in a few words. */
function step(name: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return { check: () => true, run, toString: () => name }
}

function memberAt({ members }: Real, which: number): Member | undefined {
  return members[which % Math.max(1, members.length)]
}

const send = (count: number, queueId: number): Step =>
  step(`send ${count} to ${queueId}`, async (model, real) => {
    for (let i = 0; i < count; i++) {
      const id = `${model.next++}`
      await real.broker.send({ topic: 't', body: id, queueId })
      model.sent.add(id)
    }
  })

const join = (): Step =>
  step('join', async (_model, real) => {
    if (real.members.length < 3) real.join()
    await settled(5)
  })

const leave = (which: number): Step =>
  step(`leave ${which}`, async (_model, real) => {
    const member = memberAt(real, which)
    if (member === undefined) return
    real.members = real.members.filter((other) => other !== member)
    await member.consumer.close()
  })

const receive = (which: number, most: number): Step =>
  step(`take ${most} as ${which}`, async (model, real) => {
    const member = memberAt(real, which)
    if (member !== undefined) await take(model, real, member, most)
  })

const answer = (which: number, delivery: number, isHandled: boolean): Step =>
  step(`${isHandled ? 'ack' : 'retry'} ${delivery} of ${which}`, async (model, real) => {
    const member = memberAt(real, which)
    if (member !== undefined && member.out.length > 0) await settle(model, member, delivery, isHandled)
  })

const pass = (ms: number): Step =>
  step(`pass ${ms} ms`, async (_model, real) => {
    real.time.advance(ms)
    await settled(10)
  })

const reopen = (): Step =>
  step('close and open', async (model, real) => {
    await real.broker.close()
    for (const id of model.ackedNow) model.settled.add(id)
    model.ackedNow.clear()
    await real.open()
  })

const crash = (kind: 'kill' | 'power', choices: readonly number[]): Step =>
  step(kind, async (model, real) => {
    model.ackedNow.clear()
    let next = 0
    const choose = (count: number): number => choices[next++ % choices.length]! % count
    real.disk = kind === 'kill' ? real.disk.kill() : real.disk.crash({ choose: { choose } })
    await real.open()
  })

/** Everything that was sent comes, or came and was acknowledged, or is a dead letter. */
async function drain(model: Model, real: Real): Promise<void> {
  for (const { consumer } of real.members) await consumer.close()
  const found = new Set([...model.acked])
  const consumer = real.broker.consumer({ group: GROUP, subscribe: { t: '*' }, ordered: real.isOrdered })
  const member: Member = { consumer, next: undefined, out: [] }
  for (let quiet = 0; quiet < 3; ) {
    await take(model, real, member, 1000)
    quiet = member.out.length === 0 ? quiet + 1 : 0
    while (member.out.length > 0) {
      found.add(member.out[0]!.message.body.toString())
      await settle(model, member, 0, true)
    }
    if (real.isOrdered) await take(model, real, member, 1)
    if (member.out.length > 0) quiet = 0
    else for (let passed = 0; passed < LONG_MS; passed += 600_000) await pass(600_000).run(model, real)
  }
  const dead = (await real.broker.store.get({ topic: `%DLQ%${GROUP}`, offset: 0, maxMessages: 1000 })).messages
  for (const { body } of dead) found.add(body.toString())
  assert.deepEqual(
    [...model.sent].filter((id) => !found.has(id)),
    [],
    'these were lost',
  )
}

const small8 = fc.nat(7)
const commands = [
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(1)).map((all) => send(...all)),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(1)).map((all) => send(...all)),
  fc.constant(join()),
  small8.map(leave),
  fc.tuple(small8, fc.integer({ min: 1, max: 5 })).map((all) => receive(...all)),
  fc.tuple(small8, fc.integer({ min: 1, max: 5 })).map((all) => receive(...all)),
  fc.tuple(small8, small8, fc.boolean()).map((all) => answer(...all)),
  fc.tuple(small8, small8, fc.constant(true)).map((all) => answer(...all)),
  fc.constantFrom(10, 5000, 60_000).map(pass),
  fc.constant(reopen()),
  fc
    .tuple(fc.constantFrom('kill' as const, 'power' as const), fc.array(small8, { minLength: 1, maxLength: 8 }))
    .map((all) => crash(...all)),
]

/** How many runs, and from which seed. */
export interface BrokerRunsOptions {
  readonly isOrdered: boolean
  readonly numRuns: number
  readonly seed: number
}

/** Runs random commands. @throws {Error} with the fewest commands that show what does not hold, and the seed */
export async function runBrokers({ isOrdered, numRuns, seed }: BrokerRunsOptions): Promise<void> {
  const keeps = fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: 'max' }), async (steps) => {
    const real = new Real(isOrdered)
    await real.open()
    const model = new Model()
    try {
      await fc.asyncModelRun(() => ({ model, real }), steps)
      await drain(model, real)
    } finally {
      await real.broker.close()
    }
    assert.deepEqual(real.problems, [])
  })
  await fc.assert(keeps, { numRuns, seed })
}
