/**
 * Back to a moment: flights are put in three waves, then read from a time on, up to a time, and by key in between.
 *
 * `offsetByTime` turns a moment into an offset of a queue; `query` takes a range of time by itself. Both mean
 * the time at which a message was stored.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { MessageStore } from 'mqlite'
import { messageOf, QUEUES, queueOf, readFlights, TOPIC } from './flights/data.js'

const WAVES = 3
const flights = await readFlights(6000)
const directory = mkdtempSync(join(tmpdir(), 'mqlite-time-travel-'))
const store = await MessageStore.open(directory)
try {
  // The time between the waves stands for hours.
  const began: number[] = []
  for (let wave = 0; wave < WAVES; wave++) {
    await setTimeout(50)
    began.push(Date.now())
    const rows = flights.slice((wave * flights.length) / WAVES, ((wave + 1) * flights.length) / WAVES)
    await store.putBatch(rows.map((flight, i) => messageOf(flight, i)))
    console.log(`wave ${wave + 1}: ${rows.length} flights, ${new Date(rows[0]!.date).toISOString()} and later`)
  }
  const second = began[1]!
  const third = began[2]!

  console.log('\nWhere did each queue stand when the second wave began?')
  for (let queueId = 0; queueId < QUEUES; queueId++) {
    const offset = await store.offsetByTime(TOPIC, queueId, second)
    const { messages } = await store.get({ topic: TOPIC, queueId, offset, maxMessages: 1 })
    console.log(`  queue ${queueId}: offset ${offset}, then ${messages[0]!.body}`)
  }

  console.log('\nWhat of the flights from Chicago to New York was known at which time?')
  const question = { topic: TOPIC, key: 'ORD-LGA', maxMessages: 1000 }
  const ranges = { 'in all': {}, 'before the second wave': { to: second - 1 }, 'in the second': { from: second, to: third - 1 } }
  for (const [name, range] of Object.entries(ranges)) {
    const found = await store.query({ ...question, ...range })
    const departures = found.map(({ bornTimestamp }) => new Date(bornTimestamp).toISOString().slice(11, 16))
    console.log(`  ${name}: ${found.length}, leaving at ${departures.reverse().join(', ')}`)
  }

  console.log('\nThe last flight that the queue of Chicago held before the third wave:')
  const queueId = queueOf('ORD')
  const offset = await store.offsetByTime(TOPIC, queueId, third - 1, 'upper')
  const { messages } = await store.get({ topic: TOPIC, queueId, offset, maxMessages: 1 })
  console.log(`  offset ${offset}: ${messages[0]!.body}`)
} finally {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
}
