/** Order by key: stock prices of ten years, sharded by symbol. Four workers share them, and each symbol stays in order. */
import { Broker } from 'mqlite'
import { dataSet } from './data-sets/read.js'

const [, ...rows] = dataSet('stocks.csv').trim().split('\n')
const prices = rows.map((row) => row.split(',') as [symbol: string, date: string, price: string])

const broker = await Broker.open(process.argv[2] ?? 'data/ordered-prices', { topics: { prices: { queues: 4 } } })
for (const [symbol, date, price] of prices) {
  await broker.send({ topic: 'prices', body: JSON.stringify({ date, price: Number(price) }), shardingKey: symbol, keys: symbol })
}

const last = new Map<string, number>()
let [seen, outOfOrder] = [0, 0]
const workers = Array.from({ length: 4 }, () =>
  broker.consumer({ group: 'charts', subscribe: { prices: '*' }, ordered: true, startAt: 'first' }),
)
await Promise.all(
  workers.map((worker) =>
    worker.run(({ keys: [symbol], body }) => {
      const time = Date.parse((JSON.parse(String(body)) as { date: string }).date)
      if (time < (last.get(symbol!) ?? 0)) outOfOrder++
      last.set(symbol!, time)
      if (++seen === prices.length) for (const one of workers) void one.close()
    }),
  ),
)
console.log(`${seen} prices of ${last.size} symbols, ${outOfOrder} out of order`)
await broker.close()
