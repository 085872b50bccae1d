/** Replication hooks: a primary and a replica in one process, with the bytes carried by the test. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageStore } from '../../lib/index.js'
import type { LogChunk } from '../../lib/replication/log-feed.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bad, bodies, code, freshDisk, open, openStore, readQueue, root } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

const replica = { role: 'replica' } as const

/** Carries everything that the primary has to the replica. @returns how far the replica is */
async function carry(
  from: MessageStore,
  to: MessageStore,
  maxBytes = 32_768,
): Promise<{ receivedEnd: number; flushedEnd: number }> {
  let progress = { receivedEnd: to.replication.end, flushedEnd: 0 }
  const end = from.metrics.snapshot()['commitLogEnd']!
  if (to.replication.end >= end) return progress
  for await (const chunk of from.replication.follow({ from: to.replication.end, maxBytes })) {
    progress = await to.replication.apply(chunk)
    if (to.replication.end >= end) break
  }
  return progress
}

async function fill(store: MessageStore, count: number, bodyBytes = 300): Promise<void> {
  for (let n = 0; n < count; n++) {
    const body = Buffer.alloc(bodyBytes + (n % 3) * 40, n)
    await store.put({ topic: n % 4 === 0 ? 'b' : 'a', queueId: n % 2, body, tags: `t${n % 3}`, keys: [`k${n}`] })
  }
}

function logBytes(disk: ReturnType<typeof freshDisk>): Buffer[] {
  return disk.list(`${root}/commitlog`).map(({ name }) => {
    const file = disk.open(`${root}/commitlog/${name}`, {})
    const bytes = Buffer.alloc(file.size())
    file.readAt(bytes, 0)
    return bytes
  })
}

