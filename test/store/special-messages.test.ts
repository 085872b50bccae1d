/** Messages that the store treats in a way of their own: batches in one record, further queues, delays, WAIT. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Disk } from '../../lib/disk/disk.js'
import type { MemoryDisk } from '../../lib/disk/memory-disk.js'
import { encodeClientBatch } from '../../lib/format/client-batch.js'
import { SysFlag } from '../../lib/format/record.js'
import type { Message, MessageStore } from '../../lib/index.js'
import { IndexCheck } from '../../lib/store/checking/verify-index.js'
import type { Findings } from '../../lib/store/checking/verify-report.js'
import { writeConfig } from '../../lib/store/keeping/config-file.js'
import type { IndexView } from '../../lib/view/index-view.js'
import { settled } from '../support/manual-time.js'
import { bodies, code, freshDisk, open, openStore, readQueue, root } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'
import { filesIn } from '../support/small-store.js'

async function batchDisk<Kind extends Disk>(disk: Kind): Promise<Kind> {
  disk.makeDirectory(`${root}/config`)
  const attributes = { '+queue.type': 'BatchCQ' }
  await writeConfig(disk, `${root}/config/topics.json`, { topicConfigTable: { B: { attributes, topicName: 'B' } } })
  return disk
}

/** Log and index of messages, as RocketMQ would have written them on the batch topic. */
async function asRocketMq(messages: readonly Message[]): Promise<MemoryDisk> {
  const before = freshDisk()
  const store = await open(before)
  for (const message of messages) await store.put(message)
  await store.close()
  const disk = await batchDisk(freshDisk())
  for (const folder of ['commitlog', 'index']) disk.makeDirectory(`${root}/${folder}`)
  const paths = ['commitlog', 'index'].flatMap((folder) => filesIn(before, `${root}/${folder}`))
  for (const path of [...paths, `${root}/checkpoint`]) {
    const file = disk.open(path, { write: true, create: true })
    file.writeAt(before.bytesOf(path), 0)
    file.close()
  }
  return disk
}

const messages = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    topic: 'B',
    body: `m${from + n}`,
    tags: `t${(from + n) % 2}`,
    keys: [`k${from + n}`],
    flag: from + n,
  }))

async function checkBatches(store: MessageStore, count: number): Promise<void> {
  const found = await readQueue(store, 'B')
  assert.deepEqual(
    bodies(found),
    Array.from({ length: count }, (_, n) => `m${n}`),
  )
  found.forEach((message, n) => {
    assert.deepEqual(
      [message.queueOffset, message.tags, message.keys, message.flag, message.topic],
      [n, `t${n % 2}`, [`k${n}`], n, 'B'],
    )
  })
  assert.deepEqual(store.bounds('B'), { minOffset: 0, maxOffset: count })
  for (const n of [0, 4, count - 1]) assert.deepEqual(bodies(await store.query({ topic: 'B', key: `k${n}` })), [`m${n}`])
  const middle = await store.get({ topic: 'B', offset: 3, maxMessages: 3, tags: 't1' })
  assert.deepEqual(bodies(middle.messages), ['m3', 'm5', 'm7'])
  assert.equal(middle.nextOffset, 8)
  assert.deepEqual((await store.verify()).findings, [])
}

