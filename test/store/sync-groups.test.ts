/** Groups of sync puts: which share a write and a flush when many put again as soon as they are answered. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageStore, StoreOptions } from '../../lib/index.js'
import { SimDisk } from '../support/sim-disk.js'
import { messageOf, openSim, readStore } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'

const OPTIONS: StoreOptions = { segmentBytes: 1024 * 1024, flush: 'sync', tailBytes: 0, maxMessageBytes: 4096 }
const FLUSH_MS = 3

interface Run {
  readonly disk: SimDisk
  readonly time: SimTime
  readonly store: MessageStore
  /** How many puts came before each flush of the log, and after the one before. */
  readonly groups: number[]
  /** Numbers of messages, in the order in which they were answered. */
  readonly answered: number[]
  /** Has `writers` put again whenever they are answered, `rounds` times. */
  putAgain(writers: number, rounds: number): Promise<void>
}

async function begin(options: StoreOptions = OPTIONS): Promise<Run> {
  const disk = new SimDisk()
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, options))
  disk.flushLatency = () => time.wait(FLUSH_MS)
  const groups: number[] = []
  const answered: number[] = []
  let next = 0
  let flushed = 0
  disk.onOperation = (kind, path) => {
    if (kind !== 'flush' || !path.includes('/commitlog/')) return
    groups.push(next - flushed)
    flushed = next
  }
  const putAgain = async (writers: number, rounds: number): Promise<void> => {
    const write = async (): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const number = next++
        await store.put(messageOf(number, 40, 2))
        answered.push(number)
      }
    }
    await time.run(Promise.all(Array.from({ length: writers }, write)))
  }
  return { disk, time, store, groups, answered, putAgain }
}

describe('groups of sync puts', () => {
  test('of many that put again, half are flushed while the other half is put, and all are answered in order', async () => {
    const { time, store, groups, answered, putAgain } = await begin()
    await putAgain(300, 4)
    assert.deepEqual(
      answered,
      Array.from({ length: 1200 }, (_, n) => n),
    )
    // The first flush has all, for nothing is known yet of what comes.
    assert.deepEqual(groups, [300, 150, 150, 150, 150, 150, 150])
    await time.run(store.close())
  })

  test('of a few that put again, all share one flush', async () => {
    const { time, store, groups, putAgain } = await begin()
    await putAgain(64, 4)
    assert.deepEqual(groups, [64, 64, 64, 64])
    await time.run(store.close())
  })

  test('what is put in one turn while a flush runs is one write', async () => {
    const { disk, time, store, putAgain } = await begin()
    await putAgain(200, 2)
    const running = store.put(messageOf(0, 40, 2))
    await time.pass(1)
    let writes = 0
    disk.onOperation = (kind, path) => {
      if (kind === 'write' && path.includes('/commitlog/')) writes++
    }
    const puts = Array.from({ length: 300 }, (_, n) => store.put(messageOf(n, 40, 2)))
    await time.pass(1)
    assert.equal(writes, 1)
    await time.run(Promise.all([running, ...puts]))
    await time.run(store.close())
  })

  test('a batch that makes its group large is refused as a whole when there is no space to write it', async () => {
    const { disk, time, store, putAgain } = await begin()
    await putAgain(128, 2)
    const before = await readStore(store, OPTIONS)
    const singles = Array.from({ length: 50 }, (_, n) => store.put(messageOf(n, 40, 2)))
    disk.inject({ on: 'write', path: '/commitlog/', code: 'ENOSPC', partialBytes: 5000 })
    const batch = store.putBatch(Array.from({ length: 100 }, (_, n) => messageOf(50 + n, 40, 2)))
    const outcomes = await time.run(Promise.allSettled([...singles, batch]))
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && (outcome.reason as { code: string }).code === 'DISK_FULL')
    }
    assert.deepEqual(await readStore(store, OPTIONS), before)
  })

  test('whatever was answered is there after power loss at any moment', async () => {
    const rolling: StoreOptions = { ...OPTIONS, segmentBytes: 16 * 1024 }
    const { disk, answered, putAgain } = await begin(rolling)
    const crashes: { crashed: SimDisk; owed: number }[] = []
    let changes = -1
    disk.onOperation = () => {
      if (disk.changeCount === changes) return
      changes = disk.changeCount
      crashes.push({ crashed: disk.crash(), owed: answered.length })
    }
    await putAgain(130, 2)
    assert.ok(crashes.length > 10)
    for (const { crashed, owed } of crashes) {
      const time = new SimTime(1_700_050_000_000)
      const store = await time.run(openSim(crashed, time, rolling))
      const { messages } = await readStore(store, rolling)
      assert.ok(messages.length >= owed, `${messages.length} of ${owed} are there`)
      messages.forEach(({ number }, at) => {
        assert.equal(number, at)
      })
      await time.run(store.close())
    }
  })

  test('a flush that fails while the other half is put refuses both halves, and neither is ever seen', async () => {
    const { disk, time, store, answered, putAgain } = await begin()
    await putAgain(200, 2)
    const stored = answered.length
    disk.inject({ on: 'flush', path: '/commitlog/', code: 'EIO' })
    const puts = Array.from({ length: 200 }, (_, n) => store.put(messageOf(n, 40, 2)))
    const outcomes = await time.run(Promise.allSettled(puts))
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && (outcome.reason as { code: string }).code === 'STORE_FAILED')
    }
    disk.faults.heal()
    const { maxOffset: even } = store.bounds('even', 0)
    const { maxOffset: odd } = store.bounds('odd', 3)
    assert.equal(even + odd, stored)
  })
})
