/** What TypeScript takes as the functions of a transaction producer: the compiler tests it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { TransactionDecision, TransactionProducerOptions } from '../../lib/index.js'
import { Broker } from '../../lib/index.js'
import { inDirectory } from '../support/scratch.js'

test('a function that returns a decision compiles as it stands: async or not, with one literal or more, as a method', () =>
  inDirectory('transaction-types', async (directory) => {
    const broker = await Broker.open(directory, { topics: { orders: {} } })
    const checks: TransactionProducerOptions['check'][] = [
      async () => {
        await setImmediate()
        return 'commit'
      },
      async ({ uniqueKey }) => (uniqueKey ? 'commit' : 'rollback'),
      () => 'unknown',
      () => Promise.resolve('commit'),
    ]
    const producers = [
      ...checks.map((check, at) => broker.transactionProducer({ group: `g${at}`, check })),
      broker.transactionProducer({ group: 'm', check: async () => 'commit' }),
      broker.transactionProducer({
        group: 'n',
        async check() {
          await setImmediate()
          return 'commit'
        },
      }),
    ]
    const message = { topic: 'orders', body: 'paid' }
    const own = (): TransactionDecision | Promise<TransactionDecision> => 'rollback'
    for (const producer of producers) {
      const receipts = [
        await producer.send(message, async () => {
          await setImmediate()
          return 'commit'
        }),
        await producer.send(message, async (_message, { uniqueKey }) => (uniqueKey ? 'commit' : 'rollback')),
        await producer.send(message, () => 'commit'),
        await producer.send(message, (_message, receipt) => (receipt.status === 'PUT_OK' ? setImmediate('commit') : 'unknown')),
        await producer.send(message, own),
      ]
      assert.deepEqual(
        receipts.map(({ decision }) => decision),
        ['commit', 'commit', 'commit', 'commit', 'rollback'],
      )
      // @ts-expect-error: not a decision
      const misspelt = producer.send(message, async () => 'comit')
      await assert.rejects(misspelt, RangeError)
      // @ts-expect-error: nothing
      const empty = producer.send(message, async () => {})
      await assert.rejects(empty, TypeError)
    }
    await broker.close()
  }))
