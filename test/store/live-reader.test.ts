/** A read-only store beside a writer: what the writer adds, purges and deletes is seen, whatever it has flushed. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { MessageStore } from '../../lib/index.js'
import { openStore as openInside } from '../../lib/store/open.js'
import type { StorePorts } from '../../lib/store/options.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { bodies, code, freshDisk, open, root, tiny } from '../support/open-store.js'

/** Writes views, as the writer does by itself every now and then. */
async function flushViews(writer: MessageStore): Promise<void> {
  await writer.flush()
  await writer.purge('nothing-there')
}

async function putSome(writer: MessageStore, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await writer.put({ topic: 'a', body: `${i}`.padStart(100, '0'), keys: [`k${i % 3}`, `u${i}`] })
}

/** The numbers of the messages below `count` that their own key does not find. */
async function notFound(reader: MessageStore, count: number): Promise<number[]> {
  const missing: number[] = []
  for (let i = 0; i < count; i++) if ((await reader.query({ topic: 'a', key: `u${i}` })).length !== 1) missing.push(i)
  return missing
}

interface Beside {
  readonly reader: MessageStore
  readonly writer: MessageStore
}

/** A writer of a store that holds some messages, and a reader that was opened before it. */
async function beside(t: TestContext, count: number, ports: Partial<StorePorts> = {}): Promise<Beside> {
  const disk = freshDisk()
  const first = await open(disk)
  await putSome(first, 0, count)
  await first.close()
  const reader = await open(disk, { readOnly: true }, ports)
  const writer = await open(disk)
  t.after(async () => {
    await reader.close()
    await writer.close()
  })
  return { reader, writer }
}