describe('a replica', () => {
  for (const maxBytes of [7, 333, 32_768]) {
    test(`has the same log, queues and keys when pieces of ${maxBytes} bytes cut records anywhere`, async (t) => {
      const disks = [freshDisk(), freshDisk()] as const
      const primary = await openStore(t, { disk: disks[0] })
      const second = await openStore(t, { disk: disks[1], options: replica })
      await fill(primary, 40)
      await primary.putBatch([1, 2, 3].map((n) => ({ topic: 'a', body: `batch ${n}` })))
      const progress = await carry(primary, second, maxBytes)
      assert.equal(progress.receivedEnd, primary.metrics.snapshot()['commitLogEnd'])
      for (const [topic, queueId] of [
        ['a', 0],
        ['a', 1],
        ['b', 0],
      ] as const) {
        assert.deepEqual(second.bounds(topic, queueId), primary.bounds(topic, queueId))
        assert.deepEqual(bodies(await readQueue(second, topic, queueId)), bodies(await readQueue(primary, topic, queueId)))
      }
      assert.equal((await second.query({ topic: 'a', key: 'k7' })).length, 1)
      assert.ok((await second.verify()).ok)
      await primary.flush()
      await second.flush()
      assert.deepEqual(logBytes(disks[1]), logBytes(disks[0]))
    })
  }

  test('goes on where it was after a close, and after a crash in the middle of a record', async () => {
    const disk = new SimDisk()
    const primary = await open(freshDisk())
    await fill(primary, 10)
    let second = await open(disk, { ...replica, flush: 'sync' })
    await carry(primary, second)
    await second.close()
    await fill(primary, 10)
    second = await open(disk, { ...replica, flush: 'sync' })
    const feed = primary.replication.follow({ from: second.replication.end, maxBytes: 100 })
    for (let n = 0; n < 9; n++) await second.replication.apply((await feed.next()).value as LogChunk)
    const crashed = disk.crash()
    second = await open(crashed, replica)
    await carry(primary, second)
    assert.deepEqual(bodies(await readQueue(second, 'a', 1)), bodies(await readQueue(primary, 'a', 1)))
    assert.ok((await second.verify()).ok)
    await second.close()
    await primary.close()
  })

  test('refuses bytes that do not continue its log, and damaged ones; what came before them stays', async (t) => {
    const primary = await openStore(t)
    const second = await openStore(t, { options: replica })
    await fill(primary, 4)
    const feed = primary.replication.follow({ from: 0 })
    const { value } = await feed.next()
    const chunk = value as LogChunk
    await assert.rejects(second.replication.apply({ ...chunk, commitLogOffset: 5 }), code('REPLICA_DIVERGED', '5'))
    const first = (await primary.lookup({ commitLogOffset: 0 }))!.size
    const damaged = Buffer.from(chunk.bytes)
    damaged[first + 50]! ^= 1
    await assert.rejects(second.replication.apply({ ...chunk, bytes: damaged }), code('REPLICA_DIVERGED'))
    assert.equal(second.metrics.snapshot()['commitLogEnd'], first)
    const rest = { ...chunk, commitLogOffset: first, bytes: damaged.subarray(first) }
    await assert.rejects(second.replication.apply(rest), code('REPLICA_DIVERGED'))
    await carry(primary, second)
    assert.deepEqual(bodies(await readQueue(second, 'a', 1)), bodies(await readQueue(primary, 'a', 1)))
  })

  test('goes on at the refused record, also when the one before it came in two pieces', async (t) => {
    const primary = await openStore(t)
    const second = await openStore(t, { options: replica })
    await fill(primary, 4)
    const { value } = await primary.replication.follow({ from: 0 }).next()
    const chunk = value as LogChunk
    const first = (await primary.lookup({ commitLogOffset: 0 }))!.size
    const damaged = Buffer.from(chunk.bytes)
    damaged[first + 50]! ^= 1
    await second.replication.apply({ ...chunk, bytes: damaged.subarray(0, 50) })
    const rest = { ...chunk, commitLogOffset: 50, bytes: damaged.subarray(50) }
    await assert.rejects(second.replication.apply(rest), code('REPLICA_DIVERGED'))
    assert.equal(second.replication.end, first)
    await carry(primary, second)
    assert.deepEqual(bodies(await readQueue(second, 'a', 1)), bodies(await readQueue(primary, 'a', 1)))
  })

  test('takes no puts, and a primary takes no log', async (t) => {
    const primary = await openStore(t)
    const second = await openStore(t, { options: replica })
    await fill(primary, 1)
    await assert.rejects(second.put({ topic: 'a', body: 'x' }), code('STORE_READ_ONLY'))
    const chunk = (await primary.replication.follow({ from: 0 }).next()).value as LogChunk
    await assert.rejects(primary.replication.apply(chunk), code('STORE_READ_ONLY'))
  })

  test('that is empty begins where the primary does, at the start of a segment', async (t) => {
    const time = new ManualTime()
    const primary = await openStore(t, { options: { retentionHours: 1, deleteHour: 3 }, ports: { clock: time, timers: time } })
    await fill(primary, 30)
    time.advance(2 * 3_600_000)
    await primary.flush()
    time.advance(22 * 3_600_000)
    await settled()
    time.advance(11_000)
    await settled()
    await fill(primary, 3)
    const start = primary.metrics.snapshot()['commitLogStart']!
    assert.ok(start > 0, 'segments were deleted')
    await assert.rejects(primary.replication.follow({ from: 0 }).next(), code('REPLICA_DIVERGED', String(start)))
    const second = await openStore(t, { options: replica })
    for await (const chunk of primary.replication.follow({ from: start })) {
      await second.replication.apply(chunk)
      if (second.replication.end === primary.metrics.snapshot()['commitLogEnd']) break
    }
    assert.deepEqual(bodies(await readQueue(second, 'a', 1)), bodies(await readQueue(primary, 'a', 1)))
    assert.deepEqual(second.bounds('a', 1), primary.bounds('a', 1))
  })
})

