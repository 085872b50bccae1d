/** Dead letters: films without a rating cannot be handled, are given up, and are driven again once the handler can. */
import { Broker } from 'mqlite'
import { dataSet } from './data-sets/read.js'

interface Film {
  readonly Title: string
  readonly 'IMDB Rating': number | null
}
const films = (JSON.parse(dataSet('movies.json')) as Film[]).slice(0, 500)

const broker = await Broker.open(process.argv[2] ?? 'data/dead-letters', { topics: { films: { queues: 2 } } })
await broker.sendBatch(films.map((film) => ({ topic: 'films', body: JSON.stringify(film) })))

/** Handles every film with a rating, and the others if they may be. */
async function rate(takesUnrated: boolean, count: number): Promise<number> {
  let [looked, rated] = [0, 0]
  const critic = broker.consumer({ group: 'critics', subscribe: { films: '*' }, startAt: 'first' })
  await critic.run(async ({ body }, delivery) => {
    const film = JSON.parse(String(body)) as Film
    // A level below 0 means: no further attempt, to the dead letters at once.
    if (film['IMDB Rating'] === null && !takesUnrated) await delivery.retry({ delayLevel: -1 })
    else rated++
    if (++looked === count) void critic.close()
  })
  return rated
}

console.log(`${await rate(false, films.length)} of ${films.length} films rated`)
const { redriven } = await broker.redrive({ group: 'critics' })
console.log(`${redriven} dead letters driven again`)
console.log(`${await rate(true, redriven)} of them handled now`)
await broker.close()