describe('a reader beside a writer', () => {
  test('it finds every key, though the writer went on filling the index file before the reader first looked', async () => {
    for (let before = 1; before < 24; before++) {
      for (const added of [1, 2, 3, 7]) {
        const disk = freshDisk()
        const first = await open(disk)
        await putSome(first, 0, before)
        await first.close()
        const reader = await open(disk, { readOnly: true })
        const writer = await open(disk)
        await putSome(writer, before, before + added)
        await flushViews(writer)
        assert.deepEqual(await notFound(reader, before), [], `${before} and ${added}`)
        await putSome(writer, before + added, before + added + 2)
        assert.deepEqual(await notFound(reader, before + added + 2), [], `${before} and ${added}, not flushed`)
        await reader.close()
        await writer.close()
      }
    }
  })

  test('it no longer gives what was purged or deleted, also where there was something to give', async (t) => {
    const { reader, writer } = await beside(t, 20)
    await reader.get({ topic: 'a', offset: 0 })
    await putSome(writer, 20, 25)
    await writer.purge('a')
    await putSome(writer, 25, 27)
    assert.equal((await reader.query({ topic: 'a', key: 'u26' })).length, 1)
    assert.equal((await reader.get({ topic: 'a', offset: 0 })).status, 'OFFSET_TOO_SMALL')
    assert.deepEqual(reader.bounds('a'), { minOffset: 25, maxOffset: 27 })
    await writer.deleteTopic('a')
    assert.equal(await reader.lookup({ commitLogOffset: 1 }), undefined)
    assert.deepEqual(reader.bounds('a'), { minOffset: 0, maxOffset: 0 })
    await putSome(writer, 30, 31)
    const { messages } = await reader.get({ topic: 'a', offset: 0 })
    assert.deepEqual(bodies(messages), ['30'.padStart(100, '0')])
  })

  test('a purge is seen within a second by one who only gets', async (t) => {
    const time = new ManualTime()
    const { reader, writer } = await beside(t, 20, { clock: time })
    assert.equal((await reader.get({ topic: 'a', offset: 0, maxMessages: 2 })).messages.length, 2)
    await writer.purge('a')
    time.advance(1000)
    assert.equal((await reader.get({ topic: 'a', offset: 2 })).status, 'OFFSET_TOO_SMALL')
  })

  test('what the writer has flushed leaves its memory', async () => {
    const disk = freshDisk()
    const writer = await open(disk)
    const reader = await openInside(root, { ...tiny, readOnly: true }, { disk })
    const inMemory = (): boolean => [...reader.views().queues].some((queue) => queue.isDirty)
    for (let round = 0; round < 3; round++) {
      await putSome(writer, round * 20, round * 20 + 20)
      await reader.live?.catchUp()
      assert.ok(inMemory())
      await flushViews(writer)
      await reader.live?.catchUp()
      assert.ok(!inMemory())
      assert.ok(!reader.views().index?.files.some((file) => file.isDirty))
      assert.equal(reader.views().find('a', 0)?.maxOffset, round * 20 + 20)
    }
    await reader.close()
    await writer.close()
  })

  test('of the index it reads again what is new, not all that it has compared before', async () => {
    const disk = freshDisk()
    const options = { segmentBytes: 1024 * 1024, index: { slots: 50_000, entries: 100_000 } }
    const writer = await open(disk, options)
    const put = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await writer.put({ topic: 'a', body: '', keys: `u${i}` })
    }
    await put(0, 10_000)
    await flushViews(writer)
    let indexBytes = 0
    const openFile = disk.open.bind(disk)
    disk.open = (path, mode) => {
      const file = openFile(path, mode)
      const read = file.readAt.bind(file)
      file.readAt = (target, position) => {
        if (path.includes('/index/')) indexBytes += target.length
        return read(target, position)
      }
      return file
    }
    const reader = await open(disk, { ...options, readOnly: true })
    // The first views have the whole file, those that take their place compare it once.
    for (const round of [1, 2, 3]) {
      await put(round * 10_000, round * 10_000 + 10)
      await flushViews(writer)
      indexBytes = 0
      assert.equal((await reader.query({ topic: 'a', key: `u${round * 10_000 + 9}` })).length, 1)
      assert.equal((await reader.query({ topic: 'a', key: 'u5' })).length, 1)
      if (round > 1) assert.ok(indexBytes < 20_000, `${indexBytes} bytes in round ${round}`)
    }
    assert.deepEqual(await notFound(reader, 3), [])
    await put(40_000, 40_010)
    await flushViews(writer)
    disk.overwrite(`/s/index/${disk.list('/s/index')[0]!.name}`, 40 + 4 * 50_000 + 20 * 10_035, Buffer.of(9))
    await assert.rejects(reader.query({ topic: 'a', key: 'u5' }), code('STORE_CORRUPT', '/s/index/'))
    await reader.close()
    await writer.close()
  })

  test('it finds every key, however many it asks for one by one before and after the writer adds others', async () => {
    const disk = freshDisk()
    const options = { segmentBytes: 1024 * 1024, index: { slots: 500, entries: 100_000 } }
    const writer = await open(disk, options)
    const put = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await writer.put({ topic: 'a', body: '', keys: `u${i}` })
    }
    await put(0, 3000)
    await flushViews(writer)
    const reader = await open(disk, { ...options, readOnly: true })
    await put(3000, 3010)
    await flushViews(writer)
    assert.deepEqual(await notFound(reader, 3010), [])
    await put(3010, 4500)
    assert.deepEqual(await notFound(reader, 4500), [])
    await flushViews(writer)
    await put(4500, 4600)
    assert.deepEqual(await notFound(reader, 4600), [])
    assert.deepEqual((await reader.verify()).findings, [])
    await reader.close()
    await writer.close()
  })

  test('opened before the first message, it takes all sizes from the files that appear', async (t) => {
    const disk = freshDisk()
    await (await open(disk)).close()
    const reader = await MessageStore.open(root, { readOnly: true }, { disk })
    const writer = await open(disk)
    t.after(async () => {
      await reader.close()
      await writer.close()
    })
    assert.deepEqual(await notFound(reader, 0), [])
    await putSome(writer, 0, 30)
    assert.equal((await reader.get({ topic: 'a', offset: 0 })).messages.length, 30)
    await flushViews(writer)
    assert.deepEqual(await notFound(reader, 30), [])
    await putSome(writer, 30, 60)
    await flushViews(writer)
    assert.deepEqual(await notFound(reader, 60), [])
    assert.deepEqual((await reader.verify()).findings, [])
    assert.equal((await reader.get({ topic: 'a', offset: 0, maxMessages: 99 })).messages.length, 60)
  })

  test('opened before the first message, it refuses files of other sizes than it was told', async (t) => {
    const disk = freshDisk()
    await (await open(disk)).close()
    const reader = await MessageStore.open(root, { readOnly: true, segmentBytes: 8192 }, { disk })
    const writer = await open(disk)
    t.after(async () => {
      await reader.close()
      await writer.close()
    })
    await putSome(writer, 0, 1)
    await assert.rejects(reader.get({ topic: 'a', offset: 0 }), code('STORE_INCOMPATIBLE', '8192'))
  })

  test('closed while it takes in what the writer wrote, it leaves no file open', async () => {
    const disk = freshDisk()
    const options = { segmentBytes: 256 * 1024 }
    const writer = await open(disk, options)
    await putSome(writer, 0, 20)
    const openFile = disk.open.bind(disk)
    let openNow = 0
    disk.open = (path, mode) => {
      const file = openFile(path, mode)
      const close = file.close.bind(file)
      openNow++
      file.close = () => {
        openNow--
        close()
      }
      return file
    }
    const reader = await open(disk, { ...options, readOnly: true })
    await reader.query({ topic: 'a', key: 'k1' })
    for (let n = 0; n < 20; n++) await writer.put({ topic: 'a', body: 'x'.repeat(100_000) })
    await flushViews(writer)
    for (let n = 0; n < 20; n++) await writer.put({ topic: 'a', body: 'x'.repeat(100_000) })
    const asked = assert.rejects(reader.query({ topic: 'a', key: 'k1' }), code('STORE_CLOSED'))
    await settled(1)
    await reader.close()
    await asked
    await writer.close()
    await settled(50)
    assert.equal(openNow, 0)
  })

  test('it follows a writer that closes, opens again and deletes what has expired', async (t) => {
    const time = new ManualTime(new Date(2024, 0, 5, 3, 0, 0).getTime())
    const disk = freshDisk()
    const options = { retentionHours: 1, deleteHour: 3 }
    const reader = await (async () => {
      const first = await open(disk, options, { clock: time })
      await putSome(first, 0, 40)
      await first.close()
      return open(disk, { readOnly: true })
    })()
    assert.deepEqual(await notFound(reader, 40), [])
    time.advance(24 * 3_600_000)
    const writer = await open(disk, options, { clock: time, timers: time })
    await putSome(writer, 40, 80)
    await writer.flush()
    time.advance(10_000)
    await settled(50)
    const { minOffset } = writer.bounds('a')
    assert.ok(minOffset > 0 && minOffset <= 40, String(minOffset))
    const found = await reader.query({ topic: 'a', key: 'k1', maxMessages: 99 })
    assert.ok(found.every(({ queueOffset }) => queueOffset >= minOffset))
    assert.ok(found.length > 13, String(found.length))
    for (const ask of [reader, writer]) {
      assert.deepEqual(ask.bounds('a'), { minOffset, maxOffset: 80 })
      assert.equal((await ask.get({ topic: 'a', offset: minOffset, maxMessages: 99 })).messages.length, 80 - minOffset)
    }
    await writer.close()
    assert.equal((await reader.get({ topic: 'a', offset: 79 })).messages.length, 1)
    t.after(() => reader.close())
  })
})
