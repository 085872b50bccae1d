/**
 * The data set: flights inside the United States from 1 January 2001 on, as the package `vega-datasets` ships
 * them, and how a flight becomes a message.
 *
 * Topic `flights`, four queues. A flight stands in the queue of its origin, so that the flights of an airport
 * keep their order. Its tag is the destination, its keys are the route (`LAS-PHL`) and the day (`2001-01-01`).
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decompress } from 'fzstd'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import type { Message } from 'mqlite'

/** One flight. */
export interface Flight {
  /** When it was to leave, milliseconds since 1970, local time read as UTC. */
  readonly date: number
  /** Minutes of delay on arrival, negative when early. */
  readonly delay: number
  /** Miles. */
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

export const TOPIC = 'flights'
export const QUEUES = 4

/** Lengths of the log's and the queues' files: small, so that there are several to look at. Later opens find them out. */
export const SIZES = { segmentBytes: 16 * 1024 * 1024, queueSegmentEntries: 25_000 } as const

/** Reads the first flights of the file, in the order of their dates. */
export async function readFlights(count: number): Promise<Flight[]> {
  // The package exports its program and not its data: they stand side by side.
  const program = fileURLToPath(import.meta.resolve('vega-datasets'))
  const file = await asyncBufferFromFile(join(dirname(program), '..', 'data', 'flights-3m.parquet'))
  const compressors = { ZSTD: (bytes: Uint8Array, length: number) => decompress(bytes, new Uint8Array(length)) }
  const rows: Record<string, unknown>[] = await parquetReadObjects({ file, compressors, rowStart: 0, rowEnd: count })
  return rows.map(({ date, delay, distance, origin, destination }) => ({
    date: (date as Date).getTime(),
    delay: Number(delay),
    distance: Number(distance),
    origin: String(origin),
    destination: String(destination),
  }))
}

/** The queue of an airport: its three letters as a number of base 26, spread over the queues. */
export function queueOf(airport: string): number {
  let number = 0
  for (let i = 0; i < airport.length; i++) number = number * 26 + airport.charCodeAt(i)
  return number % QUEUES
}

export function routeOf({ origin, destination }: Flight): string {
  return `${origin}-${destination}`
}

export function dayOf({ date }: Flight): string {
  return new Date(date).toISOString().slice(0, 10)
}

/** The message of a flight. The property `row` tells which row of the file it is. */
export function messageOf(flight: Flight, row: number): Message {
  const { date, delay, distance, origin, destination } = flight
  const body = JSON.stringify({ date: new Date(date).toISOString(), delay, distance, origin, destination })
  return {
    topic: TOPIC,
    queueId: queueOf(origin),
    tags: destination,
    keys: [routeOf(flight), dayOf(flight)],
    properties: { row: String(row) },
    bornTimestamp: date,
    body,
  }
}
