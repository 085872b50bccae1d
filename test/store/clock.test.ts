/** Retention under clocks that are wrong for a while: nothing stays for ever, nothing goes early. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { SteadyClock } from '../../lib/base/steady-clock.js'
import type { MessageStore, StoreEvents } from '../../lib/index.js'
import { ManualTime, settled } from '../support/manual-time.js'
import { freshDisk, open } from '../support/open-store.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** An hour in which nothing is deleted unless the disk fills up. */
const noon = new Date(2024, 0, 5, 12, 0, 0).getTime()

interface Run {
  readonly time: ManualTime
  readonly store: MessageStore
  readonly deleted: StoreEvents['segmentDeleted'][]
  fill(messages: number): Promise<void>
  /** Lets time pass in steps of ten minutes, each with a round of upkeep. */
  pass(ms: number): Promise<void>
}

async function start(t: TestContext, time = new ManualTime(noon), disk = freshDisk({ clock: time }), cleanAt = 0): Promise<Run> {
  const rules = { retentionHours: 3, disk: { cleanAt } }
  const store = await open(disk, rules, { clock: time, timers: time })
  t.after(() => store.close())
  const deleted: StoreEvents['segmentDeleted'][] = []
  store.on('segmentDeleted', (event) => deleted.push(event))
  return {
    time,
    store,
    deleted,
    async fill(messages) {
      for (let i = 0; i < messages; i++) await store.put({ topic: 'a', body: Buffer.alloc(1000) })
      await store.flush()
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 600_000) {
        time.advance(600_000)
        await settled(12)
      }
    },
  }
}

describe('retention', () => {
  test('deletes expired segments outside its hour for 200 seconds after it was asked to', async (t) => {
    const { store, deleted, fill, pass } = await start(t, undefined, undefined, 1)
    await fill(200)
    await pass(4 * HOUR)
    assert.equal(deleted.length, 0)
    store.deleteExpired()
    await pass(20 * 600_000)
    const count = deleted.length
    assert.ok(count > 0)
    assert.deepEqual([...new Set(deleted.map(({ reason }) => reason))], ['expired'])
    await fill(200)
    await pass(4 * HOUR)
    assert.equal(deleted.length, count)
  })

  test('messages that were stored in the future expire by the time of their files, and those behind them too', async (t) => {
    const { time, deleted, fill, pass } = await start(t)
    await fill(4)
    time.setWall(noon + 3650 * DAY)
    await fill(1)
    time.setWall(noon)
    await fill(10)
    await pass(HOUR)
    assert.equal(deleted.length, 0)
    await pass(3 * HOUR)
    assert.ok(deleted.length >= 4, String(deleted.length))
    for (const { reason, lastWriteMs, newestStoreTimestamp } of deleted.slice(1)) {
      assert.equal(reason, 'expired')
      assert.ok(newestStoreTimestamp > noon + 3000 * DAY)
      assert.ok(lastWriteMs <= noon + HOUR, String(lastWriteMs))
    }
  })

  test('files that were written in the future as well are as old as those behind them', async (t) => {
    const time = new ManualTime(noon + 3650 * DAY)
    const disk = freshDisk({ clock: time })
    const first = await start(t, time, disk)
    await first.fill(10)
    await first.store.close()
    time.setWall(noon)
    const { deleted, fill, pass } = await start(t, time, disk)
    await pass(4 * HOUR)
    assert.equal(deleted.length, 0)
    await fill(10)
    await pass(4 * HOUR)
    assert.ok(deleted.length >= 3, String(deleted.length))
  })

  test('a clock that is ahead for less than an hour deletes nothing, and one that stays there does', async (t) => {
    const time = new ManualTime(noon)
    const disk = freshDisk({ clock: time })
    const first = await start(t, time, disk)
    await first.fill(10)
    await first.store.close()
    const { deleted, pass } = await start(t, time, disk)
    for (let times = 0; times < 3; times++) {
      time.setWall(time.now() + 30 * DAY)
      await pass(HOUR / 2)
      time.setWall(time.now() - 30 * DAY)
      await pass(HOUR / 6)
    }
    assert.equal(deleted.length, 0)
    time.setWall(time.now() + 30 * DAY)
    await pass(1.5 * HOUR)
    assert.ok(deleted.length >= 2, String(deleted.length))
  })

  test('messages that were stored far back stay for the time that the store was told', async (t) => {
    const time = new ManualTime(0)
    const { deleted, fill, pass } = await start(t, time)
    await fill(10)
    time.setWall(noon)
    await pass(2.5 * HOUR)
    assert.equal(deleted.length, 0)
    await pass(HOUR)
    assert.ok(deleted.length >= 3, String(deleted.length))
  })
})

test('a steady clock follows a clock back at once and ahead after an hour', () => {
  const time = new ManualTime(noon)
  const steady = new SteadyClock(time)
  const seen = (): number => steady.now() - noon - time.monotonic()
  assert.equal(seen(), 0)
  time.setWall(time.now() - DAY)
  assert.equal(seen(), -DAY)
  time.setWall(time.now() + DAY)
  assert.equal(seen(), -DAY)
  time.advance(HOUR - 1)
  assert.equal(seen(), -DAY)
  time.advance(1)
  assert.equal(seen(), 0)
  time.setWall(time.now() + 30_000)
  assert.equal(seen(), 30_000)
})
