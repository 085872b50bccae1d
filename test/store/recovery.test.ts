/** Recovery: from any torn, cut or damaged state to a store that is right about what it has. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { MessageStore, type PutReceipt } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bodies, checkCleanlyClosed, code, flipLog, freshDisk, open, readQueue, root, tiny } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

const segment = (start: number): string => `${root}/commitlog/${String(start).padStart(20, '0')}`

/** A store that was killed: everything written is on the disk, nothing is closed. */
async function killed(
  count: number,
  bytes = 60,
  flush: 'async' | 'sync' = 'sync',
): Promise<{ disk: SimDisk; receipts: PutReceipt[] }> {
  const disk = new SimDisk()
  const store = await MessageStore.open(root, { ...tiny, flush, maxMessageBytes: 1 }, { disk }).then(async (first) => {
    await first.close()
    return MessageStore.open(root, { ...tiny, flush }, { disk })
  })
  const receipts = []
  for (let i = 0; i < count; i++) receipts.push(await store.put({ topic: 'a', body: `${i}`.padStart(bytes, '.'), keys: `k${i}` }))
  return { disk: disk.kill(), receipts }
}

/** Forgets that anything was flushed: what power loss does to a mark that was never flushed itself. */
function forgetMark(disk: MemoryDisk, mark: Uint8Array): void {
  disk.overwrite(`${root}/ext/durable`, 0, mark)
}

const numbers = (texts: readonly string[]): number[] => texts.map((text) => Number(text.replaceAll('.', '')))
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

describe('a torn tail', () => {
  test('a log torn at any byte opens with a prefix, keeps the cut bytes, and goes on with the next put', async () => {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, { ...tiny, flushIntervalMs: 3_600_000 }, { disk })
    const receipts: PutReceipt[] = []
    for (let i = 0; i < 5; i++) receipts.push(await store.put({ topic: 'a', body: `${i}`.padStart(40, '.'), keys: `k${i}` }))
    const { tree } = disk.kill().live.snapshot()
    const end = receipts[4]!.commitLogOffset + receipts[4]!.size
    const base = new SimDisk({ tree }).live.snapshot()
    // Each byte of the first record and of the last; those between are like them.
    const everyByte = (at: number): boolean => at < receipts[1]!.commitLogOffset || at >= receipts[4]!.commitLogOffset
    for (let at = 0; at <= end; at += everyByte(at) ? 1 : 3) {
      const torn = new SimDisk()
      torn.live.restore(base)
      torn.live.overwrite(segment(0), at, new Uint8Array(4096 - at))
      const lost = receipts.filter(({ commitLogOffset, size }) => commitLogOffset + size > at).length
      const again = await MessageStore.open(root, tiny, { disk: torn })
      assert.equal(again.status, 'open', `torn at ${at}`)
      assert.deepEqual(numbers(bodies(await readQueue(again, 'a'))), upTo(5 - lost), `torn at ${at}`)
      const { cut, end: newEnd } = again.recovery
      const isWhole = at === newEnd || torn.live.bytesOf(segment(0), newEnd, at).every((byte) => byte === 0)
      if (cut === undefined) assert.ok(isWhole || at === end, `torn at ${at}`)
      else {
        const kept = torn.live.bytesOf(cut.keptAs)
        assert.deepEqual(Buffer.from(kept), Buffer.from(disk.live.bytesOf(segment(0), cut.from, cut.to)), `torn at ${at}`)
        assert.ok(torn.live.bytesOf(segment(0), newEnd).every((byte) => byte === 0))
      }
      const next = await again.put({ topic: 'a', body: 'next', keys: 'next' })
      assert.deepEqual([next.queueOffset, next.commitLogOffset], [5 - lost, newEnd])
      assert.equal((await again.query({ topic: 'a', key: `k${5 - lost}` })).length, 0)
      await again.close()
      await checkCleanlyClosed(torn)
    }
  })

  test('recovery that is itself cut short at any operation ends in the same state', async () => {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, { ...tiny, flushIntervalMs: 3_600_000 }, { disk })
    for (let i = 0; i < 30; i++) await store.put({ topic: 'a', body: `${i}`.padStart(60, '.'), keys: `k${i}` })
    const left = disk.kill()
    left.live.overwrite(segment(4096), 100, Buffer.alloc(20, 255))
    left.settle()
    const tree = left.live.snapshot()
    const fresh = (): SimDisk => {
      const copy = new SimDisk()
      copy.live.restore(tree)
      return copy
    }
    const whole = fresh()
    const reference = await MessageStore.open(root, tiny, { disk: whole })
    const wanted = bodies(await readQueue(reference, 'a'))
    await reference.close()
    assert.ok(wanted.length > 0 && wanted.length < 30)
    let count = 0
    for (let stopAt = 0; ; stopAt++) {
      const interrupted = fresh()
      let image: SimDisk | undefined
      interrupted.onOperation = (_kind, _path, index) => {
        if (index === stopAt) image = interrupted.crash({ choose: { choose: (n) => (stopAt % 2 === 0 ? n - 1 : 0) } })
      }
      const first = await MessageStore.open(root, tiny, { disk: interrupted })
      if (image === undefined) break
      const second = await MessageStore.open(root, tiny, { disk: image })
      assert.deepEqual(second.recovery.corruption, [], `stopped at ${stopAt}`)
      assert.deepEqual(bodies(await readQueue(second, 'a')), wanted, `stopped at ${stopAt}`)
      await second.close()
      await first.close()
      count++
    }
    assert.ok(count > 30, String(count))
  })
})

