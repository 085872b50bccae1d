/** What the simulations found broken, each in the smallest form that shows it. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStoreError } from '../../lib/base/errors.js'
import { MemoryDisk } from '../../lib/disk/memory-disk.js'
import type { MessageStore } from '../../lib/store/message-store.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { CrashExplorer } from '../support/crash-explorer.js'
import { judge, storeImage } from '../support/flip-store.js'
import { root } from '../support/open-store.js'
import { type Chooser, Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { SimRun } from '../support/sim-run.js'
import { messageOf, openSim, ROOT, readStore, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'

const SYNC: StoreOptions = { ...TINY, flush: 'sync' }
const ASYNC: StoreOptions = { ...TINY, flush: 'async' }
const ALL: Chooser = { choose: (count) => count - 1 }
const NOTHING = { directories: 'any' } as const

/** A store on a new disk, with the means to put to it. */
async function start(options: StoreOptions, disk = new SimDisk()) {
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, options))
  let next = 0
  const put = (bytes: number) => time.run(store.put(messageOf(next++, bytes, 2)))
  const putBatch = (...sizes: number[]) => time.run(store.putBatch(sizes.map((bytes) => messageOf(next++, bytes, 2))))
  return { disk, time, store, put, putBatch }
}

/** The numbers of the messages that a store holds after it was opened on a disk. */
async function numbersOn(disk: SimDisk, options: StoreOptions): Promise<number[]> {
  const time = new SimTime(1_700_050_000_000)
  const store = await time.run(openSim(disk, time, options))
  assert.equal(store.status, 'open')
  const { messages } = await readStore(store, options)
  await time.run(store.close())
  return messages.map(({ number }) => number)
}

const hasCode = (code: string) => (error: unknown) => error instanceof MessageStoreError && error.code === code

/** Makes a file durable with no byte in it, as a crash leaves one whose name came to the disk and whose length did not. */
function emptied(disk: SimDisk, pattern: RegExp): SimDisk {
  const after = disk.crash({ choose: ALL })
  const path = after.live.files().find((file) => pattern.test(file))
  assert.ok(path !== undefined, `a file like ${pattern}`)
  const file = after.live.open(path, { write: true })
  file.resize(0)
  file.close()
  return after
}