describe('a topic whose queue.type is BatchCQ', () => {
  test('gets one record for each batch, and gives the messages one by one', async (t) => {
    const store = await openStore(t, { disk: await batchDisk(freshDisk()) })
    const receipts = await store.putBatch(messages(0, 5))
    assert.deepEqual(
      receipts.map(({ queueOffset }) => queueOffset),
      [0, 1, 2, 3, 4],
    )
    assert.equal(new Set(receipts.map(({ commitLogOffset }) => commitLogOffset)).size, 1)
    assert.equal((await store.put(messages(5, 1)[0]!)).queueOffset, 5)
    await store.putBatch(messages(6, 4))
    await checkBatches(store, 10)
    assert.equal(await store.offsetByTime('B', 0, Date.now() + 10_000), 10)
    assert.equal(await store.offsetByTime('B', 0, 0), 0)
  })

  test('is looked at no further for one get than an ordinary queue is', async (t) => {
    const store = await openStore(t, { disk: await batchDisk(freshDisk()) })
    for (let from = 0; from < 1000; from += 8) await store.putBatch(messages(from, 8))
    const first = await store.get({ topic: 'B', offset: 0, tags: 'none' })
    assert.deepEqual([first.status, first.nextOffset, first.maxOffset], ['NO_MATCHED_MESSAGE', 800, 1000])
    const second = await store.get({ topic: 'B', offset: first.nextOffset, tags: 'none' })
    assert.deepEqual([second.status, second.nextOffset], ['NO_MATCHED_MESSAGE', 1000])
    const many = await store.get({ topic: 'B', offset: 0, tags: 'none', maxMessages: 900 })
    assert.equal(many.nextOffset, 904)
  })

  test('keeps its batches over clean closes, crashes, lost queue files and the roll-over of all files', async () => {
    let disk: SimDisk = await batchDisk(new SimDisk())
    let count = 0
    for (let round = 0; round < 12; round++) {
      const store = await open(disk, { flush: 'sync' })
      for (let n = 0; n < 4; n++) {
        await store.putBatch(messages(count, 3))
        count += 3
      }
      await checkBatches(store, count)
      if (round % 3 === 0) await store.close()
      else disk = disk.crash()
      if (round % 4 === 3) for (const name of ['views', 'clean']) disk.remove(`${root}/ext/${name}`)
    }
    const store = await open(disk)
    await checkBatches(store, count)
    await store.close()
  })

  test('keeps no message by its unique key alone, and finds the last batch by a later time', async (t) => {
    const store = await openStore(t, { disk: await batchDisk(freshDisk()) })
    await store.putBatch(messages(0, 3).map((message, n) => ({ ...message, uniqueKey: `u${n}` })))
    await store.putBatch(messages(3, 2))
    assert.deepEqual(bodies(await store.query({ topic: 'B', key: 'u0' })), ['m0'])
    assert.equal(await store.offsetByTime('B', 0, Date.now() + 10_000, 'upper'), 3)
    assert.ok((await store.verify()).ok)
  })

  test('takes a record that RocketMQ put without a batch for a batch of one, and makes no ConsumeQueue of it', async () => {
    const disk = await asRocketMq([{ topic: 'B', body: 'alone', tags: 'x', keys: ['k'] }])
    const store = await open(disk)
    await store.putBatch(messages(0, 2))
    assert.deepEqual(bodies(await readQueue(store, 'B')), ['alone', 'm0', 'm1'])
    assert.deepEqual((await store.verify()).findings, [])
    await store.close()
    assert.equal(disk.stat(`${root}/consumequeue/B`), undefined)
    const again = await open(disk)
    assert.deepEqual(bodies(await readQueue(again, 'B')), ['alone', 'm0', 'm1'])
    assert.deepEqual(bodies(await again.query({ topic: 'B', key: 'k' })), ['alone'])
    await again.close()
  })

  test('finds all messages of a batch by the id that RocketMQ lists it under', async () => {
    const property = (n: number) => Buffer.from(`KEYS\u0001k${n}\u0002`)
    const body = encodeClientBatch([0, 1].map((n) => ({ flag: n, body: Buffer.from(`m${n}`), properties: property(n) })))
    const properties = { UNIQ_KEY: 'batch-id', INNER_NUM: '2', INNER_BASE: '0' }
    const batch = { topic: 'B', body, sysFlag: SysFlag.innerBatch | SysFlag.needUnwrap, properties }
    const disk = await asRocketMq([batch])
    const store = await open(disk)
    assert.deepEqual(bodies(await readQueue(store, 'B')), ['m0', 'm1'])
    assert.deepEqual(bodies(await store.query({ topic: 'B', key: 'batch-id' })).sort(), ['m0', 'm1'])
    assert.deepEqual((await store.verify()).findings, [])
    await store.close()
  })

  test('finds all messages of a batch by the key that it was put with, also after a crash', async () => {
    const disk = await batchDisk(new SimDisk())
    const check = async (store: MessageStore): Promise<void> => {
      assert.deepEqual(bodies(await store.query({ topic: 'B', key: 'whole' })).sort(), ['m0', 'm1', 'm2'])
      await checkBatches(store, 9)
    }
    const store = await open(disk, { flush: 'sync' })
    await store.putBatch(messages(0, 3), 'whole')
    await store.putBatch(messages(3, 6))
    await check(store)
    const crashed = disk.crash()
    for (const name of ['views', 'clean']) crashed.remove(`${root}/ext/${name}`)
    const again = await open(crashed)
    await check(again)
    await again.close()
  })

  test('need not be listed under the keys of its single messages, but under those of its record', () => {
    const told: unknown[] = []
    const findings = { add: (kind: string) => told.push(kind) } as unknown as Findings
    const index = { files: [] } as unknown as IndexView
    const check = new IndexCheck({ index, findings, logStart: () => 0, logEnd: 1000, isDamaged: () => false })
    const place = { topic: 'B', queueId: 0, queueOffset: 0, size: 100, tagsCode: 0, storeTimestamp: 1 }
    const record = { ...place, sysFlag: SysFlag.innerBatch, innerKeys: ['k', 'k', 'other'] }
    check.record({ ...record, commitLogOffset: 0, keys: [] })
    assert.deepEqual(told, [])
    check.record({ ...record, commitLogOffset: 100, keys: ['k'] })
    assert.deepEqual(told, ['keyMissing'])
  })

  test('refuses a batch for several queues, and stores nothing of it', async (t) => {
    const store = await openStore(t, { disk: await batchDisk(freshDisk()) })
    const mixed = [...messages(0, 2), { topic: 'B', queueId: 1, body: 'x' }]
    await assert.rejects(store.putBatch(mixed), code('MESSAGE_ILLEGAL', 'B/1'))
    await assert.rejects(store.putBatch([{ topic: 'A', body: 'x' }, ...messages(0, 1)]), code('MESSAGE_ILLEGAL'))
    assert.equal(store.metrics.snapshot()['commitLogEnd'], 0)
  })

  test('whose file cannot be read is refused with the place of the fault, unless the spare copy can', async () => {
    const disk = await batchDisk(freshDisk())
    const path = `${root}/config/topics.json`
    await writeConfig(disk, path, { topicConfigTable: {} })
    const file = disk.open(path, { write: true })
    file.writeAt(Buffer.from('{"topicConfigTable":]'), 0)
    file.close()
    const store = await open(disk)
    assert.equal((await store.putBatch(messages(0, 2)))[1]!.commitLogOffset, 0)
    await store.close()
    disk.remove(`${path}.bak`)
    await assert.rejects(open(disk), code('STORE_INCOMPATIBLE', 'topics.json', 'line 1'))
  })
})

