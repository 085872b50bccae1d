/**
 * Reads a loaded store back by queue, by tag, by key and by time, and compares all of it with the file.
 *
 * What is expected is counted from the flights alone, so nothing that the store says is taken for granted.
 */
import type { MessageStore, StoredMessage } from 'mqlite'
import { dayOf, type Flight, messageOf, QUEUES, queueOf, routeOf, TOPIC } from './data.js'
import { type Cell, count, duration, rate } from './print.js'
import type { Proof } from './proof.js'

/** Some airports to filter by: two large ones, those of the San Francisco bay, and a small one. */
const TAGS = ['ORD', 'ATL', 'SFO || OAK || SJC', 'ABE']

/** Moments for which `offsetByTime` is asked, in each queue. */
const MOMENTS = 500

/** A line about one way to read: what, how many, how long, how fast. */
export type ReadLine = readonly Cell[]

/** How the store stood when the load was taken up again. */
export interface Resumption {
  /** The first row that was put after the crash. */
  readonly row: number
  /** The time of day then, milliseconds since 1970. */
  readonly time: number
  /** The next offset of each queue then. */
  readonly offsets: readonly number[]
}

/** See the head of this file. */
export class ReadBack {
  readonly #store: MessageStore
  readonly #flights: readonly Flight[]
  readonly #proof: Proof
  /** Of each queue: when its messages were stored, by offset. Filled by `byQueue`. */
  readonly #storedAt: number[][] = []

  constructor(store: MessageStore, flights: readonly Flight[], proof: Proof) {
    this.#store = store
    this.#flights = flights
    this.#proof = proof
  }