describe('a put that asks for replicas', () => {
  const gated = { replication: { ack: 'received', timeoutMs: 1000 } } as const

  test('is rejected before anything is appended when too few are connected', async (t) => {
    const primary = await openStore(t, { options: gated })
    await assert.rejects(primary.put({ topic: 'a', body: 'x' }), code('REPLICAS_NOT_ENOUGH', '0 replicas'))
    assert.equal(primary.metrics.snapshot()['commitLogEnd'], 0)
    const link = primary.replication.connect('r1')
    link.close()
    await assert.rejects(primary.put({ topic: 'a', body: 'x' }), code('REPLICAS_NOT_ENOUGH'))
  })

  test('is stored and says SLAVE_NOT_AVAILABLE with degrade', async (t) => {
    const primary = await openStore(t, { options: { replication: { ...gated.replication, degrade: true } } })
    assert.equal((await primary.put({ topic: 'a', body: 'x' })).status, 'SLAVE_NOT_AVAILABLE')
    assert.equal(primary.bounds('a').maxOffset, 1)
  })

  test('waits for as many acknowledgements as asked for, of what was received or of what was flushed', async (t) => {
    for (const ack of ['received', 'flushed'] as const) {
      const primary = await openStore(t, { options: { replication: { ack, replicas: 2 } } })
      const links = ['r1', 'r2', 'r3'].map((name) => primary.replication.connect(name))
      let answered = false
      const put = primary.put({ topic: 'a', body: 'x' }).then((receipt) => {
        answered = true
        return receipt
      })
      await settled()
      const end = primary.metrics.snapshot()['commitLogEnd']!
      links[0]!.acknowledge({ receivedEnd: end, flushedEnd: end })
      links[1]!.acknowledge({ receivedEnd: ack === 'received' ? 0 : end, flushedEnd: 0 })
      await settled()
      assert.equal(answered, false)
      links[2]!.acknowledge({ receivedEnd: end, flushedEnd: ack === 'received' ? 0 : end })
      assert.equal((await put).status, 'PUT_OK')
      assert.equal(primary.replication.replicatedEnd, end)
    }
  })

  test('gets FLUSH_SLAVE_TIMEOUT when nobody acknowledges in time, and the message stays', async (t) => {
    const time = new ManualTime()
    const primary = await openStore(t, { options: gated, ports: { clock: time, timers: time } })
    primary.replication.connect('r1')
    const put = primary.put({ topic: 'a', body: 'x' })
    await settled()
    time.advance(1001)
    assert.equal((await put).status, 'FLUSH_SLAVE_TIMEOUT')
    assert.deepEqual(bodies(await readQueue(primary, 'a')), ['x'])
  })

  test('does not wait when the message says WAIT=false', async (t) => {
    const primary = await openStore(t, { options: gated })
    primary.replication.connect('r1')
    assert.equal((await primary.put({ topic: 'a', body: 'x', properties: { WAIT: 'false' } })).status, 'PUT_OK')
  })
})

test('an acknowledgement that goes back, or of bytes never sent, is refused', async (t) => {
  const primary = await openStore(t)
  await fill(primary, 2)
  const end = primary.metrics.snapshot()['commitLogEnd']!
  const link = primary.replication.connect('r1')
  link.acknowledge({ receivedEnd: end, flushedEnd: 10 })
  for (const [receivedEnd, flushedEnd] of [
    [end - 1, 10],
    [end + 1, 10],
    [end, 9],
    [end, end + 1],
    [2 ** 62, 0],
    [-1, 0],
    [Number.NaN, 0],
  ] as const) {
    assert.throws(() => link.acknowledge({ receivedEnd, flushedEnd }), bad(RangeError, 'r1'))
  }
  assert.deepEqual([link.receivedEnd, link.flushedEnd], [end, 10])
})

test('a replica whose log is as long and not the same is not fed', async (t) => {
  const primary = await openStore(t)
  const stranger = await openStore(t)
  const twin = await openStore(t, { options: replica })
  await fill(primary, 20)
  await fill(stranger, 20, 301)
  await carry(primary, twin)
  await fill(primary, 1)
  const from = twin.replication.end
  const tail = await twin.replication.digest(from - 500, from)
  assert.match(tail.digest, /^[0-9a-f]{16}$/)
  assert.equal(((await primary.replication.follow({ from, tail }).next()).value as LogChunk).commitLogOffset, from)
  const other = await stranger.replication.digest(from - 500, from)
  await assert.rejects(primary.replication.follow({ from, tail: other }).next(), code('REPLICA_DIVERGED', other.digest))
  await assert.rejects(primary.replication.follow({ from, tail: { ...tail, to: 2 ** 40 } }).next(), code('REPLICA_DIVERGED'))
  await assert.rejects(twin.replication.digest(0, 2 ** 40), bad(RangeError, 'no byte at'))
})

test('a replica that connects again under its name counts once', async (t) => {
  const primary = await openStore(t, { options: { replication: { ack: 'received', replicas: 2 } } })
  primary.replication.connect('r1')
  primary.replication.connect('r1')
  assert.equal(primary.replication.replicas.length, 1)
  await assert.rejects(primary.put({ topic: 'a', body: 'x' }), code('REPLICAS_NOT_ENOUGH', '1 replicas'))
})

test('under sync nothing is given to replicas that power loss could take from the primary', async (t) => {
  const disk = new SimDisk()
  const primary = await openStore(t, { disk, options: { flush: 'sync' } })
  let release = (): void => {}
  disk.flushLatency = () => new Promise<void>((resolve) => (release = resolve))
  const put = primary.put({ topic: 'a', body: 'x' })
  await settled()
  const next = primary.replication.follow({ from: 0 }).next()
  let fed = false
  void next.then(() => (fed = true))
  await settled()
  assert.equal(fed, false)
  disk.flushLatency = undefined
  release()
  await put
  assert.equal(((await next).value as LogChunk).commitLogOffset, 0)
})
