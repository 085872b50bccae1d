/**
 * A read-only store whose writer deletes what has expired before any one of the reader's own operations of the disk:
 * each question is answered as if that had been deleted before, or not yet.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MemorySnapshot } from '../../lib/disk/memory-disk.js'
import type { MessageStore } from '../../lib/index.js'
import { letExpire, ManualTime } from '../support/manual-time.js'
import { freshDisk, open } from '../support/open-store.js'
import { striking, turnInto } from '../support/turn-into.js'

const HALF_A_DAY_MS = 12 * 3_600_000
const MESSAGES = 80

/** A disk before and after a writer deleted old segments, with the queue and index files that led to them. */
async function expiring(isClosed: boolean): Promise<{ before: MemorySnapshot; after: MemorySnapshot; minOffset: number }> {
  const time = new ManualTime(new Date(2024, 0, 5, 3, 0, 0).getTime())
  const disk = freshDisk()
  const options = { retentionHours: 13, deleteHour: 3 }
  const put = async (writer: MessageStore, from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) await writer.put({ topic: 'a', body: `${i}`.padStart(100, '0'), keys: [`k${i}`, 'all'] })
    await writer.flush()
    await writer.purge('nothing-there')
  }
  let writer = await open(disk, options, { clock: time, timers: time })
  await put(writer, 0, MESSAGES / 2)
  time.advance(HALF_A_DAY_MS)
  await put(writer, MESSAGES / 2, MESSAGES)
  if (isClosed) await writer.close()
  const before = disk.snapshot()
  if (isClosed) writer = await open(disk, options, { clock: time, timers: time })
  await letExpire(time)
  const { minOffset } = writer.bounds('a')
  assert.ok(minOffset > 0 && minOffset <= MESSAGES / 2, String(minOffset))
  const after = disk.snapshot()
  await writer.close()
  return { before, after, minOffset }
}

type Question = (reader: MessageStore, minOffset: number) => Promise<unknown>

/** What a reader is asked; each says what is wrong with its answer. */
const questions: Record<string, Question> = {
  'get of what goes': async (reader) => {
    const { status, messages } = await reader.get({ topic: 'a', offset: 0, maxMessages: 99, maxBytes: 1 << 20 })
    assert.ok(['FOUND', 'OFFSET_TOO_SMALL', 'MESSAGE_WAS_REMOVING'].includes(status), status)
    for (const { queueOffset, body } of messages) assert.equal(Number(body), queueOffset)
  },
  'get of what stays': async (reader, minOffset) => {
    const { status, messages } = await reader.get({ topic: 'a', offset: minOffset, maxMessages: 99, maxBytes: 1 << 20 })
    assert.equal(status, 'FOUND')
    assert.equal(messages.length, MESSAGES - minOffset)
  },
  'a query': async (reader, minOffset) => {
    const found = await reader.query({ topic: 'a', key: 'all', maxMessages: 99 })
    assert.ok(found.length >= MESSAGES - minOffset && found.length <= MESSAGES, String(found.length))
    for (const { queueOffset, body } of found) assert.equal(Number(body), queueOffset)
  },
  'a query for what goes': async (reader) => {
    const found = await reader.query({ topic: 'a', key: 'k1' })
    assert.ok(found.length <= 1)
  },
  'a lookup': async (reader) => {
    const found = await reader.lookup({ commitLogOffset: 0 })
    assert.ok(found === undefined || found.queueOffset === 0)
  },
  'the offset of a time': async (reader, minOffset) => {
    const found = await reader.offsetByTime('a', 0, 0)
    assert.ok(found === 0 || found === minOffset, String(found))
  },
  'what there is': async (reader, minOffset) => {
    const bounds = reader.bounds('a')
    assert.ok(bounds.minOffset === 0 || bounds.minOffset === minOffset)
    assert.equal(bounds.maxOffset, MESSAGES)
    assert.deepEqual(reader.queues(), [{ topic: 'a', queueId: 0, ...bounds }])
  },
  'a check': async (reader) => {
    assert.deepEqual((await reader.verify()).findings, [])
  },
}

describe('a reader whose writer deletes what has expired', () => {
  for (const isClosed of [false, true]) {
    const store = isClosed ? 'a closed store' : 'an open store'
    for (const [name, ask] of Object.entries(questions)) {
      test(`of ${store} before any operation of ${name} answers`, async () => {
        const { before, after, minOffset } = await expiring(isClosed)
        for (let step = 1, isDone = false; !isDone; step += step < 20 ? 1 : 19) {
          const memory = freshDisk()
          memory.restore(before)
          const { disk, arm, hasStruck } = striking(memory)
          const clock = new ManualTime()
          const reader = await open(disk, { readOnly: true, openFiles: 16 }, { clock })
          arm(step, () => turnInto(memory, after))
          await told(step, () => ask(reader, minOffset))
          isDone = !hasStruck()
          clock.advance(1000)
          await told(step, () => ask(reader, minOffset))
          await reader.close()
        }
      })
    }

    test(`of ${store} before any operation of its opening opens`, async () => {
      const { before, after, minOffset } = await expiring(isClosed)
      for (let step = 1, isDone = false; !isDone; step += step < 20 ? 1 : 19) {
        const memory = freshDisk()
        memory.restore(before)
        const { disk, arm, hasStruck } = striking(memory)
        arm(step, () => turnInto(memory, after))
        await told(step, async () => {
          const reader = await open(disk, { readOnly: true, openFiles: 16 }, { clock: new ManualTime() })
          isDone = !hasStruck()
          for (const name of ['get of what goes', 'a query for what goes', 'what there is', 'a check'])
            await questions[name]!(reader, minOffset)
          await reader.close()
        })
      }
    })
  }
})

/** Says at which step something failed. */
async function told(step: number, act: () => Promise<unknown>): Promise<void> {
  assert.ok(step < 5000)
  try {
    await act()
  } catch (error) {
    throw new Error(`step ${step}: ${String(error)}`, { cause: error })
  }
}