  /** Every message of every queue, in order. @param acked - rows below were acknowledged before the crash */
  async byQueue(acked: number): Promise<ReadLine> {
    const seen = new Uint8Array(this.#flights.length)
    let records = 0
    let outOfOrder = 0
    const started = performance.now()
    for (let queueId = 0; queueId < QUEUES; queueId++) {
      const storedAt: number[] = []
      let last = -1
      for await (const message of this.#messages(queueId)) {
        records++
        storedAt.push(message.storeTimestamp)
        const row = this.#exactRow(message)
        if (row === undefined) continue
        seen[row]!++
        if (row < last) outOfOrder++
        last = row
      }
      this.#storedAt.push(storedAt)
    }
    const ms = performance.now() - started
    const once = seen.reduce((sum, times) => sum + (times === 1 ? 1 : 0), 0)
    const kept = seen.subarray(0, acked).reduce((sum, times) => sum + (times > 0 ? 1 : 0), 0)
    this.#proof.equal('rows acknowledged before the kill are there, exactly as sent', acked, kept)
    this.#proof.equal('rows of the file are there once, exactly as sent', this.#flights.length, once)
    this.#proof.equal('messages in the four queues', this.#flights.length, records)
    this.#proof.equal('flights of a queue out of order', 0, outOfOrder)
    return ['by queue', 'every message, compared with its row', count(records), duration(ms), rate(records, ms)]
  }

  /** The messages with some tags, in every queue. */
  async byTag(): Promise<ReadLine> {
    let total = 0
    const started = performance.now()
    for (const tags of TAGS) {
      const wanted = new Set(tags.split(' || '))
      let found = 0
      for (let queueId = 0; queueId < QUEUES; queueId++) {
        for await (const message of this.#messages(queueId, tags)) if (wanted.has(message.tags ?? '')) found++
      }
      const expected = this.#flights.filter(({ destination }) => wanted.has(destination)).length
      this.#proof.equal(`flights to ${wanted.size === 1 ? tags : [...wanted].join(', ')}, by tag`, expected, found)
      total += found
    }
    const ms = performance.now() - started
    return ['by tag', `${TAGS.length} filters over all queues`, count(total), duration(ms), rate(total, ms)]
  }

  /** The messages of every route and of every day, through the index. */
  async byKey(): Promise<ReadLine[]> {
    const lines: ReadLine[] = []
    for (const [name, keyOf] of [['route', routeOf] as const, ['day', dayOf] as const]) {
      const expected = countBy(this.#flights, keyOf)
      let found = 0
      const started = performance.now()
      for (const [key, amount] of expected) {
        const messages = await this.#store.query({ topic: TOPIC, key, maxMessages: amount + 1 })
        found += messages.length === amount ? messages.filter((message) => message.keys.includes(key)).length : 0
      }
      const ms = performance.now() - started
      this.#proof.equal(`flights of all ${count(expected.size)} ${name}s, by key`, this.#flights.length, found)
      const what = `all ${count(expected.size)} ${name}s`
      lines.push(['by key', what, count(found), duration(ms), rate(found, ms)])
    }
    return lines
  }

  /** Where the load was taken up again, found by time alone; then the place of many moments. */
  async byTime({ row, time, offsets }: Resumption): Promise<ReadLine> {
    const found = await Promise.all(offsets.map((_, queueId) => this.#store.offsetByTime(TOPIC, queueId, time)))
    this.#proof.equal('queues whose place at the restart is found by time', QUEUES, countEqual(offsets, found))

    const last = Math.min(row, this.#flights.length - 1)
    const day = dayOf(this.#flights[last]!)
    const ofDay = this.#flights.map((flight, i) => (dayOf(flight) === day ? i : -1)).filter((i) => i >= 0)
    const maxMessages = ofDay.length + 1
    const before = await this.#store.query({ topic: TOPIC, key: day, to: time - 1, maxMessages })
    const after = await this.#store.query({ topic: TOPIC, key: day, from: time, maxMessages })
    this.#proof.equal(`flights of ${day} put before the restart`, ofDay.filter((i) => i < row).length, before.length)
    this.#proof.equal(`flights of ${day} put after it`, ofDay.filter((i) => i >= row).length, after.length)

    const asked = this.#storedAt.map((storedAt) => spread(storedAt, MOMENTS))
    const started = performance.now()
    const answers: number[][] = []
    for (const [queueId, moments] of asked.entries()) {
      const offsets: number[] = []
      for (const moment of moments) offsets.push(await this.#store.offsetByTime(TOPIC, queueId, moment))
      answers.push(offsets)
    }
    const ms = performance.now() - started
    const expected = asked.map((moments, queueId) =>
      moments.map((moment) => this.#storedAt[queueId]!.findIndex((at) => at >= moment)),
    )
    const right = expected.reduce((sum, offsets, queueId) => sum + countEqual(offsets, answers[queueId]!), 0)
    this.#proof.equal('moments whose first message is found in each queue', QUEUES * MOMENTS, right)
    return ['by time', 'moments of the load, each queue', count(right), duration(ms), rate(right, ms)]
  }

  /** The messages of a queue from the first to the last. */
  async *#messages(queueId: number, tags = '*'): AsyncGenerator<StoredMessage> {
    const { minOffset, maxOffset } = this.#store.bounds(TOPIC, queueId)
    for (let offset = minOffset; offset < maxOffset; ) {
      const request = { topic: TOPIC, queueId, offset, tags, maxMessages: 512, maxBytes: 1024 * 1024 }
      const { messages, nextOffset } = await this.#store.get(request)
      yield* messages
      offset = nextOffset
    }
  }

  /** The row that a message was made from, if nothing in the message differs from it. */
  #exactRow(message: StoredMessage): number | undefined {
    const row = Number(message.properties['row'])
    const flight = this.#flights[row]
    if (flight === undefined) return undefined
    const { body, bornTimestamp } = messageOf(flight, row)
    const isExact =
      message.body.toString() === body &&
      message.bornTimestamp === bornTimestamp &&
      message.tags === flight.destination &&
      message.keys.join(' ') === `${routeOf(flight)} ${dayOf(flight)}` &&
      message.queueId === queueOf(flight.origin)
    return isExact ? row : undefined
  }
}

function countBy(flights: readonly Flight[], keyOf: (flight: Flight) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const flight of flights) counts.set(keyOf(flight), (counts.get(keyOf(flight)) ?? 0) + 1)
  return counts
}

function countEqual(expected: readonly number[], found: readonly number[]): number {
  return expected.filter((value, i) => value === found[i]).length
}

/** As many moments as asked for, evenly spread from the first to the last. */
function spread(times: readonly number[], amount: number): number[] {
  const first = times[0] ?? 0
  const last = times.at(-1) ?? 0
  return Array.from({ length: amount }, (_, i) => Math.round(first + ((last - first) * i) / (amount - 1)))
}
