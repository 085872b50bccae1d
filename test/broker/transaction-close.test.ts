/** Closing a producer of transactions that waits for what its program does. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Broker, TransactionDecision, TransactionProducer } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { openTestBroker, refusal } from '../support/open-broker.js'
import { bodies, readQueue } from '../support/open-store.js'

test('a producer whose check never answers closes after 20 seconds, and an answer that comes later counts', async (t) => {
  const { broker, time, producer, answer } = await asking(t)
  const closing = isOver(producer.close())
  assert.deepEqual(broker.served.registry.producers('payments'), [])
  time.advance(19_999)
  await settled()
  assert.equal(closing.isOver, false)
  time.advance(1)
  await settled()
  assert.equal(closing.isOver, true)
  await producer.close()
  await assert.rejects(
    producer.send({ topic: 'orders', body: 'y' }, () => 'commit'),
    refusal('BROKER_CLOSED'),
  )
  answer('commit')
  await settled(20)
  assert.deepEqual(bodies(await readQueue(broker.store, 'orders', 0)), ['x'])
})

test('a producer whose check answers in time closes then, and one that nobody asks at once', async (t) => {
  const { broker, time, producer, answer } = await asking(t)
  const closing = isOver(producer.close())
  answer('rollback')
  await settled(20)
  assert.equal(closing.isOver, true)
  const before = time.pendingTimers
  await broker.transactionProducer({ group: 'others', check: () => 'unknown' }).close()
  assert.equal(time.pendingTimers, before)
})

test('a producer whose check never answers is closed with its broker, whichever is closed first', async (t) => {
  for (const closeFirst of [true, false]) {
    const { broker, producer } = await asking(t)
    const closing = closeFirst ? producer.close() : undefined
    await broker.close()
    await (closing ?? producer.close())
  }
})

interface Asking {
  readonly broker: Broker
  readonly time: ManualTime
  readonly producer: TransactionProducer
  readonly answer: (decision: TransactionDecision) => void
}

/** A producer that is being asked and has not answered. */
async function asking(t: TestContext): Promise<Asking> {
  const time = new ManualTime()
  const options = { topics: { orders: { queues: 1 } } }
  const broker = await openTestBroker(t, { options, ports: { clock: time, timers: time } })
  let answer: ((decision: TransactionDecision) => void) | undefined
  const check = (): Promise<TransactionDecision> => new Promise((resolve) => (answer = resolve))
  const producer = broker.transactionProducer({ group: 'payments', check })
  await producer.send({ topic: 'orders', body: 'x' }, () => 'unknown')
  for (let i = 0; i < 31; i++) {
    time.advance(1000)
    await settled()
  }
  assert.ok(answer !== undefined, 'nobody was asked')
  return { broker, time, producer, answer }
}

function isOver(promise: Promise<unknown>): { isOver: boolean } {
  const state = { isOver: false }
  void promise.then(() => (state.isOver = true))
  return state
}
