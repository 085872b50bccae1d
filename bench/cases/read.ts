/** Reading mqlite: in order, at random by address, and by key. The store is loaded and closed before. */
import { MessageStore, type StoredMessage } from 'mqlite'
import { BODY, type Case, chance, keyOf, QUEUES, RECORD_BYTES, repeated, TOPIC, timed } from '../workload.js'

/** Things done in one call of tinybench, so that its clock costs nothing. */
const CALLS = 100

/** Every message of every queue. @returns how many */
export async function readAll(store: MessageStore, take: (message: StoredMessage) => void): Promise<number> {
  let count = 0
  for (let queueId = 0; queueId < QUEUES; queueId++) {
    const { minOffset, maxOffset } = store.bounds(TOPIC, queueId)
    for (let offset = minOffset; offset < maxOffset; ) {
      const { messages, nextOffset } = await store.get({ topic: TOPIC, queueId, offset, maxMessages: 512, maxBytes: 1 << 20 })
      for (const message of messages) take(message)
      count += messages.length
      offset = nextOffset
    }
  }
  return count
}

export const read: Case = async ({ plan, directory, options }) => {
  const { verifyReads = true, decode = false } = options
  const store = await MessageStore.open(directory, { verifyReads })
  try {
    let right = 0
    const take = decode
      ? ({ body, tags, keys }: StoredMessage): void => {
          if (body.length === BODY.length && tags === 'tag' && keys.length === 1) right++
        }
      : ({ size }: StoredMessage): void => {
          if (size === RECORD_BYTES) right++
        }
    const rounds = await timed(plan.rounds, () => readAll(store, take))
    if (right !== plan.messages * (plan.rounds + 1)) throw new Error(`${right} messages were as they were put`)
    return { rounds }
  } finally {
    await store.close()
  }
}

export const lookup: Case = async ({ plan, directory }) => {
  const store = await MessageStore.open(directory)
  try {
    const addresses: number[] = []
    await readAll(store, ({ commitLogOffset }) => addresses.push(commitLogOffset))
    const next = chance(addresses.length)
    const rounds = await repeated(plan, CALLS, async () => {
      for (let i = 0; i < CALLS; i++) {
        if ((await store.lookup({ commitLogOffset: addresses[next()]! })) === undefined) throw new Error('a message is not there')
      }
    })
    return { rounds }
  } finally {
    await store.close()
  }
}

export const query: Case = async ({ plan, directory, options }) => {
  const { readCacheBytes } = options
  const store = await MessageStore.open(directory, readCacheBytes === undefined ? {} : { readCacheBytes })
  try {
    const next = chance(plan.messages)
    // What fits into the cache is in it before the clock runs, as RocketMQ's files are mapped.
    if (readCacheBytes !== undefined) for (let i = 0; i < plan.messages; i++) await store.query({ topic: TOPIC, key: keyOf(i) })
    const rounds = await repeated(plan, CALLS, async () => {
      for (let i = 0; i < CALLS; i++) {
        const { length } = await store.query({ topic: TOPIC, key: keyOf(next()) })
        if (length !== 1) throw new Error(`${length} messages have a key that one has`)
      }
    })
    return { rounds }
  } finally {
    await store.close()
  }
}
