/** Putting: what a receipt says, what is stored, what is copied, and what waits. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MessageStore, type PutReceipt } from '../../lib/index.js'
import { putFor } from '../../lib/store/message-store.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bodies, code, freshDisk, open, openStore, readQueue } from '../support/open-store.js'
import { SimDisk } from '../support/sim-disk.js'

describe('receipts', () => {
  test('a receipt says where the message is, and looking there finds it', async (t) => {
    const time = new ManualTime()
    const store = await openStore(t, { ports: { clock: time } })
    const first = await store.put({ topic: 'orders', body: 'one' })
    const second = await store.put({ topic: 'orders', body: 'two' })
    assert.equal(first.status, 'PUT_OK')
    assert.deepEqual([first.topic, first.queueId, first.queueOffset, first.commitLogOffset], ['orders', 0, 0, 0])
    assert.deepEqual([second.queueOffset, second.commitLogOffset], [1, first.size])
    assert.equal(first.storeTimestamp, time.now())
    for (const receipt of [first, second]) {
      for (const target of [receipt.messageId, { commitLogOffset: receipt.commitLogOffset }]) {
        const message = await store.lookup(target)
        assert.equal(message?.queueOffset, receipt.queueOffset)
        assert.equal(message?.size, receipt.size)
        assert.equal(message?.messageId, receipt.messageId)
      }
    }
  })

  test('a receipt becomes plain JSON with its message id', async (t) => {
    const store = await openStore(t)
    const receipt = await store.put({ topic: 'a', body: 'x' })
    const { messageId, status, queueOffset } = JSON.parse(JSON.stringify(receipt)) as Record<string, unknown>
    assert.deepEqual([messageId, status, queueOffset], [receipt.messageId, 'PUT_OK', 0])
  })

  test('queues of a topic count by themselves, and so do topics', async (t) => {
    const store = await openStore(t)
    const offsets = []
    for (const [topic, queueId] of [
      ['a', 0],
      ['a', 1],
      ['b', 0],
      ['a', 0],
      ['a', 2147483647],
      ['b', 0],
    ] as const) {
      offsets.push((await store.put({ topic, queueId, body: 'x' })).queueOffset)
    }
    assert.deepEqual(offsets, [0, 0, 0, 1, 0, 1])
  })

  test('store timestamps never go back, whatever the clock does, not even over a restart', async (t) => {
    const time = new ManualTime()
    const disk = freshDisk()
    const store = await open(disk, {}, { clock: time })
    const early = await store.put({ topic: 'a', body: 'x' })
    time.setWall(time.now() - 60_000)
    const later = await store.put({ topic: 'a', body: 'y' })
    await store.close()
    assert.equal(later.storeTimestamp, early.storeTimestamp)
    const again = await openStore(t, { disk, ports: { clock: time } })
    assert.equal((await again.put({ topic: 'a', body: 'z' })).storeTimestamp, early.storeTimestamp)
  })
})

describe('what is stored', () => {
  test('every field of a message comes back as it was put', async (t) => {
    const store = await openStore(t)
    const body = Buffer.from([0, 1, 2, 255])
    await store.put({
      topic: 'full',
      queueId: 3,
      body,
      tags: 'täg',
      keys: ['k1', 'ключ'],
      properties: { region: 'eu', 'naïve name': '日本' },
      flag: -7,
      sysFlag: 0x100,
      bornTimestamp: 1_700_000_000_123,
      bornHost: '10.1.2.3:4567',
      storeHost: '[2001:db8::1]:10911',
      reconsumeTimes: 2,
    })
    const { messages } = await store.get({ topic: 'full', queueId: 3, offset: 0 })
    const message = messages[0]!
    assert.deepEqual(message.body, body)
    assert.equal(message.tags, 'täg')
    assert.deepEqual(message.keys, ['k1', 'ключ'])
    assert.deepEqual({ ...message.properties }, { KEYS: 'k1 ключ', region: 'eu', 'naïve name': '日本', TAGS: 'täg' })
    assert.deepEqual([message.flag, message.reconsumeTimes, message.bornTimestamp], [-7, 2, 1_700_000_000_123])
    assert.deepEqual([message.bornHost, message.storeHost], ['10.1.2.3:4567', '[2001:db8::1]:10911'])
    assert.equal(message.sysFlag, 0x100 | 0x20)
  })

  test('a string is stored as UTF-8 and equals the bytes of it', async (t) => {
    const store = await openStore(t)
    await store.put({ topic: 'a', body: 'grüße 🚀' })
    await store.put({ topic: 'a', body: Buffer.from('grüße 🚀') })
    await store.put({ topic: 'a', body: '' })
    await store.put({ topic: 'a', body: new Uint8Array(0) })
    const messages = await readQueue(store, 'a')
    assert.deepEqual(bodies(messages), ['grüße 🚀', 'grüße 🚀', '', ''])
    assert.equal(messages[0]!.bodyCrc, messages[1]!.bodyCrc)
  })

  test('what the caller changes after put has returned does not change the message, waiting or not', async (t) => {
    const store = await openStore(t, { options: { maxPendingBytes: 4096, flush: 'sync' } })
    const put: Promise<PutReceipt>[] = []
    for (let i = 0; i < 30; i++) {
      const body = Buffer.alloc(300, i)
      const keys = [`k${i}`]
      const properties: Record<string, string> = { n: String(i) }
      put.push(store.put({ topic: 'a', body, keys, properties }))
      body.fill(255)
      keys[0] = 'changed'
      properties['n'] = 'changed'
    }
    await Promise.all(put)
    const messages = await readQueue(store, 'a')
    assert.equal(messages.length, 30)
    messages.forEach((message, i) => {
      assert.deepEqual(message.body, Buffer.alloc(300, i))
      assert.deepEqual(message.keys, [`k${i}`])
      assert.equal(message.properties['n'], String(i))
    })
  })

  test('encoded properties are kept byte for byte, less a foreign record checksum, and feed tags and keys', async (t) => {
    const store = await openStore(t, { options: { checksum: 'body' } })
    const encoded = Buffer.from(
      'KEYS\u0001k1 k2\u0002__CRC32#\u00010123456789\u0002TAGS\u0001t\u0002UNIQ_KEY\u0001u\u0002x\u0001y',
    )
    await store.put({ topic: 'a', body: 'x', encodedProperties: encoded })
    const [message] = (await store.get({ topic: 'a', offset: 0, tags: 't' })).messages
    assert.equal(message!.encodedProperties.toString(), 'KEYS\u0001k1 k2\u0002TAGS\u0001t\u0002UNIQ_KEY\u0001u\u0002x\u0001y')
    for (const key of ['k1', 'k2', 'u']) assert.equal((await store.query({ topic: 'a', key })).length, 1, key)
  })

  test('a record checksum given as a property is dropped, and hidden when read', async (t) => {
    const store = await openStore(t)
    await store.put({ topic: 'a', body: 'x', properties: { '__CRC32#': 'zzz', a: 'b' } })
    const [message] = await readQueue(store, 'a')
    assert.deepEqual({ ...message!.properties }, { a: 'b' })
    assert.match(message!.encodedProperties.toString('latin1'), /a.b.__CRC32#.\d{10}.$/s)
  })
})

describe('batches', () => {
  test('a batch is consecutive records with one receipt each, over any queues', async (t) => {
    const store = await openStore(t)
    const receipts = await store.putBatch([
      { topic: 'a', body: '0' },
      { topic: 'b', queueId: 2, body: '1', tags: 't' },
      { topic: 'a', body: '2', keys: 'k' },
    ])
    assert.deepEqual(
      receipts.map(({ topic, queueId, queueOffset }) => [topic, queueId, queueOffset]),
      [
        ['a', 0, 0],
        ['b', 2, 0],
        ['a', 0, 1],
      ],
    )
    for (let i = 1; i < receipts.length; i++)
      assert.equal(receipts[i]!.commitLogOffset, receipts[i - 1]!.commitLogOffset + receipts[i - 1]!.size)
    assert.equal((await store.get({ topic: 'b', queueId: 2, offset: 0, tags: 't' })).messages.length, 1)
    assert.deepEqual(bodies(await store.query({ topic: 'a', key: 'k' })), ['2'])
  })

  test('a batch with one bad message stores none', async (t) => {
    const store = await openStore(t)
    const batch = [
      { topic: 'a', body: 'x' },
      { topic: 'a', body: 'y', properties: { '': 'z' } },
      { topic: 'a', body: 'z' },
    ]
    await assert.rejects(store.putBatch(batch), code('MESSAGE_ILLEGAL'))
    assert.equal(store.metrics.snapshot()['commitLogEnd'], 0)
    assert.equal((await store.put({ topic: 'a', body: 'x' })).queueOffset, 0)
  })

  test('a batch never straddles two segments, and one larger than a segment is refused', async (t) => {
    const store = await openStore(t)
    await store.put({ topic: 'a', body: Buffer.alloc(3000) })
    const receipts = await store.putBatch([1, 2, 3].map((n) => ({ topic: 'a', body: Buffer.alloc(600, n) })))
    assert.equal(receipts[0]!.commitLogOffset, 4096)
    const tooMany = Array.from({ length: 10 }, () => ({ topic: 'a', body: Buffer.alloc(600) }))
    await assert.rejects(store.putBatch(tooMany), code('MESSAGE_TOO_LARGE', '4088'))
    assert.equal((await readQueue(store, 'a')).length, 4)
  })

  test('each receipt of a batch has the store host of its own message in its id', async (t) => {
    const store = await openStore(t)
    const hosts = ['10.0.0.1:1', '10.0.0.2:2', '[2001:db8::3]:3']
    const receipts = await store.putBatch(hosts.map((storeHost) => ({ topic: 'a', body: 'x', storeHost })))
    const messages = await readQueue(store, 'a')
    assert.deepEqual(
      receipts.map(({ messageId }) => messageId),
      messages.map(({ messageId }) => messageId),
    )
  })

  test('an empty batch stores nothing', async (t) => {
    const store = await openStore(t)
    assert.deepEqual(await store.putBatch([]), [])
  })
})

describe('limits', () => {
  test('a body of exactly the limit is stored, one byte more is refused', async (t) => {
    const store = await openStore(t, { options: { maxMessageBytes: 1000 } })
    await store.put({ topic: 'a', body: Buffer.alloc(1000) })
    await store.put({ topic: 'a', body: 'ü'.repeat(500) })
    await assert.rejects(store.put({ topic: 'a', body: Buffer.alloc(1001) }), code('MESSAGE_TOO_LARGE', '1001', '1000'))
    await assert.rejects(store.put({ topic: 'a', body: `${'ü'.repeat(500)}x` }), code('MESSAGE_TOO_LARGE', '1001', '1000'))
  })

  test('a record that fills its segment but for the blank is stored, one byte more is refused', async (t) => {
    const store = await openStore(t)
    const { size } = await store.put({ topic: 'a', body: '' })
    const most = 4096 - 8 - size
    const receipt = await store.put({ topic: 'a', body: Buffer.alloc(most) })
    assert.deepEqual([receipt.commitLogOffset, receipt.size], [4096, 4088])
    await assert.rejects(store.put({ topic: 'a', body: Buffer.alloc(most + 1) }), code('MESSAGE_TOO_LARGE', '4089', '4088'))
    assert.equal((await store.put({ topic: 'a', body: '' })).commitLogOffset, 8192)
  })

  test('properties up to 32,767 bytes are stored with the record checksum counted in', async (t) => {
    const store = await openStore(t, { options: { segmentBytes: 1 << 20 } })
    const room = 32_767 - 20 - 'n'.length - 2
    await store.put({ topic: 'a', body: '', properties: { n: 'x'.repeat(room - 1) } })
    await assert.rejects(
      store.put({ topic: 'a', body: '', properties: { n: 'x'.repeat(room + 1) } }),
      code('MESSAGE_TOO_LARGE', 'properties'),
    )
    const [message] = await readQueue(store, 'a')
    assert.equal(message!.properties['n']!.length, room - 1)
  })
})

describe('waiting', () => {
  test('puts above maxPendingBytes wait, all arrive, and in the order of the calls', async (t) => {
    const store = await openStore(t, { options: { flush: 'sync', maxPendingBytes: 4096 } })
    const done: number[] = []
    const all: Promise<unknown>[] = []
    const put = (n: number): void => {
      all.push(store.put({ topic: 'a', body: String(n).padStart(500, '0') }).then(() => done.push(n)))
    }
    let next = 0
    while (next < 40) put(next++)
    // Callers that go on as soon as they are answered must not overtake those who wait.
    for (let i = 0; i < 10; i++) {
      await all[i]
      put(next++)
    }
    await Promise.all(all)
    const stored = bodies(await readQueue(store, 'a')).map(Number)
    assert.deepEqual(
      stored,
      Array.from({ length: next }, (_, n) => n),
    )
    assert.deepEqual(done, stored)
  })

  test('a put is answered with what is made of its receipt, also above maxPendingBytes; what that throws, it rejects with', async (t) => {
    const store = await openStore(t, { options: { flush: 'sync', maxPendingBytes: 4096 } })
    const answers = Array.from({ length: 6 }, (_, n) =>
      putFor(store, { topic: 'a', body: Buffer.alloc(2000, n) }, n, ({ queueOffset }, given) => {
        if (given % 3 === 2) throw new Error(`not ${queueOffset}`)
        return `at ${queueOffset}`
      }).catch((error: unknown) => (error as Error).message),
    )
    assert.deepEqual(await Promise.all(answers), ['at 0', 'at 1', 'not 2', 'at 3', 'at 4', 'not 5'])
    await assert.rejects(
      putFor(store, { topic: 'a b', body: '' }, 0, () => 0),
      code('TOPIC_INVALID'),
    )
    assert.equal((await readQueue(store, 'a')).length, 6)
  })

  test('a single put larger than maxPendingBytes is not kept waiting for ever', async (t) => {
    const store = await openStore(t, { options: { flush: 'sync', maxPendingBytes: 4096, segmentBytes: 65_536 } })
    await Promise.all([1, 2, 3].map((n) => store.put({ topic: 'a', body: Buffer.alloc(20_000, n) })))
    assert.equal((await readQueue(store, 'a')).length, 3)
  })

  test('a sync put that waits too long is answered FLUSH_DISK_TIMEOUT, and becomes readable when it is durable', async () => {
    const time = new ManualTime()
    const disk = new SimDisk()
    let release = (): void => {}
    const store = await MessageStore.open('/s', { flush: 'sync', flushTimeoutMs: 50 }, { disk, clock: time, timers: time })
    disk.flushLatency = () => new Promise<void>((resolve) => (release = resolve))
    const put = store.put({ topic: 'a', body: 'x' })
    const batch = store.putBatch([
      { topic: 'a', body: 'y' },
      { topic: 'a', body: 'z' },
    ])
    await settled()
    time.advance(50)
    assert.equal((await put).status, 'FLUSH_DISK_TIMEOUT')
    assert.deepEqual(
      (await batch).map(({ status }) => status),
      ['FLUSH_DISK_TIMEOUT', 'FLUSH_DISK_TIMEOUT'],
    )
    assert.equal((await store.get({ topic: 'a', offset: 0 })).status, 'NO_MESSAGE_IN_QUEUE')
    disk.flushLatency = undefined
    release()
    await settled()
    assert.deepEqual(bodies(await readQueue(store, 'a')), ['x', 'y', 'z'])
    await store.close()
  })

  test('async puts are readable before any flush, sync puts only after it', async () => {
    for (const [flush, visible] of [
      ['async', 1],
      ['sync', 0],
    ] as const) {
      const disk = new SimDisk()
      const store = await MessageStore.open('/s', { flush }, { disk })
      let release = (): void => {}
      disk.flushLatency = () => new Promise<void>((resolve) => (release = resolve))
      const put = store.put({ topic: 'a', body: 'x' })
      await settled()
      assert.equal(store.bounds('a').maxOffset, visible, flush)
      disk.flushLatency = undefined
      release()
      await put
      assert.equal(store.bounds('a').maxOffset, 1)
      await store.close()
    }
  })
})
