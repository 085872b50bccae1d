/**
 * The same in lmdb: a value of a record's length under a rising number. It keeps no index by key and no tags.
 *
 * `async` waits for `put`: committed and visible. `sync` waits for `flushed` after it: on the disk.
 */
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { type Case, chance, RECORD_BYTES, rates, repeated, timed } from '../workload.js'

const VALUE = Buffer.alloc(RECORD_BYTES, 0x55)

function openDatabase(directory: string): RootDatabase<Buffer, number> {
  return open<Buffer, number>({ path: join(directory, 'lmdb'), encoding: 'binary', compression: false, mapSize: 16 * 1024 ** 3 })
}

export const lmdbPut: Case = async ({ plan, directory, options }) => {
  const { flush = 'async', inFlight = 1, batch = 1 } = options
  const database = openDatabase(directory)
  const isSync = flush === 'sync'
  try {
    const act = async (i: number): Promise<void> => {
      if (batch === 1) await database.put(i, VALUE)
      else
        await database.batch(() => {
          for (let k = 0; k < batch; k++) database.put(i * batch + k, VALUE)
        })
      if (isSync) await database.flushed
    }
    return { rounds: (await rates(plan, inFlight, act)).map((rate) => rate * batch) }
  } finally {
    await database.close()
  }
}

async function load(database: RootDatabase<Buffer, number>, messages: number): Promise<void> {
  for (let i = 0; i < messages; ) {
    let last: Promise<boolean> | undefined
    for (const end = Math.min(i + 4096, messages); i < end; i++) last = database.put(i, VALUE)
    await last
  }
  await database.flushed
}

export const lmdbRead: Case = async ({ plan, directory }) => {
  const database = openDatabase(directory)
  await load(database, plan.messages)
  const rounds = await timed(plan.rounds, () => {
    let count = 0
    for (const { value } of database.getRange({})) if (value.length === RECORD_BYTES) count++
    return count
  })
  await database.close()
  return { rounds }
}

export const lmdbLookup: Case = async ({ plan, directory }) => {
  const database = openDatabase(directory)
  await load(database, plan.messages)
  const next = chance(plan.messages)
  const rounds = await repeated(plan, 100, () => {
    for (let i = 0; i < 100; i++) if (database.get(next()) === undefined) throw new Error('a value is not there')
  })
  await database.close()
  return { rounds }
}