describe('the log', () => {
  test('a blank is written although the next record alone fills the tail', async () => {
    const { disk, put } = await start(SYNC)
    await put(100)
    await put(3900)
    assert.deepEqual(await numbersOn(disk.crash(), SYNC), [0, 1])
  })

  test('a new store survives power loss with the directory that holds it', async () => {
    const { disk, put } = await start(SYNC)
    await put(100)
    assert.deepEqual(await numbersOn(disk.crash(NOTHING), SYNC), [0])
  })

  test('a log whose first segment never came to the disk is empty, not half', async () => {
    const { disk, time, put } = await start(ASYNC)
    disk.flushLatency = () => time.wait(1000)
    await put(100)
    await put(3900)
    assert.deepEqual(await numbersOn(emptied(disk, /commitlog\/0{20}$/), ASYNC), [])
  })

  test('a store that is only read shows nothing behind a first segment that never came to the disk', async () => {
    const { disk, time, put } = await start(ASYNC)
    disk.flushLatency = () => time.wait(1000)
    await put(100)
    await put(3900)
    const left = emptied(disk, /commitlog\/0{20}$/)
    const later = new SimTime()
    const store = await later.run(openSim(left, later, { ...ASYNC, readOnly: true }))
    const { status } = await store.get({ topic: 'odd', queueId: 3, offset: 0 })
    assert.equal(status, 'NO_MATCHED_LOGIC_QUEUE')
    await later.run(store.close())
  })

  test('what one turn appends beyond the bound is no proof of corruption', async () => {
    const { disk, time, store } = await start(ASYNC)
    disk.flushLatency = () => time.wait(1000)
    const puts = Array.from({ length: 12 }, (_, i) => store.put(messageOf(i, 1500, 2)))
    await time.run(puts[0]!)
    assert.deepEqual(await numbersOn(emptied(disk, /commitlog\/0{20}$/), ASYNC), [])
    await time.run(Promise.all(puts))
  })

  test('names that a process left unflushed are flushed by the next one before it relies on them', async () => {
    const { disk, put } = await start(ASYNC)
    await put(100)
    const next = disk.kill()
    const time = new SimTime()
    await time.run(openSim(next, time, ASYNC))
    assert.deepEqual(await numbersOn(next.crash(NOTHING), ASYNC), [0])
  })

  test('a missing segment below what was durable is corruption, and the rest is served', async () => {
    const { disk, time, store, put } = await start(SYNC)
    for (let i = 0; i < 5; i++) await put(3500)
    await time.run(store.close())
    disk.live.remove(`${ROOT}/commitlog/${'4096'.padStart(20, '0')}`)
    const opened = await time.run(openSim(disk, time, SYNC))
    assert.equal(opened.status, 'readOnly')
    const [gap] = opened.recovery.corruption
    assert.deepEqual({ from: gap?.from, to: gap?.to }, { from: 4096, to: 8192 })
    const { messages } = await opened.get({ topic: 'even', queueId: 0, offset: 1 })
    assert.deepEqual(
      messages.map(({ flag }) => flag),
      [2, 4],
    )
  })

  test('store times do not go back after a crash that recovery had nothing to read after', async () => {
    const { disk, time, store, put } = await start(SYNC)
    await put(10)
    let crashed: SimDisk | undefined
    disk.onOperation = (kind, path) => {
      if (kind === 'create' && path.endsWith('/checkpoint.tmp')) crashed ??= disk.crash()
    }
    await time.run(store.close())
    const earlier = new SimTime(1_600_000_000_000)
    let twice: SimDisk | undefined
    const between = crashed!
    between.onOperation = (kind, path) => {
      if (kind === 'flush' && path.endsWith('/abort')) twice ??= between.crash()
    }
    await earlier.run(openSim(between, earlier, SYNC))
    const again = await earlier.run(openSim(twice!, earlier, SYNC))
    await earlier.run(again.put(messageOf(1, 10, 2)))
    // It compares the times of neighbours.
    assert.equal((await readStore(again, SYNC)).messages.length, 2)
  })

  test('a reader shows nothing of a log whose first segment a crash took, now or later', async () => {
    const { disk, put } = await start(ASYNC)
    let crashed = disk
    disk.onOperation = (kind, path) => {
      if (kind === 'flushDirectory' && path.endsWith('/commitlog') && crashed === disk) crashed = disk.crash({ choose: ALL })
    }
    await put(1000)
    await put(3500)
    assert.notEqual(crashed, disk)
    crashed.live.remove(`${ROOT}/commitlog/${'0'.padStart(20, '0')}`)
    const time = new SimTime(1_700_050_000_000)
    const reader = await time.run(openSim(crashed, time, { ...ASYNC, readOnly: true }))
    for (let look = 0; look < 3; look++) {
      const found = await time.run(reader.query({ topic: 'odd', key: 'k1' }))
      assert.deepEqual([found.length, reader.bounds('odd', 3).maxOffset, reader.metrics.snapshot()['commitLogEnd']], [0, 0, 0])
      await time.pass(2000)
    }
    assert.deepEqual(await numbersOn(crashed, ASYNC), [])
  })

  test('flush covers puts that still wait for room', async () => {
    const { disk, time, store } = await start(ASYNC)
    const puts = Array.from({ length: 12 }, (_, i) => store.put(messageOf(i, 1500, 2)))
    await time.run(store.flush())
    assert.equal((await numbersOn(disk.crash(), ASYNC)).length, puts.length)
  })

  test('a batch of half the bound is taken, a larger one refused before anything of it is stored', async () => {
    const { store, putBatch } = await start({ ...SYNC, segmentBytes: 65_536, maxUnflushedBytes: 40_000, maxMessageBytes: 1000 })
    // Segments have room for a record of the largest size, which a batch may have in any case.
    await assert.rejects(putBatch(...Array.from({ length: 70 }, () => 950)), hasCode('MESSAGE_TOO_LARGE'))
    assert.equal(store.metrics.snapshot()['commitLogEnd'], 0)
  })
})

