/** What must have reached the disk before the next step is taken, looked at in the moment after each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeIndexHeader, entryPosition, slotPosition } from '../../lib/format/index-layout.js'
import { segmentName } from '../../lib/format/names.js'
import { readMark } from '../../lib/log/marks.js'
import { Bookkeeping } from '../../lib/store/keeping/bookkeeping.js'
import { layoutOf } from '../../lib/store/layout.js'
import type { StoreOptions } from '../../lib/store/options.js'
import { Random } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { changingKinds } from '../support/sim-faults.js'
import { checkpoint, deleteExpired, messageOf, openSim, ROOT, readStore, TINY } from '../support/sim-store.js'
import { SimTime } from '../support/sim-time.js'

const ASYNC: StoreOptions = { ...TINY, flush: 'async' }
const SYNC: StoreOptions = { ...TINY, flush: 'sync' }
const LOG = `${ROOT}/commitlog/${segmentName(0)}`

async function start(options: StoreOptions) {
  const disk = new SimDisk()
  const time = new SimTime()
  const store = await time.run(openSim(disk, time, options))
  let next = 0
  const put = (bytes: number) => time.run(store.put(messageOf(next++, bytes, 2)))
  return { disk, time, store, put }
}

async function numbersOf(disk: SimDisk, options: StoreOptions): Promise<number[]> {
  const time = new SimTime(1_700_050_000_000)
  const store = await time.run(openSim(disk, time, options))
  assert.equal(store.status, 'open')
  return (await readStore(store, options)).messages.map(({ number }) => number)
}

/** What a killed process left: a durable message, and two that are not, of which the first is damaged. */
async function torn(): Promise<{ disk: SimDisk; end: number }> {
  const { disk, time, store, put } = await start(ASYNC)
  const { commitLogOffset, size } = await put(100)
  await time.run(store.flush())
  disk.flushLatency = () => time.wait(100_000)
  await put(300)
  await put(600)
  const left = disk.kill()
  left.flushLatency = undefined
  left.settle()
  const end = commitLogOffset + size
  left.rot(LOG, end + 100, 1)
  return { disk: left, end }
}

describe('recovery', () => {
  test('has zeros on the disk where it cut, before the store can be used', async () => {
    const { disk, end } = await torn()
    assert.deepEqual(await numbersOf(disk, ASYNC), [0])
    const rest = disk.crash().live.bytesOf(LOG, end)
    assert.ok(rest.length > 1000 && rest.every((byte) => byte === 0))
  })

  test('has a copy of what it cuts on the disk, with its name, before it overwrites a byte', async () => {
    const { disk, end } = await torn()
    const before = Buffer.from(disk.live.bytesOf(LOG, end))
    let copies: string[] | undefined
    disk.onOperation = (kind, path) => {
      if (kind !== 'write' || path !== LOG || copies !== undefined) return
      const { live } = disk.crash({ directories: 'any' })
      copies = live.files().filter((file) => file.includes('/ext/cut-'))
      const [copy = new Uint8Array()] = copies.map((file) => live.bytesOf(file))
      assert.ok(copy.length > 900 && before.subarray(0, copy.length).equals(copy))
    }
    assert.deepEqual(await numbersOf(disk, ASYNC), [0])
    assert.equal(copies?.length, 1)
  })

  test('brings to the disk what a failed flush left in the page cache alone, before anybody reads it', async () => {
    const { disk, time, store, put } = await start(ASYNC)
    await put(100)
    await time.run(store.flush())
    await put(200)
    disk.inject({ on: 'flush', path: '/commitlog/', code: 'EIO' })
    await assert.rejects(time.run(store.flush()))
    const next = disk.kill()
    assert.deepEqual(await numbersOf(next, ASYNC), [0, 1])
    assert.deepEqual(await numbersOf(next.crash(), ASYNC), [0, 1])
  })

  test('takes intact records further on than could be under way for proof that a damaged one was durable', async () => {
    const { disk, put } = await start(SYNC)
    for (let n = 0; n < 8; n++) await put(3500)
    // Power is lost: the log is whole, and the watermark is that of the opening.
    const left = disk.crash()
    left.rot(LOG, 200, 1)
    const time = new SimTime(1_700_050_000_000)
    const store = await time.run(openSim(left, time, SYNC))
    assert.equal(store.status, 'readOnly')
    assert.match(store.recovery.corruption[0]!.evidence, /^an intact record at \d+ that had been flushed$/)
    assert.ok(store.recovery.end > 7 * 4096)
    await time.run(store.close())
  })
})

