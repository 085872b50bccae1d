/**
 * A check beside changes: in a reader, whatever its writer does before any operation of the check; in the writer itself,
 * while what is to be checked is put and deleted. It finds nothing.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MemorySnapshot } from '../../lib/disk/memory-disk.js'
import type { MessageStore } from '../../lib/index.js'
import { letExpire, ManualTime, settled } from '../support/manual-time.js'
import { freshDisk, open, tiny } from '../support/open-store.js'
import { striking, turnInto } from '../support/turn-into.js'

const HALF_A_DAY_MS = 12 * 3_600_000
const retention = { retentionHours: 1, deleteHour: 3 }

async function put(writer: MessageStore, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await writer.put({ topic: 'a', body: `${i}`.padStart(100, '0'), keys: [`k${i}`] })
  await writer.flush()
}

/** Writes views, as the writer does by itself every now and then. */
const flushViews = (writer: MessageStore): Promise<void> => writer.purge('nothing-there')

/** What a writer leaves on the disk from step to step. */
async function moments(): Promise<Record<string, MemorySnapshot>> {
  const time = new ManualTime(new Date(2024, 0, 5, 3, 0, 0).getTime())
  const disk = freshDisk()
  const found: Record<string, MemorySnapshot> = {}
  let writer = await open(disk, retention, { clock: time, timers: time })
  const step = async (name: string, act: () => Promise<unknown>): Promise<void> => {
    time.advance(1)
    await act()
    found[name] = disk.snapshot()
  }
  await put(writer, 0, 40)
  await step('closed', () => writer.close())
  writer = await open(disk, retention, { clock: time, timers: time })
  await step('open', () => flushViews(writer))
  await step('one more put', () => put(writer, 40, 41))
  await step('more put', () => put(writer, 41, 60))
  await step('views flushed', () => flushViews(writer))
  await step('views flushed again', async () => {
    await put(writer, 60, 70)
    await flushViews(writer)
  })
  await step('old ones deleted', async () => {
    time.advance(HALF_A_DAY_MS)
    await put(writer, 70, 110)
    await letExpire(time)
    assert.ok(writer.bounds('a').minOffset > 0)
    await put(writer, 110, 120)
  })
  await step('the views of it flushed', () => flushViews(writer))
  await step('closed again', () => writer.close())
  return found
}

describe('the check of a reader finds nothing', () => {
  test('whatever its writer did between its opening and the check', async () => {
    const all = Object.entries(await moments())
    for (const [i, [first, before]] of all.entries()) {
      for (const [second, after] of all.slice(i)) {
        const disk = freshDisk()
        disk.restore(before)
        const reader = await open(disk, { readOnly: true }, { clock: new ManualTime() })
        turnInto(disk, after)
        assert.deepEqual((await reader.verify()).findings, [], `${first}, then ${second}`)
        await reader.close()
      }
    }
  })

  test('whatever its writer did before any operation of the check', async () => {
    const all = Object.entries(await moments())
    for (const [i, [first, before]] of all.entries()) {
      for (const [second, after] of all.slice(i + 1, i + 3)) {
        // Where the marks are read each step counts; then a sample does.
        for (let step = 1, isDone = false; !isDone; step += step < 40 ? 1 : 31) {
          assert.ok(step < 5000)
          const memory = freshDisk()
          memory.restore(before)
          const { disk, arm, hasStruck } = striking(memory)
          const reader = await open(disk, { readOnly: true }, { clock: new ManualTime() })
          arm(step, () => turnInto(memory, after))
          assert.deepEqual((await reader.verify()).findings, [], `${first}, then ${second} before step ${step}`)
          isDone = !hasStruck()
          await reader.close()
        }
      }
    }
  })
})

test('what a reader finds twice beside a writer that never rests is not looked for again', async () => {
  const disk = freshDisk()
  const writer = await open(disk)
  await put(writer, 0, 40)
  await flushViews(writer)
  // Each end of a turn something has changed that the reader's views rest on.
  const replaceViews = (): void => {
    const bytes = disk.bytesOf('/s/ext/views')
    disk.remove('/s/ext/views')
    const file = disk.open('/s/ext/views', { write: true, create: true })
    file.writeAt(bytes, 0)
    file.close()
  }
  const endOfTurn = (run: () => void): void => {
    replaceViews()
    setImmediate(run)
  }
  const reader = await open(
    disk,
    { readOnly: true },
    { clock: new ManualTime(), timers: { after: () => ({ cancel: () => {} }), endOfTurn } },
  )
  disk.overwrite('/s/commitlog/00000000000000000000', 300, Buffer.of(0xff, 0xff))
  let rounds = 0
  const onProgress = ({ phase, done }: { phase: string; done: number }): void => {
    if (phase === 'queues' && done === 1) rounds++
  }
  const { findings } = await reader.verify({ onProgress })
  assert.equal(findings[0]?.kind, 'recordDamaged')
  assert.equal(rounds, 2)
  await reader.close()
  await writer.close()
})

describe('the check of a writer finds nothing', () => {
  test('though all that it was to walk expires before it has come to the end', async () => {
    const time = new ManualTime(new Date(2024, 0, 5, 3, 0, 0).getTime())
    for (let step = 1, isDone = false; !isDone; step++) {
      assert.ok(step < 500)
      let left = Number.POSITIVE_INFINITY
      let store: MessageStore | undefined
      let changed = Promise.resolve()
      const expire = async (): Promise<void> => {
        time.advance(HALF_A_DAY_MS)
        await put(store!, 40, 120)
        await letExpire(time)
      }
      const timers = {
        after: (ms: number, action: () => void) => time.after(ms, action),
        endOfTurn: (run: () => void) => {
          if (--left === 0) changed = expire().then(run)
          else setImmediate(run)
        },
      }
      const disk = freshDisk()
      store = await open(disk, { ...retention, ...tiny }, { clock: time, timers })
      for (let i = 0; i < 40; i++) {
        time.advance(1)
        await put(store, i, i + 1)
      }
      await flushViews(store)
      left = step
      assert.deepEqual((await store.verify()).findings, [], `step ${step}`)
      isDone = left > 0
      left = Number.POSITIVE_INFINITY
      await changed
      await settled(20)
      assert.deepEqual((await store.verify()).findings, [], `step ${step}, after it`)
      await store.close()
    }
  })
})
