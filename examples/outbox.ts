/** An outbox: rows are told of exactly as they stand in a table, though the program that tells may die at any row. */
import { Broker, BrokerError } from 'mqlite'
import { dataSet } from './data-sets/read.js'

const [, ...rows] = dataSet('airports.csv').trim().split('\n').slice(0, 201)
const broker = await Broker.open(process.argv[2] ?? 'data/outbox', { topics: { airports: { queues: 2 } } })

/** Tells of all rows; one that was told of before is refused by its key, so it may be begun again and again. */
async function tell(stopAt: number): Promise<{ told: number; repeated: number }> {
  const counts = { told: 0, repeated: 0 }
  for (const row of rows.slice(0, stopAt)) {
    try {
      await broker.send({ topic: 'airports', body: row, idempotencyKey: row.split(',')[0]! })
      counts.told++
    } catch (error) {
      if (!(error instanceof BrokerError && error.code === 'MESSAGE_REPEATED')) throw error
      counts.repeated++
    }
  }
  return counts
}

console.log('first run, which dies half way:', JSON.stringify(await tell(100)))
console.log('second run, from the beginning:', JSON.stringify(await tell(rows.length)))
await broker.close()
