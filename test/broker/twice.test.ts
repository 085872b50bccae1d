/**
 * Random runs of what promises to do nothing twice, with processes that die at any moment.
 *
 * 1. Every dead letter is re-driven once, whatever filters, bounds and deaths came before the call that takes them all.
 * 2. What a group with `once` has acknowledged, it does not get again; what it has not, it gets.
 * 3. Of each idempotency key one message is stored, and at most one sender has the word for it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { Broker, BrokerError } from '../../lib/index.js'
import { checkAsync } from '../support/cases.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { small, take } from '../support/open-broker.js'
import { bodies, freshDisk, readQueue, root } from '../support/open-store.js'

const topics = { orders: { queues: 1 } }
const once = { by: 'key', windowMs: 3_600_000 } as const

test('dead letters are re-driven once each, in random calls and deaths', async () => {
  const call = fc.record({
    kind: fc.constantFrom('filter', 'some', 'die'),
    by: fc.integer({ min: 2, max: 4 }),
    turns: fc.nat(12),
  })
  await checkAsync(
    15,
    fc.asyncProperty(fc.integer({ min: 1, max: 400 }), fc.array(call, { maxLength: 5 }), async (letters, calls) => {
      let life = await begin(freshDisk())
      const consumer = life.broker.consumer({ group: 'g', subscribe: { orders: '*' }, maxRetries: 0 })
      const sent = Array.from({ length: letters }, (_, i) => `${i}`)
      await Promise.all(sent.map((body) => life.broker.send({ topic: 'orders', body })))
      await Promise.all((await take(consumer, letters)).map((delivery) => delivery.retry()))
      await consumer.close()
      for (const { kind, by, turns } of calls) {
        const filter = ({ body }: { body: Buffer }): boolean => Number(body.toString()) % by === 0
        const run = life.broker.redrive({ group: 'g', ...(kind === 'filter' ? { filter } : { maxMessages: by * 40 }) })
        if (kind === 'die') life = await die(life, turns, run)
        else await run
      }
      await life.broker.redrive({ group: 'g' })
      const again = bodies(await readQueue(life.broker.store, 'orders', 0, 100)).slice(letters)
      await life.broker.close()
      assert.deepEqual(
        again.sort((a, b) => Number(a) - Number(b)),
        sent,
      )
    }),
  )
})

test('a group with `once` gets each key until it is acknowledged and never after, in random orders and deaths', async () => {
  const step = fc.record({ kind: fc.constantFrom('send', 'send', 'ack', 'ack', 'leave', 'close', 'die'), key: fc.nat(9) })
  await checkAsync(
    25,
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let life = await begin(freshDisk())
      const join = () => life.broker.consumer({ group: 'g', subscribe: { orders: '*' }, once, maxInFlight: 1 })
      let consumer = join()
      const sent = new Set<string>()
      const acked = new Set<string>()
      const receive = async (): Promise<boolean> => {
        const next = consumer.next()
        const delivery = await Promise.race([next, settled(30).then(() => undefined)])
        if (delivery === undefined) return false
        const [key] = delivery.message.keys
        assert.ok(!acked.has(key!), `${key} was acknowledged before`)
        await delivery.ack()
        acked.add(key!)
        return true
      }
      for (const { kind, key } of steps) {
        if (kind === 'send') {
          await life.broker.send({ topic: 'orders', body: 'x', keys: [`k${key}`] })
          sent.add(`k${key}`)
        } else if (kind === 'ack') {
          // Whoever waited in vain is gone: a delivery that comes to it later would be out without anybody's knowing.
          if (!(await receive())) {
            await consumer.close()
            consumer = join()
          }
        } else {
          if (kind === 'leave') await consumer.close()
          if (kind === 'close') {
            await life.broker.close()
            life = await begin(life.disk, life.time)
          }
          if (kind === 'die') life = await die(life, 0)
          consumer = join()
        }
      }
      while (await receive());
      await life.broker.close()
      assert.deepEqual([...acked].sort(), [...sent].sort())
    }),
  )
})

test('of each idempotency key one message is stored, in random crowds and deaths', async () => {
  const crowd = fc.record({ keys: fc.array(fc.nat(5), { minLength: 1, maxLength: 8 }), turns: fc.option(fc.nat(3)) })
  await checkAsync(
    25,
    fc.asyncProperty(fc.array(crowd, { maxLength: 8 }), async (crowds) => {
      let life = await begin(freshDisk())
      const acknowledged: string[] = []
      for (const { keys, turns } of crowds) {
        const sender = life.broker
        let died = false
        const sends = keys.map(async (key) => {
          try {
            await sender.send({ topic: 'orders', body: `${key}`, idempotencyKey: `k${key}` })
            // What a process says that is dead, nobody hears.
            if (!died) acknowledged.push(`${key}`)
          } catch (error) {
            assert.ok(error instanceof BrokerError && error.code === 'MESSAGE_REPEATED', String(error))
          }
        })
        if (turns === null) await Promise.all(sends)
        else life = await die(life, turns, Promise.all(sends), () => (died = true))
      }
      const stored = bodies(await readQueue(life.broker.store, 'orders', 0, 100))
      await life.broker.close()
      assert.equal(new Set(stored).size, stored.length, stored.join())
      assert.equal(new Set(acknowledged).size, acknowledged.length, acknowledged.join())
      for (const key of acknowledged) assert.ok(stored.includes(key), key)
    }),
  )
})

interface Life {
  readonly disk: MemoryDisk
  readonly broker: Broker
  readonly time: ManualTime
}

async function begin(disk: MemoryDisk, time = new ManualTime()): Promise<Life> {
  const broker = await Broker.open(root, { topics, store: small }, { disk, clock: time, timers: time })
  return { disk, broker, time }
}

/** The process dies some turns from now: what it still does, it does on a disk that nobody sees. */
async function die(
  { disk, broker, time }: Life,
  turns: number,
  running: Promise<unknown> = Promise.resolve(),
  onDeath: () => void = () => {},
): Promise<Life> {
  await settled(turns)
  onDeath()
  const left = freshDisk({ tree: disk.snapshot().tree })
  await running
  await broker.close()
  return begin(left, time)
}
