/** Puts into mqlite, one by one or in batches. */
import { MessageStore } from 'mqlite'
import { type Case, messageOf, RECORD_BYTES, rates } from '../workload.js'

export const put: Case = async ({ plan, directory, options }) => {
  const { flush = 'async', inFlight = 1, batch = 1 } = options
  const store = await MessageStore.open(directory, { flush })
  try {
    if (batch === 1) {
      const { size } = await store.put(messageOf(100_000))
      if (size !== RECORD_BYTES) throw new Error(`a record has ${size} bytes; RECORD_BYTES must say so`)
      return { rounds: await rates(plan, inFlight, (i) => store.put(messageOf(i))) }
    }
    const putBatch = (i: number): Promise<unknown> =>
      store.putBatch(Array.from({ length: batch }, (_, k) => messageOf(i * batch + k)))
    const batches = await rates(plan, inFlight, putBatch)
    return { rounds: batches.map((rate) => rate * batch) }
  } finally {
    await store.close()
  }
}
