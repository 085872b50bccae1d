/** A transaction that was given up is asked about again when somebody wants that. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { HALF_TOPIC, UNDECIDED_TOPIC } from '../../lib/broker/config/system-topics.js'
import type { TransactionDecision } from '../../lib/broker/transaction/transactions.js'
import { ManualTime } from '../support/manual-time.js'
import { openTestBroker, refusal } from '../support/open-broker.js'
import { bodies, freshDisk, readQueue } from '../support/open-store.js'

async function open(t: TestContext, disk = freshDisk(), time = new ManualTime(), answer: TransactionDecision = 'unknown') {
  const broker = await openTestBroker(t, { disk, options: { topics: { orders: {} } }, ports: { clock: time, timers: time } })
  const asked: number[] = []
  const check = ({ checks }: { checks: number }): TransactionDecision => {
    asked.push(checks)
    return answer
  }
  const pass = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i++) {
      time.advance(1000)
      for (let j = 0; j < 12; j++) await turn()
    }
  }
  const producer = broker.transactionProducer({ group: 'payments', check })
  return { broker, producer, asked, pass, time, read: (topic: string) => readQueue(broker.store, topic, 0) }
}

test('a transaction that was given up is asked about again when it is resumed, also after a restart, and then ends', async (t) => {
  const disk = freshDisk()
  const first = await open(t, disk)
  await first.producer.send({ topic: 'orders', body: 'x', queueId: 0 }, () => 'unknown')
  await first.pass(16 * 30)
  const [given] = await first.read(UNDECIDED_TOPIC)
  const [former] = await first.read(HALF_TOPIC)
  const { transactions } = first.broker.served
  for (const id of [former!.messageId, '7F00000100002A9F0000000000FFFFFF'])
    await assert.rejects(transactions.resume(id), refusal('TRANSACTION_UNKNOWN', UNDECIDED_TOPIC))
  await transactions.resume(given!.messageId)
  const { queueId, properties } = (await first.read(HALF_TOPIC)).at(-1)!
  assert.deepEqual([queueId, properties['TRANSACTION_CHECK_TIMES'], properties['REAL_TOPIC']], [0, '0', 'orders'])
  assert.equal(first.asked.length, 15)
  await first.pass(30)
  assert.deepEqual([first.asked.length, first.asked.at(-1)], [16, 1])
  await first.broker.close()
  const second = await open(t, disk, first.time, 'commit')
  assert.equal(second.broker.served.transactions.pending, 1)
  await second.pass(31)
  assert.deepEqual([second.asked, bodies(await second.read('orders'))], [[2], ['x']])
  assert.equal(second.broker.served.transactions.pending, 0)
})