describe('the views', () => {
  test('an index file that a crash left empty is no obstacle', async () => {
    const { disk, time, put } = await start(SYNC)
    await put(100)
    let crashed: SimDisk | undefined
    disk.onOperation = (kind, path) => {
      if (kind === 'flush' && path.includes('/index/')) crashed ??= disk.crash({ choose: ALL })
    }
    await time.pass(31_000)
    assert.deepEqual(await numbersOn(emptied(crashed!, /index\/\d{17}$/), SYNC), [0])
  })

  test('a queue whose first file never came to the disk is made anew from the log', async () => {
    const { disk, put, store, time } = await start(SYNC)
    for (let i = 0; i < 12; i++) await put(10)
    let crashed: SimDisk | undefined
    disk.onOperation = (kind, path) => {
      if (kind === 'flush' && path.includes('consumequeue') && crashed === undefined) crashed = disk.crash({ choose: ALL })
    }
    await time.run(store.close())
    const left = emptied(crashed!, /even\/0\/0{20}$/)
    assert.equal((await numbersOn(left, SYNC)).length, 12)
  })

  test('what the disk held before, and shows where a queue file grew, is no corruption', async () => {
    const { disk, put, store, time } = await start(SYNC)
    await put(10)
    let crashed: SimDisk | undefined
    disk.onOperation = (kind, path) => {
      if (kind === 'flush' && path.includes('consumequeue')) crashed ??= disk.crash({ choose: ALL })
    }
    await time.run(store.close())
    const path = crashed!.live.files().find((file) => /even\/0\/0{20}$/.test(file))!
    const file = crashed!.live.open(path, { write: true })
    file.writeAt(Buffer.alloc(file.size(), 0x37), 0)
    file.close()
    assert.deepEqual(await numbersOn(crashed!, SYNC), [0])
  })

  test('a store that is only read makes no index file, though recovery fills one', async () => {
    const { disk, put } = await start(SYNC)
    for (let i = 0; i < 12; i++) await put(10)
    const left = disk.crash()
    const files = left.live.files()
    const time = new SimTime()
    const store = await time.run(openSim(left, time, { ...SYNC, readOnly: true }))
    assert.equal((await readStore(store, SYNC)).messages.length, 12)
    assert.deepEqual(left.live.files(), files)
  })

  test('a clock that was set back does not make a new index file search for its name', async () => {
    const { disk, time, put } = await start(SYNC)
    for (let i = 0; i < 6; i++) await put(10)
    time.wallStepMs -= 36_000_000
    const before = disk.operationCount
    for (let i = 0; i < 6; i++) await put(10)
    assert.ok(disk.operationCount - before < 200, `${disk.operationCount - before} operations of the disk`)
  })

  test('a gap behind the entries that were flushed does not have all queues made anew', async () => {
    const { disk, time, put } = await start(SYNC)
    for (let i = 0; i < 8; i++) await put(10)
    await time.pass(31_000)
    const left = disk.crash({ choose: ALL })
    // Of the two files that another flush had begun, only the second came to the disk.
    const file = left.live.open(`${ROOT}/consumequeue/even/0/${'160'.padStart(20, '0')}`, { write: true, create: true })
    file.resize(80)
    file.close()
    const later = new SimTime(1_700_050_000_000)
    const store = await later.run(openSim(left, later, SYNC))
    assert.ok(store.recovery.scannedFrom > 0, 'the log is not read from its beginning')
    assert.equal((await readStore(store, SYNC)).messages.length, 8)
  })

  test('a message put while the views are flushed is found by all its keys after a crash', async () => {
    const { disk, time, store, put } = await start(SYNC)
    await put(10)
    disk.flushLatency = () => time.wait(50)
    let crashed: SimDisk | undefined
    disk.onOperation = (kind, path) => {
      if (kind === 'write' && path.endsWith('/checkpoint.tmp')) crashed ??= disk.crash()
    }
    await time.pass(29_990)
    const second = store.put(messageOf(3, 10, 1))
    await time.pass(1000)
    await second
    assert.deepEqual(await numbersOn(crashed!, SYNC), [0, 3])
  })

  test('an index file that had no space for its slots has each entry once', async () => {
    const { disk, time, store, put } = await start(SYNC)
    await put(10)
    await put(10)
    disk.inject({ on: 'write', path: '/index/', code: 'ENOSPC', skip: 1 })
    await time.pass(31_000)
    await time.pass(60_000)
    await put(10)
    const { messages } = await readStore(store, SYNC)
    assert.equal(messages.length, 3)
    await time.run(store.close())
    assert.deepEqual(await numbersOn(disk, SYNC), [0, 1, 2])
  })
})

