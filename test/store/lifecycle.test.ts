/** The life of a store: what every public method does when it is closing, closed or failed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStore } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bodies, checkCleanlyClosed, code, freshDisk, open, readQueue, root, tiny } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

/** How each public method is called; those that read a property of the store work in every state. */
const methods: Record<string, (store: MessageStore) => unknown> = {
  put: (store) => store.put({ topic: 'a', body: 'x' }),
  putBatch: (store) => store.putBatch([]),
  get: (store) => store.get({ topic: 'a', offset: 0 }),
  follow: (store) => store.follow({ topic: 'a', offset: 0 }),
  query: (store) => store.query({ topic: 'a', key: 'k' }),
  lookup: (store) => store.lookup({ commitLogOffset: 0 }),
  offsetByTime: (store) => store.offsetByTime('a', 0, 0),
  bounds: (store) => store.bounds('a'),
  queues: (store) => store.queues(),
  purge: (store) => store.purge('a'),
  deleteTopic: (store) => store.deleteTopic('a'),
  deleteExpired: (store) => store.deleteExpired(),
  keepFrom: (store) => store.keepFrom(async () => 0),
  standAt: (store) => store.standAt('192.0.2.1:10911'),
  flush: (store) => store.flush(),
  verify: (store) => store.verify(),
}
const always = [
  'delayLevelsMs',
  'directory',
  'constructor',
  'close',
  'status',
  'recovery',
  'metrics',
  'on',
  'replication',
  'storeHost',
  'brokerName',
  'retentionHours',
  'config',
]

async function refusesAll(store: MessageStore): Promise<void> {
  for (const [name, call] of Object.entries(methods)) {
    await assert.rejects(async () => await call(store), code('STORE_CLOSED'), name)
  }
}

describe('closing', () => {
  test('this test knows every public member', () => {
    for (const name of Object.getOwnPropertyNames(MessageStore.prototype))
      assert.ok(name in methods || always.includes(name), name)
  })

  test('every method is STORE_CLOSED on a closed store, and reading its state is not', async () => {
    const store = await open(freshDisk())
    await store.put({ topic: 'a', body: 'x' })
    await store.close()
    await refusesAll(store)
    assert.equal(store.status, 'closed')
    assert.equal(store.recovery.end, 0)
    assert.equal(typeof store.metrics.snapshot()['commitLogEnd'], 'number')
    store.on('closed', () => {})()
  })

  test('every method is STORE_CLOSED from the call of close on, while it is still at work', async () => {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, tiny, { disk })
    let release = (): void => {}
    disk.flushLatency = () => new Promise<void>((resolve) => (release = resolve))
    const before = store.put({ topic: 'a', body: 'before' })
    const closing = store.close()
    assert.equal(store.status, 'closing')
    await refusesAll(store)
    disk.flushLatency = undefined
    release()
    assert.equal((await before).status, 'PUT_OK')
    await closing
    assert.equal(store.status, 'closed')
  })

  test('what was put before close is there afterwards, acknowledged and durable, waiting for room or not', async () => {
    for (const flush of ['async', 'sync'] as const) {
      const disk = new SimDisk()
      const store = await MessageStore.open(root, { ...tiny, flush, maxPendingBytes: 4096 }, { disk })
      const puts = Array.from({ length: 40 }, (_, n) => store.put({ topic: 'a', body: String(n).padStart(400, '0') }))
      const outcomes = Promise.allSettled(puts)
      await store.close()
      const stored = (await outcomes).flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
      const refused = (await outcomes).flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
      for (const error of refused) code('STORE_CLOSED')(error)
      assert.ok(stored.length > 5)
      const crashed = disk.crash()
      await checkCleanlyClosed(crashed)
      const again = await MessageStore.open(root, { ...tiny, readOnly: true }, { disk: crashed })
      assert.deepEqual(bodies(await readQueue(again, 'a')).map(Number), stored)
      await again.close()
    }
  })

  test('close may be called any number of times, at once and later, and by asyncDispose', async () => {
    const store = await open(freshDisk())
    let closed = 0
    store.on('closed', () => closed++)
    await store.put({ topic: 'a', body: 'x' })
    await Promise.all([store.close(), store[Symbol.asyncDispose](), store.close()])
    await store.close()
    assert.equal(closed, 1)
  })

  test('close lets files, timers and the lock go', async () => {
    const disk = freshDisk()
    const time = new ManualTime()
    const store = await open(disk, {}, { clock: time, timers: time })
    await store.put({ topic: 'a', body: 'x', keys: 'k' })
    await store.close()
    assert.equal(time.pendingTimers, 0)
    await (await open(disk)).close()
  })

  test('a second store on the directory is STORE_LOCKED and changes nothing', async () => {
    const disk = freshDisk()
    const store = await open(disk)
    await assert.rejects(open(disk), code('STORE_LOCKED', root))
    await store.put({ topic: 'a', body: 'x' })
    await store.close()
    await checkCleanlyClosed(disk)
  })

  test('a listener that throws or closes the store harms no other', async () => {
    const store = await open(freshDisk())
    let told = 0
    store.on('closed', () => told++)
    const off = store.on('closed', () => assert.fail('taken off'))
    off()
    await store.close()
    assert.equal(told, 1)
  })
})