describe('damage in what was durable', () => {
  test('a damaged record opens the store read-only with a report, and every other message is served', async () => {
    const { disk, receipts } = await killed(40)
    const bad = receipts[17]!
    flipLog(disk.live, bad.commitLogOffset + 95)
    for (let round = 0; round < 2; round++) {
      const store = await MessageStore.open(root, tiny, { disk })
      assert.equal(store.status, 'readOnly')
      assert.equal(store.recovery.corruption.length, 1)
      const [range] = store.recovery.corruption
      assert.deepEqual([range!.from, range!.to], [bad.commitLogOffset, receipts[18]!.commitLogOffset])
      await assert.rejects(store.put({ topic: 'a', body: 'x' }), code('STORE_CORRUPT', String(bad.commitLogOffset)))
      const seen = []
      for (let offset = 0; offset < 40; offset++) {
        if (offset === 17) await assert.rejects(store.get({ topic: 'a', offset }), code('STORE_CORRUPT'))
        else seen.push(...bodies((await store.get({ topic: 'a', offset, maxMessages: 1 })).messages))
        assert.equal((await store.query({ topic: 'a', key: `k${offset}` })).length, offset === 17 ? 0 : 1)
      }
      assert.deepEqual(
        numbers(seen),
        upTo(40).filter((n) => n !== 17),
      )
      assert.deepEqual(store.bounds('a'), { minOffset: 0, maxOffset: 40 })
      await store.close()
    }
  })

  test('durable records that vanished, at the end or in the middle, are corruption and not the end of the log', async () => {
    for (const [from, to] of [
      [39, 40],
      [10, 12],
    ] as const) {
      const { disk, receipts } = await killed(40)
      const start = receipts[from]!.commitLogOffset
      const end = receipts[to - 1]!.commitLogOffset + receipts[to - 1]!.size
      disk.live.overwrite(segment(start - (start % 4096)), start % 4096, new Uint8Array(end - start))
      const store = await MessageStore.open(root, tiny, { disk })
      assert.equal(store.status, 'readOnly')
      assert.equal(store.recovery.corruption[0]!.from, start)
      await store.close()
    }
  })

  test('a queue entry on the disk shows that its record was durable, this time and the next', async () => {
    const disk = new SimDisk()
    const first = await MessageStore.open(root, { ...tiny, flush: 'sync' }, { disk })
    const mark = Buffer.from(disk.live.bytesOf(`${root}/ext/durable`))
    const manifest =
      disk.live.stat(`${root}/ext/views`) === undefined ? undefined : Buffer.from(disk.live.bytesOf(`${root}/ext/views`))
    const receipts = []
    for (let i = 0; i < 12; i++) receipts.push(await first.put({ topic: 'a', body: `${i}`, keys: `k${i}` }))
    await first.close()
    // As if power had been lost between the flush of the queues and that of the marks.
    forgetMark(disk.live, mark)
    disk.live.remove(`${root}/ext/clean`)
    if (manifest === undefined) disk.live.remove(`${root}/ext/views`)
    disk.live.remove(`${root}/checkpoint`)
    disk.live.open(`${root}/abort`, { write: true, create: true }).close()
    flipLog(disk.live, receipts[5]!.commitLogOffset + 92)
    for (let round = 0; round < 3; round++) {
      const store = await MessageStore.open(root, tiny, { disk })
      assert.equal(store.recovery.origin, 'crash')
      assert.equal(store.status, 'readOnly', `round ${round}`)
      assert.equal(store.recovery.corruption[0]?.from, receipts[5]!.commitLogOffset)
      assert.match(store.recovery.corruption[0]!.evidence, /queue entry/)
      await store.close()
    }
  })
})

