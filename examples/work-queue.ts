/** A work queue in five lines: jobs go in, workers share them, and one that fails is tried again. */
import { Broker } from 'mqlite'

const broker = await Broker.open(process.argv[2] ?? 'data/work-queue', { topics: { jobs: { queues: 4 } } })
await broker.sendBatch(['resize a photo', 'send a mail', 'bill an order'].map((body) => ({ topic: 'jobs', body })))
let left = 3
const worker = broker.consumer({ group: 'workers', subscribe: { jobs: '*' } })
await worker.run((job) => {
  console.log(`done: ${job.body}`)
  if (--left === 0) void worker.close()
})
await broker.close()