describe('a failed flush', () => {
  async function failing(flush: 'async' | 'sync'): Promise<{ disk: SimDisk; store: MessageStore; failed: unknown[] }> {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, { ...tiny, flush }, { disk })
    const failed: unknown[] = []
    store.on('failed', ({ error }) => failed.push(error))
    await store.put({ topic: 'a', body: 'good', keys: 'k' })
    await store.flush()
    disk.inject({ on: 'flush', path: 'commitlog', code: 'EIO' })
    return { disk, store, failed }
  }

  test('sync puts of the group are rejected with STORE_FAILED and are never visible', async () => {
    const { store, failed } = await failing('sync')
    const puts = [1, 2, 3].map((n) => store.put({ topic: 'a', body: `${n}` }))
    for (const put of await Promise.allSettled(puts)) code('STORE_FAILED')((put as PromiseRejectedResult).reason)
    assert.equal(store.status, 'failed')
    assert.equal(failed.length, 1)
    assert.deepEqual(bodies(await readQueue(store, 'a')), ['good'])
    await store.close()
  })

  test('nothing is written any more, everything that was stored is still read, and the next flush is not believed', async () => {
    const { disk, store } = await failing('async')
    await store.put({ topic: 'a', body: 'unknown' })
    await assert.rejects(store.flush(), code('STORE_FAILED'))
    const writes = disk.operationCount
    await assert.rejects(store.put({ topic: 'a', body: 'x' }), code('STORE_FAILED'))
    await assert.rejects(store.putBatch([{ topic: 'a', body: 'x' }]), code('STORE_FAILED'))
    await assert.rejects(store.flush(), code('STORE_FAILED'))
    assert.equal(disk.operationCount, writes)
    assert.equal((await store.get({ topic: 'a', offset: 0 })).messages.length, 2)
    assert.equal((await store.query({ topic: 'a', key: 'k' })).length, 1)
    await store.close()
    assert.equal(store.status, 'closed')
    const again = await MessageStore.open(root, tiny, { disk: disk.crash() })
    assert.equal(again.recovery.origin, 'crash')
    assert.deepEqual(bodies(await readQueue(again, 'a')), ['good'])
    await again.close()
  })

  test('a flush that fails in close is told, waiting puts are rejected, and the store is not marked as cleanly closed', async () => {
    for (const flush of ['async', 'sync'] as const) {
      const { disk, store } = await failing(flush)
      const put = store.put({ topic: 'a', body: 'x' })
      const outcome = put.then(
        () => 'stored',
        (error: unknown) => code('STORE_FAILED')(error) && 'refused',
      )
      await assert.rejects(store.close(), code('STORE_FAILED'))
      assert.equal(await outcome, flush === 'sync' ? 'refused' : 'stored')
      assert.equal(store.status, 'closed')
      const again = await MessageStore.open(root, tiny, { disk: disk.crash() })
      assert.equal(again.recovery.origin, 'crash')
      await again.close()
    }
  })

  test('a view that cannot be flushed in close is told, and the store is not marked as cleanly closed', async () => {
    for (const path of ['consumequeue', 'index']) {
      const disk = new SimDisk()
      const store = await MessageStore.open(root, tiny, { disk })
      await store.put({ topic: 'a', body: 'x', keys: 'k' })
      disk.inject({ on: 'flush', path, code: 'EIO' })
      await assert.rejects(store.close(), code('STORE_FAILED'), path)
      const again = await MessageStore.open(root, tiny, { disk: disk.crash() })
      assert.equal(again.recovery.origin, 'crash')
      assert.deepEqual(bodies(await readQueue(again, 'a')), ['x'])
      assert.equal((await again.query({ topic: 'a', key: 'k' })).length, 1)
      await again.close()
    }
  })
})