describe('views', () => {
  async function filled(): Promise<MemoryDisk> {
    const disk = freshDisk()
    const store = await open(disk)
    for (let i = 0; i < 60; i++) {
      await store.put({ topic: `t${i % 3}`, queueId: i % 2, body: `${i}`, keys: [`k${i % 7}`, 'all'], tags: i % 2 ? 'x' : 'y' })
    }
    await store.close()
    return disk
  }

  async function content(store: MessageStore): Promise<unknown> {
    const found: Record<string, unknown> = {}
    for (let t = 0; t < 3; t++) {
      for (let q = 0; q < 2; q++) {
        found[`${t}/${q}`] = [store.bounds(`t${t}`, q), bodies(await readQueue(store, `t${t}`, q))]
        found[`${t}/${q} x`] = bodies((await store.get({ topic: `t${t}`, queueId: q, offset: 0, tags: 'x' })).messages)
      }
      for (const key of ['all', ...upTo(7).map((k) => `k${k}`)])
        found[`${t} ${key}`] = bodies(await store.query({ topic: `t${t}`, key, maxMessages: 99 }))
    }
    return found
  }

  function removeUnder(disk: MemoryDisk, under: string): void {
    for (const path of disk.files()) if (path.startsWith(`${root}/${under}`)) disk.remove(path)
    const drop = (path: string): void => {
      for (const { name, kind } of disk.list(path)) if (kind === 'directory') drop(`${path}/${name}`)
      disk.remove(path)
    }
    if (disk.stat(`${root}/${under}`)?.kind === 'directory') drop(`${root}/${under}`)
  }

  test('whatever views, marks and hints are deleted, queues and index come back with the same content', async () => {
    const base = await filled()
    const reference = await open(base, { readOnly: true })
    const wanted = await content(reference)
    await reference.close()
    const snapshot = base.snapshot()
    const deletions = [
      ['consumequeue', 'index'],
      ['consumequeue'],
      ['index'],
      ['consumequeue/t1'],
      ['consumequeue/t2/1'],
      ['consumequeue/t0/0/00000000000000000000'],
      ['ext'],
      ['checkpoint'],
      ['ext/durable'],
      ['ext/clean'],
      ['ext/ranges'],
      ['ext/views'],
      ['ext/views', 'consumequeue'],
      ['ext', 'consumequeue', 'index', 'checkpoint'],
      ['ext/clean', 'checkpoint', 'lock'],
    ]
    for (const paths of deletions) {
      for (const endsWell of [true, false]) {
        const disk = freshDisk()
        disk.restore(snapshot)
        for (const path of paths) removeUnder(disk, path)
        const what = `without ${paths.join(', ')}, ${endsWell ? 'closed' : 'killed'}`
        const sim = new SimDisk({ tree: disk.tree })
        const store = await MessageStore.open(root, tiny, { disk: sim })
        assert.equal(store.status, 'open', what)
        assert.deepEqual(await content(store), wanted, what)
        if (endsWell) await store.close()
        const again = await MessageStore.open(root, tiny, { disk: endsWell ? sim : sim.kill() })
        assert.deepEqual(await content(again), wanted, `${what}, again`)
        assert.equal((await again.put({ topic: 't0', queueId: 0, body: 'more', keys: 'all' })).queueOffset, 10, what)
        assert.equal((await again.query({ topic: 't0', key: 'all', maxMessages: 99 })).length, 21, what)
        await again.close()
      }
    }
  })

  test('a kill at any time loses no hit of the index and no message of a queue', async () => {
    const disk = new SimDisk()
    const store = await MessageStore.open(root, tiny, { disk })
    for (let i = 0; i < 40; i++) {
      await store.put({ topic: 'a', body: `${i}`, keys: [`k${i}`, 'all', 'more'] })
      if (i % 7 === 3) await store.flush()
      const copy = new SimDisk({ tree: disk.crash({ choose: { choose: (n) => n - 1 } }).live.tree })
      const again = await MessageStore.open(root, tiny, { disk: copy })
      assert.equal((await again.query({ topic: 'a', key: 'all', maxMessages: 99 })).length, i + 1)
      assert.equal((await again.query({ topic: 'a', key: 'more', maxMessages: 99 })).length, i + 1)
      assert.deepEqual(numbers(bodies(await readQueue(again, 'a'))), upTo(i + 1))
      await again.close()
    }
    await store.close()
  })
})