describe('acknowledging', () => {
  test('waits for the flush that covers a message, not for the one that ran when it was written', async () => {
    const { disk, time, store } = await start(SYNC)
    const answered: number[] = []
    const put = (number: number) => store.put(messageOf(number, 100, 2)).then(() => answered.push(number))
    // With it the names of new files, so that one flush is all that the next ones take.
    await time.run(put(0))
    disk.flushLatency = () => time.wait(50)
    const puts = [put(1)]
    await time.pass(30)
    puts.push(put(2))
    await time.pass(40)
    assert.deepEqual(answered, [0, 1])
    assert.deepEqual(await numbersOf(disk.crash(), SYNC), [0, 1])
    await time.run(Promise.all(puts))
    assert.deepEqual(await numbersOf(disk.crash(), SYNC), [0, 1, 2])
  })
})

describe('marks', () => {
  test('are on the disk, whole, when a store has been opened for the first time', async () => {
    const { disk } = await start(SYNC)
    for (const directories of ['any', 'ordered'] as const) {
      assert.equal(readMark(disk.crash({ directories }), `${ROOT}/ext/durable`, 'durable')?.logEnd, 0)
    }
  })

  test('a clean mark from before, as a copy of the directory may bring back, does not turn a torn write into damage', async () => {
    const { disk, time, store, put } = await start(SYNC)
    const { size } = await put(100)
    await time.run(store.close())
    const clean = `${ROOT}/ext/clean`
    const mark = Buffer.from(disk.live.bytesOf(clean))
    const again = await time.run(openSim(disk, time, { ...ASYNC, flushIntervalMs: 3_600_000 }))
    for (const number of [1, 2]) await time.run(again.put(messageOf(number, 100, 2)))
    const left = disk.kill()
    left.settle()
    left.live.open(clean, { write: true, create: true }).writeAt(mark, 0)
    left.live.remove(`${ROOT}/abort`)
    left.rot(LOG, size + 100, 1)
    assert.deepEqual(await numbersOf(left, ASYNC), [0])
  })

  test('store times do not go back after power loss at any step of a checkpoint, though the clock does', async () => {
    const { disk, time, put } = await start(SYNC)
    await put(100)
    await time.pass(5000)
    const { storeTimestamp } = await put(100)
    const crashes: SimDisk[] = []
    disk.onOperation = (kind) => {
      if (changingKinds.has(kind)) crashes.push(disk.crash(), disk.crash({ choose: { choose: (count) => count - 1 } }))
    }
    await checkpoint(time)
    assert.ok(crashes.length >= 20)
    for (const crash of crashes) {
      const early = new SimTime(storeTimestamp - 3_600_000)
      const store = await early.run(openSim(crash, early, SYNC))
      const receipt = await early.run(store.put(messageOf(2, 100, 2)))
      assert.ok(receipt.storeTimestamp >= storeTimestamp)
    }
  })

  test('a record that is only written does not count as durable', () => {
    const disk = new SimDisk()
    const times = { physicMs: 1, logicsMs: 1, indexMs: 1 }
    const fixed = { viewsEnd: 0, ranges: [], recordCrc: true, unflushedBound: 0, processId: 1, manifest: () => undefined }
    const books = new Bookkeeping({ disk, layout: layoutOf(ROOT), checkpoint: times, ...fixed })
    books.wrote(100, 1000)
    books.wrote(200, 2000)
    books.durable(100)
    assert.equal(books.durableMs, 1000)
    books.durable(200)
    assert.equal(books.durableMs, 2000)
  })
})