test('tags that no expression can name are stored as they are, as RocketMQ does', async (t) => {
  const store = await openStore(t)
  for (const tags of ['a || b', ' c ', 'a']) await store.put({ topic: 'a', body: tags, tags })
  const all = await store.get({ topic: 'a', offset: 0 })
  assert.deepEqual(
    all.messages.map((message) => message.tags),
    ['a || b', ' c ', 'a'],
  )
  assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 0, tags: 'a || b || c' })).messages), ['a'])
  assert.deepEqual(bodies((await store.get({ topic: 'a', offset: 0, tags: ['a || b', ' c '] })).messages), ['a || b', ' c '])
})

describe('a message with INNER_MULTI_DISPATCH', () => {
  test('is in every queue that it names, at the offset that its record says, over a restart too', async () => {
    const disk = new SimDisk()
    const store = await open(disk)
    for (let n = 0; n < 5; n++) {
      const names = n % 2 === 0 ? '%LMQ%x,%LMQ%y' : '%LMQ%x'
      await store.put({ topic: 'a', queueId: 1, body: `m${n}`, properties: { INNER_MULTI_DISPATCH: names } })
    }
    const check = async (from: MessageStore): Promise<void> => {
      assert.deepEqual(bodies(await readQueue(from, '%LMQ%x')), ['m0', 'm1', 'm2', 'm3', 'm4'])
      const y = await readQueue(from, '%LMQ%y')
      assert.deepEqual(bodies(y), ['m0', 'm2', 'm4'])
      assert.equal(y[2]!.properties['INNER_MULTI_QUEUE_OFFSET'], '4,2')
      assert.ok((await from.verify()).ok)
    }
    await check(store)
    await store.flush()
    const again = await open(disk.crash())
    await check(again)
    assert.equal((await again.put({ topic: '%LMQ%y', body: 'own' })).queueOffset, 3)
    await again.close()
  })

  test('wakes whoever waits for one of the further queues', async (t) => {
    const store = await openStore(t)
    const waiting = store.get({ topic: '%LMQ%z', offset: 0, waitMs: 60_000 })
    await store.put({ topic: 'a', body: 'm', properties: { INNER_MULTI_DISPATCH: '%LMQ%z' } })
    assert.deepEqual(bodies((await waiting).messages), ['m'])
  })

  test('is refused in a batch, and with a name that is no queue, and nothing is stored', async (t) => {
    const store = await openStore(t)
    const message = { topic: 'a', body: 'm', properties: { INNER_MULTI_DISPATCH: '%LMQ%z' } }
    await assert.rejects(store.putBatch([message, message]), code('MESSAGE_ILLEGAL', 'further queues'))
    const wrong = { ...message, properties: { INNER_MULTI_DISPATCH: '../x' } }
    await assert.rejects(store.put(wrong), code('MESSAGE_ILLEGAL', '../x'))
    assert.equal(store.metrics.snapshot()['commitLogEnd'], 0)
    assert.equal(store.bounds('%LMQ%z').maxOffset, 0)
  })
})