describe('a full disk', () => {
  test('a put without space is DISK_FULL, leaves nothing, and puts go on when there is space', async () => {
    const disk = new SimDisk()
    const time = new ManualTime()
    const store = await MessageStore.open(root, { ...tiny, flush: 'sync' }, { disk, clock: time, timers: time })
    const told: boolean[] = []
    store.on('diskFull', ({ full }) => told.push(full))
    await store.put({ topic: 'a', body: 'first' })
    disk.inject({ on: 'write', path: 'commitlog', code: 'ENOSPC', partialBytes: 50 })
    const writes = disk.operationCount
    for (let i = 0; i < 3; i++) await assert.rejects(store.put({ topic: 'a', body: 'no' }), code('DISK_FULL'))
    assert.ok(disk.operationCount > writes)
    assert.equal(store.status, 'open')
    assert.deepEqual(bodies(await readQueue(store, 'a')), ['first'])
    time.advance(200)
    await settled()
    assert.deepEqual(told, [true, false])
    const receipt = await store.put({ topic: 'a', body: 'second' })
    assert.equal(receipt.queueOffset, 1)
    assert.deepEqual(bodies(await readQueue(store, 'a')), ['first', 'second'])
    await store.close()
    await checkCleanlyClosed(disk)
  })

  test('when the torn rest of a write cannot be zeroed, the store stops and a restart cuts it', async () => {
    // The torn rest ends with the last byte of the born time, which a clock that runs makes zero once in 256 times.
    const disk = new SimDisk()
    const time = new ManualTime()
    const store = await MessageStore.open(root, tiny, { disk, clock: time, timers: time })
    await store.put({ topic: 'a', body: 'first' })
    disk.inject({ on: 'write', path: 'commitlog', code: 'ENOSPC', partialBytes: 48 })
    disk.inject({ on: 'write', path: 'commitlog', code: 'EIO', skip: 0 })
    await assert.rejects(store.put({ topic: 'a', body: 'no' }), code('STORE_FAILED'))
    assert.equal(store.status, 'failed')
    await assert.rejects(store.put({ topic: 'a', body: 'no' }), code('STORE_FAILED'))
    await store.close()
    const again = await MessageStore.open(root, tiny, { disk: disk.kill() })
    assert.deepEqual(bodies(await readQueue(again, 'a')), ['first'])
    assert.equal(again.recovery.cut?.to, again.recovery.end + 48)
    assert.equal((await again.put({ topic: 'a', body: 'second' })).queueOffset, 1)
    await again.close()
  })

  test('all puts of the turn are refused together, batches too, and offsets are given out again', async () => {
    const disk = new SimDisk()
    const time = new ManualTime()
    const store = await MessageStore.open(root, tiny, { disk, clock: time, timers: time })
    disk.inject({ on: 'write', path: 'commitlog', code: 'ENOSPC', partialBytes: 300 })
    const puts = [
      store.put({ topic: 'a', body: 'x' }),
      store.putBatch([
        { topic: 'b', body: 'y' },
        { topic: 'a', body: 'z' },
      ]),
      store.put({ topic: 'a', body: Buffer.alloc(3900) }),
    ]
    for (const outcome of await Promise.allSettled(puts)) code('DISK_FULL')((outcome as PromiseRejectedResult).reason)
    assert.equal(store.metrics.snapshot()['commitLogEnd'], 0)
    time.advance(200)
    await settled()
    const receipts = await store.putBatch([
      { topic: 'a', body: '0' },
      { topic: 'b', body: '0' },
    ])
    assert.deepEqual(
      receipts.map(({ queueOffset }) => queueOffset),
      [0, 0],
    )
    await store.close()
    await checkCleanlyClosed(disk)
  })

  test('without space for the watermark what is durable is acknowledged and kept, and puts wait until it is written', async () => {
    const disk = new SimDisk()
    const time = new ManualTime()
    const store = await MessageStore.open(root, { ...tiny, flush: 'sync' }, { disk, clock: time, timers: time })
    await store.put({ topic: 'a', body: 'first' })
    disk.inject({ on: 'write', path: 'ext/durable', code: 'ENOSPC', times: 3 })
    assert.equal((await store.put({ topic: 'a', body: 'second' })).status, 'PUT_OK')
    for (let probe = 0; probe < 3; probe++) {
      await assert.rejects(store.put({ topic: 'a', body: 'no' }), code('DISK_FULL'))
      const lost = await MessageStore.open(root, tiny, { disk: disk.crash() })
      assert.deepEqual(bodies(await readQueue(lost, 'a')), ['first', 'second'])
      assert.deepEqual(lost.recovery.corruption, [])
      await lost.close()
      time.advance(200)
      await settled()
    }
    assert.equal(store.status, 'open')
    assert.equal((await store.put({ topic: 'a', body: 'third' })).queueOffset, 2)
    await store.close()
    await checkCleanlyClosed(disk)
  })

  test('without space for the watermark to the end, a close leaves a store that recovers everything', async () => {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, { ...tiny, flush: 'sync' }, { disk })
    disk.inject({ on: 'write', path: 'ext/durable', code: 'ENOSPC', times: 99 })
    await store.put({ topic: 'a', body: 'first' })
    await store.close()
    const again = await MessageStore.open(root, tiny, { disk: disk.kill() })
    assert.equal(again.recovery.origin, 'crash')
    assert.deepEqual(bodies(await readQueue(again, 'a')), ['first'])
    await again.close()
  })

  test('without space for a newer watermark old segments are deleted all the same, which makes space', async () => {
    const time = new ManualTime()
    const disk = new SimDisk({ clock: time })
    const options = { ...tiny, flush: 'sync', retentionHours: 1, disk: { cleanAt: 0 } } as const
    const store = await MessageStore.open(root, options, { disk, clock: time, timers: time })
    for (let i = 0; i < 20; i++) await store.put({ topic: 'a', body: Buffer.alloc(1000) })
    // A round that sees which segments are full.
    time.advance(10_000)
    await settled(12)
    disk.inject({ on: 'write', path: 'ext/durable', code: 'ENOSPC', times: 9999 })
    await store.put({ topic: 'a', body: 'last' })
    for (let passed = 0; passed < 8; passed++) {
      time.advance(600_000)
      await settled(12)
    }
    assert.ok(store.bounds('a').minOffset > 10, String(store.bounds('a').minOffset))
    const { minOffset, maxOffset } = store.bounds('a')
    for (const found of [disk.crash(), disk.kill()]) {
      const again = await MessageStore.open(root, tiny, { disk: found })
      assert.deepEqual(again.recovery.corruption, [])
      assert.deepEqual(again.bounds('a'), { minOffset, maxOffset })
      await again.close()
    }
  })

  test('views without space do not stop the store', async () => {
    const disk = new SimDisk()
    const time = new ManualTime()
    const store = await MessageStore.open(root, tiny, { disk, clock: time, timers: time })
    await store.put({ topic: 'a', body: 'x', keys: 'k' })
    await store.flush()
    disk.inject({ on: ['write', 'create'], path: /consumequeue|index/, code: 'ENOSPC', times: 2 })
    time.advance(30_000)
    await settled()
    assert.equal(store.status, 'open')
    time.advance(200)
    await settled()
    await store.put({ topic: 'a', body: 'y', keys: 'k' })
    for (let i = 0; i < 300; i++) {
      time.advance(200)
      await settled(1)
    }
    assert.equal(store.status, 'open')
    assert.equal((await store.query({ topic: 'a', key: 'k' })).length, 2)
    await store.close()
    await checkCleanlyClosed(disk)
  })

  test('a store opened without space can be read, refuses puts with DISK_FULL, and opens in full when there is space', async () => {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, tiny, { disk })
    await store.put({ topic: 'a', body: 'x' })
    await store.close()
    disk.inject({ on: 'write', code: 'ENOSPC' })
    const full = await MessageStore.open(root, tiny, { disk })
    assert.equal(full.status, 'readOnly')
    assert.deepEqual(bodies(await readQueue(full, 'a')), ['x'])
    await assert.rejects(full.put({ topic: 'a', body: 'no' }), code('DISK_FULL', 'open it again'))
    await full.close()
    const again = await MessageStore.open(root, tiny, { disk })
    assert.equal(again.status, 'open')
    assert.deepEqual(bodies(await readQueue(again, 'a')), ['x'])
    await again.close()
  })
})
