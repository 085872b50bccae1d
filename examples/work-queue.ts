/** A work queue in five lines: jobs go in, workers share them, a job that fails is tried again. */
import { Broker } from 'mqlite'

const broker = await Broker.open('data/work-queue', { topics: { jobs: { queues: 4 } } })
const worker = broker.consumer({ group: 'workers', subscribe: { jobs: '*' } })
const done = worker.run((job) => console.log(`done: ${job.body}`), { concurrency: 4 })
await broker.sendBatch(['resize photo', 'send mail', 'bill order 17'].map((body) => ({ topic: 'jobs', body })))

// The example ends when there is nothing left to do.
while (worker.inFlight > 0 || broker.store.queues().some(({ topic, maxOffset }) => topic === 'jobs' && maxOffset === 0)) await new Promise(setImmediate)
await broker.close()
await done
