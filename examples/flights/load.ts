/**
 * Puts flights into a store, many at a time, and tells how many are acknowledged.
 *
 * Run as a program it is the child that the demonstration kills: `node load.js DIR ROWS`. It tells its parent
 * how far it has come, always a little late: what it told is acknowledged, and some more may be.
 */
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { MessageStore, type PutReceipt } from 'mqlite'
import { type Flight, messageOf, readFlights, SIZES } from './data.js'

/** Puts that wait for their flush at the same time. */
export const IN_FLIGHT = 1024

/** The child tells its parent after so many rows. */
const ROWS_PER_REPORT = 500

/** What the child tells: all rows below `acked` are acknowledged. */
export interface Progress {
  readonly acked: number
}

/**
 * Puts the rows from `from` on, in order.
 *
 * @param onAcked - called with a number below which every row is acknowledged
 */
export async function load(
  store: MessageStore,
  flights: readonly Flight[],
  from: number,
  onAcked: (acked: number) => void,
): Promise<void> {
  const waiting: Promise<PutReceipt>[] = []
  for (let row = from; row < flights.length; row++) {
    const slot = (row - from) % IN_FLIGHT
    const oldest = waiting[slot]
    if (oldest !== undefined) {
      expectOk(await oldest)
      onAcked(row - IN_FLIGHT + 1)
    }
    waiting[slot] = store.put(messageOf(flights[row]!, row))
  }
  for (const receipt of await Promise.all(waiting)) expectOk(receipt)
  onAcked(flights.length)
}

function expectOk({ status, commitLogOffset }: PutReceipt): void {
  if (status !== 'PUT_OK') throw new Error(`the put at ${commitLogOffset} ended with ${status}`)
}

async function runAsChild(directory: string, rows: number): Promise<void> {
  const tell = (progress: Progress): void => {
    process.send?.(progress)
  }
  const flights = await readFlights(rows)
  const store = await MessageStore.open(directory, { flush: 'sync', ...SIZES })
  let told = 0
  await load(store, flights, 0, (acked) => {
    if (acked - told < ROWS_PER_REPORT && acked < rows) return
    told = acked
    tell({ acked })
  })
  // It does not close the store: if the parent is slow, it is killed here.
}

if (argv[1] === fileURLToPath(import.meta.url)) await runAsChild(argv[2]!, Number(argv[3]))
