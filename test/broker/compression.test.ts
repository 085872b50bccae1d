/** Compressed bodies: what RocketMQ's clients send is read, what is damaged or too large is refused, at little cost. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { inflaterOf, loadInflater } from '../../lib/broker/compression/inflate.js'
import { lz4FrameBytes } from '../../lib/broker/compression/lz4-frame.js'
import { noDecoders } from '../../lib/broker/compression/optional-decoders.js'
import { CompressionType } from '../../lib/broker/compression/sys-flag.js'
import { openTestBroker, refusal, take } from '../support/open-broker.js'

const MIB = 1024 * 1024
const topics = { orders: { queues: 1 } }
const kinds = ['zlib', 'lz4', 'zstd'] as const

/** What `CompressorFactory` of 5.3.3 made of {@link plainBody}, at level 5. */
function golden(kind: (typeof kinds)[number]): Buffer {
  return readFileSync(fileURLToPath(new URL(`../../../test/golden/bodies/${kind}.bin`, import.meta.url)))
}

/** Text that repeats itself, and noise at its end. */
function plainBody(): Buffer {
  const body = Buffer.alloc(150_000)
  let x = 1
  for (let i = 0; i < body.length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0
    body[i] = i < 147_000 ? 97 + (i % 7) : (x >>> 16) & 0xff
  }
  return body
}

const flagOf = (kind: keyof typeof CompressionType): number => 1 | (CompressionType[kind] << 8)
const compressed = (kind: keyof typeof CompressionType, body: Buffer) => ({ messageId: 'it', body, sysFlag: flagOf(kind) })

/** A frame of ZSTD with one block. */
function zstdFrame(block: readonly number[], kind: number, size = block.length, window = 0x38): Buffer {
  const head = Buffer.alloc(3)
  head.writeUIntLE(1 | (kind << 1) | (size << 3), 0, 3)
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window]), head, Buffer.from(block)])
}

/** A frame of LZ4 with one block. */
function lz4Frame(block: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(block.length)
  return Buffer.concat([Buffer.from([4, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]), size, block, Buffer.alloc(4)])
}