describe('a flush of the views', () => {
  test('writes nothing to the index of records that are not durable, and no slot points past what it wrote', async () => {
    const { disk, time, store, put } = await start({ ...ASYNC, flushIntervalMs: 3_600_000 })
    const { commitLogOffset: last } = await put(100)
    await time.run(store.flush())
    await put(100)
    await put(100)
    await time.pass(31_000)
    const [path = ''] = disk.live.files().filter((file) => file.startsWith(`${ROOT}/index/`))
    const bytes = Buffer.from(disk.live.bytesOf(path))
    const { indexCount, endCommitLogOffset } = decodeIndexHeader(bytes)
    // Two keys of one message, behind the entry that stands for none.
    assert.deepEqual([indexCount, endCommitLogOffset], [3, last])
    const { slots } = TINY.index as { slots: number }
    const values = Array.from({ length: slots }, (_, slot) => bytes.readInt32BE(slotPosition(slot)))
    assert.deepEqual(values.filter((value) => value > 0).sort(), [1, 2])
    assert.ok(bytes.subarray(entryPosition(slots, indexCount)).every((byte) => byte === 0))
    await time.run(store.close())
  })
})

describe('closing', () => {
  test('leaves no mark of a clean close when a flush of the views fails meanwhile', async () => {
    const { disk, time, store, put } = await start(SYNC)
    await put(100)
    disk.flushLatency = () => time.wait(50)
    const fault = disk.inject({ on: 'flush', path: '/consumequeue/', code: 'EIO' })
    await time.pass(30_020)
    assert.equal(disk.faults.struck(fault), 0)
    await assert.rejects(time.run(store.close()), /EIO/)
    assert.equal(disk.faults.struck(fault), 1)
    assert.equal(disk.live.stat(`${ROOT}/ext/clean`), undefined)
    assert.deepEqual(await numbersOf(disk.crash(), SYNC), [0])
  })
})

describe('deleting', () => {
  test('leaves no gap and no doubt, whichever of the names that are gone a crash brings back', async () => {
    const { disk, time, put } = await start(SYNC)
    for (let n = 0; n < 5; n++) await put(3500)
    const random = new Random(1)
    const crashes: SimDisk[] = []
    disk.onOperation = (kind) => {
      if (kind === 'remove' || kind === 'flushDirectory')
        for (let n = 0; n < 10; n++) crashes.push(disk.crash({ random, directories: 'any' }))
    }
    await deleteExpired(time)
    disk.onOperation = undefined
    assert.ok(crashes.length >= 80)
    for (const crash of [...crashes, disk.crash()]) assert.equal((await numbersOf(crash, SYNC)).at(-1), 4)
  })

  test('takes no segment as long as what stands behind it is not durable', async () => {
    const { disk, time, store, put } = await start({ ...ASYNC, flushIntervalMs: 3_600_000, maxUnflushedBytes: 65_536 })
    for (let n = 0; n < 4; n++) await put(3500)
    await deleteExpired(time)
    assert.equal(store.metrics.snapshot()['commitLogStart'], 0)
    await time.run(store.flush())
    await deleteExpired(time)
    assert.equal(store.metrics.snapshot()['commitLogStart'], 3 * 4096)
    assert.deepEqual(await numbersOf(disk.crash(), ASYNC), [3])
  })
})

describe('opening for writing', () => {
  test('changes nothing of a store that is open already, whatever it could recover there', async () => {
    const { disk, time, store, put } = await start(ASYNC)
    await put(100)
    disk.onOperation = (kind, path) => assert.ok(!changingKinds.has(kind), `${kind} ${path}`)
    await assert.rejects(openSim(disk, new SimTime(), ASYNC), { code: 'STORE_LOCKED' })
    disk.onOperation = undefined
    await time.run(store.close())
  })

  test('has taken the mark of the clean close off the disk before the store can be used', async () => {
    const { disk, time, store, put } = await start(SYNC)
    await put(100)
    await time.run(store.close())
    const clean = `${ROOT}/ext/clean`
    assert.notEqual(disk.live.stat(clean), undefined)
    await time.run(openSim(disk, time, SYNC))
    for (const directories of ['any', 'ordered'] as const) assert.equal(disk.crash({ directories }).live.stat(clean), undefined)
  })
})

describe('a write that the disk fails', () => {
  test('stops the store with EIO, and does not with ENOSPC', async () => {
    for (const [code, status] of [
      ['EIO', 'failed'],
      ['ENOSPC', 'open'],
    ] as const) {
      const { disk, time, store, put } = await start(SYNC)
      await put(100)
      disk.inject({ on: 'write', path: '/commitlog/', code })
      await assert.rejects(put(100))
      assert.equal(store.status, status)
      await time.run(store.close())
    }
  })
})