test('a record whose keys were put after the last flush is found by all of them after the views were written and a kill', async () => {
  const disk = new SimDisk()
  const time = new ManualTime()
  const ports = { clock: time, timers: time }
  const first = await MessageStore.open(root, tiny, { disk, ...ports })
  await first.put({ topic: 'a', body: '' })
  await first.flush()
  await first.put({ topic: 'a', body: '', keys: ['k1', 'k2', 'k3'] })
  // All timers run before the flush of the log has ended: views are written up to what was durable before.
  time.advance(31_000)
  await settled(30)
  const again = await MessageStore.open(root, tiny, { disk: disk.kill(), ...ports })
  for (const key of ['k1', 'k2', 'k3']) assert.equal((await again.query({ topic: 'a', key })).length, 1, key)
  await again.close()
})

test('lost queue files are noticed even when a Java store may have written them', async () => {
  const disk = new SimDisk()
  const first = await MessageStore.open(root, tiny, { disk })
  for (let i = 0; i < 20; i++) await first.put({ topic: 'a', body: `${i}`, keys: 'k' })
  await first.close()
  // Without the checkpoint the marks of mqlite do not count, and files of queues have no sums.
  disk.live.remove(`${root}/checkpoint`)
  await (await MessageStore.open(root, tiny, { disk })).close()
  const tree = disk.live.snapshot()
  for (const name of ['00000000000000000000', '00000000000000000160', '00000000000000000320']) {
    const copy = new SimDisk()
    copy.live.restore(tree)
    copy.live.remove(`${root}/consumequeue/a/0/${name}`)
    const again = await MessageStore.open(root, tiny, { disk: copy })
    assert.deepEqual(numbers(bodies(await readQueue(again, 'a'))), upTo(20), name)
    await again.close()
  }
})

test('the report tells what was found and done, and the event carries the same', async () => {
  const { disk } = await killed(60)
  const progress: number[] = []
  const store = await MessageStore.open(
    root,
    { ...tiny, onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes) },
    { disk },
  )
  const { recovery } = store
  assert.equal(recovery.origin, 'crash')
  assert.equal(recovery.records, 60)
  assert.equal(recovery.end, store.metrics.snapshot()['commitLogEnd'])
  assert.ok(recovery.durationMs >= 0)
  assert.ok(progress.every((share) => share >= 0 && share <= 1))
  assert.ok(progress.length > 0)
  await store.close()
})

test('timestamps go on from the last record after a crash, whatever the clock says', async () => {
  const { disk, receipts } = await killed(5)
  const last = receipts[4]!.storeTimestamp
  const clock = { now: () => last - 1_000_000, monotonic: () => 0 }
  for (let round = 0; round < 3; round++) {
    const store = await MessageStore.open(root, { ...tiny, flush: 'sync' }, { disk: round === 0 ? disk : disk, clock })
    assert.ok((await store.put({ topic: 'a', body: 'x' })).storeTimestamp >= last)
    await store.close()
  }
})

test('a store whose whole log was deleted opens read-only with a report, and gives no address out again', async () => {
  const disk = freshDisk()
  const store = await open(disk)
  for (let n = 0; n < 30; n++) await store.put({ topic: 'a', body: `${n}`.padStart(300) })
  await store.close()
  for (const { name } of disk.list(`${root}/commitlog`)) disk.remove(`${root}/commitlog/${name}`)
  const again = await open(disk)
  assert.equal(again.status, 'readOnly')
  const [lost] = again.recovery.corruption
  assert.deepEqual([lost?.from, (lost?.to ?? 0) > 0], [0, true])
  assert.ok((await again.verify()).findings.some(({ kind }) => kind === 'recordsMissing'))
  await assert.rejects(again.put({ topic: 'a', body: 'x' }), code('STORE_CORRUPT'))
  await again.close()
})