describe('compressed bodies', () => {
  for (const kind of kinds) {
    test(`that RocketMQ's clients compressed by ${kind} reach consumers as they were`, async (t) => {
      const broker = await openTestBroker(t, { options: { topics } })
      await broker.store.put({ topic: 'orders', body: golden(kind), sysFlag: flagOf(kind) })
      const consumer = broker.consumer({ group: 'readers', subscribe: { orders: '*' }, startAt: 'first' })
      const [delivery] = await take(consumer, 1)
      assert.ok(delivery!.message.body.equals(plainBody()))
      assert.ok(delivery!.stored.body.equals(golden(kind)), 'the store keeps what came')
      await delivery!.ack()
    })

    test(`by ${kind} that are cut off or have bytes behind them are refused wherever that is`, async () => {
      const inflate = await loadInflater(MIB)
      const whole = golden(kind)
      for (const length of [0, 1, 6, 10, 20, whole.length - 5, whole.length - 1])
        assert.throws(() => inflate(compressed(kind, whole.subarray(0, length))), refusal('BODY_UNREADABLE'), `${length} bytes`)
      // Node's ZLIB takes no notice of what follows.
      if (kind !== 'zlib')
        assert.throws(() => inflate(compressed(kind, Buffer.concat([whole, whole]))), refusal('BODY_UNREADABLE'))
    })

    test(`by ${kind} that hold a byte more than they may are refused`, async () => {
      const body = compressed(kind, golden(kind))
      assert.equal((await loadInflater(150_000))(body).length, 150_000)
      const inflate = await loadInflater(149_999)
      assert.throws(() => inflate(body), refusal('BODY_UNREADABLE', '149999'))
    })
  }

  test('that are bombs are refused before they are inflated', () => {
    const untouched = (): Buffer => assert.fail('a bomb was inflated')
    const inflate = inflaterOf({ lz4: untouched, zstd: untouched }, MIB)
    // A match of 255 bytes for each byte.
    const bomb = lz4Frame(Buffer.concat([Buffer.from([0x1f, 65, 1, 0]), Buffer.alloc(60_000, 255), Buffer.from([0, 0x10, 65])]))
    assert.equal(lz4FrameBytes(bomb), 1 + 15 + 60_000 * 255 + 4 + 1)
    assert.throws(() => inflate(compressed('lz4', bomb)), refusal('BODY_UNREADABLE'))
    const told = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40]), Buffer.from([1, 0, 0])])
    assert.throws(() => inflate(compressed('zstd', told)), refusal('BODY_UNREADABLE'))
    assert.throws(() => inflate(compressed('zlib', deflateSync(Buffer.alloc(200 * MIB)))), refusal('BODY_UNREADABLE'))
  })

  test('of ZSTD that claim a window of gigabytes, or matches that never end, cost nothing', async () => {
    const inflate = await loadInflater(MIB)
    assert.ok(inflate(compressed('zstd', zstdFrame([65], 1, 100, 0xa0))).equals(Buffer.alloc(100, 65)))
    const endless = [8, 65, 255, 255, 255, 0x54, 0, 2, 52, 1]
    assert.throws(() => inflate(compressed('zstd', zstdFrame(endless, 2))), refusal('BODY_UNREADABLE'))
    const many = Buffer.concat([
      zstdFrame([], 0, 0).subarray(0, 6),
      ...Array.from({ length: 20 }, () => Buffer.from([2, 0, 16, 65])),
    ])
    many[many.length - 4]! |= 1
    assert.throws(() => inflate(compressed('zstd', many)), refusal('BODY_UNREADABLE'))
  })

  test('are read as far as Node can where no package is to be loaded', async () => {
    const inflate = await loadInflater(MIB, () => Promise.resolve(noDecoders))
    assert.ok(inflate(compressed('zlib', golden('zlib'))).equals(plainBody()))
    assert.throws(() => inflate(compressed('lz4', golden('lz4'))), refusal('BODY_UNREADABLE', 'lz4-napi'))
  })

  test('whose package is not installed are refused with its name, and so are unknown kinds', () => {
    const inflate = inflaterOf({ lz4: undefined, zstd: undefined }, MIB)
    assert.throws(() => inflate(compressed('lz4', golden('lz4'))), refusal('BODY_UNREADABLE', 'npm install lz4-napi'))
    assert.throws(() => inflate(compressed('zstd', golden('zstd'))), refusal('BODY_UNREADABLE', 'npm install zstddec'))
    assert.throws(() => inflate({ messageId: 'it', body: golden('zlib'), sysFlag: 0x501 }), refusal('BODY_UNREADABLE', '(5)'))
  })
})

describe('the option compressOverBytes', () => {
  test('compresses bodies from that size on, which consumers get as they were', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, compressOverBytes: 100 } })
    const long = 'é'.repeat(50)
    for (const body of ['x'.repeat(99), long, Buffer.from(long)]) await broker.send({ topic: 'orders', body })
    await broker.sendBatch([{ topic: 'orders', body: long }])
    const { messages } = await broker.store.get({ topic: 'orders', queueId: 0, offset: 0 })
    assert.deepEqual(
      messages.map(({ sysFlag, body }) => [sysFlag, body.length < 99]),
      [
        [0, false],
        [0x301, true],
        [0x301, true],
        [0, false],
      ],
    )
    const consumer = broker.consumer({ group: 'readers', subscribe: { orders: '*' }, startAt: 'first' })
    const bodies = (await take(consumer, 4)).map(({ message }) => message.body.toString())
    assert.deepEqual(bodies, ['x'.repeat(99), long, long, long])
  })

  test('holds for delayed messages and those of transactions, which stay compressed on their way', async (t) => {
    const broker = await openTestBroker(t, { options: { topics, compressOverBytes: 100 } })
    const producer = broker.transactionProducer({ group: 'makers', check: () => 'commit' })
    await producer.send({ topic: 'orders', body: 'y'.repeat(200) }, () => Promise.resolve('commit' as const))
    await broker.send({ topic: 'orders', body: 'z'.repeat(200), delayLevel: 1 })
    const consumer = broker.consumer({ group: 'readers', subscribe: { orders: '*' }, startAt: 'first' })
    const deliveries = await take(consumer, 2)
    assert.deepEqual(
      deliveries.map(({ message, stored }) => [message.body.toString(), stored.body.length < 100]),
      [
        ['y'.repeat(200), true],
        ['z'.repeat(200), true],
      ],
    )
  })
})