test('a delayed message has the time when it is due in its queue entry', async () => {
  const disk = freshDisk()
  const store = await open(disk)
  const { storeTimestamp } = await store.put({ topic: 'SCHEDULE_TOPIC_XXXX', queueId: 2, body: 'm', properties: { DELAY: '3' } })
  await store.close()
  const file = disk.open(`${root}/consumequeue/SCHEDULE_TOPIC_XXXX/2/${'0'.repeat(20)}`, {})
  const entry = Buffer.alloc(20)
  file.readAt(entry, 0)
  assert.equal(Number(entry.readBigInt64BE(12)), storeTimestamp + 10_000)
})

test('a put with WAIT=false is answered before the flush, and is visible after it', async (t) => {
  const disk = new SimDisk()
  const store = await openStore(t, { disk, options: { flush: 'sync' } })
  let release = (): void => {}
  disk.flushLatency = () => new Promise<void>((resolve) => (release = resolve))
  const slow = store.put({ topic: 'a', body: 'slow' })
  const receipt = await store.put({ topic: 'a', body: 'quick', properties: { WAIT: 'false' } })
  assert.equal(receipt.status, 'PUT_OK')
  await settled()
  assert.equal(store.bounds('a').maxOffset, 0)
  disk.flushLatency = undefined
  release()
  await slow
  assert.equal(store.bounds('a').maxOffset, 2)
})

describe('purging', () => {
  test('empties queues for good, deletes topics with their files, and survives the loss of all views', async () => {
    const disk = freshDisk()
    let store = await open(disk)
    for (let n = 0; n < 30; n++) for (const topic of ['a', 'b']) await store.put({ topic, queueId: n % 2, body: `${n}` })
    await store.purge('a', 0)
    await store.deleteTopic('b')
    assert.deepEqual(
      [store.bounds('a', 0), store.bounds('a', 1)],
      [
        { minOffset: 15, maxOffset: 15 },
        { minOffset: 0, maxOffset: 15 },
      ],
    )
    assert.equal((await store.put({ topic: 'b', body: 'new' })).queueOffset, 0)
    assert.equal((await store.put({ topic: 'a', body: 'next' })).queueOffset, 15)
    for (const lost of [[], ['ext/views'], ['ext/views', 'ext/clean', 'checkpoint']]) {
      assert.deepEqual(bodies(await readQueue(store, 'a', 0)), ['next'])
      assert.equal((await readQueue(store, 'a', 1)).length, 15)
      assert.deepEqual(bodies(await readQueue(store, 'b')), ['new'])
      assert.deepEqual(
        (await store.verify()).findings.filter(({ severity }) => severity === 'damage'),
        [],
      )
      await store.close()
      for (const name of lost) disk.remove(`${root}/${name}`)
      store = await open(disk)
    }
    assert.deepEqual(bodies(await readQueue(store, 'a', 0)), ['next'])
    await store.close()
  })
})