describe('a failing disk', () => {
  test('a message refused for want of space does not come back after power loss', async () => {
    const { disk, put, putBatch } = await start(SYNC)
    await put(10)
    // The first message of the batch reaches the disk whole.
    disk.inject({ on: 'write', path: '/commitlog/', code: 'ENOSPC', partialBytes: 600 })
    await assert.rejects(putBatch(200, 200, 200), hasCode('DISK_FULL'))
    // Also what each sector was between the write and the zeros.
    const once: Chooser = { choose: (count) => Math.min(1, count - 1) }
    for (const choose of [ALL, once, first(1), first(2), first(3)])
      assert.deepEqual(await numbersOn(disk.crash({ choose }), SYNC), [0])
  })

  test('what the disk refuses a reader is told in an error of the store', async () => {
    const { disk, time, store: before, put } = await start(SYNC)
    await put(10)
    await time.run(before.close())
    const store = await time.run(openSim(disk, time, SYNC))
    disk.inject({ on: 'read', path: '/commitlog/', code: 'EIO', times: Number.POSITIVE_INFINITY })
    await assert.rejects(store.query({ topic: 'even', key: 'k0' }), hasCode('DISK_ERROR'))
    await assert.rejects(store.get({ topic: 'even', queueId: 0, offset: 0 }), hasCode('DISK_ERROR'))
  })

  test('a put that finds the disk full is answered although the space cannot be asked for', async () => {
    const { disk, put } = await start(SYNC)
    await put(10)
    disk.inject({ on: 'write', path: '/commitlog/', code: 'ENOSPC' })
    disk.inject({ on: 'space', code: 'EIO' })
    await assert.rejects(put(10), hasCode('DISK_FULL'))
  })

  test('an opening that fails leaves no file open', async () => {
    for (let skip = 0; skip < 60; skip++) {
      const disk = new SimDisk()
      disk.inject({ code: 'EIO', skip })
      const time = new SimTime()
      const opened = await time.run(openSim(disk, time, SYNC)).catch(() => undefined)
      await time.run(opened?.close().catch(() => {}) ?? Promise.resolve())
      assert.equal(disk.openHandles, 0, `after operation ${skip}`)
    }
  })

  test('upkeep that could not read goes on in the next round, and queues begin where the log does', async () => {
    const { disk, time, store, put } = await start(SYNC)
    for (let i = 0; i < 10; i++) await put(3000)
    await time.pass(31_000)
    time.skip(3_700_000)
    const fault = disk.inject({ on: 'read', path: '/consumequeue/', code: 'EACCES' })
    await time.pass(10_500)
    assert.equal(disk.faults.struck(fault), 1)
    assert.equal(store.status, 'open')
    await time.pass(10_500)
    await beginsWithLog(store)
  })
})

/** Of each choice the first so many happen. */
function first(count: number): Chooser {
  let step = 0
  return { choose: (alternatives) => (step++ < count ? alternatives - 1 : 0) }
}

async function beginsWithLog(store: MessageStore): Promise<void> {
  const { messages } = await readStore(store, SYNC)
  assert.ok(messages.length > 0)
  assert.equal(messages[0]?.commitLogOffset, store.metrics.snapshot()['commitLogStart'])
}

test('times in a damaged checkpoint, which look like those of a Java store, hide no queue entry', async () => {
  const image = await storeImage('killed')
  const disk = new MemoryDisk()
  disk.restore(image.snapshot)
  const path = `${root}/checkpoint`
  const times = Buffer.from(disk.bytesOf(path, 0, 24))
  for (const at of [0, 8]) times.writeBigInt64BE(times.readBigInt64BE(at) + 31_536_000_000n, at)
  disk.overwrite(path, 0, times)
  assert.deepEqual(await judge(disk, image, () => false), { outcome: 'intact', wrong: undefined, dropped: undefined })
})

test('a segment that became full by a message that had to wait may expire, and is durable before it is deleted', async () => {
  const store = { ...ASYNC, maxUnflushedBytes: 4096 } as const
  const explorer = new CrashExplorer({ store: { ...store, flush: 'async' }, random: new Random(1), exhaustive: 1, samples: 1 })
  const run = new SimRun({ store: { ...store, flush: 'async' }, queues: 2, flushLatencyMs: () => 20 })
  await run.put([3000])
  await run.put([3695])
  await run.beginPut([300, 300])
  const detach = explorer.attach(run.disk, run.oracle)
  await run.expire()
  detach()
  await explorer.drain(run.oracle)
  await run.close()
  run.abandon()
})
