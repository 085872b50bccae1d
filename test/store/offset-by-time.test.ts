/** Finding by time, by RocketMQ 5's rules, against a plain search. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ManualTime } from '../support/manual-time.js'
import { bad, freshDisk, open, openStore } from '../support/open-store.js'
import { Random } from '../support/random.js'

/** The same by looking at every message. */
function plain(times: readonly number[], min: number, ms: number, boundary: 'lower' | 'upper'): number {
  const first = times.findIndex((time) => time >= ms)
  if (boundary === 'lower') return min + (first < 0 ? times.length : first)
  const last = times.findLastIndex((time) => time <= ms)
  return min + Math.max(0, last)
}

describe('offsetByTime', () => {
  test('any time gives what a plain search gives, for both boundaries, also after a restart', async (t) => {
    for (let seed = 0; seed < 10; seed++) {
      const random = new Random(seed)
      const time = new ManualTime()
      const disk = freshDisk()
      const first = await open(disk, {}, { clock: time })
      const times: number[] = []
      const count = random.between(1, 60)
      for (let i = 0; i < count; i++) {
        if (random.chance(0.6)) time.advance(random.pick([1, 3, 1000]))
        times.push((await first.put({ topic: 'a', body: random.bytes(random.int(200)) })).storeTimestamp)
      }
      const check = async (store: typeof first): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          const ms = random.pick(times) + random.pick([-2, -1, 0, 0, 1, 2])
          for (const boundary of ['lower', 'upper'] as const)
            assert.equal(
              await store.offsetByTime('a', 0, ms, boundary),
              plain(times, 0, ms, boundary),
              `seed ${seed}, ${ms}, ${boundary}`,
            )
        }
        assert.equal(await store.offsetByTime('a', 0, 0), 0)
        assert.equal(await store.offsetByTime('a', 0, Number.MAX_SAFE_INTEGER), times.length)
        assert.equal(await store.offsetByTime('a', 0, Number.MAX_SAFE_INTEGER, 'upper'), times.length - 1)
      }
      await check(first)
      await first.close()
      await check(await openStore(t, { disk, ports: { clock: time } }))
    }
  })

  test('times before the first message that is kept give its offset', async (t) => {
    const time = new ManualTime()
    const disk = freshDisk()
    const first = await open(disk, {}, { clock: time })
    const times = []
    for (let i = 0; i < 60; i++) {
      times.push((await first.put({ topic: 'a', body: Buffer.alloc(200) })).storeTimestamp)
      time.advance(10)
    }
    await first.close()
    disk.remove('/s/commitlog/00000000000000000000')
    const store = await openStore(t, { disk, ports: { clock: time } })
    const { minOffset } = store.bounds('a')
    assert.ok(minOffset > 0)
    for (const ms of [0, times[0]!, times[minOffset]!]) assert.equal(await store.offsetByTime('a', 0, ms), minOffset)
    assert.equal(await store.offsetByTime('a', 0, times[0]!, 'upper'), minOffset)
    assert.equal(await store.offsetByTime('a', 0, times[minOffset + 3]!, 'upper'), minOffset + 3)
  })

  test('the edges are the bounds: before the first, after the last, and in a queue that holds nothing', async (t) => {
    const store = await openStore(t)
    for (let n = 0; n < 3; n++) await store.put({ topic: 'a', body: 'x' })
    const at = (ms: number, boundary: 'lower' | 'upper'): Promise<number> => store.offsetByTime('a', 0, ms, boundary)
    const late = Date.now() + 1e9
    assert.deepEqual([await at(0, 'lower'), await at(0, 'upper'), await at(late, 'lower'), await at(late, 'upper')], [0, 0, 3, 2])
    await store.purge('a')
    assert.deepEqual([await at(0, 'lower'), await at(0, 'upper'), await at(late, 'lower'), await at(late, 'upper')], [3, 3, 3, 3])
  })

  test('an unknown queue gives 0, and wrong arguments are refused', async (t) => {
    const store = await openStore(t)
    assert.equal(await store.offsetByTime('a', 0, 1), 0)
    await assert.rejects(store.offsetByTime('a', 0, 1.5), bad(RangeError, 'timestampMs'))
    await assert.rejects(store.offsetByTime('a', 0, '1' as never), bad(TypeError, 'timestampMs'))
    await assert.rejects(store.offsetByTime('a', 0, 1, 'middle' as never), bad(RangeError, 'boundary', 'middle'))
    await assert.rejects(store.offsetByTime(5 as never, 0, 1), bad(TypeError, 'topic'))
    await assert.rejects(store.offsetByTime('a', -1, 1), bad(RangeError, 'queueId'))
  })
})
